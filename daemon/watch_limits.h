/* Private to the daemon's core: contexts that run into their limits.
 *
 * On v2 the kernel tells when a limit of processes or memory is hit. CPU quota has no such notice,
 * and v1 tells of nothing: one timer for all looks every few seconds at contexts that were held
 * back lately, seldom at the others, and not at all when there are none. */
#pragma once

#include "daemon/core.h"

[[nodiscard]] int limits_init(struct manager *m, struct err *e);
void limits_done(struct manager *m);
/** Begins to watch what a running context's active spec limits, or changes what is watched.
 * @throttled it is held back already, and that was told. Failure is logged. */
void limits_watch(struct context *c, bool throttled);
/** It has ended: what was hit and not told yet. */
void limits_last_look(struct context *c);
void limits_unwatch(struct context *c);
/** Whether its CPU limit holds it back at present. @return also since when (us, 0: not). */
uint64_t limits_throttled(const struct context *c);
