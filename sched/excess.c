/* What the kernel gives beyond weights. Whoever forks without end gets several times its part: of
 * two groups of equal weight, one with four busy threads and one with four loops that run
 * /bin/true, the latter had 1.8 of 2 CPUs (Linux 6.18). So the weight of who has far more than it
 * is entitled to, while somebody who wants it has less, is discounted until it has what is its own.
 * The discount goes slowly as it uses less, also while it sleeps: what a storm has does not follow
 * its weight evenly, and were it quick it would have nothing and all in turns. */
#include "sched/claims.h"

#define NOTICED_PART 20 /* of the capacity: less is the grain of the scheduler and of a look */
#define OWED_US 5000
#define LOOKS 2 /* in a row, until it counts */
#define FORGIVEN_PART 64 /* in a look: half of it within two or three seconds */
#define LEAST (EXCESS_NONE / 256)

/* Of a reserve less is missed sooner. */
static bool is_robbed(const struct engine *g, const struct member *m)
{
	return m->owed_us >= OWED_US || (m->claim.demand == ALLOT_HUNGRY &&
					 m->demand.rate + g->capacity / NOTICED_PART < m->entitled);
}

static bool exceeds(const struct engine *g, const struct member *m)
{
	return m->demand.rate > m->entitled + m->entitled / 4 &&
	       m->demand.rate > m->entitled + g->capacity / NOTICED_PART;
}

static void discount(struct member *m)
{
	uint64_t part = m->discount * m->entitled / m->demand.rate;

	m->discount = part > LEAST ? (uint32_t) part : LEAST;
}

static void forgive(struct member *m)
{
	m->discount += m->discount / FORGIVEN_PART + 1;
	if (m->discount > EXCESS_NONE)
		m->discount = EXCESS_NONE;
}

void excess_look(struct engine *g)
{
	bool robbed = false;

	for (size_t i = 0; i < g->count; i++)
		robbed |= is_robbed(g, &g->members[i]);
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];

		m->excess = exceeds(g, m) ? m->excess + 1 : 0;
		if (robbed && m->excess >= LOOKS)
			discount(m);
		else if (m->demand.rate < m->entitled)
			forgive(m);
	}
}

uint64_t excess_less(const struct member *m, uint64_t weight)
{
	return weight / EXCESS_NONE * m->discount +
	       weight % EXCESS_NONE * m->discount / EXCESS_NONE;
}
