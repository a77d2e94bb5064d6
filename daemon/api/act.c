/* Handlers that act on a context. What takes time suspends the request; the request itself is the
 * manager's callback argument, and is cancelled there when its client goes away. */
#include "daemon/api/private.h"

static void cancel(void *arg)
{
	struct http_request *r = arg;

	manager_cancel(api_of(r)->manager, r);
}

/* The manager took the order, or refused it. */
static void follow_up(struct http_request *r, int code)
{
	if (code < 0)
		http_reply_refused(r);
	else
		http_suspend(r, cancel, r);
}

static void on_started(void *arg, struct context *c, const struct err *e)
{
	struct http_request *r = arg;

	if (e->code)
		http_reply_error(r, http_status(e->code), e, NULL);
	else
		api_reply_summary(r, 200, c);
}

static void on_stopped(void *arg, const struct err *e)
{
	struct http_request *r = arg;
	struct context *c = manager_find(api_of(r)->manager, r->name);

	if (e->code)
		http_reply_error(r, http_status(e->code), e, NULL);
	else if (c)
		api_reply_summary(r, 200, c);
	else /* a throwaway is forgotten as it ends */
		http_reply_json(r, 200,
				api_with_seq(r, json_pack("{s:s, s:s}", "name", r->name, "state",
							  "stopped")));
}

void api_start(struct http_request *r)
{
	struct context *c = api_context(r);

	if (!c)
		return;
	if (context_spec(c) && context_spec(c)->context.after.count)
		api_start_after(r);
	else if (r->query.no_wait)
		follow_up(r, manager_launch(api_of(r)->manager, c, on_started, r, &r->err));
	else
		follow_up(r, manager_start(api_of(r)->manager, c, on_started, r, &r->err));
}

void api_run_detached(struct http_request *r, const struct spec *spec)
{
	follow_up(r, manager_run_detached(api_of(r)->manager, spec, on_started, r, &r->err));
}

void api_stop(struct http_request *r)
{
	struct request_stop q;
	struct context *c;

	if (request_stop(r->body, &q, &r->err) < 0)
		return http_reply_refused(r);
	c = api_context(r);
	if (c)
		follow_up(r, manager_stop(api_of(r)->manager, c, q.timeout_us, on_stopped, r,
					  &r->err));
}

void api_wait_stopped(struct http_request *r)
{
	struct context *c = api_context(r);

	if (c)
		follow_up(r, manager_wait(api_of(r)->manager, c, on_stopped, r, &r->err));
}

/* Done at once: where events stand, or why not. */
static void finish(struct http_request *r, int code)
{
	if (code < 0)
		http_reply_refused(r);
	else
		http_reply_json(r, 200, api_with_seq(r, json_pack("{s:s}", "name", r->name)));
}

void api_kill(struct http_request *r)
{
	struct request_kill q;
	struct context *c;

	if (request_kill(r->body, &q, &r->err) < 0)
		return http_reply_refused(r);
	c = api_context(r);
	if (c)
		finish(r, manager_kill(api_of(r)->manager, c, q.sig, q.all, &r->err));
}

void api_freeze(struct http_request *r)
{
	struct context *c = api_context(r);

	if (c)
		finish(r, manager_freeze(api_of(r)->manager, c, true, &r->err));
}

void api_thaw(struct http_request *r)
{
	struct context *c = api_context(r);

	if (c)
		finish(r, manager_freeze(api_of(r)->manager, c, false, &r->err));
}

void api_delete(struct http_request *r)
{
	struct context *c = api_context(r);

	if (c)
		finish(r, manager_delete(api_of(r)->manager, c, &r->err));
}

void api_change(struct http_request *r)
{
	struct context *c;
	bool restart = false;
	int code;

	if (request_patch(r->body, &r->err) < 0)
		return http_reply_refused(r);
	c = api_context(r);
	if (!c)
		return;
	code = api_may_set(r, c);
	if (code < 0 && code != -ENOENT)
		return api_reply_forbidden(r);
	if (code == 0)
		code = manager_set(api_of(r)->manager, c, r->body, r->query.runtime, &restart,
				   &r->err);
	if (code == -ENOENT)
		http_reply_error(r, 404, &r->err, NULL);
	else if (code < 0)
		http_reply_refused(r);
	else
		http_reply_json(r, 200, api_with_seq(r, json_pack("{s:b}", "restart", restart)));
}

void api_reload(struct http_request *r)
{
	struct manager *m = api_of(r)->manager;
	json_t *report = NULL;
	struct strv names;
	int code;

	if (request_reload(r->body, &names, &r->err) < 0)
		return http_reply_refused(r);
	code = manager_reload(m, names.count ? &names : NULL, r->query.dry, &report, &r->err);
	strv_done(&names);
	if (code == -ENOENT)
		http_reply_error(r, 404, &r->err, NULL);
	else if (code < 0)
		http_reply_refused(r);
	else
		http_reply_json(r, 200, report);
}
