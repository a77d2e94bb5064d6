/* What a seat's two sides share, and how they talk. Private to context/.
 *
 * The daemon's end of the socket sends MAPPED (the ids are mapped), later ORDER (with the
 * descriptors). The child sends PARKED and TERMINAL (with the pty's master). Every other copy of
 * the child's end is close-on-exec, so end of file means that whoever had to exec did, or that
 * nobody is left; `error` and the two `exec` marks in the arena say which. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/step.h"
#include "context/context.h"

#define SEAT_ARENA_BYTES (8u << 20) /* virtual; only what is written costs memory */
#define SEAT_READY_BYTES (48u << 10) /* of them: what a usual launch writes, there when it comes */
#define SEAT_STACK_BYTES (128u << 10) /* of the process that becomes the command */

enum seat_message { SEAT_MSG_MAPPED = 1, SEAT_MSG_ORDER, SEAT_MSG_PARKED, SEAT_MSG_TERMINAL };

struct launch;

/** The first thing in a seat's arena. */
struct seat_shared {
	struct err error; /* written by the child before it gives up */
	bool exec_failed; /* it was the exec of the command that failed */
	bool command_exec, init_exec; /* set just before the exec or what stands for it */
	bool one_exec; /* process 1 itself becomes the command: there is no init_exec */
	int child_sock; /* the child's number of its end */
	int timens_fd; /* the child's /proc/self/timens_offsets; -1 without a time namespace */
	struct step_list order; /* what to run: a copy, so the daemon's may go */
	struct launch *launch;
};

/** A seat as its maker sees it. */
struct seat_private {
	struct seat seat;
	struct seat_shared *shared;
	bool launched, started;
};

/** Everything the child needs that is not shared. */
struct seat_child {
	struct seat_shared *shared;
	const struct seat_enter *enter;
	unsigned namespaces;
	int sock, init_fd;
	void *prepared; /* for enter->prepare() */
	char *stack; /* SEAT_STACK_BYTES for the command */
};

/** Allocates a seat with its arena and socket. @ret_sock the child's end. */
[[nodiscard]] int seat_alloc(struct seat_private **ret, int *ret_sock, struct err *e);
/** Has the beginning of the arena in memory and in the caller's page table: off the start path. */
void seat_ready(struct seat_shared *shared);
/** The child's whole life, from the clone on. */
_Noreturn void seat_child_run(struct seat_child *c);
/** Runs the order: CHILD steps, the command, process 1. */
_Noreturn void launch_run(struct seat_child *c);
/** Leaves with the error in the arena. */
_Noreturn void seat_child_fail(struct seat_shared *shared);
/** What every child does first: cannot be traced or dumped, dies with the daemon. */
[[nodiscard]] int seat_child_guard(void);
/**
 * Closes all but these (above 2) and makes 0, 1 and 2 /dev/null, close-on-exec, so that nothing
 * opened later lands there. @keep has room for one more and is sorted. @return 0 or -errno.
 */
[[nodiscard]] int seat_child_keep(int *keep, size_t n);
/** Becomes uid and gid 0 of the user namespace, without further groups; guards again. */
[[nodiscard]] int seat_child_root(void);
static inline struct seat_private *seat_of(const struct seat *s)
{
	return (struct seat_private *) (uintptr_t) s;
}
