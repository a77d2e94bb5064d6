/* Text is gathered without looking at each step: the first failure sticks, everything after it
 * is ignored, and whoever takes the text looks once. */
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 256u

/* Makes room for `more` bytes and the NUL. */
static int buf_grow(struct buf *b, size_t more)
{
	if (b->error)
		return b->error;
	if (more > BUF_MAX - b->len)
		return b->error = -EFBIG;

	size_t need = b->len + more + 1;
	if (b->data && need <= b->cap)
		return 0;

	size_t cap = b->cap ? b->cap : BUF_FIRST;
	while (cap < need)
		cap *= 2;
	char *data = realloc(b->data, cap);
	if (!data)
		return b->error = -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (buf_grow(b, len) != 0)
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0 || buf_grow(b, (size_t) len) != 0)
		return;

	va_start(ap, fmt);
	(void) vsnprintf(b->data + b->len, (size_t) len + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t) len;
}

char *buf_take(struct buf *b)
{
	if (!b->data)
		buf_add(b, "", 0);
	if (b->error) {
		free(b->data);
		*b = (struct buf){ .error = b->error };
		return NULL;
	}

	char *data = b->data;
	*b = (struct buf){ 0 };
	return data;
}

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}
