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
#include "daemon/budget.h"
#include "daemon/launch.h"
#include "daemon/logs.h"
#include "daemon/memory_out.h"
#include "daemon/service.h"
#include "daemon/tell.h"
#include "daemon/watch_limits.h"

struct launch {
	struct context *context;
	struct launch_plans plans;
	struct context_stdio io;
	bool log; /* its output goes to its log: io is opened when the journal knows of it */
	struct parked *seat; /* NULL until one is there */
	struct step_list steps;
	uint64_t begun_us; /* tally_begin() */
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
	const struct notify *notify = c->service ? c->service->notify : NULL;
	struct context_kept kept = { .status_fd = -1, .notify_fd = -1, .network_fd = -1 };
	struct fs_launch at = { .notify_fd = notify ? notify_dir_fd(notify) : -1,
				.seat = s->prepared,
				.userns_fd = s->userns_fd,
				.ids_first = s->ids_first,
				.ids_count = s->ids_count };
	struct netctl_context who = { .name = c->name, .slot = c->slot, .pid = l->seat->seat->pid };
	int r = steps_init(&l->steps, &l->seat->seat->arena);

	if (r < 0) {
		return err_set_errno(e, r, "%s: preparing the steps", c->name);
	}
	r = sched_steps(&l->plans.sched, m->sched, c->slot, &l->steps, e);
	if (r >= 0 && l->plans.network.mode == SPEC_NETWORK_SHARED) {
		r = sched_slot_id(m->sched, c->slot, &who.cgroup_id);
		if (r < 0) {
			(void) err_set_errno(e, r, "%s: finding its cgroup", c->name);
		}
	}
	if (r >= 0) {
		r = netctl_steps(&l->plans.network, m->net, &who, &l->steps, e);
	}
	if (r >= 0) {
		r = fs_steps(l->plans.fs, m->fs, &at, &l->steps, e);
	}
	if (r < 0) {
		return r;
	}
	kept.status_fd = journal_status_open(c);
	if (kept.status_fd < 0) {
		return err_set_errno(e, kept.status_fd, "%s: making its status file", c->name);
	}
	r = netctl_keep(&l->plans.network, m->net, &kept.network_fd, e);
	if (r < 0) {
		fd_close(kept.status_fd);
		return r;
	}
	if (notify && service_is_kept(c)) { /* if this fails, less outlives the daemon */
		kept.notify_fd = fcntl(notify_socket_fd(notify), F_DUPFD_CLOEXEC, 3);
	}
	return context_steps(l->plans.context, m->host, s, &l->io, &kept, &l->steps, e);
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
	r = service_prepare(c, e);
	if (r >= 0) {
		r = journal_begin(c, e);
	}
	if (r >= 0 && l->log) {
		r = log_open_stdio(c, c->active, &l->io, e);
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
		governor_begin(c); /* what is reserved is there from the first instruction on */
		r = seat_launch(l->seat->seat, &l->steps, e);
	}
	if (r >= 0 && fault_point("launch-ordered", e) < 0) {
		(void) err_prefix(e, "starting %s", c->name);
		fail_when_dead(c, e);
	}
	return r;
}

/* What it was declared with is shared; a client's spec may bear another name, or none. */
static const struct spec *own_spec(const struct context *c, const struct launch_request *request)
{
	struct spec *s;

	if (request->spec == c->declared) {
		return spec_share(request->spec);
	}
	s = spec_dup(request->spec);
	if (s) {
		(void) snprintf(s->name, sizeof(s->name), "%s", c->name);
	}
	return s;
}

static int take_seat(struct launch *l, struct err *e)
{
	struct context *c = l->context;
	struct seat_kind kind = context_seat_kind(l->plans.context);
	int r = seats_take(c->manager, &kind, c, &l->seat, e);

	return r >= 0 && l->seat ? order(l, e) : r;
}

static void after_before_start(struct context *c, const struct err *hook)
{
	struct err e = *hook;

	if (c->state != LIFE_STARTING) {
		(void) err_set(&e, -EINTR, "it was stopped meanwhile");
	} else if (e.code == 0 && take_seat(c->launch, &e) >= 0) {
		return;
	}
	(void) err_prefix(&e, "starting %s", c->name);
	ending_finish(c, &e);
}

/* The intent is in the journal before a hook may have changed anything. */
static int run_before_start(struct context *c, struct err *e)
{
	int r;

	c->started_us = now_us();
	r = journal_begin(c, e);
	if (r >= 0) {
		r = hooks_run(c, HOOK_BEFORE_START, after_before_start);
		if (r < 0) {
			(void) err_set_errno(e, r, "running its before-start hook");
		}
	}
	return r;
}

static int prepare(struct launch *l, struct launch_request *request, struct err *e)
{
	struct context *c = l->context;
	int r;

	c->active = own_spec(c, request);
	if (!c->active) {
		return err_set(e, -ENOMEM, "starting %s: out of memory", c->name);
	}
	r = launch_plan(c->active, &c->manager->facts, &l->plans, e);
	if (r >= 0) {
		r = budget_admit(c->manager, c, c->active, e);
	}
	if (r < 0) {
		return r;
	}
	budget_release(c);
	hooks_reset(c);
	return hooks_wanted(c, HOOK_BEFORE_START) ? run_before_start(c, e) : take_seat(l, e);
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
	l->begun_us = tally_begin();
	l->io = request->io;
	l->log = request->log;
	c->launch = l;
	c->throwaway = request->throwaway;
	c->exec_failed = c->out_of_memory = c->status_written = c->start_failed = false;
	c->stop_told = c->end_told = false;
	c->started_us = 0;
	context_enter(c, LIFE_START);
	r = prepare(l, request, e);
	if (r < 0) {
		(void) err_prefix(e, "starting %s", c->name);
		tally_failed(c);
		governor_end(c);
		launch_free(TAKE_PTR(c->launch));
		service_close(c, true);
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
	tally_started(c, l->begun_us);
	launch_free(TAKE_PTR(c->launch));
	(void) fault_point("launch-started", NULL);
	tell_fact(c, EVENT_STARTED, NULL); /* first: a new daemon keeps what it finds so */
	context_enter(c, LIFE_STARTED);
	r = ending_watch(c);
	if (r < 0) { /* cannot be supervised: better not at all */
		log_error("%s: watching process 1: %s", c->name, strerror(-r));
		(void) sched_slot_kill(c->manager->sched, c->slot);
	}
	memory_out_watch(c);
	service_started(c); /* what it tells follows at once: tell_fact_again() counts on that */
	if (c->session) {
		session_launch_started(c->session, c);
	}
	waiters_call(c, WAITER_RUN, &(struct err){});
	limits_watch(c, false);
}

static void after_after_ready(struct context *c, const struct err *e)
{
	(void) e; /* told */
	journal_note(c, hooks_name(HOOK_AFTER_READY));
}

void launch_ready(struct context *c)
{
	if (c->state != LIFE_RUNNING || !hooks_wanted(c, HOOK_AFTER_READY)) {
		return;
	}
	if (hooks_run(c, HOOK_AFTER_READY, after_after_ready) < 0) {
		log_error("%s: running its after-ready hook: out of memory", c->name);
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
