/* Types whose value is an array of structs: the array once, for all (row_list_*), and what one
 * entry looks like, per type. The stop sequence is an array too, but stands on one line. */
#include <stdlib.h>
#include <string.h>

#include "spec/row.h"
#include "spec/words.h"

/* --- the array --- */

static void **items_of(const struct row *row, const struct spec *s)
{
	return row_field(row, s, 0);
}

static size_t *count_of(const struct row *row, const struct spec *s)
{
	return row_field(row, s, 1);
}

static void *item_at(const struct row *row, const struct spec *s, size_t i)
{
	return (char *) *items_of(row, s) + i * row->type->element->size;
}

/* Makes room for one more, zeroed, without counting it. */
static void *item_new(const struct row *row, struct spec *s)
{
	size_t count = *count_of(row, s), size = row->type->element->size;
	void *items = reallocarray(*items_of(row, s), count + 1, size);

	if (!items)
		return NULL;
	*items_of(row, s) = items;
	return memset((char *) items + count * size, 0, size);
}

int row_list_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	if (*count_of(row, s) >= SPEC_LIST_MAX)
		return err_set(e, -EINVAL, "more than %d entries", SPEC_LIST_MAX);

	void *item = item_new(row, s);
	int r = item ? row->type->element->parse(row, text, item, e)
		     : err_set(e, -ENOMEM, "out of memory");
	if (r == 0)
		++*count_of(row, s);
	else if (item)
		row->type->element->done(item);
	return r;
}

size_t row_list_count(const struct row *row, const struct spec *s)
{
	return *count_of(row, s);
}

void row_list_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	row->type->element->print(item_at(row, s, i), out);
}

bool row_list_equal(const struct row *row, const struct spec *a, const struct spec *b)
{
	if (*count_of(row, a) != *count_of(row, b))
		return false;
	for (size_t i = 0; i < *count_of(row, a); i++) {
		if (!row->type->element->equal(item_at(row, a, i), item_at(row, b, i)))
			return false;
	}
	return true;
}

int row_list_copy(const struct row *row, struct spec *to, const struct spec *from)
{
	for (size_t i = 0; i < *count_of(row, from); i++) {
		void *item = item_new(row, to);

		if (!item || row->type->element->copy(item, item_at(row, from, i)) < 0) {
			if (item)
				row->type->element->done(item);
			row_list_clear(row, to);
			return -ENOMEM;
		}
		++*count_of(row, to);
	}
	return 0;
}

void row_list_clear(const struct row *row, struct spec *s)
{
	for (size_t i = 0; i < *count_of(row, s); i++)
		row->type->element->done(item_at(row, s, i));
	free(*items_of(row, s));
	*items_of(row, s) = NULL;
	*count_of(row, s) = 0;
}

static void done_nothing(void *item)
{
	(void) item;
}

/* @return whether *p could be set to a copy. */
static bool keep(char **p, const char *s)
{
	return str_replace(p, s) == 0;
}

/* --- SOURCE[:TARGET[:ro|rw]] --- */

static int bind_fill(const struct row *row, const char *text, const struct strv *f,
		     struct spec_bind *b, struct err *e)
{
	const char *access = f->count > 2 ? f->items[2] : "ro";
	const char *target = f->count > 1 ? f->items[1] : f->items[0];

	if (f->count > 3)
		return row_wrong(row, e, text, "has too many parts");
	if (!row_path_is_plain(f->items[0]))
		return row_wrong(row, e, text, "has a source that is not a clean absolute path");
	if (!row_path_is_plain(target))
		return row_wrong(row, e, text, "has a target that is not a clean absolute path");
	if (strcmp(access, "ro") != 0 && strcmp(access, "rw") != 0)
		return row_wrong(row, e, text, "is neither ro nor rw");
	b->writable = strcmp(access, "rw") == 0;
	if (!keep(&b->source, f->items[0]) || !keep(&b->target, target))
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int bind_parse(const struct row *row, const char *text, void *item, struct err *e)
{
	struct strv fields = { 0 };
	int r = words_split_fields(text, &fields, e);

	if (r == 0)
		r = bind_fill(row, text, &fields, item, e);
	strv_done(&fields);
	return r;
}

static void bind_print(const void *item, struct buf *out)
{
	const struct spec_bind *b = item;

	word_print(b->source, true, out);
	buf_puts(out, ":");
	word_print(b->target, true, out);
	buf_puts(out, b->writable ? ":rw" : ":ro");
}

static bool bind_equal(const void *x, const void *y)
{
	const struct spec_bind *a = x, *b = y;

	return str_equal(a->source, b->source) && str_equal(a->target, b->target) &&
	       a->writable == b->writable;
}

static int bind_copy(void *to, const void *from)
{
	const struct spec_bind *b = from;
	struct spec_bind *copy = to;

	copy->writable = b->writable;
	return keep(&copy->source, b->source) && keep(&copy->target, b->target) ? 0 : -ENOMEM;
}

static void bind_done(void *item)
{
	struct spec_bind *b = item;

	free(b->source);
	free(b->target);
}

static const struct row_element bind_element = {
	.size = sizeof(struct spec_bind),
	.parse = bind_parse,
	.print = bind_print,
	.equal = bind_equal,
	.copy = bind_copy,
	.done = bind_done,
};
const struct row_type row_bind = ROW_LIST_TYPE("bind", bind_element);

/* --- TARGET:SIZE --- */

static int tmpfs_fill(const struct row *row, const char *text, const struct strv *f,
		      struct spec_tmpfs *t, struct err *e)
{
	if (f->count != 2)
		return row_wrong(row, e, text, f->count < 2 ? "has no size" : "has too many parts");
	if (!row_path_is_plain(f->items[0]))
		return row_wrong(row, e, text, "has a target that is not a clean absolute path");

