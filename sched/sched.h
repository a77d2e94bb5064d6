/* The door of sched/: cgroups under v2's names, over v2, v1 or hybrid, and what they limit.
 *
 * Nothing here mounts or rebinds a hierarchy. A daemon's contexts live in slots: directories
 * ROOT/ward/INSTANCE/SLOT in every hierarchy that is used (or below the delegated subtree the
 * daemon was started in). Slots have numbers, not names: a seat's slot exists before its name. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/step.h"
#include "spec/facts.h"
#include "spec/spec.h"

/** Fills facts->sched (reads /proc/self/mountinfo and the controllers' files; makes nothing). */
void sched_probe(struct facts *facts);

/**
 * Where a controller lives, by v2's name ("cpu", "io"; v1 alone: "devices", "freezer"; "cgroup2").
 * @ret_v1 whether that is a v1 hierarchy. @return 0 with the mount point, -ENODEV, -errno.
 */
[[nodiscard]] int sched_where(const char *controller, char *ret_path, size_t size, bool *ret_v1);

/** The opened hierarchies and this daemon's directory in each. */
struct sched_host;
/** @instance directory name below "ward/", from the run directory. Makes the directories. */
[[nodiscard]] int sched_host_new(const char *instance, const struct facts *facts,
				 struct sched_host **ret, struct err *e);
/** The cgroup2 directory above all slots, borrowed, for BPF programs. @ret_level of a slot, counted
 * from the root of the hierarchy. @return -1 where there is no cgroup2, or its root is not to be
 * seen (in a cgroup namespace). */
int sched_host_cgroup2(const struct sched_host *h, unsigned *ret_level);
/** Closes; removes the daemon's directories where they are empty. */
void sched_host_free(struct sched_host *h);
/** Kills and removes every slot whose number `keep` denies (left by a dead daemon). */
[[nodiscard]] int sched_host_sweep(struct sched_host *h, bool (*keep)(unsigned slot, void *arg),
				   void *arg, struct err *e);

/* --- a slot: one context's cgroup in every hierarchy --- */

#define SCHED_ATTACH_MAX 12
/** What a process needs to put itself into a slot: open cgroup.procs files (daemon's
 * credentials), one per hierarchy that clone3 did not cover. Written by slot_attach_self(). */
struct sched_attach {
	int procs[SCHED_ATTACH_MAX];
	unsigned count;
	int clone_into; /* cgroup2 directory for CLONE_INTO_CGROUP, or -1 */
};

/** Makes the slot's directories (cpusets filled, devices restricted to the standard set, all
 * limits at their default). A slot number is used once in a daemon's life. */
[[nodiscard]] int sched_slot_create(struct sched_host *h, unsigned slot, struct err *e);
/** The same for processes of the host: no device is kept from them. */
[[nodiscard]] int sched_slot_create_free(struct sched_host *h, unsigned slot, struct err *e);
/** Opens what a process needs to enter. Close with sched_attach_done(). */
[[nodiscard]] int sched_slot_open(struct sched_host *h, unsigned slot, struct sched_attach *ret,
				  struct err *e);
void sched_attach_done(struct sched_attach *a);
/** In the child: moves the calling process into the slot (writes "0"). May wait for RCU on v1. */
[[nodiscard]] int sched_attach_self(const struct sched_attach *a);
/** Sends SIGKILL to everything inside, thawing as needed, without waiting for the deaths. It is the
 * end of a slot: some kernels kill whatever is cloned into a cgroup that was killed before. */
[[nodiscard]] int sched_slot_kill(struct sched_host *h, unsigned slot);
/** Sends any signal to every process inside. */
[[nodiscard]] int sched_slot_signal(struct sched_host *h, unsigned slot, int sig);
/** Removes the directories. @return 0, -EBUSY while something dies inside (call again when
 * sched_slot_populated() says no), -errno. */
