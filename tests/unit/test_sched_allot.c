/* Entitlements: the numbers of known examples, and rules that hold for whatever is claimed: nothing
 * is left that somebody could use, nobody has more than limit and demand, reserves come first, the
 * rest goes by shares, more of anything is never less, and neither order nor sleepers matter. */
#include <errno.h>
#include <time.h>

#include "tests/unit/allot_fixture.h"

#define ROUNDS 3000

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What a claim is to have before anything is shared, and the most it can have. */
static uint64_t base_of(const struct allot_claim *k)
{
	return lesser(k->reserve, lesser(k->demand, k->limit));
}

static uint64_t most_of(const struct allot_claim *k)
{
	return k->share == 0 ? base_of(k) : lesser(lesser(k->demand, k->limit), ALLOT_AMOUNT_MAX);
}

static void bases(const struct allot_case *c, uint64_t *ret)
{
	for (unsigned i = 0; i < c->claims; i++)
		ret[i] = base_of(&c->claim[i]);
}

static bool bases_fit(const struct allot_case *c)
{
	uint64_t base[CASE_CLAIMS];

	bases(c, base);
	return case_fits(c, base);
}

/* --- rules --- */

static bool places_carry_it(const struct allot_case *c)
{
	uint64_t got[CASE_CLAIMS];

	case_allot(c, got);
	return case_fits(c, got);
}

/* By the same theorem the most that can be given is the least of what a cut lets through. */
static bool nothing_usable_is_left(const struct allot_case *c)
{
	uint64_t got[CASE_CLAIMS], most[CASE_CLAIMS], total;
	unsigned all = (1u << c->sets) - 1;

	case_allot(c, got);
	for (unsigned i = 0; i < c->claims; i++)
		most[i] = most_of(&c->claim[i]);
	total = case_sum(c, most, all);
	for (unsigned cut = 1; cut <= all; cut++)
		total = lesser(total, case_reach(c, cut) + case_sum(c, most, all & ~cut));
	return case_sum(c, got, all) + c->claims >= total;
}

static bool limits_and_demands_are_kept(const struct allot_case *c)
{
	uint64_t got[CASE_CLAIMS];

	case_allot(c, got);
	for (unsigned i = 0; i < c->claims; i++)
		if (got[i] > most_of(&c->claim[i]))
			return false;
	return true;
}

static bool reserves_come_first(const struct allot_case *c)
{
	uint64_t got[CASE_CLAIMS];

	if (!bases_fit(c))
		return true;
	case_allot(c, got);
	for (unsigned i = 0; i < c->claims; i++)
		if (got[i] < base_of(&c->claim[i]))
			return false;
	return true;
}

/* Whether the places of `poor` are full of claims that have nothing to do with `rich`. */
static bool out_of_reach(const struct allot_case *c, const uint64_t *got, unsigned poor,
			 unsigned rich)
{
	for (unsigned cut = 1; cut < 1u << c->sets; cut++)
		if ((cut >> poor & 1) != 0 && (cut >> rich & 1) == 0 &&
		    case_sum(c, got, cut) + c->claims >= case_reach(c, cut))
			return true;
	return false;
}

/* With the rules above this says that it is THE weighted max-min: there is but one. */
static bool nobody_envies_beyond_shares(const struct allot_case *c)
{
	uint64_t got[CASE_CLAIMS];

	if (!bases_fit(c))
		return true;
	case_allot(c, got);
	for (unsigned i = 0; i < c->claims; i++) {
		const struct allot_claim *poor = &c->claim[i];
		uint64_t little = got[i] - base_of(poor) + 1;

		if (got[i] == most_of(poor))
			continue;
		for (unsigned j = 0; j < c->claims; j++) {
			const struct allot_claim *rich = &c->claim[j];
			uint64_t much = got[j] - base_of(rich);

			if ((unsigned __int128) much * poor->share >
				    (unsigned __int128) little * rich->share &&
			    !out_of_reach(c, got, poor->set, rich->set))
				return false;
		}
	}
	return true;
}

/* Reserves that do not fit shrink in proportion, as if they were shares. */
static bool reserves_that_do_not_fit_shrink_alike(const struct allot_case *c)
{
	struct allot_case only = *c;
	uint64_t got[CASE_CLAIMS];

	for (unsigned i = 0; i < c->claims; i++)
		only.claim[i].share = 0;
	case_allot(&only, got);
	for (unsigned i = 0; i < c->claims; i++) {
		uint64_t poor = base_of(&c->claim[i]);

		for (unsigned j = 0; j < c->claims && got[i] < poor; j++) {
			uint64_t rich = base_of(&c->claim[j]);

			if ((unsigned __int128) got[j] * poor >
				    (unsigned __int128) (got[i] + 1) * rich &&
			    !out_of_reach(c, got, c->claim[i].set, c->claim[j].set))
				return false;
		}
	}
	return case_fits(c, got);
}

