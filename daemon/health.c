/* Whether a ready context still works: we look again and again, or it tells us (watchdog). */
#include "daemon/service.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define TELL_EVERY_US 1000000 /* however often a context says that it failed */
#define SLACK_PART 8 /* of an interval: timers of many contexts fire together */

const char *health_name(enum service_health h)
{
	static const char *const names[] = {
		[HEALTH_UNKNOWN] = "unknown",
		[HEALTH_GOOD] = "healthy",
		[HEALTH_BAD] = "unhealthy",
	};

	return names[h];
}

/* What the spec wants done about it. */
static void act(struct service *s, const char *reason, const char *why)
{
	switch (s->context->active->context.on_unhealthy) {
	case SPEC_UNHEALTHY_RESTART:
		service_give_up(s, reason, why, true);
		break;
	case SPEC_UNHEALTHY_STOP:
		s->asked = true;
		service_give_up(s, reason, why, false);
		break;
	case SPEC_UNHEALTHY_NONE:
	case SPEC_UNHEALTHY_COUNT:
		break;
	}
}

static void tell(struct service *s, const char *kind, const char *text)
{
	events_add(s->context->manager->events, kind, s->context->name,
		   text ? json_pack("{s:s}", "text", text) : NULL);
}

/* --- health --- */

static void look_later(struct service *s);

static void turned_bad(struct service *s)
{
	struct buf text = {};

	s->health = HEALTH_BAD;
	spec_probe_print(&s->context->active->context.health, &text);
	buf_printf(&text, ": %s, %u times in a row", s->look_text ?: "failed", s->failures);
	tell(s, "unhealthy", text.data ?: "health");
	act(s, "unhealthy", text.data ?: "health");
	buf_done(&text);
}

static void on_looked(void *arg, bool good, const char *why)
{
	struct service *s = arg;
	bool was_bad = s->health == HEALTH_BAD;

	service_note_look(s, why);
	s->look = probe_free(s->look);
	look_later(s); /* before acting, which may call it off */
	if (good) {
		s->failures = 0;
		s->health = HEALTH_GOOD;
		if (was_bad) {
			tell(s, "healthy", NULL);
		}
		return;
	}
	s->failures++;
	if (!was_bad && s->failures >= s->context->active->context.health_retries) {
		turned_bad(s);
	}
}

static int on_look_due(sd_event_source *source, uint64_t now, void *userdata)
{
	struct service *s = userdata;
	const struct spec *spec = s->context->active;
	int r = probe_start(s->context, &spec->context.health, spec->context.health_timeout_us,
			    on_looked, s, &s->look);

	(void) source;
	(void) now;
	if (r < 0) {
		on_looked(s, false, strerror(-r));
	}
	return 0;
}

static void look_later(struct service *s)
{
	uint64_t every = s->context->active->context.health.every_us;
	int r;

	s->look_timer = sd_event_source_disable_unref(s->look_timer);
	r = sd_event_add_time_relative(s->context->manager->loop, &s->look_timer, CLOCK_MONOTONIC,
				       every, every / SLACK_PART, on_look_due, s);
	if (r < 0) {
		log_warning("%s: its health is not looked at any more: %s", s->context->name,
			    strerror(-r));
	}
}

/* --- watchdog --- */

void health_watchdog_failed(struct service *s, const char *why)
{
	uint64_t now = service_now_us();

	if (!s->ready || s->leaving || !s->watchdog_us || s->context->state != LIFE_RUNNING) {
		return;
	}
	health_sign_of_life(s); /* where nothing is done about it, it is told again */
	if (now - s->watchdog_told_us >= TELL_EVERY_US) {
		s->watchdog_told_us = now;
		tell(s, "watchdog", why);
	}
	act(s, "watchdog", why);
}

static int on_silence(sd_event_source *source, uint64_t now, void *userdata)
{
	struct service *s = userdata;
	char after[UNITS_TEXT_MAX], text[80];

	(void) source;
	(void) now;
	(void) snprintf(text, sizeof(text), "no WATCHDOG=1 for %s",
			units_print_duration(s->watchdog_us, after));
	health_watchdog_failed(s, text);
	return 0;
}

void health_sign_of_life(struct service *s)
{
	int r;

	if (!s->ready || s->leaving || !s->watchdog_us) {
		return;
	}
	s->watchdog_heard = true;
	if (s->context->state != LIFE_RUNNING) {
		return;
	}
	if (s->watchdog) {
		r = sd_event_source_set_time_relative(s->watchdog, s->watchdog_us);
		r = r < 0 ? r : sd_event_source_set_enabled(s->watchdog, SD_EVENT_ONESHOT);
	} else {
		r = sd_event_add_time_relative(s->context->manager->loop, &s->watchdog,
					       CLOCK_MONOTONIC, s->watchdog_us,
					       s->watchdog_us / SLACK_PART, on_silence, s);
	}
	if (r < 0) {
		log_warning("%s: arming its watchdog: %s", s->context->name, strerror(-r));
	}
}

#define WATCHDOG_MIN_US 10000

void health_watchdog_set(struct service *s, uint64_t us)
{
	if (s->watchdog_us) { /* the spec wants one */
		s->watchdog_us = us < WATCHDOG_MIN_US ? WATCHDOG_MIN_US : us;
		health_sign_of_life(s);
	}
}

void health_begin(struct service *s)
{
	if (s->context->active->context.health.kind != SPEC_PROBE_NONE) {
		look_later(s);
	}
	if (s->watchdog_heard) {
		health_sign_of_life(s);
	}
}
