/* The door of context/: processes in namespaces: seats, the launch, exec, and what they give up.
 *
 * A *seat* is a parked process 1: cloned into the namespaces most contexts want and attached to
 * a fresh cgroup slot, waiting on a socket. A launch writes steps into the seat's arena and sends
 * the order; the seat runs the CHILD steps, forks the command (COMMAND steps end in its exec) and
 * execs ward-init. So nothing slow (attaching on cgroup v1, making namespaces) is on a start's
 * path, and a start without a parked seat merely makes one first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/step.h"
#include "spec/facts.h"
#include "spec/spec.h"

void context_probe(struct facts *facts);

/* --- plan --- */

enum context_ns { /* bits */
		  CONTEXT_NS_USER = 1,
		  CONTEXT_NS_NET = 2,
		  CONTEXT_NS_TIME = 4,
		  /* pid, mount, ipc, uts and cgroup are always there */
};

struct context_plan; /* namespaces, ids, capabilities, filter, rlimits, argv ... resolved data */
[[nodiscard]] int context_plan_new(const struct spec *spec, const struct facts *facts,
				   bool own_network, struct context_plan **ret, struct err *e);
void context_plan_free(struct context_plan *p);
void context_print(const struct context_plan *p, struct buf *out);

/* --- what the daemon keeps --- */

struct context_host; /* ward-init as a sealed memfd, compiled seccomp filters by profile, ids */

/**
 * @init_path the ward-init binary; @profile_dir where seccomp profiles lie (configs/seccomp).
 * @ids_first/@ids_total the host ids that `ids = auto` hands out, 65536 a context.
 */
[[nodiscard]] int context_host_new(const char *init_path, const char *profile_dir,
				   uint32_t ids_first, uint32_t ids_total,
				   struct context_host **ret, struct err *e);
void context_host_free(struct context_host *h);
/** Makes sure that what is cloned now is born in the daemon's own pid namespace. */
[[nodiscard]] int context_host_home(struct context_host *h, struct err *e);
/** Marks a range as taken (a re-adopted context's) or gives it back. */
[[nodiscard]] int context_ids_claim(struct context_host *h, uint32_t first, uint32_t count);
void context_ids_release(struct context_host *h, uint32_t first, uint32_t count);

/* --- seats --- */

/** What makes seats interchangeable. ids_count 0: a range of 65536 is handed out. */
struct seat_kind {
	unsigned namespaces; /* enum context_ns */
	uint32_t ids_first, ids_count; /* non-zero only for `ids = FIRST:COUNT` */
};

struct seat {
	struct seat_kind kind;
	pid_t pid; /* as the daemon sees it: the context's process 1 */
	int pidfd;
	int sock; /* SOCK_SEQPACKET to the child; readable: seat_read() */
	int userns_fd; /* -1 without CONTEXT_NS_USER */
	uint32_t ids_first, ids_count;
	bool ids_owned; /* handed out by context_host: release when the context ends */
	struct arena arena;
	void *prepared; /* in the arena; NULL without seat_enter.prepare */
};

/**
 * Clones a seat. `enter` runs in the child and puts it into its slot (see sched_attach_self);
 * `clone_into` is a cgroup2 directory descriptor or -1. Returns at once; the child reports
 * SEAT_PARKED on seat->sock when it is in place. `loopback` is called in a new network namespace.
 * The child dies with the daemon (PR_SET_PDEATHSIG) until it is launched.
 */
struct seat_enter {
	int (*enter)(void *arg); /* runs in the child, its descriptors still open */
	void *arg;
	int clone_into;
	int (*loopback)(void);
	/* Runs last, as root of the new namespaces, to do ahead what every launch will need;
	 * `prepared` are bytes of the arena, later seat->prepared. */
	int (*prepare)(void *prepared, bool own_network);
	size_t prepared_bytes;
};
[[nodiscard]] int seat_new(struct context_host *h, const struct seat_kind *kind,
			   const struct seat_enter *enter, struct seat **ret, struct err *e);
/** Kills the child if it was not launched, closes all. The cgroup slot is the caller's. */
void seat_free(struct context_host *h, struct seat *s);
/** The kind a plan needs. */
struct seat_kind context_seat_kind(const struct context_plan *p);

enum seat_event {
	SEAT_WAIT, /* nothing yet */
	SEAT_PARKED, /* ready for an order */
	SEAT_TERMINAL, /* the pty's master has come: ret_fd */
	SEAT_STARTED, /* the command and process 1 have exec'ed: the context runs */
	SEAT_FAILED /* `e` says which step and why; not_found/not_executable by errno of "exec" */
};
/** Reads one report (non-blocking). @ret_fd only with SEAT_TERMINAL, owned by the caller. */
enum seat_event seat_read(struct seat *s, int *ret_fd, struct err *e);

/** Standard streams of the command. Descriptors are given away by context_steps(). */
struct context_stdio {
	int in, out, err; /* -1: /dev/null of the view */
	bool terminal; /* make a pty inside the context instead; its master is reported */
	unsigned short rows, cols;
};

/** What ward-init keeps open for a daemon to come; given away. */
struct context_kept {
	int status_fd; /* where it writes how the command ended: "exited N\n" or "killed N\n" */
	int notify_fd; /* the notify socket, with what is queued in it; -1: none */
	int network_fd; /* netctl_keep(): held, not used; -1: none */
};
/** Its number of notify_fd: for pidfd_getfd(2). */
#define CONTEXT_NOTIFY_FD 4
/** Has the ward-init behind `pidfd` close it. @return 0 or -errno. */
[[nodiscard]] int context_drop_notify(int pidfd);

/**
 * Appends hostname, ids, limits, keyring, privilege drop and exec: CHILD and COMMAND steps, to
 * come after those of fs/.
 */
[[nodiscard]] int context_steps(const struct context_plan *p, struct context_host *h,
				const struct seat *s, struct context_stdio *io,
				const struct context_kept *kept, struct step_list *steps,
				struct err *e);
/** After SEAT_FAILED: it was the exec of the command that failed (127 for -ENOENT, else 126). */
bool seat_exec_failed(const struct seat *s);
/** Sends the order: the child now runs the steps in the arena. Closes the list's descriptors. */
[[nodiscard]] int seat_launch(struct seat *s, struct step_list *steps, struct err *e);

/* --- exec into a running context --- */

/**
 * Streams that the new process itself takes from a client's socket: the next `bytes` bytes there
 * come with three descriptors. So those of somebody who is not root are never the daemon's.
 */
struct context_streams {
	int sock; /* borrowed */
	size_t bytes;
	uid_t uid; /* of the client */
};

struct context_exec {
	pid_t target; /* process 1 of the context, as the host sees it */
	int target_pidfd;
	struct strv command;
	struct strv environment; /* added to PATH, TERM, HOME ... */
	char *user, *directory;
	struct context_stdio io; /* borrowed for the call */
	const struct context_streams *streams; /* in place of io's descriptors, or NULL */
	const struct seat_enter *enter; /* into the context's cgroup slot */
	uint32_t ids_first; /* the host's id of its root, to give pipes in `io` to; or 0 */
};
/**
 * Starts a process inside the context with its namespaces, view, filter and capabilities.
 * The result is a seat without order: read its sock until SEAT_STARTED or SEAT_FAILED; pid and
 * pidfd are those of the command (a child of the daemon: waitid gives its status).
 */
[[nodiscard]] int context_exec(struct context_host *h, const struct context_plan *p,
			       const struct context_exec *x, struct seat **ret, struct err *e);
