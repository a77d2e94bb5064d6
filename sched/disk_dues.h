/* Keeps promises of disks' service: weights that are right whoever is awake.
 *
 * Nothing in the kernel reserves a part of a disk; what schedules it (BFQ, iocost) knows weights.
 * So while anybody holds a reserve on a disk, every slot has for its weight there what is due to it
 * when all are hungry: its reserve, and by its share a part of what nobody has reserved. Whoever is
 * awake has at least that, from its first request on, with nobody looking, a dead daemon included.
 * What those asleep leave goes to the others by the same weights, not by shares.
 *
 * All contexts together weigh on such a disk, against one process of the host that is awake, as
 * much as the host's reserve leaves them. On a disk without reserves nothing is written here. */
#pragma once

#include "sched/sched.h"

struct disk_dues;

/** What an earlier daemon has left on disks is taken up. @host_ppm millionths of each disk that the
 * host keeps. @return 0 or -errno. */
[[nodiscard]] int disk_dues_new(struct sched_host *h, uint32_t host_ppm, struct disk_dues **ret);
/** The host keeps this part from now on, another or the same: all is looked at again. */
void disk_dues_set_host(struct disk_dues *d, uint32_t host_ppm);
/** Weights of slots that are still there stay; without any, all is as it was found. */
void disk_dues_free(struct disk_dues *d);

/**
 * A slot has this spec from now on; weights follow before this returns, but where an earlier daemon
 * has left some: then with the first disk_dues_settle(), once it is known what still runs.
 * @fresh the slot is new and has what sched_plan() says; else its weights are not known.
 * @return 0 or -errno: a weight could not be written, or there is no memory.
 */
[[nodiscard]] int disk_dues_set(struct disk_dues *d, unsigned slot, const struct spec *spec,
				bool fresh);
/** A slot is no more. */
void disk_dues_drop(struct disk_dues *d, unsigned slot);

/** Whether something happened that disk_dues_settle() still has to follow. */
bool disk_dues_unsettled(const struct disk_dues *d);
/** Weights are what is due; only what differs noticeably is written. @return 0 or -errno. */
int disk_dues_settle(struct disk_dues *d);

/**
 * io.share as the kernel has it (@live, of sched_slot_live()) with dues told as the shares of
 * `spec` that they stand for. A weight that somebody else has written is told as it is.
 */
void disk_dues_tell(const struct disk_dues *d, unsigned slot, const struct spec *spec,
		    const char *live, struct buf *out);
