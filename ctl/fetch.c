/* One connection a request: a Unix socket costs less than the questions that keeping one raises. */
#include "ctl/fetch.h"

#include <errno.h>
#include <sys/socket.h>

static int gather(void *arg, const char *data, size_t len)
{
	struct buf *b = arg;

	buf_add(b, data, len);
	return b->error;
}

int fetch_begin(struct fetch *f, const char *socket, const char *method, const char *path,
		const char *body, struct err *e)
{
	int r;

	fetch_end(f);
	r = client_open(&f->client, socket, e);
	if (r >= 0)
		r = client_send(&f->client, method, path, body, false, e);
	if (r < 0)
		fetch_end(f);
	return r;
}

void fetch_end(struct fetch *f)
{
	client_close(&f->client);
	buf_done(&f->body);
}

static int take_reply(struct fetch *f, json_t **ret, struct err *e)
{
	json_error_t why;

	if (f->client.reply.status >= 400)
		return client_refusal(f->client.reply.status, &f->body, e);
	*ret = f->body.len ? json_loadb(f->body.data, f->body.len, 0, &why) : NULL;
	if (f->body.len && !*ret)
		return err_set(e, -EPROTO, "the daemon's reply is no JSON: %s", why.text);
	return 0;
}

static int receive(struct fetch *f, struct err *e)
{
	struct client *c = &f->client;

	while (!http_reply_complete(&c->reply)) {
		ssize_t n = sys(recv(c->fd, c->in, sizeof(c->in), MSG_DONTWAIT));

		if (n == -EAGAIN || n == -EINTR)
			return -EAGAIN;
		if (n < 0)
			return err_set_errno(e, (int) n, "waiting for the daemon");
		if (n == 0)
			return http_reply_end(&c->reply, e);
		n = http_reply_feed(&c->reply, c->in, (size_t) n, gather, &f->body, e);
		if (n < 0)
			return e->text[0] ? (int) n
					  : err_set_errno(e, (int) n, "reading the daemon's reply");
	}
	return 0;
}

int fetch_step(struct fetch *f, json_t **ret, struct err *e)
{
	int r = receive(f, e);

	if (r == -EAGAIN)
		return r;
	*ret = NULL;
	if (r == 0)
		r = take_reply(f, ret, e);
	fetch_end(f);
	return r;
}
