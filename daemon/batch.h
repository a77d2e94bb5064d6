/* Starting and stopping many contexts along their order. A door of daemon/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"

struct manager;
struct batch;

/** Which contexts: exactly one of names, mark, all, autostart. Borrowed for the call. */
struct batch_request {
	const struct strv *names;
	const char *mark; /* those with this mark, in a state for it */
	bool all; /* those in a state for it */
	uid_t owner; /* only those that this user owns; 0: all */
	bool no_wait; /* start: a running command will do where nobody is after it */
	bool autostart; /* start: those with autostart = yes that were not started yet */
	uint64_t timeout_us; /* stop: of the whole, then all is killed; 0: as the specs say */
};

struct batch_result {
	const char *name;
	const char *result; /* "started", "running" (it did already), "stopped", "failed" */
	const char *wanted_by; /* one that is after it; NULL: it was asked for itself */
	const struct err *error; /* code 0: none */
};

struct batch_events {
	/** One a context, as it comes; may be NULL. */
	void (*result)(void *arg, const struct batch_result *r);
	/** The last call; the batch is gone after it. */
	void (*done)(void *arg);
};

/**
 * Starts contexts and those they are after, in parallel as far as their order permits: each once
 * all it is after are ready. One that fails, names what there is not, or is on a cycle, fails those
 * after it, and no others. All calls come later, from the loop. @return 0 or -ENOMEM.
 */
[[nodiscard]] int manager_start_many(struct manager *m, const struct batch_request *q,
				     const struct batch_events *events, void *arg,
				     struct batch **ret, struct err *e);
/** Stops contexts in the reverse order: each once those of them that are after it have stopped. */
[[nodiscard]] int manager_stop_many(struct manager *m, const struct batch_request *q,
				    const struct batch_events *events, void *arg,
				    struct batch **ret, struct err *e);
/** Nobody listens any more; what was begun goes on. */
void batch_forget(struct batch *b);
