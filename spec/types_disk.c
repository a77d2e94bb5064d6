/* Types of what a context is entitled to on a disk: DEVICE and a number. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "spec/row.h"
#include "spec/words.h"

/* --- io share: DEVICE WEIGHT --- */

static int share_fill(const struct row *row, const char *text, const struct strv *w,
		      struct spec_io_share *ret, struct err *e)
{
	if (w->count == 0 || row->check(w->items[0]))
		return row_wrong(row, e, w->count ? w->items[0] : text, "is not a path below /dev");
	if (w->count != 2)
		return row_wrong(row, e, text, "is not a device and a weight");
	if (units_parse_u64(w->items[1], row->min, row->max, &ret->weight) < 0)
		return row_wrong(row, e, w->items[1], "is no weight");
	if (str_replace(&ret->device, w->items[0]) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int share_parse(const struct row *row, const char *text, void *item, struct err *e)
{
	struct strv words = { 0 };
	int r = words_split(text, &words, e);

	if (r == 0)
		r = share_fill(row, text, &words, item, e);
	strv_done(&words);
	return r;
}

static void share_print(const void *item, struct buf *out)
{
	const struct spec_io_share *s = item;

	word_print(s->device, false, out);
	buf_printf(out, " %llu", (unsigned long long) s->weight);
}

static bool share_equal(const void *x, const void *y)
{
	const struct spec_io_share *a = x, *b = y;

	return str_equal(a->device, b->device) && a->weight == b->weight;
}

static int share_copy(void *to, const void *from)
{
	const struct spec_io_share *s = from;
	struct spec_io_share *copy = to;

	*copy = *s;
	copy->device = NULL;
	return str_replace(&copy->device, s->device);
}

static void share_done(void *item)
{
	free(((struct spec_io_share *) item)->device);
}

static const struct row_element share_element = {
	.size = sizeof(struct spec_io_share),
	.parse = share_parse,
	.print = share_print,
	.equal = share_equal,
	.copy = share_copy,
	.done = share_done,
};
const struct row_type row_io_share = ROW_LIST_TYPE("device share", share_element);

/* --- io reserve: DEVICE PERCENT --- */

static bool read_permille(const struct row *row, const char *text, uint64_t *ret)
{
	size_t len = strlen(text);

	return len > 0 && text[len - 1] == '%' && units_parse_cpu(text, 1, ret) >= 0 &&
	       *ret >= row->min && *ret <= row->max;
}

static int reserve_fill(const struct row *row, const char *text, const struct strv *w,
			struct spec_io_reserve *ret, struct err *e)
{
	if (w->count == 0 || row->check(w->items[0]))
		return row_wrong(row, e, w->count ? w->items[0] : text, "is not a path below /dev");
	if (w->count != 2)
		return row_wrong(row, e, text, "is not a device and a percentage");
	if (!read_permille(row, w->items[1], &ret->permille))
		return row_wrong(row, e, w->items[1], "is no part of a disk");
	if (str_replace(&ret->device, w->items[0]) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int reserve_parse(const struct row *row, const char *text, void *item, struct err *e)
{
	struct strv words = { 0 };
	int r = words_split(text, &words, e);

	if (r == 0)
		r = reserve_fill(row, text, &words, item, e);
	strv_done(&words);
	return r;
}

static void reserve_print(const void *item, struct buf *out)
{
	const struct spec_io_reserve *s = item;
	char text[UNITS_TEXT_MAX];

	word_print(s->device, false, out);
	buf_printf(out, " %s", units_print_cpu(s->permille, text));
}

static bool reserve_equal(const void *x, const void *y)
{
	const struct spec_io_reserve *a = x, *b = y;

	return str_equal(a->device, b->device) && a->permille == b->permille;
}

static int reserve_copy(void *to, const void *from)
{
	const struct spec_io_reserve *s = from;
	struct spec_io_reserve *copy = to;

	*copy = *s;
	copy->device = NULL;
	return str_replace(&copy->device, s->device);
}

static void reserve_done(void *item)
{
	free(((struct spec_io_reserve *) item)->device);
}

static const struct row_element reserve_element = {
	.size = sizeof(struct spec_io_reserve),
	.parse = reserve_parse,
	.print = reserve_print,
	.equal = reserve_equal,
	.copy = reserve_copy,
	.done = reserve_done,
};
const struct row_type row_io_reserve = ROW_LIST_TYPE("device reserve", reserve_element);