[[nodiscard]] int sched_slot_remove(struct sched_host *h, unsigned slot);
bool sched_slot_populated(struct sched_host *h, unsigned slot);
/** Freezes or thaws. @return 0 when the state is reached or under way. */
[[nodiscard]] int sched_slot_freeze(struct sched_host *h, unsigned slot, bool frozen);
/** Whether it was told to freeze; not all in it may have stopped yet. */
bool sched_slot_frozen(struct sched_host *h, unsigned slot);
/** Pids inside, as the host sees them, at most `max`. @return how many there are, or -errno. */
ssize_t sched_slot_pids(struct sched_host *h, unsigned slot, pid_t *pids, size_t max);
/** What the kernel calls the slot's cgroup in cgroup2. @return 0, -ENODEV without it, -errno. */
[[nodiscard]] int sched_slot_id(const struct sched_host *h, unsigned slot, uint64_t *ret);
/** The path below a hierarchy's mount, for people. */
void sched_slot_path(struct sched_host *h, unsigned slot, char *out, size_t size);

/** For hosts where the kernel does not end a whole context that is out of memory by itself (v1).
 * @return an eventfd, readable once the slot ran out of memory, -EOPNOTSUPP on v2, or -errno. */
int sched_slot_oom_open(struct sched_host *h, unsigned slot);

/* --- plan: the spec as ordered writes of v2 attribute names --- */

#define SCHED_VALUE_MAX 256
struct sched_write {
	const char *attribute; /* v2 name, "cpu.max"; "devices.allow" for a device node */
	char value[SCHED_VALUE_MAX];
};
#define SCHED_WRITES_MAX 64
struct sched_plan {
	struct sched_write writes[SCHED_WRITES_MAX];
	size_t count;
};
/** @return 0, or -EOPNOTSUPP naming the key and the controller this host lacks. */
[[nodiscard]] int sched_plan(const struct spec *spec, const struct facts *facts,
			     struct sched_plan *ret, struct err *e);
void sched_print(const struct sched_plan *p, struct buf *out);
/** Only what differs from the defaults a fresh slot has is written: PARENT steps. */
[[nodiscard]] int sched_steps(const struct sched_plan *p, struct sched_host *h, unsigned slot,
			      struct step_list *steps, struct err *e);
/**
 * Changes a live slot from one spec to another: all or nothing (on failure the old values are
 * back). Memory lowered below use reclaims first and refuses with -EBUSY and both numbers.
 */
[[nodiscard]] int sched_slot_change(struct sched_host *h, unsigned slot, const struct spec *from,
				    const struct spec *to, const struct facts *facts,
				    struct err *e);

/* --- read back --- */

struct sched_io_stat {
	unsigned major, minor;
	uint64_t read_bytes, write_bytes, read_ops, write_ops;
};
/** How long processes waited for a resource (PSI): some of them, and all of them at once. */
struct sched_pressure {
	uint64_t some_us, full_us;
};
enum sched_resource { SCHED_CPU, SCHED_MEMORY, SCHED_IO, SCHED_RESOURCE_COUNT };
const char *sched_resource_name(enum sched_resource r);

#define SCHED_IO_MAX 16
struct sched_stats {
	uint64_t cpu_us, cpu_user_us, cpu_system_us;
	uint64_t throttled_us, throttled_periods, periods;
	uint64_t memory_bytes, memory_peak_bytes, memory_limit_bytes, swap_bytes;
	uint64_t memory_anon_bytes, memory_file_bytes; /* 0 where unknown */
	uint64_t oom_kills, memory_limit_hits;
	uint64_t pids, pids_peak, pids_limit, pids_limit_hits;
	struct sched_pressure pressure[SCHED_RESOURCE_COUNT];
	struct sched_io_stat io[SCHED_IO_MAX];
	size_t io_count;
	bool frozen, has_pressure;
};
/** How often the CPU limit held it back: cheap enough to be looked at now and then. @return 0 or
 * -errno (-EOPNOTSUPP without a cpu controller). */
struct sched_throttle {
	uint64_t periods, throttled_periods, throttled_us;
};
[[nodiscard]] int sched_slot_throttle(struct sched_host *h, unsigned slot,
				      struct sched_throttle *ret);
