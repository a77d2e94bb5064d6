/* Every body is one JSON object, so every parser here is a table of its fields: name, reader,
 * where the value goes. The walk refuses what the table does not name; a reader accepts exactly
 * one type and range. Nothing is acted upon. */
#include "daemon/http/request.h"

#include <signal.h>
#include <string.h>

#include "base/path.h"
#include "base/units.h"

struct field {
	const char *name;
	int (*read)(const char *name, const json_t *v, void *out, struct err *e);
	size_t offset;
	bool needed;
};

static int check_depth(const char *text, size_t len, struct err *e)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > REQUEST_DEPTH_MAX)
				return err_set(e, -EINVAL, "reading JSON: nested deeper than %d",
					       REQUEST_DEPTH_MAX);
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

int request_json(const char *text, size_t len, json_t **ret, struct err *e)
{
	json_error_t at;
	json_t *o;
	int r = check_depth(text, len, e);

	if (r < 0)
		return r;
	if (len > REQUEST_BODY_MAX)
		return err_set(e, -EINVAL, "reading JSON: more than %u bytes", REQUEST_BODY_MAX);
	o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &at);
	if (!o)
		return err_set(e, -EINVAL, "reading JSON, line %d column %d: %s", at.line,
			       at.column, at.text);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(e, -EINVAL, "reading JSON: an object {...} is expected");
	}
	*ret = o;
	return 0;
}

static int unknown_field(const char *key, const struct field *fields, size_t count, struct err *e)
{
	char known[256] = "";
	size_t at = 0;

	for (size_t i = 0; i < count && at < sizeof(known); i++) {
		int n = snprintf(known + at, sizeof(known) - at, "%s%s", i ? ", " : "",
				 fields[i].name);

		at += n > 0 ? (size_t) n : 0;
	}
	return err_set(e, -EINVAL, "\"%.64s\": no such field; known are: %s", key, known);
}

static int read_object(const json_t *o, const struct field *fields, size_t count, void *out,
		       struct err *e)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *) o, key, v) {
		size_t i = 0;
		int r;

		while (i < count && strcmp(key, fields[i].name))
			i++;
		if (i == count)
			return unknown_field(key, fields, count, e);
		r = fields[i].read(key, v, (char *) out + fields[i].offset, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < count; i++)
		if (fields[i].needed && !json_object_get(o, fields[i].name))
			return err_set(e, -EINVAL, "\"%s\": is missing", fields[i].name);
	return 0;
}

/* --- readers: one type each --- */

static int read_bool(const char *name, const json_t *v, void *out, struct err *e)
{
	if (!json_is_boolean(v))
		return err_set(e, -EINVAL, "\"%s\": true or false is expected", name);
	*(bool *) out = json_is_true(v);
	return 0;
}

static int read_range(const char *name, const json_t *v, int64_t max, uint64_t *out, struct err *e)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
		return err_set(e, -EINVAL, "\"%s\": a whole number from 0 to %lld is expected",
			       name, (long long) max);
	*out = (uint64_t) json_integer_value(v);
	return 0;
}

static int read_timeout(const char *name, const json_t *v, void *out, struct err *e)
{
	return read_range(name, v, (int64_t) 7 * 86400 * 1000000, out, e);
}

static int read_short(const char *name, const json_t *v, void *out, struct err *e)
{
	uint64_t n = 0;
	int r = read_range(name, v, UINT16_MAX, &n, e);

	if (r < 0)
		return r;
	*(unsigned short *) out = (unsigned short) n;
	return 0;
}

static int read_streams(const char *name, const json_t *v, void *out, struct err *e)
{
	uint64_t n = 0;

	if (read_range(name, v, 3, &n, e) < 0 || (n != 0 && n != 3))
		return err_set(e, -EINVAL, "\"%s\": 0 or 3 is expected", name);
	*(int *) out = (int) n;
	return 0;
}

