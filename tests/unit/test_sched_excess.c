/* Weights of those whom the kernel gives more than weights say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sched/claims.h"

#define PERCENT (2 * ALLOT_CPU / 100)

static struct member members[3];
static struct engine g;

/* Two that are promised 30 % each of two CPUs, and one that may have 40 %. */
static int setup(void **state)
{
	(void) state;
	g = (struct engine){ .members = members, .count = 3, .capacity = 100 * PERCENT };
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		members[i] = (struct member){ .discount = EXCESS_NONE };
		members[i].claim.demand = ALLOT_HUNGRY;
		members[i].entitled = (i < 2 ? 30 : 40) * PERCENT;
	}
	return 0;
}

static void look(unsigned a, unsigned b, unsigned c)
{
	const unsigned rates[] = { a, b, c };

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		members[i].rate = members[i].demand.rate = rates[i] * PERCENT;
	excess_look(&g);
}

static uint64_t weight(size_t i)
{
	return excess_less(&members[i], 1000000);
}

static void test_who_has_its_own_keeps_its_weight(void **state)
{
	(void) state;
	for (unsigned i = 0; i < 10; i++)
		look(28, 31, 41);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		assert_int_equal(weight(i), 1000000);
}

static void test_once_is_not_enough(void **state)
{
	(void) state;
	look(10, 10, 80);
	assert_int_equal(weight(2), 1000000);
	look(30, 30, 40);
	look(10, 10, 80);
	assert_int_equal(weight(2), 1000000);
}

static void test_whoever_robs_others_weighs_less_and_less(void **state)
{
	uint64_t last;

	(void) state;
	look(10, 10, 80);
	look(10, 10, 80);
	last = weight(2);
	assert_in_range(last, 450000, 550000);
	look(15, 15, 70);
	assert_in_range(weight(2), 1000, last * 4 / 7 + 2000);
	for (unsigned i = 0; i < 100; i++)
		look(10, 10, 80);
	assert_in_range(weight(2), 1, 10000);
	assert_int_equal(weight(0), 1000000);
	assert_int_equal(weight(1), 1000000);
}

static void test_of_a_reserve_less_is_missed_sooner(void **state)
{
	(void) state;
	look(27, 20, 53);
	look(27, 27, 53);
	assert_int_equal(weight(2), 1000000);
	members[0].owed_us = 6000;
	look(27, 27, 53);
	assert_in_range(weight(2), 1, 900000);
}

static void test_what_nobody_wants_may_be_had(void **state)
{
	(void) state;
	members[0].claim.demand = members[1].claim.demand = 10 * PERCENT;
	for (unsigned i = 0; i < 10; i++)
		look(10, 10, 80);
	assert_int_equal(weight(2), 1000000);
}

static void test_the_discount_goes(void **state)
{
	(void) state;
	for (unsigned i = 0; i < 5; i++)
		look(10, 10, 80);
	assert_in_range(weight(2), 1, 200000);
	look(30, 30, 40); /* it has what is its own: that is not to change */
	assert_in_range(weight(2), 1, 200000);
	for (unsigned i = 0; i < 1000; i++)
		look(30, 30, 20);
	assert_int_equal(weight(2), 1000000);
	for (unsigned i = 0; i < 5; i++)
		look(10, 10, 80);
	for (unsigned i = 0; i < 1000; i++)
		look(30, 30, 0);
	assert_int_equal(weight(2), 1000000);
}

static void test_a_discount_that_did_its_work_is_not_repeated(void **state)
{
	(void) state;
	look(10, 10, 80);
	look(10, 10, 80);
	members[2].rate = 20 * PERCENT; /* what it used lately still looks like much */
	excess_look(&g);
	assert_in_range(weight(2), 450000, 600000);
}

static void test_weights_do_not_all_fall(void **state)
{
	(void) state;
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned k = 0; k < 3; k++)
			look(80, 10, 10);
		for (unsigned k = 0; k < 3; k++)
			look(10, 80, 10);
		for (unsigned k = 0; k < 3; k++)
			look(10, 10, 80);
	}
	assert_true(weight(0) == 1000000 || weight(1) == 1000000 || weight(2) == 1000000);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		assert_in_range(weight(i), 10000, 1000000);
}

static void test_great_weights_are_cut_without_overflow(void **state)
{
	(void) state;
	members[2].discount = EXCESS_NONE / 2;
	assert_int_equal(excess_less(&members[2], UINT64_MAX - 1), UINT64_MAX / 2);
	assert_int_equal(excess_less(&members[2], 3), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_who_has_its_own_keeps_its_weight, setup),
		cmocka_unit_test_setup(test_once_is_not_enough, setup),
		cmocka_unit_test_setup(test_whoever_robs_others_weighs_less_and_less, setup),
		cmocka_unit_test_setup(test_of_a_reserve_less_is_missed_sooner, setup),
		cmocka_unit_test_setup(test_what_nobody_wants_may_be_had, setup),
		cmocka_unit_test_setup(test_the_discount_goes, setup),
		cmocka_unit_test_setup(test_a_discount_that_did_its_work_is_not_repeated, setup),
		cmocka_unit_test_setup(test_weights_do_not_all_fall, setup),
		cmocka_unit_test_setup(test_great_weights_are_cut_without_overflow, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
