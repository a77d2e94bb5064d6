/* Entitlements are what ideal token buckets would give: both are worked out for the same contexts,
 * by sched/allot.h in one step and by buckets in a thousand, and compared; up to 10,000 contexts on
 * 1,000 CPUs with cpusets that nest and overlap. */
#include "tests/unit/allot_fixture.h"
#include "tests/unit/bucket_sim.h"

#define SETS_MAX 40u
#define WARM 300u /* ticks until buckets that began empty are as they will be */

/* A machine, and who claims it. */
struct scene {
	unsigned cpus, count, sets;
	uint64_t *sets_of; /* by CPU: a mask of sets */
	struct allot_pool *pool;
	struct allot_claim *claims;
	uint64_t *entitled;
	bool content; /* some want, or may have, only so much */
};

/* How far the buckets may be off: in all, in thousandths, and for one context, in tokens. */
struct bound {
	double all, one;
};

static void add_range(struct scene *s, unsigned from, unsigned end)
{
	uint64_t mask[ALLOT_PLACES_MAX / 64] = { 0 };
	unsigned set;

	for (unsigned i = from; i < end; i++)
		mask[i / 64] |= UINT64_C(1) << (i % 64);
	assert_int_equal(allot_pool_add(s->pool, mask, &set), 0);
	for (unsigned i = from; i < end; i++)
		s->sets_of[i] |= UINT64_C(1) << set;
	s->sets = allot_pool_sets(s->pool);
}

/* All CPUs; sockets, and their halves; ranges across their borders. */
static void machine(struct scene *s)
{
	uint64_t *capacity = calloc(s->cpus, sizeof(*capacity));
	unsigned socket = s->cpus / 8;

	for (unsigned i = 0; i < s->cpus; i++)
		capacity[i] = ALLOT_CPU;
	assert_int_equal(allot_pool_new(capacity, s->cpus, &s->pool), 0);
	free(capacity);
	add_range(s, 0, s->cpus);
	for (unsigned i = 0; i < 8; i++) {
		add_range(s, i * socket, (i + 1) * socket);
		add_range(s, i * socket, i * socket + socket / 2);
		if (i < 7)
			add_range(s, i * socket + socket / 3, (i + 1) * socket + socket / 3);
	}
	assert_true(s->sets <= SETS_MAX);
}

/* A third anywhere, the first cpusets more crowded than the last; some idle. */
static void contexts(struct scene *s, uint64_t *seed)
{
	uint64_t fair = s->cpus * ALLOT_CPU / s->count;

	for (unsigned i = 0; i < s->count; i++) {
		struct allot_claim *c = &s->claims[i];
		uint64_t a = roll(seed, s->sets), b = roll(seed, s->sets);

		c->set = roll(seed, 3) == 0 ? 0 : (unsigned) (a < b ? a : b);
		c->reserve = roll(seed, 3) == 0 ? 0 : roll(seed, fair);
		c->limit = ALLOT_HUNGRY;
		c->share = 1 + (uint32_t) roll(seed, 100);
		c->demand = roll(seed, 10) == 0 ? 0 : ALLOT_HUNGRY;
		if (s->content && roll(seed, 4) == 0)
			c->limit = fair / 4 + roll(seed, 3 * fair);
		if (s->content && c->demand != 0 && roll(seed, 3) == 0)
			c->demand = fair / 8 + roll(seed, 2 * fair);
	}
}

/* Reserves are those of an admitted configuration: they shrink until all can be had. */
static void admit(struct scene *s)
{
	struct allot_refusal why;

	while (allot_admit(s->pool, s->claims, s->count, 50000, &why) < 0)
		for (unsigned i = 0; i < s->count; i++)
			if (allot_refused_set(s->pool, s->claims[i].set))
				s->claims[i].reserve = s->claims[i].reserve * 9 / 10;
}

static void pour(const struct scene *s, struct buckets *b, unsigned ticks)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct allot_claim *c = &s->claims[i];

		b->all[i] = (struct bucket){ .reserve = c->reserve,
					     .limit = c->limit,
					     .demand = c->demand,
					     .share = c->share,
					     .set = c->set };
	}
	buckets_new(b);
	buckets_run(b, WARM);
	for (unsigned i = 0; i < s->count; i++)
		b->all[i].served = 0;
	buckets_run(b, ticks);
	buckets_done(b);
}

/* In tokens: what was served, and what each is entitled to. */
static void compare(const struct scene *s, const struct buckets *b, unsigned ticks,
		    struct bound bound)
{
	double off = 0, total = 0, worst = 0;

	for (unsigned i = 0; i < s->count; i++) {
		double ideal = (double) s->entitled[i] * ticks / ALLOT_CPU;
		double error = (double) b->all[i].served - ideal;

		error = error < 0 ? -error : error;
		off += error;
		total += ideal;
		worst = error > worst ? error : worst;
	}
	print_message("%u contexts, %u CPUs, %u cpusets, %u ticks: off by %.2f thousandths in all, "
		      "by %.1f tokens at most\n",
		      s->count, s->cpus, s->sets, ticks, off / total * 1000, worst);
	assert_true(off <= total * bound.all / 1000);
	assert_true(worst <= bound.one);
}

static void both_ways(struct scene s, unsigned ticks, uint64_t seed, struct bound bound)
{
	struct buckets b = { .cpus = s.cpus,
			     .count = s.count,
			     .patience = s.cpus < 100 ? BUCKET_DEPTH / 2 : 0 };

	s.sets_of = calloc(s.cpus, sizeof(*s.sets_of));
	s.claims = calloc(s.count, sizeof(*s.claims));
	s.entitled = calloc(s.count, sizeof(*s.entitled));
	b.all = calloc(s.count, sizeof(*b.all));
	machine(&s);
	contexts(&s, &seed);
	admit(&s);
	assert_int_equal(allot(s.pool, s.claims, s.count, s.entitled), 0);
	b.sets = s.sets;
	b.sets_of = s.sets_of;
	pour(&s, &b, ticks);
	compare(&s, &b, ticks, bound);
	free(s.sets_of);
	free(s.claims);
	free(s.entitled);
	free(b.all);
	allot_pool_free(s.pool);
}

static void test_forty_hungry_contexts_on_sixteen_cpus(void **state)
{
	(void) state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		both_ways((struct scene){ .cpus = 16, .count = 40 }, 4000, seed * 7919,
			  (struct bound){ .all = 2, .one = 60 });
}

static void test_some_that_want_only_so_much(void **state)
{
	(void) state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		both_ways((struct scene){ .cpus = 16, .count = 40, .content = true }, 4000,
			  seed * 7919, (struct bound){ .all = 4, .one = 100 });
}

static void test_ten_thousand_contexts_on_a_thousand_cpus(void **state)
{
	(void) state;
	both_ways((struct scene){ .cpus = 1000, .count = 10000, .content = true }, 1000, 4711,
		  (struct bound){ .all = 5, .one = 3 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forty_hungry_contexts_on_sixteen_cpus),
		cmocka_unit_test(test_some_that_want_only_so_much),
		cmocka_unit_test(test_ten_thousand_contexts_on_a_thousand_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
