/* What follows the "?": one table of parameters, by kind of value. Pure, as request.c. */
#include <stddef.h>
#include <string.h>

#include "base/units.h"
#include "daemon/http/request.h"

#define KIND_MAX 32

enum value { VALUE_FLAG, VALUE_NUMBER, VALUE_WORD, VALUE_WORDS };

struct parameter {
	const char *name;
	unsigned bit;
	enum value value;
	size_t offset;
	uint64_t max;
	bool (*valid)(const char *word);
};

static bool kind_valid(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz-");

	return n > 0 && n <= KIND_MAX && !word[n];
}

#define AT(field) offsetof(struct request_query, field)
static const struct parameter table[] = {
	{ "replace", REQUEST_QUERY_REPLACE, VALUE_FLAG, AT(replace), 1, NULL },
	{ "full", REQUEST_QUERY_FULL, VALUE_FLAG, AT(full), 1, NULL },
	{ "usage", REQUEST_QUERY_USAGE, VALUE_FLAG, AT(usage), 1, NULL },
	{ "runtime", REQUEST_QUERY_RUNTIME, VALUE_FLAG, AT(runtime), 1, NULL },
	{ "follow", REQUEST_QUERY_FOLLOW, VALUE_FLAG, AT(follow), 1, NULL },
	{ "no-wait", REQUEST_QUERY_NO_WAIT, VALUE_FLAG, AT(no_wait), 1, NULL },
	{ "lines", REQUEST_QUERY_LINES, VALUE_NUMBER, AT(lines), REQUEST_LOG_LINES_MAX, NULL },
	{ "after", REQUEST_QUERY_AFTER, VALUE_NUMBER, AT(after), INT64_MAX, NULL },
	{ "last", REQUEST_QUERY_LAST, VALUE_NUMBER, AT(last), REQUEST_EVENTS_MAX, NULL },
	{ "since", REQUEST_QUERY_SINCE, VALUE_NUMBER, AT(since), INT64_MAX, NULL },
	{ "until", REQUEST_QUERY_UNTIL, VALUE_NUMBER, AT(until), INT64_MAX, NULL },
	{ "start", REQUEST_QUERY_START, VALUE_NUMBER, AT(start), REQUEST_LOG_STARTS_MAX, NULL },
	{ "dry", REQUEST_QUERY_DRY, VALUE_FLAG, AT(dry), 1, NULL },
	{ "frames", REQUEST_QUERY_FRAMES, VALUE_FLAG, AT(frames), 1, NULL },
	{ "context", REQUEST_QUERY_CONTEXT, VALUE_WORDS, AT(contexts), 0, spec_name_valid },
	{ "kind", REQUEST_QUERY_KIND, VALUE_WORDS, AT(kinds), 0, kind_valid },
	{ "event", REQUEST_QUERY_EVENT, VALUE_WORD, AT(event), 0, kind_valid },
};

static int take_word(const struct parameter *p, const char *value, void *field, struct err *e)
{
	struct request_words *words = field;

	if (!value || !p->valid(value))
		return err_set(e, -EINVAL, "?%s: a name is expected, as %s", p->name,
			       p->bit == REQUEST_QUERY_CONTEXT ? "[a-z0-9][a-z0-9._-]{0,62}"
							       : "[a-z-]{1,32}");
	if (p->value == VALUE_WORD) {
		*(const char **) field = value;
		return 0;
	}
	if (words->count == REQUEST_WORDS_MAX)
		return err_set(e, -EINVAL, "?%s: given more than %d times", p->name,
			       REQUEST_WORDS_MAX);
	words->items[words->count++] = value;
	return 0;
}

static int take_number(const struct parameter *p, const char *value, void *field, struct err *e)
{
	uint64_t v = 1;

	if (!(p->value == VALUE_FLAG && !value) && units_parse_u64(value ?: "", 0, p->max, &v) < 0)
		return err_set(e, -EINVAL, "?%s: a number from 0 to %llu is expected", p->name,
			       (unsigned long long) p->max);
	*(uint64_t *) field = v;
	return 0;
}

int request_query_add(struct request_query *q, unsigned allowed, const char *name,
		      const char *value, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct parameter *p = &table[i];
		void *field = (char *) q + p->offset;
		int r;

		if (!(p->bit & allowed) || strcmp(name, p->name) != 0)
			continue;
		if ((p->bit & q->given) && p->value != VALUE_WORDS)
			return err_set(e, -EINVAL, "?%s: given twice", name);
		r = p->value == VALUE_FLAG || p->value == VALUE_NUMBER
			    ? take_number(p, value, field, e)
			    : take_word(p, value, field, e);
		if (r == 0)
			q->given |= p->bit;
		return r;
	}
	return err_set(e, -EINVAL, "?%.64s: this route has no such parameter", name);
}
