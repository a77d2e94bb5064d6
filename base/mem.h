/* Ownership: cleanup attributes, transfer, checked sizes, string vectors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void mem_freep(void *p)
{
	free(*(void **) p);
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(mem_freep)

/** Gives a pointer away: yields it and leaves NULL behind. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		typeof(p) take_ = (p);                                                             \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})

/** Makes room for `n` things of `size` bytes in the array *array; what is there stays.
 * @return false when there is no memory; then it is untouched. */
[[nodiscard]] bool mem_resize(void *array, size_t n, size_t size);

/** A vector of owned strings; `items` is NULL-terminated whenever it is not NULL (argv-shaped). */
struct strv {
	char **items;
	size_t count;
};

/** Appends a copy of `s`. @return 0 or -ENOMEM. */
[[nodiscard]] int strv_add(struct strv *v, const char *s);
/** Copies every string of `from`. `to` must be empty. @return 0 or -ENOMEM. */
[[nodiscard]] int strv_copy(struct strv *to, const struct strv *from);
bool strv_equal(const struct strv *a, const struct strv *b);
bool strv_contains(const struct strv *v, const char *s);
void strv_done(struct strv *v);

/** strcmp() as a truth; NULL equals only NULL. */
bool str_equal(const char *a, const char *b);
/** Replaces *p by a copy of s (or NULL). @return 0 or -ENOMEM, then *p is untouched. */
[[nodiscard]] int str_replace(char **p, const char *s);