static bool order_does_not_matter(const struct allot_case *c)
{
	struct allot_case other = *c;
	uint64_t got[CASE_CLAIMS], turned[CASE_CLAIMS];

	/* Claims backwards, sets other than the first backwards, places backwards. */
	for (unsigned i = 0; i < c->places; i++)
		other.capacity[i] = c->capacity[c->places - 1 - i];
	for (unsigned s = 0; s < c->sets; s++) {
		unsigned to = s == 0 ? 0 : c->sets - s;

		other.masks[to] = 0;
		for (unsigned i = 0; i < c->places; i++)
			other.masks[to] |= (c->masks[s] >> i & 1) << (c->places - 1 - i);
	}
	for (unsigned i = 0; i < c->claims; i++) {
		struct allot_claim *k = &other.claim[c->claims - 1 - i];

		*k = c->claim[i];
		k->set = k->set == 0 ? 0 : c->sets - k->set;
	}
	case_allot(c, got);
	case_allot(&other, turned);
	for (unsigned i = 0; i < c->claims; i++)
		if (got[i] != turned[c->claims - 1 - i])
			return false;
	return true;
}

static bool equal_claims_get_equal_amounts(const struct allot_case *c)
{
	struct allot_case twins = *c;
	uint64_t got[CASE_CLAIMS];

	twins.claim[c->claims - 1] = twins.claim[0];
	case_allot(&twins, got);
	return got[c->claims - 1] == got[0];
}

static bool idle_claims_change_nothing(const struct allot_case *c)
{
	struct allot_case awake = *c;
	uint64_t got[CASE_CLAIMS], without[CASE_CLAIMS];

	awake.claims = 0;
	for (unsigned i = 0; i < c->claims; i++)
		if (c->claim[i].demand > 0)
			awake.claim[awake.claims++] = c->claim[i];
	case_allot(c, got);
	case_allot(&awake, without);
	for (unsigned i = 0, n = 0; i < c->claims; i++)
		if (got[i] != (c->claim[i].demand > 0 ? without[n++] : 0))
			return false;
	return true;
}

/* When claim 0 asks for more in some way, it gets no less and nobody else gets more. */
static bool only_first_gains(const struct allot_case *c, const struct allot_case *more)
{
	uint64_t got[CASE_CLAIMS], then[CASE_CLAIMS];

	if (!bases_fit(c) || !bases_fit(more))
		return true;
	case_allot(c, got);
	case_allot(more, then);
	for (unsigned i = 1; i < c->claims; i++)
		if (then[i] > got[i])
			return false;
	return then[0] >= got[0];
}

static bool a_greater_demand_is_never_less(const struct allot_case *c)
{
	struct allot_case more = *c;

	more.claim[0].demand += more.claim[0].demand == ALLOT_HUNGRY ? 0 : c->capacity[0] / 2 + 1;
	return only_first_gains(c, &more);
}

static bool a_greater_share_is_never_less(const struct allot_case *c)
{
	struct allot_case more = *c;

	more.claim[0].share += (ALLOT_SHARE_MAX - more.claim[0].share) / 2;
	return only_first_gains(c, &more);
}

static bool a_greater_reserve_is_never_less(const struct allot_case *c)
{
	struct allot_case more = *c;

	more.claim[0].reserve += c->capacity[0] / 3;
	return more.claim[0].reserve > ALLOT_AMOUNT_MAX || only_first_gains(c, &more);
}

static bool a_greater_limit_is_never_less(const struct allot_case *c)
{
	struct allot_case more = *c;

	more.claim[0].limit = ALLOT_HUNGRY;
	return only_first_gains(c, &more);
}

static bool more_capacity_is_less_for_nobody(const struct allot_case *c)
{
	struct allot_case more = *c;
	uint64_t got[CASE_CLAIMS], then[CASE_CLAIMS];

	if (!bases_fit(c))
		return true;
	for (unsigned i = 0; i < c->places; i++)
		if (c->capacity[i] < ALLOT_AMOUNT_MAX / CASE_PLACES)
			more.capacity[i] += i % 2 == 0 ? 1 : 0;
	case_allot(c, got);
	case_allot(&more, then);
	for (unsigned i = 0; i < c->claims; i++)
		if (then[i] < got[i])
			return false;
	return true;
}

