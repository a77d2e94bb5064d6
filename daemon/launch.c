/* The start of a context: spec -> plans -> steps -> order -> running.
 *
 * This is the one place where the rooms of floor 2 meet. The order of the lists matters: budgets
 * first, then the view, then what the process gives up, then its exec. The journal is written
 * between planning and the first step, so a new daemon knows of anything that may be half-made. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "daemon/launch.h"

struct launch {
	struct context *context;
	struct launch_plans plans;
	struct context_stdio io;
	bool log; /* its output goes to its log: io is opened when the journal knows of it */
	struct parked *seat; /* NULL until one is there */
	struct step_list steps;
	bool ordered;
	struct err failure; /* told when the seat's process is dead */
	sd_event_source *death;
};

int launch_plan(const struct spec *spec, const struct facts *facts, struct launch_plans *ret,
		struct err *e)
{
	struct launch_plans p = {};
	int r = netctl_plan(spec, facts, &p.network, e);

	if (r >= 0) {
		r = sched_plan(spec, facts, &p.sched, e);
	}
	if (r >= 0) {
		r = fs_plan_new(spec, facts, &p.fs, e);
	}
	if (r >= 0) {
		r = context_plan_new(spec, facts, p.network.own_namespace, &p.context, e);
	}
	if (r < 0) {
		launch_plans_done(&p);
		return r;
	}
	*ret = p;
	return 0;
}

void launch_plans_done(struct launch_plans *p)
{
	fs_plan_free(p->fs);
	context_plan_free(p->context);
	p->fs = NULL;
	p->context = NULL;
}

int launch_print(struct manager *m, const struct spec *spec, struct buf *out, struct err *e)
{
	struct launch_plans p;
	int r = launch_plan(spec, &m->facts, &p, e);

	if (r < 0) {
		return r;
	}
	buf_puts(out, "# budgets\n");
	sched_print(&p.sched, out);
	buf_puts(out, "# network\n");
	netctl_print(&p.network, out);
	buf_puts(out, "# view\n");
	fs_print(p.fs, out);
	buf_puts(out, "# process\n");
	context_print(p.context, out);
	launch_plans_done(&p);
	return out->error;
}

static void stdio_close(struct context_stdio *io)
{
	io->in = fd_close(io->in);
	io->out = fd_close(io->out);
	io->err = fd_close(io->err);
}

