/* Which reserves can be promised: those of all claims, asleep or awake, routed at once. By Hall's
 * condition that is possible when for every set of places what is confined to it fits; the flow
 * finds the set where it does not, without looking at all of them. */
#include <errno.h>

#include "sched/pool.h"

#define MILLION 1000000u

/* What is reserved within each set. */
static int sums_of(struct allot_pool *p, const struct allot_claim *claims, size_t count,
		   uint32_t keep_ppm)
{
	int r;

	if (count > ALLOT_CLAIMS_MAX || keep_ppm > MILLION)
		return -ERANGE;
	r = pool_settle(p, 0);
	if (r < 0)
		return r;
	for (unsigned s = 0; s < p->set_count; s++)
		p->sums[s] = 0;
	for (size_t i = 0; i < count; i++) {
		if (claims[i].set >= p->set_count)
			return -EINVAL;
		if (claims[i].reserve > ALLOT_AMOUNT_MAX)
			return -ERANGE;
		p->sums[claims[i].set] += claims[i].reserve;
	}
	return 0;
}

/* @return whether all sums can be had at once. */
static bool sums_fit(struct allot_pool *p, uint32_t keep_ppm)
{
	struct pool_part whole = pool_whole(p, keep_ppm);

	for (unsigned s = 0; s < p->set_count; s++)
		p->sets[s].left = p->sums[s];
	return pool_route(p, &whole);
}

static void explain(struct allot_pool *p, uint32_t keep_ppm, struct allot_refusal *ret)
{
	*ret = (struct allot_refusal){ 0 };
	p->refused = true;
	for (unsigned s = 0; s < p->set_count; s++)
		if (allot_refused_set(p, s))
			ret->reserved += p->sums[s];
	(void) pool_whole(p, keep_ppm);
	for (unsigned c = 0; c < p->cell_count; c++)
		if (pool_reached(&p->cells[c]))
			ret->available += (uint64_t) p->cells[c].left;
	for (unsigned i = 0; i < p->places; i++)
		if (allot_refused_place(p, i))
			ret->places++;
}

int allot_admit(struct allot_pool *p, const struct allot_claim *claims, size_t count,
		uint32_t keep_ppm, struct allot_refusal *ret)
{
	int r = sums_of(p, claims, count, keep_ppm);

	if (r < 0 || sums_fit(p, keep_ppm))
		return r;
	explain(p, keep_ppm, ret);
	return -ENOSPC;
}

bool allot_refused_set(const struct allot_pool *p, unsigned set)
{
	return p->refused && set < p->set_count && pool_reached(&p->sets[set]);
}

bool allot_refused_place(const struct allot_pool *p, unsigned place)
{
	return p->refused && place < p->places && pool_reached(&p->cells[p->cell_of[place]]);
}

/* Beside what fits, the set is given more than there can be: what of it is routed is the room. */
int allot_admissible(struct allot_pool *p, const struct allot_claim *claims, size_t count,
		     uint32_t keep_ppm, unsigned set, uint64_t *ret)
{
	pool_wide left = 0;
	int r = set < p->set_count ? sums_of(p, claims, count, keep_ppm) : -EINVAL;

	if (r < 0)
		return r;
	*ret = 0;
	if (!sums_fit(p, keep_ppm))
		return 0;
	p->sums[set] += ALLOT_AMOUNT_MAX;
	(void) sums_fit(p, keep_ppm);
	for (unsigned s = 0; s < p->set_count; s++)
		left += p->sets[s].left;
	*ret = (uint64_t) (ALLOT_AMOUNT_MAX - left);
	return 0;
}
