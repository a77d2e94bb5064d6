/* run and exec: a client that stays attached to one command. The request is read and checked as
 * any other; after the 101 the connection speaks lines. Streams that came with the request itself
 * ("Ward-Streams") let the command start before the 101 is even sent; else the first line brings
 * them. The client never makes us wait: a line it does not read in time ends its session.
 *
 * An owner's descriptors are not taken here: closing one could wait for its file system (FUSE).
 * The line that brings them is looked at and left; the process that becomes the command takes it,
 * and until that has happened nothing more is read. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/api/private.h"

#define STREAMS_WAIT_US (10 * UINT64_C(1000000))
#define PENDING_MAX 16384 /* lines kept while the 101 is on its way */

enum { EXIT_WARD = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

struct api_session {
	struct api *api;
	struct api_session *prev, *next;
	int fd; /* -1 until the upgrade is through */
	sd_event_source *io, *timer;
	uid_t uid; /* of the client */
	struct session *session; /* NULL before the start and after the end */
	bool finished; /* the last line was said */
	bool terminal;
	bool paused; /* the command's process has not taken its streams yet */
	char name[SPEC_NAME_MAX + 1];
	struct request_run *run; /* one of these two, until the start */
	struct request_exec *exec;
	int streams[HTTP_STREAMS];
	struct buf in; /* a line that has not ended yet */
	struct buf out; /* lines said before the upgrade */
	int master; /* belongs to them */
};

static void forget_order(struct api_session *s)
{
	if (s->run)
		request_run_done(s->run);
	if (s->exec)
		request_exec_done(s->exec);
	free(TAKE_PTR(s->run));
	free(TAKE_PTR(s->exec));
}

/* Frees our side only: what runs, runs on. */
static void detach(struct api_session *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		s->api->sessions = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->api->session_count--;
	sd_event_source_disable_unref(s->io);
	sd_event_source_disable_unref(s->timer);
	for (size_t i = 0; i < HTTP_STREAMS; i++)
		(void) fd_close(s->streams[i]);
	(void) fd_close(s->master);
	(void) fd_close(s->fd);
	forget_order(s);
	buf_done(&s->in);
	buf_done(&s->out);
	free(s);
}

/* The client has left, or everything has been said: what still runs is hung up. */
static void end(void *arg)
{
	struct api_session *s = arg;

	if (s->session)
		session_close(TAKE_PTR(s->session));
	detach(s);
}

/* Ends it from the loop: callers may stand inside the manager. */
static void drop(struct api_session *s)
{
	s->finished = true;
	(void) shutdown(s->fd, SHUT_RDWR);
}

/* --- saying --- */

static void say_bytes(struct api_session *s, const char *text, size_t len, int fd)
{
	int r;

	if (s->fd < 0) {
		buf_add(&s->out, text, s->out.len + len <= PENDING_MAX ? len : 0);
		if (fd >= 0)
			s->master = fd;
		return;
	}
	r = fd_send(s->fd, text, len, &fd, fd >= 0 ? 1 : 0);
	(void) fd_close(fd);
	if (r < 0) {
		log_debug("session %s: telling the client: %s", s->name, strerror(-r));
		drop(s);
	}
}

/* @line consumed; @fd consumed, or -1. */
static void say(struct api_session *s, json_t *line, int fd)
{
	char text[8192];
	size_t len = line ? json_dumpb(line, text, sizeof(text) - 1, 0) : 0;

	json_decref(line);
	if (len == 0 || len >= sizeof(text)) {
		(void) fd_close(fd);
		return drop(s);
	}
	text[len++] = '\n';
	say_bytes(s, text, len, fd);
}

static void say_error(struct api_session *s, int code, const char *text)
{
	json_t *line = json_pack("{s:s, s:i, s:s}", "event", "error", "exit", code, "text", text);

	if (!line) /* the text is not UTF-8 */
		line = json_pack("{s:s, s:i, s:s}", "event", "error", "exit", code, "text",
				 "(the error's text cannot be shown)");
	s->finished = true;
	say(s, line, -1);
}

/* --- what the manager tells --- */

static void on_terminal(void *arg, int master_fd)
{
	say(arg, json_pack("{s:s}", "event", "terminal"), master_fd);
}

/* All is said. Before the upgrade is through, ready() ends it. */
static void finish(struct api_session *s)
{
	session_close(TAKE_PTR(s->session));
	s->finished = true;
	if (s->fd >= 0)
		detach(s);
}

static void on_started(void *arg, struct context *c, pid_t pid, bool exec_failed,
		       const struct err *e)
{
	struct api_session *s = arg;
	int code = EXIT_WARD;

	if (s->paused) {
		s->paused = false;
		(void) sd_event_source_set_io_events(s->io, EPOLLIN);
	}
	if (e->code == 0) {
		say(s,
		    json_pack("{s:s, s:s, s:i}", "event", "started", "name",
			      c ? context_name(c) : s->name, "pid", (int) pid),
		    -1);
		return;
	}
	if (exec_failed)
		code = e->code == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	say_error(s, code, e->text);
	finish(s);
}

static void on_ended(void *arg, int code, int status, const char *text)
{
	struct api_session *s = arg;
	json_t *line = json_pack("{s:s, s:i}", "event", "exit",
				 code == CLD_EXITED ? "status" : "signal", status);

	if (line && text && text[0])
		(void) json_object_set_new(line, "text", json_string(text));
	say(s, line, -1);
	finish(s);
}

static const struct session_events events = { on_terminal, on_started, on_ended };

/* --- the start --- */

static int begin_exec(struct api_session *s, const struct session_request *q, struct err *e)
{
	struct context *c = manager_find(s->api->manager, s->name);
	struct exec_request x = {
		.command = s->exec->command,
		.environment = s->exec->environment,
		.user = s->exec->user,
		.directory = s->exec->directory,
	};

	int r = c ? api_may_enter(s->api, c, s->uid, e)
		  : err_set(e, -ENOENT, "%s: no such context", s->name);

	if (r == 0)
		return manager_exec(s->api->manager, c, &x, q, &s->session, e);
	for (size_t i = 0; i < HTTP_STREAMS; i++)
		(void) fd_close(q->fds[i]);
	return r;
}

/* Gives the streams and the order to the manager. @line bytes that bring an owner's streams. */
static int begin(struct api_session *s, size_t line, struct err *e)
{
	const struct request_terminal *t = s->run ? &s->run->terminal : &s->exec->terminal;
	struct session_request q = {
		.fds = { TAKE_FD(s->streams[0]), TAKE_FD(s->streams[1]), TAKE_FD(s->streams[2]) },
		.terminal = t->wanted,
		.rows = t->rows,
		.cols = t->cols,
		.streams_bytes = line,
		.streams_sock = s->fd,
		.streams_uid = s->uid,
		.events = &events,
		.arg = s,
	};
	int r;

	s->timer = sd_event_source_disable_unref(s->timer);
	if (s->run)
		r = manager_run(s->api->manager, &s->run->spec, &q, &s->session, e);
	else
		r = begin_exec(s, &q, e);
	forget_order(s);
	return r;
}

/* --- what the client says --- */

static bool begun(const struct api_session *s)
{
	return !s->run && !s->exec;
}

/* @return 0, or -errno: then the session is to be ended. */
static int on_streams(struct api_session *s, unsigned count, struct err *e)
{
	struct err refused = {};

	if (begun(s))
		return err_set(e, -EPROTO, "the streams were already given");
	if ((s->streams[0] >= 0) != (count != 0))
		return err_set(e, -EPROTO, "%u streams were announced, not given", count);
	if ((count == 0) != s->terminal)
		return err_set(e, -EPROTO, "streams: 3 without, 0 with a terminal");
	if (begin(s, 0, &refused) == 0)
		return 0;
	say_error(s, EXIT_WARD, refused.text);
	return refused.code;
}

/* Looks at the line that brings an owner's streams. It is short, and comes in one message with
 * them. @return 0, or -errno: then the session is to be ended. */
static int look_at_streams(struct api_session *s)
{
	char data[REQUEST_LINE_MAX];
	ssize_t got = sys(recv(s->fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT));
	const char *newline = got > 0 ? memchr(data, '\n', (size_t) got) : NULL;
	struct request_line line;
	struct err e = {};
	size_t len;
	int r;

	if (got == -EAGAIN)
		return 0;
	if (got <= 0)
		return -EPIPE;
	len = newline ? (size_t) (newline - data) : (size_t) got;
	r = newline ? request_line(data, len, &line, &e)
		    : err_set(&e, -EPROTO, "the streams come with a line that ends");
	if (r == 0 && (line.kind != REQUEST_LINE_STREAMS || line.streams != HTTP_STREAMS))
		r = err_set(&e, -EPROTO, "streams: 3 is expected first");
	if (r == 0) {
		s->paused = true;
		(void) sd_event_source_set_io_events(s->io, 0);
		r = begin(s, len + 1, &e);
	}
	if (r < 0)
		say_error(s, EXIT_WARD, e.text);
	return r;
}

static int on_line(struct api_session *s, const char *text, size_t len)
{
	struct request_line line;
	struct err e = {};
	int r = request_line(text, len, &line, &e);

	if (r == 0 && line.kind == REQUEST_LINE_STREAMS)
		r = on_streams(s, line.streams, &e);
	else if (r == 0 && s->session)
		(void) session_signal(s->session, line.sig); /* ended meanwhile: no harm */
	if (r < 0) {
		log_debug("session %s: %s", s->name, e.text);
		if (!s->session && !s->finished)
			say_error(s, EXIT_WARD, e.text);
	}
	return r;
}

/* Takes what came, line by line. The usual line comes whole and is not copied. */
static int take_bytes(struct api_session *s, const char *data, size_t len)
{
	while (len > 0) {
		const char *newline = memchr(data, '\n', len);
		size_t n = newline ? (size_t) (newline - data) : len;
		int r;

		if (s->in.len + n >= REQUEST_LINE_MAX)
			return -EMSGSIZE;
		if (!newline || s->in.len) {
			buf_add(&s->in, data, n);
			if (s->in.error || !newline)
				return s->in.error;
		}
		r = s->in.len ? on_line(s, s->in.data, s->in.len) : on_line(s, data, n);
		buf_done(&s->in);
		if (r < 0)
			return r;
		data += n + 1;
		len -= n + 1;
	}
	return 0;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct api_session *s = arg;
	bool wants_streams = !begun(s) && s->streams[0] < 0;
	int fds[HTTP_STREAMS] = { -1, -1, -1 };
	char data[REQUEST_LINE_MAX];
	size_t n = 0;
	ssize_t got;

	(void) source;
	(void) revents;
	if (s->paused) /* only that the client is gone is told meanwhile */
		return end(s), 0;
	if (wants_streams && s->uid != 0 && !s->terminal) {
		if (look_at_streams(s) < 0)
			end(s);
		return 0;
	}
	got = fd_recv(fd, data, sizeof(data), fds, wants_streams && s->uid == 0 ? HTTP_STREAMS : 0,
		      &n);
	if (got == -EAGAIN)
		return 0;
	if (got > 0 && n == HTTP_STREAMS)
		memcpy(s->streams, fds, sizeof(fds));
	else
		for (size_t i = 0; i < n; i++)
			(void) fd_close(fds[i]);
	if (got <= 0 || (n != 0 && n != HTTP_STREAMS) || take_bytes(s, data, (size_t) got) < 0)
		end(s);
	return 0;
}

static int on_too_late(sd_event_source *source, uint64_t now_us, void *arg)
{
	(void) source;
	(void) now_us;
	say_error(arg, EXIT_WARD, "the streams did not come in time");
	end(arg);
	return 0;
}

/* The 101 is sent: the socket is ours. */
static void ready(void *arg, int fd, const char *extra, size_t extra_len)
{
	struct api_session *s = arg;
	sd_event *loop = s->api->loop;
	int r = fd < 0 ? -EMFILE : 0;

	s->fd = fd;
	if (r == 0)
		r = sd_event_add_io(loop, &s->io, fd, EPOLLIN, on_readable, s);
	if (r >= 0 && !begun(s))
		r = sd_event_add_time_relative(loop, &s->timer, CLOCK_MONOTONIC, STREAMS_WAIT_US,
					       100000, on_too_late, s);
	if (r >= 0 && s->out.len)
		say_bytes(s, s->out.data, s->out.len, TAKE_FD(s->master));
	if (r >= 0 && extra_len)
		r = take_bytes(s, extra, extra_len);
	if (r < 0 || s->finished)
		end(s);
}

/* --- the requests --- */

static unsigned sessions_of(const struct api *a, uid_t uid)
{
	unsigned n = 0;

	for (const struct api_session *s = a->sessions; s; s = s->next)
		n += s->uid == uid;
	return n;
}

static struct api_session *session_new(struct http_request *r)
{
	struct api *a = api_of(r);
	struct api_session *s = NULL;

