/* Seats, the daemon's side: clone, id maps, orders, reports. The clone makes only the user and
 * the pid namespace, which must be made by a clone; the child makes the others itself, so that the
 * daemon's one thread does not wait for them. */
#include "context/seat.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "context/host.h"

int seat_alloc(struct seat_private **ret, int *ret_sock, struct err *e)
{
	struct seat_private *p = calloc(1, sizeof(*p));
	int socks[2];
	int r;

	if (!p) {
		return err_set(e, -ENOMEM, "making a seat: out of memory");
	}
	p->seat.pidfd = p->seat.sock = p->seat.userns_fd = -1;
	r = sys(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	if (r < 0) {
		free(p);
		return err_set_errno(e, r, "making a seat's socket");
	}
	p->seat.sock = socks[0];
	r = sys(fcntl(socks[0], F_SETFL, O_NONBLOCK));
	if (r == 0) {
		r = arena_init(&p->seat.arena, SEAT_ARENA_BYTES);
	}
	if (r == 0) {
		p->shared = arena_alloc(&p->seat.arena, sizeof(*p->shared));
		p->shared->child_sock = socks[1];
		p->shared->timens_fd = -1;
		*ret = p;
		*ret_sock = socks[1];
		return 0;
	}
	fd_close(socks[0]);
	fd_close(socks[1]);
	free(p);
	return err_set_errno(e, r, "making a seat's arena");
}

/** Maps [0, count) inside to [first, first + count) of the host. */
static int write_map(pid_t pid, const char *file, uint32_t first, uint32_t count, struct err *e)
{
	char path[64], text[64];
	int r;

	(void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, file);
	(void) snprintf(text, sizeof(text), "0 %u %u\n", first, count);
	r = file_write_at(AT_FDCWD, path, text);
	return r < 0 ? err_set_errno(e, r, "mapping ids %u:%u (%s)", first, count, path) : 0;
}

static int seat_map(struct seat *s, struct err *e)
{
	char path[64];
	int r;

	/* Setgroups stays allowed: the maps are written by the host's root. */
	r = write_map(s->pid, "uid_map", s->ids_first, s->ids_count, e);
	if (r == 0) {
		r = write_map(s->pid, "gid_map", s->ids_first, s->ids_count, e);
	}
	if (r < 0) {
		return r;
	}
	(void) snprintf(path, sizeof(path), "/proc/%d/ns/user", (int) s->pid);
	s->userns_fd = sys(open(path, O_RDONLY | O_CLOEXEC));
	if (s->userns_fd < 0) {
		r = s->userns_fd;
		return err_set_errno(e, r, "opening a seat's user namespace");
	}
	return 0;
}

static int seat_take_ids(struct context_host *h, struct seat *s, struct err *e)
{
	int any = 0;
	int r;

	if (!(s->kind.namespaces & CONTEXT_NS_USER)) {
		return 0;
	}
	if (s->kind.ids_count == 0) {
		r = ids_take(&h->ids, &s->ids_first);
		s->ids_count = IDS_BLOCK;
		s->ids_owned = r == 0;
		return r < 0 ? err_set(e, r, "process.ids auto: all %u ranges are in use",
				       h->ids.blocks)
			     : 0;
	}
	r = ids_claim(&h->ids, s->kind.ids_first, s->kind.ids_count, &any);
	if (r < 0) {
		return err_set_errno(e, r, "process.ids %u:%u", s->kind.ids_first,
				     s->kind.ids_count);
	}
	s->ids_first = s->kind.ids_first;
	s->ids_count = s->kind.ids_count;
	s->ids_owned = any;
	return 0;
}

static int seat_clone(struct context_host *h, struct seat_private *p,
		      const struct seat_enter *enter, int child_sock, struct err *e)
{
	unsigned ns = p->seat.kind.namespaces;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | CLONE_NEWPID,
		.pidfd = (uint64_t) (uintptr_t) &p->seat.pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

	if (ns & CONTEXT_NS_USER) {
		args.flags |= CLONE_NEWUSER;
	}
	if (enter->clone_into >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t) enter->clone_into;
	}
	pid = proc_clone3(&args);
	if (pid == 0) {
		struct seat_child c = {
			.shared = p->shared,
			.enter = enter,
			.namespaces = ns,
			.sock = child_sock,
			.init_fd = h->init_fd,
			.prepared = p->seat.prepared,
		};

		seat_child_run(&c);
	}
	if (pid < 0) {
		return err_set_errno(e, pid, "cloning a seat");
	}
	p->seat.pid = pid;
	return 0;
}

