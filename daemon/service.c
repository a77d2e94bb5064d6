/* What makes a context a service, and what follows from what. Nothing here is on the way of a
 * context that uses none of it but a test for NULL. */
#include "daemon/service.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/log.h"
#include "daemon/tell.h"

#define STATUS_EVENT_US 1000000 /* at most one event of STATUS= in so long */
#define SLACK_US 50000

uint64_t service_now_us(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

struct service *service_need(struct context *c)
{
	if (!c->service) {
		c->service = calloc(1, sizeof(*c->service));
		if (c->service) {
			c->service->context = c;
		}
	}
	return c->service;
}

bool service_is_wanted(const struct spec *s)
{
	return s->context.ready.kind != SPEC_PROBE_NONE || s->context.watchdog_us ||
	       s->context.health.kind != SPEC_PROBE_NONE;
}

/* Another process 1 is the context's own program: it gets nothing of ours to hold. */
bool service_is_kept(const struct context *c)
{
	return c->active->context.ready.kind == SPEC_PROBE_NOTIFY &&
	       c->active->context.init == SPEC_INIT_FAKE;
}

/* --- what it says itself --- */

static void tell_status(struct service *s)
{
	s->status_told_us = service_now_us();
	events_add(s->context->manager->events, "status", s->context->name,
		   json_pack("{s:s}", "text", s->status));
}

static int on_status_due(sd_event_source *source, uint64_t now, void *userdata)
{
	struct service *s = userdata;

	(void) source;
	(void) now;
	s->status_timer = sd_event_source_disable_unref(s->status_timer);
	tell_status(s);
	return 0;
}

/* The last text always becomes an event; of a flood, few do. */
static void take_status(struct service *s, const char *text)
{
	uint64_t since = service_now_us() - s->status_told_us;

	if (str_equal(s->status, text) || str_replace(&s->status, text) < 0 || s->status_timer) {
		return;
	}
	if (since >= STATUS_EVENT_US ||
	    sd_event_add_time_relative(s->context->manager->loop, &s->status_timer, CLOCK_MONOTONIC,
				       STATUS_EVENT_US - since, SLACK_US, on_status_due, s) < 0) {
		tell_status(s);
	}
}

static void take_watchdog(struct service *s, const struct notify_message *m)
{
	if (m->watchdog_us) {
		health_watchdog_set(s, m->watchdog_us);
	}
	if (m->trigger) {
		health_watchdog_failed(s, "the command says so itself (WATCHDOG=trigger)");
	} else if (m->watchdog) {
		health_sign_of_life(s);
	}
}

void service_heard(void *arg, const struct notify_message *m)
{
	struct service *s = arg;
	struct context *c = s->context;

	if (m->has_status) {
		take_status(s, m->status);
	}
	if (c->state != LIFE_RUNNING && c->state != LIFE_FROZEN) {
		return;
	}
	if (m->extend_us && !s->ready) {
		ready_extend(s, m->extend_us);
	}
	if (m->stopping && !s->leaving) {
		s->leaving = true;
		service_pause(s);
	}
	take_watchdog(s, m);
	if (m->ready && !s->leaving && c->active->context.ready.kind == SPEC_PROBE_NOTIFY) {
		service_ready(c); /* last: anything may follow */
	}
}

/* --- the course of a life --- */

int service_prepare(struct context *c, struct err *e)
{
	struct service *s;

	if (!service_is_wanted(c->active)) {
		return 0;
	}
	s = service_need(c);
	if (!s) {
		return err_set(e, -ENOMEM, "%s: out of memory", c->name);
	}
	s->watchdog_us = c->active->context.watchdog_us;
	return spec_wants_notify(c->active) ? notify_new(c, service_heard, s, &s->notify, e) : 0;
}

void service_pause(struct service *s)
{
	s->look = probe_free(s->look);
	s->look_timer = sd_event_source_disable_unref(s->look_timer);
	s->deadline = sd_event_source_disable_unref(s->deadline);
	s->watchdog = sd_event_source_disable_unref(s->watchdog);
}

void service_go_on(struct service *s)
{
	service_pause(s);
	if (s->context->state != LIFE_RUNNING) {
		return;
	}
	if (s->ready && !s->leaving) {
		health_begin(s);
	} else if (!s->ready) {
		ready_wait(s, 0);
	}
}

void service_started(struct context *c)
{
	struct service *s = c->service;
	int r = s && s->notify ? notify_watch(s->notify) : 0;

	if (c->state != LIFE_RUNNING) { /* a stop has overtaken it */
		return;
	}
	if (r < 0) {
		service_give_up(s, "start", "its notify socket cannot be watched", false);
	} else if (c->active->context.ready.kind == SPEC_PROBE_NONE) {
		service_ready(c);
	} else {
		ready_wait(s, 0);
	}
}

void service_ready(struct context *c)
{
	struct service *s = c->service;
	int r;

	if (s && s->ready) {
		return;
	}
	if (context_says_ready(c)) {
		tell_fact(c, EVENT_READY, NULL); /* first: what said so will not be said again */
		(void) fault_point("ready-told", NULL);
	} else if (!c->throwaway) { /* right behind its "started": no note of its own */
		(void) events_add(c->manager->events, EVENT_READY, c->name, NULL);
	}
	if (s) {
		s->ready = s->watchdog_heard = true;
		s->automatic = false;
		service_note_look(s, NULL);
		r = s->notify && service_is_kept(c) ? context_drop_notify(c->pidfd) : 0;
		if (r < 0) {
			log_warning("%s: telling its ward-init that it is ready: %s", c->name,
				    strerror(-r));
		}
		service_go_on(s);
	}
	waiters_call(c, WAITER_START, &(struct err){});
	launch_ready(c);
}

void service_stopping(struct context *c, bool asked)
{
	struct service *s = c->service;

	if (!s) {
		return;
	}
	service_pause(s);
	s->asked |= asked;
	s->again &= !asked;
}

void service_frozen(struct context *c, bool frozen)
{
	if (c->service && frozen) {
		service_pause(c->service);
	} else if (c->service) {
		service_go_on(c->service);
	}
}

void service_changed(struct context *c)
{
	struct service *s = service_is_wanted(c->active) ? service_need(c) : c->service;

	if (!s) {
		return;
	}
	if (c->active->context.ready.kind == SPEC_PROBE_NONE) { /* so since it was started */
		s->ready = c->state == LIFE_RUNNING || c->state == LIFE_FROZEN;
	}
	if (!s->ready) {
		return;
	}
	if (c->active->context.health.kind == SPEC_PROBE_NONE) {
		s->health = HEALTH_UNKNOWN;
		s->failures = 0;
		service_note_look(s, NULL);
	}
	service_go_on(s);
}

void service_give_up(struct service *s, const char *reason, const char *why, bool again)
{
	struct context *c = s->context;

	(void) snprintf(s->reason, sizeof(s->reason), "%s", reason);
	(void) str_replace(&s->why, why);
	s->again = again && !c->throwaway;
	journal_note(c, s->again ? "again" : s->asked ? "asked" : "failed");
	context_stop(c);
}

void service_ended(struct context *c, bool asked)
{
	struct service *s = c->service;

	if (s && s->reason[0] && !str_equal(c->exit.reason, "oom")) {
		(void) snprintf(c->exit.reason, sizeof(c->exit.reason), "%s", s->reason);
		(void) str_replace(&c->exit.text, s->why);
	}
	again_plan(c, c->active, s && s->reason[0] ? s->asked : asked);
}

const struct err *service_unready(const struct context *c, struct err *e)
{
	const struct exit_info *x = &c->exit;
	const struct service *s = c->service;

	if (s && s->asked && !s->reason[0]) {
		(void) err_set(e, -ECANCELED, "starting %s: it was stopped before it was ready",
			       c->name);
	} else if (str_equal(x->reason, "start")) {
		(void) err_set(e, -ETIMEDOUT, "starting %s: %s", c->name, x->text);
	} else if (x->text) {
		(void) err_set(e, -ECANCELED, "starting %s: it ended before it was ready: %s",
			       c->name, x->text);
	} else if (x->code == CLD_EXITED) {
		(void) err_set(e, -ECANCELED,
			       "starting %s: it ended with status %d before it was ready", c->name,
			       x->status);
	} else {
		(void) err_set(e, -ECANCELED,
			       "starting %s: it was ended by signal %s before it was ready",
			       c->name, units_print_signal(x->status));
	}
	return e;
}

void service_close(struct context *c, bool gone)
{
	struct service *s = c->service;

	if (!s) {
		return;
	}
	service_pause(s);
	s->status_timer = sd_event_source_disable_unref(s->status_timer);
	s->notify = notify_free(s->notify, gone);
	s->ready = s->leaving = s->asked = s->again = s->watchdog_heard = false;
	s->reason[0] = '\0';
	free(TAKE_PTR(s->why));
	free(TAKE_PTR(s->status));
	service_note_look(s, NULL);
	s->health = HEALTH_UNKNOWN;
	s->failures = 0;
	s->status_told_us = s->watchdog_told_us = 0;
}

void service_free(struct context *c)
{
	struct service *s = c->service;

	if (s) {
		service_close(c, c->state == LIFE_STOPPED);
		sd_event_source_disable_unref(s->restart_timer);
		free(s->restarts);
		free(s);
		c->service = NULL;
	}
}

void service_note_look(struct service *s, const char *why)
{
	(void) str_replace(&s->look_text, why && *why ? why : NULL);
}
