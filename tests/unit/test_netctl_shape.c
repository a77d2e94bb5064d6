/* Rates, shares and bursts as classes: what HTB is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netctl/shape.h"

#define MBIT 125000u
#define NOTHING                                                                                    \
	{                                                                                          \
		.limit = UNITS_NONE, .share = SPEC_NETWORK_SHARE                                   \
	}

static void shares_are_turns(void **state)
{
	const struct shape_link fast = { UINT64_C(10000) * MBIT, 50000 };
	struct shape_member m[] = { { 8, NOTHING }, { 9, NOTHING } };
	struct shape_class c[4];

	(void) state;
	m[1].want.share = 250;
	shape_classes(&fast, m, 2, c);
	assert_int_equal(c[0].minor, SHAPE_LINK);
	assert_int_equal(c[1].minor, SHAPE_HOST);
	assert_int_equal(c[2].quantum, c[1].quantum);
	assert_true(c[2].quantum >= 65536 + 45 * 54);
	assert_int_equal(c[3].quantum, c[2].quantum * 5 / 2);
	m[1].want.share = 1; /* the least has one packet, the others in proportion */
	shape_classes(&fast, m, 2, c);
	assert_true(c[3].quantum >= 65536);
	assert_int_equal(c[2].quantum, c[3].quantum * 100);
	m[0].want.share = 1000;
	shape_classes(&fast, m, 2, c);
	assert_int_equal(c[2].quantum, c[3].quantum * 1000);
	assert_true(c[2].quantum < INT32_MAX);
}

static void rates_lie_within_the_link(void **state)
{
	const struct shape_link link = { 100 * MBIT, 50000 }, unknown = { UNITS_NONE, 50000 };
	struct shape_member m = { 8, NOTHING };
	struct shape_class c[3];

	(void) state;
	assert_int_equal(shape_reservable(&link), 95 * MBIT);
	assert_true(shape_reservable(&unknown) == UNITS_NONE);
	shape_classes(&link, &m, 1, c);
	assert_int_equal(c[0].rate, 100 * MBIT);
	assert_int_equal(c[1].rate, 5 * MBIT);
	assert_int_equal(c[2].rate, 1000);
	assert_int_equal(c[2].ceil, 100 * MBIT);
	m.want.reserve = 20 * MBIT;
	m.want.limit = 30 * MBIT;
	shape_classes(&link, &m, 1, c);
	assert_int_equal(c[2].rate, 20 * MBIT);
	assert_int_equal(c[2].ceil, 30 * MBIT);
	m.want.limit = 300 * MBIT;
	shape_classes(&link, &m, 1, c);
	assert_int_equal(c[2].ceil, 100 * MBIT);
	shape_classes(&unknown, &m, 1, c);
	assert_true(c[0].rate == SHAPE_UNKNOWN);
	assert_int_equal(c[2].ceil, 300 * MBIT);
}

static uint64_t bytes_of(uint32_t ticks, uint64_t rate)
{
	return ticks * UINT64_C(64) * rate / 1000000000;
}

static void buckets_are_less_than_a_hundredth_of_a_second(void **state)
{
	const struct shape_link link = { 1000 * MBIT, 0 }, slow = { 20 * MBIT, 0 };
	struct shape_member m = { 8, NOTHING };
	struct shape_class c[3];

	(void) state;
	m.want.limit = 20 * MBIT;
	shape_classes(&slow, &m, 1, c); /* but for slow links, where turns are longer */
	assert_true(c[2].cburst == 32000000 / SHAPE_TICK_NS || c[2].ceil == c[0].ceil);
	shape_classes(&link, &m, 1, c);
	assert_true(bytes_of(c[2].cburst, c[2].ceil) < c[2].ceil / 100);
	m.want.burst = 1u << 20;
	shape_classes(&link, &m, 1, c);
	assert_in_range(bytes_of(c[2].cburst, c[2].ceil), (1u << 20) - 10, 1u << 20);
	m.want.limit = 1000; /* but a packet always fits */
	m.want.burst = 0;
	shape_classes(&link, &m, 1, c);
	assert_in_range(bytes_of(c[2].cburst, c[2].ceil), 3190, 3200);
	m.want.burst = 1u << 30;
	shape_classes(&link, &m, 1, c);
	assert_int_equal(c[2].cburst, UINT32_MAX);
}

static void a_link_of_its_own_has_two_classes(void **state)
{
	const struct shape_link link = { UNITS_NONE, 50000 };
	const struct netctl_shape want = { .limit = 10 * MBIT, .share = 100 };
	struct shape_class c[2];

	(void) state;
	shape_classes_alone(&link, &want, c);
	assert_int_equal(c[0].minor, SHAPE_LINK);
	assert_int_equal(c[1].minor, SHAPE_HOST);
	assert_int_equal(c[1].ceil, 10 * MBIT);
}

static void numbers_are_no_urgent_priorities(void **state)
{
	uint32_t n;

	(void) state;
	for (uint32_t i = 0; i < SHAPE_CONTEXTS; i++) {
		uint32_t minor = shape_minor(i);

		assert_true(minor <= 0xffff && (minor & 0xf) >= 8);
		assert_true(shape_number(minor, &n));
		assert_int_equal(n, i);
	}
	assert_false(shape_number(SHAPE_LINK, &n));
	assert_false(shape_number(SHAPE_HOST, &n));
	assert_false(shape_number(0x10008, &n));
}

static void handles_tell_whose_they_are(void **state)
{
	uint32_t a = (uint32_t) shape_major("ward") << 16, b = (uint32_t) shape_major("w-1") << 16;

	(void) state;
	assert_true(a != b);
	assert_true(shape_is_ward(a) && shape_is_ward(b));
	assert_false(shape_is_ward(0x10000));
	assert_false(shape_is_ward(0x80010000));
	assert_false(shape_is_ward(0));
}

static void who_says_nothing_wishes_nothing(void **state)
{
	struct netctl_shape w = NOTHING;

	(void) state;
	assert_false(shape_wished(&w));
	w.share = 99;
	assert_true(shape_wished(&w));
	w = (struct netctl_shape) NOTHING;
	w.reserve = 1000;
	assert_true(shape_wished(&w));
	w = (struct netctl_shape) NOTHING;
	w.limit = 1000;
	assert_true(shape_wished(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_turns),
		cmocka_unit_test(rates_lie_within_the_link),
		cmocka_unit_test(buckets_are_less_than_a_hundredth_of_a_second),
		cmocka_unit_test(a_link_of_its_own_has_two_classes),
		cmocka_unit_test(numbers_are_no_urgent_priorities),
		cmocka_unit_test(handles_tell_whose_they_are),
		cmocka_unit_test(who_says_nothing_wishes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
