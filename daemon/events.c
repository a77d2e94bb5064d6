/* The ring of events. Lines are made once, when added, because every reader wants the same text;
 * a slow reader costs nothing but its own number: when the ring has overtaken it, the next line
 * it gets bears a higher number than it expected. */
#include "daemon/events.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

struct watch {
	events_wake wake; /* NULL: removed while the list was being walked */
	void *arg;
};

struct events {
	char *lines[EVENTS_MAX]; /* number N lies at N % EVENTS_MAX */
	uint64_t last;
	struct watch *watches;
	size_t watch_count, watch_cap;
	bool waking;
};

int events_new(struct events **ret)
{
	struct events *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	*ret = e;
	return 0;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < EVENTS_MAX; i++)
		free(e->lines[i]);
	free(e->watches);
	free(e);
}

static void wake_all(struct events *e)
{
	size_t kept = 0;

	if (e->waking)
		return;
	e->waking = true;
	for (size_t i = 0; i < e->watch_count; i++)
		if (e->watches[i].wake)
			e->watches[i].wake(e->watches[i].arg);
	e->waking = false;
	for (size_t i = 0; i < e->watch_count; i++)
		if (e->watches[i].wake)
			e->watches[kept++] = e->watches[i];
	e->watch_count = kept;
}

/* Appends "key": "value"; the usual value needs no escape, and then jansson is not asked. */
static void add_string(struct buf *b, const char *key, const char *value)
{
	bool plain = true;

	for (const char *p = value; plain && *p; p++)
		plain = *p >= ' ' && *p < 127 && *p != '"' && *p != '\\';
	if (plain) {
		buf_printf(b, ", \"%s\": \"%s\"", key, value);
		return;
	}
	json_t *s = json_string(value);
	_cleanup_free_ char *text = s ? json_dumps(s, JSON_ENCODE_ANY) : NULL;

	json_decref(s);
	buf_printf(b, ", \"%s\": %s", key, text ?: "null");
}

static void add_detail(struct buf *b, const json_t *detail)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *) detail, key, v)
	{
		_cleanup_free_ char *text = json_dumps(v, JSON_ENCODE_ANY);
		json_t *k = json_string(key);
		_cleanup_free_ char *name = k ? json_dumps(k, JSON_ENCODE_ANY) : NULL;

		json_decref(k);
		if (text && name)
			buf_printf(b, ", %s: %s", name, text);
	}
}

void events_add(struct events *e, const char *kind, const char *context, json_t *detail)
{
	uint64_t seq = e->last + 1;
	struct buf b = {};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	buf_printf(&b, "{\"seq\": %llu, \"time\": %llu", (unsigned long long) seq,
		   (unsigned long long) now.tv_sec * 1000000 +
			   (unsigned long long) now.tv_nsec / 1000);
	add_string(&b, "kind", kind);
	if (context)
		add_string(&b, "context", context);
	add_detail(&b, detail);
	buf_puts(&b, "}\n");
	json_decref(detail);
	/* Out of memory: the number is spent, so that readers see that one is missing. */
	free(e->lines[seq % EVENTS_MAX]);
	e->lines[seq % EVENTS_MAX] = b.error ? NULL : buf_take(&b);
	buf_done(&b);
	e->last = seq;
	wake_all(e);
}

const char *events_next(const struct events *e, uint64_t seq, uint64_t *ret_seq)
{
	uint64_t oldest = e->last > EVENTS_MAX ? e->last - EVENTS_MAX + 1 : 1;

	if (seq >= e->last)
		return NULL;
	for (uint64_t n = seq + 1 > oldest ? seq + 1 : oldest; n <= e->last; n++)
		if (e->lines[n % EVENTS_MAX]) {
			*ret_seq = n;
			return e->lines[n % EVENTS_MAX];
		}
	return NULL;
}

/* A line begins {"seq": N, "time": N, "kind": "KIND", "context": "NAME": all of it written here,
 * before anything that came from elsewhere. */
bool events_context(const char *line, char *out, size_t size)
{
	static const char key[] = "\", \"context\": \"";
	const char *kind = strstr(line, "\"kind\": \"");
	const char *name = kind ? strchr(kind + strlen("\"kind\": \""), '"') : NULL;
	size_t len;

	if (!name || strncmp(name, key, strlen(key)) != 0)
		return false;
	name += strlen(key);
	len = strcspn(name, "\"");
	if (len >= size)
		return false;
	memcpy(out, name, len);
	out[len] = '\0';
	return true;
}

uint64_t events_last(const struct events *e)
{
	return e->last;
}

int events_watch(struct events *e, events_wake wake, void *arg)
{
	if (e->watch_count == e->watch_cap) {
		size_t cap = e->watch_cap ? e->watch_cap * 2 : 8;
		struct watch *more = reallocarray(e->watches, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		e->watches = more;
		e->watch_cap = cap;
	}
	e->watches[e->watch_count++] = (struct watch){ wake, arg };
	return 0;
}

void events_unwatch(struct events *e, events_wake wake, void *arg)
{
	for (size_t i = 0; i < e->watch_count; i++) {
		if (e->watches[i].wake != wake || e->watches[i].arg != arg)
			continue;
		if (e->waking)
			e->watches[i].wake = NULL;
		else
			e->watches[i] = e->watches[--e->watch_count];
		return;
	}
}
