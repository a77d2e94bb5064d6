/* Admission: reserves are taken exactly when every set of places can carry what is confined to it;
 * a refusal names the places that are short and who holds them; and what it says would still fit
 * does, and not one unit more. */
#include <errno.h>

#include "tests/unit/allot_fixture.h"

#define ROUNDS 3000

/* The case as it is after a part of every place was kept for the host. */
static struct allot_case kept(const struct allot_case *c, uint32_t keep_ppm)
{
	struct allot_case less = *c;

	for (unsigned i = 0; i < c->places; i++)
		less.capacity[i] -= (c->capacity[i] * keep_ppm + 999999) / 1000000;
	return less;
}

static void reserves(const struct allot_case *c, uint64_t *ret)
{
	for (unsigned i = 0; i < c->claims; i++)
		ret[i] = c->claim[i].reserve;
}

/* A part that depends on the case, so that the least case is found for all of them. */
static uint32_t keep_of(const struct allot_case *c)
{
	static const uint32_t keeps[] = { 0, 50000, 333333, 1000000 };

	return keeps[(c->claims + c->places) % ARRAY_SIZE(keeps)];
}

static bool taken_when_every_set_fits(const struct allot_case *c)
{
	struct allot_case less = kept(c, keep_of(c));
	struct allot_claim claims[CASE_CLAIMS];
	struct allot_refusal why;
	uint64_t reserve[CASE_CLAIMS];
	unsigned set[CASE_SETS] = { 0 };
	struct allot_pool *p = case_pool(c, set);
	int r;

	case_claims(c, set, claims);
	reserves(c, reserve);
	r = allot_admit(p, claims, c->claims, keep_of(c), &why);
	allot_pool_free(p);
	return r == (case_fits(&less, reserve) ? 0 : -ENOSPC);
}

/* What the refusal says, counted again by its own names of places and sets. */
static bool told_truly(const struct allot_case *less, const struct allot_pool *p,
		       const unsigned *set, const struct allot_refusal *why)
{
	uint64_t held = 0, there = 0, places = 0;

	for (unsigned i = 0; i < less->places; i++)
		if (allot_refused_place(p, i))
			places |= UINT64_C(1) << i;
	for (unsigned i = 0; i < less->places; i++)
		there += (places >> i & 1) != 0 ? less->capacity[i] : 0;
	for (unsigned i = 0; i < less->claims; i++) {
		const struct allot_claim *k = &less->claim[i];
		bool confined = (less->masks[k->set] & ~places) == 0;

		if (allot_refused_set(p, set[k->set]) && !confined)
			return false;
		if (confined && k->reserve > 0 && !allot_refused_set(p, set[k->set]))
			return false;
		held += confined ? k->reserve : 0;
	}
	return held == why->reserved && there == why->available && held > there &&
	       (unsigned) __builtin_popcountll(places) == why->places;
}

static bool a_refusal_names_who_holds_what(const struct allot_case *c)
{
	struct allot_case less = kept(c, keep_of(c));
	struct allot_claim claims[CASE_CLAIMS];
	struct allot_refusal why;
	unsigned set[CASE_SETS] = { 0 };
	struct allot_pool *p = case_pool(c, set);
	bool right;

	case_claims(c, set, claims);
	right = allot_admit(p, claims, c->claims, keep_of(c), &why) == 0
			? !allot_refused_set(p, 0) && !allot_refused_place(p, 0)
			: told_truly(&less, p, set, &why);
	allot_pool_free(p);
	return right;
}

/* The last claim is the one that asks; its own reserve is not looked at. */
static bool what_would_fit_does_and_no_more(const struct allot_case *c)
{
	struct allot_case less = kept(c, keep_of(c));
	struct allot_claim claims[CASE_CLAIMS];
	uint64_t reserve[CASE_CLAIMS], room;
	unsigned set[CASE_SETS] = { 0 }, last = c->claims - 1;
	struct allot_pool *p = case_pool(c, set);
	bool others_fit;

	case_claims(c, set, claims);
	reserves(c, reserve);
	reserve[last] = 0;
	others_fit = case_fits(&less, reserve);
	assert_int_equal(allot_admissible(p, claims, last, keep_of(c), claims[last].set, &room), 0);
	allot_pool_free(p);
	reserve[last] = room + 1;
	if (case_fits(&less, reserve))
		return false;
	reserve[last] = room;
	return others_fit ? case_fits(&less, reserve) : room == 0;
}

