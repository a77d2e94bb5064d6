/* Why a context is in the state it is in. Everything is read back when asked: the file, the spec in
 * force, the kernel's control files, what happened. Nothing is kept for it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/budget.h"
#include "daemon/live.h"
#include "daemon/service.h"
#include "daemon/watch_limits.h"
#include "spec/suggest.h"

#define LOOKED_AT 50000 /* events back */
#define SHOWN 5 /* of the newest of a kind */

/* --- what happened --- */

struct story {
	const char *name;
	json_t *state_event; /* the last that brought it into a state */
	json_t *end, *oom;
	json_t *recent, *denied; /* arrays, the newest last */
	uint64_t restarts;
};

static bool is_one_of(const struct event *ev, const char *const *kinds)
{
	while (*kinds && !event_is(ev, *kinds)) {
		kinds++;
	}
	return *kinds != NULL;
}

static void replace(json_t **field, json_t *o)
{
	json_decref(*field);
	*field = json_incref(o);
}

static void push(json_t *array, json_t *o)
{
	if (json_array_size(array) == SHOWN) {
		(void) json_array_remove(array, 0);
	}
	(void) json_array_append(array, o);
}

static bool note(void *arg, const struct event *ev)
{
	static const char *const states[] = { EVENT_STARTED, EVENT_STOPPING, EVENT_FROZEN,
					      EVENT_THAWED,  EVENT_EXITED,   EVENT_FAILED,
					      NULL };
	struct story *s = arg;
	json_t *o = ev->lost ? NULL : json_loadb(ev->line, ev->len, 0, NULL);

	if (!o) {
		return true;
	}
	push(event_is(ev, EVENT_DENIED) ? s->denied : s->recent, o);
	if (is_one_of(ev, states)) {
		replace(&s->state_event, o);
	}
	if (event_is(ev, EVENT_EXITED) || event_is(ev, EVENT_FAILED)) {
		replace(&s->end, o);
	} else if (event_is(ev, EVENT_OOM)) {
		replace(&s->oom, o);
	}
	s->restarts += event_is(ev, EVENT_RESTARTING);
	json_decref(o);
	return true;
}

static void read_story(struct manager *m, const char *name, struct story *ret)
{
	struct event_filter filter = { .contexts = &name, .context_count = 1 };
	uint64_t last = events_last(m->events), oldest = events_oldest(m->events);
	struct events_cursor c = { .seq = last > LOOKED_AT ? last - LOOKED_AT : 0 };

	c.seq = c.seq > oldest ? c.seq : oldest;
	*ret = (struct story){ .name = name, .recent = json_array(), .denied = json_array() };
	while (events_walk(m->events, &c, &filter, note, ret)) {
	}
}

static void story_done(struct story *s)
{
	json_decref(s->state_event);
	json_decref(s->end);
	json_decref(s->oom);
	json_decref(s->recent);
	json_decref(s->denied);
}

static void set(json_t *o, const char *key, json_t *value)
{
	(void) json_object_set_new(o, key, value);
}

static json_t *number(uint64_t v)
{
	return v > INT64_MAX ? json_null() : json_integer((json_int_t) v);
}

static void add_story(json_t *o, const struct story *s)
{
	const json_t *since = json_object_get(s->state_event, "time");

	set(o, "since_us", since ? json_incref((json_t *) since) : json_null());
	set(o, "end", s->end ? json_incref(s->end) : json_null());
	set(o, "oom", s->oom ? json_incref(s->oom) : json_null());
	if (!json_object_get(o, "restarts")) { /* a service counts those in a row */
		set(o, "restarts", number(s->restarts));
	}
	set(o, "events", json_incref(s->recent));
	set(o, "denied", json_incref(s->denied));
}

/* --- file, spec in force, kernel --- */

static char *value_of(const struct spec *s, const char *key)
{
	struct buf b = {};

	if (!s || spec_get(s, key, &b, NULL) < 0 || b.error) {
		buf_done(&b);
		return NULL;
	}
	return b.data ? buf_take(&b) : strdup("");
}

