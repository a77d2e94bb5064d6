/* signalfd(2). A signal ignored from the outside (nohup, `&` without job control) stays ignored:
 * blocked it would be queued and told all the same, so it is left out. */
#include "ctl/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/err.h"

int signals_open(const int *list, size_t count)
{
	struct sigaction old;
	sigset_t set;
	int r;

	sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		if (sigaction(list[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&set, list[i]);
	r = sys(sigprocmask(SIG_BLOCK, &set, NULL));
	return r < 0 ? r : sys(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int signals_next(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == (ssize_t) sizeof(info) ? (int) info.ssi_signo : 0;
}
