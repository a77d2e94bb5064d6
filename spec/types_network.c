/* Types of what goes over a network in two ways: one value for both, or `out VALUE in VALUE`. A way
 * that is not named has the default. */
#include <string.h>

#include "spec/row.h"
#include "spec/words.h"

/** What stands for one way. */
struct unit {
	int (*parse)(const char *text, uint64_t *ret);
	char *(*print)(uint64_t v, char *out);
	const char *what; /* that it is not */
	uint64_t none; /* what a way has that is not named */
	uint64_t least; /* besides `none`, where the row's own minimum is less */
};

static uint64_t *way(const struct row *row, const struct spec *s, unsigned i)
{
	return row_field(row, s, i);
}

static int value_parse(const struct row *row, const struct unit *u, const char *text, uint64_t *ret,
		       struct err *e)
{
	uint64_t v = 0;
	int r = u->parse(text, &v);

	if (r < 0 && r != -ERANGE)
		return row_wrong(row, e, text, u->what);
	if (r < 0 || (v == UNITS_NONE && !row->endless) || v < row->min ||
	    (v != UNITS_NONE && v > row->max) || (v < u->least && v != u->none))
		return row_wrong(row, e, text, "is out of range");
	*ret = v;
	return 0;
}

/* out VALUE, in VALUE, or both. */
static int named_parse(const struct row *row, const struct unit *u, const struct strv *w,
		       uint64_t ret[2], struct err *e)
{
	bool given[2] = { false, false };

	for (size_t i = 0; i < w->count; i += 2) {
		unsigned n = str_equal(w->items[i], "in");
		int r;

		if (!n && !str_equal(w->items[i], "out"))
			return row_wrong(row, e, w->items[i], "is not out or in");
		if (given[n])
			return row_wrong(row, e, w->items[i], "is given twice");
		if (i + 1 == w->count)
			return row_wrong(row, e, w->items[i], "is not followed by a value");
		given[n] = true;
		r = value_parse(row, u, w->items[i + 1], &ret[n], e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int ways_parse(const struct row *row, const struct unit *u, struct spec *s, const char *text,
		      struct err *e)
{
	uint64_t v[2] = { u->none, u->none };
	struct strv words = { 0 };
	int r = words_split(text, &words, e);

	if (r == 0 && words.count == 0)
		r = row_wrong(row, e, text, u->what);
	if (r == 0 && words.count == 1) {
		r = value_parse(row, u, words.items[0], &v[0], e);
		v[1] = v[0];
	} else if (r == 0) {
		r = named_parse(row, u, &words, v, e);
	}
	strv_done(&words);
	for (unsigned i = 0; r == 0 && i < 2; i++)
		*way(row, s, i) = v[i];
	return r;
}

static void ways_print(const struct row *row, const struct unit *u, const struct spec *s,
		       struct buf *out)
{
	uint64_t v[2] = { *way(row, s, 0), *way(row, s, 1) };
	char text[UNITS_TEXT_MAX];

	if (v[0] != v[1])
		buf_puts(out, "out ");
	buf_puts(out, u->print(v[0], text));
	if (v[0] != v[1])
		buf_printf(out, " in %s", u->print(v[1], text));
}

#define WAYS_METHODS                                                                               \
	.shape = ROW_SHAPE_TEXT, .width = { sizeof(uint64_t), sizeof(uint64_t) },                  \
	.count = row_one, .equal = row_plain_equal, .copy = row_plain_copy,                        \
	.clear = row_plain_clear

/* --- rates: reserve (from 0) and limit (to max) --- */

static struct unit rate_of(const struct row *row)
{
	return (struct unit){ .parse = units_parse_bandwidth,
			      .print = units_print_bandwidth,
			      .what = "is not a rate",
			      .none = row->endless ? UNITS_NONE : 0,
			      .least = WAY_RATE_MIN };
}

static int rate_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	struct unit u = rate_of(row);

	return ways_parse(row, &u, s, text, e);
}

static void rate_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	struct unit u = rate_of(row);

	(void) i;
	ways_print(row, &u, s, out);
}

const struct row_type row_way_rate = {
	.name = "rate",
	.parse = rate_parse,
	.print = rate_print,
	WAYS_METHODS,
};

/* --- shares --- */

static int read_number(const char *text, uint64_t *ret)
{
	return units_parse_u64(text, 0, UNITS_NONE - 1, ret);
}

static char *print_number(uint64_t v, char *out)
{
	(void) snprintf(out, UNITS_TEXT_MAX, "%llu", (unsigned long long) v);
	return out;
}

static const struct unit weight = { .parse = read_number,
				    .print = print_number,
				    .what = "is not a number",
				    .none = SPEC_NETWORK_SHARE };

static int share_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	return ways_parse(row, &weight, s, text, e);
}

static void share_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	(void) i;
	ways_print(row, &weight, s, out);
}

const struct row_type row_way_share = {
	.name = "share",
	.parse = share_parse,
	.print = share_print,
	WAYS_METHODS,
};

/* --- sizes --- */

static const struct unit size = { .parse = units_parse_bytes,
				  .print = units_print_bytes,
				  .what = "is not a size" };

static int size_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	return ways_parse(row, &size, s, text, e);
}

static void size_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	(void) i;
	ways_print(row, &size, s, out);
}

const struct row_type row_way_bytes = {
	.name = "size",
	.parse = size_parse,
	.print = size_print,
	WAYS_METHODS,
};
