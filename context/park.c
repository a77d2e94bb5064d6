/* Seats, the child's side, up to the order: enter the slot, drop what the daemon had open, make
 * the namespaces, become the root of the new ids, wait.
 *
 * Until it executes something the process is an image of the daemon. It is kept from others by
 * not being dumpable: its memory belongs to the host's user namespace, so nobody inside, whatever
 * their capabilities there, may trace it or look through its /proc entries. */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/proc.h"
#include "context/seat.h"

_Noreturn void seat_child_fail(struct seat_shared *shared)
{
	if (shared->error.code == 0) {
		(void) err_set(&shared->error, -EIO, "a child gave up without a reason");
	}
	_exit(127);
}

void seat_ready(struct seat_shared *shared)
{
	/* Before 5.14 the pages come one by one, when they are touched. */
	(void) madvise(shared, SEAT_READY_BYTES, MADV_POPULATE_WRITE);
}

int seat_child_guard(void)
{
	int r = sys(prctl(PR_SET_DUMPABLE, 0));

	return r < 0 ? r : sys(prctl(PR_SET_PDEATHSIG, SIGKILL));
}

static void sort(int *fds, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = i; j > 0 && fds[j - 1] > fds[j]; j--) {
			int swap = fds[j];

			fds[j] = fds[j - 1];
			fds[j - 1] = swap;
		}
	}
}

int seat_child_keep(int *keep, size_t n)
{
	int null = sys(open("/dev/null", O_RDWR | O_CLOEXEC));
	int r;

	if (null < 0) {
		return null;
	}
	keep[n++] = null;
	sort(keep, n);
	if (keep[0] < 3) {
		return -EBADF; /* the daemon must keep 0, 1 and 2 open */
	}
	r = fd_close_others(keep, n);
	for (int fd = 0; r >= 0 && fd < 3; fd++) {
		r = sys(dup3(null, fd, O_CLOEXEC));
	}
	fd_close(null);
	return r < 0 ? r : 0;
}

/** Leaves the socket, ward-init and the time offsets open. */
static int drop_descriptors(const struct seat_child *c)
{
	int keep[4] = { c->sock, c->init_fd };
	size_t n = 2;

	if (c->shared->timens_fd >= 0) {
		keep[n++] = c->shared->timens_fd;
	}
	return seat_child_keep(keep, n);
}

static int make_namespaces(const struct seat_child *c)
{
	int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	int r;

	if (c->namespaces & CONTEXT_NS_NET) {
		flags |= CLONE_NEWNET;
	}
	r = sys(unshare(flags));
	if (r < 0) {
		return r;
	}
	r = sys(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (r == 0 && (c->namespaces & CONTEXT_NS_NET) && c->enter->loopback) {
		r = c->enter->loopback();
	}
	return r;
}

/** Waits for one message. @return 0, or -EPIPE when the daemon is gone. */
static int wait_for(const struct seat_child *c, enum seat_message want, int *fds, size_t max,
		    size_t *ret_n)
{
	char message = 0;
	ssize_t got = fd_recv(c->sock, &message, sizeof(message), fds, max, ret_n);

	if (got < 0) {
		return (int) got;
	}
	return got == 1 && message == (char) want ? 0 : -EPIPE;
}

int seat_child_root(void)
{
	int r = sys(setgroups(0, NULL));

	if (r == 0) {
		r = sys(setresgid(0, 0, 0));
	}
	if (r == 0) {
		r = sys(setresuid(0, 0, 0));
	}
	/* A change of ids forgets both. */
	return r < 0 ? r : seat_child_guard();
}

static int park(struct seat_child *c)
{
	struct err *e = &c->shared->error;
	size_t none = 0;
	int r = seat_child_guard();

	if (r < 0) {
		return err_set_errno(e, r, "guarding a seat");
	}
	proc_default_signals();
	r = proc_default_priority();
	if (r < 0) {
		return err_set_errno(e, r, "giving a seat the usual priority");
	}
	if (c->namespaces & CONTEXT_NS_TIME) {
		/* Now, as the file will belong to somebody else once we are not dumpable and not
		 * the host's root. */
		c->shared->timens_fd = sys(open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
		if (c->shared->timens_fd < 0) {
			return err_set_errno(e, c->shared->timens_fd, "opening timens_offsets");
		}
	}
	if (c->enter->enter) {
		r = c->enter->enter(c->enter->arg);
		if (r < 0) {
			return err_set_errno(e, r, "entering the control group");
		}
	}
	r = fault_point("seat-entered", e);
	if (r < 0) {
		return r;
	}
	r = drop_descriptors(c);
	if (r < 0) {
		return err_set_errno(e, r, "closing the daemon's descriptors");
	}
	(void) setsid();
	r = make_namespaces(c);
	if (r < 0) {
		return err_set_errno(e, r, "making namespaces");
	}
	seat_ready(c->shared);
	c->stack = mmap(NULL, SEAT_STACK_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (c->stack == MAP_FAILED) {
		return err_set_errno(e, -errno, "making a stack");
	}
	r = wait_for(c, SEAT_MSG_MAPPED, NULL, 0, &none);
	if (r < 0) {
		return err_set_errno(e, r, "waiting for the ids");
	}
	if (c->namespaces & CONTEXT_NS_USER) {
		r = seat_child_root();
		if (r < 0) {
			return err_set_errno(e, r, "becoming root of the new ids");
		}
	}
	if (c->enter->prepare) {
		r = c->enter->prepare(c->prepared, c->namespaces & CONTEXT_NS_NET);
	}
	return r < 0 ? err_set_errno(e, r, "preparing for a view") : 0;
}

static int take_order(struct seat_child *c)
{
	int fds[STEP_FDS_MAX];
	size_t n = 0;
	int r = wait_for(c, SEAT_MSG_ORDER, fds, ARRAY_SIZE(fds), &n);

	if (r < 0) {
		return err_set_errno(&c->shared->error, r, "waiting for an order");
	}
	if (n != c->shared->order.fd_count) {
		return err_set(&c->shared->error, -EBADMSG, "%zu of %zu descriptors came", n,
			       c->shared->order.fd_count);
	}
	for (size_t i = 0; i < n; i++) {
		*c->shared->order.fd_slots[i] = fds[i];
	}
	return 0;
}

_Noreturn void seat_child_run(struct seat_child *c)
{
	const char parked = SEAT_MSG_PARKED;
	int r = park(c);

	if (r == 0) {
		r = fd_send(c->sock, &parked, sizeof(parked), NULL, 0);
	}
	if (r == 0) {
		r = take_order(c);
	}
	if (r < 0) {
		seat_child_fail(c->shared);
	}
	launch_run(c);
}
