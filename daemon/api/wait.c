/* GET /v1/contexts/NAME/wait: held back until it stops, is ready, ends, or an event comes. With
 * ?after=SEQ what happened since counts, so nothing is missed between two calls. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/api/private.h"

#define KINDS_MAX 8

struct wait {
	struct http_request *request;
	struct api *api;
	struct events_cursor cursor;
	struct event_filter filter;
	const char *names[1], *kinds[KINDS_MAX];
	size_t wanted; /* so many of the kinds are what is waited for; others end it in vain */
	sd_event_source *look; /* from the loop: whoever adds an event is in the middle of things */
	bool gone; /* the context is: only what happened counts */
	json_t *found; /* the event */
	bool vain;
};

static void on_event(void *arg)
{
	struct wait *w = arg;

	(void) sd_event_source_set_enabled(w->look, SD_EVENT_ONESHOT);
}

static void wait_free(struct wait *w)
{
	events_unwatch(manager_events(w->api->manager), on_event, w);
	sd_event_source_disable_unref(w->look);
	json_decref(w->found);
	free(w);
}

static void on_cancel(void *arg)
{
	wait_free(arg);
}

static bool take(void *arg, const struct event *ev)
{
	struct wait *w = arg;

	if (ev->lost)
		return true;
	if (w->found)
		return false;
	w->found = json_loadb(ev->line, ev->len, 0, NULL);
	w->vain = true;
	for (size_t i = 0; i < w->wanted; i++)
		w->vain &= !event_is(ev, w->kinds[i]);
	return true;
}

/* @event borrowed; NULL: it was so already. */
static void reply(struct http_request *r, const json_t *event)
{
	struct manager *m = api_of(r)->manager;
	struct context *c = manager_find(m, r->name);
	json_t *o = c ? context_summary(m, c)
		      : json_pack("{s:s, s:s}", "name", r->name, "state", "stopped");
	json_int_t seq = event ? json_integer_value(json_object_get(event, "seq"))
			       : (json_int_t) events_last(manager_events(m));

	if (o) {
		(void) json_object_set_new(o, "seq", json_integer(seq));
		(void) json_object_set_new(o, "event",
					   event ? json_incref((json_t *) event) : json_null());
	}
	http_reply_json(r, 200, o);
}

static void reply_vain(struct http_request *r, const json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "kind"));
	json_int_t seq = json_integer_value(json_object_get(event, "seq"));

	(void) err_set(&r->err, -EBUSY,
		       "waiting for %s to be %s: it %s instead (event %lld); \"why\" tells more",
		       r->name, r->query.event, kind ?: "ended", (long long) seq);
	http_reply_refused(r);
}

/* It ended before it was ready, but is on its way again. */
static bool goes_on(const struct wait *w)
{
	const struct context *c = manager_find(w->api->manager, w->request->name);

	return w->found && w->vain && c && (context_is_running(c) || context_will_restart(c));
}

/* @return whether it was answered; then `w` is gone. */
static bool look(struct wait *w)
{
	struct events *events = manager_events(w->api->manager);
	struct http_request *r = w->request;
	bool more;

	do {
		json_decref(TAKE_PTR(w->found));
		more = events_walk(events, &w->cursor, &w->filter, take, w);
	} while (goes_on(w) || (more && w->gone && !w->found));
	if (!w->found) {
		if (more) /* much to look at: go on later */
			on_event(w);
		return false;
	}
	if (w->vain)
		reply_vain(r, w->found);
	else
		reply(r, w->found);
	wait_free(w);
	return true;
}

static int on_look(sd_event_source *source, void *arg)
{
	(void) source;
	(void) look(arg);
	return 0;
}

/* --- what is waited for --- */

static void add_kind(struct wait *w, const char *kind)
{
	w->kinds[w->filter.kind_count++] = kind;
}

static void choose_kinds(struct wait *w, const struct context *c)
{
	const char *event = w->request->query.event;

	if (!strcmp(event, "exit")) {
		add_kind(w, EVENT_EXITED);
		add_kind(w, EVENT_FAILED);
	} else {
		add_kind(w, event);
	}
	if (!strcmp(event, EVENT_READY) && c && !context_says_ready(c))
		add_kind(w, EVENT_STARTED); /* with that it is */
	w->wanted = w->filter.kind_count;
	if (!strcmp(event, EVENT_READY)) {
		add_kind(w, EVENT_EXITED);
		add_kind(w, EVENT_FAILED);
		add_kind(w, EVENT_GAVE_UP);
	}
	if (strcmp(event, EVENT_DELETED) != 0)
		add_kind(w, EVENT_DELETED);
}

/* Whether it is so already, and no event needs to be looked for. */
static bool is_so(const struct http_request *r, const struct context *c)
{
	if (!strcmp(r->query.event, EVENT_READY))
		return context_is_ready(c);
	return !strcmp(r->query.event, "exit") && !(r->query.given & REQUEST_QUERY_AFTER) &&
	       !context_is_running(c);
}

static struct wait *wait_new(struct http_request *r, const struct context *c)
{
	struct api *a = api_of(r);
	struct events *events = manager_events(a->manager);
	struct wait *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->request = r;
	w->api = a;
	w->names[0] = r->name;
	w->filter = (struct event_filter){ .contexts = w->names, .context_count = 1,
					   .kinds = w->kinds };
	w->cursor.seq = r->query.given & REQUEST_QUERY_AFTER ? r->query.after : events_last(events);
	w->gone = !c;
	choose_kinds(w, c);
	if (sd_event_add_defer(a->loop, &w->look, on_look, w) < 0 ||
	    sd_event_source_set_enabled(w->look, SD_EVENT_OFF) < 0 ||
	    events_watch(events, &w->filter, on_event, w) < 0) {
		wait_free(w);
		return NULL;
	}
	return w;
}

static void wait_event(struct http_request *r)
{
	struct context *c = manager_find(api_of(r)->manager, r->name);
	struct wait *w;

	if (c && is_so(r, c))
		return reply(r, NULL);
	if (!c && !(r->query.given & REQUEST_QUERY_AFTER)) {
		(void) api_context(r); /* says why there is none */
		return;
	}
	w = wait_new(r, c);
	if (!w) {
		(void) err_set_errno(&r->err, -ENOMEM, "waiting for %s", r->name);
		return http_reply_refused(r);
	}
	if (look(w))
		return;
	if (w->gone) {
		wait_free(w);
		(void) api_context(r);
		return;
	}
	http_suspend(r, on_cancel, w);
}

void api_wait(struct http_request *r)
{
	if (r->query.event)
		wait_event(r);
	else
		api_wait_stopped(r);
}