static void add_drift_of(json_t *rows, struct context *c, const struct spec_key_info *info)
{
	_cleanup_free_ char *file = NULL, *active = NULL, *live = NULL;
	char key[64];

	(void) snprintf(key, sizeof(key), "%s.%s", info->section, info->name);
	file = c->throwaway ? NULL : value_of(c->declared, key);
	active = value_of(c->active, key);
	live = live_value(c, c->active, key);
	if ((!file || str_equal(file, active)) && live_in_force(key, active, live)) {
		return;
	}
	(void) json_array_append_new(rows, json_pack("{s:s, s:s?, s:s?, s:s?, s:b}", "key", key,
						     "file", file, "active", active, "live", live,
						     "restart", !info->live));
}

static json_t *drift(struct context *c)
{
	json_t *rows = json_array();
	struct spec_key_info info;

	for (size_t i = 0; c->active && rows && spec_key_info(i, &info); i++) {
		add_drift_of(rows, c, &info);
	}
	return rows;
}

/* --- now --- */

static json_t *throttle(struct context *c)
{
	uint64_t since = limits_throttled(c);
	char limit[UNITS_TEXT_MAX];
	struct sched_throttle t;

	if (c->active->cpu.limit_millicpu == UNITS_NONE ||
	    sched_slot_throttle(c->manager->sched, c->slot, &t) < 0) {
		return json_null();
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "limit",
			 units_print_cpu(c->active->cpu.limit_millicpu, limit), "since_us",
			 since ? number(since) : json_null(), "periods", number(t.periods),
			 "throttled_periods", number(t.throttled_periods), "throttled_us",
			 number(t.throttled_us));
}

/* Of CPU time, over the last minute; null while nothing is promised to anybody. */
static json_t *delivered(const struct context *c)
{
	struct delivery_sum all[DELIVERY_WINDOWS];
	const struct delivery_sum *s = &all[DELIVERY_MINUTE];

	if (!governor_delivered(c, all) || s->over_us == 0) {
		return json_null();
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "entitled_us",
			 number(s->entitled_us), "wanted_us", number(s->wanted_us), "promised_us",
			 number(s->promised_us), "used_us", number(s->used_us), "missed_us",
			 number(delivery_missed(s)), "broken_us", number(delivery_broken(s)),
			 "over_us", number(s->over_us));
}

static json_t *stall(const struct sched_stall *s)
{
	return json_pack("{s:f, s:f, s:f, s:o}", "avg10", s->avg10 / 100.0, "avg60",
			 s->avg60 / 100.0, "avg300", s->avg300 / 100.0, "total_us",
			 number(s->total_us));
}

/* Of the context, or where the kernel has none of it, of the host. */
static json_t *pressure(struct context *c)
{
	static const char *const resources[] = { "cpu", "memory", "io" };
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(resources); i++) {
		struct sched_pressure_now p;
		bool own = sched_slot_pressure(c->manager->sched, c->slot, resources[i], &p) >= 0;

		if (own || sched_host_pressure(resources[i], &p) >= 0) {
			set(all, resources[i],
			    json_pack("{s:o, s:o, s:s}", "some", stall(&p.some), "full",
				      stall(&p.full), "of", own ? "context" : "host"));
		}
	}
	return all;
}

static json_t *devices(struct context *c)
{
	struct sched_denials d;
	char path[64], target[256];
	const char *name;
	ssize_t n;
	json_t *o;

	if (sched_slot_denials(c->manager->sched, c->slot, &d) < 0) {
		return json_null();
	}
	o = json_pack("{s:o}", "count", number(d.count));
	if (!o || d.count == 0) {
		return o;
	}
	(void) snprintf(path, sizeof(path), "/sys/dev/%s/%u:%u", d.type == 'b' ? "block" : "char",
			d.major, d.minor);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	name = strrchr(target, '/');
	(void) snprintf(path, sizeof(path), "%c %u:%u", d.type, d.major, d.minor);
	set(o, "device", json_string(path));
	set(o, "name", name ? json_string(name + 1) : json_null());
	set(o, "access",
	    json_string(d.mknod	  ? "mknod"
			: d.write ? d.read ? "read and write" : "write"
				  : "read"));
	return o;
}

