/* Tables. Columns are as wide as their widest cell; only the last may be cut, and only for a
 * terminal. libsmartcols does more, but loading it costs more than all the rest of a verb. */
#include "ctl/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/text.h"

static const char *const color_start[TABLE_COLOR_COUNT] = {
	[TABLE_PLAIN] = "",
	[TABLE_GOOD] = "\033[32m",
	[TABLE_BAD] = "\033[31m",
	[TABLE_DIM] = "\033[2m",
};

void table_init(struct table *t, const struct table_column *columns, size_t count)
{
	*t = (struct table){ .columns = columns, .column_count = count };
}

void table_done(struct table *t)
{
	for (size_t i = 0; i < t->cell_count; i++)
		free(t->cells[i].text);
	free(t->cells);
	*t = (struct table){ 0 };
}

static int grow(struct table *t)
{
	size_t max = t->cell_max ? t->cell_max * 2 : 64;
	struct table_cell *cells;

	if (t->cell_count < t->cell_max)
		return 0;
	cells = reallocarray(t->cells, max, sizeof(*cells));
	if (!cells)
		return t->error = -ENOMEM;
	t->cells = cells;
	t->cell_max = max;
	return 0;
}

void table_add_color(struct table *t, const char *text, enum table_color color)
{
	struct buf b = { 0 };

	if (!text || !*text)
		text = "-";
	if (grow(t) < 0)
		return;
	text_clean(&b, text, strlen(text), false);
	t->cells[t->cell_count] = (struct table_cell){ buf_take(&b), color };
	if (!t->cells[t->cell_count].text)
		t->error = -ENOMEM;
	else
		t->cell_count++;
}

void table_add(struct table *t, const char *text)
{
	table_add_color(t, text, TABLE_PLAIN);
}

void table_addf(struct table *t, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_add(t, text);
}

static void measure(const struct table *t, size_t *widths)
{
	for (size_t i = 0; i < t->column_count; i++)
		widths[i] = strlen(t->columns[i].title);
	for (size_t i = 0; i < t->cell_count; i++) {
		size_t w = text_width(t->cells[i].text), *max = &widths[i % t->column_count];

		if (w > *max)
			*max = w;
	}
}

/* Bytes of the first `columns` code points. */
static size_t cut_at(const char *s, size_t columns)
{
	size_t i = 0;

	for (; s[i]; i++)
		if (((unsigned char) s[i] & 0xc0) != 0x80 && !columns--)
			break;
	return i;
}

static void print_last(struct buf *out, const char *text, size_t used, size_t width)
{
	size_t room = width > used ? width - used : 0;

	if (!width || text_width(text) <= room)
		buf_puts(out, text);
	else if (room > 1)
		buf_printf(out, "%.*s\xe2\x80\xa6", (int) cut_at(text, room - 1), text);
}

static void print_cell(struct buf *out, const char *text, bool right, size_t column)
{
	int pad = (int) (column - text_width(text));

	buf_printf(out, "%*s%s%*s  ", right ? pad : 0, "", text, right ? 0 : pad, "");
}

/* `row` NULL: the titles. */
static void print_row(const struct table *t, const struct table_cell *row, const size_t *widths,
		      bool color, size_t width, struct buf *out)
{
	size_t used = 0;

	for (size_t i = 0; i < t->column_count; i++) {
		const char *text = row ? row[i].text : t->columns[i].title;
		enum table_color c = row ? row[i].color : TABLE_DIM;
		bool paint = color && c != TABLE_PLAIN;

		if (paint)
			buf_puts(out, color_start[c]);
		if (i + 1 < t->column_count)
			print_cell(out, text, t->columns[i].right, widths[i]);
		else if (t->columns[i].right)
			buf_printf(out, "%*s%s", (int) (widths[i] - text_width(text)), "", text);
		else
			print_last(out, text, used, width);
		if (paint)
			buf_puts(out, "\033[0m");
		used += widths[i] + 2;
	}
	buf_puts(out, "\n");
}

void table_print(const struct table *t, bool color, size_t width, struct buf *out)
{
	size_t widths[TABLE_COLUMNS_MAX];

	if (t->error || !t->column_count || t->column_count > TABLE_COLUMNS_MAX) {
		out->error = t->error ? t->error : -EINVAL;
		return;
	}
	measure(t, widths);
	print_row(t, NULL, widths, color, width, out);
	for (size_t i = 0; i + t->column_count <= t->cell_count; i += t->column_count)
		print_row(t, &t->cells[i], widths, color, width, out);
}
