/* logs: of one context as it is, of several with their names before the lines. The daemon sends
 * frames (docs/api.md), so that what it has to say does not get mixed up with what was written. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "ctl/client.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "ctl/when.h"

#define FRAMES "?frames=1" /* of a query, first */
#define HEAD_MAX 96 /* of a frame */
#define LINE_PIECE_MAX 65536 /* a longer line of one among several is printed in pieces */

static const char *const colors[] = { "36", "33", "32", "35", "34", "31" };

struct source {
	const struct ctl *c;
	const char *name;
	struct client client;
	struct buf refusal;
	int width; /* of the names; 0: there is one only */
	const char *color; /* or NULL */
	bool done, plain; /* plain: without frames, as 0.1 sends it */
	/* the frame that is being read */
	char head[HEAD_MAX];
	size_t head_len;
	uint64_t data_left;
	/* the text */
	char tail[4];
	struct buf line; /* begun, with several */
	bool inside; /* a line was begun and printed */
};

static int put(struct source *s, struct buf *b)
{
	int r = b->error ? b->error : ctl_print(s->c, b) == CTL_DONE ? 0 : -EIO;

	buf_done(b);
	*b = (struct buf){};
	return r;
}

static void add_name(const struct source *s, struct buf *out)
{
	if (s->color)
		buf_printf(out, "\033[%sm%-*s |\033[0m ", s->color, s->width, s->name);
	else
		buf_printf(out, "%-*s | ", s->width, s->name);
}

/* Prints the lines that are complete, and with `all` what was begun. */
static int put_lines(struct source *s, bool all)
{
	struct buf out = {};
	size_t at = 0;

	while (at < s->line.len) {
		const char *line = s->line.data + at;
		const char *newline = memchr(line, '\n', s->line.len - at);
		size_t len = newline ? (size_t) (newline - line) : s->line.len - at;

		if (!newline && !all && len < LINE_PIECE_MAX)
			break;
		add_name(s, &out);
		buf_add(&out, line, len);
		buf_puts(&out, "\n");
		at += len + (newline != NULL);
	}
	if (at) {
		memmove(s->line.data, s->line.data + at, s->line.len - at);
		s->line.len -= at;
	}
	return put(s, &out);
}

static int take_text(struct source *s, const char *data, size_t len)
{
	struct buf plain = {}, *to = s->width ? &s->line : &plain;

	if (s->c->terminal)
		text_clean_stream(to, s->tail, data, len);
	else
		buf_add(to, data, len);
	if (s->width)
		return s->line.error ? s->line.error : put_lines(s, false);
	s->inside = data[len - 1] != '\n';
	return put(s, &plain);
}

/* Ends a line that was begun. */
static int break_line(struct source *s)
{
	struct buf b = {};

	if (s->width)
		return put_lines(s, true);
	if (!s->inside)
		return 0;
	s->inside = false;
	buf_puts(&b, "\n");
	return put(s, &b);
}

/* "-- web started 2026-11-21 10:04:05 --" */
static int tell_mark(struct source *s, const char *what, uint64_t us)
{
	char when[WHEN_TEXT_MAX];
	struct buf b = {};
	int r;

	if (!s->c->terminal)
		return 0;
	r = break_line(s);
	if (r < 0)
		return r;
	if (s->width)
		add_name(s, &b);
	(void) when_print(us, when);
	buf_printf(&b, "%s-- %s %s, %s --%s\n", s->c->color ? "\033[2m" : "", s->name, what, when,
		   s->c->color ? "\033[0m" : "");
	return put(s, &b);
}

static int tell_exit(struct source *s, const char *kind, unsigned value, uint64_t us)
{
	char what[64];

	if (!strcmp(kind, "signal"))
		snprintf(what, sizeof(what), "ended by signal %s", units_print_signal((int) value));
	else
		snprintf(what, sizeof(what), "ended with status %u", value);
	return tell_mark(s, what, us);
}

