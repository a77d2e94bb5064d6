/* run and exec. The daemon gets our standard streams and tells when the command ended: between
 * the two this process only waits, so data moves at the speed of a pipe. What was handed over is
 * closed here, so that a pipe ends when the command ends its side. */
#include "ctl/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/units.h"
#include "ctl/client.h"
#include "ctl/fast.h"
#include "ctl/pty.h"
#include "ctl/signals.h"

#define STREAM_REFUSAL_MAX (1u << 20)

/* Signals that are the command's business when they reach us. */
static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

bool stream_wants_terminal(const struct args *a)
{
	if (args_has(a, OPT_NO_TTY))
		return false;
	return args_has(a, OPT_TTY) || (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
}

static int finish(struct stream *s, int status, const char *text)
{
	s->done = true;
	s->status = status;
	snprintf(s->text, sizeof(s->text), "%s", text ? text : "");
	return 0;
}

static int exit_event(struct stream *s, const json_t *o, struct err *e)
{
	const json_t *status = json_object_get(o, "status"), *sig = json_object_get(o, "signal");
	const char *text = json_string_value(json_object_get(o, "text"));
	json_int_t value = json_integer_value(status ? status : sig);

	if (json_is_integer(status) && value >= 0 && value <= 255)
		return finish(s, (int) value, text);
	if (json_is_integer(sig) && value > 0 && value <= 127)
		return finish(s, 128 + (int) value, text);
	return err_set(e, -EPROTO, "the daemon told an end without a status");
}

static int error_event(struct stream *s, const json_t *o)
{
	const char *text = json_string_value(json_object_get(o, "text"));
	json_int_t value = json_integer_value(json_object_get(o, "exit"));

	return finish(s, value == 126 || value == 127 ? (int) value : CTL_WARD_FAILED,
		      text ? text : "the command could not be started");
}

static int terminal_event(struct stream *s, int *fd, struct err *e)
{
	if (!s->terminal || s->master >= 0 || *fd < 0)
		return err_set(e, -EPROTO, "the daemon sent no terminal, or one too many");
	s->master = TAKE_FD(*fd);
	return 0;
}

int stream_line(struct stream *s, const char *line, size_t len, int *fd, struct err *e)
{
	json_t *o = json_loadb(line, len, 0, NULL);
	const char *event = json_string_value(json_object_get(o, "event"));
	int r = 0;

	if (!event)
		r = err_set(e, -EPROTO, "the daemon sent a line that is no event");
	else if (!strcmp(event, "exit"))
		r = exit_event(s, o, e);
	else if (!strcmp(event, "error"))
		r = error_event(s, o);
	else if (!strcmp(event, "terminal"))
		r = terminal_event(s, fd, e);
	else if (!strcmp(event, "started"))
		s->started = true;
	json_decref(o); /* other events: of a later daemon */
	return r;
}

static int take_lines(struct stream *s, const char *data, size_t len, int *fd, struct err *e)
{
	while (len && !s->done) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t) (end - data) : len;
		int r;

		if (n > sizeof(s->line) - s->line_len)
			return err_set(e, -EMSGSIZE, "the daemon sent a line that is too long");
		memcpy(s->line + s->line_len, data, n);
		s->line_len += n;
		if (!end)
			break;
		r = stream_line(s, s->line, s->line_len, fd, e);
		if (r < 0)
			return r;
		s->line_len = 0;
		data = end + 1;
		len -= n + 1;
	}
	return 0;
}

static int refusal_piece(void *arg, const char *data, size_t len)
{
	struct stream *s = arg;

	if (s->refusal.len + len > STREAM_REFUSAL_MAX)
		return -EMSGSIZE;
	buf_add(&s->refusal, data, len);
	return s->refusal.error;
}

int stream_read(struct stream *s, struct err *e)
{
	char data[4096];
	_cleanup_close_ int fd = -1;
	size_t fds = 0;
	ssize_t n = fd_recv(s->sock, data, sizeof(data), &fd, 1, &fds), taken = 0;

	if (n == -EINTR || n == -EAGAIN)
		return 0;
	if (n < 0)
		return err_set_errno(e, (int) n, "listening to the daemon");
	if (!n)
		return err_set(e, -ECONNRESET,
			       "the daemon ended or was restarted: what becomes of the command is "
			       "not known");
	if (s->reply.state != HTTP_UPGRADED) {
		taken = http_reply_feed(&s->reply, data, (size_t) n, refusal_piece, s, e);
		if (taken < 0)
			return (int) taken;
	}
	if (s->reply.state != HTTP_UPGRADED)
		return 0;
	return take_lines(s, data + taken, (size_t) (n - taken), &fd, e);
}

