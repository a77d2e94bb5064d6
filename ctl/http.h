/* The reply side of HTTP/1.1 as a pure machine: bytes in, status and body out, every size bounded.
 *
 * It trusts nothing of the peer: lines, their number, chunk and body sizes have maxima, and what
 * is not plain HTTP/1.1 is refused. It makes no system call: tests and fuzzers feed it memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define HTTP_LINE_MAX 4096 /* a status line, a header, a chunk size */
#define HTTP_LINES_MAX 128 /* of the head and the trailer of one reply together */

enum http_state {
	HTTP_STATUS_LINE,
	HTTP_HEADER,
	HTTP_BODY_LENGTH,
	HTTP_BODY_UNTIL_CLOSE,
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK_DATA,
	HTTP_CHUNK_END,
	HTTP_TRAILER,
	HTTP_DONE,
	HTTP_UPGRADED, /* 101: what follows is not HTTP */
	HTTP_STATE_COUNT
};

struct http_reply {
	enum http_state state;
	int status;
	bool chunked, close, has_length;
	uint64_t left; /* bytes still to come of the body or the chunk */
	unsigned lines;
	size_t line_len;
	char line[HTTP_LINE_MAX];
};

/** Takes a piece of the body. @return 0, or -errno to end the conversation. */
typedef int (*http_sink)(void *arg, const char *data, size_t len);

void http_reply_init(struct http_reply *r);

/**
 * Feeds what was received. Stops behind the end of the reply: the rest belongs to whatever
 * follows (the next reply, or the lines after an upgrade).
 * @return bytes taken (<= len), or -EPROTO, -EMSGSIZE, or what the sink returned.
 */
[[nodiscard]] ssize_t http_reply_feed(struct http_reply *r, const char *data, size_t len,
				      http_sink sink, void *arg, struct err *e);

/** Whether the reply is complete (or the upgrade happened). */
bool http_reply_complete(const struct http_reply *r);

/** The peer closed. @return 0 when that ends the reply properly, else -ECONNRESET. */
[[nodiscard]] int http_reply_end(struct http_reply *r, struct err *e);
