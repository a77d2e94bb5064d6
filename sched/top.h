/* Private to sched/: the group "ward" of all daemons' contexts, beside the host's own processes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sched_host;
struct cg_tree;

/** All that is needed to write it: by the daemon, or by its heir. */
struct top {
	int dir, core; /* borrowed: tops of the cpu hierarchy, and of cgroup2 (-1: none) */
	bool unified;
	const char *instance; /* borrowed */
	uint32_t most; /* the greatest weight beside which one process has the host's reserve */
	uint64_t rest_us; /* of TOP_PERIOD_US: what that reserve leaves; 0: nothing is reserved */
};
#define TOP_PERIOD_US 20000u

/** @capacity of all CPUs, @reserve of the host's: amounts as in allot.h. */
struct top top_of(const struct sched_host *h, uint64_t capacity, uint64_t reserve);
/** What contexts weigh for the kernel's default, and at most. */
uint32_t top_default(const struct top *t);
uint32_t top_greatest(const struct top *t);

/** What an instance was given, by whoever wrote it last. @return 0 when that cannot be told. */
uint32_t top_read_instance(const struct top *t);
/** What all of them weigh now. @ret_held whether the quota is in force. */
uint32_t top_read(const struct top *t, bool *ret_held);

/**
 * This instance needs this weight from now on; "ward" has the greatest of what those need that run
 * contexts. @return what it weighs now, at most `most` where the quota cannot be had.
 */
uint32_t top_write(const struct top *t, uint32_t weight);

/** On v1 nothing below can have a greater limit than the quota: lifts it. @return whether it was
 * in force. */
bool top_give_way(const struct cg_tree *t);
