/* What outlives the daemon of a service, and what is shown of it. */
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "daemon/service.h"

/* --- journal and recovery --- */

void service_to_journal(const struct context *c, json_t *head, bool ended)
{
	const struct service *s = c->service;

	if (!s) {
		return;
	}
	if (s->restarts && s->restarts->count) {
		(void) json_object_set_new(head, "restarts", restarts_to_json(s->restarts));
	}
	if (!ended && s->automatic) {
		(void) json_object_set_new(head, "automatic", json_true());
	}
	if (!ended && s->notify && service_is_kept(c)) {
		(void) json_object_set_new(head, "notify",
					   json_integer((json_int_t) notify_inode(s->notify)));
	}
}

void service_from_journal(struct context *c, const struct journal_record *record)
{
	const json_t *restarts = json_object_get(record->head, "restarts");
	struct service *s = restarts || record->ready || record->again ? service_need(c) : NULL;

	if (!s) {
		return;
	}
	s->ready = record->ready;
	s->again = record->again && !record->asked;
	s->automatic = json_is_true(json_object_get(record->head, "automatic"));
	s->restarts = restarts ? calloc(1, sizeof(*s->restarts)) : NULL;
	if (s->restarts) {
		restarts_from_json(s->restarts, restarts, service_now_us());
	}
	again_arm(c);
}

bool service_was_asked(const struct journal_record *record)
{
	return record->stopping && (record->asked || !(record->again || record->failed));
}

void service_stop_on(struct context *c, const struct journal_record *record)
{
	struct service *s = service_need(c);

	if (!s) {
		context_stop(c);
	} else if (record->again) {
		service_give_up(s, "unhealthy", "it was being restarted when the daemon ended",
				true);
	} else {
		service_give_up(s, "start", "it was not ready in time", false);
	}
}

/* What is left of the time it had to become ready; some is always given, to hear what was said
 * while no daemon was there. */
#define ADOPTED_US (5ull * 1000000)
static uint64_t time_left(const struct context *c)
{
	uint64_t all = c->active->context.ready_timeout_us, now, gone;
	struct timespec ts;

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	now = (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
	gone = now > c->started_us ? now - c->started_us : 0;
	if (gone + ADOPTED_US < all) {
		return all - gone;
	}
	return all < ADOPTED_US ? all : ADOPTED_US;
}

int service_adopt(struct context *c, const struct journal_record *record)
{
	const json_t *inode = json_object_get(record->head, "notify");
	struct service *s;
	struct err e = {};
	int r = 0;

	if (!service_is_wanted(c->active)) {
		return 0;
	}
	s = service_need(c);
	if (!s) {
		return -ENOMEM;
	}
	s->ready = record->ready || c->active->context.ready.kind == SPEC_PROBE_NONE;
	s->watchdog_us = c->active->context.watchdog_us;
	if (spec_wants_notify(c->active)) {
		r = notify_adopt(c, s->ready ? 0 : (uint64_t) json_integer_value(inode),
				 service_heard, s, &s->notify, &e);
		r = r < 0 ? r : notify_watch(s->notify);
	}
	if (r < 0) {
		log_warning("%s: listening to it again: %s", c->name,
			    e.code ? e.text : strerror(-r));
	}
	/* Its watchdog begins when we first hear it: whoever is still connected to the old daemon's
	 * socket does not reach us, and works all the same. */
	if (c->state == LIFE_RUNNING && s->ready) {
		health_begin(s);
	} else if (c->state == LIFE_RUNNING) {
		ready_wait(s, time_left(c));
	}
	return 0;
}

/* --- look --- */

bool context_says_ready(const struct context *c)
{
	const struct spec *s = context_spec(c);

	return s && s->context.ready.kind != SPEC_PROBE_NONE;
}

bool context_is_ready(const struct context *c)
{
	if (c->state != LIFE_RUNNING && c->state != LIFE_FROZEN) {
		return false;
	}
	if (c->service && c->service->leaving) {
		return false;
	}
	return c->active->context.ready.kind == SPEC_PROBE_NONE ||
	       (c->service && c->service->ready);
}

static void put(json_t *o, const char *key, json_t *value)
{
	(void) json_object_set_new(o, key, value);
}

static void put_condition(const struct service *s, json_t *o)
{
	struct buf text = {};

	ready_print(s, &text);
	if (!text.error) {
		put(o, "waits_for", json_string(text.data));
	}
	buf_done(&text);
}

void service_summary(const struct context *c, json_t *o)
{
	const struct service *s = c->service;
	bool ready = context_is_ready(c);
	uint64_t in_us;

	put(o, "ready", json_boolean(ready));
	if (!s) {
		return;
	}
	if (!ready && !s->leaving && (c->state == LIFE_RUNNING || c->state == LIFE_FROZEN)) {
		put_condition(s, o);
	}
	if (s->status) {
		put(o, "status", json_string(s->status));
	}
	if (c->active && c->active->context.health.kind != SPEC_PROBE_NONE) {
		put(o, "health", json_string(health_name(s->health)));
	}
	if (c->active && s->ready && s->look_text) {
		put(o, "health_text", json_string(s->look_text));
	}
	if (s->restarts && s->restarts->count) {
		put(o, "restarts", json_integer((json_int_t) s->restarts->count));
	}
	if (again_in(c, &in_us)) {
		put(o, "restart_in_us", json_integer((json_int_t) in_us));
	}
}
