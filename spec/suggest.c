/* The nearest word by optimal string alignment: insertions, deletions, replacements and swaps of
 * neighbours count one each. A word is near when at most a third of it has to change. */
#include "spec/suggest.h"

#include <string.h>

#define WORD_MAX 40

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t cost[3][WORD_MAX + 1];

	for (size_t j = 0; j <= b_len; j++)
		cost[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *row = cost[i % 3], *above = cost[(i + 2) % 3], *above2 = cost[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t c = above[j - 1] + (a[i - 1] != b[j - 1]);

			c = least(c, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				c = least(c, above2[j - 2] + 1);
			row[j] = c;
		}
	}
	return cost[a_len % 3][b_len];
}

const char *suggest_nearest(const char *typed, const char *const *words, size_t count)
{
	size_t typed_len = strnlen(typed, WORD_MAX + 1), best = WORD_MAX;
	const char *found = NULL;

	if (typed_len == 0 || typed_len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t len = words[i] ? strlen(words[i]) : WORD_MAX + 1;

		if (len > WORD_MAX)
			continue;
		size_t d = distance(typed, typed_len, words[i], len);
		if (d < best && d <= (len + 2) / 3) {
			best = d;
			found = words[i];
		}
	}
	return found;
}
