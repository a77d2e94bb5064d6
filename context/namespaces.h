/* The CHILD steps of a launch: what process 1 sets in its own namespaces. Private to context/. */
#pragma once

#include "base/step.h"
#include "context/plan.h"
#include "context/seat.h"

/** Appends lock-mounts (for sys-admin inside), hostname, time-namespace and (before 6.3)
 * enter-time. */
[[nodiscard]] int namespaces_steps(const struct context_plan *p, struct seat_shared *shared,
				   struct step_list *steps);
