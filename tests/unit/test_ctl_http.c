/* The client's reader of HTTP replies: what it takes, what it refuses, in any cut. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ctl/client.h"
#include "ctl/http.h"

static int gather(void *arg, const char *data, size_t len)
{
	struct buf *b = arg;

	buf_add(b, data, len);
	return b->error;
}

/* Feeds in pieces. @return the error, or the bytes taken. */
static ssize_t feed(struct http_reply *r, const char *text, size_t len, size_t piece,
		    struct buf *body)
{
	struct err e = { 0 };
	size_t done = 0;

	http_reply_init(r);
	while (done < len && !http_reply_complete(r)) {
		size_t n = len - done < piece ? len - done : piece;
		ssize_t taken = http_reply_feed(r, text + done, n, gather, body, &e);

		if (taken < 0) {
			assert_true(e.text[0]);
			return taken;
		}
		done += (size_t) taken;
	}
	return (ssize_t) done;
}

struct good {
	const char *text, *body;
	int status;
	size_t left; /* bytes behind the reply that are not taken */
	bool close, until_close;
};

static const struct good goods[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", "hello", 200, 4, false, false },
	{ "HTTP/1.1 200 OK\nContent-Length:5  \n\nhello", "hello", 200, 0, false, false },
	{ "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\nx", "", 204, 1, false, false },
	{ "HTTP/1.1 204\r\n\r\n", "", 204, 0, false, false },
	{ "HTTP/1.1 404 x\r\nCONTENT-LENGTH: 1\r\nConnection: close\r\n\r\ny", "y", 404, 0, true,
	  false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n"
	  "0\r\nTrailer: x\r\n\r\nrest",
	  "abc0123456789", 200, 4, false, false },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", "ok",
	  201, 0, false, false },
	{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: ward\r\n\r\n{\"event\"", "", 101, 8, false,
	  false },
	{ "HTTP/1.0 200 OK\r\n\r\nall of it", "all of it", 200, 0, true, true },
};

static void replies_are_read_however_they_are_cut(void **state)
{
	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++) {
		const struct good *g = &goods[i];
		size_t len = strlen(g->text);

		for (size_t piece = 1; piece <= len; piece++) {
			struct http_reply r;
			struct buf body = { 0 };

			assert_int_equal(feed(&r, g->text, len, piece, &body), len - g->left);
			assert_int_equal(http_reply_end(&r, NULL), 0);
			assert_int_equal(r.status, g->status);
			assert_int_equal(r.close, g->close);
			assert_string_equal(body.data ? body.data : "", g->body);
			buf_done(&body);
		}
	}
}

static void what_is_no_reply_is_refused(void **state)
{
	static const char *const bads[] = {
		"SSH-2.0-OpenSSH\r\n",
		"HTTP/2.0 200 OK\r\n",
		"HTTP/1.1 2x0 OK\r\n",
		"HTTP/1.1 099 OK\r\n",
		"HTTP/1.1 200OK\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n",
		"HTTP/1.1 200 OK\r\n: empty\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		struct http_reply r;
		struct buf body = { 0 };

		if (feed(&r, bads[i], strlen(bads[i]), 7, &body) != -EPROTO)
			fail_msg("taken: %s", bads[i]);
		buf_done(&body);
	}
}

static void sizes_are_bounded(void **state)
{
	struct http_reply r;
	struct buf text = { 0 }, body = { 0 };

	(void) state;
	buf_puts(&text, "HTTP/1.1 200 OK\r\nX: ");
	for (int i = 0; i < HTTP_LINE_MAX; i++)
		buf_puts(&text, "y");
	assert_int_equal(feed(&r, text.data, text.len, 100, &body), -EMSGSIZE);
	buf_done(&text);
	text = (struct buf){ 0 };
	buf_puts(&text, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < HTTP_LINES_MAX; i++)
		buf_puts(&text, "a: b\r\n");
	assert_int_equal(feed(&r, text.data, text.len, 100, &body), -EMSGSIZE);
	buf_done(&text);
	buf_done(&body);
}

static void an_end_in_the_middle_is_an_error(void **state)
{
	static const char *const cut[] = {
		"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
		struct http_reply r;
		struct buf body = { 0 };
		struct err e = { 0 };

		assert_int_equal(feed(&r, cut[i], strlen(cut[i]), 5, &body), strlen(cut[i]));
		assert_int_equal(http_reply_end(&r, &e), -ECONNRESET);
		assert_true(e.text[0]);
		buf_done(&body);
	}
}

static int refuse_body(void *arg, const char *data, size_t len)
{
	(void) arg;
	(void) data;
	(void) len;
	return -EIO;
}

static void a_sink_ends_the_conversation(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	struct http_reply r;

	(void) state;
	http_reply_init(&r);
	assert_int_equal(http_reply_feed(&r, text, strlen(text), refuse_body, NULL, NULL), -EIO);
}

static void a_refusal_becomes_a_sentence_with_lines(void **state)
{
	static const char json[] = "{\"error\": {\"code\": \"EINVAL\", \"text\": \"two errors\", "
				   "\"lines\": [\"a.ini:1: x\", \"a.ini:2: y\"]}}";
	struct buf b = { 0 };
	struct err e = { 0 };

	(void) state;
	buf_puts(&b, json);
	assert_int_equal(client_refusal(400, &b, &e), -EINVAL);
	assert_string_equal(e.text, "two errors\na.ini:1: x\na.ini:2: y");
	buf_done(&b);
	b = (struct buf){ 0 };
	buf_puts(&b, "<html>");
	assert_int_equal(client_refusal(403, &b, &e), -EPERM);
	assert_non_null(strstr(e.text, "403"));
	buf_done(&b);
}

static void many_lines_are_cut_at_a_line(void **state)
{
	struct buf b = { 0 };
	struct err e = { 0 };

	(void) state;
	buf_puts(&b, "{\"error\": {\"text\": \"many\", \"lines\": [\"0\"");
	for (int i = 1; i < 500; i++)
		buf_printf(&b, ", \"line number %d\"", i);
	buf_puts(&b, "]}}");
	assert_int_equal(client_refusal(400, &b, &e), -EINVAL);
	assert_true(strlen(e.text) < sizeof(e.text));
	assert_non_null(strstr(e.text, " more)"));
	buf_done(&b);
}

static void routes_hold_only_names(void **state)
{
	char path[CLIENT_PATH_MAX];
	struct err e = { 0 };

	(void) state;
	assert_int_equal(client_path(path, "web", &e, "/logs?lines=%d", 5), 0);
	assert_string_equal(path, "/v1/contexts/web/logs?lines=5");
	assert_int_equal(client_path(path, "../host", &e, "%s", ""), -EINVAL);
	assert_int_equal(client_path(path, "a/b", &e, "%s", ""), -EINVAL);
	assert_int_equal(client_path(path, "", &e, "%s", ""), -EINVAL);
	assert_int_equal(client_path(path, "a b\r\nX: y", &e, "%s", ""), -EINVAL);
	assert_int_equal(client_path(path, "web", &e, "%0600d", 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read_however_they_are_cut),
		cmocka_unit_test(what_is_no_reply_is_refused),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(an_end_in_the_middle_is_an_error),
		cmocka_unit_test(a_sink_ends_the_conversation),
		cmocka_unit_test(a_refusal_becomes_a_sentence_with_lines),
		cmocka_unit_test(many_lines_are_cut_at_a_line),
		cmocka_unit_test(routes_hold_only_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
