/* Reads one HTTP/1.1 reply. Everything but body data is a line, so there is one line collector
 * and a function for each kind of line; body data goes straight from the input to the sink. */
#include "ctl/http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HTTP_BODY_MAX (UINT64_C(1) << 40) /* a stream may be long, a length may not overflow */

void http_reply_init(struct http_reply *r)
{
	r->state = HTTP_STATUS_LINE;
	r->status = 0;
	r->chunked = r->close = r->has_length = false;
	r->left = 0;
	r->lines = 0;
	r->line_len = 0;
}

bool http_reply_complete(const struct http_reply *r)
{
	return r->state == HTTP_DONE || r->state == HTTP_UPGRADED;
}

static int bad(struct err *e, const char *what)
{
	return err_set(e, -EPROTO, "reading the daemon's reply: %s", what);
}

static int status_line(struct http_reply *r, struct err *e)
{
	const char *s = r->line;

	if (r->line_len < 12 || strncmp(s, "HTTP/1.", 7) || !isdigit((unsigned char) s[7]) ||
	    s[8] != ' ' || (s[12] != ' ' && s[12] != '\0'))
		return bad(e, "it does not speak HTTP/1.1");
	r->status = 0;
	for (size_t i = 9; i < 12; i++) {
		if (!isdigit((unsigned char) s[i]))
			return bad(e, "the status is not a number");
		r->status = r->status * 10 + (s[i] - '0');
	}
	if (r->status < 100)
		return bad(e, "the status is out of range");
	if (s[7] == '0')
		r->close = true;
	r->state = HTTP_HEADER;
	return 0;
}

static int content_length(struct http_reply *r, const char *value, struct err *e)
{
	uint64_t n = 0;

	if (r->has_length || !*value)
		return bad(e, "Content-Length is empty or given twice");
	for (; *value; value++) {
		if (!isdigit((unsigned char) *value))
			return bad(e, "Content-Length is not a number");
		n = n * 10 + (uint64_t) (*value - '0');
		if (n > HTTP_BODY_MAX)
			return bad(e, "Content-Length is too large");
	}
	r->has_length = true;
	r->left = n;
	return 0;
}

static int header(struct http_reply *r, struct err *e)
{
	char *colon = memchr(r->line, ':', r->line_len), *value;

	if (!colon || colon == r->line)
		return bad(e, "a header has no name");
	*colon = '\0';
	for (value = colon + 1; *value == ' ' || *value == '\t'; value++)
		;
	for (char *end = r->line + r->line_len; end > value; *--end = '\0')
		if (end[-1] != ' ' && end[-1] != '\t')
			break;
	if (!strcasecmp(r->line, "content-length"))
		return content_length(r, value, e);
	if (!strcasecmp(r->line, "connection") && !strcasecmp(value, "close"))
		r->close = true;
	if (strcasecmp(r->line, "transfer-encoding"))
		return 0;
	if (strcasecmp(value, "chunked") || r->chunked)
		return bad(e, "its Transfer-Encoding is not known");
	r->chunked = true;
	return 0;
}

/* The empty line: decides what the body looks like. */
static int head_end(struct http_reply *r, struct err *e)
{
	if (r->chunked && r->has_length)
		return bad(e, "it has two lengths");
	if (r->status == 101)
		r->state = HTTP_UPGRADED;
	else if (r->status < 200) /* an interim reply; the lines already read still count */
		r->state = HTTP_STATUS_LINE;
	else if (r->status == 204 || r->status == 304 || (r->has_length && !r->left))
		r->state = HTTP_DONE;
	else if (r->chunked)
		r->state = HTTP_CHUNK_SIZE;
	else if (r->has_length)
		r->state = HTTP_BODY_LENGTH;
	else
		r->state = HTTP_BODY_UNTIL_CLOSE;
	return 0;
}

static int chunk_size(struct http_reply *r, struct err *e)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; isxdigit((unsigned char) r->line[i]); i++) {
		char c = r->line[i];

		if (i == 10)
			return bad(e, "a chunk is too large");
		n = n * 16 + (uint64_t) (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	if (!i || (r->line[i] && r->line[i] != ';' && r->line[i] != ' '))
		return bad(e, "a chunk has no size");
	r->left = n;
	r->state = n ? HTTP_CHUNK_DATA : HTTP_TRAILER;
	return 0;
}

static int line_done(struct http_reply *r, struct err *e)
{
	if (r->line_len && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	r->line[r->line_len] = '\0';
	if (memchr(r->line, '\0', r->line_len))
		return bad(e, "a line holds a NUL");
	if (r->state == HTTP_CHUNK_SIZE)
		return chunk_size(r, e);
	if (r->state == HTTP_CHUNK_END) {
		r->state = HTTP_CHUNK_SIZE;
		return r->line_len ? bad(e, "a chunk is longer than it said") : 0;
	}
	if (++r->lines > HTTP_LINES_MAX)
		return err_set(e, -EMSGSIZE, "reading the daemon's reply: too many headers");
	if (r->state == HTTP_STATUS_LINE)
		return status_line(r, e);
	if (r->state == HTTP_TRAILER) {
		if (!r->line_len)
			r->state = HTTP_DONE;
		return 0;
	}
	return r->line_len ? header(r, e) : head_end(r, e);
}

/* Collects up to the end of the line. @return bytes taken or -errno. */
static ssize_t feed_line(struct http_reply *r, const char *data, size_t len, struct err *e)
{
	const char *end = memchr(data, '\n', len);
	size_t n = end ? (size_t) (end - data) : len;
	int ret;

	if (n >= sizeof(r->line) - r->line_len)
		return err_set(e, -EMSGSIZE, "reading the daemon's reply: a line is too long");
	memcpy(r->line + r->line_len, data, n);
	r->line_len += n;
	if (!end)
		return (ssize_t) n;
	ret = line_done(r, e);
	r->line_len = 0;
	return ret < 0 ? ret : (ssize_t) n + 1;
}

static ssize_t feed_data(struct http_reply *r, const char *data, size_t len, http_sink sink,
			 void *arg)
{
	size_t n = len;
	int ret;

	if (r->state != HTTP_BODY_UNTIL_CLOSE && n > r->left)
		n = (size_t) r->left;
	ret = sink ? sink(arg, data, n) : 0;
	if (ret < 0)
		return ret;
	if (r->state == HTTP_BODY_UNTIL_CLOSE)
		return (ssize_t) n;
	r->left -= n;
	if (!r->left)
		r->state = r->state == HTTP_CHUNK_DATA ? HTTP_CHUNK_END : HTTP_DONE;
	return (ssize_t) n;
}

ssize_t http_reply_feed(struct http_reply *r, const char *data, size_t len, http_sink sink,
			void *arg, struct err *e)
{
	size_t taken = 0;

	while (taken < len && !http_reply_complete(r)) {
		ssize_t n;

		if (r->state == HTTP_BODY_LENGTH || r->state == HTTP_BODY_UNTIL_CLOSE ||
		    r->state == HTTP_CHUNK_DATA)
			n = feed_data(r, data + taken, len - taken, sink, arg);
		else
			n = feed_line(r, data + taken, len - taken, e);
		if (n < 0)
			return n;
		taken += (size_t) n;
	}
	return (ssize_t) taken;
}

int http_reply_end(struct http_reply *r, struct err *e)
{
	if (http_reply_complete(r))
		return 0;
	if (r->state == HTTP_BODY_UNTIL_CLOSE) {
		r->state = HTTP_DONE;
		return 0;
	}
	return err_set(e, -ECONNRESET,
		       "the daemon ended or was restarted before its reply was complete; "
		       "contexts run on");
}
