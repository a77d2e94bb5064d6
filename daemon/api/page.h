/* Text of many numbers, made fast: a growing buffer and hand-written digits. A page of a thousand
 * contexts is 40,000 lines, and printf takes longer for one than the kernel for its value. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define PAGE_MAX (256u << 20)
#define PAGE_NUMBER_MAX 24 /* the longest number */

/** Zero-initialise. A failed growth is sticky: check once at the end. */
struct page {
	char *data;
	size_t len, cap;
	int error; /* 0, -ENOMEM or -EFBIG */
};

/** Makes room for `more` bytes. @return where they go, or NULL: then nothing is to be written. */
char *page_room(struct page *p, size_t more);
/** Gives the text away. */
void page_to_buf(struct page *p, struct buf *ret);

static inline void page_add(struct page *p, const char *s, size_t len)
{
	char *at = page_room(p, len);

	if (at) {
		memcpy(at, s, len);
		p->len += len;
	}
}

static inline void page_puts(struct page *p, const char *s)
{
	page_add(p, s, strlen(s));
}

void page_u64(struct page *p, uint64_t v);
/** v / 10^digits, no more digits behind the point than needed: 1500000 by 6 is "1.5". */
void page_decimal(struct page *p, uint64_t v, unsigned digits);
/** What may stand between quotes in JSON, and as a label in OpenMetrics: the quote, the backslash
 * and the newline are escaped, other control characters become "?". */
void page_quoted(struct page *p, const char *s);
