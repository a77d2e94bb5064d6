/* Private to sched/: the figures of all slots at once, gathered inside the kernel.
 *
 * A BPF iterator walks the instance's cgroups in each hierarchy and copies counters out of the
 * kernel's own structures into memory shared with us: a fraction of a microsecond a cgroup, where
 * one file costs ten. Where the kernel lacks any part of this, files are read (meter.c). */
#pragma once

#include <stdint.h>

#include "sched/host.h"

/** What is copied, in order; each a u64, 0 where the cgroup has no such controller. Neighbours in
 * the kernel that are neighbours here are copied together. */
enum bulk_field {
	BULK_LEVEL, /* how deep the cgroup is in its hierarchy */
	BULK_SYSTEM_NS,
	BULK_USER_NS,
	BULK_CPU_NS,
	BULK_IO_SOME_NS, /* pressure: six in the order of the kernel's psi_states */
	BULK_IO_FULL_NS,
	BULK_MEMORY_SOME_NS,
	BULK_MEMORY_FULL_NS,
	BULK_CPU_SOME_NS,
	BULK_CPU_FULL_NS,
	BULK_MEMORY_PAGES,
	BULK_MEMORY_FAILS,
	BULK_MEMORY_PEAK_PAGES,
	BULK_MEMORY_LIMIT_PAGES,
	BULK_SWAP_PAGES, /* v1: memory and swap together */
	BULK_SWAP_FAILS,
	BULK_MAX_EVENTS,
	BULK_OOM_KILLS,
	BULK_PIDS,
	BULK_PIDS_PEAK,
	BULK_PIDS_LIMIT,
	BULK_PIDS_FAILS,
	BULK_PERIODS,
	BULK_THROTTLED,
	BULK_THROTTLED_NS,
	BULK_FIELD_COUNT
};

struct bulk_slot {
	unsigned slot;
	uint64_t of[BULK_FIELD_COUNT];
};

struct bulk;
/** Learns the kernel's structures and loads the program: some 15 ms, once. @return 0, -EOPNOTSUPP
 * or -errno where this host cannot do it. */
[[nodiscard]] int bulk_new(const struct sched_host *h, struct bulk **ret);
/** The same that reads CPU time alone (BULK_CPU_NS and its parts): a fifth of the work. */
[[nodiscard]] int bulk_new_cpu(const struct sched_host *h, struct bulk **ret);
void bulk_free(struct bulk *b);
/** Reads all slots. @throttled whether some have a limit of CPU: else what belongs to it may be
 * left out. @return 0 or -errno; then nothing is found. */
[[nodiscard]] int bulk_round(struct bulk *b, bool throttled);
/** @return what the last round found of a slot, or NULL. */
const struct bulk_slot *bulk_find(const struct bulk *b, unsigned slot);
/** Whether this kernel accounts pressure. */
bool bulk_has_pressure(const struct bulk *b);
