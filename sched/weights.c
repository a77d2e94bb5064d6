/* From entitlements to the weights of a scheduler that knows nothing else (cpu.weight, cpu.shares).
 *
 * The weights of all claims together always fit into the resource as if they were amounts. Hence
 * when all are hungry each gets at least its weight, and when fewer are, more. Claims asleep have
 * what they are due then. What is not theirs goes to those awake, in proportion to what
 * they are entitled to: the same filling as everything else tells how far that goes where; and
 * rivals, those that meet on some place or have rivals that do, keep to the least of it, or else
 * they would not be in proportion. */
#include <errno.h>

#include "sched/pool.h"

/* Each round holds some more at their floor; those that are still not all found have their due. */
#define ROUNDS 16
#define NOBODY UINT32_MAX /* claim: of an item for those asleep; number: of a set of nobody awake */
#define UNKNOWN (UINT32_MAX - 1)

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Who has all it can use, and that is no more than its due, is as good as asleep: with its due it
 * gets that, and its due at once when it wants more. */
static bool counts(const struct allot_standing *s)
{
	return s->entitled > s->due || s->entitled < s->most;
}

static int standing_check(const struct allot_pool *p, const struct allot_standing *s)
{
	if (s->set >= p->set_count)
		return -EINVAL;
	return s->due > ALLOT_AMOUNT_MAX || s->entitled > ALLOT_AMOUNT_MAX ? -ERANGE : 0;
}

/* In p->sums, what is due to all others of each set. */
static int sums_of(struct allot_pool *p, const struct allot_standing *awake, size_t count,
		   const uint64_t *due_by_set)
{
	for (unsigned s = 0; s < p->set_count; s++) {
		if (due_by_set[s] > ALLOT_AMOUNT_MAX)
			return -ERANGE;
		p->sums[s] = due_by_set[s];
	}
	for (size_t i = 0; i < count; i++) {
		int r = standing_check(p, &awake[i]);

		if (r < 0)
			return r;
		if (!counts(&awake[i]))
			continue;
		if (awake[i].due > p->sums[awake[i].set])
			return -EINVAL;
		p->sums[awake[i].set] -= awake[i].due;
	}
	return 0;
}

/* One item for all others of a set, one for each that counts. @return how many. */
static size_t items_of(struct allot_pool *p, const struct allot_standing *awake, size_t count)
{
	size_t n = 0;

	for (unsigned s = 0; s < p->set_count; s++)
		if (p->sums[s] > 0)
			p->items[n++] =
				(struct pool_item){ .base = p->sums[s], .set = s, .claim = NOBODY };
	for (size_t i = 0; i < count; i++)
		if (counts(&awake[i]))
			p->items[n++] = (struct pool_item){ .weight = awake[i].entitled,
							    .want = awake[i].entitled,
							    .set = awake[i].set,
							    .claim = (unsigned) i };
	return n;
}

/* The rivals of a set that are not known yet get its number and join the queue. */
static void add_rivals(struct allot_pool *p, unsigned set, unsigned *length)
{
	for (unsigned e = p->set_edges[set]; e < p->set_edges[set + 1]; e++) {
		unsigned cell = p->edges[e].cell;

		for (unsigned i = p->cell_edges[cell]; i < p->cell_edges[cell + 1]; i++) {
			unsigned rival = p->edges[p->by_cell[i]].set;

			if (p->spare[rival] != UNKNOWN)
				continue;
			p->spare[rival] = p->spare[set];
			p->queue[(*length)++] = rival;
		}
	}
}

/* Numbers the sets in p->spare: those of rivals alike. */
static void number_rivals(struct allot_pool *p, size_t n)
{
	unsigned length = 0;

	for (unsigned s = 0; s < p->set_count; s++)
		p->spare[s] = NOBODY;
	for (size_t i = 0; i < n; i++)
		if (p->items[i].claim != NOBODY)
			p->spare[p->items[i].set] = UNKNOWN;
	for (unsigned s = 0; s < p->set_count; s++) {
		if (p->spare[s] != UNKNOWN)
			continue;
		p->spare[s] = s;
		p->queue[length++] = s;
		while (length > 0) {
			unsigned next = p->queue[--length];

			add_rivals(p, next, &length);
		}
	}
}

/* What was rounded down counts as one more, so that the least is that of a great one, not of one
 * that is all rounding. */
static void scale_rivals(struct allot_pool *p, size_t n)
{
	for (unsigned s = 0; s < p->set_count; s++)
		p->ratios[s].down = 0;
	for (size_t i = 0; i < n; i++) {
		const struct pool_item *item = &p->items[i];
		struct pool_ratio *least;

		if (item->weight == 0)
			continue;
		least = &p->ratios[p->spare[item->set]];
		if (least->down == 0 ||
		    (pool_wide) (item->got + 1) * least->down < (pool_wide) least->up * item->want)
			*least = (struct pool_ratio){ .up = item->got + 1, .down = item->want };
	}
	for (size_t i = 0; i < n; i++) {
		struct pool_item *item = &p->items[i];
		const struct pool_ratio *least;

		if (item->weight == 0)
			continue;
		least = &p->ratios[p->spare[item->set]];
		item->got = lesser(item->got,
				   (uint64_t) ((pool_wide) item->want * least->up / least->down));
	}
}

/* @return whether some got less than their floor: they have it from now on, and others less. */
static bool raise_floors(struct allot_pool *p, const struct allot_standing *awake, size_t n)
{
	bool raised = false;

	for (size_t i = 0; i < n; i++) {
		struct pool_item *item = &p->items[i];
		uint64_t floor;

		if (item->weight == 0)
			continue;
		floor = lesser(awake[item->claim].floor, awake[item->claim].due);
		if (item->got >= floor)
			continue;
		item->base = floor;
		item->weight = item->want = 0;
		raised = true;
	}
	return raised;
}

int allot_weights(struct allot_pool *p, const struct allot_standing *awake, size_t count,
		  const uint64_t *due_by_set, uint64_t *ret)
{
	bool raised = true;
	size_t n;
	int r;

	if (count > ALLOT_CLAIMS_MAX)
		return -ERANGE;
	r = pool_settle(p, count + p->set_count);
	if (r == 0)
		r = sums_of(p, awake, count, due_by_set);
	if (r < 0)
		return r;
	n = items_of(p, awake, count);
	if (!pool_bases_fit(p, n))
		return -EINVAL;
	for (unsigned i = 0; i < ROUNDS && raised; i++) {
		pool_fill(p, n);
		number_rivals(p, n);
		scale_rivals(p, n);
		raised = raise_floors(p, awake, n);
	}
	for (size_t i = 0; i < count; i++)
		ret[i] = awake[i].due;
	for (size_t i = 0; i < n && !raised; i++)
		if (p->items[i].claim != NOBODY)
			ret[p->items[i].claim] = p->items[i].got;
	return 0;
}

uint32_t allot_weight_scaled(uint64_t weight, uint64_t full, uint32_t min, uint32_t max)
{
	pool_wide scaled;

	if (weight >= full)
		return max;
	scaled = ((pool_wide) weight * max + full - 1) / full;
	return scaled < min ? min : (uint32_t) scaled;
}

uint32_t allot_weight_beside(uint64_t contexts, uint64_t host, uint32_t host_weight, uint32_t min,
			     uint32_t max)
{
	pool_wide weight = (pool_wide) contexts * host_weight;

	if (host == 0)
		return max;
	weight = (weight + host / 2) / host;
	if (weight < min)
		return min;
	return weight > max ? max : (uint32_t) weight;
}
