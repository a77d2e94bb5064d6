/* GET /v1/events: the ring as JSON lines. A reader holds one line at most; what it was too slow
 * for is gone, and the numbers show the gap. An owner reads what is about contexts of theirs. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/api/private.h"

struct reader {
	struct http_request *request;
	struct events *events;
	uint64_t seq;
	bool follow;
	char *line; /* begun, not yet all taken: the ring may drop it meanwhile */
	size_t at;
};

static void on_event(void *arg)
{
	struct reader *s = arg;

	http_stream_wake(s->request);
}

static size_t take(struct reader *s, char *out, size_t size)
{
	size_t n = strnlen(s->line + s->at, size);

	memcpy(out, s->line + s->at, n);
	s->at += n;
	if (!s->line[s->at]) {
		free(TAKE_PTR(s->line));
		s->at = 0;
	}
	return n;
}

static bool is_for(const struct reader *s, const char *line)
{
	char name[SPEC_NAME_MAX + 1];
	const struct context *c;

	if (s->request->peer.uid == 0)
		return true;
	if (!events_context(line, name, sizeof(name)))
		return false;
	c = manager_find(api_of(s->request)->manager, name);
	return c && api_sees(s->request, c);
}

static ssize_t read_events(void *arg, char *out, size_t size)
{
	struct reader *s = arg;
	size_t done = s->line ? take(s, out, size) : 0;

	while (done < size) {
		uint64_t seq;
		const char *line = events_next(s->events, s->seq, &seq);
		size_t len = line ? strlen(line) : 0;

		if (!line)
			break;
		s->seq = seq;
		if (!is_for(s, line))
			continue;
		if (len <= size - done) {
			memcpy(out + done, line, len);
			done += len;
			continue;
		}
		s->line = strdup(line);
		if (!s->line)
			return -1;
		done += take(s, out + done, size - done);
	}
	return done || s->follow ? (ssize_t) done : -1;
}

static void free_reader(void *arg)
{
	struct reader *s = arg;

	events_unwatch(s->events, on_event, s);
	free(s->line);
	free(s);
}

void api_events(struct http_request *r)
{
	static const struct http_stream_ops ops = { read_events, free_reader };
	struct reader *s = calloc(1, sizeof(*s));

	if (!s) {
		(void) err_set_errno(&r->err, -ENOMEM, "reading events");
		return http_reply_refused(r);
	}
	*s = (struct reader){ .request = r,
			      .events = manager_events(api_of(r)->manager),
			      .seq = r->query.after,
			      .follow = r->query.follow };
	if (s->follow && events_watch(s->events, on_event, s) < 0) {
		free(s);
		(void) err_set_errno(&r->err, -ENOMEM, "following events");
		return http_reply_refused(r);
	}
	http_reply_stream(r, "application/x-ndjson", &ops, s);
}
