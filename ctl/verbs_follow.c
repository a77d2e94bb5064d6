/* events: a reply that may go on. Each piece is written as it comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/units.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/look.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "ctl/when.h"

#define EVENT_LINE_MAX (64u << 10)

struct follower {
	const struct ctl *c;
	bool json;
	bool failed; /* writing did: said already */
	struct buf line;
};

static int put(struct follower *f, const struct buf *text)
{
	f->failed = ctl_print(f->c, text) != CTL_DONE;
	return f->failed ? -EIO : 0;
}

/* A number with its unit at the end of its key: "for_us", "limit_bytes". @return whether it was. */
static bool add_amount(struct buf *b, const char *key, const json_t *value)
{
	uint64_t n = (uint64_t) json_integer_value(value);
	const char *unit = strrchr(key, '_');
	char text[UNITS_TEXT_MAX + TEXT_AGE_MAX]; /* either */

	if (!unit || !json_is_integer(value))
		return false;
	if (!strcmp(unit, "_us"))
		text_age(n, text);
	else if (!strcmp(unit, "_bytes"))
		units_print_human(n, text);
	else
		return false;
	buf_printf(b, " %.*s=%s", (int) (unit - key), key, text);
	return true;
}

static void add_detail(struct buf *b, const char *key, const json_t *value)
{
	/* the head of the line, and what tells one life from another to programs */
	static const char *const elsewhere[] = { "seq", "time", "kind", "context", "start" };
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		if (!strcmp(key, elsewhere[i]))
			return;
	if (!strcmp(key, "exit")) {
		buf_puts(b, " with ");
		js_exit(value, b);
	} else if (json_is_string(value)) {
		buf_printf(b, " %s=%s", key, json_string_value(value));
	} else if (!add_amount(b, key, value)) {
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		buf_printf(b, " %s=%s", key, text ? text : "?");
		free(text);
	}
}

void look_event_text(struct buf *b, const json_t *o)
{
	const char *context = js_text(o, "context");
	char when[WHEN_TEXT_MAX];
	uint64_t us = 0, seq = 0, until = 0;
	const json_t *value;
	const char *key;

	if (js_is(o, "kind", "lost") && js_number(o, "after", &seq) &&
	    js_number(o, "until", &until)) {
		buf_printf(b, "%llu-%llu lost: no longer kept", (unsigned long long) seq + 1,
			   (unsigned long long) until);
		return;
	}
	js_number(o, "seq", &seq);
	js_number(o, "time", &us);
	buf_printf(b, "%llu %s %s %s", (unsigned long long) seq, when_print(us, when),
		   js_text(o, "kind"), *context ? context : "-");
	json_object_foreach ((json_t *) o, key, value)
		add_detail(b, key, value);
}

static void tell_event(struct buf *out, const json_t *o)
{
	struct buf b = { 0 };

	look_event_text(&b, o);
	text_clean(out, b.data ? b.data : "", b.len, false);
	buf_puts(out, "\n");
	buf_done(&b);
}

static int take_event_line(struct follower *f)
{
	json_t *o = json_loadb(f->line.data, f->line.len, 0, NULL);
	struct buf b = { 0 };
	int r = 0;

	if (f->json) {
		buf_add(&b, f->line.data, f->line.len);
		buf_puts(&b, "\n");
	} else if (o) {
		tell_event(&b, o);
	}
	if (o) /* anything else is no event */
		r = put(f, &b);
	buf_done(&b);
	json_decref(o);
	return r;
}

static int take_events(void *arg, const char *data, size_t len)
{
	struct follower *f = arg;
	int r = 0;

	while (len && r >= 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t) (end - data) : len;

		if (f->line.len + n > EVENT_LINE_MAX)
			return -EMSGSIZE;
		buf_add(&f->line, data, n);
		if (!end)
			break;
		if (f->line.len)
			r = take_event_line(f);
		buf_done(&f->line);
		f->line = (struct buf){ 0 };
		data = end + 1;
		len -= n + 1;
	}
	return r;
}

