/* Hooks: programs that the host runs, as root, around a context's life. One at a time a context.
 *
 * A hook runs in a cgroup slot of its own: whatever it leaves behind dies with it, and what a dead
 * daemon left of one is swept by the next as any other slot is. So each hook runs exactly once
 * unless the daemon dies meanwhile; then the next daemon runs it again. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct context;

enum hook_kind {
	HOOK_BEFORE_START, /* nothing of the context exists; its failure is the start's */
	HOOK_AFTER_READY,
	HOOK_BEFORE_STOP, /* before the first signal */
	HOOK_AFTER_STOP, /* nothing of the context is left, or ever was */
	HOOK_COUNT
};

/** "before-start" and so on: the key's name. */
const char *hooks_name(enum hook_kind kind);

/** Whether the spec it was started with has this hook, and it has not run in this life. */
bool hooks_wanted(const struct context *c, enum hook_kind kind);
/**
 * Runs a hook; the present one, if any, is dropped. `done` (may be NULL) comes later, always from
 * the loop, with why it failed or code 0. A failure of any but before-start has been told as an
 * event and kept as a warning by then. @return 0, or -ENOMEM (nothing runs).
 */
typedef void (*hooks_done)(struct context *c, const struct err *e);
[[nodiscard]] int hooks_run(struct context *c, enum hook_kind kind, hooks_done done);
/** Whether it has run to its end in this life. */
bool hooks_finished(const struct context *c, enum hook_kind kind);
bool hooks_running(const struct context *c, enum hook_kind kind);
/** The present hook, if any, gets no more than this from now on; 0: it is killed. */
void hooks_hurry(struct context *c, uint64_t timeout_us);
/** Kills the present hook, if any, and forgets it: nobody is told. */
void hooks_drop(struct context *c);
/** A new life begins: no hook of it has run, none has failed. */
void hooks_reset(struct context *c);
/** A dead daemon has seen this one to its end. */
void hooks_mark(struct context *c, enum hook_kind kind);
/** What went wrong last, or NULL. */
const char *hooks_warning(const struct context *c);
/** Frees all, with the context. */
void hooks_free(struct context *c);

/* --- hook_child.c: private to hooks.c --- */

struct sched_attach;

struct hook_child {
	const struct sched_attach *attach;
	char *const *argv;
	const char *name, *kind;
	int in, out; /* standard input; output and error */
	int mounts; /* the host's mount namespace, or -1: the daemon's is it */
};
/** In the child: becomes the hook. What fails is written to `out`. */
_Noreturn void hook_child_run(const struct hook_child *h);