static int read_signal(const char *name, const json_t *v, void *out, struct err *e)
{
	int sig = json_is_string(v) ? units_parse_signal(json_string_value(v)) : -EINVAL;

	if (sig <= 0)
		return err_set(e, -EINVAL, "\"%s\": a signal's name is expected, such as \"TERM\"",
			       name);
	*(int *) out = sig;
	return 0;
}

static int read_text(const char *name, const json_t *v, void *out, struct err *e)
{
	if (!json_is_string(v))
		return err_set(e, -EINVAL, "\"%s\": a string is expected", name);
	*(const char **) out = json_string_value(v);
	return 0;
}

static int read_any(const char *name, const json_t *v, void *out, struct err *e)
{
	if (!json_is_object(v))
		return err_set(e, -EINVAL, "\"%s\": an object {...} is expected", name);
	*(const json_t **) out = v;
	return 0;
}

static int read_user(const char *name, const json_t *v, void *out, struct err *e)
{
	if (!json_is_string(v) || !json_string_length(v) || json_string_length(v) > 128)
		return err_set(e, -EINVAL, "\"%s\": USER or USER:GROUP is expected", name);
	return str_replace(out, json_string_value(v));
}

static int read_directory(const char *name, const json_t *v, void *out, struct err *e)
{
	if (!json_is_string(v) || !path_is_clean(json_string_value(v)))
		return err_set(e, -EINVAL, "\"%s\": an absolute path without \"..\" is expected",
			       name);
	return str_replace(out, json_string_value(v));
}

static int read_strings(const char *name, const json_t *v, void *out, struct err *e)
{
	size_t i;
	json_t *item;

	if (!json_is_array(v) || json_array_size(v) > REQUEST_ARGS_MAX)
		return err_set(e, -EINVAL, "\"%s\": an array of at most %d strings is expected",
			       name, REQUEST_ARGS_MAX);
	json_array_foreach (v, i, item) {
		if (!json_is_string(item))
			return err_set(e, -EINVAL, "\"%s\"[%zu]: a string is expected", name, i);
		if (strv_add(out, json_string_value(item)) < 0)
			return err_set(e, -ENOMEM, "\"%s\": out of memory", name);
	}
	return 0;
}

static int read_command(const char *name, const json_t *v, void *out, struct err *e)
{
	int r = read_strings(name, v, out, e);
	struct strv *command = out;

	if (r == 0 && (command->count == 0 || !command->items[0][0]))
		return err_set(e, -EINVAL, "\"%s\": needs at least the program", name);
	return r;
}

static int read_environment(const char *name, const json_t *v, void *out, struct err *e)
{
	int r = read_strings(name, v, out, e);
	struct strv *env = out;

	for (size_t i = 0; r == 0 && i < env->count; i++) {
		const char *equal = strchr(env->items[i], '=');

		if (!equal || equal == env->items[i])
			return err_set(e, -EINVAL, "\"%s\"[%zu]: NAME=VALUE is expected", name, i);
	}
	return r;
}

static int read_terminal(const char *name, const json_t *v, void *out, struct err *e)
{
	static const struct field fields[] = {
		{ "rows", read_short, offsetof(struct request_terminal, rows), false },
		{ "cols", read_short, offsetof(struct request_terminal, cols), false },
	};
	struct request_terminal *t = out;

	if (json_is_null(v))
		return 0;
	if (!json_is_object(v))
		return err_set(e, -EINVAL, "\"%s\": {\"rows\", \"cols\"} is expected", name);
	t->wanted = true;
	return read_object(v, fields, ARRAY_SIZE(fields), t, e);
}

/* --- the bodies --- */

static int spec_refused(const struct spec_errors *lines, int code, struct err *e)
{
	if (lines->lines.count == 0)
		return err_set_errno(e, code, "reading the spec");
	if (lines->lines.count == 1)
		return err_set(e, code, "%s", lines->lines.items[0]);
	return err_set(e, code, "the spec has %zu errors; the first: %s", lines->lines.count,
		       lines->lines.items[0]);
}

static int check_name(const char *name, bool needed, struct err *e)
{
	if (!name[0] && needed)
		return err_set(e, -EINVAL, "\"name\": is missing");
	if (name[0] && !spec_name_valid(name))
		return err_set(e, -EINVAL, "\"name\": [a-z0-9][a-z0-9._-]{0,62} is expected");
	return 0;
}

