/* list, show, ps: what there is. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/units.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/look.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "ctl/versions.h"
#include "spec/spec.h"

size_t look_width(const struct ctl *c)
{
	struct winsize w = { 0 };

	if (!c->terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0)
		return 0;
	return w.ws_col;
}

int look_print(const struct ctl *c, struct table *t)
{
	struct buf b = { 0 };
	int r;

	table_print(t, c->color, look_width(c), &b);
	r = ctl_print(c, &b);
	buf_done(&b);
	table_done(t);
	return r;
}

json_t *look_get(const struct ctl *c, const char *path, const char *name, int *ret_status)
{
	struct client client = CLIENT_INIT;
	struct err e = { 0 };
	json_t *reply = NULL;

	*ret_status = CTL_DONE;
	if (client_call(&client, c, "GET", path, NULL, &reply, &e) < 0)
		*ret_status = ctl_error(c, name, &e);
	else if (!reply)
		reply = json_null();
	client_close(&client);
	return reply;
}

void look_add_bytes(struct table *t, const json_t *o, const char *key)
{
	char text[UNITS_TEXT_MAX];
	uint64_t n;

	table_add(t, js_number(o, key, &n) ? units_print_human(n, text) : "");
}

void look_add_number(struct table *t, const json_t *o, const char *key)
{
	uint64_t n;

	if (js_number(o, key, &n))
		table_addf(t, "%llu", (unsigned long long) n);
	else
		table_add(t, "");
}

void look_add_age(struct table *t, const json_t *o, const char *key)
{
	char text[TEXT_AGE_MAX];
	uint64_t n;

	table_add(t, js_number(o, key, &n) ? text_age(n, text) : "");
}

/* --- list --- */

static const struct table_column list_columns[] = {
	{ "NAME", false },  { "STATE", false }, { "PID", true },	  { "UPTIME", true },
	{ "MEMORY", true }, { "PROCS", true },	{ "DESCRIPTION", false },
};

static void add_state(struct table *t, const json_t *o)
{
	const char *state = js_text(o, "state");
	const json_t *end = json_object_get(o, "exit");
	enum table_color color = TABLE_PLAIN;

	if (!strcmp(state, "running"))
		color = TABLE_GOOD;
	else if (!strcmp(state, "stopped") && json_is_object(end) && !js_is(end, "reason", "exit"))
		color = TABLE_BAD;
	else if (!strcmp(state, "stopped"))
		color = TABLE_DIM;
	table_add_color(t, state, color);
}

/* What it is, or how it ended, or what is wrong with it. */
static void add_remark(struct table *t, const json_t *o)
{
	const json_t *warnings = json_object_get(o, "warnings");
	const char *warning = json_string_value(json_array_get(warnings, 0));
	struct buf b = { 0 }, service = { 0 };

	buf_puts(&b, js_text(o, "description"));
	if (js_is(o, "state", "stopped") && json_is_object(json_object_get(o, "exit"))) {
		buf_printf(&b, "%s[", b.len ? " " : "");
		js_ending(o, &b);
		buf_puts(&b, "]");
	}
	if (js_service(o, "; ", &service))
		buf_printf(&b, "%s[%s]", b.len ? " " : "", service.data + strlen("; "));
	buf_done(&service);
	if (warning)
		buf_printf(&b, "%s! %s", b.len ? " " : "", warning);
	table_add(t, b.data);
	buf_done(&b);
}

static void add_context(struct table *t, const json_t *o)
{
	uint64_t n;

	table_add(t, js_text(o, "name"));
	add_state(t, o);
	if (js_number(o, "pid", &n) && n)
		table_addf(t, "%llu", (unsigned long long) n);
	else
		table_add(t, "");
	if (js_is(o, "state", "stopped"))
		table_add(t, "");
	else
		look_add_age(t, o, "uptime_us");
	look_add_bytes(t, o, "memory_bytes");
	look_add_number(t, o, "pids");
	add_remark(t, o);
}

static int list_table(const struct ctl *c, const json_t *list)
{
	struct table t;
	json_t *o;
	size_t i;

	table_init(&t, list_columns, ARRAY_SIZE(list_columns));
	json_array_foreach (list, i, o)
		add_context(&t, o);
	return look_print(c, &t);
}

static int list_names(const struct ctl *c, const json_t *list)
{
	struct buf b = { 0 };
	json_t *o;
	size_t i;
	int r;

	json_array_foreach (list, i, o) {
		text_clean(&b, js_text(o, "name"), strlen(js_text(o, "name")), false);
		buf_puts(&b, "\n");
	}
	r = ctl_print(c, &b);
	buf_done(&b);
	return r;
}

static void keep_marked(json_t *list, const char *mark)
{
	for (size_t i = json_array_size(list); i-- > 0;)
		if (!js_has(json_object_get(json_array_get(list, i), "mark"), mark))
			json_array_remove(list, i);
}

