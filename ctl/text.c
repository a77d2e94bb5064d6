/* Text for people. Whatever the daemon, a log or a process name says may come from a hostile
 * context, and an escape sequence on an admin's terminal is an attack: so it is filtered here. */
#include "ctl/text.h"

#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 sequence at s, 0 when it is none, SIZE_MAX when it is cut off by the end. */
static size_t utf8_length(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80	 ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
		   : s[0] < 0xf5 ? 4
				 : 0;

	for (size_t i = 1; i < n; i++) {
		if (i == len)
			return SIZE_MAX;
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)))
		return 0;
	if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)))
		return 0;
	return n;
}

/* C0, DEL, C1, and the marks that reorder what is shown (CVE-2021-42574). */
static bool harmful(const unsigned char *s, size_t n)
{
	if (n == 1)
		return s[0] < 0x20 || s[0] == 0x7f;
	if (n == 2)
		return s[0] == 0xc2 && s[1] < 0xa0;
	return n == 3 && s[0] == 0xe2 &&
	       ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) ||
		(s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
}

void text_clean(struct buf *out, const char *s, size_t len, bool lines)
{
	const unsigned char *p = (const unsigned char *) s;

	while (len) {
		size_t n = utf8_length(p, len);

		if (lines && *p == '\n' && len > 1)
			buf_puts(out, "\n  ");
		else if (lines && (*p == '\t' || *p == '\n'))
			buf_add(out, *p == '\t' ? "\t" : "", *p == '\t');
		else if (!n || n == SIZE_MAX || harmful(p, n))
			buf_puts(out, "?");
		else
			buf_add(out, p, n);
		n = !n || n == SIZE_MAX ? 1 : n;
		p += n;
		len -= n;
	}
}

/* @return bytes taken: all, or all but the start of a sequence that the next piece may end. */
static size_t clean_piece(struct buf *out, const unsigned char *p, size_t len)
{
	size_t n, i;

	for (i = 0; i < len; i += n ? n : 1) {
		n = utf8_length(p + i, len - i);
		if (n == SIZE_MAX)
			break;
		if (n == 1 && (p[i] == '\n' || p[i] == '\t'))
			buf_add(out, p + i, 1);
		else if (!n || (harmful(p + i, n) && p[i] != '\r'))
			buf_puts(out, "?");
		else if (p[i] != '\r')
			buf_add(out, p + i, n);
	}
	return i;
}

void text_clean_stream(struct buf *out, char tail[static 4], const char *s, size_t len)
{
	unsigned char joint[8];
	size_t had = strlen(tail), n;

	if (had) { /* finish the split sequence: at most three more bytes belong to it */
		size_t add = len < 4 ? len : 4, taken;

		memcpy(joint, tail, had);
		memcpy(joint + had, s, add);
		taken = utf8_length(joint, had + add);
		if (taken == SIZE_MAX) { /* still cut off, so it is shorter than four bytes */
			memcpy(tail, joint, had + add);
			tail[had + add] = '\0';
			return;
		}
		if (taken) {
			(void) clean_piece(out, joint, taken);
			s += taken - had;
			len -= taken - had;
		} else { /* it was none: each of its bytes stands alone */
			buf_add(out, "???", had);
		}
	}
	n = clean_piece(out, (const unsigned char *) s, len);
	memcpy(tail, s + n, len - n);
	tail[len - n] = '\0';
}

size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char) *s & 0xc0) != 0x80;
	return n;
}

/* One paragraph, up to an empty line or the end. @return behind it. */
static const char *wrap_paragraph(struct buf *out, const char *s, size_t indent, size_t width)
{
	size_t column = 0;

	while (*s && *s != '\n') {
		size_t n = strcspn(s, " \n");

		if (column && indent + column + 1 + n > width) {
			buf_puts(out, "\n");
			column = 0;
		}
		if (column)
			buf_puts(out, " ");
		else
			buf_printf(out, "%*s", (int) indent, "");
		buf_add(out, s, n);
		column += n + (column > 0);
		s += n;
		s += strspn(s, " ");
		if (*s == '\n' && s[1] != '\n' && strncmp(s + 1, "  ", 2) != 0)
			s++;
	}
	buf_puts(out, "\n");
	return s;
}

void text_wrap(struct buf *out, const char *s, size_t indent, size_t width)
{
	while (*s) {
		if (*s == '\n') {
			if (s[1] == '\n')
				buf_puts(out, "\n");
			s++;
		} else if (!strncmp(s, "  ", 2)) {
			size_t n = strcspn(s, "\n");

			buf_printf(out, "%*s", (int) indent, "");
			buf_add(out, s, n);
			buf_puts(out, "\n");
			s += n;
		} else {
			s = wrap_paragraph(out, s, indent, width);
		}
	}
}

char *text_age(uint64_t us, char out[static TEXT_AGE_MAX])
{
	unsigned long long s = us / 1000000, ms = us / 1000;

	if (s >= 86400)
		snprintf(out, TEXT_AGE_MAX, "%llud %lluh", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(out, TEXT_AGE_MAX, "%lluh %llum", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		snprintf(out, TEXT_AGE_MAX, "%llum %llus", s / 60, s % 60);
	else if (s >= 10)
		snprintf(out, TEXT_AGE_MAX, "%llus", s);
	else if (s >= 1)
		snprintf(out, TEXT_AGE_MAX, "%llu.%llus", s, ms / 100 % 10);
	else
		snprintf(out, TEXT_AGE_MAX, "%llums", ms);
	return out;
}

#define DISTANCE_MAX 32

size_t text_distance(const char *a, const char *b)
{
	size_t row[DISTANCE_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > DISTANCE_MAX || lb > DISTANCE_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]), best = row[j] + 1;

			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = change < best ? change : best;
		}
	}
	return row[lb];
}
