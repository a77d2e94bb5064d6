/* Quoting as the shell does it. One scanner (quote_end) says where a quoted part ends, for the
 * reader of words and for the finder of comments, so that the two never disagree. */
#include "spec/words.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_control(char c)
{
	return (unsigned char) c < ' ' || c == 0x7f;
}

bool text_has_control(const char *s)
{
	for (; *s; s++) {
		if (is_control(*s))
			return true;
	}
	return false;
}

/* @return the length of the UTF-8 sequence at s, 0 when it is none. */
static size_t utf8_length(const unsigned char *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;

	if (n == 1)
		return 1;
	if (n > len || (n == 4 && (s[0] & 0xf8) != 0xf0))
		return 0;

	uint32_t point = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3f);
	}
	if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	return n;
}

bool text_is_utf8(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_length((const unsigned char *) s + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

const char *text_echo(const char *s, char out[static TEXT_ECHO_MAX])
{
	static const char more[] = "...";
	size_t used = 0, len = strlen(s);

	while (*s) {
		size_t n = utf8_length((const unsigned char *) s, len);

		if (used + (n ? n : 1) + sizeof(more) > TEXT_ECHO_MAX) {
			memcpy(out + used, more, sizeof(more));
			return out;
		}
		if (n == 0 || is_control(*s)) {
			out[used++] = '?';
			n = 1;
		} else {
			memcpy(out + used, s, n);
			used += n;
		}
		s += n;
		len -= n;
	}
	out[used] = '\0';
	return out;
}

/* @return how long the opening of a quoted part at p is: 1 or 2, or 0 where none opens. */
static size_t quote_opening(const char *p)
{
	if (*p == '\'' || *p == '"')
		return 1;
	return p[0] == '$' && p[1] == '\'' ? 2 : 0;
}

/* @return the closing quote of the part that opens at p, or NULL when it never closes. */
static const char *quote_end(const char *p)
{
	size_t opening = quote_opening(p);
	bool escapes = opening == 2 || *p == '"';
	char close = opening == 2 ? '\'' : *p;

	for (p += opening; *p; p++) {
		if (*p == close)
			return p;
		if (escapes && *p == '\\' && p[1])
			p++;
	}
	return NULL;
}

size_t text_without_comment(const char *line)
{
	bool after_blank = true;
	const char *p = line;

	while (*p && !(after_blank && *p == ';')) {
		const char *end = quote_opening(p) ? quote_end(p) : NULL;

		after_blank = is_blank(*p);
		if (end)
			p = end + 1;
		else
			p += *p == '\\' && p[1] ? 2 : 1;
	}
	return (size_t) (p - line);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads what follows a backslash in $'...'. @return what follows it, or NULL. */
static const char *read_escape(const char *p, struct buf *out)
{
	static const char names[] = "ntre\\'\"", values[] = "\n\t\r\033\\'\"";
	const char *known = *p ? strchr(names, *p) : NULL;
	char c;

	if (known) {
		buf_add(out, &values[known - names], 1);
		return p + 1;
	}
	if (*p != 'x' || hex_digit(p[1]) < 0 || hex_digit(p[2]) < 0)
		return NULL;
	c = (char) (hex_digit(p[1]) << 4 | hex_digit(p[2]));
	buf_add(out, &c, 1);
	return c ? p + 3 : NULL;
}

/* Reads one quoted part. @return what follows it, or NULL with `e`. */
static const char *read_quoted(const char *p, struct buf *out, struct err *e)
{
	const char *end = quote_end(p);
	size_t opening = quote_opening(p);
	char kind = *p;

	if (!end) {
		(void) err_set(e, -EINVAL, "a quote (%c) is not closed",
			       opening == 2 ? '\'' : kind);
		return NULL;
	}
	for (p += opening; p < end;) {
		if (kind == '$' && *p == '\\') {
			p = read_escape(p + 1, out);
			if (!p) {
				(void) err_set(e, -EINVAL,
					       "an unknown escape in $'...'; allowed: "
					       "\\n \\t \\r \\e \\\\ \\' \\\" \\xHH");
				return NULL;
			}
			continue;
		}
		if (kind == '"' && *p == '\\' && strchr("\"\\$`", p[1]))
			p++;
		buf_add(out, p++, 1);
	}
	return end + 1;
}

/* Reads one word, up to a blank or (fields) a ':'. @return what follows it, or NULL with `e`. */
static const char *read_word(const char *p, bool field, struct buf *out, struct err *e)
{
	buf_add(out, "", 0);
	while (p && *p && !(field ? *p == ':' : is_blank(*p))) {
		if (quote_opening(p)) {
			p = read_quoted(p, out, e);
		} else if (*p == '\\' && !p[1]) {
			(void) err_set(e, -EINVAL, "a backslash at the end");
			return NULL;
		} else {
			p += *p == '\\';
			buf_add(out, p++, 1);
		}
	}
	if (p && !text_is_utf8(out->data ? out->data : "", out->len)) {
		(void) err_set(e, -EINVAL, "an escape that makes no UTF-8");
		return NULL;
	}
	return p;
}

/* As read_word(), appending what was read to `ret`. */
static int add_word(const char **p, bool field, struct strv *ret, struct err *e)
{
	struct buf word = { 0 };
	int r = 0;

	*p = read_word(*p, field, &word, e);
	if (!*p)
		r = -EINVAL;
	else if (word.error)
		r = err_set(e, word.error, "out of memory");
	else if (ret->count >= WORDS_MAX)
		r = err_set(e, -E2BIG, "more than %d words", WORDS_MAX);
	else if (strv_add(ret, word.data) < 0)
		r = err_set(e, -ENOMEM, "out of memory");
	buf_done(&word);
	return r;
}

int words_split(const char *text, struct strv *ret, struct err *e)
{
	const char *p = text;
	int r = 0;

	for (;;) {
		while (is_blank(*p))
			p++;
		if (!*p)
			return 0;
		r = add_word(&p, false, ret, e);
		if (r < 0)
			break;
	}
	strv_done(ret);
	return r;
}

int words_split_fields(const char *text, struct strv *ret, struct err *e)
{
	const char *p = text;
	int r;

	do {
		if (ret->count)
			p++; /* the colon */
		r = add_word(&p, true, ret, e);
	} while (r == 0 && *p == ':');
	if (r < 0)
		strv_done(ret);
	return r;
}

static bool is_plain(const char *word, bool field)
{
	for (const char *p = word; *p; p++) {
		if (is_control(*p) || *p == ' ' || strchr("\"'\\$`;#", *p) || (field && *p == ':'))
			return false;
	}
	return *word != '\0' || field;
}

static void print_escaped(const char *text, struct buf *out)
{
	buf_puts(out, "$'");
	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			buf_puts(out, "\\n");
		else if (*p == '\t')
			buf_puts(out, "\\t");
		else if (is_control(*p))
			buf_printf(out, "\\x%02x", (unsigned char) *p);
		else if (*p == '\\' || *p == '\'')
			buf_printf(out, "\\%c", *p);
		else
			buf_add(out, p, 1);
	}
	buf_puts(out, "'");
}

static void print_double(const char *text, struct buf *out)
{
	buf_puts(out, "\"");
	for (const char *p = text; *p; p++) {
		if (strchr("\"\\$`", *p))
			buf_puts(out, "\\");
		buf_add(out, p, 1);
	}
	buf_puts(out, "\"");
}

void word_print(const char *word, bool field, struct buf *out)
{
	if (is_plain(word, field))
		buf_puts(out, word);
	else if (text_has_control(word))
		print_escaped(word, out);
	else if (!strchr(word, '\''))
		buf_printf(out, "'%s'", word);
	else
		print_double(word, out);
}

int text_read(const char *text, char **ret, struct err *e)
{
	struct buf out = { 0 };
	const char *end = text + strlen(text);

	if (*text == '"' || (text[0] == '$' && text[1] == '\'')) {
		const char *p = read_quoted(text, &out, e);

		if (p && *p)
			(void) err_set(e, -EINVAL, "text follows the closing quote");
		if (!p || *p || !text_is_utf8(out.data ? out.data : "", out.len)) {
			if (p == end)
				(void) err_set(e, -EINVAL, "an escape that makes no UTF-8");
			buf_done(&out);
			return -EINVAL;
		}
	} else {
		buf_puts(&out, text);
	}
	*ret = buf_take(&out);
	return *ret ? 0 : err_set(e, -ENOMEM, "out of memory");
}

void text_print(const char *text, struct buf *out)
{
	size_t len = strlen(text);
	bool quoted = *text == '"' || (text[0] == '$' && text[1] == '\'') || strchr(text, ';') ||
		      (len && (is_blank(text[0]) || is_blank(text[len - 1])));

	if (text_has_control(text))
		print_escaped(text, out);
	else if (quoted)
		print_double(text, out);
	else
		buf_puts(out, text);
}
