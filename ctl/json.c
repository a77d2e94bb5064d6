/* Small readers of JSON replies. */
#include "ctl/json.h"

#include <string.h>

#include "ctl/text.h"

const char *js_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

bool js_number(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*ret = (uint64_t) json_integer_value(v);
	return true;
}

bool js_is(const json_t *object, const char *key, const char *text)
{
	return !strcmp(js_text(object, key), text);
}

bool js_has(const json_t *array, const char *text)
{
	const json_t *v;
	size_t i;

	json_array_foreach (array, i, v)
		if (json_is_string(v) && !strcmp(json_string_value(v), text))
			return true;
	return false;
}

bool js_ending(const json_t *summary, struct buf *out)
{
	return js_exit(json_object_get(summary, "exit"), out);
}

bool js_exit(const json_t *end, struct buf *out)
{
	uint64_t n;

	if (!json_is_object(end))
		return false;
	if (js_number(end, "status", &n))
		buf_printf(out, "status %llu", (unsigned long long) n);
	else if (*js_text(end, "name"))
		buf_printf(out, "signal %s", js_text(end, "name"));
	else if (js_number(end, "signal", &n))
		buf_printf(out, "signal %llu", (unsigned long long) n);
	else
		buf_puts(out, js_text(end, "reason"));
	if (*js_text(end, "text"))
		buf_printf(out, ": %s", js_text(end, "text"));
	return true;
}

bool js_service(const json_t *o, const char *before, struct buf *out)
{
	size_t len = out->len;
	char age[TEXT_AGE_MAX];
	uint64_t n;

	if (*js_text(o, "waits_for"))
		buf_printf(out, "%snot ready: waits for %s", before, js_text(o, "waits_for"));
	if (js_is(o, "health", "unhealthy"))
		buf_printf(out, "%sunhealthy", before);
	if (*js_text(o, "health_text"))
		buf_printf(out, "%shealth: %s", before, js_text(o, "health_text"));
	if (js_number(o, "restart_in_us", &n))
		buf_printf(out, "%srestarts in %s", before, text_age(n, age));
	if (js_number(o, "restarts", &n))
		buf_printf(out, "%srestarted %llu time%s", before, (unsigned long long) n,
			   n == 1 ? "" : "s");
	if (*js_text(o, "status"))
		buf_printf(out, "%s\"%s\"", before, js_text(o, "status"));
	return out->len > len;
}
