/* THE table of columns: `stats` and `top` print, sort and explain by it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "ctl/sample.h"

#define COLUMNS_TEXT_MAX 72

struct columns_view {
	const struct sample_row *row;
	struct sample_rates rates;
};

struct column {
	const char *name; /* as in --columns and --sort */
	const char *title;
	unsigned width; /* in top; the first one takes what is left */
	bool left; /* aligned; numbers are to the right */
	char key; /* in top: sorts by it; 0: none */
	void (*print)(const struct columns_view *v, char out[static COLUMNS_TEXT_MAX]);
	double (*value)(const struct columns_view *v); /* to sort by, large first; NULL: the name */
	const char *help;
};

extern const struct column columns_table[];
extern const size_t columns_count;

#define COLUMNS_CHOSEN_MAX 24
struct columns_chosen {
	const struct column *of[COLUMNS_CHOSEN_MAX];
	size_t count;
};
/** @list "name,cpu,memory". @return 0 or -EINVAL naming what there is. */
[[nodiscard]] int columns_choose(const char *list, struct columns_chosen *ret, struct err *e);
/** @return NULL with `e` when there is no such column. */
const struct column *columns_find(const char *name, struct err *e);
/** Sorts by a column (NULL: by name). */
void columns_sort(struct columns_view *views, size_t count, const struct column *by, bool reverse);

#define COLUMNS_TOTALS                                                                             \
	"name,cpu-time,throttled-time,memory,memory-limit,memory-peak,swap,oom,procs,procs-limit," \
	"read-total,written-total,received-total,sent-total"
#define COLUMNS_RATES                                                                              \
	"name,s,cpu,cpu-limit,throttled,memory,memory-used,procs,read,written,received,sent,"      \
	"wait-cpu,wait-memory,wait-io"
