/* What clients can send: the first byte chooses a parser, the rest is its input. Invariants: no
 * parser crashes or leaks, a refusal has a sentence, and what was taken is within its bounds. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/http/http.h"
#include "daemon/http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool truth)
{
	if (!truth)
		abort();
}

static void try_run(const json_t *o)
{
	struct spec_errors lines = {};
	struct request_run q;
	struct err e = {};

	if (request_run(o, &q, &lines, &e) == 0) {
		want(!q.spec.name[0] || spec_name_valid(q.spec.name));
		request_run_done(&q);
	} else {
		want(e.code < 0 && e.text[0]);
	}
	spec_errors_done(&lines);
}

static void try_spec(const json_t *o)
{
	struct spec_errors lines = {};
	struct err e = {};
	struct spec s;

	if (request_spec(o, true, &s, &lines, &e) == 0) {
		want(spec_name_valid(s.name));
		spec_done(&s);
	} else {
		want(e.code < 0 && e.text[0]);
	}
	spec_errors_done(&lines);
}

static void try_exec(const json_t *o)
{
	struct request_exec q;
	struct err e = {};

	if (request_exec(o, &q, &e) == 0) {
		want(q.command.count > 0 && q.command.count <= REQUEST_ARGS_MAX);
		request_exec_done(&q);
	} else {
		want(e.code < 0 && e.text[0]);
	}
}

static void try_small(const json_t *o)
{
	struct request_kill kill;
	struct request_stop stop;
	struct request_check check;
	struct request_many many;
	struct request_what_if what_if;
	struct spec_errors lines = {};
	struct err e = {};

	for (int ending = 0; ending < 2; ending++) {
		if (request_many(o, ending, &many, &e) == 0) {
			want(many.contexts.count || many.all || many.mark || many.autostart);
			request_many_done(&many);
		}
	}
	if (request_kill(o, &kill, &e) == 0)
		want(kill.sig > 0 && kill.sig <= 64);
	if (request_stop(o, &stop, &e) == 0)
		want(stop.timeout_us <= UINT64_C(7) * 86400 * 1000000);
	if (request_check(o, &check, &e) == 0)
		want(check.ini && check.source);
	if (request_what_if(o, &what_if, &lines, &e) == 0) {
		want(what_if.count > 0 && what_if.count <= REQUEST_SPECS_MAX);
		request_what_if_done(&what_if);
	}
	spec_errors_done(&lines);
	(void) !request_patch(o, &e);
}

static void try_line(const char *text, size_t size)
{
	struct request_line line;
	struct err e = {};

	if (request_line(text, size, &line, &e) == 0)
		want(line.kind == REQUEST_LINE_SIGNAL ? line.sig > 0
						      : line.streams == 0 || line.streams == 3);
	else
		want(e.code < 0 && e.text[0]);
}

/* METHOD PATH?NAME=VALUE&..., as libmicrohttpd would split it. */
static void try_path(const char *text, size_t size)
{
	static const struct http_route routes[] = {
		{ "GET", "/v1/contexts", NULL, HTTP_BODY_NONE, HTTP_RIGHT_ROOT, 0 },
		{ "POST", "/v1/contexts/{}/start", NULL, HTTP_BODY_NONE, HTTP_RIGHT_ROOT, 0 },
		{ "GET", "/v1/contexts/{}/keys/{}", NULL, HTTP_BODY_NONE, HTTP_RIGHT_ROOT, 0 },
	};
	_cleanup_free_ char *copy = strndup(text, size);
	char *path = copy ? strchr(copy, ' ') : NULL, *query, *word;
	struct request_query q = {};
	struct http_match m;
	struct err e = {};

	if (!path)
		return;
	*path++ = '\0';
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	(void) http_unescape(path);
	http_route_find(routes, ARRAY_SIZE(routes), copy, path, &m);
	want((m.status == 200) == (m.route != NULL));
	while ((word = strsep(&query, "&"))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		(void) http_unescape(word);
		(void) !request_query_add(&q, ~0u, word, value, &e);
	}
	want(q.lines <= REQUEST_LOG_LINES_MAX && q.follow <= 1);
}

/* What a stranger says is only ever shown. */
static void try_stranger(const char *text, size_t size)
{
	char shown[48];

	http_first_words(text, size, shown, sizeof(shown));
	for (const char *p = shown; *p; p++)
		want(*p >= ' ' && *p < 0x7f && *p != '"' && *p != '\\');
}

/* A change that an owner asks for: what is permitted is within the bounds. */
static void try_grant(const json_t *o)
{
	struct spec s;
	struct err e = {};
	const char *key;
	json_t *v;

	want(spec_init(&s, "x") == 0);
	want(spec_set(&s, "context.grant", "cpu.limit >= 10% <= 200% cpu.share <= 500 cpu.cpus",
		      &e) == 0);
	json_object_foreach ((json_t *) o, key, v)
		if (json_is_string(v) &&
		    spec_grant_permits(&s, key, json_string_value(v), &e) == 0 &&
		    spec_set(&s, key, json_string_value(v), &e) == 0)
			want(s.cpu.limit_millicpu == UNITS_NONE ||
			     (s.cpu.limit_millicpu >= 100 && s.cpu.limit_millicpu <= 2000));
	want(s.cpu.share <= 500 && !s.context.owners.count && s.context.grant_count == 3);
	spec_done(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const json_t *o) = { try_run, try_spec, try_exec, try_small };
	const char *text = (const char *) data + 1;
	struct err e = {};
	json_t *o;

	if (size < 1)
		return 0;
	size--;
	if (data[0] == 'l') {
		try_line(text, size);
	} else if (data[0] == 's') {
		try_stranger(text, size);
	} else if (data[0] == 'p') {
		try_path(text, size);
	} else if (request_json(text, size, &o, &e) == 0) {
		if (data[0] == 'g')
			try_grant(o);
		else
			tries[data[0] % ARRAY_SIZE(tries)](o);
		json_decref(o);
	} else {
		want(e.code < 0 && e.text[0]);
	}
	return 0;
}