int request_spec(const json_t *o, bool name_needed, struct spec *ret, struct spec_errors *lines,
		 struct err *e)
{
	int r = spec_init(ret, "");

	if (r < 0)
		return err_set_errno(e, r, "reading the spec");
	r = spec_read_json(ret, o, lines);
	if (r == 0)
		r = spec_check(ret, "spec", lines);
	if (r < 0)
		spec_refused(lines, r, e);
	else
		r = check_name(ret->name, name_needed, e);
	if (r < 0)
		spec_done(ret);
	return r;
}

int request_run(const json_t *o, struct request_run *ret, struct spec_errors *lines, struct err *e)
{
	struct parsed {
		const json_t *spec;
		struct request_terminal terminal;
		bool detach;
	} p = {};
	static const struct field fields[] = {
		{ "spec", read_any, offsetof(struct parsed, spec), true },
		{ "terminal", read_terminal, offsetof(struct parsed, terminal), false },
		{ "detach", read_bool, offsetof(struct parsed, detach), false },
	};
	int r = read_object(o, fields, ARRAY_SIZE(fields), &p, e);

	if (r < 0)
		return r;
	if (p.detach && p.terminal.wanted)
		return err_set(e, -EINVAL, "\"terminal\": a detached run has none");
	*ret = (struct request_run){ .terminal = p.terminal, .detach = p.detach };
	return request_spec(p.spec, false, &ret->spec, lines, e);
}

void request_run_done(struct request_run *r)
{
	spec_done(&r->spec);
}

int request_exec(const json_t *o, struct request_exec *ret, struct err *e)
{
	static const struct field fields[] = {
		{ "command", read_command, offsetof(struct request_exec, command), true },
		{ "environment", read_environment, offsetof(struct request_exec, environment),
		  false },
		{ "user", read_user, offsetof(struct request_exec, user), false },
		{ "directory", read_directory, offsetof(struct request_exec, directory), false },
		{ "terminal", read_terminal, offsetof(struct request_exec, terminal), false },
	};
	int r;

	*ret = (struct request_exec){};
	r = read_object(o, fields, ARRAY_SIZE(fields), ret, e);
	if (r < 0)
		request_exec_done(ret);
	return r;
}

void request_exec_done(struct request_exec *r)
{
	strv_done(&r->command);
	strv_done(&r->environment);
	free(r->user);
	free(r->directory);
	*r = (struct request_exec){};
}

int request_stop(const json_t *o, struct request_stop *ret, struct err *e)
{
	static const struct field fields[] = {
		{ "timeout_us", read_timeout, offsetof(struct request_stop, timeout_us), false },
	};

	*ret = (struct request_stop){};
	return read_object(o, fields, ARRAY_SIZE(fields), ret, e);
}

static int read_names(const char *name, const json_t *v, void *out, struct err *e)
{
	struct strv *names = out;
	int r = read_strings(name, v, out, e);

	for (size_t i = 0; r == 0 && i < names->count; i++)
		if (!spec_name_valid(names->items[i]))
			return err_set(e, -EINVAL,
				       "\"%s\"[%zu]: [a-z0-9][a-z0-9._-]{0,62} is expected", name,
				       i);
	return r;
}

static int read_contexts(const char *name, const json_t *v, void *out, struct err *e)
{
	int r = read_names(name, v, out, e);

	if (r == 0 && json_array_size(v) == 0)
		return err_set(e, -EINVAL, "\"%s\": at least one name is expected", name);
	return r;
}

static int read_mark(const char *name, const json_t *v, void *out, struct err *e)
{
	if (!json_is_string(v) || !spec_name_valid(json_string_value(v)))
		return err_set(e, -EINVAL, "\"%s\": [a-z0-9][a-z0-9._-]{0,62} is expected", name);
	return read_text(name, v, out, e);
}

