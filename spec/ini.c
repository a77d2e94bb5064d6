/* INI in and out. inih splits a line into section, name and value; the reader in front of it hands
 * it one clean line at a time, because inih alone would take a comment sign inside quotes for a
 * comment, fold indented lines, pass over what follows "]", accept NUL and any byte, and cut long
 * lines. So the line number is known, and nothing is lost without a message. */
#include <fcntl.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "spec/errors.h"
#include "spec/row.h"
#include "spec/words.h"

#define LINE_SPARE 16 /* beyond a line's text: inih wants its end and a little more */

struct ini {
	struct spec *s;
	struct spec_errors *errors;
	const char *source;
	const char *text, *end; /* what is still to be read */
	unsigned line; /* number of the line last read */
	unsigned first[ROW_COUNT_MAX]; /* line on which a key first stood */
	bool skip; /* in a section that does not exist */
	bool failed;
	int error; /* -ENOMEM */
};

/* "SOURCE:LINE: text" */
static void refuse_line(struct ini *in, const char *text)
{
	errors_add(in->errors, "%s:%u: %s", in->source, in->line, text);
	in->failed = true;
}

static void refuse_key(struct ini *in, const char *section, const char *name, const char *text)
{
	char echo[TEXT_ECHO_MAX];

	errors_add(in->errors, "%s:%u: %s.%s: %s", in->source, in->line, section,
		   text_echo(name, echo), text);
	in->failed = true;
}

/* --- lines --- */

