/* Ideal token buckets in discrete time. A token is a millisecond of a CPU. Every context has a
 * bucket that its reserve fills, one that its limit fills, and work that comes as it demands. Each
 * millisecond each CPU serves one context that it may serve: of those with a token of their
 * reserve the one whose bucket is fullest, else the one that had least of the rest for its share.
 * CPUs that were idle of late serve first, then those where the rest goes furthest; and where CPUs
 * are short, who can be served elsewhere waits for that with some tokens (`patience`): on few CPUs
 * it would be in the way otherwise; of many, some other is free anyway.
 *
 * Candidates lie in two heaps for every cpuset, so that a thousand CPUs find theirs quickly. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define BUCKET_TOKEN                                                                               \
	UINT64_C(1000000) /* a token, in millionths: what a whole CPU fills in a tick */
#define BUCKET_DEPTH (20 * BUCKET_TOKEN) /* that of a reserve: its burst; and of work that waits */
#define BUCKET_LATE 50u /* ticks */

struct bucket {
	uint64_t reserve, limit, demand; /* tokens a tick, in millionths; UINT64_MAX: no end */
	uint32_t share;
	unsigned set;
	uint64_t saved, allowed, work; /* the levels */
	uint64_t had; /* of the rest, for its share */
	bool waits; /* in the heap of the rest */
	uint64_t served; /* tokens */
};

/** A heap of contexts: the least key on top. */
struct bucket_heap {
	unsigned *items, count;
	bool by_saved; /* else by what it had of the rest */
};

struct buckets {
	struct bucket *all;
	unsigned count, sets, cpus;
	uint64_t patience; /* in millionths of a token */
	const uint64_t *sets_of; /* by CPU: a mask of the sets it is in */
	struct bucket_heap *reserved, *rest; /* by set */
	uint64_t *level; /* by CPU: the most that anyone had had when it gave of the rest */
	unsigned *idle; /* by CPU: the ticks for which it counts as idle yet */
	uint64_t *furthest; /* by set: the highest level of its CPUs */
	unsigned *order; /* CPUs, the idle ones, then the highest level first */
};

static inline bool bucket_ready(const struct bucket *b)
{
	return b->work >= BUCKET_TOKEN && b->allowed >= BUCKET_TOKEN;
}

static inline bool bucket_before(const struct buckets *s, const struct bucket_heap *h, unsigned a,
				 unsigned b)
{
	const struct bucket *x = &s->all[h->items[a]], *y = &s->all[h->items[b]];

	return h->by_saved ? x->saved > y->saved : x->had < y->had;
}

static inline void bucket_swap(struct bucket_heap *h, unsigned a, unsigned b)
{
	unsigned t = h->items[a];

	h->items[a] = h->items[b];
	h->items[b] = t;
}

static inline void bucket_sink(const struct buckets *s, struct bucket_heap *h, unsigned at)
{
	for (;;) {
		unsigned least = at, child = 2 * at + 1;

		if (child < h->count && bucket_before(s, h, child, least))
			least = child;
		if (child + 1 < h->count && bucket_before(s, h, child + 1, least))
			least = child + 1;
		if (least == at)
			return;
		bucket_swap(h, at, least);
		at = least;
	}
}

static inline void bucket_push(const struct buckets *s, struct bucket_heap *h, unsigned item)
{
	unsigned at = h->count++;

	h->items[at] = item;
	for (; at > 0 && bucket_before(s, h, at, (at - 1) / 2); at = (at - 1) / 2)
		bucket_swap(h, at, (at - 1) / 2);
}

static inline void bucket_pop(const struct buckets *s, struct bucket_heap *h)
{
	h->items[0] = h->items[--h->count];
	bucket_sink(s, h, 0);
}

static inline uint64_t bucket_pour(uint64_t level, uint64_t rate, uint64_t depth)
{
	return rate > depth || level + rate > depth ? depth : level + rate;
}

/** A tick begins: everything is filled, and the heaps are made of who can be served. */
static inline void buckets_fill(struct buckets *s)
{
	for (unsigned i = 0; i < s->sets; i++)
		s->reserved[i].count = 0;
	for (unsigned i = 0; i < s->count; i++) {
		struct bucket *b = &s->all[i];

		/* What a tick brings is there in whole, however much it is. */
		b->saved = bucket_pour(b->saved, b->reserve, BUCKET_DEPTH + b->reserve);
		b->allowed = b->limit == UINT64_MAX
				     ? UINT64_MAX
				     : bucket_pour(b->allowed, b->limit, BUCKET_DEPTH + b->limit);
		b->work = b->demand == UINT64_MAX
				  ? UINT64_MAX
				  : bucket_pour(b->work, b->demand, BUCKET_DEPTH + b->demand);
		if (!bucket_ready(b))
			continue;
		if (b->saved >= BUCKET_TOKEN)
			bucket_push(s, &s->reserved[b->set], i);
		if (b->share > 0 && !b->waits) {
			b->waits = true;
			bucket_push(s, &s->rest[b->set], i);
		}
	}
}

static inline void bucket_serve(struct bucket *b)
{
	b->work -= b->demand == UINT64_MAX ? 0 : BUCKET_TOKEN;
	b->allowed -= b->limit == UINT64_MAX ? 0 : BUCKET_TOKEN;
	b->served++;
}

