/* Types whose value is text: one string, a command, a list of words. What a word may be is said
 * by the row's check; how it is quoted, by words.h. */
#include <string.h>

#include "base/path.h"
#include "spec/row.h"
#include "spec/words.h"

bool row_path_is_plain(const char *path)
{
	if (!path_is_clean(path))
		return false;
	for (const char *p = path; (p = strstr(p, "/.")); p++) {
		if (p[2] == '/' || p[2] == '\0')
			return false;
	}
	return true;
}

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

static int check_word(const struct row *row, const char *value, struct err *e)
{
	const char *wrong = row->check ? row->check(value) : NULL;

	return wrong ? row_wrong(row, e, value, wrong) : 0;
}

/* --- one string; NULL is the empty one --- */

int row_text_set(const struct row *row, struct spec *s, const char *value, struct err *e)
{
	int r = 0;

	if (strlen(value) > ROW_TEXT_MAX)
		return row_wrong(row, e, value, "is longer than 4096 bytes");
	if (text_has_control(value))
		return row_wrong(row, e, value, "has a control character");
	if (*value)
		r = check_word(row, value, e);
	if (r == 0 && str_replace(row_field(row, s, 0), *value ? value : NULL) < 0)
		r = out_of_memory(e);
	return r;
}

static int text_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	_cleanup_free_ char *value = NULL;
	int r = text_read(text, &value, e);

	return r < 0 ? r : row_text_set(row, s, value, e);
}

static const char *text_of(const struct row *row, const struct spec *s)
{
	return *(char **) row_field(row, s, 0);
}

static void text_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	(void) i;
	if (text_of(row, s))
		text_print(text_of(row, s), out);
}

static bool text_equal(const struct row *row, const struct spec *a, const struct spec *b)
{
	return str_equal(text_of(row, a), text_of(row, b));
}

static int text_copy(const struct row *row, struct spec *to, const struct spec *from)
{
	return str_replace(row_field(row, to, 0), text_of(row, from));
}

static void text_clear(const struct row *row, struct spec *s)
{
	char **p = row_field(row, s, 0);

	free(*p);
	*p = NULL;
}

const struct row_type row_text = {
	.name = "text",
	.shape = ROW_SHAPE_RAW,
	.width = { sizeof(char *) },
	.parse = text_parse,
	.count = row_one,
	.print = text_write,
	.equal = text_equal,
	.copy = text_copy,
	.clear = text_clear,
};

/* --- words --- */

static struct strv *strv_of(const struct row *row, const struct spec *s)
{
	return row_field(row, s, 0);
}

int row_words_add(const struct row *row, struct spec *s, const char *value, struct err *e)
{
	size_t max = row->type->repeats ? SPEC_LIST_MAX : WORDS_MAX;
	int r = check_word(row, value, e);

	if (r < 0)
		return r;
	if (strv_of(row, s)->count >= max)
		return err_set(e, -EINVAL, "more than %zu entries", max);
	return strv_add(strv_of(row, s), value) < 0 ? out_of_memory(e) : 0;
}

/* All words of a line or none. */
static int words_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	size_t before = strv_of(row, s)->count;
	struct strv words = { 0 };
	int r = words_split(text, &words, e);

	for (size_t i = 0; r == 0 && i < words.count; i++)
		r = row_words_add(row, s, words.items[i], e);
	while (r < 0 && strv_of(row, s)->count > before) {
		struct strv *v = strv_of(row, s);

		free(v->items[--v->count]);
		v->items[v->count] = NULL;
	}
	strv_done(&words);
	return r;
}

static size_t words_count(const struct row *row, const struct spec *s)
{
	return strv_of(row, s)->count;
}

static void words_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	word_print(strv_of(row, s)->items[i], false, out);
}

static bool words_equal(const struct row *row, const struct spec *a, const struct spec *b)
{
	return strv_equal(strv_of(row, a), strv_of(row, b));
}

static int words_copy(const struct row *row, struct spec *to, const struct spec *from)
{
	return strv_copy(strv_of(row, to), strv_of(row, from));
}

static void words_clear(const struct row *row, struct spec *s)
{
	strv_done(strv_of(row, s));
}

const struct row_type row_words = {
	.name = "words",
	.repeats = true,
	.shape = ROW_SHAPE_WORDS,
	.width = { sizeof(struct strv) },
	.parse = words_parse,
	.count = words_count,
	.print = words_write,
	.equal = words_equal,
	.copy = words_copy,
	.clear = words_clear,
};

/* --- a command: all words on one line, replaced as a whole --- */

static int argv_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	struct strv words = { 0 };
	int r = words_split(text, &words, e);

	for (size_t i = 0; r == 0 && i < words.count; i++)
		r = check_word(row, words.items[i], e);
	if (r < 0) {
		strv_done(&words);
		return r;
	}
	strv_done(strv_of(row, s));
	*strv_of(row, s) = words;
	return 0;
}

static void argv_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	const struct strv *v = strv_of(row, s);

	for (i = 0; i < v->count; i++) {
		buf_puts(out, i ? " " : "");
		word_print(v->items[i], false, out);
	}
}

const struct row_type row_argv = {
	.name = "command",
	.shape = ROW_SHAPE_WORDS,
	.width = { sizeof(struct strv) },
	.parse = argv_parse,
	.count = row_one,
	.print = argv_write,
	.equal = words_equal,
	.copy = words_copy,
	.clear = words_clear,
};