static const char *wrong_bytes(const char *line, size_t len)
{
	if (memchr(line, '\0', len))
		return "a NUL byte in the line";
	if (!text_is_utf8(line, len))
		return "the line is not UTF-8";
	for (size_t i = 0; i < len; i++) {
		if (((unsigned char) line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
			return "a control character in the line";
	}
	return NULL;
}

static void strip(char *line)
{
	size_t begin = strspn(line, " \t"), len = strlen(line + begin);

	while (len && (line[begin + len - 1] == ' ' || line[begin + len - 1] == '\t'))
		len--;
	memmove(line, line + begin, len);
	line[len] = '\0';
}

/* A section header. @return whether inih may see it. */
static bool check_section(struct ini *in, char *line)
{
	char *close = strchr(line, ']'), echo[TEXT_ECHO_MAX];
	struct err e = { 0 };

	in->skip = true;
	if (!close || close[1]) {
		refuse_line(in, close ? "text follows the section's ]; allowed: [SECTION]"
				      : "the section's ] is missing; allowed: [SECTION]");
		return false;
	}
	*close = '\0';
	strip(line + 1);
	if (!row_section_exists(line + 1)) {
		(void) errors_no_section(&e, line + 1);
		errors_add(in->errors, "%s:%u: [%s]: %s", in->source, in->line,
			   text_echo(line + 1, echo), e.text);
		in->failed = true;
		return false;
	}
	in->skip = false;
	line[strlen(line) + 1] = '\0'; /* where "]" stood, or a byte nearer */
	line[strlen(line)] = ']';
	return true;
}

static bool check_key(struct ini *in, const char *line)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_.-";
	size_t n = strspn(line, name);

	if (n > 0 && line[n + strspn(line + n, " \t")] == '=')
		return true;
	if (!in->skip)
		refuse_line(in, "not a setting; allowed: KEY = VALUE, [SECTION], # comment");
	return false;
}

/* Makes of one line what inih shall see: blank, a good header, or a good setting. */
static void clean_line(struct ini *in, char *line, size_t len)
{
	static const char bom[] = "\xef\xbb\xbf";
	const char *wrong;

	if (in->line == 1 && len >= 3 && memcmp(line, bom, 3) == 0) {
		memmove(line, line + 3, len - 3);
		len -= 3;
	}
	if (len && line[len - 1] == '\r')
		len--;
	wrong = wrong_bytes(line, len);
	line[wrong ? 0 : len] = '\0';
	if (wrong)
		refuse_line(in, wrong);
	strip(line);
	if (line[0] == '#')
		line[0] = '\0';
	line[text_without_comment(line)] = '\0';
	strip(line);
	if (line[0] && !(line[0] == '[' ? check_section(in, line) : check_key(in, line)))
		line[0] = '\0';
}

/* An ini_reader, in the place of fgets(). */
static char *read_line(char *line, int size, void *stream)
{
	struct ini *in = stream;
	size_t left = (size_t) (in->end - in->text);

	if (left == 0)
		return NULL;
	const char *newline = memchr(in->text, '\n', left);
	size_t len = newline ? (size_t) (newline - in->text) : left;
	if (len >= (size_t) size) /* cannot be: it is as large as the longest text */
		return NULL;
	memcpy(line, in->text, len);
	line[len] = '\0';
	in->text += len + (newline != NULL);
	in->line++;
	clean_line(in, line, len);
	return line;
}

/* --- settings --- */

static void read_value(struct ini *in, const struct row *row, const char *value)
{
	size_t before = row->type->repeats ? row->type->count(row, in->s) : 0;
	struct err e = { 0 };
	int r = 0;

	if (*value || !row->type->repeats) /* an empty list is one */
		r = row->type->parse(row, in->s, value, &e);
	if (r == -ENOMEM) {
		in->error = r;
	} else if (r < 0) {
		refuse_key(in, row->section, row->name, e.text);
		return;
	}
	size_t after = row->type->repeats ? row->type->count(row, in->s) : 1;
	for (size_t i = before; i < after; i++)
		errors_place(in->errors, row, i, in->line);
}

static void twice(struct ini *in, const struct row *row, unsigned first)
{
	char text[80];

	(void) snprintf(text, sizeof(text), "given twice; the first is on line %u", first);
	refuse_key(in, row->section, row->name, text);
}

/* An ini_handler. */
static int take_setting(void *user, const char *section, const char *name, const char *value)
{
	struct ini *in = user;
	const struct row *row = row_find(section, strlen(section), name);
	struct err e = { 0 };

	if (in->skip)
		return 1;
	if (!*section) {
		refuse_line(in, "a setting before the first section; allowed: [SECTION]");
		return 1;
	}
	if (!row) {
		(void) errors_no_key(&e, section, name);
		refuse_key(in, section, name, e.text);
		return 1;
	}

	unsigned *first = &in->first[row_index(row)];
	if (*first && !row->type->repeats) {
		twice(in, row, *first);
		return 1;
	}
	if (!*first) {
		*first = in->line;
		if (row->type->repeats)
			row->type->clear(row, in->s);
	}
	read_value(in, row, value);
	return 1;
}

/* inih is configured by globals, so each reading sets them all. Its line buffer, of 200 bytes by
 * default, gets room for a line as long as the text. */
static void configure_inih(size_t text_len)
{
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_allow_no_value = false;
	ini_stop_on_first_error = false;
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_initial_alloc = (int) text_len + LINE_SPARE;
	ini_max_line = ini_initial_alloc;
}

int spec_read_ini(struct spec *s, const char *text, size_t len, const char *source,
		  struct spec_errors *errors)
{
	struct ini in = {
		.s = s,
		.errors = errors,
		.source = source,
		.text = text,
		.end = text + len,
	};

	if (len > SPEC_INI_MAX)
		return -EFBIG;
	configure_inih(len);
	int r = ini_parse_stream(read_line, &in, take_setting, &in);
	if (r == -2 || in.error)
		return -ENOMEM;
	if ((r != 0 || in.text != in.end) && !in.failed) /* never silently less than all */
		refuse_line(&in, "the line cannot be read");
	return in.failed ? -EINVAL : 0;
}

int spec_read_file(struct spec *s, const char *path, struct spec_errors *errors)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	_cleanup_free_ char *text = NULL, *name = strdup(base);
	size_t text_len = 0, len = strlen(base);
	int r;

	if (name && len > 4 && strcmp(name + len - 4, ".ini") == 0)
		name[len - 4] = '\0';
	r = spec_init(s, name && spec_name_valid(name) ? name : "");
	if (r == 0)
		r = name ? file_read_at(AT_FDCWD, path, SPEC_INI_MAX, &text, &text_len) : -ENOMEM;
	return r < 0 ? r : spec_read_ini(s, text, text_len, path, errors);
}

/* --- out --- */

static void write_row(const struct row *row, const struct spec *s, struct buf *out)
{
	size_t count = row->type->count(row, s);

	if (count == 0)
		buf_printf(out, "%s =\n", row->name);
	for (size_t i = 0; i < count; i++) {
		size_t begin;

		buf_printf(out, "%s = ", row->name);
		begin = out->len;
		row->type->print(row, s, i, out);
		if (!out->error && out->len == begin)
			out->len--; /* no blank at the end of a line */
		buf_puts(out, "\n");
	}
}

void spec_write_ini(const struct spec *s, bool full, struct buf *out)
{
	const char *section = "";
	struct spec defaults;
	const struct row *row;

	if (spec_init(&defaults, "") < 0) {
		out->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; (row = row_at(i)); i++) {
		if (!full && row_is_default(row, s, &defaults))
			continue;
		if (strcmp(section, row->section) != 0)
			buf_printf(out, "%s[%s]\n", *section ? "\n" : "", row->section);
		section = row->section;
		write_row(row, s, out);
	}
	spec_done(&defaults);
}
