/* Memory that a parked child shares with the daemon: same address on both sides.
 *
 * A seat (context/seat.h) is forked before it knows what it will run. Its arena is MAP_SHARED
 * and mapped before the fork, so pointers into it are valid in both processes, and whatever
 * the daemon writes there before it sends the order is what the child executes. */
#pragma once

#include <stddef.h>

struct arena {
	char *base;
	size_t size, used;
};

/** Maps `size` bytes (rounded up to pages). @return 0 or -errno. */
[[nodiscard]] int arena_init(struct arena *a, size_t size);
void arena_done(struct arena *a);
/** Zeroed, 16-byte aligned; NULL when it is full. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s);
/** Copies an argv-shaped vector; the result is NULL-terminated. NULL when it is full. */
char **arena_strv(struct arena *a, char *const *items, size_t count);