int verb_list(const struct ctl *c)
{
	int r;
	json_t *list = look_get(c, "/v1/contexts?usage=1", NULL, &r);

	if (!list)
		return r;
	if (args_has(&c->args, OPT_MARK))
		keep_marked(list, c->args.value[OPT_MARK]);
	if (args_has(&c->args, OPT_JSON))
		r = ctl_print_json(c, list);
	else if (args_has(&c->args, OPT_QUIET))
		r = list_names(c, list);
	else
		r = list_table(c, list);
	json_decref(list);
	return r;
}

/* --- show --- */

static void show_state(struct buf *b, const char *name, const json_t *o)
{
	const json_t *warnings = json_object_get(o, "warnings"), *w;
	char age[TEXT_AGE_MAX];
	struct buf text = { 0 }, lines = { 0 };
	uint64_t n;
	size_t i;

	buf_printf(b, "# %s: %s", name, js_text(o, "state"));
	if (js_number(o, "pid", &n) && n)
		buf_printf(b, ", process %llu", (unsigned long long) n);
	if (!js_is(o, "state", "stopped") && js_number(o, "uptime_us", &n))
		buf_printf(b, ", for %s", text_age(n, age));
	buf_puts(b, "\n");
	if (js_ending(o, &text))
		buf_printf(b, "# last end: %s\n", text.data);
	js_service(o, "\n# ", &lines);
	if (lines.data)
		buf_printf(b, "%s\n", lines.data + 1);
	buf_done(&lines);
	if (json_is_true(json_object_get(o, "throwaway")))
		buf_puts(b, "# a throwaway: removed when it ends\n");
	json_array_foreach (warnings, i, w)
		buf_printf(b, "# warning: %s\n", json_is_string(w) ? json_string_value(w) : "?");
	buf_done(&text);
}

/* Cleaned line by line: a value may hold anything. */
static int print_clean(const struct ctl *c, struct buf *b)
{
	struct buf clean = { 0 };
	char tail[4] = "";
	int r;

	text_clean_stream(&clean, tail, b->data ? b->data : "", b->len);
	clean.error = clean.error ? clean.error : b->error;
	r = ctl_print(c, &clean);
	buf_done(&clean);
	return r;
}

static int show_ini(const struct ctl *c, const char *name, const json_t *o)
{
	struct err e = { 0 };
	struct buf b = { 0 };
	struct spec s;
	int r = versions_read_spec(c, name, json_object_get(o, "spec"), &s, &e);

	if (r < 0) {
		r = ctl_error(c, name, &e);
	} else {
		show_state(&b, name, o);
		spec_write_ini(&s, args_has(&c->args, OPT_FULL), &b);
		r = print_clean(c, &b);
	}
	spec_done(&s);
	buf_done(&b);
	return r;
}

int verb_show(const struct ctl *c)
{
	const char *name = c->args.operands[0];
	char path[CLIENT_PATH_MAX];
	struct err e = { 0 };
	json_t *o;
	int r;

	if (client_path(path, name, &e, "%s", args_has(&c->args, OPT_FULL) ? "?full=1" : "") < 0)
		return ctl_error(c, name, &e);
	o = look_get(c, path, name, &r);
	if (o)
		r = args_has(&c->args, OPT_JSON) ? ctl_print_json(c, o) : show_ini(c, name, o);
	json_decref(o);
	return r;
}

/* --- ps --- */

static const struct table_column ps_columns[] = {
	{ "PID", true }, { "INNER", true },  { "USER", true },	   { "STATE", false },
	{ "CPU", true }, { "MEMORY", true }, { "COMMAND", false },
};

static int ps_table(const struct ctl *c, const json_t *list)
{
	struct table t;
	json_t *o;
	size_t i;

	table_init(&t, ps_columns, ARRAY_SIZE(ps_columns));
	json_array_foreach (list, i, o) {
		look_add_number(&t, o, "pid");
		look_add_number(&t, o, "inner");
		look_add_number(&t, o, "user");
		table_add(&t, js_text(o, "state"));
		look_add_age(&t, o, "cpu_us");
		look_add_bytes(&t, o, "rss_bytes");
		table_add(&t, js_text(o, "command"));
	}
	return look_print(c, &t);
}

int verb_ps(const struct ctl *c)
{
	const char *name = c->args.operands[0];
	char path[CLIENT_PATH_MAX];
	struct err e = { 0 };
	json_t *list;
	int r;

	if (client_path(path, name, &e, "/ps") < 0)
		return ctl_error(c, name, &e);
	list = look_get(c, path, name, &r);
	if (list)
		r = args_has(&c->args, OPT_JSON) ? ctl_print_json(c, list) : ps_table(c, list);
	json_decref(list);
	return r;
}
