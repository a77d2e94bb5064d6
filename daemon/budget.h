/* Private to the daemon's core: promises of CPU time, memory and disks.
 *
 *   budget.c     what is promised to whom; whether one more promise can be kept
 *   ledger.c     the same without a daemon: sums and refusals
 *   host_file.c  wardd.ini: what the host keeps
 *   governor.c   keeps them: weights from what contexts are entitled to and really use
 *   pace.c       how urgently that runs */
#pragma once

#include "daemon/core.h"
#include "sched/delivery.h"

/**
 * Whether what a spec reserves can be promised beside what others hold: those that run, whatever
 * they use, and those that wait to be started again.
 * @c the context it is for, whose present promise is left out. Who asks for no more than it has is
 * never refused, even where promises do not fit any more (a CPU went away).
 * @return 0; -EDQUOT: e names what was asked, what is free and who holds it; -errno.
 */
[[nodiscard]] int budget_admit(struct manager *m, const struct context *c, const struct spec *spec,
			       struct err *e);
/** A restart is planned: what it had stays promised to it meanwhile. */
void budget_keep(struct context *c);
/** It runs again, or will not. */
void budget_release(struct context *c);

/** Millionths of every CPU that nobody may reserve: the host's. */
uint32_t host_reserve_ppm(const struct manager *m);
/** Reads wardd.ini at the start. What is wrong is logged; then the defaults hold. */
void host_file_read(struct manager *m);
/** Reads it again: a report as manager_reload() has one for each context, or NULL where there is
 * nothing to tell. With errors in it what held before holds on. @dry only tells. */
json_t *host_file_reload(struct manager *m, bool dry);

/** Before any context is there. @return 0 or -errno. */
[[nodiscard]] int governor_new(struct manager *m, struct err *e);
void governor_free(struct manager *m);
/** A context runs, or is found running by a new daemon, with its active spec. Weights follow. */
void governor_begin(struct context *c);
/** Its active spec is another one. */
void governor_changed(struct context *c);
/** It has ended: its part goes to the others. */
void governor_end(struct context *c);
/** wardd.ini says something else than before. */
void governor_host_changed(struct manager *m);
/** The daemon's thread is about to wait for events; or has waited, and is about to handle one. */
void governor_sleeps(struct manager *m);
void governor_wakes(struct manager *m);
/** What it was entitled to, wanted and got: engine_delivered(). */
bool governor_delivered(const struct context *c, struct delivery_sum ret[static DELIVERY_WINDOWS]);
/** io.share as the kernel has it, with what reserves make of it told as the shares of `spec`. */
void governor_tell_shares(const struct context *c, const struct spec *spec, const char *live,
			  struct buf *out);
/** Whether its weight is more than its share: then no file of the kernel shows that. */
bool governor_weighs(const struct context *c);
