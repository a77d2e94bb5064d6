/* Waiting until a context is ready: one deadline, and looks with growing gaps between them where
 * it is us who must look. */
#include "daemon/service.h"

#include <stdio.h>
#include <string.h>

#define GAP_FIRST_US 20000
#define GAP_EXEC_US 100000 /* a command costs a process */
#define GAP_MAX_US 1000000
#define SLACK_US 10000

static void look(struct service *s);

static const struct spec_probe *condition(const struct service *s)
{
	return &s->context->active->context.ready;
}

void ready_print(const struct service *s, struct buf *out)
{
	if (condition(s)->kind == SPEC_PROBE_NOTIFY) {
		buf_puts(out, "READY=1 on its notify socket");
	} else {
		spec_probe_print(condition(s), out);
	}
	if (s->look_text) {
		buf_printf(out, " (%s)", s->look_text);
	}
}

static int on_deadline(sd_event_source *source, uint64_t now, void *userdata)
{
	struct service *s = userdata;
	char after[UNITS_TEXT_MAX];
	struct buf text = {};

	(void) source;
	(void) now;
	buf_printf(&text, "not ready within %s: waited for ",
		   units_print_duration(s->context->active->context.ready_timeout_us, after));
	ready_print(s, &text);
	service_give_up(s, "start", text.data ?: "not ready in time", false);
	buf_done(&text);
	return 0;
}

static int on_look_due(sd_event_source *source, uint64_t now, void *userdata)
{
	struct service *s = userdata;

	(void) source;
	(void) now;
	look(s);
	return 0;
}

static void look_later(struct service *s)
{
	uint64_t gap = s->gap_us;
	int r;

	s->gap_us = gap * 2 > GAP_MAX_US ? GAP_MAX_US : gap * 2;
	s->look_timer = sd_event_source_disable_unref(s->look_timer);
	r = sd_event_add_time_relative(s->context->manager->loop, &s->look_timer, CLOCK_MONOTONIC,
				       gap, SLACK_US, on_look_due, s);
	if (r < 0) {
		service_give_up(s, "start", "it cannot be looked at for want of memory", false);
	}
}

static void on_looked(void *arg, bool good, const char *why)
{
	struct service *s = arg;

	service_note_look(s, why);
	s->look = probe_free(s->look);
	if (good) {
		service_ready(s->context);
	} else {
		look_later(s);
	}
}

static void look(struct service *s)
{
	const struct spec *spec = s->context->active;
	int r = probe_start(s->context, condition(s), spec->context.health_timeout_us, on_looked, s,
			    &s->look);

	if (r < 0) {
		service_note_look(s, strerror(-r));
		look_later(s);
	}
}

static int arm_deadline(struct service *s, uint64_t us)
{
	s->deadline = sd_event_source_disable_unref(s->deadline);
	return sd_event_add_time_relative(s->context->manager->loop, &s->deadline, CLOCK_MONOTONIC,
					  us, SLACK_US, on_deadline, s);
}

void ready_wait(struct service *s, uint64_t timeout_us)
{
	bool exec = condition(s)->kind == SPEC_PROBE_EXEC;
	int r = arm_deadline(s, timeout_us ? timeout_us
					   : s->context->active->context.ready_timeout_us);

	if (r < 0) {
		service_give_up(s, "start", "it cannot be waited for for want of memory", false);
		return;
	}
	s->gap_us = exec ? GAP_EXEC_US : GAP_FIRST_US;
	if (condition(s)->kind != SPEC_PROBE_NOTIFY) {
		look(s);
	}
}

void ready_extend(struct service *s, uint64_t us)
{
	uint64_t now = service_now_us(), until = 0;

	if (s->deadline && sd_event_source_get_time(s->deadline, &until) >= 0 && until < now + us) {
		(void) sd_event_source_set_time(s->deadline, now + us);
	}
}
