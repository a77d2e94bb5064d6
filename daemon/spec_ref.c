/* Shared specs: a counter in front of each. What a context was declared with and what it runs with
 * are the same most of the time, so they are the same bytes. */
#include <stddef.h>
#include <stdlib.h>

#include "daemon/core.h"

struct shared {
	unsigned refs;
	struct spec spec;
};

static struct shared *shared_of(const struct spec *s)
{
	return (struct shared *) ((char *) (uintptr_t) s - offsetof(struct shared, spec));
}

struct spec *spec_new(const char *name)
{
	struct shared *new = malloc(sizeof(*new));

	if (!new || spec_init(&new->spec, name) < 0) {
		free(new);
		return NULL;
	}
	new->refs = 1;
	return &new->spec;
}

struct spec *spec_dup(const struct spec *s)
{
	struct shared *new = malloc(sizeof(*new));

	if (!new || spec_copy(&new->spec, s) < 0) {
		free(new);
		return NULL;
	}
	new->refs = 1;
	return &new->spec;
}

const struct spec *spec_share(const struct spec *s)
{
	shared_of(s)->refs++;
	return s;
}

void spec_discard(struct spec *s)
{
	const struct spec *p = s;

	spec_freep(&p);
}

void spec_freep(const struct spec **s)
{
	struct shared *old = *s ? shared_of(*s) : NULL;

	*s = NULL;
	if (old && --old->refs == 0) {
		spec_done(&old->spec);
		free(old);
	}
}
