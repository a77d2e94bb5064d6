/* Errors are gathered as finished lines, so that whoever shows them needs to know nothing of the
 * input; places are kept beside them so that a check across keys can name a line as well. */
#include "spec/errors.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "spec/suggest.h"
#include "spec/words.h"

struct spec_place {
	unsigned short row, entry;
	unsigned line;
};

void errors_add(struct spec_errors *errors, const char *fmt, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list ap;

	if (errors->lines.count > SPEC_ERRORS_MAX)
		return;
	if (errors->lines.count == SPEC_ERRORS_MAX) {
		(void) strv_add(&errors->lines, "there are more errors than these");
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		line = NULL;
	va_end(ap);
	(void) strv_add(&errors->lines, line ? line : "out of memory");
}

void spec_errors_done(struct spec_errors *e)
{
	strv_done(&e->lines);
	free(e->places);
	*e = (struct spec_errors){ 0 };
}

int spec_errors_to_err(const struct spec_errors *errors, struct err *e)
{
	char text[ERR_TEXT_MAX];
	size_t used = 0, spare = 40, count = errors->lines.count;

	if (count == 0)
		return 0;
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		const char *line = errors->lines.items[i];
		size_t len = strlen(line);

		if (used + len + spare > sizeof(text) && i > 0) {
			(void) snprintf(text + used, sizeof(text) - used, "\nand %zu more",
					count - i);
			break;
		}
		int n = snprintf(text + used, sizeof(text) - spare - used, "%s%s", i ? "\n" : "",
				 line);
		if (n > 0)
			used = strlen(text);
	}
	return err_set(e, -EINVAL, "%s", text);
}

void errors_place(struct spec_errors *errors, const struct row *row, size_t entry, unsigned line)
{
	size_t n = errors->place_count;

	if ((n & (n - 1)) == 0) { /* full at every power of two */
		size_t room = n ? n * 2 : 1;
		struct spec_place *p = reallocarray(errors->places, room, sizeof(*p));

		if (!p)
			return;
		errors->places = p;
	}
	errors->places[errors->place_count++] = (struct spec_place){
		.row = (unsigned short) row_index(row),
		.entry = (unsigned short) entry,
		.line = line,
	};
}

unsigned errors_line(const struct spec_errors *errors, const struct row *row, size_t entry)
{
	for (size_t i = 0; i < errors->place_count; i++) {
		const struct spec_place *p = &errors->places[i];

		if (p->row == row_index(row) && p->entry == entry)
			return p->line;
	}
	return 0;
}

/* --- what was typed instead of a name --- */

/* Appends "; did you mean X? allowed: A, B" for words that may be NULL. */
static void add_words(struct buf *b, const char *typed, const char *const *words, size_t count)
{
	const char *near = suggest_nearest(typed, words, count), *separator = "";

	if (near)
		buf_printf(b, "; did you mean %s?", near);
	buf_puts(b, near ? " allowed: " : "; allowed: ");
	for (size_t i = 0; i < count; i++) {
		buf_printf(b, "%s%s", separator, words[i]);
		separator = ", ";
	}
}

static int give(struct err *e, struct buf *b)
{
	int r = err_set(e, -ENOENT, "%s", b->data && !b->error ? b->data : "out of memory");

	buf_done(b);
	return r;
}

int errors_no_section(struct err *e, const char *section)
{
	const char *words[ROW_COUNT_MAX];
	const struct row *row;
	struct buf b = { 0 };
	size_t n = 0;

	for (size_t i = 0; (row = row_at(i)); i++) {
		if (n == 0 || strcmp(words[n - 1], row->section) != 0)
			words[n++] = row->section;
	}
	buf_puts(&b, "no such section");
	add_words(&b, section, words, n);
	return give(e, &b);
}

int errors_no_key(struct err *e, const char *section, const char *name)
{
	const char *words[ROW_COUNT_MAX], *elsewhere = NULL;
	const struct row *row;
	struct buf b = { 0 };
	size_t n = 0;

	for (size_t i = 0; (row = row_at(i)); i++) {
		if (strcmp(row->section, section) == 0)
			words[n++] = row->name;
		else if (strcmp(row->name, name) == 0)
			elsewhere = row->section;
	}
	if (n == 0) {
		buf_done(&b);
		return errors_no_section(e, section);
	}
	buf_puts(&b, "no such key");
	if (elsewhere && !suggest_nearest(name, words, n))
		buf_printf(&b, " (%s has one)", elsewhere);
	add_words(&b, name, words, n);
	return give(e, &b);
}

int row_wrong(const struct row *row, struct err *e, const char *value, const char *what)
{
	char echo[TEXT_ECHO_MAX];

	return err_set(e, -EINVAL, "\"%s\" %s; allowed: %s", text_echo(value, echo), what,
		       row->allowed);
}

int row_unknown(const struct row *row, struct err *e, const char *value, const char *const *words,
		size_t count)
{
	const char *near = suggest_nearest(value, words, count);
	char echo[TEXT_ECHO_MAX];

	if (!near)
		return row_wrong(row, e, value, "is unknown");
	return err_set(e, -EINVAL, "\"%s\" is unknown; did you mean %s? allowed: %s",
		       text_echo(value, echo), near, row->allowed);
}
