/* String vectors and strings that are replaced: the few operations that every room wants. */
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

bool mem_resize(void *array, size_t n, size_t size)
{
	void *p = reallocarray(*(void **) array, n, size);

	if (p != NULL)
		*(void **) array = p;
	return p != NULL;
}

int strv_add(struct strv *v, const char *s)
{
	if (v->count >= SIZE_MAX / sizeof(char *) - 2)
		return -ENOMEM;
	_cleanup_free_ char *copy = strdup(s);
	if (!copy)
		return -ENOMEM;
	char **items = reallocarray(v->items, v->count + 2, sizeof(*items));
	if (!items)
		return -ENOMEM;

	items[v->count] = TAKE_PTR(copy);
	items[v->count + 1] = NULL;
	v->items = items;
	v->count++;
	return 0;
}

int strv_copy(struct strv *to, const struct strv *from)
{
	struct strv copy = { 0 };

	for (size_t i = 0; i < from->count; i++) {
		int r = strv_add(&copy, from->items[i]);
		if (r < 0) {
			strv_done(&copy);
			return r;
		}
	}
	*to = copy;
	return 0;
}

bool strv_equal(const struct strv *a, const struct strv *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}

bool strv_contains(const struct strv *v, const char *s)
{
	for (size_t i = 0; i < v->count; i++) {
		if (strcmp(v->items[i], s) == 0)
			return true;
	}
	return false;
}

void strv_done(struct strv *v)
{
	for (size_t i = 0; i < v->count; i++)
		free(v->items[i]);
	free(v->items);
	*v = (struct strv){ 0 };
}

bool str_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

int str_replace(char **p, const char *s)
{
	char *copy = NULL;

	if (s) {
		copy = strdup(s);
		if (!copy)
			return -ENOMEM;
	}
	free(*p);
	*p = copy;
	return 0;
}
