/* Types of what a context is entitled to on a disk: DEVICE and a number. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "spec/row.h"
#include "spec/words.h"

/** What the second word is. */
struct number {
	bool (*read)(const struct row *row, const char *text, uint64_t *ret);
	const char *missing, *wrong; /* "is not a device and a weight", "is no weight" */
};

static int part_fill(const struct row *row, const char *text, const struct strv *w,
		     const struct number *number, struct spec_io_part *ret, struct err *e)
{
	if (w->count == 0 || row->check(w->items[0]))
		return row_wrong(row, e, w->count ? w->items[0] : text, "is not a path below /dev");
	if (w->count != 2)
		return row_wrong(row, e, text, number->missing);
	if (!number->read(row, w->items[1], &ret->amount))
		return row_wrong(row, e, w->items[1], number->wrong);
	if (str_replace(&ret->device, w->items[0]) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int part_parse(const struct row *row, const char *text, const struct number *number,
		      void *item, struct err *e)
{
	struct strv words = { 0 };
	int r = words_split(text, &words, e);

	if (r == 0)
		r = part_fill(row, text, &words, number, item, e);
	strv_done(&words);
	return r;
}

static bool part_equal(const void *x, const void *y)
{
	const struct spec_io_part *a = x, *b = y;

	return str_equal(a->device, b->device) && a->amount == b->amount;
}

static int part_copy(void *to, const void *from)
{
	const struct spec_io_part *s = from;
	struct spec_io_part *copy = to;

	*copy = *s;
	copy->device = NULL;
	return str_replace(&copy->device, s->device);
}

static void part_done(void *item)
{
	free(((struct spec_io_part *) item)->device);
}

/* --- io share: DEVICE WEIGHT --- */

static bool read_weight(const struct row *row, const char *text, uint64_t *ret)
{
	return units_parse_u64(text, row->min, row->max, ret) >= 0;
}

static int share_parse(const struct row *row, const char *text, void *item, struct err *e)
{
	static const struct number weight = { read_weight, "is not a device and a weight",
					      "is no weight" };

	return part_parse(row, text, &weight, item, e);
}

static void share_print(const void *item, struct buf *out)
{
	const struct spec_io_part *s = item;

	word_print(s->device, false, out);
	buf_printf(out, " %llu", (unsigned long long) s->amount);
}

static const struct row_element share_element = {
	.size = sizeof(struct spec_io_part),
	.parse = share_parse,
	.print = share_print,
	.equal = part_equal,
	.copy = part_copy,
	.done = part_done,
};
const struct row_type row_io_share = ROW_LIST_TYPE("device share", share_element);

/* --- io reserve: DEVICE PERCENT --- */

static bool read_permille(const struct row *row, const char *text, uint64_t *ret)
{
	size_t len = strlen(text);

	return len > 0 && text[len - 1] == '%' && units_parse_cpu(text, 1, ret) >= 0 &&
	       *ret >= row->min && *ret <= row->max;
}

static int reserve_parse(const struct row *row, const char *text, void *item, struct err *e)
{
	static const struct number percentage = { read_permille, "is not a device and a percentage",
						  "is no part of a disk" };

	return part_parse(row, text, &percentage, item, e);
}

static void reserve_print(const void *item, struct buf *out)
{
	const struct spec_io_part *s = item;
	char text[UNITS_TEXT_MAX];

	word_print(s->device, false, out);
	buf_printf(out, " %s", units_print_cpu(s->amount, text));
}

static const struct row_element reserve_element = {
	.size = sizeof(struct spec_io_part),
	.parse = reserve_parse,
	.print = reserve_print,
	.equal = part_equal,
	.copy = part_copy,
	.done = part_done,
};
const struct row_type row_io_reserve = ROW_LIST_TYPE("device reserve", reserve_element);
