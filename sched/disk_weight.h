/* Private to sched/: one weight of one cgroup on one disk. */
#pragma once

#include "sched/host.h"

#define DISK_WEIGHT_DEFAULT 100 /* the kernel's, for BFQ and iocost alike */

/** How weights are written for a disk: by what schedules it now. */
struct disk_scale {
	const char *file;
	uint32_t max; /* from 1 */
};
struct disk_scale disk_scale_of(const struct cg_tree *t, const struct sched_disk *disk);

[[nodiscard]] int disk_weight_write(const struct cg_tree *t, unsigned slot,
				    const struct sched_disk *disk, uint32_t weight);

/* --- the group of all contexts --- */

/** Calls `each` with every disk on which this instance weighs something else than by default. */
void disk_top_each(const struct sched_host *h,
		   void (*each)(void *arg, const struct sched_disk *disk), void *arg);
/**
 * This instance needs this weight on a disk from now on; "ward", which other daemons share, has the
 * greatest of what those need that run contexts. A delegated top stays as its owner has set it.
 */
void disk_top_write(const struct sched_host *h, const struct sched_disk *disk, uint32_t weight);
/** What this instance was given there; 0: nothing. */
uint32_t disk_top_read(const struct sched_host *h, const struct sched_disk *disk);
/** What it needs beside one busy process of the host, which keeps so many millionths. */
uint32_t disk_top_due(const struct sched_host *h, const struct sched_disk *disk, uint32_t host_ppm);
