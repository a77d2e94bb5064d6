/* Numbered events: a bounded ring in memory for readers who keep up, the history on disk behind it
 * (history.h) for those who do not. An event is on disk before anybody is told of it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/history.h"

/* The ring: lines and bytes. */
#define EVENTS_MAX 2048
#define EVENTS_RING_BYTES (256u << 10)
/** The longest line; of an event that would be longer the details are left out ("cut": true). */
#define EVENTS_LINE_MAX 8192

/* Every kind there is, and its details. */
#define EVENT_STARTED "started" /* pid, start: names this start; exited and failed repeat it */
#define EVENT_READY "ready"
#define EVENT_EXITED "exited" /* exit, start */
#define EVENT_FAILED "failed" /* exit, start: it never ran */
#define EVENT_STOPPING "stopping"
#define EVENT_FROZEN "frozen"
#define EVENT_THAWED "thawed"
#define EVENT_CHANGED "changed" /* keys */
#define EVENT_DECLARED "declared"
#define EVENT_DELETED "deleted"
#define EVENT_OOM "oom" /* choice, kills, limit_bytes, peak_bytes, start, victim {pid, command} */
#define EVENT_THROTTLED "throttled" /* limit, periods, throttled_periods, throttled_us: just now */
#define EVENT_UNTHROTTLED "unthrottled" /* for_us */
#define EVENT_BREACH "breach" /* resource, promised_millicpu, delivered_millicpu, over_us */
#define EVENT_LIMIT "limit" /* what: "pids" or "memory", hits, limit */
#define EVENT_STATUS "status" /* text: what it says of itself */
#define EVENT_UNHEALTHY "unhealthy"
#define EVENT_HEALTHY "healthy"
#define EVENT_WATCHDOG "watchdog"
#define EVENT_RESTARTING "restarting" /* in_us, count */
#define EVENT_GAVE_UP "gave-up" /* text: no more restarts */
#define EVENT_DENIED "denied" /* uid, pid, action, text */
#define EVENT_ACTION "action" /* uid, pid, action */

/** One line, taken apart. Strings are borrowed and end where their length says. */
struct event {
	const char *line; /* with its "\n" */
	size_t len;
	uint64_t seq, time_us;
	const char *kind, *context; /* context NULL: of the daemon itself */
	size_t kind_len, context_len;
	uint64_t lost_after; /* of kind "lost": see events_walk() */
	bool lost;
};

/** Takes a line of ours apart. @return false for anything else. */
bool event_parse(const char *line, size_t len, struct event *ret);
bool event_is(const struct event *ev, const char *kind);
bool event_of(const struct event *ev, const char *context);

/** What a reader wants; counts of 0 mean all. Borrows its strings. */
struct event_filter {
	const char *const *contexts, *const *kinds;
	size_t context_count, kind_count;
	uint64_t since_us;
};
bool event_matches(const struct event *ev, const struct event_filter *f);

struct events;

/** @history taken over; NULL: nothing is kept and numbers begin at 1. */
[[nodiscard]] int events_new(struct history *history, struct events **ret);
void events_free(struct events *e);
/**
 * Adds {"seq", "time" (us since epoch), "kind", "context", ...detail}.
 * @kind one of those above or of other parts; @context may be NULL; @detail an object, consumed,
 * or NULL. @return its number.
 */
uint64_t events_add(struct events *e, const char *kind, const char *context, json_t *detail);
/** The number of the latest event, 0 when there is none. */
uint64_t events_last(const struct events *e);
/** The number before the oldest event that is kept: where to read all there is from. */
uint64_t events_oldest(const struct events *e);

/** Where a reader stands: behind `seq`. The rest is private. */
struct events_cursor {
	uint64_t seq;
	struct history_cursor disk;
};
/**
 * Shows the events behind the cursor, in order, to `take`, until it says false (that event is not
 * taken) or there are none. Numbers that are no longer there come as one event of kind "lost",
 * {"kind": "lost", "after": N, "until": M}: N+1 to M. Looks at a bounded number of bytes.
 * @filter NULL: all. What does not match is passed over; "lost" always matches.
 * @return true when the bound was reached before the end: to be called again, later.
 */
bool events_walk(struct events *e, struct events_cursor *c, const struct event_filter *filter,
		 bool (*take)(void *arg, const struct event *ev), void *arg);
/** The number behind which the last `count` matching events begin. */
uint64_t events_tail(struct events *e, const struct event_filter *filter, uint64_t count);

typedef void (*events_wake)(void *arg); /* something that matches was added */
/** Registers a reader to be woken; remove with the same arguments. @filter borrowed until then;
 * NULL: all. */
[[nodiscard]] int events_watch(struct events *e, const struct event_filter *filter,
			       events_wake wake, void *arg);
void events_unwatch(struct events *e, events_wake wake, void *arg);
