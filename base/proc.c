/* Pids are reused; a pidfd is not, but it does not outlive the daemon. So identity is the pid
 * together with the start time, and a pidfd is proved against it after a restart. */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/units.h"

#define STAT_MAX 4096
#define STAT_START_FIELD 22

pid_t proc_clone3(struct clone_args *args)
{
	return (pid_t) sys(syscall(SYS_clone3, args, sizeof(*args)));
}

int proc_pidfd_open(pid_t pid)
{
	return (int) sys(syscall(SYS_pidfd_open, pid, 0));
}

int proc_pidfd_signal(int pidfd, int sig)
{
	return (int) sys(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}

int proc_pidfd_getfd(int pidfd, int fd)
{
	return (int) sys(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

int proc_identify(pid_t pid, struct proc_id *ret)
{
	char path[32];
	_cleanup_free_ char *text = NULL;

	(void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
	int r = file_read_at(AT_FDCWD, path, STAT_MAX, &text, NULL);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;

	/* Field 2 is the command in parentheses and may hold anything, so count from its end. */
	char *field = strrchr(text, ')');
	for (int i = 2; field && i < STAT_START_FIELD; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return -EBADMSG;
	field++;
	field[strcspn(field, " \n")] = '\0';

	uint64_t start;
	r = units_parse_u64(field, 0, UINT64_MAX, &start);
	if (r < 0)
		return -EBADMSG;
	*ret = (struct proc_id){ .pid = pid, .start = start };
	return 0;
}

int proc_reopen(const struct proc_id *id)
{
	_cleanup_close_ int fd = proc_pidfd_open(id->pid);
	if (fd < 0)
		return fd == -EINVAL ? -ESRCH : fd;

	/* In this order: whoever has the old start time now, had the pid when it was opened. */
	struct proc_id now;
	int r = proc_identify(id->pid, &now);
	if (r < 0)
		return r;
	return now.start == id->start ? TAKE_FD(fd) : -ESRCH;
}

void proc_default_signals(void)
{
	/* The kernel's own struct, which begins with the handler, in a form that all machines have
	 * room for. By the call itself: libc leaves out two signals that it calls its own, and
	 * whoever started us may have ignored them. */
	static const unsigned long usual[8];

	for (long sig = 1; sig < NSIG; sig++) /* KILL and STOP are refused */
		(void) syscall(SYS_rt_sigaction, sig, usual, NULL, (size_t) (NSIG - 1) / 8);
}

int proc_default_priority(void)
{
	char text[16] = "";
	_cleanup_close_ int fd = sys(open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC));
	int r = fd;

	if (r >= 0 && read(fd, text, sizeof(text) - 1) > 0 && text[0] == '-')
		r = sys((int) write(fd, "0", 1));
	if (r >= 0 && getpriority(PRIO_PROCESS, 0) < 0)
		r = sys(setpriority(PRIO_PROCESS, 0, 0));
	return r < 0 ? r : 0;
}
