/* GET /v1/events: what happened, as JSON lines. A reader holds a number and at most one line; what
 * it was too slow for comes from disk, and what is no longer there is told as lost. An owner reads
 * what is about contexts of theirs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/api/private.h"

static uint64_t reads; /* counts them */

struct reader {
	struct http_request *request;
	struct events *events;
	struct events_cursor cursor;
	struct event_filter filter;
	bool follow;
	sd_event_source *again; /* much did not match: go on from the loop */
	char *line; /* begun, longer than what was asked for */
	size_t at;
	/* while libmicrohttpd asks */
	char *out;
	size_t size, done;
};

static void on_event(void *arg)
{
	struct reader *s = arg;

	http_stream_wake(s->request);
}

static int on_again(sd_event_source *source, void *arg)
{
	(void) source;
	on_event(arg);
	return 0;
}

static void put_rest(struct reader *s)
{
	size_t n = strnlen(s->line + s->at, s->size - s->done);

	memcpy(s->out + s->done, s->line + s->at, n);
	s->done += n;
	s->at += n;
	if (!s->line[s->at]) {
		free(TAKE_PTR(s->line));
		s->at = 0;
	}
}

/* Whether the reader may see what is about this context. Found out once a read, for contexts come,
 * go and change hands. */
static bool may_see(const struct reader *s, const struct event *ev)
{
	static struct verdict {
		uint64_t read;
		char name[SPEC_NAME_MAX + 1];
		bool sees;
	} known[64];
	const struct context *c;
	struct verdict *v;
	unsigned hash = 0;

	if (s->request->peer.uid == 0 || ev->lost)
		return true;
	if (!ev->context || ev->context_len > SPEC_NAME_MAX)
		return false;
	for (size_t i = 0; i < ev->context_len; i++)
		hash = hash * 31 + (unsigned char) ev->context[i];
	v = &known[hash % ARRAY_SIZE(known)];
	if (v->read == reads && event_of(ev, v->name))
		return v->sees;
	v->read = reads;
	(void) snprintf(v->name, sizeof(v->name), "%.*s", (int) ev->context_len, ev->context);
	c = manager_find(api_of(s->request)->manager, v->name);
	v->sees = c && api_sees(s->request, c);
	return v->sees;
}

static bool take(void *arg, const struct event *ev)
{
	struct reader *s = arg;

	if (!may_see(s, ev))
		return true;
	if (s->line || (s->done && ev->len > s->size - s->done))
		return false;
	if (ev->len <= s->size) {
		memcpy(s->out + s->done, ev->line, ev->len);
		s->done += ev->len;
		return true;
	}
	s->line = strndup(ev->line, ev->len);
	if (s->line)
		put_rest(s);
	return s->line != NULL;
}

static ssize_t read_events(void *arg, char *out, size_t size)
{
	struct reader *s = arg;
	bool more = false;

	reads++;
	s->out = out;
	s->size = size;
	s->done = 0;
	if (s->line)
		put_rest(s);
	if (!s->line)
		more = events_walk(s->events, &s->cursor, &s->filter, take, s);
	if (s->done)
		return (ssize_t) s->done;
	if (more)
		return sd_event_source_set_enabled(s->again, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
	return s->follow ? 0 : -1;
}

static void free_reader(void *arg)
{
	struct reader *s = arg;

	events_unwatch(s->events, on_event, s);
	sd_event_source_disable_unref(s->again);
	free(s->line);
	free(s);
}

/* Where the request wants to begin. */
static uint64_t begin_at(struct reader *s, const struct request_query *q)
{
	uint64_t seq = q->given & REQUEST_QUERY_AFTER ? q->after : events_oldest(s->events), tail;

	if (!(q->given & REQUEST_QUERY_LAST))
		return seq;
	tail = events_tail(s->events, &s->filter, q->last);
	return tail > seq ? tail : seq;
}

void api_events(struct http_request *r)
{
	static const struct http_stream_ops ops = { read_events, free_reader };
	const struct request_query *q = &r->query;
	struct reader *s = calloc(1, sizeof(*s));
	int code = s ? 0 : -ENOMEM;

	if (s) {
		*s = (struct reader){ .request = r,
				      .events = manager_events(api_of(r)->manager),
				      .filter = { q->contexts.items, q->kinds.items,
						  q->contexts.count, q->kinds.count, q->since },
				      .follow = q->follow };
		s->cursor.seq = begin_at(s, q);
		code = sd_event_add_defer(api_of(r)->loop, &s->again, on_again, s);
	}
	if (code >= 0)
		code = sd_event_source_set_enabled(s->again, SD_EVENT_OFF);
	if (code >= 0 && s->follow)
		code = events_watch(s->events, &s->filter, on_event, s);
	if (code < 0) {
		if (s)
			free_reader(s);
		(void) err_set_errno(&r->err, code, "reading events");
		return http_reply_refused(r);
	}
	http_reply_stream(r, "application/x-ndjson", &ops, s);
}
