/* JSON in and out: the same keys, in one object per section. Only objects, arrays and strings of
 * fixed depth are walked, so nesting in what a client sends is refused where it begins. */
#include <stdlib.h>
#include <string.h>

#include "spec/errors.h"
#include "spec/row.h"
#include "spec/words.h"

struct reader {
	struct spec *s;
	struct spec_errors *errors;
	bool failed;
	int error; /* -ENOMEM */
};

static void refuse(struct reader *in, const char *path, const char *text)
{
	char echo[TEXT_ECHO_MAX];

	errors_add(in->errors, "spec: %s: %s", text_echo(path, echo), text);
	in->failed = true;
}

static void refuse_type(struct reader *in, const char *path, const json_t *v, const char *expected)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",	 [JSON_STRING] = "a string",
		[JSON_INTEGER] = "a number", [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",	     [JSON_NULL] = "null",
	};
	char text[128];

	(void) snprintf(text, sizeof(text), "is %s; allowed: %s",
			v ? names[json_typeof(v)] : "missing", expected);
	refuse(in, path, text);
}

/* "section.key" or "section.key[i]" */
#define PATH_MAX_LENGTH 96
static const char *path_of(const struct row *row, ssize_t i, char out[static PATH_MAX_LENGTH])
{
	if (i < 0)
		(void) snprintf(out, PATH_MAX_LENGTH, "%s.%s", row->section, row->name);
	else
		(void) snprintf(out, PATH_MAX_LENGTH, "%s.%s[%zd]", row->section, row->name, i);
	return out;
}

/* Reads one string: as it is for texts and words, as in a file for the rest. */
static int take_text(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	switch (row->type->shape) {
	case ROW_SHAPE_RAW:
		return row_text_set(row, s, text, e);
	case ROW_SHAPE_WORDS:
		return row_words_add(row, s, text, e);
	case ROW_SHAPE_TEXT:
	case ROW_SHAPE_NUMBER:
		break;
	}
	return row->type->parse(row, s, text, e);
}

static void read_string(struct reader *in, const struct row *row, const json_t *v, ssize_t i)
{
	const char *text = json_string_value(v);
	char path[PATH_MAX_LENGTH];
	struct err e = { 0 };
	int r;

	if (strlen(text) != json_string_length(v)) {
		refuse(in, path_of(row, i, path), "has a NUL byte");
		return;
	}
	r = take_text(row, in->s, text, &e);
	if (r == -ENOMEM)
		in->error = r;
	else if (r < 0)
		refuse(in, path_of(row, i, path), e.text);
}

static void read_array(struct reader *in, const struct row *row, const json_t *v)
{
	char path[PATH_MAX_LENGTH];
	json_t *item;
	size_t i;

	if (!json_is_array(v)) {
		refuse_type(in, path_of(row, -1, path), v, "an array of strings");
		return;
	}
	row->type->clear(row, in->s);
	json_array_foreach(v, i, item)
	{
		if (json_is_string(item))
			read_string(in, row, item, (ssize_t) i);
		else
			refuse_type(in, path_of(row, (ssize_t) i, path), item, "a string");
		if (in->errors->lines.count > SPEC_ERRORS_MAX)
			return;
	}
}

static void read_scalar(struct reader *in, const struct row *row, const json_t *v)
{
	bool number = row->type->shape == ROW_SHAPE_NUMBER;
	char path[PATH_MAX_LENGTH], text[32];
	struct err e = { 0 };

	if (json_is_string(v)) {
		read_string(in, row, v, -1);
	} else if (number && json_is_integer(v)) {
		(void) snprintf(text, sizeof(text), "%lld", (long long) json_integer_value(v));
		if (row->type->parse(row, in->s, text, &e) < 0)
			refuse(in, path_of(row, -1, path), e.text);
	} else {
		refuse_type(in, path_of(row, -1, path), v,
			    number ? "a whole number or a string" : "a string");
	}
}

