/* What the handlers share: one per row of the table in routes.c. */
#pragma once

#include "daemon/api/api.h"
#include "daemon/api/bound.h"
#include "daemon/http/http.h"
#include "daemon/manager.h"

#define API_SESSIONS_MAX 16384 /* clients attached to a command */
#define API_OWNER_SESSIONS_MAX 64 /* of them of one uid that is not root */

struct api_session;

struct api {
	struct manager *manager; /* borrowed */
	sd_event *loop; /* borrowed */
	struct http *http;
	struct api_session *sessions; /* session.c */
	unsigned session_count;
	struct bound bound; /* audit.c */
	sd_event_source *audit_timer;
	struct http *open; /* metrics for everyone; NULL: not wanted */
	struct api_pages *pages; /* scrape.c */
};

extern const struct http_route api_routes[];
extern const size_t api_route_count;
extern const struct http_route api_open_routes[];
extern const size_t api_open_route_count;

static inline struct api *api_of(const struct http_request *r)
{
	return r->owner;
}

/** The context a request names. @return NULL, having replied 404. */
struct context *api_context(struct http_request *r);
/** Replies with a context's summary, and as "seq" the number of the latest event so far; or 500
 * when memory is out. */
void api_reply_summary(struct http_request *r, unsigned status, struct context *c);

/** Adds "seq": from there on nothing is missed by whoever waits or reads events. @return o. */
json_t *api_with_seq(struct http_request *r, json_t *o);

/* rights.c */
bool api_serves(void *owner, uid_t uid);
size_t api_served(void *owner, const uid_t **ret);
int api_permit(struct http_request *r);
/** Whether a list shows this context to whoever asks. */
bool api_sees(const struct http_request *r, const struct context *c);
/** @return 0, or -EPERM: to be answered with 403. */
[[nodiscard]] int api_may_enter(struct api *a, const struct context *c, uid_t uid, struct err *e);
/** Whether the caller may make these changes. @return 0, or with r->err -EPERM, -EINVAL ... */
[[nodiscard]] int api_may_set(struct http_request *r, const struct context *c);
/** As r->err says, 403 for what is not permitted. */
void api_reply_forbidden(struct http_request *r);
/* audit.c */
[[nodiscard]] int api_audit_init(struct api *a, struct err *e);
void api_audit_done(struct api *a);
void api_concluded(struct http_request *r);
/** An action on one of many contexts: api_concluded() tells of the request as a whole. */
void api_audit_one(struct http_request *r, const char *context);
void api_turned_away(void *owner, const struct http_peer *peer, const char *said, const char *text);

/* look.c */
void api_version(struct http_request *r);
void api_host(struct http_request *r);
void api_list(struct http_request *r);
void api_show(struct http_request *r);
void api_key(struct http_request *r);
void api_processes(struct http_request *r);
void api_plan(struct http_request *r);
void api_context_plan(struct http_request *r);
void api_check(struct http_request *r);
/* budget.c */
void api_budget(struct http_request *r);
void api_what_if(struct http_request *r);
/* stats.c */
void api_stats(struct http_request *r);
void api_stats_all(struct http_request *r);
/* scrape.c */
void api_metrics(struct http_request *r);
void api_metrics_open(struct http_request *r);
void api_pages_done(struct api *a);
/* act.c */
void api_declare(struct http_request *r);
void api_delete(struct http_request *r);
void api_change(struct http_request *r);
void api_reload(struct http_request *r);
void api_start(struct http_request *r);
void api_stop(struct http_request *r);
void api_kill(struct http_request *r);
void api_freeze(struct http_request *r);
void api_thaw(struct http_request *r);
/** GET wait without "event": until it is stopped. */
void api_wait_stopped(struct http_request *r);
/** POST /v1/run with "detach". */
void api_run_detached(struct http_request *r, const struct spec *spec);
/* wait.c, why.c */
void api_wait(struct http_request *r);
void api_why(struct http_request *r);
/* many.c */
void api_start_many(struct http_request *r);
void api_stop_many(struct http_request *r);
/** The start of one that is after others. */
void api_start_after(struct http_request *r);
/* events.c, logs.c */
void api_events(struct http_request *r);
void api_logs(struct http_request *r);
/* session.c */
void api_run(struct http_request *r);
void api_exec(struct http_request *r);
void api_sessions_done(struct api *a);
