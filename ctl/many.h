/* One request about many contexts. Private to the verbs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctl/ctl.h"

/** Whether the command line names several contexts, or a set of them. */
bool many_wanted(const struct ctl *c);
/** POSTs to "/v1/start" or "/v1/stop" and tells what came of it. A daemon that has no such route
 * (0.1) is asked for one after the other by `each`, unless that is NULL.
 * @return the exit status. */
int many_act(const struct ctl *c, const char *path, uint64_t timeout_us,
	     int (*each)(const struct ctl *c));
/** Says that a context was started that nobody asked for. */
void many_tell_also(const struct ctl *c, const char *name, const char *wanted_by);
