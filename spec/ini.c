/* The file of a context in and out, by the table of keys. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "spec/errors.h"
#include "spec/lines.h"
#include "spec/row.h"

struct ini {
	struct lines lines; /* first */
	struct spec *s;
	unsigned first[ROW_COUNT_MAX]; /* line on which a key first stood */
};

static void read_value(struct ini *in, const struct row *row, const char *value)
{
	size_t before = row->type->repeats ? row->type->count(row, in->s) : 0;
	struct err e = { 0 };
	int r = 0;

	if (*value || !row->type->repeats) /* an empty list is one */
		r = row->type->parse(row, in->s, value, &e);
	if (r == -ENOMEM) {
		in->lines.error = r;
	} else if (r < 0) {
		lines_refuse_key(&in->lines, row->section, row->name, e.text);
		return;
	}
	size_t after = row->type->repeats ? row->type->count(row, in->s) : 1;
	for (size_t i = before; i < after; i++)
		errors_place(in->lines.errors, row, i, in->lines.line);
}

static void twice(struct ini *in, const struct row *row, unsigned first)
{
	char text[80];

	(void) snprintf(text, sizeof(text), "given twice; the first is on line %u", first);
	lines_refuse_key(&in->lines, row->section, row->name, text);
}

static void take_setting(struct lines *lines, const char *section, const char *name,
			 const char *value)
{
	struct ini *in = (struct ini *) lines;
	const struct row *row = row_find(section, strlen(section), name);
	struct err e = { 0 };

	if (!row) {
		(void) errors_no_key(&e, section, name);
		lines_refuse_key(lines, section, name, e.text);
		return;
	}

	unsigned *first = &in->first[row_index(row)];
	if (*first && !row->type->repeats) {
		twice(in, row, *first);
		return;
	}
	if (!*first) {
		*first = lines->line;
		if (row->type->repeats)
			row->type->clear(row, in->s);
	}
	read_value(in, row, value);
}

static int find_section(const char *name, struct err *e)
{
	return row_section_exists(name) ? 0 : errors_no_section(e, name);
}

int spec_read_ini(struct spec *s, const char *text, size_t len, const char *source,
		  struct spec_errors *errors)
{
	struct ini in = {
		.lines = { .source = source,
			   .errors = errors,
			   .section = find_section,
			   .setting = take_setting },
		.s = s,
	};

	return lines_read(&in.lines, text, len);
}

int spec_read_file(struct spec *s, const char *path, struct spec_errors *errors)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	_cleanup_free_ char *text = NULL, *name = strdup(base);
	size_t text_len = 0, len = strlen(base);
	int r;

	if (name && len > 4 && strcmp(name + len - 4, ".ini") == 0)
		name[len - 4] = '\0';
	r = spec_init(s, name && spec_name_valid(name) ? name : "");
	if (r == 0)
		r = name ? file_read_at(AT_FDCWD, path, SPEC_INI_MAX, &text, &text_len) : -ENOMEM;
	return r < 0 ? r : spec_read_ini(s, text, text_len, path, errors);
}

/* --- out --- */

static void write_row(const struct row *row, const struct spec *s, struct buf *out)
{
	size_t count = row->type->count(row, s);

	if (count == 0)
		buf_printf(out, "%s =\n", row->name);
	for (size_t i = 0; i < count; i++) {
		size_t begin;

		buf_printf(out, "%s = ", row->name);
		begin = out->len;
		row->type->print(row, s, i, out);
		if (!out->error && out->len == begin)
			out->len--; /* no blank at the end of a line */
		buf_puts(out, "\n");
	}
}

void spec_write_ini(const struct spec *s, bool full, struct buf *out)
{
	const char *section = "";
	struct spec defaults;
	const struct row *row;

	if (spec_init(&defaults, "") < 0) {
		out->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; (row = row_at(i)); i++) {
		if (!full && row_is_default(row, s, &defaults))
			continue;
		if (strcmp(section, row->section) != 0)
			buf_printf(out, "%s[%s]\n", *section ? "\n" : "", row->section);
		section = row->section;
		write_row(row, s, out);
	}
	spec_done(&defaults);
}