#define RULE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void) state;                                                                      \
		case_check(name, UINT64_C(0x5eed) + __LINE__, ROUNDS);                             \
	}
RULE(places_carry_it)
RULE(nothing_usable_is_left)
RULE(limits_and_demands_are_kept)
RULE(reserves_come_first)
RULE(nobody_envies_beyond_shares)
RULE(reserves_that_do_not_fit_shrink_alike)
RULE(order_does_not_matter)
RULE(equal_claims_get_equal_amounts)
RULE(idle_claims_change_nothing)
RULE(a_greater_demand_is_never_less)
RULE(a_greater_share_is_never_less)
RULE(a_greater_reserve_is_never_less)
RULE(a_greater_limit_is_never_less)
RULE(more_capacity_is_less_for_nobody)

/* --- examples --- */

static void gives(struct allot_pool *p, const struct allot_claim *claims, size_t count,
		  const uint64_t *expected)
{
	uint64_t got[8];

	assert_int_equal(allot(p, claims, count, got), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(got[i], expected[i]);
}

/* Reserves of 50, 10 and 0%, shares 1:1:3. */
static void test_the_rest_includes_reserves_that_are_not_used(void **state)
{
	static const uint64_t cpu = 100;
	struct allot_claim c[] = {
		{ .reserve = 50, .limit = ALLOT_HUNGRY, .demand = ALLOT_HUNGRY, .share = 1 },
		{ .reserve = 10, .limit = ALLOT_HUNGRY, .demand = ALLOT_HUNGRY, .share = 1 },
		{ .reserve = 0, .limit = ALLOT_HUNGRY, .demand = ALLOT_HUNGRY, .share = 3 },
	};
	struct allot_pool *p;

	(void) state;
	assert_int_equal(allot_pool_new(&cpu, 1, &p), 0);
	gives(p, c, 3, (uint64_t[]){ 58, 18, 24 });
	c[0].demand = 10;
	gives(p, c, 3, (uint64_t[]){ 10, 30, 60 });
	c[0].demand = 0;
	gives(p, c, 3, (uint64_t[]){ 0, 32, 67 });
	c[2].limit = 20;
	gives(p, c, 3, (uint64_t[]){ 0, 80, 20 });
	c[0].demand = ALLOT_HUNGRY;
	c[0].limit = 40;
	gives(p, c, 3, (uint64_t[]){ 40, 40, 20 });
	allot_pool_free(p);
}

/* Two CPUs: whoever may use both leaves the first to whoever may not, and has the second. */
static void test_a_set_is_filled_where_nobody_else_can_go(void **state)
{
	static const uint64_t cpus[] = { ALLOT_CPU, ALLOT_CPU }, first = 1, none = 4;
	struct allot_claim c[] = {
		{ .limit = ALLOT_HUNGRY, .demand = ALLOT_HUNGRY, .share = 100 },
		{ .limit = ALLOT_HUNGRY, .demand = ALLOT_HUNGRY, .share = 100 },
		{ .limit = ALLOT_HUNGRY, .demand = 0, .share = 600 },
	};
	struct allot_pool *p;
	unsigned set = 0;

	(void) state;
	assert_int_equal(allot_pool_new(cpus, 2, &p), 0);
	assert_int_equal(allot_pool_add(p, &none, &set), -EINVAL);
	assert_int_equal(allot_pool_add(p, &first, &c[1].set), 0);
	assert_int_equal(allot_pool_add(p, &first, &set), 0);
	assert_int_equal(set, c[1].set);
	assert_int_equal(allot_pool_sets(p), 2);
	gives(p, c, 3, (uint64_t[]){ 1000000, 1000000, 0 });
	c[2].demand = ALLOT_HUNGRY;
	gives(p, c, 3, (uint64_t[]){ 250000, 250000, 1500000 });
	c[2].set = c[1].set;
	gives(p, c, 3, (uint64_t[]){ 1000000, 142857, 857142 });
	allot_pool_free(p);
}

static void test_what_is_beyond_the_maxima_is_refused(void **state)
{
	static const uint64_t many[] = { ALLOT_AMOUNT_MAX, 1 };
	struct allot_claim c = { .limit = ALLOT_HUNGRY, .demand = ALLOT_HUNGRY, .share = 1 };
	struct allot_pool *p = NULL;
	uint64_t got = 7;

	(void) state;
	assert_int_equal(allot_pool_new(many, 2, &p), -ERANGE);
	assert_int_equal(allot_pool_new(many, 0, &p), -ERANGE);
	assert_null(p);
	assert_int_equal(allot_pool_new(many, 1, &p), 0);
	assert_int_equal(allot(p, &c, 0, &got), 0);
	assert_int_equal(allot(p, &c, ALLOT_CLAIMS_MAX + 1, &got), -ERANGE);
	c.set = 1;
	assert_int_equal(allot(p, &c, 1, &got), -EINVAL);
	c.set = 0;
	c.share = ALLOT_SHARE_MAX + 1;
	assert_int_equal(allot(p, &c, 1, &got), -ERANGE);
	c.share = ALLOT_SHARE_MAX;
	c.reserve = ALLOT_AMOUNT_MAX + 1;
	assert_int_equal(allot(p, &c, 1, &got), -ERANGE);
	assert_int_equal(got, 7);
	c.reserve = ALLOT_AMOUNT_MAX;
	assert_int_equal(allot(p, &c, 1, &got), 0);
	assert_int_equal(got, ALLOT_AMOUNT_MAX);
	allot_pool_free(p);
}

/* --- how long it takes --- */

#define MANY 1000u
#define CPUS 64u

static double milliseconds(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

/* The whole machine, its halves, quarters, eighths, and some ranges that overlap. */
static struct allot_pool *machine(unsigned *ret_sets)
{
	uint64_t capacity[CPUS], mask;
	struct allot_pool *p;
	unsigned set;

	for (unsigned i = 0; i < CPUS; i++)
		capacity[i] = ALLOT_CPU;
	assert_int_equal(allot_pool_new(capacity, CPUS, &p), 0);
	for (unsigned width = CPUS / 2; width >= CPUS / 8; width /= 2) {
		for (unsigned from = 0; from + width <= CPUS; from += width / 2) {
			mask = ((UINT64_C(1) << width) - 1) << from;
			assert_int_equal(allot_pool_add(p, &mask, &set), 0);
		}
	}
	*ret_sets = allot_pool_sets(p);
	return p;
}

static double least_time(struct allot_pool *p, unsigned sets)
{
	static struct allot_claim c[MANY];
	static uint64_t got[MANY];
	uint64_t seed = 99;
	double least = 1e9;

	for (unsigned i = 0; i < MANY; i++)
		c[i] = (struct allot_claim){
			.reserve = roll(&seed, CPUS * ALLOT_CPU / MANY / 2),
			.limit = roll(&seed, 4) == 0 ? roll(&seed, ALLOT_CPU) : ALLOT_HUNGRY,
			.demand = roll(&seed, 2) == 0 ? ALLOT_HUNGRY : 1 + roll(&seed, ALLOT_CPU),
			.share = 1 + (uint32_t) roll(&seed, 1000),
			.set = (unsigned) roll(&seed, sets)
		};
	for (unsigned i = 0; i < 50; i++) {
		double began = milliseconds(), took;

		assert_int_equal(allot(p, c, MANY, got), 0);
		took = milliseconds() - began;
		least = took < least ? took : least;
	}
	return least;
}

/* Well below one without sanitizers; the bound is for a machine that is slow and busy. */
static void test_a_thousand_claims_take_no_time(void **state)
{
	unsigned sets;
	struct allot_pool *p = machine(&sets);
	double one = least_time(p, 1), all = least_time(p, sets);

	(void) state;
	print_message("%u claims on %u CPUs: %.3f ms, with %u cpusets %.3f ms\n", MANY, CPUS, one,
		      sets, all);
	assert_true(one < 20 && all < 100);
	allot_pool_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places_carry_it),
		cmocka_unit_test(test_nothing_usable_is_left),
		cmocka_unit_test(test_limits_and_demands_are_kept),
		cmocka_unit_test(test_reserves_come_first),
		cmocka_unit_test(test_nobody_envies_beyond_shares),
		cmocka_unit_test(test_reserves_that_do_not_fit_shrink_alike),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_equal_claims_get_equal_amounts),
		cmocka_unit_test(test_idle_claims_change_nothing),
		cmocka_unit_test(test_a_greater_demand_is_never_less),
		cmocka_unit_test(test_a_greater_share_is_never_less),
		cmocka_unit_test(test_a_greater_reserve_is_never_less),
		cmocka_unit_test(test_a_greater_limit_is_never_less),
		cmocka_unit_test(test_more_capacity_is_less_for_nobody),
		cmocka_unit_test(test_the_rest_includes_reserves_that_are_not_used),
		cmocka_unit_test(test_a_set_is_filled_where_nobody_else_can_go),
		cmocka_unit_test(test_what_is_beyond_the_maxima_is_refused),
		cmocka_unit_test(test_a_thousand_claims_take_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
