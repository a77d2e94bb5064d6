/* One look into a running context: does a port accept, does a command succeed? */
#pragma once

#include "daemon/core.h"

struct probe;

/** @why what was wrong, a few words; "" when it is good. The probe is freed by the callee. */
typedef void (*probe_done)(void *arg, bool good, const char *why);

/**
 * Begins to look. `done` is called exactly once, from the loop, unless the probe is freed before.
 * @return 0, -ENOMEM or what the loop said.
 */
[[nodiscard]] int probe_start(struct context *c, const struct spec_probe *what, uint64_t timeout_us,
			      probe_done done, void *arg, struct probe **ret);
/** Gives up what is under way. @return NULL. */
struct probe *probe_free(struct probe *p);
