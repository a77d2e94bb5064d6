/* INI, line by line. inih splits a line into section, name and value; the reader in front of it
 * hands it one clean line at a time, because inih alone would take a comment sign inside quotes for
 * a comment, fold indented lines, pass over what follows "]", accept NUL and any byte, and cut long
 * lines. So the line number is known, and nothing is lost without a message. */
#include "spec/lines.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "spec/errors.h"
#include "spec/words.h"

#define LINE_SPARE 16 /* beyond a line's text: inih wants its end and a little more */

/* "SOURCE:LINE: text" */
void lines_refuse(struct lines *in, const char *text)
{
	errors_add(in->errors, "%s:%u: %s", in->source, in->line, text);
	in->failed = true;
}

void lines_refuse_key(struct lines *in, const char *section, const char *name, const char *text)
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
static bool check_section(struct lines *in, char *line)
{
	char *close = strchr(line, ']'), echo[TEXT_ECHO_MAX];
	struct err e = { 0 };

	in->skip = true;
	if (!close || close[1]) {
		lines_refuse(in, close ? "text follows the section's ]; allowed: [SECTION]"
				       : "the section's ] is missing; allowed: [SECTION]");
		return false;
	}
	*close = '\0';
	strip(line + 1);
	if (in->section(line + 1, &e) < 0) {
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

static bool check_key(struct lines *in, const char *line)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_.-";
	size_t n = strspn(line, name);

	if (n > 0 && line[n + strspn(line + n, " \t")] == '=')
		return true;
	if (!in->skip)
		lines_refuse(in, "not a setting; allowed: KEY = VALUE, [SECTION], # comment");
	return false;
}

/* Makes of one line what inih shall see: blank, a good header, or a good setting. */
static void clean_line(struct lines *in, char *line, size_t len)
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
		lines_refuse(in, wrong);
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
	struct lines *in = stream;
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

/* An ini_handler. */
static int take_setting(void *user, const char *section, const char *name, const char *value)
{
	struct lines *in = user;

	if (in->skip)
		return 1;
	if (!*section)
		lines_refuse(in, "a setting before the first section; allowed: [SECTION]");
	else
		in->setting(in, section, name, value);
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

int lines_read(struct lines *in, const char *text, size_t len)
{
	int r;

	if (len > SPEC_INI_MAX)
		return -EFBIG;
	in->text = text;
	in->end = text + len;
	configure_inih(len);
	r = ini_parse_stream(read_line, in, take_setting, in);
	if (r == -2 || in->error)
		return -ENOMEM;
	if ((r != 0 || in->text != in->end) && !in->failed) /* never silently less than all */
		lines_refuse(in, "the line cannot be read");
	return in->failed ? -EINVAL : 0;
}
