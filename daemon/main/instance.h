/* One daemon among others on the same host. Private to main*.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define INSTANCE_MAX 16

struct instance {
	char name[INSTANCE_MAX]; /* "main", or "w-1a2b3c4d" from the run directory */
	uint32_t ids_first, ids_total; /* host ids it may hand out */
	int lock, old_lock, state_lock, ids_lock; /* held as long as the daemon lives */
	unsigned block; /* which ids are claimed, when ids_lock is there */
};

#define INSTANCE_INIT                                                                              \
	((struct instance){ .lock = -1, .old_lock = -1, .state_lock = -1, .ids_lock = -1 })

/** Locks both directories (absolute; they must exist), against daemons of Ward 0.1 as well, and
 * claims ids no other daemon uses. @return 0; -EBUSY when another daemon has one of them. */
[[nodiscard]] int instance_claim(const char *run_dir, const char *state_dir, struct instance *ret,
				 struct err *e);
/** Gives the locks back, and the claimed ids too unless contexts that have them run on. */
void instance_release(struct instance *i, bool contexts_run);