int request_many(const json_t *o, bool stop, struct request_many *ret, struct err *e)
{
	static const struct field start_fields[] = {
		{ "contexts", read_contexts, offsetof(struct request_many, contexts), false },
		{ "all", read_bool, offsetof(struct request_many, all), false },
		{ "mark", read_mark, offsetof(struct request_many, mark), false },
		{ "autostart", read_bool, offsetof(struct request_many, autostart), false },
	};
	static const struct field stop_fields[] = {
		{ "contexts", read_contexts, offsetof(struct request_many, contexts), false },
		{ "all", read_bool, offsetof(struct request_many, all), false },
		{ "mark", read_mark, offsetof(struct request_many, mark), false },
		{ "timeout_us", read_timeout, offsetof(struct request_many, timeout_us), false },
	};
	int r;

	*ret = (struct request_many){};
	r = read_object(o, stop ? stop_fields : start_fields, ARRAY_SIZE(start_fields), ret, e);
	if (r == 0 && (ret->contexts.count > 0) + ret->all + ret->autostart + !!ret->mark != 1)
		r = err_set(e, -EINVAL, "which contexts: exactly one of %s is expected",
			    stop ? "contexts, all, mark" : "contexts, all, mark, autostart");
	if (r < 0)
		request_many_done(ret);
	return r;
}

void request_many_done(struct request_many *r)
{
	strv_done(&r->contexts);
}

int request_kill(const json_t *o, struct request_kill *ret, struct err *e)
{
	static const struct field fields[] = {
		{ "signal", read_signal, offsetof(struct request_kill, sig), false },
		{ "all", read_bool, offsetof(struct request_kill, all), false },
	};

	*ret = (struct request_kill){ .sig = SIGTERM };
	return read_object(o, fields, ARRAY_SIZE(fields), ret, e);
}

int request_check(const json_t *o, struct request_check *ret, struct err *e)
{
	static const struct field fields[] = {
		{ "ini", read_text, offsetof(struct request_check, ini), true },
		{ "source", read_text, offsetof(struct request_check, source), false },
	};

	*ret = (struct request_check){ .source = "input.ini" };
	return read_object(o, fields, ARRAY_SIZE(fields), ret, e);
}

int request_reload(const json_t *o, struct strv *ret, struct err *e)
{
	static const struct field fields[] = { { "names", read_names, 0, false } };
	int r;

	*ret = (struct strv){};
	r = read_object(o, fields, ARRAY_SIZE(fields), ret, e);
	if (r < 0)
		strv_done(ret);
	return r;
}

int request_patch(const json_t *o, struct err *e)
{
	size_t count = json_object_size(o);
	const char *key;
	json_t *v;

	if (count == 0 || count > REQUEST_KEYS_MAX)
		return err_set(e, -EINVAL, "changing keys: 1 to %d are expected, not %zu",
			       REQUEST_KEYS_MAX, count);
	json_object_foreach ((json_t *) o, key, v)
		if (!json_is_string(v))
			return err_set(e, -EINVAL,
				       "\"%.64s\": a string is expected, as in a context's file",
				       key);
	return 0;
}

int request_line(const char *text, size_t len, struct request_line *ret, struct err *e)
{
	struct parsed {
		int streams, sig;
	} p = { -1, -1 };
	static const struct field fields[] = {
		{ "streams", read_streams, offsetof(struct parsed, streams), false },
		{ "signal", read_signal, offsetof(struct parsed, sig), false },
	};
	json_t *o;
	int r = request_json(text, len, &o, e);

	if (r < 0)
		return r;
	r = read_object(o, fields, ARRAY_SIZE(fields), &p, e);
	json_decref(o);
	if (r < 0)
		return r;
	if ((p.streams < 0) == (p.sig < 0))
		return err_set(e, -EINVAL,
			       "reading a line: either \"streams\" or \"signal\" is expected");
	if (p.streams >= 0)
		*ret = (struct request_line){ .kind = REQUEST_LINE_STREAMS,
					      .streams = (unsigned) p.streams };
	else
		*ret = (struct request_line){ .kind = REQUEST_LINE_SIGNAL, .sig = p.sig };
	return 0;
}
