/* The audit: each refusal and each change is an event with uid and pid. Both come from the one
 * place where replies are given (http_config.concluded, .turned_away), so no handler can forget.
 *
 * A refusal costs a stranger nothing, so their number is bounded; what was left out is told later
 * by a timer that is armed only while there is something to tell. */
#include <string.h>

#include "daemon/api/private.h"

#define TELL_US (10 * UINT64_C(1000000))
#define TELL_SLACK_US UINT64_C(1000000)

static uint64_t now_us(const struct api *a)
{
	uint64_t t = 0;

	(void) sd_event_now(a->loop, CLOCK_MONOTONIC, &t);
	return t;
}

static void add(struct api *a, const char *kind, const char *context, json_t *detail)
{
	events_add(manager_events(a->manager), kind, context && *context ? context : NULL, detail);
}

static int on_tell(sd_event_source *s, uint64_t t, void *arg)
{
	struct api *a = arg;
	uint64_t n;
	uid_t uid;

	(void) s;
	(void) t;
	while ((n = bound_drain(&a->bound, &uid)) > 0) {
		json_t *o = json_pack("{s:I, s:s}", "suppressed", (json_int_t) n, "text",
				      "further refusals");

		if (o && uid != (uid_t) -1)
			(void) json_object_set_new(o, "uid", json_integer(uid));
		add(a, "denied", NULL, o);
	}
	return 0;
}

static void tell_later(struct api *a)
{
	int on = SD_EVENT_OFF;

	if (!a->audit_timer)
		return;
	(void) sd_event_source_get_enabled(a->audit_timer, &on);
	if (on != SD_EVENT_OFF)
		return;
	(void) sd_event_source_set_time_relative(a->audit_timer, TELL_US);
	(void) sd_event_source_set_enabled(a->audit_timer, SD_EVENT_ONESHOT);
}

static void denied(struct api *a, const struct http_peer *peer, const char *action,
		   const char *context, const char *text)
{
	uint64_t suppressed = 0;
	json_t *o;

	if (!bound_pass(&a->bound, peer->uid, now_us(a), &suppressed))
		return tell_later(a);
	o = json_pack("{s:I, s:i, s:s, s:s}", "uid", (json_int_t) peer->uid, "pid", (int) peer->pid,
		      "action", action, "text", text);
	if (o && suppressed)
		(void) json_object_set_new(o, "suppressed", json_integer((json_int_t) suppressed));
	add(a, "denied", context, o);
}

/* The route with its names filled in: bounded by the captures, and UTF-8 when the name is valid. */
static void describe(const struct http_request *r, char *out, size_t size)
{
	const char *hole = strstr(r->route->pattern, "{}");

	if (hole && r->subject[0])
		(void) snprintf(out, size, "%s %.*s%s%s", r->route->method,
				(int) (hole - r->route->pattern), r->route->pattern, r->subject,
				hole + 2);
	else
		(void) snprintf(out, size, "%s %s", r->route->method, r->route->pattern);
}

/* Some are POST for the sake of their bodies. */
static bool changes_nothing(const struct http_request *r)
{
	return !strcmp(r->route->method, "GET") || r->route->handler == api_plan ||
	       r->route->handler == api_check || r->query.dry;
}

void api_concluded(struct http_request *r)
{
	bool refused = r->status == 403;
	char action[160];

	if (!r->route || (!refused && (r->status >= 400 || changes_nothing(r))))
		return;
	describe(r, action, sizeof(action));
	if (refused)
		return denied(api_of(r), &r->peer, action, r->subject, r->err.text);
	add(api_of(r), "action", r->subject,
	    json_pack("{s:I, s:i, s:s}", "uid", (json_int_t) r->peer.uid, "pid", (int) r->peer.pid,
		      "action", action));
}

void api_audit_one(struct http_request *r, const char *context)
{
	char action[160];

	describe(r, action, sizeof(action));
	add(api_of(r), "action", context,
	    json_pack("{s:I, s:i, s:s}", "uid", (json_int_t) r->peer.uid, "pid", (int) r->peer.pid,
		      "action", action));
}

void api_turned_away(void *owner, const struct http_peer *peer, const char *said, const char *text)
{
	denied(owner, peer, said, NULL, text);
}

int api_audit_init(struct api *a, struct err *e)
{
	int r = sd_event_add_time_relative(a->loop, &a->audit_timer, CLOCK_MONOTONIC, 0,
					   TELL_SLACK_US, on_tell, a);

	if (r >= 0)
		r = sd_event_source_set_enabled(a->audit_timer, SD_EVENT_OFF);
	if (r < 0)
		return err_set_errno(e, r, "adding the audit's timer");
	bound_init(&a->bound, now_us(a));
	return 0;
}

void api_audit_done(struct api *a)
{
	if (a->audit_timer)
		(void) on_tell(NULL, 0, a); /* what was not told yet */
	a->audit_timer = sd_event_source_disable_unref(a->audit_timer);
}
