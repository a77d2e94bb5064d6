/* The child that becomes a hook: a session of its own, the host's mounts, nothing of the daemon's.
 * It is a copy of the daemon until the exec, so it only makes system calls. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/proc.h"
#include "daemon/hooks.h"
#include "sched/sched.h"
#include "spec/spec.h"

#define PATH_ENV "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OPEN_FILES 1024 /* soft, as programs expect it; the daemon's own is as high as may be */

_Noreturn static void fail(const char *what, int r)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s: %s\n", what, strerror(-r));

	if (n > 0) {
		n = n < (int) sizeof(text) ? n : (int) sizeof(text) - 1;
		r = (int) write(STDERR_FILENO, text, (size_t) n);
	}
	_exit(r < 0 ? 126 : 127);
}

/* The usual soft limit, its own session, every signal as usual. */
static void settle(void)
{
	struct rlimit l;
	sigset_t none;

	proc_default_signals();
	(void) sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	(void) setsid();
	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur > OPEN_FILES) {
		l.rlim_cur = OPEN_FILES;
		(void) setrlimit(RLIMIT_NOFILE, &l);
	}
}

_Noreturn void hook_child_run(const struct hook_child *h)
{
	static const int standard[] = { 0, 1, 2 };
	char name[SPEC_NAME_MAX + 16], kind[64];
	char path[] = PATH_ENV;
	char *environment[] = { path, name, kind, NULL };
	int r = sched_attach_self(h->attach);

	if (r >= 0) {
		r = fault_point("hook-entered", NULL);
	}
	settle();
	if (dup2(h->out, STDOUT_FILENO) < 0 || dup2(h->out, STDERR_FILENO) < 0) {
		_exit(126);
	}
	if (r < 0) {
		fail("entering its control group", r);
	}
	r = sys(dup2(h->in, STDIN_FILENO));
	if (r >= 0 && h->mounts >= 0) {
		r = sys(setns(h->mounts, CLONE_NEWNS));
	}
	if (r >= 0) {
		r = sys(chdir("/"));
	}
	if (r >= 0) {
		r = fd_close_others(standard, ARRAY_SIZE(standard));
	}
	if (r < 0) {
		fail("preparing", r);
	}
	(void) snprintf(name, sizeof(name), "WARD_NAME=%s", h->name);
	(void) snprintf(kind, sizeof(kind), "WARD_HOOK=%s", h->kind);
	(void) execve(h->argv[0], h->argv, environment);
	fail(h->argv[0], -errno);
}