/** Opens the file that counts how often a limit was hit, "pids" or "memory".
 * @ret_notifies on v2 it polls as EPOLLPRI when it was; v1 (since Linux 6.11) says nothing.
 * @return descriptor, -EOPNOTSUPP where there is none (memory on v1), -errno. */
int sched_slot_events_open(struct sched_host *h, unsigned slot, const char *what,
			   bool *ret_notifies);
/** Reads from it how often. @return 0 or -errno. */
[[nodiscard]] int sched_events_read(int fd, uint64_t *ret);
/** What the kernel has in force for a key, in the words of a context's file: "cpu.limit" is "50%".
 * @return 0, -EOPNOTSUPP for a key that no control file shows, -errno. */
[[nodiscard]] int sched_slot_live(struct sched_host *h, unsigned slot, const char *key,
				  struct buf *out);
/** A disk: a partition stands for its own. */
struct sched_disk {
	unsigned major, minor;
	char name[64]; /* "/dev/vda" */
};
/** The disk at a path. @key for messages. @return 0; -ENOTBLK, -ENOENT and so on with e. */
[[nodiscard]] int sched_disk_find(const char *key, const char *path, struct sched_disk *ret,
				  struct err *e);
/** Whether something gives out its service by weights. @return 0, -EOPNOTSUPP with e. */
[[nodiscard]] int sched_disk_weighs(const char *key, const struct sched_disk *disk, struct err *e);
/** Whether two paths name the same disk; a partition is its disk. */
bool sched_same_disk(const char *a, const char *b);
/** Pressure (PSI) of the slot's own processes by resource, "cpu", "memory", "io": percent of time
 * of the last 10, 60 and 300 seconds, times 100, and in all. @return 0, -EOPNOTSUPP, -errno. */
struct sched_pressure_now {
	struct sched_stall {
		unsigned avg10, avg60, avg300; /* hundredths of a percent */
		uint64_t total_us;
	} some, full;
};
[[nodiscard]] int sched_slot_pressure(struct sched_host *h, unsigned slot, const char *resource,
				      struct sched_pressure_now *ret);
/** The same of the whole host. */
[[nodiscard]] int sched_host_pressure(const char *resource, struct sched_pressure_now *ret);
/** Device nodes that were not opened because the context has no right to. */
struct sched_denials {
	uint64_t count;
	char type; /* of the last one: 'c' or 'b' */
	unsigned major, minor;
	bool read, write, mknod;
};
/** @return 0, -EOPNOTSUPP where they cannot be counted. */
[[nodiscard]] int sched_slot_denials(struct sched_host *h, unsigned slot,
				     struct sched_denials *ret);
/** Only memory_bytes and pids: for lists of many. */
[[nodiscard]] int sched_slot_usage(struct sched_host *h, unsigned slot, uint64_t *ret_memory,
				   uint64_t *ret_pids);
/** Everything, from files: some 200 us. */
[[nodiscard]] int sched_slot_stats(struct sched_host *h, unsigned slot, struct sched_stats *ret);
/** Only io and io_count; the rest of `s` stays. */
void sched_slot_io(struct sched_host *h, unsigned slot, struct sched_stats *s);

/* --- many slots, again and again --- */

struct sched_meter;
/** What it takes to read all slots at once; where the kernel has the means this is a few
 * microseconds a slot, else it is files. @return 0 or -ENOMEM. */
[[nodiscard]] int sched_meter_new(struct sched_host *h, struct sched_meter **ret);
void sched_meter_free(struct sched_meter *m);
/** Begins a round. @throttled whether any slot has a limit of CPU. */
void sched_meter_round(struct sched_meter *m, bool throttled);
/**
 * The figures of a slot in this round, but for io, memory_anon_bytes, memory_file_bytes and
 * frozen, which stay what they were. @s what the round before gave of this slot, or zeros.
 * @return 0 or -ENOENT.
 */
[[nodiscard]] int sched_meter_read(struct sched_meter *m, unsigned slot, struct sched_stats *s);
/** Whether rounds come from the kernel in one go, not from files. */
bool sched_meter_is_bulk(const struct sched_meter *m);
