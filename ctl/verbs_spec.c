/* The verbs about what is declared: plan, check, create, delete, set, get. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/spec_args.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "ctl/versions.h"
#include "spec/host.h"

/* --- plan --- */

/* Of a context as it is declared: its owners may ask for that too. */
static int ask_plan_of(const struct ctl *c, const char *name, json_t **ret, struct err *e)
{
	struct client client = CLIENT_INIT;
	char path[CLIENT_PATH_MAX];
	int r = client_path(path, name, e, "%s", "/plan");

	if (r >= 0)
		r = client_call(&client, c, "GET", path, NULL, ret, e);
	client_close(&client);
	return r;
}

static int ask_plan(const struct ctl *c, const struct spec *s, json_t **ret, struct err *e)
{
	struct client client = CLIENT_INIT;
	json_t *body = spec_write_json(s, false);
	int r = body ? client_call(&client, c, "POST", "/v1/plan", body, ret, e) : -ENOMEM;

	client_close(&client);
	json_decref(body);
	return r;
}

static int print_plan(const struct ctl *c, json_t *reply)
{
	struct buf b = { 0 }, clean = { 0 };
	char tail[4] = "";
	int r;

	if (args_has(&c->args, OPT_JSON)) {
		r = ctl_print_json(c, reply);
		json_decref(reply);
		return r;
	}
	buf_puts(&b, js_text(reply, "plan"));
	if (b.len && b.data[b.len - 1] != '\n')
		buf_puts(&b, "\n");
	text_clean_stream(&clean, tail, b.data ? b.data : "", b.len);
	r = ctl_print(c, &clean);
	buf_done(&b);
	buf_done(&clean);
	json_decref(reply);
	return r;
}

static int plan_what_if(const struct ctl *c)
{
	if (args_has(&c->args, OPT_FILE))
		return ctl_usage(c, "--what-if and --file exclude each other: it takes files and "
				    "names as they are");
	if (c->args.operand_count == 0)
		return ctl_usage(c, "--what-if: files or names are missing");
	return verb_what_if(c);
}

int verb_plan(const struct ctl *c)
{
	const char *name = c->args.operands[0], *file = c->args.value[OPT_FILE];
	json_t *reply = NULL;
	struct err e = { 0 };
	struct spec s;
	int r;

	if (args_has(&c->args, OPT_WHAT_IF))
		return plan_what_if(c);
	if (name && file)
		return ctl_usage(c, "a name and --file exclude each other");
	if (!name && !file && !args_has(&c->args, OPT_SET))
		return ctl_usage(c, "a name or --file is missing");
	if (name && !args_has(&c->args, OPT_SET)) {
		r = ask_plan_of(c, name, &reply, &e);
	} else {
		r = name ? spec_args_fetch(c, name, false, &s, &e)
			 : spec_args_read(c, file, &s, &e);
		if (r >= 0)
			r = spec_args_set(c, &s, &e);
		if (r >= 0)
			r = ask_plan(c, &s, &reply, &e);
		spec_done(&s);
	}
	if (r >= 0)
		r = print_plan(c, reply);
	return r < 0 ? ctl_error(c, name ? name : file, &e) : r;
}

/* --- check --- */

static bool is_host_file(const char *file)
{
	const char *slash = strrchr(file, '/');

	return !strcmp(slash ? slash + 1 : file, SPEC_HOST_FILE);
}

/* The daemon's own. */
static int check_host_file(const char *file, struct spec_errors *errors)
{
	_cleanup_free_ char *text = NULL;
	struct spec_host host;
	size_t len = 0;
	int r = file_read_at(AT_FDCWD, file, SPEC_INI_MAX, &text, &len);

	spec_host_init(&host);
	return r < 0 ? r : spec_host_read(&host, text, len, file, errors);
}

static int check_context_file(const char *file, struct spec_errors *errors)
{
	struct spec s;
	int r = spec_read_file(&s, file, errors);

	if (r >= 0)
		r = spec_check(&s, file, errors);
	spec_done(&s);
	return r;
}

