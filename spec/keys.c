/* The one table of keys. Everything that reads, writes, checks, lists or documents a spec walks
 * it; a key that stands here works, a key that works stands here.
 *
 *   keys_context.c  [context], [hooks]    keys_view.c    [files], [process]
 *   keys_budget.c   [cpu], [memory], [io]  keys_network.c [network] */
#include <string.h>

#include "spec/row.h"
#include "spec/shorthand.h"

/* The order is that of files and of the manual. */
static const struct row_section *const sections[] = {
	&keys_context, &keys_files, &keys_process, &keys_cpu,
	&keys_memory,  &keys_io,    &keys_network, &keys_hooks,
};

const struct row *row_at(size_t i)
{
	for (size_t n = 0; n < ARRAY_SIZE(sections); n++) {
		if (i < sections[n]->count)
			return &sections[n]->rows[i];
		i -= sections[n]->count;
	}
	return NULL;
}

size_t row_index(const struct row *row)
{
	size_t before = 0;

	for (size_t n = 0; n < ARRAY_SIZE(sections); n++) {
		if (row >= sections[n]->rows && row < sections[n]->rows + sections[n]->count)
			return before + (size_t) (row - sections[n]->rows);
		before += sections[n]->count;
	}
	return before;
}

static bool is_called(const struct row_section *s, const char *section, size_t len)
{
	return strncmp(s->rows[0].section, section, len) == 0 && s->rows[0].section[len] == '\0';
}

const struct row *row_find(const char *section, size_t section_len, const char *name)
{
	for (size_t n = 0; n < ARRAY_SIZE(sections); n++) {
		const struct row_section *s = sections[n];

		for (size_t i = 0; is_called(s, section, section_len) && i < s->count; i++)
			if (strcmp(s->rows[i].name, name) == 0)
				return &s->rows[i];
	}
	return NULL;
}

bool row_section_exists(const char *section)
{
	for (size_t n = 0; n < ARRAY_SIZE(sections); n++)
		if (is_called(sections[n], section, strlen(section)))
			return true;
	return false;
}
