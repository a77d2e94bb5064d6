/* The ring of events. Lines are made once, when added, because every reader wants the same text;
 * a slow reader costs nothing but its own number: what the ring has dropped it reads from disk,
 * and what the disk has dropped it is told as lost. */
#include "daemon/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define CHUNK_BYTES (32u << 10) /* read from disk at once */
#define LOADED 512 /* events an earlier daemon left that are held in memory at least */
#define WALK_BYTES (1u << 20) /* looked at in one call: some milliseconds */

struct watch {
	events_wake wake; /* NULL: removed while the list was being walked */
	void *arg;
	const struct event_filter *filter;
};

struct place {
	uint32_t at, len;
};

struct events {
	struct history *history;
	uint64_t first, last; /* in the ring: first..last, none when first > last */
	size_t head; /* where the next line goes */
	struct place places[EVENTS_MAX]; /* number N is at N % EVENTS_MAX */
	struct watch *watches;
	size_t watch_count, watch_cap;
	uint64_t woken; /* readers know of it */
	bool waking;
	char ring[EVENTS_RING_BYTES];
	char chunk[CHUNK_BYTES];
};

static const struct place *place_of(const struct events *e, uint64_t seq)
{
	return &e->places[seq % EVENTS_MAX];
}

static void wake_for(struct events *e, uint64_t seq)
{
	const struct place *p = place_of(e, seq);
	struct event ev;

	if (seq < e->first || !event_parse(e->ring + p->at, p->len, &ev))
		return;
	for (size_t i = 0; i < e->watch_count; i++)
		if (e->watches[i].wake && event_matches(&ev, e->watches[i].filter))
			e->watches[i].wake(e->watches[i].arg);
}

/* One who is woken may add an event: it has its turn when all have heard of this one. */
static void wake_all(struct events *e)
{
	size_t kept = 0;

	if (e->waking)
		return;
	e->waking = true;
	while (e->woken < e->last)
		wake_for(e, ++e->woken);
	e->waking = false;
	for (size_t i = 0; i < e->watch_count; i++)
		if (e->watches[i].wake)
			e->watches[kept++] = e->watches[i];
	e->watch_count = kept;
}

/* --- lines --- */

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

