/* A growing text buffer with a stated maximum. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#define BUF_MAX (16u << 20)

/** Zero-initialise; `data` is NUL-terminated once anything was added. A failed growth is sticky. */
struct buf {
	char *data;
	size_t len, cap;
	int error; /* 0, -ENOMEM or -EFBIG (BUF_MAX passed): check once at the end */
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Gives the text away (never NULL unless b->error). */
char *buf_take(struct buf *b);
void buf_done(struct buf *b);
