/* Types whose value is one word of a few, some with a path, a size or a range behind it. */
#include <stdlib.h>
#include <string.h>

#include "spec/row.h"
#include "spec/words.h"

/* An enum without negative values is an unsigned int to gcc and clang. */
static unsigned *enum_of(const struct row *row, const struct spec *s)
{
	return row_field(row, s, 0);
}
static_assert(sizeof(enum spec_init) == sizeof(unsigned));

/* @return the index of `text`, or -1. */
static int find_word(const struct row_choice *c, const char *text)
{
	for (unsigned i = 0; i < c->count; i++) {
		if (c->words[i] && str_equal(c->words[i], text))
			return (int) i;
	}
	return -1;
}

/* --- a word --- */

static int word_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	int i = find_word(row->choice, text);

	if (i < 0)
		return row_unknown(row, e, text, row->choice->words, row->choice->count);
	*enum_of(row, s) = (unsigned) i;
	return 0;
}

static void word_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	(void) i;
	buf_puts(out, row->choice->words[*enum_of(row, s)]);
}

const struct row_type row_choice_word = {
	.name = "word",
	.shape = ROW_SHAPE_TEXT,
	.width = { sizeof(unsigned) },
	.parse = word_parse,
	.count = row_one,
	.print = word_write,
	.equal = row_plain_equal,
	.copy = row_plain_copy,
	.clear = row_plain_clear,
};

/* --- a word or a path --- */

static char **path_of(const struct row *row, const struct spec *s)
{
	return row_field(row, s, 1);
}

static int choice_set(const struct row *row, struct spec *s, unsigned i, const char *path,
		      struct err *e)
{
	if (str_replace(path_of(row, s), path) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	*enum_of(row, s) = i;
	return 0;
}

static int choice_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	const struct row_choice *c = row->choice;
	_cleanup_free_ char *path = NULL;
	int i = find_word(c, text);

	if (i >= 0)
		return choice_set(row, s, (unsigned) i, NULL, e);
	int r = text_read(text, &path, e);
	if (r < 0)
		return r;
	if (path[0] != '/')
		return row_unknown(row, e, path, c->words, c->count);

	const char *wrong = row->check(path);
	return wrong ? row_wrong(row, e, path, wrong)
		     : choice_set(row, s, (unsigned) c->path, path, e);
}

static void choice_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	const char *path = *path_of(row, s);

	(void) i;
	if (path)
		text_print(path, out);
	else
		buf_puts(out, row->choice->words[*enum_of(row, s)]);
}

static bool choice_equal(const struct row *row, const struct spec *a, const struct spec *b)
{
	return *enum_of(row, a) == *enum_of(row, b) &&
	       str_equal(*path_of(row, a), *path_of(row, b));
}

static int choice_copy(const struct row *row, struct spec *to, const struct spec *from)
{
	return choice_set(row, to, *enum_of(row, from), *path_of(row, from), NULL);
}

static void choice_clear(const struct row *row, struct spec *s)
{
	free(*path_of(row, s));
	row_plain_clear(row, s);
}

const struct row_type row_choice_path = {
	.name = "word or path",
	.shape = ROW_SHAPE_TEXT,
	.width = { sizeof(unsigned), sizeof(char *) },
	.parse = choice_parse,
	.count = row_one,
	.print = choice_write,
	.equal = choice_equal,
	.copy = choice_copy,
	.clear = choice_clear,
};

/* --- WORD:SIZE --- */

static int upper_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	const char *colon = strchr(text, ':');
	_cleanup_free_ char *word = strndup(text, colon ? (size_t) (colon - text) : strlen(text));
	uint64_t size = 0;

	if (!word)
		return err_set(e, -ENOMEM, "out of memory");
	int i = find_word(row->choice, word);
	if (i < 0)
		return row_unknown(row, e, text, row->choice->words, row->choice->count);
	if (!colon)
		return row_wrong(row, e, text, "has no size");

	int r = units_parse_bytes(colon + 1, &size);
	if (r < 0 && r != -ERANGE)
		return row_wrong(row, e, text, "has a size that is none");
	if (r < 0 || size < row->min || size > row->max)
		return row_wrong(row, e, text, "has a size out of range");
	*enum_of(row, s) = (unsigned) i;
	*(uint64_t *) row_field(row, s, 1) = size;
	return 0;
}