static int follow(const struct ctl *c, const char *path, const char *name, http_sink sink)
{
	struct follower f = { .c = c, .json = args_has(&c->args, OPT_JSON) };
	struct client client = CLIENT_INIT;
	struct buf refusal = { 0 };
	struct err e = { 0 };
	int r = client_open(&client, c->socket, &e);

	if (r >= 0)
		r = client_send(&client, "GET", path, NULL, false, &e);
	if (r >= 0)
		r = client_receive(&client, sink, &f, &refusal, &e);
	if (r >= 0 && client.reply.status >= 400)
		r = client_refusal(client.reply.status, &refusal, &e);
	if (r < 0 && !e.text[0])
		err_set_errno(&e, r, "reading the daemon's reply");
	client_close(&client);
	buf_done(&refusal);
	buf_done(&f.line);
	if (r >= 0)
		return CTL_DONE;
	return f.failed ? CTL_FAILED : ctl_error(c, name, &e);
}

/* A number of an option, put into the query. @return 0 or -EINVAL, told. */
static int query_number(const struct ctl *c, enum opt opt, const char *key, struct buf *query)
{
	const char *value = c->args.value[opt];
	uint64_t n;

	if (!args_has(&c->args, opt))
		return 0;
	if (units_parse_u64(value, 0, INT64_MAX, &n) < 0) {
		ctl_usage(c, "--%s \"%.64s\" is no number", options_table[opt].name, value);
		return -EINVAL;
	}
	buf_printf(query, "%s%s=%llu", query->len ? "&" : "?", key, (unsigned long long) n);
	return 0;
}

static void query_follow(const struct ctl *c, struct buf *query)
{
	if (args_has(&c->args, OPT_FOLLOW))
		buf_printf(query, "%sfollow=1", query->len ? "&" : "?");
}

static int query_names(const struct ctl *c, struct buf *query)
{
	for (size_t i = 0; i < c->args.operand_count; i++) {
		const char *name = c->args.operands[i];
		struct err e = { 0 };

		if (ctl_check_name(name, &e) < 0) {
			ctl_error(c, name, &e);
			return -EINVAL;
		}
		buf_printf(query, "%scontext=%s", query->len ? "&" : "?", name);
	}
	return 0;
}

static int query_kinds(const struct ctl *c, struct buf *query)
{
	for (size_t i = 0; i < c->args.all_count; i++) {
		const char *word = c->args.all[i].value;

		if (c->args.all[i].opt != OPT_KIND)
			continue;
		if (!*word || word[strspn(word, KIND_LETTERS)]) {
			ctl_usage(c, "--kind \"%.64s\" is no kind of event", word);
			return -EINVAL;
		}
		buf_printf(query, "%skind=%s", query->len ? "&" : "?", word);
	}
	return 0;
}

static int query_since(const struct ctl *c, struct buf *query)
{
	const char *since = c->args.value[OPT_SINCE];
	uint64_t us;

	if (!since)
		return 0;
	if (when_parse(since, &us) < 0) {
		ctl_usage(c,
			  "--since \"%.64s\" is no time; write 10m (ago), 10:04, \"2026-11-21 "
			  "10:04\", @SECONDS",
			  since);
		return -EINVAL;
	}
	buf_printf(query, "%ssince=%llu", query->len ? "&" : "?", (unsigned long long) us);
	return 0;
}

int verb_events(const struct ctl *c)
{
	char path[CLIENT_PATH_MAX];
	struct buf query = { 0 };
	int r = CTL_USAGE;

	if (query_number(c, OPT_AFTER, "after", &query) == 0 &&
	    query_number(c, OPT_LINES, "last", &query) == 0 && query_since(c, &query) == 0 &&
	    query_names(c, &query) == 0 && query_kinds(c, &query) == 0) {
		query_follow(c, &query);
		r = snprintf(path, sizeof(path), "/v1/events%s", query.data ? query.data : "");
		if (r < (int) sizeof(path))
			r = follow(c, path, NULL, take_events);
		else
			r = ctl_usage(c, "too many names or kinds");
	}
	buf_done(&query);
	return r;
}
