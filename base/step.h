/* Steps: what the rooms contribute to bringing up a context, as data with one function each.
 *
 * Each room turns its plan into steps; daemon/launch.c puts the lists together; context/ runs
 * them. PARENT steps run in the daemon in list order before the child is given its order, and are
 * undone in reverse when anything later fails. CHILD steps run in the parked child (see
 * context/seat.h), which shares nothing but the arena and the descriptors listed with
 * steps_give_fd(). A child step makes system calls only: everything it needs was prepared. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum step_phase {
	STEP_PARENT, /* in the daemon, before the child goes */
	STEP_CHILD, /* in the context's process 1, in its namespaces, still privileged there */
	STEP_COMMAND, /* in the process that will become the command, up to and including exec */
	STEP_PHASE_COUNT
};

struct step {
	const char *name; /* "mount-overlay": kebab case, unique within a launch; a fault point */
	const char *object; /* what it acts on (a path, a value), for errors and `plan`; or NULL */
	enum step_phase phase;
	/** @return 0 or -errno; may set `e` to say more than name, object and errno do. */
	int (*run)(void *arg, struct err *e);
	/** Undoes what run() did (PARENT steps only); NULL when there is nothing to undo. */
	void (*undo)(void *arg);
	void *arg; /* lies in the arena */
};

#define STEP_LIST_MAX 128
#define STEP_FDS_MAX 60

struct step_list {
	struct arena *arena; /* borrowed */
	struct step *steps; /* in the arena, STEP_LIST_MAX of them */
	size_t count, done; /* `done` PARENT steps have run, for undo */
	int *fd_slots[STEP_FDS_MAX]; /* each points into the arena; owned until sent */
	size_t fd_count;
};

/** Makes an empty list in the arena. @return 0 or -ENOMEM. */
[[nodiscard]] int steps_init(struct step_list *l, struct arena *arena);
/** Closes the descriptors still owned. */
void steps_done(struct step_list *l);
/** Appends a step (strings must live in the arena or be literals). @return 0 or -E2BIG. */
[[nodiscard]] int steps_add(struct step_list *l, struct step step);
/**
 * Gives descriptor `fd` to the child: stores it in *slot (in the arena) and takes ownership.
 * When the order is sent, the child finds its own number of it in the same place, so a step
 * just uses *slot on either side. @return 0 or -EMFILE; on failure fd is closed.
 */
[[nodiscard]] int steps_give_fd(struct step_list *l, int *slot, int fd);
/** Runs the PARENT steps; on failure undoes those done. @return 0 or -errno, `e` names the step. */
[[nodiscard]] int steps_run_parent(struct step_list *l, struct err *e);
/** Undoes the PARENT steps that ran, in reverse. */
void steps_undo(struct step_list *l);
/**
 * Runs the steps of one child phase. @return 0 or -errno with `e` naming the step.
 */
[[nodiscard]] int steps_run_child(const struct step_list *l, enum step_phase phase, struct err *e);
