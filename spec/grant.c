/* What an owner may do to a context: the keys that are granted, each with its bounds, as a type of
 * value and as a judgement; and which specs an owner may not enter.
 *
 * Only limits can be granted. What else may change on a live context (who owns it, what the host
 * runs for it) would make an owner more than the spec says. */
#include <string.h>

#include "spec/row.h"
#include "spec/words.h"

#define LINE_MAX_BYTES 4096

static bool is_limit(const struct row *row)
{
	static const char *const sections[] = { "process", "cpu", "memory", "io", "network" };

	for (size_t i = 0; row->live && i < ARRAY_SIZE(sections); i++) {
		if (str_equal(row->section, sections[i]))
			return true;
	}
	return false;
}

/* Whether values of this key can be compared: they are one number. */
static bool is_ordered(const struct row *row)
{
	return row->type == &row_number || row->type == &row_bytes || row->type == &row_duration ||
	       row->type == &row_cpu;
}

static void print_key(const struct row *row, struct buf *out)
{
	buf_printf(out, "%s.%s", row->section, row->name);
}

static const struct row *find(const char *key)
{
	const char *dot = strchr(key, '.');

	return dot ? row_find(key, (size_t) (dot - key), dot + 1) : NULL;
}

/* --- the type --- */

static int refuse_key(const char *key, struct err *e)
{
	char echo[TEXT_ECHO_MAX];
	struct buf all = { 0 };
	const struct row *row;
	int r;

	for (size_t i = 0; (row = row_at(i)); i++) {
		if (!is_limit(row))
			continue;
		buf_puts(&all, all.len ? ", " : "");
		print_key(row, &all);
	}
	r = err_set(e, -EINVAL, "\"%s\" is no limit that can be changed live; allowed: %s",
		    text_echo(key, echo), all.data ? all.data : "");
	buf_done(&all);
	return r;
}

/* One value of another key. */
static int read_value(const struct row *row, const char *text, uint64_t *ret, struct err *e)
{
	struct spec scratch = { 0 };
	int r = row->type->parse(row, &scratch, text, e);

	if (r == 0)
		*ret = *(const uint64_t *) row_field(row, &scratch, 0);
	return r;
}

static int read_bound(const char *sign, const char *value, struct spec_grant *g, struct err *e)
{
	const struct row *row = row_at(g->key);
	char echo[TEXT_ECHO_MAX];
	int r;

	if (!is_ordered(row))
		return err_set(e, -EINVAL,
			       "%s.%s: its values have no order; allowed: the key without a bound",
			       row->section, row->name);
	if (!value)
		return err_set(e, -EINVAL, "%s.%s: \"%s\" is not followed by a value", row->section,
			       row->name, text_echo(sign, echo));
	r = read_value(row, value, sign[0] == '<' ? &g->most : &g->least, e);
	if (r < 0)
		return err_prefix(e, "%s.%s", row->section, row->name);
	if (g->least > g->most)
		return err_set(e, -EINVAL, "%s.%s: no value lies within these bounds", row->section,
			       row->name);
	return 0;
}

static bool is_sign(const char *word)
{
	return str_equal(word, "<=") || str_equal(word, ">=");
}

/* KEY [<= VALUE] [>= VALUE], the words that belong together. @return how many words, or -errno. */
static int read_grant(const struct strv *w, size_t at, struct spec_grant *g, struct err *e)
{
	const struct row *row = find(w->items[at]);
	size_t i = at + 1;

	if (!row || !is_limit(row))
		return refuse_key(w->items[at], e);
	*g = (struct spec_grant){ .key = (unsigned) row_index(row), .most = UNITS_NONE };
	for (; i < w->count && is_sign(w->items[i]); i += 2) {
		int r = read_bound(w->items[i], i + 1 < w->count ? w->items[i + 1] : NULL, g, e);

		if (r < 0)
			return r;
	}
	return (int) (i - at);
}

/* Blanks around signs and in place of commas, so that "cpu.share<=5,cpu.limit" is four words. */
static int split(const char *text, struct strv *ret, struct err *e)
{
	struct buf spaced = { 0 };
	int r;

	if (strlen(text) > LINE_MAX_BYTES)
		return err_set(e, -EINVAL, "longer than %d bytes", LINE_MAX_BYTES);
	for (const char *p = text; *p; p++) {
		if ((*p == '<' || *p == '>') && p[1] == '=') {
			buf_printf(&spaced, " %c= ", *p);
			p++;
		} else {
			buf_add(&spaced, *p == ',' ? " " : p, 1);
		}
	}
	r = spaced.error ? err_set(e, spaced.error, "out of memory")
			 : words_split(spaced.data ? spaced.data : "", ret, e);
	buf_done(&spaced);
	return r;
}

static struct spec_grant **items_of(const struct row *row, const struct spec *s)
{
	return row_field(row, s, 0);
}

static size_t *count_of(const struct row *row, const struct spec *s)
{
	return row_field(row, s, 1);
}

