/* The buffer and the digits of page.h. */
#include "daemon/api/page.h"

#include <errno.h>
#include <stdbool.h>

#define PAGE_FIRST 16384u

char *page_room(struct page *p, size_t more)
{
	size_t cap = p->cap ? p->cap : PAGE_FIRST;
	char *data;

	if (p->error)
		return NULL;
	if (p->cap - p->len > more) /* and a NUL, for whoever looks at it as a string */
		return p->data + p->len;
	if (more >= PAGE_MAX - p->len) {
		p->error = -EFBIG;
		return NULL;
	}
	while (cap - p->len <= more)
		cap *= 2;
	data = realloc(p->data, cap);
	if (!data) {
		p->error = -ENOMEM;
		return NULL;
	}
	p->data = data;
	p->cap = cap;
	return data + p->len;
}

void page_to_buf(struct page *p, struct buf *ret)
{
	char *end = page_room(p, 1);

	if (end)
		*end = '\0';
	if (p->error)
		free(p->data);
	*ret = p->error ? (struct buf){ .error = p->error }
			: (struct buf){ .data = p->data, .len = p->len, .cap = p->cap };
	*p = (struct page){ 0 };
}

/* Writes v so that it ends before `end`. @return where it begins. */
static char *digits_before(char *end, uint64_t v)
{
	do
		*--end = (char) ('0' + v % 10);
	while ((v /= 10) != 0);
	return end;
}

void page_u64(struct page *p, uint64_t v)
{
	char text[PAGE_NUMBER_MAX], *at = digits_before(text + sizeof(text), v);

	page_add(p, at, (size_t) (text + sizeof(text) - at));
}

void page_decimal(struct page *p, uint64_t v, unsigned digits)
{
	char text[PAGE_NUMBER_MAX], *end = text + sizeof(text), *at;
	uint64_t unit = 1;

	for (unsigned i = 0; i < digits; i++)
		unit *= 10;
	page_u64(p, v / unit);
	v %= unit;
	if (!v)
		return;
	for (; v % 10 == 0; v /= 10)
		digits--;
	at = digits_before(end, v);
	while (end - at < (int) digits)
		*--at = '0';
	*--at = '.';
	page_add(p, at, (size_t) (end - at));
}

static bool is_plain(char c)
{
	return (unsigned char) c >= 0x20 && c != 0x7f && c != '"' && c != '\\';
}

void page_quoted(struct page *p, const char *s)
{
	for (;; s++) {
		size_t n = 0;

		while (is_plain(s[n]))
			n++;
		page_add(p, s, n);
		s += n;
		if (!*s)
			return;
		if (*s == '\n')
			page_add(p, "\\n", 2);
		else if (*s == '"' || *s == '\\')
			page_add(p, *s == '"' ? "\\\"" : "\\\\", 2);
		else
			page_add(p, "?", 1);
	}
}
