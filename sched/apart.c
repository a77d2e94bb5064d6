/* A write to a control file of the memory controller reclaims, and reclaim may wait for writing to
 * a slow disk, uninterruptibly. So another process does it, a grandchild that nobody has to reap.
 * It is ended by its own timer: the kernel's loops look for signals between two rounds. */
#include "sched/apart.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define GRACE_MS 100 /* for a process that is about to answer */

struct answer {
	int result;
	struct err e;
};
static_assert(sizeof(struct answer) <= 4096); /* PIPE_BUF: comes whole or not at all */

_Noreturn static void act_apart(int (*act)(void *arg, struct err *e), void *arg, int keep, int out,
				unsigned ms)
{
	struct itimerval timer = { .it_value = { ms / 1000, (long) (ms % 1000) * 1000 } };
	int fds[] = { keep < out ? keep : out, keep < out ? out : keep };
	struct sigaction plain = { .sa_handler = SIG_DFL };
	struct answer a = { .result = 0 };
	sigset_t none;

	(void) sigemptyset(&none);
	(void) sigaction(SIGALRM, &plain, NULL);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	(void) setitimer(ITIMER_REAL, &timer, NULL);
	if (fd_close_others(fds, 2) < 0)
		_exit(1);
	a.result = act(arg, &a.e);
	(void) !write(out, &a, sizeof(a));
	_exit(0);
}

static int wait_for_answer(int in, unsigned ms, struct err *e)
{
	struct pollfd p = { .fd = in, .events = POLLIN };
	struct answer a;

	if (poll(&p, 1, (int) ms + GRACE_MS) <= 0 || read(in, &a, sizeof(a)) != sizeof(a))
		return -ETIMEDOUT; /* it was ended by its timer, or will be */
	if (a.result < 0 && e)
		*e = a.e;
	return a.result;
}

int apart_run(int (*act)(void *arg, struct err *e), void *arg, int keep, unsigned ms, struct err *e)
{
	_cleanup_close_ int in = -1, out = -1;
	int pair[2], r = sys(pipe2(pair, O_CLOEXEC));
	pid_t pid;

	if (r < 0)
		return err_set_errno(e, r, "making a pipe");
	in = pair[0];
	out = pair[1];
	pid = sys(fork());
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			act_apart(act, arg, keep, out, ms);
		_exit(pid < 0);
	}
	if (pid < 0)
		return err_set_errno(e, pid, "making a process");
	out = fd_close(out);
	(void) waitpid(pid, NULL, 0);
	return wait_for_answer(in, ms, e);
}