static void make_line(struct buf *b, uint64_t seq, const char *kind, const char *context,
		      const json_t *detail)
{
	struct timespec now;
	size_t bare;

	(void) clock_gettime(CLOCK_REALTIME, &now);
	buf_printf(b, "{\"seq\": %" PRIu64 ", \"time\": %" PRIu64, seq,
		   (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000);
	add_string(b, "kind", kind);
	if (context)
		add_string(b, "context", context);
	bare = b->len;
	add_detail(b, detail);
	if (b->len + 2 > EVENTS_LINE_MAX) {
		b->len = bare;
		buf_puts(b, ", \"cut\": true");
	}
	buf_puts(b, "}\n");
}

/* Takes `text` off the front. */
static bool skip(const char **p, const char *end, const char *text)
{
	size_t n = strlen(text);

	if ((size_t) (end - *p) < n || memcmp(*p, text, n) != 0)
		return false;
	*p += n;
	return true;
}

static bool take_number(const char **p, const char *end, uint64_t *ret)
{
	const char *from = *p;
	uint64_t v = 0;

	for (; *p < end && **p >= '0' && **p <= '9' && *p - from < 19; (*p)++)
		v = v * 10 + (uint64_t) (**p - '0');
	*ret = v;
	return *p > from;
}

static bool take_string(const char **p, const char *end, const char **ret, size_t *ret_len)
{
	const char *quote = *p;

	while (quote < end && *quote != '"')
		quote += *quote == '\\' ? 2 : 1;
	if (quote >= end)
		return false;
	*ret = *p;
	*ret_len = (size_t) (quote - *p);
	*p = quote + 1;
	return true;
}

bool event_parse(const char *line, size_t len, struct event *ret)
{
	struct event ev = { .line = line, .len = len };
	const char *p = line, *end = line + len;

	if (len < 3 || end[-1] != '\n' || end[-2] != '}')
		return false;
	if (!skip(&p, end, "{\"seq\": ") || !take_number(&p, end, &ev.seq) ||
	    !skip(&p, end, ", \"time\": ") || !take_number(&p, end, &ev.time_us) ||
	    !skip(&p, end, ", \"kind\": \"") || !take_string(&p, end, &ev.kind, &ev.kind_len))
		return false;
	if (skip(&p, end, ", \"context\": \"") &&
	    !take_string(&p, end, &ev.context, &ev.context_len))
		return false;
	*ret = ev;
	return true;
}

static bool same(const char *s, size_t len, const char *word)
{
	return s && strlen(word) == len && memcmp(s, word, len) == 0;
}

bool event_is(const struct event *ev, const char *kind)
{
	return same(ev->kind, ev->kind_len, kind);
}

bool event_of(const struct event *ev, const char *context)
{
	return same(ev->context, ev->context_len, context);
}

bool event_matches(const struct event *ev, const struct event_filter *f)
{
	bool kind, context;

	if (!f || ev->lost)
		return true;
	kind = f->kind_count == 0;
	context = f->context_count == 0;
	for (size_t i = 0; i < f->kind_count && !kind; i++)
		kind = event_is(ev, f->kinds[i]);
	for (size_t i = 0; i < f->context_count && !context; i++)
		context = event_of(ev, f->contexts[i]);
	return kind && context && ev->time_us >= f->since_us;
}

/* --- the ring --- */

/* Drops the oldest lines until [at, at + len) is free. */
static void make_room(struct events *e, size_t at, size_t len)
{
	while (e->first <= e->last) {
		const struct place *p = place_of(e, e->first);

		if (e->last - e->first + 1 < EVENTS_MAX && (p->at >= at + len || p->at + p->len <= at))
			break;
		e->first++;
	}
}

static void keep(struct events *e, uint64_t seq, const char *line, size_t len)
{
	if (e->head + len > sizeof(e->ring)) {
		make_room(e, e->head, sizeof(e->ring) - e->head);
		e->head = 0;
	}
	make_room(e, e->head, len);
	memcpy(e->ring + e->head, line, len);
	e->places[seq % EVENTS_MAX] = (struct place){ (uint32_t) e->head, (uint32_t) len };
	e->head += len;
	e->last = seq;
}

uint64_t events_add(struct events *e, const char *kind, const char *context, json_t *detail)
{
	uint64_t seq = e->last + 1;
	struct buf b = {};

	make_line(&b, seq, kind, context, detail);
	json_decref(detail);
	if (b.error) { /* the number is spent, so that readers see that one is missing */
		e->last = seq;
		e->first = seq + 1;
		return seq;
	}
	if (e->history)
		(void) history_append(e->history, seq, b.data, b.len);
	keep(e, seq, b.data, b.len);
	buf_done(&b);
	wake_all(e);
	return seq;
}

/* Fills the ring with the newest of what an earlier daemon has left. */
static void load(struct events *e)
{
	uint64_t last = history_last(e->history);
	struct history_cursor c = {};
	ssize_t n;

	while ((n = history_read(e->history, &c, last > LOADED ? last - LOADED : 0, e->chunk,
				 sizeof(e->chunk))) > 0) {
		for (const char *p = e->chunk, *end = p + n; p < end;) {
			const char *newline = memchr(p, '\n', (size_t) (end - p));
			size_t len = newline ? (size_t) (newline - p) + 1 : (size_t) (end - p);
			struct event ev;

			if (event_parse(p, len, &ev) && ev.len <= EVENTS_LINE_MAX) {
				if (ev.seq != e->last + 1) /* the ring has no gaps */
					e->first = ev.seq;
				keep(e, ev.seq, p, len);
			}
			p += len;
		}
		history_skip(&c, (size_t) n);
	}
	if (e->last != last)
		e->first = last + 1;
	e->last = e->woken = last;
}

int events_new(struct history *history, struct events **ret)
{
	struct events *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->first = 1;
	e->history = history;
	if (history)
		load(e);
	*ret = e;
	return 0;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	history_close(e->history);
	free(e->watches);
	free(e);
}

uint64_t events_last(const struct events *e)
{
	return e->last;
}

uint64_t events_oldest(const struct events *e)
{
	uint64_t disk = e->history ? history_first(e->history) : e->first;

	return (disk < e->first ? disk : e->first) - 1;
}

/* --- reading --- */

struct walk {
	struct events *events;
	struct events_cursor *cursor;
	const struct event_filter *filter;
	bool (*take)(void *arg, const struct event *ev);
	void *arg;
	size_t looked_at;
};

/* Says that the numbers up to `until` are not there. */
static bool tell_lost(struct walk *w, uint64_t until)
{
	struct events_cursor *c = w->cursor;
	char line[96];
	int n = snprintf(line, sizeof(line),
			 "{\"kind\": \"lost\", \"after\": %" PRIu64 ", \"until\": %" PRIu64 "}\n",
			 c->seq, until);
	struct event ev = { .line = line,
			    .len = (size_t) n,
			    .seq = until,
			    .kind = "lost",
			    .kind_len = 4,
			    .lost_after = c->seq,
			    .lost = true };

	if (!w->take(w->arg, &ev))
		return false;
	c->seq = until;
	return true;
}

/* @return false when the reader wants no more. */
static bool show(struct walk *w, const struct event *ev)
{
	struct events_cursor *c = w->cursor;

	if (ev->seq <= c->seq)
		return true;
	if (ev->seq > c->seq + 1 && !tell_lost(w, ev->seq - 1))
		return false;
	if (event_matches(ev, w->filter) && !w->take(w->arg, ev))
		return false;
	c->seq = ev->seq;
	return true;
}

static bool walk_ring(struct walk *w)
{
	struct events *e = w->events;

	while (w->cursor->seq < e->last && w->looked_at < WALK_BYTES) {
		const struct place *p = place_of(e, w->cursor->seq + 1);
		struct event ev;

		w->looked_at += p->len;
		if (!event_parse(e->ring + p->at, p->len, &ev))
			w->cursor->seq++;
		else if (!show(w, &ev))
			return false;
	}
	return w->cursor->seq < e->last;
}

/* One chunk. @return false when the reader wants no more; *ret_end: nothing is left on disk. */
static bool walk_chunk(struct walk *w, bool *ret_end)
{
	struct events *e = w->events;
	struct events_cursor *c = w->cursor;
	ssize_t n = history_read(e->history, &c->disk, c->seq, e->chunk, sizeof(e->chunk));

	*ret_end = n <= 0;
	for (ssize_t at = 0; at < n;) {
		const char *newline = memchr(e->chunk + at, '\n', (size_t) (n - at));
		size_t len = newline ? (size_t) (newline - (e->chunk + at)) + 1 : (size_t) (n - at);
		struct event ev;

		if (event_parse(e->chunk + at, len, &ev) && !show(w, &ev))
			return false;
		w->looked_at += len;
		at += (ssize_t) len;
		history_skip(&c->disk, len);
	}
	return true;
}

bool events_walk(struct events *e, struct events_cursor *c, const struct event_filter *filter,
		 bool (*take)(void *arg, const struct event *ev), void *arg)
{
	struct walk w = { e, c, filter, take, arg, 0 };

	while (e->history && c->seq < e->last && c->seq + 1 < e->first) {
		bool end;

		if (!walk_chunk(&w, &end))
			return false;
		if (end) /* the rest up to the ring could not be kept */
			break;
		if (w.looked_at >= WALK_BYTES)
			return true;
	}
	if (c->seq < e->last && c->seq + 1 < e->first && !tell_lost(&w, e->first - 1))
		return false;
	c->disk = (struct history_cursor){};
	return walk_ring(&w);
}

struct tail {
	uint64_t *seqs;
	uint64_t count, next;
};

static bool note_seq(void *arg, const struct event *ev)
{
	struct tail *t = arg;

	if (!ev->lost)
		t->seqs[t->next++ % t->count] = ev->seq;
	return true;
}

uint64_t events_tail(struct events *e, const struct event_filter *filter, uint64_t count)
{
	struct events_cursor c = { .seq = events_oldest(e) };
	struct tail t = { .count = count };
	uint64_t seq;

	t.seqs = count ? calloc(count, sizeof(*t.seqs)) : NULL;
	if (!t.seqs)
		return e->last;
	while (events_walk(e, &c, filter, note_seq, &t))
		;
	seq = t.next >= count ? t.seqs[t.next % count] - 1 : events_oldest(e);
	free(t.seqs);
	return seq;
}

/* --- waking --- */

int events_watch(struct events *e, const struct event_filter *filter, events_wake wake, void *arg)
{
	if (e->watch_count == e->watch_cap) {
		size_t cap = e->watch_cap ? e->watch_cap * 2 : 8;
		struct watch *more = reallocarray(e->watches, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		e->watches = more;
		e->watch_cap = cap;
	}
	e->watches[e->watch_count++] = (struct watch){ wake, arg, filter };
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
