/* What the kernel gives beyond weights. Whoever forks without end gets several times its part: of
 * two groups of equal weight, one with four busy threads and one with four loops that run
 * /bin/true, the latter had 1.8 of 2 CPUs (Linux 6.18). So the weight of who has far more than it
 * is entitled to, while somebody who wants it has less, is discounted until it has what is its own.
 * The discount goes slowly as it uses less, also while it sleeps: what a storm has does not follow
 * its weight evenly, and were it quick it would have nothing and all in turns. */
#include "sched/claims.h"

#define NOTICED_PART 20 /* of the capacity: less is the grain of the scheduler and of a look */
#define OWED_US 5000
#define OWED_MUCH_US 20000 /* no jitter of looks */
#define LOOKS 2 /* in a row, until it counts */
#define STEP_PART 2 /* at most, of its weight, in a look */
#define FORGIVEN_PART 64 /* in a look: half of it within two or three seconds */
#define FORGIVEN_SOON_PART 16 /* it has less than half of its own */
#define FORGIVEN_AT_ONCE_PART 2 /* it has less than its reserve */
#define LEAST (EXCESS_NONE / 256)

/* Of a reserve less is missed sooner. */
static bool is_robbed(const struct engine *g, const struct member *m)
{
	return m->owed_us >= OWED_US || (m->claim.demand == ALLOT_HUNGRY &&
					 m->demand.rate + g->capacity / NOTICED_PART < m->entitled);
}

/* By what it used lately and since the last look: else a discount that has done its work would be
 * followed by another. */
static bool exceeds(const struct engine *g, const struct member *m, bool reserve_missed)
{
	uint64_t used = m->rate < m->demand.rate ? m->rate : m->demand.rate;

	return used > m->entitled + g->capacity / NOTICED_PART &&
	       (reserve_missed || used > m->entitled + m->entitled / 4);
}

static void discount(struct member *m)
{
	uint64_t least = m->discount / STEP_PART, part = m->discount * m->entitled / m->rate;

	if (part < least)
		part = least;
	m->discount = part > LEAST ? (uint32_t) part : LEAST;
}

static uint32_t forgiven_part(const struct member *m)
{
	if (m->owed_us >= OWED_US)
		return FORGIVEN_AT_ONCE_PART;
	return m->rate < m->entitled / 2 ? FORGIVEN_SOON_PART : FORGIVEN_PART;
}

static void forgive(struct member *m)
{
	uint32_t part = forgiven_part(m);

	m->discount += m->discount / part + 1;
	if (m->discount > EXCESS_NONE)
		m->discount = EXCESS_NONE;
}

/* Only how discounts compare counts. Were all left to fall, each time that somebody has more for a
 * moment, weights would end where the kernel's have no grain. */
static void raise_all(struct engine *g)
{
	uint32_t most = 0;

	for (size_t i = 0; i < g->count; i++) {
		const struct member *m = &g->members[i];

		if (m->claim.demand == ALLOT_HUNGRY && m->discount > most)
			most = m->discount;
	}
	for (size_t i = 0; most > 0 && most < EXCESS_NONE && i < g->count; i++) {
		struct member *m = &g->members[i];
		uint64_t raised = (uint64_t) m->discount * EXCESS_NONE / most;

		m->discount = raised < EXCESS_NONE ? (uint32_t) raised : EXCESS_NONE;
	}
}

void excess_look(struct engine *g)
{
	bool robbed = false, reserve_missed = false;

	for (size_t i = 0; i < g->count; i++) {
		robbed |= is_robbed(g, &g->members[i]);
		reserve_missed |= g->members[i].owed_us >= OWED_MUCH_US;
	}
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];

		m->excess = exceeds(g, m, reserve_missed) ? m->excess + 1 : 0;
		if (robbed && m->excess >= LOOKS)
			discount(m);
		else if (m->demand.rate < m->entitled)
			forgive(m);
	}
	raise_all(g);
}

uint64_t excess_less(const struct member *m, uint64_t weight)
{
	return weight / EXCESS_NONE * m->discount +
	       weight % EXCESS_NONE * m->discount / EXCESS_NONE;
}
