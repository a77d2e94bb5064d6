/* Starting a context again after it ended: whether, when, and the start itself. What is planned
 * stands in the journal beside the exit, so a new daemon goes on with it. */
#include "daemon/service.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/log.h"
#include "daemon/budget.h"

/* A service that ends before it is ready has failed, whatever its status. */
static bool is_failure(const struct context *c)
{
	const struct service *s = c->service;
	bool ready =
		!c->active || c->active->context.ready.kind == SPEC_PROBE_NONE || (s && s->ready);

	return c->exit.code != CLD_EXITED || c->exit.status != 0 || !ready;
}

static bool is_due(const struct context *c, const struct spec *spec, bool asked)
{
	const struct service *s = c->service;
	const char *reason = c->exit.reason;

	if (c->throwaway || asked || str_equal(reason, "poweroff")) {
		return false;
	}
	if ((s && s->again) || str_equal(reason, "reboot")) {
		return true;
	}
	/* A start that fails before the command runs is told to whoever asked for it; only one of
	 * ours is tried again. */
	if (c->start_failed && !(s && s->automatic)) {
		return false;
	}
	switch (spec->context.restart) {
	case SPEC_RESTART_ALWAYS:
		return true;
	case SPEC_RESTART_ON_FAILURE:
		return is_failure(c);
	case SPEC_RESTART_NO:
	case SPEC_RESTART_COUNT:
		break;
	}
	return false;
}

static uint64_t ran_us(const struct context *c)
{
	struct timespec ts;
	uint64_t now;

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	now = (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
	return c->start_failed || now < c->started_us ? 0 : now - c->started_us;
}

static void note_given_up(struct context *c, const struct spec *spec)
{
	_cleanup_free_ char *before = TAKE_PTR(c->exit.text);
	char interval[UNITS_TEXT_MAX];

	if (asprintf(&c->exit.text, "%s%sgiven up after %llu restarts in %s", before ?: "",
		     before ? "; " : "", (unsigned long long) spec->context.restart_limit,
		     units_print_duration(spec->context.restart_limit_us, interval)) < 0) {
		c->exit.text = NULL;
	}
}

void again_plan(struct context *c, const struct spec *spec, bool asked)
{
	struct service *s;

	c->given_up = false;
	if (!is_due(c, spec, asked)) {
		if (c->service && c->service->restarts) {
			c->service->restarts->at_us = 0;
		}
		budget_release(c);
		return;
	}
	s = service_need(c);
	if (s && !s->restarts) {
		s->restarts = calloc(1, sizeof(*s->restarts));
	}
	if (!s || !s->restarts) {
		log_error("%s: it is not restarted: out of memory", c->name);
		budget_release(c);
		return;
	}
	if (!restarts_plan(s->restarts, spec, service_now_us(), ran_us(c),
			   str_equal(c->exit.reason, "reboot"))) {
		c->given_up = true;
		note_given_up(c, spec);
		budget_release(c);
		return;
	}
	budget_keep(c);
	again_arm(c);
}

void service_tell_plan(struct context *c)
{
	struct events *events = c->manager->events;
	uint64_t in_us;

	if (c->given_up) {
		events_add(events, "gave-up", c->name,
			   json_pack("{s:s}", "text", c->exit.text ?: ""));
	} else if (again_in(c, &in_us)) {
		events_add(events, "restarting", c->name,
			   json_pack("{s:I, s:i}", "in_us", (json_int_t) in_us, "count",
				     (int) c->service->restarts->count));
	}
}

/* It did not even begin: as an end of its own. */
static void attempt_failed(struct context *c, const struct err *e)
{
	c->exit.known = true;
	c->exit.code = CLD_EXITED;
	c->exit.status = 125;
	(void) snprintf(c->exit.reason, sizeof(c->exit.reason), "start");
	(void) str_replace(&c->exit.text, e->text);
	c->start_failed = true;
	again_plan(c, c->declared, false);
	events_add(c->manager->events, "failed", c->name,
		   json_pack("{s:o}", "exit", exit_to_json(&c->exit)));
	service_tell_plan(c);
	journal_end(c);
}

static int on_restart(sd_event_source *source, uint64_t now, void *userdata)
{
	struct service *s = userdata;
	struct manager *m = s->context->manager;
	char name[SPEC_NAME_MAX + 1];
	struct context *c;
	struct err e = {};

	(void) source;
	(void) now;
	(void) snprintf(name, sizeof(name), "%s", s->context->name);
	s->restarts->at_us = 0;
	c = manager_find(m, name); /* reads its file again; without one it is forgotten */
	if (!c || !c->declared || c->state != LIFE_STOPPED) {
		if (c) {
			budget_release(c);
		}
		return 0;
	}
	s->automatic = true;
	(void) fault_point("restart-begun", NULL);
	if (context_start(c, NULL, WAITER_RUN, NULL, &e) < 0) {
		log_warning("%s", e.text);
		attempt_failed(c, &e);
	}
	return 0;
}

void again_arm(struct context *c)
{
	struct service *s = c->service;
	uint64_t now = service_now_us(), in_us;
	int r;

	if (!again_in(c, &in_us)) {
		return;
	}
	s->restart_timer = sd_event_source_disable_unref(s->restart_timer);
	r = sd_event_add_time(c->manager->loop, &s->restart_timer, CLOCK_MONOTONIC, now + in_us,
			      1 + in_us / 16, on_restart, s);
	if (r < 0) {
		log_error("%s: it is not restarted: %s", c->name, strerror(-r));
		s->restarts->at_us = 0;
	}
}

bool again_cancel(struct context *c)
{
	struct service *s = c->service;
	bool pending = s && s->restarts && s->restarts->at_us;

	if (pending) {
		s->restarts->at_us = 0;
		s->restart_timer = sd_event_source_disable_unref(s->restart_timer);
	}
	budget_release(c);
	return pending;
}

void again_forget(struct context *c)
{
	(void) again_cancel(c);
	if (c->service) {
		c->service->automatic = false;
		free(TAKE_PTR(c->service->restarts));
	}
}

bool context_will_restart(const struct context *c)
{
	uint64_t in_us;

	return again_in(c, &in_us);
}

bool again_in(const struct context *c, uint64_t *ret_us)
{
	const struct service *s = c->service;
	uint64_t now = service_now_us();

	if (!s || !s->restarts || !s->restarts->at_us || c->state != LIFE_STOPPED) {
		return false;
	}
	*ret_us = s->restarts->at_us > now ? s->restarts->at_us - now : 0;
	return true;
}
