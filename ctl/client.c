/* The connection: connect, send, receive. A request is one buffer and one send(2); replies are
 * parsed by http.c as they come. Nothing here waits for anything but the daemon. */
#include "ctl/client.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"

void client_close(struct client *c)
{
	c->fd = fd_close(c->fd);
	c->start = c->end = 0;
}

/* A path that does not fit into sun_path is reached through a descriptor of it. */
static int connect_to(int fd, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int target = -1;

	if (strlen(path) < sizeof(a.sun_path)) {
		memcpy(a.sun_path, path, strlen(path));
	} else {
		target = sys(open(path, O_PATH | O_CLOEXEC));
		if (target < 0)
			return target;
		snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", target);
	}
	return sys(connect(fd, (struct sockaddr *) &a, sizeof(a)));
}

int client_open(struct client *c, const char *path, struct err *e)
{
	int r;

	if (c->fd >= 0)
		return 0;
	c->fd = sys(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (c->fd < 0)
		return err_set_errno(e, c->fd, "making a socket");
	r = connect_to(c->fd, path);
	if (r >= 0)
		return 0;
	client_close(c);
	err_set(e, r, "connecting to %.800s: %s%s", path, strerror(-r),
		r == -ENOENT || r == -ECONNREFUSED ? " (is wardd running?)" : "");
	return r;
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = sys(send(fd, data, len, MSG_NOSIGNAL));

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int) n;
		data += n;
		len -= (size_t) n;
	}
	return 0;
}

