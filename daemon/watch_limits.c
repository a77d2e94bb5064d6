/* Throttling and limits that are hit, as events. */
#include "daemon/watch_limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "daemon/tell.h"

#define SECOND_US UINT64_C(1000000)
#define TICK_US (5 * SECOND_US)
#define TICK_SLACK_US SECOND_US
#define QUIET_TICKS 2 /* without throttling, until it is over */
#define WARM_TICKS 3 /* without throttling, until it is looked at seldom: */
#define COLD_EVERY 6 /* one tick of so many; also at what the kernel does not tell of */
#define SAY_AGAIN_US (10 * SECOND_US) /* a limit that is hit all the time */
#define FLIPS_MAX 512 /* until the journal is written anew, without them */

struct limit_watch {
	LIST_ENTRY(limit_watch) link;
	struct context *context;
	bool cpu; /* has a limit of it */
	bool timed; /* counted in limits.timed: something needs the timer */
	unsigned quiet; /* ticks */
	unsigned flips;
	uint64_t throttled_since_us; /* 0: it is not */
	struct sched_throttle last;
	struct limit_file {
		int fd; /* -1: not watched */
		sd_event_source *source; /* NULL: looked at now and then */
		uint64_t hits;
	} files[2]; /* of processes, of memory */
};
LIST_HEAD(limit_watch_list, limit_watch);

struct limits {
	struct limit_watch_list list;
	unsigned timed, tick;
	sd_event_source *timer;
};

static uint64_t now_us(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t) ts.tv_sec * SECOND_US + (uint64_t) ts.tv_nsec / 1000;
}

uint64_t limits_throttled(const struct context *c)
{
	return c->limits ? c->limits->throttled_since_us : 0;
}

/* --- CPU --- */

static void note_flip(struct limit_watch *w)
{
	struct err e = {};

	if (++w->flips % FLIPS_MAX == 0 && journal_rewrite(w->context, &e) < 0) {
		log_warning("%s", e.text);
	}
}

static void tell_throttled(struct limit_watch *w, const struct sched_throttle *t)
{
	const struct context *c = w->context;
	char limit[UNITS_TEXT_MAX];

	w->throttled_since_us = now_us();
	tell_fact(w->context, EVENT_THROTTLED,
		  json_pack("{s:s, s:I, s:I, s:I}", "limit",
			    units_print_cpu(c->active->cpu.limit_millicpu, limit), "periods",
			    (json_int_t) (t->periods - w->last.periods), "throttled_periods",
			    (json_int_t) (t->throttled_periods - w->last.throttled_periods),
			    "throttled_us",
			    (json_int_t) (t->throttled_us - w->last.throttled_us)));
	note_flip(w);
}

static void tell_unthrottled(struct limit_watch *w)
{
	uint64_t now = now_us(), since = w->throttled_since_us;

	w->throttled_since_us = 0;
	tell_fact(w->context, EVENT_UNTHROTTLED,
		  json_pack("{s:I}", "for_us", (json_int_t) (now > since ? now - since : 0)));
	note_flip(w);
}

static void look_at_cpu(struct limit_watch *w)
{
	const struct context *c = w->context;
	struct sched_throttle t;

	if (sched_slot_throttle(c->manager->sched, c->slot, &t) < 0) {
		return;
	}
	if (t.throttled_periods > w->last.throttled_periods) {
		w->quiet = 0;
		if (!w->throttled_since_us) {
			tell_throttled(w, &t);
		}
	} else if (++w->quiet >= QUIET_TICKS && w->throttled_since_us) {
		tell_unthrottled(w);
	}
	w->last = t;
}

static void watch_cpu(struct limit_watch *w, bool wanted)
{
	if (wanted && !w->cpu) {
		w->quiet = 0;
	} else if (!wanted && w->throttled_since_us) {
		tell_unthrottled(w);
	}
	w->cpu = wanted;
}

/* --- limits that the kernel tells of --- */

static void tell_hits(const struct limit_watch *w, struct limit_file *f)
{
	const struct context *c = w->context;
	bool pids = f == &w->files[0];
	uint64_t hits = 0, limit = pids ? c->active->process.limit : c->active->memory.limit;
	json_t *o;

	if (sched_events_read(f->fd, &hits) < 0 || hits <= f->hits) {
		return;
	}
	f->hits = hits;
	o = json_pack("{s:s, s:I}", "what", pids ? "pids" : "memory", "hits", (json_int_t) hits);
	if (o && limit <= INT64_MAX) {
		(void) json_object_set_new(o, "limit", json_integer((json_int_t) limit));
	}
	(void) events_add(c->manager->events, EVENT_LIMIT, c->name, o);
}

static int on_hit(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct limit_watch *w = userdata;

	(void) source;
	(void) revents;
	tell_hits(w, &w->files[fd == w->files[1].fd]);
	return 0;
}