static int take_head(struct source *s)
{
	unsigned long long n;
	char kind[16], text[96];
	unsigned value;

	s->head[s->head_len] = '\0';
	s->head_len = 0;
	if (sscanf(s->head, "data %llu", &n) == 1) {
		s->data_left = n;
		return 0;
	}
	if (sscanf(s->head, "start %llu", &n) == 1)
		return tell_mark(s, "started", n);
	if (sscanf(s->head, "exit %llu %15s %u", &n, kind, &value) == 3)
		return tell_exit(s, kind, value, n);
	if (sscanf(s->head, "missed %llu", &n) == 1) {
		snprintf(text, sizeof(text), "%llu bytes were removed before they were read", n);
		ctl_warn(s->c, s->name, text);
		return break_line(s);
	}
	return 0; /* of a newer daemon */
}

static int take(void *arg, const char *data, size_t len)
{
	struct source *s = arg;
	int r = 0;

	if (s->plain)
		return len ? take_text(s, data, len) : 0;
	while (len && r >= 0) {
		size_t n = len;

		if (s->data_left) {
			n = s->data_left < len ? (size_t) s->data_left : len;
			s->data_left -= n;
			r = take_text(s, data, n);
		} else {
			n = 1;
			if (*data == '\n')
				r = take_head(s);
			else if (s->head_len + 1 < sizeof(s->head))
				s->head[s->head_len++] = *data;
			else
				return -EPROTO;
		}
		data += n;
		len -= n;
	}
	return r;
}

/* --- the requests --- */

static int query_time(const struct ctl *c, enum opt o, struct buf *query)
{
	const char *value = c->args.value[o];
	uint64_t us;

	if (!args_has(&c->args, o))
		return 0;
	if (when_parse(value, &us) < 0) {
		ctl_usage(c,
			  "--%s \"%.64s\" is no time; write 10m, 7d, \"2026-11-21 10:04\", 10:04",
			  options_table[o].name, value);
		return -EINVAL;
	}
	buf_printf(query, "&%s=%llu", options_table[o].name, (unsigned long long) (us ? us : 1));
	return 0;
}

static int query_count(const struct ctl *c, enum opt o, uint64_t min, struct buf *query)
{
	const char *value = c->args.value[o];
	uint64_t n;

	if (!args_has(&c->args, o))
		return 0;
	if (units_parse_u64(value, min, 1000000, &n) < 0) {
		ctl_usage(c, "--%s \"%.64s\" is no number from %llu to 1000000",
			  options_table[o].name, value, (unsigned long long) min);
		return -EINVAL;
	}
	buf_printf(query, "&%s=%llu", options_table[o].name, (unsigned long long) n);
	return 0;
}

static int make_query(const struct ctl *c, struct buf *query)
{
	buf_puts(query, FRAMES);
	if (args_has(&c->args, OPT_FOLLOW))
		buf_puts(query, "&follow=1");
	if (args_has(&c->args, OPT_FOLLOW) && args_has(&c->args, OPT_UNTIL)) {
		ctl_usage(c, "--follow and --until exclude each other");
		return -EINVAL;
	}
	if (query_count(c, OPT_LINES, 0, query) < 0 || query_count(c, OPT_START, 1, query) < 0 ||
	    query_time(c, OPT_SINCE, query) < 0 || query_time(c, OPT_UNTIL, query) < 0)
		return -EINVAL;
	return query->error;
}

static int ask(struct source *s, const char *query, struct err *e)
{
	const char *more = query + strlen(FRAMES);
	char path[CLIENT_PATH_MAX];
	int r = client_path(path, s->name, e, "/logs%s%s",
			    !s->plain ? FRAMES
			    : *more   ? "?"
				      : "",
			    s->plain && *more ? more + 1 : more);

	s->client.fd = -1;
	if (r >= 0)
		r = client_open(&s->client, s->c->socket, e);
	return r < 0 ? r : client_send(&s->client, "GET", path, NULL, false, e);
}

