/* A further command in a running context.
 *
 * The daemon turns its children's pid namespace to the context's for the length of one clone, so
 * the command is born there and is the daemon's own child: one process, and waitid(2) gives its
 * status. Born inside, it is visible inside; what keeps the context's root from it until it
 * executes is that it belongs to the host's user namespace and is not dumpable (park.c).
 * It closes what the daemon had open before it joins anything (CVE-2024-21626), and the program
 * it executes is looked up when it already is inside; the daemon's own binary belongs to an id
 * that the context does not have, so it cannot be written through /proc/PID/exe (CVE-2019-5736). */
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/proc.h"
#include "context/host.h"
#include "context/launch.h"

#define STREAMS_LINE_MAX 256

struct exec_child {
	struct seat_shared *shared;
	struct command *command;
	const struct context_exec *request;
	unsigned namespaces;
	int sock;
};

/** Leaves the socket, the target and the command's streams open. */
static int keep_descriptors(const struct exec_child *c)
{
	int keep[7] = { c->sock, c->request->target_pidfd };
	size_t n = 2;

	if (c->request->streams) {
		keep[n++] = c->request->streams->sock;
	}

	for (int i = 0; i < 3; i++) {
		if (c->command->streams[i] >= 0) {
			keep[n++] = c->command->streams[i];
		}
	}
	return seat_child_keep(keep, n);
}

/** They were seen to be there: this does not wait. An anonymous pipe becomes the context root's. */
static int take_streams(const struct exec_child *c)
{
	const struct context_streams *s = c->request->streams;
	int fds[3] = { -1, -1, -1 };
	char line[STREAMS_LINE_MAX];
	size_t n = 0;
	ssize_t got =
		s->bytes > sizeof(line) ? -EMSGSIZE : fd_recv(s->sock, line, s->bytes, fds, 3, &n);

	if (got < 0) {
		return (int) got;
	}
	if (n != 3 || (size_t) got != s->bytes) {
		return -EPROTO;
	}
	for (int i = 0; i < 3; i++) {
		c->command->streams[i] = fds[i];
		command_own_pipe(fds[i], s->uid, c->request->ids_first, c->request->ids_first);
	}
	fd_close(s->sock);
	return 0;
}

static int join(const struct exec_child *c)
{
	int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	int r;

	flags |= c->namespaces & CONTEXT_NS_USER ? CLONE_NEWUSER : 0;
	flags |= c->namespaces & CONTEXT_NS_NET ? CLONE_NEWNET : 0;
	flags |= c->namespaces & CONTEXT_NS_TIME ? CLONE_NEWTIME : 0;
	r = sys(setns(c->request->target_pidfd, flags));
	if (r == 0 && (c->namespaces & CONTEXT_NS_USER)) {
		r = seat_child_root();
	}
	return r;
}

static int exec_child_prepare(const struct exec_child *c)
{
	const struct seat_enter *enter = c->request->enter;
	struct err *e = &c->shared->error;
	int r = seat_child_guard();

	if (r < 0) {
		return err_set_errno(e, r, "guarding a new process");
	}
	proc_default_signals();
	r = proc_default_priority();
	if (r < 0) {
		return err_set_errno(e, r, "giving a new process the usual priority");
	}
	if (enter->enter) {
		r = enter->enter(enter->arg);
		if (r < 0) {
			return err_set_errno(e, r, "entering the control group");
		}
	}
	r = keep_descriptors(c);
	if (r < 0) {
		return err_set_errno(e, r, "closing the daemon's descriptors");
	}
	if (c->request->streams) {
		r = take_streams(c);
		if (r < 0) {
			return err_set_errno(e, r, "taking the three streams with their line");
		}
	}
	r = join(c);
	if (r < 0) {
		return err_set_errno(e, r, "joining the context's namespaces");
	}
	(void) prctl(PR_SET_PDEATHSIG, 0);
	return 0;
}

static int exec_clone(struct context_host *h, struct seat_private *p, const struct context_exec *x,
		      struct exec_child *c, struct err *e)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t) (uintptr_t) &p->seat.pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;
	int r = sys(setns(x->target_pidfd, CLONE_NEWPID));

	if (r < 0) {
		return err_set_errno(e, r, "joining the pid namespace of process %d",
				     (int) x->target);
	}
	h->pid_ns_away = true;
	if (x->enter->clone_into >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t) x->enter->clone_into;
	}
	pid = proc_clone3(&args);
	if (pid == 0) {
		if (exec_child_prepare(c) < 0) {
			seat_child_fail(c->shared);
		}
		command_run(c->command);
	}
	r = context_host_home(h, e);
	if (pid < 0) {
		return err_set_errno(e, pid, "cloning into the context");
	}
	p->seat.pid = pid;
	return r;
}

/** Puts the command and its steps into the new seat's arena. The streams stay the caller's. */
static int exec_prepare(struct context_host *h, const struct context_plan *p,
			const struct context_exec *x, struct seat_private *seat,
			struct command **ret, struct err *e)
{
	const struct command_request q = {
		.argv = &x->command,
		.extra = &x->environment,
		.user = x->user ? x->user : p->user,
		.directory = x->directory ? x->directory : p->directory,
		.io = &x->io,
	};
	const int streams[3] = { x->io.in, x->io.out, x->io.err };
	struct step_list steps = { 0 };
	struct command *c = arena_alloc(&seat->seat.arena, sizeof(*c));
	int r = steps_init(&steps, &seat->seat.arena);

	if (r < 0 || !c) {
		return err_set(e, -ENOMEM, "preparing a command: the arena is full");
	}
	for (int i = 0; i < 3; i++) {
		c->streams[i] = x->io.terminal ? -1 : streams[i];
		if (c->streams[i] >= 0) {
			command_own_pipe(c->streams[i], 0, x->ids_first, x->ids_first);
		}
	}
	r = command_prepare(c, p, h, seat->shared, &q, &steps, e);
	seat->shared->order = steps;
	seat->shared->one_exec = true;
	seat->launched = true;
	*ret = c;
	return r;
}

int context_exec(struct context_host *h, const struct context_plan *p, const struct context_exec *x,
		 struct seat **ret, struct err *e)
{
	_cleanup_close_ int child_sock = -1;
	struct seat_private *seat = NULL;
	struct exec_child c = { .request = x, .namespaces = p->namespaces };
	int r = context_host_home(h, e);

	if (r == 0) {
		r = seat_alloc(&seat, &child_sock, e);
	}
	if (r < 0 || !seat) {
		return r;
	}
	r = exec_prepare(h, p, x, seat, &c.command, e);
	if (r == 0) {
		c.shared = seat->shared;
		c.sock = child_sock;
		r = exec_clone(h, seat, x, &c, e);
	}
	if (r < 0) {
		seat_free(h, &seat->seat);
		return r;
	}
	*ret = &seat->seat;
	return 0;
}