/* @return an array of lines, empty when the file is good; NULL with `e` when it cannot be read. */
static json_t *check_file(const char *file, struct err *e)
{
	struct spec_errors errors = { 0 };
	json_t *lines = json_array();
	int r = is_host_file(file) ? check_host_file(file, &errors)
				   : check_context_file(file, &errors);

	for (size_t i = 0; i < errors.lines.count; i++)
		(void) json_array_append_new(lines, json_string(errors.lines.items[i]));
	if (r < 0 && !errors.lines.count) {
		err_set_errno(e, r, "reading it");
		json_decref(lines);
		lines = NULL;
	}
	spec_errors_done(&errors);
	return lines;
}

static void tell_lines(const json_t *lines)
{
	struct buf b = { 0 };
	json_t *line;
	size_t i;

	json_array_foreach (lines, i, line) {
		text_clean(&b, json_string_value(line), json_string_length(line), true);
		buf_puts(&b, "\n");
	}
	if (!b.error && b.len)
		fwrite(b.data, 1, b.len, stderr);
	buf_done(&b);
}

int verb_check(const struct ctl *c)
{
	json_t *all = json_array();
	int status = CTL_DONE, r = CTL_DONE;

	for (size_t i = 0; i < c->args.operand_count; i++) {
		const char *file = c->args.operands[i];
		struct err e = { 0 };
		json_t *lines = check_file(file, &e);

		if (!lines || json_array_size(lines))
			status = CTL_FAILED;
		if (!lines)
			ctl_error(c, file, &e);
		else if (!args_has(&c->args, OPT_JSON))
			tell_lines(lines);
		(void) json_array_append_new(all,
					     json_pack("{s:s, s:b, s:o}", "file", file, "ok",
						       lines && !json_array_size(lines), "errors",
						       lines ? lines : json_pack("[s]", e.text)));
	}
	if (args_has(&c->args, OPT_JSON))
		r = ctl_print_json(c, all);
	json_decref(all);
	return r == CTL_DONE ? status : r;
}

/* --- create, delete --- */

static int declare(const struct ctl *c, const struct spec *s, struct err *e)
{
	const char *route =
		args_has(&c->args, OPT_REPLACE) ? "/v1/contexts?replace=1" : "/v1/contexts";
	struct client client = CLIENT_INIT;
	json_t *body = spec_write_json(s, false), *reply = NULL;
	int r = body ? client_call(&client, c, "POST", route, body, &reply, e)
		     : err_set(e, -ENOMEM, "out of memory");

	client_close(&client);
	json_decref(body);
	if (r >= 0 && args_has(&c->args, OPT_JSON))
		r = ctl_print_json(c, reply);
	json_decref(reply);
	return r;
}

int verb_create(const struct ctl *c)
{
	const char *file = c->args.operands[0], *name = c->args.value[OPT_NAME];
	struct err e = { 0 };
	struct spec s;
	int r = spec_args_read(c, file, &s, &e);

	if (r >= 0 && name)
		r = ctl_check_name(name, &e);
	if (r >= 0 && name)
		snprintf(s.name, sizeof(s.name), "%s", name);
	if (r >= 0)
		r = ctl_check_name(s.name, &e);
	if (r >= 0)
		r = spec_args_set(c, &s, &e);
	if (r >= 0)
		r = spec_args_check(&s, file, &e);
	if (r >= 0)
		r = declare(c, &s, &e);
	spec_done(&s);
	return r < 0 ? ctl_error(c, file, &e) : r;
}

/* One after the other: each may take a directory tree with it. */
int verb_delete(const struct ctl *c)
{
	struct client client = CLIENT_INIT;
	int status = CTL_DONE;

	for (size_t i = 0; i < c->args.operand_count; i++) {
		char path[CLIENT_PATH_MAX];
		struct err e = { 0 };
		int r = client_path(path, c->args.operands[i], &e, "%s", "");

		if (r >= 0)
			r = client_call(&client, c, "DELETE", path, NULL, NULL, &e);
		if (r < 0)
			status = ctl_error(c, c->args.operands[i], &e);
		client_close(&client);
	}
	return status;
}

/* --- set, get --- */

