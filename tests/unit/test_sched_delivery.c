/* Delivered against promised: what a window holds, and what is missing in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched/delivery.h"

#define SECOND UINT64_C(1000000)
#define START (UINT64_C(7200) * SECOND + 12345)

/* One look: half a CPU promised and wanted, so much used. */
static struct delivery_sum look(uint64_t over_us, uint64_t used_percent)
{
	return (struct delivery_sum){
		.entitled_us = over_us,
		.wanted_us = over_us,
		.promised_us = over_us / 2,
		.used_us = over_us * used_percent / 100,
		.over_us = over_us,
	};
}

static uint64_t run(struct delivery *d, uint64_t now, uint64_t step, unsigned count,
		    uint64_t used_percent)
{
	struct delivery_sum s = look(step, used_percent);

	for (unsigned i = 0; i < count; i++) {
		now += step;
		delivery_add(d, now, &s);
	}
	return now;
}

static void windows_hold_their_time(void **state)
{
	struct delivery d = { 0 };
	uint64_t now = run(&d, START, 50000, 100, 75);
	struct delivery_sum s = delivery_over(&d, now, DELIVERY_SECOND);

	(void) state;
	assert_in_range(s.over_us, SECOND, SECOND * 11 / 10);
	assert_in_range(s.used_us * 1000 / s.over_us, 749, 751);
	s = delivery_over(&d, now, DELIVERY_MINUTE);
	assert_in_range(s.over_us, 5 * SECOND - 100, 5 * SECOND); /* all there was */
	s = delivery_over(&d, now, DELIVERY_HOUR);
	assert_in_range(s.over_us, 5 * SECOND - 100, 5 * SECOND);
}

static void the_past_goes(void **state)
{
	struct delivery d = { 0 };
	uint64_t now = run(&d, START, 50000, 40, 0);
	struct delivery_sum s;

	(void) state;
	now = run(&d, now, 50000, 22, 100);
	s = delivery_over(&d, now, DELIVERY_SECOND);
	assert_int_equal(delivery_missed(&s), 0);
	s = delivery_over(&d, now, DELIVERY_MINUTE);
	assert_in_range(delivery_missed(&s), 2 * SECOND - 1000, 2 * SECOND);
	s = delivery_over(&d, now + 2 * SECOND, DELIVERY_SECOND);
	assert_int_equal(s.over_us, 0);
	s = delivery_over(&d, now + 3 * 3600 * SECOND, DELIVERY_HOUR);
	assert_int_equal(s.over_us, 0);
}

static void a_promise_is_broken_below_it(void **state)
{
	struct delivery d = { 0 };
	uint64_t now = run(&d, START, 50000, 40, 60);
	struct delivery_sum s = delivery_over(&d, now, DELIVERY_SECOND);

	(void) state;
	assert_in_range(delivery_missed(&s) * 100 / s.over_us, 39, 41);
	assert_int_equal(delivery_broken(&s), 0);
	now = run(&d, now, 50000, 22, 30);
	s = delivery_over(&d, now, DELIVERY_SECOND);
	assert_in_range(delivery_broken(&s) * 100 / s.over_us, 19, 21);
}

/* What one look has too little and the next too much is no loss. */
static void jitter_is_no_loss(void **state)
{
	struct delivery d = { 0 };
	uint64_t now = START;
	struct delivery_sum s;

	(void) state;
	for (unsigned i = 0; i < 30; i++) {
		now = run(&d, now, 50000, 1, 20);
		now = run(&d, now, 50000, 1, 180);
	}
	s = delivery_over(&d, now, DELIVERY_MINUTE);
	assert_in_range(delivery_missed(&s), 0, 1000);
	assert_in_range(delivery_broken(&s), 0, 1000);
}

static void a_long_rest_is_spread(void **state)
{
	struct delivery d = { 0 };
	struct delivery_sum rest = look(1800 * SECOND, 10), s;
	uint64_t now = START + 1800 * SECOND;

	(void) state;
	delivery_add(&d, now, &rest);
	s = delivery_over(&d, now, DELIVERY_SECOND);
	assert_in_range(s.over_us, SECOND, SECOND * 11 / 10);
	assert_in_range(s.used_us * 1000 / s.over_us, 99, 101);
	s = delivery_over(&d, now, DELIVERY_MINUTE);
	assert_in_range(s.over_us, 60 * SECOND, 66 * SECOND);
	s = delivery_over(&d, now, DELIVERY_HOUR);
	assert_in_range(s.over_us, 1800 * SECOND - 10, 1800 * SECOND);
	assert_in_range(s.used_us * 1000 / s.over_us, 99, 101);
}

static void nothing_is_nothing(void **state)
{
	struct delivery d = { 0 };
	struct delivery_sum none = { 0 }, s;

	(void) state;
	delivery_add(&d, START, &none);
	s = delivery_over(&d, START, DELIVERY_MINUTE);
	assert_int_equal(s.over_us + delivery_missed(&s) + delivery_broken(&s), 0);
	s = delivery_over(&d, 5, DELIVERY_HOUR); /* a clock that has just begun */
	assert_int_equal(s.over_us, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_hold_their_time),
		cmocka_unit_test(the_past_goes),
		cmocka_unit_test(a_promise_is_broken_below_it),
		cmocka_unit_test(jitter_is_no_loss),
		cmocka_unit_test(a_long_rest_is_spread),
		cmocka_unit_test(nothing_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
