/* GET logs: a stream that is read as the client takes it (daemon/log_reader.h), with ?follow=1
 * until the context ends. */
#include "daemon/api/private.h"
#include "daemon/log_reader.h"

static ssize_t read_log(void *arg, char *out, size_t size)
{
	/* less is left only where the request's head filled the connection's memory */
	return size < LOG_PIECE_MIN ? -1 : log_reader_read(arg, out, size);
}

static void free_log(void *arg)
{
	log_reader_free(arg);
}

static void on_more(void *arg)
{
	http_stream_wake(arg);
}

void api_logs(struct http_request *r)
{
	static const struct http_stream_ops ops = { read_log, free_log };
	const struct request_query *given = &r->query;
	const struct log_query q = {
		.lines = given->given & REQUEST_QUERY_LINES ? given->lines : UINT64_MAX,
		.since_us = given->since,
		.until_us = given->until,
		.start = given->start,
		.follow = given->follow,
		.frames = given->frames,
	};
	struct context *c = api_context(r);
	struct log_reader *reader;
	int code;

	if (!c)
		return;
	if (q.follow && q.until_us)
		code = err_set(&r->err, -EINVAL, "?follow and ?until exclude each other");
	else
		code = log_reader_new(api_of(r)->manager, c, &q, on_more, r, &reader, &r->err);
	if (code == -ENOENT)
		http_reply_error(r, 404, &r->err, NULL);
	else if (code < 0)
		http_reply_refused(r);
	else
		http_reply_stream(r, q.frames ? "application/vnd.ward.log" : "text/plain", &ops,
				  reader);
}