int client_send(struct client *c, const char *method, const char *path, const char *body,
		bool upgrade, struct err *e)
{
	size_t len = body ? strlen(body) : 0;
	struct buf b = { 0 };
	int r;

	buf_printf(&b, "%s %s HTTP/1.1\r\nHost: ward\r\n", method, path);
	if (upgrade)
		buf_puts(&b, "Connection: Upgrade\r\nUpgrade: ward\r\n");
	if (body)
		buf_printf(&b, "Content-Type: application/json\r\nContent-Length: %zu\r\n", len);
	else if (strcmp(method, "GET") != 0)
		buf_puts(&b, "Content-Length: 0\r\n");
	buf_puts(&b, "\r\n");
	buf_add(&b, body ? body : "", len);
	r = b.error ? b.error : send_all(c->fd, b.data, b.len);
	buf_done(&b);
	http_reply_init(&c->reply);
	/* A daemon that refuses early closes early: its answer is worth more than EPIPE. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return err_set_errno(e, r, "sending the request");
	return 0;
}

struct splitter {
	const struct http_reply *reply;
	http_sink sink;
	void *arg;
	struct buf *error;
};

static int split(void *arg, const char *data, size_t len)
{
	struct splitter *s = arg;

	if (s->reply->status < 400)
		return s->sink ? s->sink(s->arg, data, len) : 0;
	buf_add(s->error, data, len);
	return s->error->error;
}

/* @return 1 when something was received, 0 at the end of the connection (checked), -errno. */
static int fill(struct client *c, struct err *e)
{
	ssize_t n;
	int r;

	do
		n = sys(recv(c->fd, c->in, sizeof(c->in), 0));
	while (n == -EINTR);
	if (n < 0)
		return err_set_errno(e, (int) n, "waiting for the daemon");
	c->start = 0;
	c->end = (size_t) n;
	if (n)
		return 1;
	r = http_reply_end(&c->reply, e);
	client_close(c);
	return r;
}

int client_receive_some(struct client *c, http_sink sink, void *arg, struct buf *error,
			struct err *e)
{
	struct splitter splitter = { &c->reply, sink, arg, error };
	ssize_t n;

	if (!http_reply_complete(&c->reply) && c->start == c->end) {
		int r = fill(c, e);

		if (r <= 0)
			return r < 0 ? r : 1;
	}
	if (!http_reply_complete(&c->reply)) {
		n = http_reply_feed(&c->reply, c->in + c->start, c->end - c->start, split,
				    &splitter, e);
		if (n < 0) {
			client_close(c);
			return (int) n;
		}
		c->start += (size_t) n;
	}
	if (!http_reply_complete(&c->reply))
		return 0;
	if (c->reply.close)
		client_close(c);
	return 1;
}

int client_receive(struct client *c, http_sink sink, void *arg, struct buf *error, struct err *e)
{
	int r;

	do
		r = client_receive_some(c, sink, arg, error, e);
	while (r == 0);
	return r < 0 ? r : 0;
}

static int errno_of_status(int status)
{
	switch (status) {
	case 400:
		return -EINVAL;
	case 403:
		return -EPERM;
	case 404:
		return -ENOENT;
	case 405:
		return -EOPNOTSUPP;
	case 409:
		return -EBUSY;
	case 413:
		return -EFBIG;
	default:
		return -EIO;
	}
}

/* Adds "\nline" while whole lines fit. */
static void add_lines(struct err *e, const json_t *lines)
{
	size_t used = strlen(e->text), count = json_array_size(lines);

	for (size_t i = 0; i < count; i++) {
		const char *line = json_string_value(json_array_get(lines, i));
		size_t len = line ? strlen(line) : 0;

		if (used + len + 40 > sizeof(e->text)) {
			snprintf(e->text + used, sizeof(e->text) - used, "\n(%zu more)", count - i);
			return;
		}
		snprintf(e->text + used, sizeof(e->text) - used, "\n%s", line ? line : "");
		used += len + 1;
	}
}

/* What a daemon says of things it has not heard of: these words have been the same since 0.1. */
static bool is_unknown(const char *text)
{
	static const char *const says[] = { ": no such route",	 "route has no such parameter",
					    ": no such field",	 ": no such key",
					    ": no such section", "is unknown; allowed" };

	for (size_t i = 0; i < ARRAY_SIZE(says); i++)
		if (strstr(text, says[i]))
			return true;
	return false;
}

int client_refusal(int status, const struct buf *body, struct err *e)
{
	json_t *reply = json_loadb(body->data ? body->data : "", body->len, 0, NULL);
	const json_t *error = json_object_get(reply, "error");
	const char *text = json_string_value(json_object_get(error, "text"));

	if (text && *text)
		err_set(e, errno_of_status(status), "%s", text);
	else
		err_set(e, errno_of_status(status), "the daemon refused with status %d", status);
	add_lines(e, json_object_get(error, "lines"));
	json_decref(reply);
	if ((status == 400 || status == 404) && is_unknown(e->text))
		e->code = -ENOSYS;
	return e->code;
}

static int gather(void *arg, const char *data, size_t len)
{
	struct buf *b = arg;

	buf_add(b, data, len);
	return b->error;
}

int client_result(struct client *c, json_t **ret, struct err *e)
{
	struct buf body = { 0 }, error = { 0 };
	json_error_t why;
	json_t *value = NULL;
	int r = client_receive(c, gather, &body, &error, e);

	if (r < 0 && !e->text[0])
		err_set_errno(e, r, "reading the daemon's reply");
	else if (r >= 0 && c->reply.status >= 400)
		r = client_refusal(c->reply.status, &error, e);
	else if (r >= 0 && body.len) {
		value = json_loadb(body.data, body.len, 0, &why);
		if (!value)
			r = err_set(e, -EPROTO, "the daemon's reply is no JSON: %s", why.text);
	}
	if (r >= 0 && ret)
		*ret = value;
	else
		json_decref(value);
	buf_done(&body);
	buf_done(&error);
	return r < 0 ? r : 0;
}

int client_call(struct client *c, const struct ctl *ctl, const char *method, const char *path,
		const json_t *body, json_t **ret, struct err *e)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int r;

	if (body && !text)
		return err_set(e, -ENOMEM, "making the request: out of memory");
	r = client_open(c, ctl->socket, e);
	if (r >= 0)
		r = client_send(c, method, path, text, false, e);
	free(text);
	return r < 0 ? r : client_result(c, ret, e);
}

int client_path(char out[static CLIENT_PATH_MAX], const char *name, struct err *e, const char *fmt,
		...)
{
	int r = ctl_check_name(name, e), n;
	va_list ap;

	if (r < 0)
		return r;
	n = snprintf(out, CLIENT_PATH_MAX, "/v1/contexts/%s", name);
	va_start(ap, fmt);
	r = vsnprintf(out + n, CLIENT_PATH_MAX - (size_t) n, fmt, ap);
	va_end(ap);
	if (r < 0 || r >= CLIENT_PATH_MAX - n)
		return err_set(e, -EINVAL, "the request is too long");
	return 0;
}