/* Takes apart what is left of a launch: the seat, unless the context has taken it over. */
void launch_free(struct launch *l)
{
	if (!l) {
		return;
	}
	if (l->ordered) {
		steps_undo(&l->steps);
	}
	sd_event_source_disable_unref(l->death);
	if (l->seat) {
		steps_done(&l->steps);
		parked_free(l->seat);
	}
	launch_plans_done(&l->plans);
	stdio_close(&l->io);
	free(l);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static int compose(struct launch *l, struct err *e)
{
	struct context *c = l->context;
	struct manager *m = c->manager;
	const struct seat *s = l->seat->seat;
	struct fs_launch at = { .seat = s->prepared,
				.userns_fd = s->userns_fd,
				.ids_first = s->ids_first,
				.ids_count = s->ids_count };
	int r = steps_init(&l->steps, &l->seat->seat->arena), status;

	if (r < 0) {
		return err_set_errno(e, r, "%s: preparing the steps", c->name);
	}
	r = sched_steps(&l->plans.sched, m->sched, c->slot, &l->steps, e);
	if (r >= 0) {
		r = fs_steps(l->plans.fs, m->fs, &at, &l->steps, e);
	}
	if (r < 0) {
		return r;
	}
	status = journal_status_open(c);
	if (status < 0) {
		return err_set_errno(e, status, "%s: making its status file", c->name);
	}
	return context_steps(l->plans.context, m->host, s, &l->io, status, &l->steps, e);
}

/* The log of a context without a client. */
static int open_log(struct context *c, struct context_stdio *ret, struct err *e)
{
	char file[SPEC_NAME_MAX + 8];
	int out, err;

	(void) snprintf(file, sizeof(file), "%s.log", c->name);
	out = sys(openat(c->manager->log_dirfd, file,
			 O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600));
	if (out < 0) {
		return err_set_errno(e, out, "opening %s/logs/%s", c->manager->state_dir, file);
	}
	err = sys(fcntl(out, F_DUPFD_CLOEXEC, 3));
	if (err < 0) {
		fd_close(out);
		return err_set_errno(e, err, "opening its log");
	}
	*ret = (struct context_stdio){ .in = -1, .out = out, .err = err };
	(void) fault_point("log-opened", NULL);
	return 0;
}

/* The seat is ready: everything that remains to be done before the child goes. */
static int order(struct launch *l, struct err *e)
{
	struct context *c = l->context;
	int r;

	c->slot = l->seat->slot;
	c->id = l->seat->id;
	c->ids_first = l->seat->seat->ids_first;
	c->ids_count = l->seat->seat->ids_count;
	c->ids_owned = l->seat->seat->ids_owned;
	c->started_us = now_us();
	r = journal_begin(c, e);
	if (r >= 0 && l->log) {
		r = open_log(c, &l->io, e);
	}
	if (r >= 0) {
		r = fs_host_refresh(c->manager->fs, e);
	}
	if (r >= 0) {
		r = compose(l, e);
	}
	if (r >= 0) {
		l->ordered = true;
		r = steps_run_parent(&l->steps, e);
	}
	if (r >= 0) {
		r = seat_launch(l->seat->seat, &l->steps, e);
	}
	if (r >= 0) {
		r = fault_point("launch-ordered", e);
	}
	return r;
}

static int prepare(struct launch *l, struct launch_request *request, struct err *e)
{
	struct context *c = l->context;
	struct seat_kind kind;
	int r;

	c->active = spec_dup(request->spec);
	if (!c->active) {
		return err_set(e, -ENOMEM, "starting %s: out of memory", c->name);
	}
	(void) snprintf(c->active->name, sizeof(c->active->name), "%s", c->name);
	r = launch_plan(c->active, &c->manager->facts, &l->plans, e);
	if (r < 0) {
		return r;
	}
	kind = context_seat_kind(l->plans.context);
	r = seats_take(c->manager, &kind, c, &l->seat, e);
	if (r >= 0 && l->seat) {
		r = order(l, e);
	}
	return r;
}

int launch_begin(struct context *c, struct launch_request *request, struct err *e)
{
	struct launch *l = NULL;
	int r = context_permit(c, LIFE_START, e);

	if (r >= 0) {
		l = calloc(1, sizeof(*l));
		r = l ? 0 : err_set(e, -ENOMEM, "starting %s: out of memory", c->name);
	}
	if (r < 0) {
		stdio_close(&request->io);
		return r;
	}
	l->context = c;
	l->io = request->io;
	l->log = request->log;
	c->launch = l;
	c->throwaway = request->throwaway;
	c->exec_failed = c->out_of_memory = c->status_written = false;
	context_enter(c, LIFE_START);
	r = prepare(l, request, e);
	if (r < 0) {
		(void) err_prefix(e, "starting %s", c->name);
		launch_free(TAKE_PTR(c->launch));
		journal_end(c);
		spec_freep(&c->active);
		context_enter(c, LIFE_EXITED);
	}
	return r;
}

void launch_parked(struct context *c, struct parked *p, const struct err *error)
{
	struct err e = {};

	if (!c->launch) {
		return;
	}
	if (!p) {
		ending_finish(c, error);
		return;
	}
	c->launch->seat = p;
	if (c->state != LIFE_STARTING) {
		(void) err_set(&e, -EINTR, "it was stopped meanwhile");
	} else if (order(c->launch, &e) >= 0) {
		return;
	}
	(void) err_prefix(&e, "starting %s", c->name);
	ending_finish(c, &e);
}

/* The command runs: the context takes over what it needs of the seat; the rest goes. */
static void started(struct context *c)
{
	struct launch *l = c->launch;
	struct parked *p = TAKE_PTR(l->seat);
	int r;

	c->pidfd = TAKE_FD(p->seat->pidfd);
	l->ordered = false; /* nothing is undone any more */
	steps_done(&l->steps);
	LIST_REMOVE(p, link);
	sd_event_source_disable_unref(p->source);
	seat_free(c->manager->host, p->seat);
	free(p);
	launch_free(TAKE_PTR(c->launch));
	(void) fault_point("launch-started", NULL);
	journal_note(c, "started"); /* before anyone is told: a new daemon keeps what it finds so */
	context_enter(c, LIFE_STARTED);
	r = ending_watch(c);
	if (r < 0) { /* cannot be supervised: better not at all */
		log_error("%s: watching process 1: %s", c->name, strerror(-r));
		(void) sched_slot_kill(c->manager->sched, c->slot);
	}
	ending_watch_memory(c);
	if (c->session) {
		session_launch_started(c->session, c);
	}
	waiters_call(c, WAITER_START, &(struct err){});
	events_add(c->manager->events, "started", c->name,
		   json_pack("{s:i}", "pid", (int) c->id.pid));
}

static int on_death(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct context *c = userdata;
	struct err e = c->launch->failure;

	(void) source;
	(void) fd;
	(void) revents;
	ending_finish(c, &e);
	return 0;
}

/* The end of its socket is not yet the end of its mounts: whoever is told of a failure may start
 * the context again, and a kept upper must be free by then. */
static void fail_when_dead(struct context *c, const struct err *e)
{
	struct launch *l = c->launch;
	int pidfd = l->seat->seat->pidfd, r;

	l->failure = *e;
	(void) proc_pidfd_signal(pidfd, SIGKILL);
	r = sd_event_source_set_enabled(l->seat->source, SD_EVENT_OFF);
	if (r >= 0) {
		r = sd_event_add_io(c->manager->loop, &l->death, pidfd, EPOLLIN, on_death, c);
	}
	if (r < 0) {
		ending_finish(c, e);
	}
}

void launch_report(struct context *c, enum seat_event event, int fd, struct err *e)
{
	switch (event) {
	case SEAT_TERMINAL:
		if (c->session) {
			session_launch_terminal(c->session, fd);
		} else {
			fd_close(fd);
		}
		break;
	case SEAT_STARTED:
		started(c);
		break;
	case SEAT_FAILED:
		c->exec_failed = seat_exec_failed(c->launch->seat->seat);
		(void) err_prefix(e, "starting %s", c->name);
		fail_when_dead(c, e);
		break;
	case SEAT_WAIT:
	case SEAT_PARKED:
		break;
	}
}