/* A wardd that knows no frames is asked again, for the text as it is. @return whether it was. */
static bool ask_plain(struct source *s, const char *query)
{
	struct err e = { 0 };

	if (s->plain || s->client.reply.status != 400 ||
	    client_refusal(400, &s->refusal, &e) != -ENOSYS || !strstr(e.text, "?frames:"))
		return false;
	s->plain = true;
	client_close(&s->client);
	buf_done(&s->refusal);
	s->refusal = (struct buf){};
	return ask(s, query, &e) >= 0;
}

/* @return the exit status of one that is done, however. */
static int finish(struct source *s, int r, struct err *e)
{
	bool told = r == -EIO && !e->text[0]; /* writing failed: said already */

	s->done = true;
	if (r >= 0 && s->client.reply.status >= 400)
		r = client_refusal(s->client.reply.status, &s->refusal, e);
	else if (r >= 0)
		r = put_lines(s, true);
	else if (!e->text[0] && !told)
		err_set_errno(e, r, "reading the daemon's reply");
	client_close(&s->client);
	buf_done(&s->refusal);
	buf_done(&s->line);
	if (r >= 0)
		return CTL_DONE;
	return told ? CTL_FAILED : ctl_error(s->c, s->name, e);
}

static int worse(int a, int b)
{
	return a == CTL_DONE ? b : a;
}

/* One after the other, to its end. */
static int read_each(struct source *sources, size_t count, const char *query)
{
	int status = CTL_DONE;

	for (size_t i = 0; i < count; i++) {
		struct source *s = &sources[i];
		struct err e = { 0 };
		int r = ask(s, query, &e);

		if (r >= 0)
			r = client_receive(&s->client, take, s, &s->refusal, &e);
		if (r >= 0 && ask_plain(s, query))
			r = client_receive(&s->client, take, s, &s->refusal, &e);
		status = worse(status, finish(s, r, &e));
	}
	return status;
}

/* All at once, as they come. */
static int follow_all(struct source *sources, size_t count, const char *query)
{
	struct pollfd *polls = calloc(count, sizeof(*polls));
	size_t left = count;
	int status = CTL_DONE;

	if (!polls)
		return CTL_FAILED;
	for (size_t i = 0; i < count; i++) {
		struct err e = { 0 };
		int r = ask(&sources[i], query, &e);

		if (r < 0) {
			status = worse(status, finish(&sources[i], r, &e));
			left--;
		}
	}
	while (left) {
		for (size_t i = 0; i < count; i++)
			polls[i] = (struct pollfd){ sources[i].done ? -1 : sources[i].client.fd,
						    POLLIN, 0 };
		if (poll(polls, (nfds_t) count, -1) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < count; i++) {
			struct source *s = &sources[i];
			struct err e = { 0 };
			int r = 0;

			if (s->done || !polls[i].revents)
				continue;
			r = client_receive_some(&s->client, take, s, &s->refusal, &e);
			if (r == 0 || (r > 0 && ask_plain(s, query)))
				continue;
			status = worse(status, finish(s, r, &e));
			left--;
		}
	}
	free(polls);
	return status;
}

int verb_logs(const struct ctl *c)
{
	size_t count = c->args.operand_count;
	struct source *sources;
	struct buf query = {};
	int width = 0, r;

	if (make_query(c, &query) < 0) {
		buf_done(&query);
		return CTL_USAGE;
	}
	sources = calloc(count, sizeof(*sources));
	if (!sources) {
		buf_done(&query);
		return CTL_FAILED;
	}
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(c->args.operands[i]);

		if (count > 1 && (int) len > width)
			width = len < 63 ? (int) len : 63;
	}
	for (size_t i = 0; i < count; i++) {
		sources[i].c = c;
		sources[i].name = c->args.operands[i];
		sources[i].width = width;
		sources[i].color = c->color ? colors[i % ARRAY_SIZE(colors)] : NULL;
	}
	r = count > 1 && args_has(&c->args, OPT_FOLLOW) ? follow_all(sources, count, query.data)
							: read_each(sources, count, query.data);
	free(sources);
	buf_done(&query);
	return r;
}