static void watch_file(struct limit_watch *w, size_t i)
{
	static const char *const names[] = { "pids", "memory" };
	struct manager *m = w->context->manager;
	struct limit_file *f = &w->files[i];
	bool notifies;
	int r;

	if (f->fd >= 0) {
		return;
	}
	f->fd = sched_slot_events_open(m->sched, w->context->slot, names[i], &notifies);
	if (f->fd < 0) { /* nothing counts it */
		return;
	}
	(void) !sched_events_read(f->fd, &f->hits); /* from now on */
	if (!notifies) {
		return;
	}
	r = sd_event_add_io(m->loop, &f->source, f->fd, EPOLLPRI, on_hit, w);
	if (r >= 0) {
		r = sd_event_source_set_ratelimit(f->source, SAY_AGAIN_US, 2);
	}
	if (r < 0) {
		log_warning("%s: watching its limit of %s: %s", w->context->name, names[i],
			    strerror(-r));
	}
}

/* --- both --- */

static bool polled(const struct limit_watch *w)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(w->files); i++) {
		any |= w->files[i].fd >= 0 && !w->files[i].source;
	}
	return any;
}

static void look(struct limit_watch *w, bool cold_turn)
{
	if (w->cpu && (cold_turn || w->quiet < WARM_TICKS || w->throttled_since_us)) {
		look_at_cpu(w);
	}
	for (size_t i = 0; cold_turn && i < ARRAY_SIZE(w->files); i++) {
		if (w->files[i].fd >= 0 && !w->files[i].source) {
			tell_hits(w, &w->files[i]);
		}
	}
}

static int on_tick(sd_event_source *source, uint64_t now, void *userdata)
{
	struct limits *l = userdata;
	struct limit_watch *w;

	(void) now;
	l->tick++;
	LIST_FOREACH(w, &l->list, link) {
		look(w, (l->tick + w->context->slot) % COLD_EVERY == 0);
	}
	(void) sd_event_source_set_time_relative(source, TICK_US);
	return sd_event_source_set_enabled(source, l->timed ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static void use_timer(struct limit_watch *w)
{
	struct limits *l = w->context->manager->limits;
	bool timed = w->cpu || polled(w);

	l->timed += (unsigned) timed - (unsigned) w->timed;
	w->timed = timed;
	if (timed && l->timed == 1) {
		(void) sd_event_source_set_time_relative(l->timer, TICK_US);
		(void) sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
	}
}

static struct limit_watch *watch_new(struct context *c, bool throttled)
{
	struct limit_watch *w = calloc(1, sizeof(*w));

	if (!w) {
		return NULL;
	}
	w->context = c;
	w->throttled_since_us = throttled ? now_us() : 0;
	if (now_us() - c->started_us > SECOND_US) { /* not new: what was before was told before */
		(void) !sched_slot_throttle(c->manager->sched, c->slot, &w->last);
	}
	for (size_t i = 0; i < ARRAY_SIZE(w->files); i++) {
		w->files[i].fd = -1;
	}
	LIST_INSERT_HEAD(&c->manager->limits->list, w, link);
	return w;
}

void limits_watch(struct context *c, bool throttled)
{
	bool cpu = c->active->cpu.limit_millicpu != UNITS_NONE;

	if (c->state == LIFE_STOPPED || (c->throwaway && !cpu && !c->limits)) {
		return; /* a throwaway comes and goes: it pays for what it asks for only */
	}
	if (!c->limits) {
		c->limits = watch_new(c, throttled);
	}
	if (!c->limits) {
		log_warning("%s: watching its limits: out of memory", c->name);
		return;
	}
	watch_cpu(c->limits, cpu);
	if (!c->throwaway) {
		watch_file(c->limits, 0);
		if (c->active->memory.limit != UNITS_NONE) {
			watch_file(c->limits, 1);
		}
	}
	use_timer(c->limits);
}

void limits_last_look(struct context *c)
{
	for (size_t i = 0; c->limits && i < ARRAY_SIZE(c->limits->files); i++) {
		if (c->limits->files[i].fd >= 0) {
			tell_hits(c->limits, &c->limits->files[i]);
		}
	}
}

void limits_unwatch(struct context *c)
{
	struct limit_watch *w = TAKE_PTR(c->limits);
	struct limits *l = c->manager->limits;

	if (!w) {
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(w->files); i++) {
		sd_event_source_disable_unref(w->files[i].source);
		(void) fd_close(w->files[i].fd);
	}
	l->timed -= w->timed;
	LIST_REMOVE(w, link);
	free(w);
}

int limits_init(struct manager *m, struct err *e)
{
	struct limits *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		return err_set(e, -ENOMEM, "watching limits: out of memory");
	}
	m->limits = l;
	r = sd_event_add_time_relative(m->loop, &l->timer, CLOCK_MONOTONIC, 0, TICK_SLACK_US,
				       on_tick, l);
	if (r >= 0) {
		r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	}
	return r < 0 ? err_set_errno(e, r, "watching limits") : 0;
}

void limits_done(struct manager *m)
{
	struct limits *l = TAKE_PTR(m->limits);

	if (!l) {
		return;
	}
	sd_event_source_disable_unref(l->timer);
	free(l);
}