int seat_new(struct context_host *h, const struct seat_kind *kind, const struct seat_enter *enter,
	     struct seat **ret, struct err *e)
{
	_cleanup_close_ int child_sock = -1;
	struct seat_private *p = NULL;
	const char mapped = SEAT_MSG_MAPPED;
	int r = context_host_home(h, e);

	if (r < 0) {
		return r;
	}
	r = seat_alloc(&p, &child_sock, e);
	if (r < 0 || !p) {
		return r;
	}
	p->seat.kind = *kind;
	if (enter->prepare) {
		p->seat.prepared = arena_alloc(&p->seat.arena, enter->prepared_bytes);
	}
	r = seat_take_ids(h, &p->seat, e);
	if (r == 0) {
		r = seat_clone(h, p, enter, child_sock, e);
	}
	if (r == 0) {
		r = fault_point("seat-map", e);
	}
	if (r == 0 && (kind->namespaces & CONTEXT_NS_USER)) {
		r = seat_map(&p->seat, e);
	}
	if (r == 0) {
		r = fd_send(p->seat.sock, &mapped, sizeof(mapped), NULL, 0);
		if (r < 0) {
			(void) err_set_errno(e, r, "waking a seat");
		}
	}
	if (r < 0) {
		seat_free(h, &p->seat);
		return r;
	}
	*ret = &p->seat;
	return 0;
}

void seat_free(struct context_host *h, struct seat *s)
{
	struct seat_private *p = seat_of(s);

	if (!s) {
		return;
	}
	if (s->pid > 0 && !p->started) {
		siginfo_t info;

		/* By pid: the child is ours and not waited for, so it cannot be another one. */
		(void) kill(s->pid, SIGKILL);
		while (waitid(P_PID, (id_t) s->pid, &info, WEXITED) < 0 && errno == EINTR) {
		}
	}
	if (s->ids_owned && !p->started) {
		ids_release(&h->ids, s->ids_first, s->ids_count);
	}
	fd_close(s->pidfd);
	fd_close(s->sock);
	fd_close(s->userns_fd);
	arena_done(&s->arena);
	free(p);
}

/** The other end is gone: what does that mean? */
static enum seat_event seat_ended(struct seat_private *p, struct err *e)
{
	const struct seat_shared *shared = p->shared;

	if (shared->error.code == 0 && p->launched && shared->command_exec &&
	    (shared->init_exec || shared->one_exec)) {
		p->started = true;
		return SEAT_STARTED;
	}
	if (shared->error.code == 0) {
		(void) err_set(e, -ECHILD, "%s: its process was killed",
			       p->launched ? "starting" : "parking a seat");
		return SEAT_FAILED;
	}
	(void) err_set(e, shared->error.code, "%.*s", (int) sizeof(shared->error.text) - 1,
		       shared->error.text);
	return SEAT_FAILED;
}

enum seat_event seat_read(struct seat *s, int *ret_fd, struct err *e)
{
	struct seat_private *p = seat_of(s);
	char message = 0;
	int fd = -1;
	size_t n = 0;
	ssize_t got = fd_recv(s->sock, &message, sizeof(message), &fd, 1, &n);

	if (got == -EAGAIN) {
		return SEAT_WAIT;
	}
	if (got == 0 || got == -ECONNRESET) {
		return seat_ended(p, e);
	}
	if (got < 0) {
		(void) err_set_errno(e, (int) got, "reading a seat's report");
		return SEAT_FAILED;
	}
	if (message == SEAT_MSG_TERMINAL && n == 1) {
		*ret_fd = fd;
		return SEAT_TERMINAL;
	}
	fd_close(fd);
	if (message != SEAT_MSG_PARKED) {
		return SEAT_WAIT;
	}
	seat_ready(p->shared);
	return SEAT_PARKED;
}

bool seat_exec_failed(const struct seat *s)
{
	return seat_of(s)->shared->exec_failed;
}

int seat_launch(struct seat *s, struct step_list *steps, struct err *e)
{
	struct seat_private *p = seat_of(s);
	const char order = SEAT_MSG_ORDER;
	int fds[STEP_FDS_MAX];
	int r;

	if (!p->shared->launch || p->launched) {
		return err_set(e, -EINVAL,
			       "launching: the seat has no command, or has one already");
	}
	for (size_t i = 0; i < steps->fd_count; i++) {
		fds[i] = *steps->fd_slots[i];
	}
	p->shared->order = *steps;
	r = fd_send(s->sock, &order, sizeof(order), fds, steps->fd_count);
	if (r < 0) {
		return err_set_errno(e, r, "sending the order to a seat");
	}
	p->launched = true;
	/* From here on the slots are the child's: close by the copies. */
	for (size_t i = 0; i < steps->fd_count; i++) {
		fd_close(fds[i]);
	}
	steps->fd_count = 0;
	return 0;
}
