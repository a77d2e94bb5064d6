/* Numbered events: a bounded ring in memory, read by streams that may be slow. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_MAX 4096 /* older ones are dropped; a reader learns which it lost by the numbers */

struct events;
typedef void (*events_wake)(void *arg); /* something was added */

[[nodiscard]] int events_new(struct events **ret);
void events_free(struct events *e);
/**
 * Adds {"seq", "time" (us since epoch), "kind", "context", ...detail}.
 * @kind "started", "ready", "exited", "stopping", "frozen", "thawed", "changed", "failed",
 * "declared", "deleted", "oom", "status", "unhealthy", "healthy", "watchdog", "restarting",
 * "gave-up"; @context may be NULL; @detail an object, consumed, or NULL.
 */
void events_add(struct events *e, const char *kind, const char *context, json_t *detail);
/** @return the JSON line (with "\n") of the first event after `seq` and its number in *ret_seq;
 * NULL when there is none. Borrowed until the next events_add(). */
const char *events_next(const struct events *e, uint64_t seq, uint64_t *ret_seq);
/** The context that a line of events_next() is about. @return false when it is about none. */
bool events_context(const char *line, char *out, size_t size);
uint64_t events_last(const struct events *e);
/** Registers a reader to be woken; remove with the same arguments. */
[[nodiscard]] int events_watch(struct events *e, events_wake wake, void *arg);
void events_unwatch(struct events *e, events_wake wake, void *arg);