/* What is admitted is given, whoever wakes. */
static bool what_is_admitted_is_given(const struct allot_case *c)
{
	struct allot_claim claims[CASE_CLAIMS];
	struct allot_refusal why;
	uint64_t got[CASE_CLAIMS];
	unsigned set[CASE_SETS] = { 0 };
	struct allot_pool *p = case_pool(c, set);
	bool given = true;

	case_claims(c, set, claims);
	if (allot_admit(p, claims, c->claims, 0, &why) == 0) {
		assert_int_equal(allot(p, claims, c->claims, got), 0);
		for (unsigned i = 0; i < c->claims; i++)
			given = given && (got[i] >= claims[i].reserve ||
					  got[i] >= claims[i].demand || got[i] >= claims[i].limit);
	}
	allot_pool_free(p);
	return given;
}

#define RULE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void) state;                                                                      \
		case_check(name, UINT64_C(0xad317) + __LINE__, ROUNDS);                            \
	}
RULE(taken_when_every_set_fits)
RULE(a_refusal_names_who_holds_what)
RULE(what_would_fit_does_and_no_more)
RULE(what_is_admitted_is_given)

/* Four CPUs, a tenth of each for the host. In all there is room, on the first two is not. */
static void test_two_cpus_are_short_though_the_machine_is_not(void **state)
{
	static const uint64_t cpus[] = { ALLOT_CPU, ALLOT_CPU, ALLOT_CPU, ALLOT_CPU }, low = 3,
			      first = 1, high = 12;
	struct allot_claim c[] = { { .reserve = 700000 },
				   { .reserve = 900000 },
				   { .reserve = 1000000 },
				   { .reserve = 300000 } };
	struct allot_refusal why;
	struct allot_pool *p;
	uint64_t room;

	(void) state;
	assert_int_equal(allot_pool_new(cpus, 4, &p), 0);
	assert_int_equal(allot_pool_add(p, &first, &c[0].set), 0);
	assert_int_equal(allot_pool_add(p, &low, &c[1].set), 0);
	assert_int_equal(allot_pool_add(p, &high, &c[2].set), 0);
	c[3].set = c[1].set;
	assert_int_equal(allot_admit(p, c, 3, 100000, &why), 0);
	assert_int_equal(allot_admit(p, c, 4, 100000, &why), -ENOSPC);
	assert_int_equal(why.reserved, 1900000);
	assert_int_equal(why.available, 1800000);
	assert_int_equal(why.places, 2);
	assert_true(allot_refused_set(p, c[0].set) && allot_refused_set(p, c[1].set));
	assert_false(allot_refused_set(p, c[2].set) || allot_refused_set(p, 0));
	assert_true(allot_refused_place(p, 0) && allot_refused_place(p, 1));
	assert_false(allot_refused_place(p, 2) || allot_refused_place(p, 3));
	assert_int_equal(allot_admissible(p, c, 3, 100000, c[3].set, &room), 0);
	assert_int_equal(room, 200000);
	assert_int_equal(allot_admissible(p, c, 3, 100000, 0, &room), 0);
	assert_int_equal(room, 1000000);
	assert_int_equal(allot_admissible(p, c, 4, 100000, 0, &room), 0);
	assert_int_equal(room, 0);
	allot_pool_free(p);
}

static void test_what_is_beyond_the_maxima_is_refused(void **state)
{
	static const uint64_t cpu = ALLOT_CPU;
	struct allot_claim c = { .reserve = ALLOT_AMOUNT_MAX + 1 };
	struct allot_refusal why;
	struct allot_pool *p;
	uint64_t room = 7;

	(void) state;
	assert_int_equal(allot_pool_new(&cpu, 1, &p), 0);
	assert_int_equal(allot_admit(p, &c, 1, 0, &why), -ERANGE);
	c.reserve = ALLOT_CPU;
	assert_int_equal(allot_admit(p, &c, 1, 1000001, &why), -ERANGE);
	assert_int_equal(allot_admit(p, &c, ALLOT_CLAIMS_MAX + 1, 0, &why), -ERANGE);
	c.set = 1;
	assert_int_equal(allot_admit(p, &c, 1, 0, &why), -EINVAL);
	assert_int_equal(allot_admissible(p, &c, 0, 0, 1, &room), -EINVAL);
	assert_int_equal(room, 7);
	c.set = 0;
	assert_int_equal(allot_admit(p, &c, 1, 0, &why), 0);
	allot_pool_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken_when_every_set_fits),
		cmocka_unit_test(test_a_refusal_names_who_holds_what),
		cmocka_unit_test(test_what_would_fit_does_and_no_more),
		cmocka_unit_test(test_what_is_admitted_is_given),
		cmocka_unit_test(test_two_cpus_are_short_though_the_machine_is_not),
		cmocka_unit_test(test_what_is_beyond_the_maxima_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
