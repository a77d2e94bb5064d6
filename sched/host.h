/* Private to sched/: the opened hierarchies, and reading and writing below them. */
#pragma once

#include "sched/hierarchy.h"
#include "sched/sched.h"

/** One hierarchy in use: its top (the root, or the delegated cgroup) and the instance in it. */
struct cg_tree {
	int top, fd; /* owned; `fd` is TOP/ward/INSTANCE */
	bool unified;
	unsigned controllers;
	char path[CG_PATH_MAX]; /* of top, for messages */
};

enum cg_devices { CG_DEVICES_NONE, CG_DEVICES_V1, CG_DEVICES_BPF };

struct sched_host {
	char instance[64];
	char below[CG_PATH_MAX]; /* of the top below its mount: "" or the delegated cgroup */
	struct cg_tree trees[CG_HIERARCHIES_MAX];
	size_t count;
	int of[CG_CONTROLLER_COUNT]; /* index in trees, or -1 */
	enum cg_devices devices;
	int denials; /* the map that counts them, owned; -1: they are not counted */
	bool kill; /* cgroup.kill */
	bool freeze; /* cgroup.freeze */
};

/** sched_host_new() on a given layout. */
[[nodiscard]] int host_new_in(const char *instance, const struct cg_layout *l,
			      struct sched_host **ret, struct err *e);

/** The tree of a controller, or NULL. */
const struct cg_tree *host_tree(const struct sched_host *h, enum cg_controller c);

/** Reads a small control file into buf, NUL-terminated. @return length or -errno. */
ssize_t cg_read(int dirfd, const char *path, char *buf, size_t size);
/** Opens SLOT/FILE in a tree. @return descriptor or -errno. */
int slot_openat(const struct cg_tree *t, unsigned slot, const char *file, int flags);
ssize_t slot_read(const struct cg_tree *t, unsigned slot, const char *file, char *buf, size_t size);
[[nodiscard]] int slot_write(const struct cg_tree *t, unsigned slot, const char *file,
			     const char *value);
/** A file of one number; "max" and what v1 shows for it become UNITS_NONE. */
[[nodiscard]] int slot_read_u64(const struct cg_tree *t, unsigned slot, const char *file,
				uint64_t *ret);
/** The value behind `key` in "key value" lines. @return false when there is none. */
bool cg_find_u64(const char *text, const char *key, uint64_t *ret);

/** What a round of many slots reads of one: no breakdown of memory, no io, not whether frozen. */
void stats_read_light(struct sched_host *h, unsigned slot, struct sched_stats *s);
void stats_read_cpu(struct sched_host *h, unsigned slot, struct sched_stats *s);
bool stats_slot_exists(const struct sched_host *h, unsigned slot);

/** Pids of a slot in one tree with what is nested in it; as sched_slot_pids(). */
ssize_t tree_pids(const struct cg_tree *t, unsigned slot, pid_t *pids, size_t max);
/** The tree in which a slot's processes are counted and signalled. */
const struct cg_tree *host_process_tree(const struct sched_host *h);
/** Signals every process of the slot in that tree until no new ones show up (bounded). */
[[nodiscard]] int tree_signal(const struct cg_tree *t, unsigned slot, int sig);

/* --- devices.c --- */

struct cg_device {
	char type; /* 'c' or 'b' */
	unsigned major, minor;
	bool any_minor;
};
#define CG_DEVICES_EXTRA_MAX 32

/** Resolves a device node. @return 0, -ENODEV when it is not one, -errno. */
[[nodiscard]] int device_resolve(const char *path, struct cg_device *ret);
/** Confines the whole instance to the standard nodes (BPF). */
[[nodiscard]] int devices_confine(struct sched_host *h, struct err *e);
/** Confines a new slot to the standard nodes (v1, where a child cannot have more later). */
[[nodiscard]] int devices_confine_slot(const struct sched_host *h, unsigned slot);
/** Gives a slot these devices on top of the standard nodes. */
[[nodiscard]] int devices_allow(const struct sched_host *h, unsigned slot,
				const struct cg_device *extra, size_t n, struct err *e);
/** Lets a slot's processes use any device, as those of the host. */
[[nodiscard]] int devices_free(const struct sched_host *h, unsigned slot);
/** Whether a device program loads here. */
bool devices_bpf_loads(void);

/** Room for the longest program: prologue, 5 instructions a rule, epilogue. */
#define DEVICES_PROGRAM_MAX (8 + 5 * (16 + CG_DEVICES_EXTRA_MAX))
struct bpf_insn;
/** Writes the program that allows reading and writing the standard nodes and `extra`. */
size_t devices_program(const struct cg_device *extra, size_t n, struct bpf_insn *out);

/* --- denials.c --- */

union bpf_attr;
/** bpf(2). @return descriptor, 0 or -errno. */
int cg_bpf(int command, union bpf_attr *attr, size_t size);
/** Makes the map that counts denials. @return descriptor or -errno. */
int denials_map_new(void);
#define DENIALS_PROGRAM_MAX 32
/** Writes what counts a denial, then says no; r2 to r5 are as in devices_program(). @return its
 * length. */
size_t denials_program(int map, struct bpf_insn *out);
