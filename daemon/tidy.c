/* Tables of rules and bridges cost time to make and more to remove, so those that nobody needs any
 * more stay for some seconds: who starts again at once finds them. What the kernel takes its time
 * for is then removed by a child, so that nobody waits for it. */
#include "daemon/tidy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "daemon/core.h"
#include "netctl/netctl.h"

#define REST_US 3000000
#define SLACK_US 500000

struct tidy {
	sd_event_source *timer, *ended;
	pid_t child; /* 0: none */
	int pidfd; /* of it */
};

static int on_ended(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;
	struct tidy *t = m->tidy;

	(void) source;
	(void) fd;
	(void) revents;
	t->ended = sd_event_source_disable_unref(t->ended);
	t->pidfd = fd_close(t->pidfd);
	(void) waitpid(t->child, NULL, 0);
	t->child = 0;
	netctl_tidying(m->net, 0);
	tidy_soon(m);
	return 0;
}

_Noreturn static void work(const struct manager *m)
{
	(void) prctl(PR_SET_NAME, "wardd-tidy");
	(void) fd_close_others(NULL, 0);
	netctl_tidy_slowly(m->net);
	_exit(0);
}

/* @return 0, or -errno: then there is no child. */
static int begin(struct manager *m)
{
	struct tidy *t = m->tidy;
	pid_t pid = sys(fork());
	int r;

	if (pid == 0) {
		work(m);
	}
	if (pid < 0) {
		return (int) pid;
	}
	t->pidfd = proc_pidfd_open(pid);
	r = t->pidfd < 0 ? t->pidfd
			 : sd_event_add_io(m->loop, &t->ended, t->pidfd, EPOLLIN, on_ended, m);
	if (r < 0) {
		(void) waitpid(pid, NULL, 0); /* nobody would tell of its end */
		t->pidfd = fd_close(t->pidfd);
		return 0;
	}
	t->child = pid;
	netctl_tidying(m->net, pid);
	return 0;
}

static int on_time(sd_event_source *source, uint64_t now, void *userdata)
{
	struct manager *m = userdata;

	(void) source;
	(void) now;
	if (m->tidy->child == 0 && netctl_untidy(m->net) && netctl_tidy(m->net) && begin(m) < 0) {
		netctl_tidy_slowly(m->net);
	}
	return 0;
}

void tidy_soon(struct manager *m)
{
	struct tidy *t = m->tidy;
	int r, enabled = SD_EVENT_OFF;

	if (!netctl_untidy(m->net)) {
		return;
	}
	if (!t) {
		t = m->tidy = calloc(1, sizeof(*t));
		if (!t) {
			return; /* the daemon's end does it, or another daemon */
		}
		t->pidfd = -1;
	}
	if (t->timer) {
		(void) sd_event_source_get_enabled(t->timer, &enabled);
	}
	if (enabled != SD_EVENT_OFF) {
		return; /* it is on its way, and who comes and goes does not put it off */
	}
	if (!t->timer) {
		r = sd_event_add_time_relative(m->loop, &t->timer, CLOCK_MONOTONIC, REST_US,
					       SLACK_US, on_time, m);
	} else {
		(void) sd_event_source_set_time_relative(t->timer, REST_US);
		r = sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
	}
	if (r < 0) {
		log_warning("arming a timer: %s", strerror(-r));
	}
}

void tidy_done(struct manager *m)
{
	struct tidy *t = m->tidy;

	if (!t) {
		return;
	}
	sd_event_source_disable_unref(t->timer);
	sd_event_source_disable_unref(t->ended);
	fd_close(t->pidfd);
	if (t->child) {
		(void) waitpid(t->child, NULL, 0);
	}
	netctl_tidying(m->net, 0);
	free(t);
	m->tidy = NULL;
}
