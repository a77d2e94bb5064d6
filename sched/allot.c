/* What each claim is entitled to: reserves first, then the rest by shares. Two fillings of the same
 * kind; the first is only made where reserves do not fit. */
#include <errno.h>

#include "sched/pool.h"

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What it would use: no more than there can be. */
static uint64_t wanted(const struct allot_claim *c)
{
	return lesser(lesser(c->demand, c->limit), ALLOT_AMOUNT_MAX);
}

static int claim_check(const struct allot_pool *p, const struct allot_claim *c)
{
	if (c->set >= p->set_count)
		return -EINVAL;
	return c->reserve > ALLOT_AMOUNT_MAX || c->share > ALLOT_SHARE_MAX ? -ERANGE : 0;
}

/* Those that want something become items with their reserve for base. */
static int items_of(struct allot_pool *p, const struct allot_claim *claims, size_t count,
		    size_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct allot_claim *c = &claims[i];
		uint64_t want = wanted(c), base = lesser(c->reserve, want);
		int r = claim_check(p, c);

		if (r < 0)
			return r;
		if (want > 0)
			p->items[n++] = (struct pool_item){ .base = base,
							    .weight = c->share,
							    .want = c->share > 0 ? want - base : 0,
							    .set = c->set,
							    .claim = (unsigned) i };
	}
	*ret = n;
	return 0;
}

/* Reserves by their own size, up to their own size. */
static void shrink_bases(struct allot_pool *p, const struct allot_claim *claims, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		p->items[i].weight = p->items[i].want = p->items[i].base;
		p->items[i].base = 0;
	}
	pool_fill(p, n);
	for (size_t i = 0; i < n; i++) {
		const struct allot_claim *c = &claims[p->items[i].claim];

		p->items[i].base = p->items[i].got;
		p->items[i].weight = c->share;
		p->items[i].want = c->share > 0 ? wanted(c) - p->items[i].base : 0;
	}
}

int allot(struct allot_pool *p, const struct allot_claim *claims, size_t count, uint64_t *ret)
{
	size_t n = 0;
	int r;

	if (count > ALLOT_CLAIMS_MAX)
		return -ERANGE;
	r = pool_settle(p, count);
	if (r == 0)
		r = items_of(p, claims, count, &n);
	if (r < 0)
		return r;
	if (!pool_bases_fit(p, n))
		shrink_bases(p, claims, n);
	pool_fill(p, n);
	for (size_t i = 0; i < count; i++)
		ret[i] = 0;
	for (size_t i = 0; i < n; i++)
		ret[p->items[i].claim] = p->items[i].got;
	return 0;
}
