/* What process 1 sets in its own namespaces: mounts that stay as they are, the host name, and
 * clocks that begin now. */
#include "context/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "context/seat.h"

static int set_hostname(void *arg, struct err *e)
{
	const char *name = arg;
	int r = sys(sethostname(name, strlen(name)));

	return r < 0 ? err_set_errno(e, r, "setting the host name %s", name) : 0;
}

/**
 * Makes a time namespace whose clocks say 0 now. This process stays outside: the command enters
 * by being made (or, before that was so, when it executes).
 */
static int make_time(void *arg, struct err *e)
{
	const struct seat_shared *shared = arg;
	struct timespec monotonic, boot;
	char text[128];
	int r;

	if (clock_gettime(CLOCK_MONOTONIC, &monotonic) < 0 ||
	    clock_gettime(CLOCK_BOOTTIME, &boot) < 0) {
		return err_set_errno(e, -errno, "reading the clocks");
	}
	r = sys(unshare(CLONE_NEWTIME));
	if (r < 0) {
		return err_set_errno(e, r, "making a time namespace");
	}
	/* Whole seconds: an offset may not make a clock negative. */
	(void) snprintf(text, sizeof(text), "monotonic -%lld 0\nboottime -%lld 0\n",
			(long long) monotonic.tv_sec, (long long) boot.tv_sec);
	r = write_all(shared->timens_fd, text, strlen(text));
	return r < 0 ? err_set_errno(e, r, "setting the time namespace's offsets") : 0;
}

/**
 * Before 6.3 an exec does not enter a time namespace: process 1 would stay outside, and with it
 * whoever joins its namespaces later.
 */
static int enter_time(void *arg, struct err *e)
{
	_cleanup_close_ int fd = sys(open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC));
	int r = fd < 0 ? fd : sys(setns(fd, CLONE_NEWTIME));

	(void) arg;
	return r < 0 ? err_set_errno(e, r, "entering the time namespace") : 0;
}

/** Runs in a user namespace below the context's, with a copy of its mounts. */
static int open_copy(void *arg)
{
	int *ret_fd = arg;

	*ret_fd = sys(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	return 0;
}

/**
 * Who holds sys-admin over a mount namespace may undo what its own user namespace mounted: masks,
 * read-only binds, hides. A copy made for another user namespace has every mount and its flags
 * locked for good (mount_namespaces(7), "Restrictions on mount namespaces"). So a passing child
 * makes such a copy, and process 1 moves into it, keeping its own user namespace.
 */
static int lock_mounts(void *arg, struct err *e)
{
	int fd = -EIO; /* shared with the child: it borrows this memory and the descriptors */
	char *stack = mmap(NULL, SEAT_STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD;
	pid_t pid;
	int r;

	(void) arg;
	if (stack == MAP_FAILED) {
		return err_set_errno(e, -errno, "making a stack");
	}
	pid = sys(clone(open_copy, stack + SEAT_STACK_BYTES, flags, &fd));
	(void) munmap(stack, SEAT_STACK_BYTES);
	if (pid < 0) {
		return err_set_errno(e, pid, "copying the mounts");
	}
	(void) waitpid(pid, NULL, 0);
	if (fd < 0) {
		return err_set_errno(e, fd, "opening the copy of the mounts");
	}
	r = sys(setns(fd, CLONE_NEWNS));
	fd_close(fd);
	return r < 0 ? err_set_errno(e, r, "entering the copy of the mounts") : 0;
}

static int add_lock(const struct context_plan *p, struct step_list *steps)
{
	if (!(p->namespaces & CONTEXT_NS_USER) || !(p->bounding & UINT64_C(1) << CAP_SYS_ADMIN)) {
		return 0; /* nobody inside could undo anything, or nothing would hold them */
	}
	return steps_add(steps, (struct step){ .name = "lock-mounts",
					       .phase = STEP_CHILD,
					       .run = lock_mounts });
}

int namespaces_steps(const struct context_plan *p, struct seat_shared *shared,
		     struct step_list *steps)
{
	char *name = arena_strdup(steps->arena, p->hostname);
	int r;

	if (!name) {
		return -ENOMEM;
	}
	r = add_lock(p, steps);
	if (r == 0) {
		r = steps_add(steps, (struct step){ .name = "hostname",
						    .object = name,
						    .phase = STEP_CHILD,
						    .run = set_hostname,
						    .arg = name });
	}
	if (r == 0 && (p->namespaces & CONTEXT_NS_TIME)) {
		r = steps_add(steps, (struct step){ .name = "time-namespace",
						    .phase = STEP_CHILD,
						    .run = make_time,
						    .arg = shared });
	}
	if (r == 0 && p->enter_time) {
		r = steps_add(steps, (struct step){ .name = "enter-time",
						    .phase = STEP_CHILD,
						    .run = enter_time });
	}
	return r;
}
