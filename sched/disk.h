/* Private to sched/: disks, as limits and shares name them. */
#pragma once

#include "sched/host.h"

/**
 * "PATH rbps=1 ..." to "MAJ:MIN rbps=1 ..."; a partition becomes its disk. @key for messages.
 */
[[nodiscard]] int disk_resolve(const char *key, const char *value, char out[static SCHED_VALUE_MAX],
			       struct err *e);
/**
 * Whether something gives out the disk's time by shares. @device begins with "MAJ:MIN".
 * @return 0, -EOPNOTSUPP with what schedules it instead and what would do.
 */
[[nodiscard]] int disk_has_shares(const char *key, const char *device, struct err *e);
/** Whether BFQ schedules a disk. */
bool disk_has_bfq(const struct sched_disk *disk);
/** Its path, or its number where the kernel tells no name. */
void disk_print_name(unsigned major, unsigned minor, struct buf *out);
/** Whether the kernel has a scheduler of disks that knows shares: BFQ, on v2 also iocost. */
bool disk_shares_possible(const char *mount, bool unified);

/** "MAJ:MIN rbps=1 wbps=max ..." */
[[nodiscard]] int disk_write_max_v1(const struct cg_tree *t, unsigned slot, const char *value);
/** "MAJ:MIN 200", "MAJ:MIN default" */
[[nodiscard]] int disk_write_weight_v1(const struct cg_tree *t, unsigned slot, const char *value);
[[nodiscard]] int disk_write_weight_v2(const struct cg_tree *t, unsigned slot, const char *value);
bool disk_is_default(const char *value);

/** io.limit and io.share as the kernel has them, a line for each disk. @return 0 or -errno. */
[[nodiscard]] int disk_live_limits(const struct cg_tree *t, unsigned slot, struct buf *out);
[[nodiscard]] int disk_live_shares(const struct cg_tree *t, unsigned slot, struct buf *out);
