/* Private to the daemon's core: promises of CPU time.
 *
 *   budget.c     what is promised to whom; whether one more promise can be kept
 *   governor.c   keeps them: weights from what contexts are entitled to and really use */
#pragma once

#include "daemon/core.h"

/**
 * Whether what a spec reserves can be promised beside what runs already.
 * @c the context it is for, whose present promise is left out; NULL: one more.
 * @return 0; -ENOSPC: e names the CPUs, what they have and who holds it; -errno.
 */
[[nodiscard]] int budget_admit(struct manager *m, const struct context *c, const struct spec *spec,
			       struct err *e);

/** Before any context is there. @return 0 or -errno. */
[[nodiscard]] int governor_new(struct manager *m, struct err *e);
void governor_free(struct manager *m);
/** A context runs, or is found running by a new daemon, with its active spec. Weights follow. */
void governor_begin(struct context *c);
/** Its active spec is another one. */
void governor_changed(struct context *c);
/** It has ended: its part goes to the others. */
void governor_end(struct context *c);
/** Whether its weight is more than its share: then no file of the kernel shows that. */
bool governor_weighs(const struct context *c);