static void add_now(json_t *o, struct context *c)
{
	struct sched_stats s;

	set(o, "drift", drift(c));
	set(o, "throttle", throttle(c));
	set(o, "delivered", delivered(c));
	set(o, "pressure", pressure(c));
	set(o, "devices", devices(c));
	if (sched_slot_stats(c->manager->sched, c->slot, &s) < 0) {
		return;
	}
	set(o, "memory",
	    json_pack("{s:o, s:o, s:o, s:o, s:o}", "bytes", number(s.memory_bytes), "limit_bytes",
		      number(s.memory_limit_bytes), "peak_bytes", number(s.memory_peak_bytes),
		      "limit_hits", number(s.memory_limit_hits), "oom_kills", number(s.oom_kills)));
	set(o, "processes",
	    json_pack("{s:o, s:o, s:o}", "count", number(s.pids), "limit", number(s.pids_limit),
		      "limit_hits", number(s.pids_limit_hits)));
}

/* --- what it waits for: all that is known of it as a service is in the summary already --- */

static void add_text(json_t *array, const char *fmt, const char *what)
{
	char text[512];

	(void) snprintf(text, sizeof(text), fmt, what);
	(void) json_array_append_new(array, json_string(text));
}

static void add_waits(json_t *o, const struct context *c)
{
	const char *condition = json_string_value(json_object_get(o, "waits_for"));
	json_t *waits = json_array();
	char in[UNITS_TEXT_MAX];
	uint64_t in_us;

	if (c->state == LIFE_STARTING) {
		add_text(waits, "%s to begin", "its command");
	} else if (c->state == LIFE_STOPPING) {
		add_text(waits, "%s to end", "its processes");
	} else if (c->state == LIFE_FROZEN) {
		add_text(waits, "%s", "a thaw");
	}
	if (condition) {
		add_text(waits, "its readiness: %s", condition);
	}
	if (again_in(c, &in_us)) {
		add_text(waits, "its restart, in %s", units_print_duration(in_us, in));
	}
	set(o, "waits_for", waits);
}

static json_t *file_errors(struct manager *m, const struct context *c)
{
	struct spec_errors errors = {};
	json_t *lines = json_array();

	if (c->broken && manager_explain(m, c->name, &errors) < 0) {
		for (size_t i = 0; i < errors.lines.count; i++) {
			(void) json_array_append_new(lines, json_string(errors.lines.items[i]));
		}
	}
	spec_errors_done(&errors);
	return lines;
}

json_t *context_why(struct manager *m, struct context *c)
{
	json_t *o = context_summary(m, c);
	struct story s;

	if (!o) {
		return NULL;
	}
	set(o, "errors", file_errors(m, c));
	set(o, "declared", json_boolean(c->declared != NULL));
	set(o, "exit", exit_to_json(&c->exit)); /* also of the last time, while it runs */
	add_waits(o, c);
	if (c->id.pid && c->active) {
		add_now(o, c);
	}
	read_story(m, c->name, &s);
	add_story(o, &s);
	story_done(&s);
	return o;
}

json_t *manager_why_gone(struct manager *m, const char *name)
{
	json_t *o = NULL;
	struct story s;

	read_story(m, name, &s);
	if (json_array_size(s.recent)) {
		o = json_pack("{s:s, s:s}", "name", name, "state", "gone");
		add_story(o, &s);
	}
	story_done(&s);
	return o;
}

/* --- the nearest name --- */

struct names {
	const char **items;
	size_t count, max;
};

static void add_name(struct context *c, void *arg)
{
	struct names *n = arg;

	if (n->count < n->max) {
		n->items[n->count++] = c->name;
	}
}

const char *manager_nearest(struct manager *m, const char *name)
{
	struct names n = { .items = calloc(m->context_count + 1, sizeof(*n.items)),
			   .max = m->context_count };
	const char *near;

	if (!n.items) {
		return NULL;
	}
	registry_each(m, add_name, &n);
	near = suggest_nearest(name, n.items, n.count);
	free(n.items);
	return near;
}