/** Whoever cannot be served any more leaves the top. @return whether anyone is there. */
static inline bool bucket_top(const struct buckets *s, struct bucket_heap *h)
{
	while (h->count > 0) {
		struct bucket *b = &s->all[h->items[0]];

		if (bucket_ready(b) && (!h->by_saved || b->saved >= BUCKET_TOKEN))
			return true;
		if (!h->by_saved)
			b->waits = false;
		bucket_pop(s, h);
	}
	return false;
}

static inline uint64_t bucket_level(const struct buckets *s, unsigned cpu)
{
	return s->idle[cpu] > 0 ? UINT64_MAX : s->level[cpu];
}

/** Whether the top of a set's heap has better places than this CPU, and time. */
static inline bool bucket_can_wait(const struct buckets *s, const struct bucket_heap *h,
				   unsigned cpu)
{
	const struct bucket *b = &s->all[h->items[0]];
	uint64_t far = s->furthest[b->set];

	return bucket_level(s, cpu) < far - far / 50 &&
	       (h->by_saved ? b->saved : b->work) < s->patience;
}

/** The heap among those of a CPU's sets whose top comes first. */
static inline struct bucket_heap *bucket_best(const struct buckets *s, struct bucket_heap *heaps,
					      unsigned cpu, bool patient)
{
	struct bucket_heap *best = NULL;

	for (uint64_t sets = s->sets_of[cpu]; sets != 0; sets &= sets - 1) {
		struct bucket_heap *h = &heaps[__builtin_ctzll(sets)];
		const struct bucket *x, *y;

		if (!bucket_top(s, h) || (patient && bucket_can_wait(s, h, cpu)))
			continue;
		x = &s->all[h->items[0]];
		y = best == NULL ? NULL : &s->all[best->items[0]];
		if (y == NULL || (h->by_saved ? x->saved > y->saved : x->had < y->had))
			best = h;
	}
	return best;
}

/** One CPU's tick: no CPU is idle while somebody waits whom it may serve. */
static inline void bucket_cpu(struct buckets *s, unsigned cpu)
{
	struct bucket_heap *h = bucket_best(s, s->reserved, cpu, true);
	struct bucket *b;

	if (h == NULL)
		h = bucket_best(s, s->rest, cpu, true);
	if (h == NULL)
		h = bucket_best(s, s->reserved, cpu, false);
	if (h == NULL)
		h = bucket_best(s, s->rest, cpu, false);
	if (h == NULL) {
		s->idle[cpu] = BUCKET_LATE;
		return;
	}
	b = &s->all[h->items[0]];
	if (h->by_saved) {
		b->saved -= BUCKET_TOKEN;
	} else {
		if (b->had > s->level[cpu])
			s->level[cpu] = b->had;
		b->had += (UINT64_C(1) << 40) / b->share;
	}
	bucket_serve(b);
	bucket_sink(s, h, 0);
}

static inline bool bucket_richer(const struct buckets *s, unsigned a, unsigned b)
{
	return bucket_level(s, a) > bucket_level(s, b);
}

/** By insertion: it is nearly in order already. */
static inline void buckets_order(struct buckets *s)
{
	for (unsigned i = 1; i < s->cpus; i++) {
		unsigned cpu = s->order[i], at = i;

		for (; at > 0 && bucket_richer(s, cpu, s->order[at - 1]); at--)
			s->order[at] = s->order[at - 1];
		s->order[at] = cpu;
	}
	for (unsigned i = 0; i < s->sets; i++)
		s->furthest[i] = 0;
	for (unsigned i = s->cpus; i-- > 0;)
		for (uint64_t sets = s->sets_of[s->order[i]]; sets != 0; sets &= sets - 1)
			s->furthest[__builtin_ctzll(sets)] = bucket_level(s, s->order[i]);
}

static inline void buckets_run(struct buckets *s, unsigned ticks)
{
	for (unsigned t = 0; t < ticks; t++) {
		buckets_fill(s);
		buckets_order(s);
		for (unsigned i = 0; i < s->cpus; i++)
			bucket_cpu(s, s->order[i]);
		for (unsigned i = 0; i < s->cpus; i++)
			s->idle[i] -= s->idle[i] > 0 ? 1 : 0;
	}
}

static inline void buckets_new(struct buckets *s)
{
	s->reserved = calloc(s->sets, sizeof(*s->reserved));
	s->rest = calloc(s->sets, sizeof(*s->rest));
	s->level = calloc(s->cpus, sizeof(*s->level));
	s->idle = calloc(s->cpus, sizeof(*s->idle));
	s->furthest = calloc(s->sets, sizeof(*s->furthest));
	s->order = calloc(s->cpus, sizeof(*s->order));
	for (unsigned i = 0; i < s->sets; i++) {
		s->reserved[i].by_saved = true;
		s->reserved[i].items = calloc(s->count, sizeof(unsigned));
		s->rest[i].items = calloc(s->count, sizeof(unsigned));
	}
	for (unsigned i = 0; i < s->cpus; i++)
		s->order[i] = i;
}

static inline void buckets_done(struct buckets *s)
{
	for (unsigned i = 0; i < s->sets; i++) {
		free(s->reserved[i].items);
		free(s->rest[i].items);
	}
	free(s->reserved);
	free(s->rest);
	free(s->level);
	free(s->idle);
	free(s->furthest);
	free(s->order);
}
