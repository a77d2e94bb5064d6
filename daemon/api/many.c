/* Handlers that act on many contexts: the reply is a stream of JSON lines, one a context as it is
 * done. And the start of one that is after others, which is a small batch with one answer. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/api/private.h"
#include "daemon/batch.h"

/* --- many --- */

struct many {
	struct http_request *request;
	struct batch *batch; /* NULL: it is over */
	struct buf lines;
	size_t at;
};

static json_t *error_json(const struct err *e)
{
	const char *code = strerrorname_np(-e->code);
	json_t *o = json_pack("{s:s, s:s}", "code", code ?: "EIO", "text", e->text);

	return o ?: json_pack("{s:s, s:s}", "code", "EIO", "text", "(cannot be shown)");
}

static json_t *result_json(struct manager *m, const struct batch_result *r)
{
	json_t *o = json_pack("{s:s, s:s}", "name", r->name, "result", r->result);
	struct context *c = r->error->code ? NULL : manager_find(m, r->name);
	json_t *summary = c ? context_summary(m, c) : NULL;
	json_t *warnings = json_object_get(summary, "warnings");

	if (o)
		(void) json_object_set_new(o, "seq",
					   json_integer(
						   (json_int_t) events_last(manager_events(m))));
	if (o && r->wanted_by)
		(void) json_object_set_new(o, "wanted_by", json_string(r->wanted_by));
	if (o && r->error->code)
		(void) json_object_set_new(o, "error", error_json(r->error));
	if (o && json_array_size(warnings))
		(void) json_object_set(o, "warnings", warnings);
	json_decref(summary);
	return o;
}

static void on_result(void *arg, const struct batch_result *r)
{
	struct many *s = arg;
	json_t *o = result_json(api_of(s->request)->manager, r);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	if (text)
		buf_printf(&s->lines, "%s\n", text);
	else
		s->lines.error = -ENOMEM;
	free(text);
	json_decref(o);
	if (!r->wanted_by && r->error->code == 0)
		api_audit_one(s->request, r->name);
	http_stream_wake(s->request);
}

static void on_done(void *arg)
{
	struct many *s = arg;

	s->batch = NULL;
	http_stream_wake(s->request);
}

static ssize_t read_lines(void *arg, char *out, size_t size)
{
	struct many *s = arg;
	size_t n = s->lines.len - s->at;

	if (s->lines.error)
		return -1;
	if (n == 0)
		return s->batch ? 0 : -1;
	n = n < size ? n : size;
	memcpy(out, s->lines.data + s->at, n);
	s->at += n;
	if (s->at == s->lines.len) {
		buf_done(&s->lines);
		s->lines = (struct buf){};
		s->at = 0;
	}
	return (ssize_t) n;
}

static void free_lines(void *arg)
{
	struct many *s = arg;

	if (s->batch)
		batch_forget(s->batch);
	buf_done(&s->lines);
	free(s);
}

/* An owner may name what is theirs; a set of contexts is what of it is theirs. */
static int permit(struct http_request *r, const struct request_many *q)
{
	for (size_t i = 0; r->peer.uid && i < q->contexts.count; i++) {
		const char *name = q->contexts.items[i];
		const struct context *c = manager_find(api_of(r)->manager, name);

		if (!c || !api_sees(r, c))
			return err_set(&r->err, -EPERM, "uid %u is not an owner of \"%s\"",
				       (unsigned) r->peer.uid, name);
	}
	if (r->peer.uid && q->autostart)
		return err_set(&r->err, -EPERM, "uid %u is not root; owners may not do this",
			       (unsigned) r->peer.uid);
	return 0;
}

typedef int (*begin_many)(struct manager *m, const struct batch_request *q,
			  const struct batch_events *events, void *arg, struct batch **ret,
			  struct err *e);

static void act(struct http_request *r, bool stop)
{
	static const struct http_stream_ops ops = { read_lines, free_lines };
	static const struct batch_events events = { on_result, on_done };
	begin_many begin = stop ? manager_stop_many : manager_start_many;
	struct request_many q;
	struct many *s = NULL;
	int code = request_many(r->body, stop, &q, &r->err);

	if (code >= 0) {
		code = permit(r, &q);
		if (code < 0)
			request_many_done(&q);
	}
	if (code >= 0) {
		const struct batch_request which = { .names = q.contexts.count ? &q.contexts : NULL,
						     .mark = q.mark,
						     .all = q.all,
						     .autostart = q.autostart,
						     .owner = r->peer.uid,
						     .no_wait = r->query.no_wait,
						     .timeout_us = q.timeout_us };

		s = calloc(1, sizeof(*s));
		code = s ? begin(api_of(r)->manager, &which, &events, s, &s->batch, &r->err)
			 : err_set_errno(&r->err, -ENOMEM, "acting on many");
		request_many_done(&q);
	}
	if (code < 0) {
		free(s);
		return api_reply_forbidden(r);
	}
	s->request = r;
	http_reply_stream(r, "application/x-ndjson", &ops, s);
}

void api_start_many(struct http_request *r)
{
	act(r, false);
}

void api_stop_many(struct http_request *r)
{
	act(r, true);
}

/* --- one that is after others --- */

struct one {
	struct http_request *request;
	struct batch *batch;
	json_t *also; /* names of those that were started with it */
	struct err err; /* why it was not */
};

static void on_one_result(void *arg, const struct batch_result *r)
{
	struct one *s = arg;

	if (!r->wanted_by)
		s->err = *r->error;
	else if (r->error->code == 0 && str_equal(r->result, "started"))
		(void) json_array_append_new(s->also, json_string(r->name));
}

static void on_one_done(void *arg)
{
	struct one *s = arg;
	struct http_request *r = s->request;
	struct manager *m = api_of(r)->manager;
	struct context *c = s->err.code ? NULL : manager_find(m, r->name);
	json_t *o = c ? context_summary(m, c) : NULL;

	if (s->err.code) {
		http_reply_error(r, http_status(s->err.code), &s->err, NULL);
	} else {
		(void) json_object_set(o, "also", s->also);
		http_reply_json(r, 200, api_with_seq(r, o));
	}
	json_decref(s->also);
	free(s);
}

static void cancel_one(void *arg)
{
	struct one *s = arg;

	batch_forget(s->batch);
	json_decref(s->also);
	free(s);
}

void api_start_after(struct http_request *r)
{
	static const struct batch_events events = { on_one_result, on_one_done };
	char *names[] = { (char *) r->name, NULL };
	const struct strv only = { names, 1 };
	struct one *s = calloc(1, sizeof(*s));
	int code = -ENOMEM;

	if (s) {
		*s = (struct one){ .request = r, .also = json_array() };
		code = manager_start_many(api_of(r)->manager,
					  &(struct batch_request){ .names = &only,
								   .no_wait = r->query.no_wait },
					  &events, s, &s->batch, &r->err);
	} else {
		(void) err_set_errno(&r->err, code, "starting %s", r->name);
	}
	if (code >= 0)
		return http_suspend(r, cancel_one, s);
	if (s)
		json_decref(s->also);
	free(s);
	http_reply_refused(r);
}
