/* What process 1 sets in its own namespaces: the host name, and clocks that begin now. */
#include "context/namespaces.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

int namespaces_steps(const struct context_plan *p, struct seat_shared *shared,
		     struct step_list *steps)
{
	char *name = arena_strdup(steps->arena, p->hostname);
	int r;

	if (!name) {
		return -ENOMEM;
	}
	r = steps_add(steps, (struct step){ .name = "hostname",
					    .object = name,
					    .phase = STEP_CHILD,
					    .run = set_hostname,
					    .arg = name });
	if (r == 0 && (p->namespaces & CONTEXT_NS_TIME)) {
		r = steps_add(steps, (struct step){ .name = "time-namespace",
						    .phase = STEP_CHILD,
						    .run = make_time,
						    .arg = shared });
	}
	return r;
}
