/* Tables for a terminal or a pipe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define TABLE_COLUMNS_MAX 24

enum table_color { TABLE_PLAIN, TABLE_GOOD, TABLE_BAD, TABLE_DIM, TABLE_COLOR_COUNT };

struct table_column {
	const char *title;
	bool right; /* numbers */
};

struct table {
	const struct table_column *columns; /* borrowed */
	size_t column_count;
	struct table_cell {
		char *text;
		enum table_color color;
	} * cells;
	size_t cell_count, cell_max;
	int error;
};

void table_init(struct table *t, const struct table_column *columns, size_t count);
void table_done(struct table *t);
/** Appends the next cell, made harmless. Empty cells print as "-". */
void table_add(struct table *t, const char *text);
void table_add_color(struct table *t, const char *text, enum table_color color);
void table_addf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** @width the last column is cut so that lines fit; 0: nothing is cut. */
void table_print(const struct table *t, bool color, size_t width, struct buf *out);
