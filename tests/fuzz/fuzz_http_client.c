/* What a daemon can send: the first byte says how the rest is cut. Invariants: nothing crashes,
 * a refusal has a sentence, and the body does not depend on how the reply was cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ctl/client.h"
#include "ctl/http.h"
#include "ctl/stream.h"
#include "ctl/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool truth)
{
	if (!truth)
		abort();
}

static int gather(void *arg, const char *data, size_t len)
{
	struct buf *b = arg;

	buf_add(b, data, len);
	return b->error;
}

/* @return bytes taken or the error. */
static ssize_t feed(struct http_reply *r, const char *text, size_t len, size_t piece,
		    struct buf *body)
{
	struct err e = { 0 };
	size_t done = 0;

	http_reply_init(r);
	while (done < len && !http_reply_complete(r)) {
		size_t n = len - done < piece ? len - done : piece;
		ssize_t taken = http_reply_feed(r, text + done, n, gather, body, &e);

		want(taken >= 0 || e.text[0]);
		want(taken <= (ssize_t) n && taken != 0);
		if (taken < 0)
			return taken;
		done += (size_t) taken;
	}
	return (ssize_t) done;
}

static void try_reply(const char *text, size_t len, size_t piece)
{
	struct buf a = { 0 }, b = { 0 };
	struct http_reply whole, cut;
	struct err e = { 0 };
	ssize_t n = feed(&whole, text, len, len, &a), m = feed(&cut, text, len, piece, &b);

	want((n < 0) == (m < 0) && (n < 0 || n == m));
	want(a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len)));
	if (n >= 0)
		want(whole.status == cut.status && whole.state == cut.state);
	if (n >= 0 && whole.status >= 400)
		want(client_refusal(whole.status, &a, &e) < 0 && e.text[0]);
	buf_done(&a);
	buf_done(&b);
}

static void try_line(const char *text, size_t len)
{
	struct stream s = { .sock = -1, .master = -1 };
	struct err e = { 0 };
	int none = -1;

	if (stream_line(&s, text, len, &none, &e) < 0)
		want(e.text[0] && !s.done);
	else
		want(!s.done || (s.status >= 0 && s.status <= 255));
}

/* Clean text holds no control characters, whatever it was made of and however it was cut. */
static void try_text(const char *text, size_t len, size_t piece)
{
	struct buf whole = { 0 }, cut = { 0 };
	char tail[4] = "", cut_tail[4] = "";

	text_clean_stream(&whole, tail, text, len);
	for (size_t i = 0; i < len; i += piece)
		text_clean_stream(&cut, cut_tail, text + i, len - i < piece ? len - i : piece);
	want(whole.len == cut.len && (!whole.len || !memcmp(whole.data, cut.data, whole.len)));
	for (size_t i = 0; i < whole.len; i++)
		want((unsigned char) whole.data[i] >= 0x20 || strchr("\n\t", whole.data[i]));
	buf_done(&whole);
	buf_done(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data + 1;
	size_t piece;

	if (!size)
		return 0;
	piece = data[0] % 64 + 1u;
	try_reply(text, size - 1, piece);
	try_line(text, size - 1);
	try_text(text, size - 1, piece);
	return 0;
}