static int await_upgrade(struct stream *s, struct err *e)
{
	int r = 0;

	while (r >= 0 && !http_reply_complete(&s->reply))
		r = stream_read(s, e);
	if (r == -ECONNRESET && s->reply.status >= 300)
		r = http_reply_end(&s->reply, e);
	if (r < 0)
		return r;
	if (s->reply.state == HTTP_UPGRADED)
		return 0;
	return client_refusal(s->reply.status, &s->refusal, e);
}

static void init(struct stream *s, bool terminal)
{
	s->sock = s->master = -1;
	s->terminal = terminal;
	s->started = s->done = s->given = false;
	s->status = CTL_WARD_FAILED;
	s->text[0] = '\0';
	s->refusal = (struct buf){ 0 };
	s->line_len = 0;
	http_reply_init(&s->reply);
}

int stream_resume(struct stream *s, struct fast *f, struct err *e)
{
	int none = -1;
	ssize_t n;

	init(s, false);
	s->sock = f->sock;
	s->given = true;
	if (f->phase == FAST_LINES) {
		s->reply.state = HTTP_UPGRADED;
		return take_lines(s, f->data, f->len, &none, e);
	}
	n = http_reply_feed(&s->reply, f->data, f->len, refusal_piece, s, e);
	if (n < 0)
		return (int) n;
	if (s->reply.state == HTTP_UPGRADED)
		return take_lines(s, f->data + n, f->len - (size_t) n, &none, e);
	return await_upgrade(s, e);
}

int stream_open(struct stream *s, const char *socket, const char *path, const json_t *body,
		bool terminal, struct err *e)
{
	struct client c;
	char *text;
	int r;

	init(s, terminal);
	c.fd = -1;
	text = json_dumps(body, JSON_COMPACT);
	if (!text)
		return err_set(e, -ENOMEM, "making the request: out of memory");
	r = client_open(&c, socket, e);
	if (r >= 0)
		r = client_send(&c, "POST", path, text, true, e);
	free(text);
	s->sock = c.fd;
	return r < 0 ? r : await_upgrade(s, e);
}

void stream_done(struct stream *s)
{
	s->sock = fd_close(s->sock);
	s->master = fd_close(s->master);
	buf_done(&s->refusal);
}

int stream_give(struct stream *s, struct err *e)
{
	static const int streams[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	const char *line = s->terminal ? "{\"streams\": 0}\n" : "{\"streams\": 3}\n";
	int r = fd_send(s->sock, line, strlen(line), streams, s->terminal ? 0 : 3);

	if (r < 0)
		return err_set_errno(e, r, "handing over the standard streams");
	if (!s->terminal) { /* standard error stays: it carries our own messages */
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
	}
	return 0;
}

void stream_signal(struct stream *s, int sig)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "{\"signal\": \"%s\"}\n", units_print_signal(sig));

	/* Never waits: a daemon that does not read is found out by its silence, not here. */
	(void) send(s->sock, line, (size_t) n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Waits for the end, passing signals on. */
static int wait_end(struct stream *s, int signals, struct err *e)
{
	struct pollfd p[2] = { { s->sock, POLLIN, 0 }, { signals, POLLIN, 0 } };
	int r = 0, sig;

	while (r >= 0 && !s->done) {
		r = sys(poll(p, 2, -1));
		if (r == -EINTR)
			r = 0;
		if (r < 0)
			return err_set_errno(e, r, "waiting for the command");
		if (p[1].revents)
			while ((sig = signals_next(signals)) > 0)
				stream_signal(s, sig);
		if (p[0].revents)
			r = stream_read(s, e);
	}
	return r;
}

static int converse(struct stream *s, struct err *e)
{
	_cleanup_close_ int signals = -1;
	int r;

	/* Until the command may have begun a signal simply ends us, and the daemon notices. */
	signals = s->terminal ? pty_signals() : signals_open(forwarded, ARRAY_SIZE(forwarded));
	if (signals < 0)
		return err_set_errno(e, signals, "preparing for signals");
	r = s->given ? 0 : stream_give(s, e);
	if (r < 0)
		return r;
	return s->terminal ? pty_run(s, signals, e) : wait_end(s, signals, e);
}

int stream_run(const struct ctl *c, const char *object, const char *path, const json_t *body,
	       bool terminal)
{
	struct stream s;
	struct err e = { 0 };
	int r;

	if (fast_state.phase != FAST_NONE)
		r = stream_resume(&s, &fast_state, &e);
	else
		r = stream_open(&s, c->socket, path, body, terminal, &e);
	if (r >= 0)
		r = converse(&s, &e);
	if (r >= 0 && s.text[0])
		err_set(&e, -EIO, "%s", s.text);
	if (e.text[0])
		ctl_error(c, object, &e);
	stream_done(&s);
	return r < 0 ? CTL_WARD_FAILED : s.status;
}
