/* Private to the daemon's core: contexts that run out of memory.
 *
 * What dies is the context's own choice (memory.oom). The whole of it: the kernel does so on v2; on
 * v1 the daemon is told and ends the rest. Or the process that the kernel chose: then the context
 * goes on, and an event says what it lost. */
#pragma once

#include "daemon/core.h"

/** Begins to watch, where its active spec gives reason to. Failure is logged. */
void memory_out_watch(struct context *c);
void memory_out_unwatch(struct context *c);
/**
 * Whether it ended for want of memory. @kills how many processes of it have died of that.
 */
bool memory_out_was_the_end(const struct context *c, const struct exit_info *x, uint64_t kills);
/** How many of the kills no event tells of yet. */
uint64_t memory_out_untold(const struct context *c, uint64_t kills);
