/* Private to sched/: the CPU time of all slots, often: nothing else is read. */
#pragma once

#include "sched/host.h"

struct usage;
[[nodiscard]] int usage_new(struct sched_host *h, struct usage **ret);
void usage_free(struct usage *u);
/** Begins a round. */
void usage_round(struct usage *u);
/** What a slot has used since it was made, in this round. @return 0 or -errno. */
[[nodiscard]] int usage_read(struct usage *u, unsigned slot, uint64_t *ret_ns);
