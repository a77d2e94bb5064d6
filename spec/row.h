/* The shape of the table of keys: what a row says and what a type can do. Private to spec/. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/spec.h"

#define ROW_FIELDS 3 /* members of struct spec that one key may fill */
#define ROW_TEXT_MAX 4096 /* bytes of one text value */

struct row;

/** How a value stands in JSON. */
enum row_shape {
	ROW_SHAPE_TEXT, /* a string as in a file; an array of them when the key repeats */
	ROW_SHAPE_RAW, /* a string taken as it is (char * is the first field) */
	ROW_SHAPE_WORDS, /* an array of strings taken as they are (struct strv) */
	ROW_SHAPE_NUMBER, /* an integer, or a string as in a file */
};

/** One entry of a repeated key that is kept in an array. */
struct row_element {
	size_t size;
	int (*parse)(const struct row *row, const char *text, void *item, struct err *e);
	void (*print)(const void *item, struct buf *out);
	bool (*equal)(const void *a, const void *b);
	int (*copy)(void *to, const void *from); /* -ENOMEM leaves something done() can take */
	void (*done)(void *item);
};

/** What can be done with a key's value. Every method takes the whole spec and finds its fields. */
struct row_type {
	const char *name; /* in the manual */
	bool repeats;
	enum row_shape shape;
	size_t width[ROW_FIELDS]; /* of the fields that a row of this type fills */
	/** Reads a value as in a file; appends when the key repeats. Untouched on failure; `e` has
	 * "what is wrong; allowed: ...". */
	int (*parse)(const struct row *row, struct spec *s, const char *text, struct err *e);
	/** Lines that the value takes in a file. */
	size_t (*count)(const struct row *row, const struct spec *s);
	void (*print)(const struct row *row, const struct spec *s, size_t i, struct buf *out);
	bool (*equal)(const struct row *row, const struct spec *a, const struct spec *b);
	/** Over fields that hold nothing. @return 0 or -ENOMEM (then they hold nothing). */
	int (*copy)(const struct row *row, struct spec *to, const struct spec *from);
	void (*clear)(const struct row *row, struct spec *s); /* frees; leaves zero */
	const struct row_element *element; /* with row_list_*() */
};

/** The words of an enum; `path` is the value chosen by a path, or -1. */
struct row_choice {
	const char *const *words;
	unsigned count;
	int path;
};

struct row {
	const char *section, *name;
	const struct row_type *type;
	size_t at[ROW_FIELDS]; /* offsets into struct spec: ROW_FIELD() */
	const char *fallback; /* the default as in a file */
	const char *allowed; /* for messages and the manual */
	const char *help;
	bool live; /* may change while the context runs */
	bool endless; /* "max" is a value */
	uint64_t min, max;
	/** Says what is wrong with a decoded text or word, or NULL. */
	const char *(*check)(const char *value);
	const struct row_choice *choice;
};

/** The offset of a member, proved at compile time to be of the type the row's type works on. */
#define ROW_FIELD(member, ctype)                                                                   \
	(offsetof(struct spec, member) +                                                           \
	 0 * sizeof(struct {                                                                       \
		 int wrong_type                                                                    \
		     : __builtin_types_compatible_p(typeof(((struct spec *) 0)->member), ctype)    \
		       ? 1                                                                         \
		       : -1;                                                                       \
	 }))

/** @return the i-th row, or NULL past the end. */
const struct row *row_at(size_t i);
size_t row_index(const struct row *row);
#define ROW_COUNT_MAX 96 /* the table is shorter: asserted by a test */
/** By section and name, each of a given length. @return NULL when there is none. */
const struct row *row_find(const char *section, size_t section_len, const char *name);
bool row_section_exists(const char *section);

static inline void *row_field(const struct row *row, const struct spec *s, unsigned i)
{
	return (char *) (uintptr_t) s + row->at[i];
}

#define WAY_RATE_MIN 1000 /* 8Kbit */
#define WAY_RATE_MAX UINT64_C(125000000000) /* 1Tbit */

/** Whether the value is the default's; `defaults` comes from spec_init(). */
bool row_is_default(const struct row *row, const struct spec *s, const struct spec *defaults);
/** Exchanges the values of two specs. */
void row_swap(const struct row *row, struct spec *a, struct spec *b);

/** "VALUE what; allowed: ...". @return -EINVAL. */
int row_wrong(const struct row *row, struct err *e, const char *value, const char *what);
/** "VALUE is unknown; did you mean ...? allowed: ...", against `count` words (NULLs skipped). */
int row_unknown(const struct row *row, struct err *e, const char *value, const char *const *words,
		size_t count);

/** Sets a decoded text / appends a decoded word (JSON): checked as a file's. */
[[nodiscard]] int row_text_set(const struct row *row, struct spec *s, const char *value,
			       struct err *e);
[[nodiscard]] int row_words_add(const struct row *row, struct spec *s, const char *value,
				struct err *e);

extern const struct row_type row_text, row_argv, row_words;
extern const struct row_type row_number, row_bytes, row_duration, row_cpu, row_umask;
extern const struct row_type row_choice_word, row_choice_path, row_upper, row_ids, row_log;
extern const struct row_type row_bind, row_tmpfs, row_rlimit, row_stop, row_io_limit, row_io_share,
	row_io_reserve;
extern const struct row_type row_way_rate, row_way_share, row_way_bytes;
extern const struct row_type row_capability, row_grant;
extern const struct row_type row_ready, row_health, row_delay, row_rate, row_timer;

/* Methods that several types share. */
size_t row_one(const struct row *row, const struct spec *s); /* count: 1 */
bool row_plain_equal(const struct row *row, const struct spec *a, const struct spec *b);
int row_plain_copy(const struct row *row, struct spec *to, const struct spec *from);
void row_plain_clear(const struct row *row, struct spec *s);
int row_list_parse(const struct row *row, struct spec *s, const char *text, struct err *e);
size_t row_list_count(const struct row *row, const struct spec *s);
void row_list_print(const struct row *row, const struct spec *s, size_t i, struct buf *out);
bool row_list_equal(const struct row *row, const struct spec *a, const struct spec *b);
int row_list_copy(const struct row *row, struct spec *to, const struct spec *from);
void row_list_clear(const struct row *row, struct spec *s);
/** A repeated key whose entries lie in an array (fields: items, count). */
#define ROW_LIST_TYPE(label, entry)                                                                \
	{                                                                                          \
		.name = (label), .repeats = true, .shape = ROW_SHAPE_TEXT,                         \
		.width = { sizeof(void *), sizeof(size_t) }, .parse = row_list_parse,              \
		.count = row_list_count, .print = row_list_print, .equal = row_list_equal,         \
		.copy = row_list_copy, .clear = row_list_clear, .element = &(entry),               \
	}

/** Paths as specs want them: clean, and without "." components. */
bool row_path_is_plain(const char *path);
