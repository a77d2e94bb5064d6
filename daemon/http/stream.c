/* Streams: libmicrohttpd asks for bytes only when the socket takes some, so a slow reader holds no
 * memory; when there are none the connection sleeps until the source wakes it. */
#include <stdlib.h>

#include "daemon/http/private.h"
#include "daemon/http/stream.h"

#define STREAM_BLOCK 16384

struct http_stream {
	struct http_request *request;
	const struct http_stream_ops *ops;
	void *arg;
	bool asleep, ended;
};

struct http_stream *http_stream_new(struct http_request *r, const struct http_stream_ops *ops,
				    void *arg)
{
	struct http_stream *s = calloc(1, sizeof(*s));

	if (s)
		*s = (struct http_stream){ .request = r, .ops = ops, .arg = arg };
	return s;
}

void http_stream_free(struct http_stream *s)
{
	if (!s)
		return;
	s->ops->free(s->arg);
	free(s);
}

static ssize_t on_read(void *arg, uint64_t offset, char *out, size_t size)
{
	struct http_stream *s = arg;
	ssize_t n;

	(void) offset;
	if (s->ended)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = s->ops->read(s->arg, out, size);
	if (n < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		s->asleep = true;
		http_park(s->request);
	}
	return n;
}

struct MHD_Response *http_stream_response(struct http_stream *s)
{
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_read, s, NULL);
}

void http_stream_wake(struct http_request *r)
{
	struct http_stream *s = r->stream;

	if (!s || !s->asleep)
		return;
	s->asleep = false;
	http_unpark(r);
}

void http_stream_end(struct http_stream *s)
{
	s->ended = true;
	s->asleep = false;
}
