/* Private to the daemon's core: changing what a context has, in one step. */
#pragma once

#include <sys/types.h>

#include "daemon/core.h"

/** A context's file with some keys changed, not written yet (change_file.c). */
struct change_file {
	struct spec *declared; /* what it says then */
	struct buf text;
	mode_t mode;
};

/** Reads the file as it is now, sets keys ({"cpu.limit": "50%"}) and proves that the new text reads
 * back as meant. @return 0, -EINVAL when the file has errors or the keys do not fit, -errno. */
[[nodiscard]] int change_file_make(struct manager *m, const char *name, const json_t *keys,
				   struct change_file *ret, struct err *e);
/** Puts the new text in the file's place. @return 0 or -errno: then it is as it was. */
[[nodiscard]] int change_file_write(struct manager *m, const char *name,
				    const struct change_file *f, struct err *e);
void change_file_done(struct change_file *f);

/** Calls `each` for every key that differs, until one returns less than 0, which is returned. */
typedef int (*change_difference)(const char *key, bool live, const char *before, const char *after,
				 void *arg);
int change_each(const struct spec *from, const struct spec *to, change_difference each, void *arg);

/**
 * Makes `wanted` (spec_new() or spec_dup(), taken over) what a running context has: the kernel's
 * limits, read back, then the file where `file` is not NULL, then the journal. @return 0; -errno:
 * all is as it was, or `e` says what is not.
 */
[[nodiscard]] int change_apply(struct context *c, struct spec *wanted,
			       const struct change_file *file, struct err *e);
/** A change that the last daemon did not complete is completed where the file has it already, else
 * undone. @intent the journal's. */
void change_settle(struct context *c, const json_t *intent);