static int append(const struct row *row, struct spec *s, const struct spec_grant *g, struct err *e)
{
	size_t count = *count_of(row, s);
	struct spec_grant *items;

	if (count >= SPEC_LIST_MAX)
		return err_set(e, -EINVAL, "more than %d entries", SPEC_LIST_MAX);
	items = reallocarray(*items_of(row, s), count + 1, sizeof(*items));
	if (!items)
		return err_set(e, -ENOMEM, "out of memory");
	items[count] = *g;
	*items_of(row, s) = items;
	*count_of(row, s) = count + 1;
	return 0;
}

/* All of a line or none. */
static int grant_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	size_t before = *count_of(row, s), i = 0;
	struct strv words = { 0 };
	int r = split(text, &words, e);

	if (r == 0 && words.count == 0)
		r = row_wrong(row, e, text, "names no key");
	while (r >= 0 && i < words.count) {
		struct spec_grant g;

		r = read_grant(&words, i, &g, e);
		if (r > 0) {
			i += (size_t) r;
			r = append(row, s, &g, e);
		}
	}
	strv_done(&words);
	if (r < 0)
		*count_of(row, s) = before;
	return r < 0 ? r : 0;
}

static void print_value(const struct row *row, uint64_t v, struct buf *out)
{
	struct spec scratch = { 0 };

	*(uint64_t *) row_field(row, &scratch, 0) = v;
	row->type->print(row, &scratch, 0, out);
}

static void grant_print(const void *item, struct buf *out)
{
	const struct spec_grant *g = item;
	const struct row *row = row_at(g->key);

	print_key(row, out);
	if (g->least > 0) {
		buf_puts(out, " >= ");
		print_value(row, g->least, out);
	}
	if (g->most != UNITS_NONE) {
		buf_puts(out, " <= ");
		print_value(row, g->most, out);
	}
}

static bool grant_equal(const void *x, const void *y)
{
	const struct spec_grant *a = x, *b = y;

	return a->key == b->key && a->least == b->least && a->most == b->most;
}

static int grant_copy(void *to, const void *from)
{
	*(struct spec_grant *) to = *(const struct spec_grant *) from;
	return 0;
}

static void grant_done(void *item)
{
	(void) item;
}

static const struct row_element grant_element = {
	.size = sizeof(struct spec_grant),
	.print = grant_print,
	.equal = grant_equal,
	.copy = grant_copy,
	.done = grant_done,
};
const struct row_type row_grant = {
	.name = "grants",
	.repeats = true,
	.shape = ROW_SHAPE_TEXT,
	.width = { sizeof(void *), sizeof(size_t) },
	.parse = grant_parse,
	.count = row_list_count,
	.print = row_list_print,
	.equal = row_list_equal,
	.copy = row_list_copy,
	.clear = row_list_clear,
	.element = &grant_element,
};

/* --- the judgement --- */

static int refuse_grant(const struct spec *s, const char *key, struct err *e)
{
	char echo[TEXT_ECHO_MAX];
	struct buf all = { 0 };
	int r;

	for (size_t i = 0; i < s->context.grant_count; i++) {
		buf_puts(&all, i ? ", " : "");
		grant_print(&s->context.grants[i], &all);
	}
	r = err_set(e, -EPERM, "%s: is not granted to owners; granted: %s", text_echo(key, echo),
		    all.data ? all.data : "nothing");
	buf_done(&all);
	return r;
}

static int judge(const struct spec_grant *g, const char *value, struct err *e)
{
	const struct row *row = row_at(g->key);
	char echo[TEXT_ECHO_MAX];
	struct buf text = { 0 };
	uint64_t v = 0;
	int r;

	if (!is_ordered(row))
		return 0; /* granted without a bound */
	r = read_value(row, value, &v, e);
	if (r < 0)
		return err_prefix(e, "%s.%s", row->section, row->name);
	if (v >= g->least && v <= g->most)
		return 0;
	grant_print(g, &text);
	r = err_set(e, -EPERM, "%s.%s: \"%s\" is beyond what is granted to owners: %s",
		    row->section, row->name, text_echo(value, echo), text.data ? text.data : "");
	buf_done(&text);
	return r;
}

int spec_grant_permits(const struct spec *s, const char *key, const char *value, struct err *e)
{
	const struct row *row = find(key);

	if (!row) { /* the message that suggests the nearest */
		struct buf none = { 0 };
		int r = spec_get(s, key, &none, e);

		buf_done(&none);
		return r < 0 ? r : -ENOENT;
	}
	for (size_t i = 0; i < s->context.grant_count; i++) {
		if (s->context.grants[i].key == row_index(row))
			return judge(&s->context.grants[i], value, e);
	}
	return refuse_grant(s, key, e);
}

const char *spec_root_reaches_host(const struct spec *s)
{
	if (s->process.ids == SPEC_IDS_NONE)
		return "process.ids = none: root inside is root of this host";
	if (s->files.mode == SPEC_MODE_READ_WRITE)
		return "files.mode = read-write: a set-uid file made inside is one on this host";
	if (s->files.devices.count)
		return "files.device: devices of this host can be used inside";
	for (size_t i = 0; i < s->files.bind_count; i++) {
		if (s->files.binds[i].writable)
			return "files.bind with rw: a set-uid file made inside is one on this host";
	}
	return NULL;
}