	if (r->peer.uid != 0 && sessions_of(a, r->peer.uid) >= API_OWNER_SESSIONS_MAX)
		(void) err_set(&r->err, -EBUSY, "uid %u is attached to %d commands already",
			       (unsigned) r->peer.uid, API_OWNER_SESSIONS_MAX);
	else if (a->session_count >= API_SESSIONS_MAX)
		(void) err_set(&r->err, -EBUSY, "%d clients are attached already",
			       API_SESSIONS_MAX);
	else if (!(s = calloc(1, sizeof(*s))))
		(void) err_set_errno(&r->err, -ENOMEM, "attaching");
	if (!s)
		return NULL;
	*s = (struct api_session){
		.api = a, .fd = -1, .master = -1, .streams = { -1, -1, -1 }, .next = a->sessions
	};
	if (s->next)
		s->next->prev = s;
	a->sessions = s;
	a->session_count++;
	s->uid = r->peer.uid;
	(void) snprintf(s->name, sizeof(s->name), "%s", r->name);
	return s;
}

/* Starts at once when the streams are here, and asks for the connection. */
static int attach(struct http_request *r, struct api_session *s)
{
	int n = http_take_streams(r, s->streams, &r->err);

	if (n == -EINVAL)
		return n;
	if (n >= 0 && (n == 0) != s->terminal)
		return err_set(&r->err, -EINVAL, "Ward-Streams: 3 without, 0 with a terminal");
	if (!http_may_upgrade(r, &r->err))
		return r->err.code;
	if (n >= 0) {
		n = begin(s, 0, &r->err);
		if (n < 0)
			return n;
	}
	return http_upgrade(r, ready, end, s, &r->err);
}

static void open_session(struct http_request *r, struct request_run *run, struct request_exec *exec)
{
	struct api_session *s = session_new(r);

	if (s) {
		s->run = run;
		s->exec = exec;
		s->terminal = run ? run->terminal.wanted : exec->terminal.wanted;
		if (attach(r, s) == 0)
			return;
		end(s);
	} else {
		struct api_session order = { .run = run, .exec = exec };

		forget_order(&order);
	}
	http_reply_refused(r);
}

void api_run(struct http_request *r)
{
	struct request_run *run = calloc(1, sizeof(*run));
	struct spec_errors lines = {};
	int code = run ? request_run(r->body, run, &lines, &r->err)
		       : err_set_errno(&r->err, -ENOMEM, "running");

	if (code < 0) {
		http_reply_error(r, http_status(code), &r->err, &lines);
		free(run);
	} else if (run->detach) {
		(void) snprintf(r->subject, sizeof(r->subject), "%s", run->spec.name);
		api_run_detached(r, &run->spec);
		request_run_done(run);
		free(run);
	} else {
		open_session(r, run, NULL);
	}
	spec_errors_done(&lines);
}

void api_exec(struct http_request *r)
{
	const struct context *c = api_context(r);
	struct request_exec *exec;
	int code;

	if (!c)
		return;
	if (api_may_enter(api_of(r), c, r->peer.uid, &r->err) < 0)
		return api_reply_forbidden(r);
	exec = calloc(1, sizeof(*exec));
	code = exec ? request_exec(r->body, exec, &r->err)
		    : err_set_errno(&r->err, -ENOMEM, "exec");
	if (code == 0)
		return open_session(r, NULL, exec);
	free(exec);
	http_reply_refused(r);
}

void api_sessions_done(struct api *a)
{
	while (a->sessions)
		detach(a->sessions);
}
