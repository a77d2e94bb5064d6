/* Private to the daemon's core: the start of a context, from spec to running. */
#pragma once

#include "daemon/core.h"

/** What the ordered child says: a terminal, that it runs, or why it does not. */
void launch_report(struct context *c, enum seat_event event, int fd, struct err *e);
/** Takes a seat's process and slot out of the world; closes and frees the seat. */
void ending_bury(struct manager *m, struct seat *s, unsigned slot);
/** Makes the pool keep this kind from now on. */
void seats_fill(struct manager *m, const struct seat_kind *kind);
/** Whether the spec's context has a network namespace of its own, per netctl's plan. */
struct launch_plans {
	struct netctl_plan network;
	struct sched_plan sched;
	struct fs_plan *fs;
	struct context_plan *context;
};
/** All rooms' plans of a spec; pure. */
[[nodiscard]] int launch_plan(const struct spec *spec, const struct facts *facts,
			      struct launch_plans *ret, struct err *e);
void launch_plans_done(struct launch_plans *p);
