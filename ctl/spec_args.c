/* A spec from the command line. Keys are known to spec/ alone; here words only become pairs. */
#include "ctl/spec_args.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/client.h"
#include "ctl/versions.h"

int spec_args_read(const struct ctl *c, const char *file, struct spec *s, struct err *e)
{
	struct spec_errors errors = { 0 };
	int r;

	(void) c;
	if (!file) {
		r = spec_init(s, "");
		return r < 0 ? err_set_errno(e, r, "making a spec") : 0;
	}
	r = spec_read_file(s, file, &errors);
	if (r < 0 && errors.lines.count)
		spec_errors_to_err(&errors, e);
	else if (r < 0)
		err_set_errno(e, r, "reading %.900s", file);
	spec_errors_done(&errors);
	return r;
}

int spec_args_fetch(const struct ctl *c, const char *name, bool full, struct spec *s, struct err *e)
{
	struct client client = CLIENT_INIT;
	char path[CLIENT_PATH_MAX];
	json_t *o = NULL;
	int r = client_path(path, name, e, "%s", full ? "?full=1" : "");

	if (r >= 0)
		r = client_call(&client, c, "GET", path, NULL, &o, e);
	client_close(&client);
	if (r < 0) {
		(void) spec_init(s, "");
		return r;
	}
	r = versions_read_spec(c, name, json_object_get(o, "spec"), s, e);
	json_decref(o);
	return r;
}

int spec_args_check(const struct spec *s, const char *source, struct err *e)
{
	struct spec_errors errors = { 0 };
	int r = spec_check(s, source, &errors);

	if (r < 0)
		spec_errors_to_err(&errors, e);
	spec_errors_done(&errors);
	return r;
}

static int add_pair(json_t *object, const char *word, struct err *e)
{
	const char *eq = strchr(word, '='), *old;
	_cleanup_free_ char *key = NULL, *joined = NULL;
	int r;

	if (!eq || eq == word)
		return err_set(e, -EINVAL, "\"%.200s\" is not KEY=VALUE", word);
	key = strndup(word, (size_t) (eq - word));
	old = key ? json_string_value(json_object_get(object, key)) : NULL;
	if (key && old && asprintf(&joined, "%s\n%s", old, eq + 1) < 0)
		joined = NULL;
	if (!key || (old && !joined))
		return err_set(e, -ENOMEM, "reading \"%.200s\": out of memory", word);
	r = json_object_set_new(object, key, json_string(joined ? joined : eq + 1));
	return r < 0 ? err_set(e, -EINVAL, "\"%.200s\" is no UTF-8", word) : 0;
}

json_t *spec_args_object(const char *const *words, size_t count, struct err *e)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < count; i++) {
		if (add_pair(object, words[i], e) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	if (!object)
		err_set(e, -ENOMEM, "out of memory");
	return object;
}

int spec_args_set(const struct ctl *c, struct spec *s, struct err *e)
{
	_cleanup_free_ const char **words = calloc(c->args.all_count + 1, sizeof(*words));
	const char *key;
	json_t *pairs, *value;
	size_t n = 0;
	int r = 0;

	if (!args_has(&c->args, OPT_SET))
		return 0;
	if (!words)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < c->args.all_count; i++)
		if (c->args.all[i].opt == OPT_SET)
			words[n++] = c->args.all[i].value;
	pairs = spec_args_object(words, n, e);
	if (!pairs)
		return e->code;
	json_object_foreach (pairs, key, value)
		if (r >= 0)
			r = spec_set(s, key, json_string_value(value), e);
	json_decref(pairs);
	return r;
}
