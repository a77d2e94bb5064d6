/* Compiled filters by profile and capabilities. Private to context/. */
#pragma once

#include <linux/filter.h>
#include <stdint.h>

#include "base/err.h"

#define FILTER_CACHE_MAX 16 /* the least recently used goes */

struct filter {
	char *file; /* path or name that was asked for */
	uint64_t caps;
	uint64_t mtime_ns, size, inode; /* of the file it was compiled from */
	uint64_t used; /* when, by a count */
	struct sock_filter *code;
	unsigned short len;
};

struct filter_cache {
	int dirfd; /* where the named profiles lie */
	uint64_t clock;
	struct filter entries[FILTER_CACHE_MAX];
};

/** Opens the profile directory. */
[[nodiscard]] int filters_init(struct filter_cache *c, const char *dir, struct err *e);
void filters_done(struct filter_cache *c);
/**
 * Yields the program of a profile for a context with these capabilities, compiling it when it is
 * not there or its file has changed.
 * @file absolute, or a name in the profile directory. @ret borrowed until the next call.
 */
[[nodiscard]] int filters_get(struct filter_cache *c, const char *file, uint64_t caps,
			      struct sock_fprog *ret, struct err *e);