static void upper_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	char size[UNITS_TEXT_MAX];

	(void) i;
	buf_printf(out, "%s:%s", row->choice->words[*enum_of(row, s)],
		   units_print_bytes(*(uint64_t *) row_field(row, s, 1), size));
}

const struct row_type row_upper = {
	.name = "word:size",
	.shape = ROW_SHAPE_TEXT,
	.width = { sizeof(unsigned), sizeof(uint64_t) },
	.parse = upper_parse,
	.count = row_one,
	.print = upper_write,
	.equal = row_plain_equal,
	.copy = row_plain_copy,
	.clear = row_plain_clear,
};

/* --- the first word with or without a size, or another word --- */

static int log_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	const struct row_choice *c = row->choice;
	int i = find_word(c, text);

	if (strncmp(text, c->words[0], strlen(c->words[0])) == 0 && strchr(text, ':'))
		return upper_parse(row, s, text, e);
	if (i < 0)
		return row_unknown(row, e, text, c->words, c->count);
	if (i == 0) /* as large as by default */
		return upper_parse(row, s, row->fallback, e);
	*enum_of(row, s) = (unsigned) i;
	*(uint64_t *) row_field(row, s, 1) = 0;
	return 0;
}

static void log_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	if (*enum_of(row, s) == 0)
		upper_write(row, s, i, out);
	else
		buf_puts(out, row->choice->words[*enum_of(row, s)]);
}

const struct row_type row_log = {
	.name = "word or word:size",
	.shape = ROW_SHAPE_TEXT,
	.width = { sizeof(unsigned), sizeof(uint64_t) },
	.parse = log_parse,
	.count = row_one,
	.print = log_write,
	.equal = row_plain_equal,
	.copy = row_plain_copy,
	.clear = row_plain_clear,
};

/* --- a word or FIRST:COUNT --- */

#define IDS_END (UINT64_C(1) << 32)

static int ids_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	int i = find_word(row->choice, text);
	uint64_t first = 0, count = 0;

	if (i < 0) {
		struct strv part = { 0 };
		int r = words_split_fields(text, &part, e);
		bool bad = r == 0 && (part.count != 2 ||
				      units_parse_u64(part.items[0], 1, IDS_END, &first) < 0 ||
				      units_parse_u64(part.items[1], 1, IDS_END, &count) < 0);

		strv_done(&part);
		if (r < 0)
			return r;
		if (bad)
			return row_wrong(row, e, text, "is no range of ids");
		/* The last id, 4294967295, means "none" to the kernel. */
		if (first + count > IDS_END - 1)
			return row_wrong(row, e, text, "goes beyond the last id");
		i = SPEC_IDS_RANGE;
	}
	*enum_of(row, s) = (unsigned) i;
	*(uint32_t *) row_field(row, s, 1) = (uint32_t) first;
	*(uint32_t *) row_field(row, s, 2) = (uint32_t) count;
	return 0;
}

static void ids_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	(void) i;
	if (*enum_of(row, s) != SPEC_IDS_RANGE)
		buf_puts(out, row->choice->words[*enum_of(row, s)]);
	else
		buf_printf(out, "%u:%u", *(uint32_t *) row_field(row, s, 1),
			   *(uint32_t *) row_field(row, s, 2));
}

const struct row_type row_ids = {
	.name = "word or range",
	.shape = ROW_SHAPE_TEXT,
	.width = { sizeof(unsigned), sizeof(uint32_t), sizeof(uint32_t) },
	.parse = ids_parse,
	.count = row_one,
	.print = ids_write,
	.equal = row_plain_equal,
	.copy = row_plain_copy,
	.clear = row_plain_clear,
};