	int r = units_parse_bytes(f->items[1], &t->size_bytes);
	if (r < 0 && r != -ERANGE)
		return row_wrong(row, e, text, "has a size that is none");
	if (r < 0 || t->size_bytes < row->min || t->size_bytes > row->max)
		return row_wrong(row, e, text, "has a size out of range");
	return keep(&t->target, f->items[0]) ? 0 : err_set(e, -ENOMEM, "out of memory");
}

static int tmpfs_parse(const struct row *row, const char *text, void *item, struct err *e)
{
	struct strv fields = { 0 };
	int r = words_split_fields(text, &fields, e);

	if (r == 0)
		r = tmpfs_fill(row, text, &fields, item, e);
	strv_done(&fields);
	return r;
}

static void tmpfs_print(const void *item, struct buf *out)
{
	const struct spec_tmpfs *t = item;
	char size[UNITS_TEXT_MAX];

	word_print(t->target, true, out);
	buf_printf(out, ":%s", units_print_bytes(t->size_bytes, size));
}

static bool tmpfs_equal(const void *x, const void *y)
{
	const struct spec_tmpfs *a = x, *b = y;

	return str_equal(a->target, b->target) && a->size_bytes == b->size_bytes;
}

static int tmpfs_copy(void *to, const void *from)
{
	const struct spec_tmpfs *t = from;
	struct spec_tmpfs *copy = to;

	copy->size_bytes = t->size_bytes;
	return keep(&copy->target, t->target) ? 0 : -ENOMEM;
}

static void tmpfs_done(void *item)
{
	free(((struct spec_tmpfs *) item)->target);
}

static const struct row_element tmpfs_element = {
	.size = sizeof(struct spec_tmpfs),
	.parse = tmpfs_parse,
	.print = tmpfs_print,
	.equal = tmpfs_equal,
	.copy = tmpfs_copy,
	.done = tmpfs_done,
};
const struct row_type row_tmpfs = ROW_LIST_TYPE("tmpfs", tmpfs_element);

/* --- SIGNAL [WAIT SIGNAL]... --- */

#define STOP_MAX 16
#define STOP_WAIT_MAX_US 3600000000u

static int stop_step(const struct row *row, const struct strv *w, size_t i, struct spec_stop *step,
		     struct err *e)
{
	step->signal = units_parse_signal(w->items[i]);
	if (step->signal < 1)
		return row_wrong(row, e, w->items[i], "is not a signal");
	if (i + 1 == w->count)
		return 0;
	if (units_parse_duration(w->items[i + 1], &step->wait_us) < 0)
		return row_wrong(row, e, w->items[i + 1], "is not a duration");
	if (step->wait_us > STOP_WAIT_MAX_US)
		return row_wrong(row, e, w->items[i + 1], "is out of range");
	if (i + 2 == w->count)
		return row_wrong(row, e, w->items[i + 1], "is not followed by a signal");
	return 0;
}

static int stop_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	struct spec_stop steps[STOP_MAX] = { 0 };
	struct strv words = { 0 };
	size_t n = 0;

	if (str_equal(text, "default")) {
		row_list_clear(row, s);
		return 0;
	}
	int r = words_split(text, &words, e);
	if (r == 0 && words.count == 0)
		r = row_wrong(row, e, text, "names no signal");
	if (r == 0 && words.count > 2 * STOP_MAX - 1)
		r = row_wrong(row, e, text, "has more than 16 signals");
	for (size_t i = 0; r == 0 && i < words.count; i += 2)
		r = stop_step(row, &words, i, &steps[n++], e);
	strv_done(&words);
	if (r < 0)
		return r;

	struct spec_stop *items = calloc(n, sizeof(*items));
	if (!items)
		return err_set(e, -ENOMEM, "out of memory");
	memcpy(items, steps, n * sizeof(*items));
	free(*items_of(row, s));
	*items_of(row, s) = items;
	*count_of(row, s) = n;
	return 0;
}

static void stop_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	const struct spec_stop *steps = *items_of(row, s);
	size_t n = *count_of(row, s);
	char wait[UNITS_TEXT_MAX];

	if (n == 0)
		buf_puts(out, "default");
	for (i = 0; i < n; i++) {
		buf_puts(out, units_print_signal(steps[i].signal));
		if (i + 1 < n)
			buf_printf(out, " %s ", units_print_duration(steps[i].wait_us, wait));
	}
}

static bool stop_equal(const void *x, const void *y)
{
	const struct spec_stop *a = x, *b = y;

	return a->signal == b->signal && a->wait_us == b->wait_us;
}

static int stop_copy(void *to, const void *from)
{
	*(struct spec_stop *) to = *(const struct spec_stop *) from;
	return 0;
}

static const struct row_element stop_element = {
	.size = sizeof(struct spec_stop),
	.equal = stop_equal,
	.copy = stop_copy,
	.done = done_nothing,
};

const struct row_type row_stop = {
	.name = "signals",
	.shape = ROW_SHAPE_TEXT,
	.width = { sizeof(void *), sizeof(size_t) },
	.parse = stop_parse,
	.count = row_one,
	.print = stop_write,
	.equal = row_list_equal,
	.copy = row_list_copy,
	.clear = row_list_clear,
	.element = &stop_element,
};
