/* A bump allocator in one shared mapping. Nothing is freed singly: the arena is as old as its
 * launch, and both processes see the same addresses because it was mapped before the fork. */
#include "base/arena.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENA_ALIGN 16u

int arena_init(struct arena *a, size_t size)
{
	size_t page = (size_t) sysconf(_SC_PAGESIZE);

	if (size == 0 || size > SIZE_MAX - page)
		return -EINVAL;
	size = (size + page - 1) / page * page;

	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return -errno;

	*a = (struct arena){ .base = base, .size = size };
	return 0;
}

void arena_done(struct arena *a)
{
	if (a->base)
		munmap(a->base, a->size);
	*a = (struct arena){ 0 };
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t start = (a->used + ARENA_ALIGN - 1) & ~(size_t) (ARENA_ALIGN - 1);

	if (!a->base || start > a->size || size > a->size - start)
		return NULL;
	a->used = start + size;
	/* A parked seat's arena is used once, so its pages are still zero; but an arena that is
	 * used again must behave the same. */
	return memset(a->base + start, 0, size);
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = arena_alloc(a, size);

	return copy ? memcpy(copy, s, size) : NULL;
}

char **arena_strv(struct arena *a, char *const *items, size_t count)
{
	if (count >= SIZE_MAX / sizeof(char *))
		return NULL;

	char **copy = arena_alloc(a, (count + 1) * sizeof(*copy));
	if (!copy)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		copy[i] = arena_strdup(a, items[i]);
		if (!copy[i])
			return NULL;
	}
	return copy;
}
