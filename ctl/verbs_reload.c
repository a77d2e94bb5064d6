/* reload: what the daemon found in the files, one line a key. */
#include <stdio.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static void add_value(struct buf *out, const json_t *pair, size_t i)
{
	const char *text = json_string_value(json_array_get(pair, i));

	if (!text || !*text)
		buf_puts(out, "(empty)");
	for (; text && *text; text++) /* a list has a line for each entry */
		buf_printf(out, "%c", *text == '\n' ? ',' : *text);
}

/* "web: cpu.limit: 50% -> 75%" */
static void add_keys(struct buf *out, const json_t *o, const char *which, const char *how)
{
	const char *name = js_text(o, "name"), *key;
	json_t *pair;

	json_object_foreach (json_object_get(o, which), key, pair) {
		struct buf line = {};

		buf_printf(&line, "%s: %s: ", name, key);
		add_value(&line, pair, 0);
		buf_puts(&line, " -> ");
		add_value(&line, pair, 1);
		buf_puts(&line, how);
		text_clean(out, line.data ? line.data : "", line.len, false);
		buf_puts(out, "\n");
		buf_done(&line);
	}
}

static int tell_errors(const struct ctl *c, const json_t *o)
{
	const char *name = js_text(o, "name");
	const json_t *failed = json_object_get(o, "failed"), *line;
	struct err e = { 0 };
	int status = CTL_DONE;
	size_t i;

	json_array_foreach (json_object_get(o, "errors"), i, line) {
		err_set(&e, -EINVAL, "%.900s", json_string_value(line));
		status = ctl_error(c, name, &e);
	}
	if (failed) {
		err_set(&e, -EIO, "%.900s", json_string_value(failed));
		status = ctl_error(c, name, &e);
	}
	return status;
}

static int tell(const struct ctl *c, const json_t *o, struct buf *out)
{
	const char *name = js_text(o, "name"), *what = js_text(o, "what");
	bool runs = strcmp(js_text(o, "state"), "stopped") != 0;

	if (!strcmp(what, "new"))
		buf_printf(out, "%s: new\n", name);
	else if (!strcmp(what, "removed"))
		buf_printf(out, "%s: its file is gone%s\n", name,
			   runs ? "; it runs until it is stopped" : "");
	else if (!strcmp(what, "broken"))
		buf_printf(out, "%s: its file has errors%s\n", name,
			   runs ? "; it runs on as it is" : "");
	if (!json_object_get(o, "failed"))
		add_keys(out, o, "live", args_has(&c->args, OPT_DRY_RUN) ? ", at once" : "");
	add_keys(out, o, "restart", runs ? ", with the next start" : "");
	return tell_errors(c, o);
}

static json_t *make_body(const struct ctl *c)
{
	json_t *names = json_array();

	for (size_t i = 0; i < c->args.operand_count; i++)
		(void) json_array_append_new(names, json_string(c->args.operands[i]));
	return c->args.operand_count ? json_pack("{s:o}", "names", names)
				     : (json_decref(names), NULL);
}

int verb_reload(const struct ctl *c)
{
	const char *path = args_has(&c->args, OPT_DRY_RUN) ? "/v1/reload?dry=1" : "/v1/reload";
	struct client client = CLIENT_INIT;
	json_t *body = make_body(c), *report = NULL, *o;
	struct buf out = {};
	struct err e = { 0 };
	int status = CTL_DONE, r = client_call(&client, c, "POST", path, body, &report, &e);
	size_t i;

	client_close(&client);
	json_decref(body);
	if (r < 0)
		return ctl_error(c, NULL, &e);
	json_array_foreach (report, i, o) {
		if (tell(c, o, &out) != CTL_DONE)
			status = CTL_FAILED;
	}
	if (args_has(&c->args, OPT_JSON))
		r = ctl_print_json(c, report);
	else
		r = args_has(&c->args, OPT_QUIET) ? CTL_DONE : ctl_print(c, &out);
	buf_done(&out);
	json_decref(report);
	return r == CTL_DONE ? status : r;
}