int verb_set(const struct ctl *c)
{
	const char *name = c->args.operands[0];
	struct client client = CLIENT_INIT;
	json_t *keys, *reply = NULL;
	char path[CLIENT_PATH_MAX];
	struct err e = { 0 };
	int r = client_path(path, name, &e, "%s",
			    args_has(&c->args, OPT_RUNTIME) ? "?runtime=1" : "");

	if (r < 0)
		return ctl_error(c, name, &e);
	keys = spec_args_object((const char *const *) c->args.operands + 1,
				c->args.operand_count - 1, &e);
	if (!keys)
		return ctl_usage(c, "%s", e.text);
	r = client_call(&client, c, "PATCH", path, keys, &reply, &e);
	client_close(&client);
	json_decref(keys);
	if (r < 0)
		r = ctl_error(c, name, &e);
	else if (args_has(&c->args, OPT_JSON))
		r = ctl_print_json(c, reply);
	else if (json_is_true(json_object_get(reply, "restart")))
		ctl_warn(c, name, "some of it holds only after a restart");
	json_decref(reply);
	return r;
}

/* Every key that is in the spec, one entry a line, so that grep finds it. */
static int print_keys(const struct ctl *c, const struct spec *s)
{
	json_t *object = json_object();
	struct spec_key_info k;
	struct buf out = { 0 };
	char key[128];
	int r;

	for (size_t i = 0; spec_key_info(i, &k); i++) {
		struct buf value = { 0 };

		snprintf(key, sizeof(key), "%s.%s", k.section, k.name);
		if (spec_get(s, key, &value, NULL) >= 0 && !value.error) {
			const char *line = value.data ? value.data : "", *end;

			(void) json_object_set_new(object, key, json_string(line));
			for (; *line || line == value.data; line = *end ? end + 1 : end) {
				end = strchrnul(line, '\n');
				buf_printf(&out, "%s = ", key);
				text_clean(&out, line, (size_t) (end - line), false);
				buf_puts(&out, "\n");
				if (!*end)
					break;
			}
		}
		buf_done(&value);
	}
	r = args_has(&c->args, OPT_JSON) ? ctl_print_json(c, object) : ctl_print(c, &out);
	buf_done(&out);
	json_decref(object);
	return r;
}

static int get_all(const struct ctl *c, const char *name)
{
	struct err e = { 0 };
	struct spec s;
	int r = spec_args_fetch(c, name, true, &s, &e);

	r = r < 0 ? ctl_error(c, name, &e) : print_keys(c, &s);
	spec_done(&s);
	return r;
}

static bool key_is_known(const char *key)
{
	struct spec_key_info k;
	char known[128];

	for (size_t i = 0; spec_key_info(i, &k); i++) {
		snprintf(known, sizeof(known), "%s.%s", k.section, k.name);
		if (!strcmp(known, key))
			return true;
	}
	return false;
}

int verb_get(const struct ctl *c)
{
	const char *name = c->args.operands[0], *key = c->args.operands[1];
	struct client client = CLIENT_INIT;
	struct buf b = { 0 }, clean = { 0 };
	char path[CLIENT_PATH_MAX], tail[4] = "";
	struct err e = { 0 };
	json_t *o = NULL;
	int r;

	if (!key)
		return get_all(c, name);
	if (!key_is_known(key)) { /* the message of set suggests the nearest */
		struct spec s;

		r = spec_init(&s, "");
		if (r >= 0 && spec_get(&s, key, &b, &e) >= 0)
			err_set(&e, -ENOENT, "\"%.64s\": there is no such key", key);
		spec_done(&s);
		buf_done(&b);
		return ctl_error(c, name, &e);
	}
	r = client_path(path, name, &e, "/keys/%s", key);
	if (r >= 0)
		r = client_call(&client, c, "GET", path, NULL, &o, &e);
	client_close(&client);
	if (r < 0)
		return ctl_error(c, name, &e);
	buf_printf(&b, "%s\n", js_text(o, "value"));
	text_clean_stream(&clean, tail, b.data ? b.data : "", b.len);
	r = args_has(&c->args, OPT_JSON) ? ctl_print_json(c, o) : ctl_print(c, &clean);
	buf_done(&b);
	buf_done(&clean);
	json_decref(o);
	return r;
}