static void read_section(struct reader *in, const char *section, json_t *object)
{
	const char *name;
	json_t *v;

	json_object_foreach(object, name, v)
	{
		const struct row *row = row_find(section, strlen(section), name);
		_cleanup_free_ char *path = NULL;
		struct err e = { 0 };

		if (!row) {
			(void) errors_no_key(&e, section, name);
			if (asprintf(&path, "%s.%s", section, name) < 0)
				path = NULL;
			refuse(in, path ? path : section, e.text);
		} else if (row->type->repeats || row->type->shape == ROW_SHAPE_WORDS) {
			read_array(in, row, v);
		} else {
			read_scalar(in, row, v);
		}
	}
}

static void read_name(struct reader *in, const json_t *v)
{
	if (!json_is_string(v))
		refuse_type(in, "name", v, "a string");
	else if (!spec_name_valid(json_string_value(v)) ||
		 strlen(json_string_value(v)) != json_string_length(v))
		refuse(in, "name", "is not a name; allowed: [a-z0-9][a-z0-9._-]{0,62}");
	else
		memcpy(in->s->name, json_string_value(v), json_string_length(v) + 1);
}

int spec_read_json(struct spec *s, const json_t *object, struct spec_errors *errors)
{
	struct reader in = { .s = s, .errors = errors };
	const char *section;
	json_t *v;
	int r = spec_init(s, "");

	if (r < 0)
		return r;
	if (!json_is_object(object))
		refuse_type(&in, "all", object, "an object of sections");
	json_object_foreach((json_t *) (uintptr_t) object, section, v)
	{
		struct err e = { 0 };

		if (str_equal(section, "name")) {
			read_name(&in, v);
		} else if (!row_section_exists(section)) {
			(void) errors_no_section(&e, section);
			refuse(&in, section, e.text);
		} else if (!json_is_object(v)) {
			refuse_type(&in, section, v, "an object of keys");
		} else {
			read_section(&in, section, v);
		}
	}
	return in.error ? in.error : in.failed ? -EINVAL : 0;
}

/* --- out --- */

static json_t *words_value(const struct row *row, const struct spec *s)
{
	const struct strv *words = row_field(row, s, 0);
	json_t *array = json_array();

	for (size_t i = 0; array && i < words->count; i++) {
		if (json_array_append_new(array, json_string(words->items[i])) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static json_t *line_value(const struct row *row, const struct spec *s, size_t i)
{
	struct buf b = { 0 };
	json_t *v = NULL;

	row->type->print(row, s, i, &b);
	if (!b.error)
		v = json_string(b.data ? b.data : "");
	buf_done(&b);
	return v;
}

static json_t *lines_value(const struct row *row, const struct spec *s)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < row->type->count(row, s); i++) {
		if (json_array_append_new(array, line_value(row, s, i)) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static json_t *value_of(const struct row *row, const struct spec *s)
{
	const char *text;
	uint64_t number;

	switch (row->type->shape) {
	case ROW_SHAPE_WORDS:
		return words_value(row, s);
	case ROW_SHAPE_RAW:
		text = *(char **) row_field(row, s, 0);
		return json_string(text ? text : "");
	case ROW_SHAPE_NUMBER:
		number = *(uint64_t *) row_field(row, s, 0);
		if (row->type == &row_number && number <= INT64_MAX)
			return json_integer((json_int_t) number);
		break;
	case ROW_SHAPE_TEXT:
		break;
	}
	return row->type->repeats ? lines_value(row, s) : line_value(row, s, 0);
}

/* Sets object[section][name], making the section. Takes `v`. @return 0 or -1. */
static int set_value(json_t *object, const struct row *row, json_t *v)
{
	json_t *section = json_object_get(object, row->section);

	if (!section) {
		section = json_object();
		if (json_object_set_new(object, row->section, section) < 0)
			section = NULL;
	}
	return json_object_set_new(section, row->name, v);
}

json_t *spec_write_json(const struct spec *s, bool full)
{
	json_t *object = json_object();
	struct spec defaults;
	const struct row *row;
	int r = object ? spec_init(&defaults, "") : -ENOMEM;

	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	if (*s->name)
		r = json_object_set_new(object, "name", json_string(s->name));
	for (size_t i = 0; r == 0 && (row = row_at(i)); i++) {
		if (full || !row_is_default(row, s, &defaults))
			r = set_value(object, row, value_of(row, s));
	}
	spec_done(&defaults);
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}
