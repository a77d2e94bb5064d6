/* The engine "weights" on this host's cgroups: who is written what, and when nothing is. Slots are
 * real, their contexts are not: what is compared is what the kernel was told. */
#include "tests/unit/sched_fixture.h"

#include "sched/claims.h"

static struct engine *engine;
static unsigned slots[64];
static size_t slot_count;

static int setup(void **state)
{
	(void) state;
	slot_count = 0;
	if (host == NULL || host_tree(host, CG_CPU) == NULL)
		return 0;
	return engine_new(host, 50000, &engine);
}

static int teardown(void **state)
{
	(void) state;
	for (size_t i = 0; i < slot_count; i++) {
		if (engine != NULL)
			engine_drop(engine, slots[i]);
		(void) !sched_slot_remove(host, slots[i]);
	}
	engine_free(engine);
	engine = NULL;
	return 0;
}

#define NEEDS_CPU()                                                                                \
	if (engine == NULL)                                                                        \
	skip()

static uint64_t weight_of(unsigned slot)
{
	const struct cg_tree *t = host_tree(host, CG_CPU);
	uint64_t v = 0;

	assert_int_equal(slot_read_u64(t, slot, t->unified ? "cpu.weight" : "cpu.shares", &v), 0);
	return v;
}

static void give(unsigned slot, uint64_t reserve, uint64_t share, bool fresh)
{
	struct spec s;

	assert_int_equal(spec_init(&s, "x"), 0);
	s.cpu.reserve_millicpu = reserve;
	s.cpu.share = share;
	assert_int_equal(engine_set(engine, slot, &s, fresh), 0);
	spec_done(&s);
}

static unsigned add(uint64_t reserve, uint64_t share)
{
	unsigned slot = next_slot++;
	struct err e = { 0 };

	if (sched_slot_create(host, slot, &e) < 0)
		fails(&e);
	slots[slot_count++] = slot;
	if (reserve == 0 && share != 100) { /* as the plan does */
		char text[16];

		(void) snprintf(text, sizeof(text), "%u", (unsigned) share);
		if (attribute_write(host, slot, "cpu.weight", text, &e) < 0)
			fails(&e);
	}
	give(slot, reserve, share, true);
	return slot;
}

static uint64_t plain(uint64_t share)
{
	return host_tree(host, CG_CPU)->unified ? share : share * 1024 / 100;
}

static uint64_t millicpus(void)
{
	return engine->capacity / (ALLOT_CPU / 1000);
}

/* Within a hundredth and one. */
static void assert_near(uint64_t a, uint64_t b)
{
	if ((a > b ? a - b : b - a) > 1 + b / 80)
		fail_msg("%lu is not about %lu", (unsigned long) a, (unsigned long) b);
}

static void test_shares_alone_are_never_written(void **state)
{
	unsigned a, b;

	(void) state;
	NEEDS_CPU();
	a = add(0, 100);
	b = add(0, 300);
	assert_false(engine_promises(engine));
	engine_settle(engine);
	assert_false(engine_look(engine, 1000000));
	assert_int_equal(weight_of(a), plain(100));
	assert_int_equal(weight_of(b), plain(300));
}

static void test_a_reserve_weighs_what_is_due(void **state)
{
	unsigned a, b, c;

	(void) state;
	NEEDS_CPU();
	a = add(millicpus() / 2, 100);
	assert_true(engine_promises(engine));
	b = add(0, 100);
	c = add(0, 200);
	engine_settle(engine);
	/* Half is a's, a twentieth the host's; the rest, 45 %, is for 500 shares, 100 of them the
	 * host's. So half of all is worth 555 shares. */
	assert_int_equal(weight_of(b), plain(100));
	assert_int_equal(weight_of(c), plain(200));
	assert_near(weight_of(a), plain(655));
}

static void test_those_who_come_raise_only_reserves(void **state)
{
	unsigned a, b;
	uint64_t before;

	(void) state;
	NEEDS_CPU();
	a = add(millicpus() / 4, 100);
	b = add(0, 100);
	engine_settle(engine);
	before = weight_of(a);
	for (unsigned i = 0; i < 10; i++)
		(void) add(0, 100);
	assert_true(weight_of(a) > 2 * before);
	assert_int_equal(weight_of(b), plain(100));
}

static void test_a_reserve_that_ends_is_forgotten(void **state)
{
	unsigned a, b, c;

	(void) state;
	NEEDS_CPU();
	a = add(millicpus() / 2, 100);
	b = add(millicpus() / 4, 100);
	c = add(0, 200);
	engine_drop(engine, a);
	assert_true(engine_unsettled(engine));
	engine_settle(engine);
	give(b, 0, 100, false);
	engine_settle(engine);
	assert_false(engine_promises(engine));
	assert_int_equal(weight_of(b), plain(100));
	assert_int_equal(weight_of(c), plain(200));
}

static void test_a_live_change_is_there_when_it_returns(void **state)
{
	unsigned a, b;
	uint64_t before;

	(void) state;
	NEEDS_CPU();
	a = add(millicpus() / 4, 100);
	b = add(0, 100);
	before = weight_of(a);
	give(a, millicpus() / 2, 100, false);
	assert_true(weight_of(a) > 2 * before);
	give(b, 0, 1000, false);
	assert_int_equal(weight_of(b), plain(1000));
}

static void test_a_new_engine_writes_what_it_does_not_know(void **state)
{
	unsigned a, b;
	uint64_t due;
	struct err e = { 0 };

	(void) state;
	NEEDS_CPU();
	a = add(millicpus() / 2, 100);
	b = add(0, 100);
	due = weight_of(a);
	engine_free(engine);
	engine = NULL;
	assert_int_equal(attribute_write(host, a, "cpu.weight", "77", &e), 0);
	assert_int_equal(attribute_write(host, b, "cpu.weight", "77", &e), 0);
	assert_int_equal(engine_new(host, 50000, &engine), 0);
	give(a, millicpus() / 2, 100, false);
	give(b, 0, 100, false);
	engine_settle(engine);
	assert_near(weight_of(a), due);
	assert_int_equal(weight_of(b), plain(100));
}

static void test_weights_that_do_not_fit_are_scaled(void **state)
{
	unsigned big, small;

	(void) state;
	NEEDS_CPU();
	big = add(millicpus() * 9 / 10, 100);
	small = add(0, 10000);
	for (unsigned i = 0; i < 20; i++)
		(void) add(0, 10000);
	engine_settle(engine);
	assert_true(engine->shift > 0);
	/* 90 % against one of 21 shares (and the host's little one) of 5 %. */
	assert_true(weight_of(big) > 300 * weight_of(small));
	for (size_t i = 1; i < slot_count; i++)
		engine_drop(engine, slots[i]);
	engine_settle(engine);
	assert_int_equal(engine->shift, 0);
}

/* --- when to look again --- */

static void busy(void *arg)
{
	int64_t end = now_us() + 30000;

	(void) arg;
	while (now_us() < end)
		;
}

/* As it were with contexts that wait for CPUs. */
static uint64_t look_after(uint64_t *clock_us, uint64_t us)
{
	*clock_us += us;
	engine->looks = 1;
	assert_true(engine_look(engine, *clock_us));
	return engine_pause_us(engine);
}

static void test_looks_are_fewer_while_nothing_moves(void **state)
{
	uint64_t clock_us = 1000000, pause = 0;
	unsigned a;

	(void) state;
	NEEDS_CPU();
	a = add(millicpus() / 4, 100);
	engine_settle(engine);
	(void) reap(spawn(a, busy, NULL)); /* its command has begun */
	assert_int_equal(look_after(&clock_us, 50000), 50000);
	for (int i = 0; i < 12; i++)
		pause = look_after(&clock_us, 50000);
	assert_int_equal(pause, 90000);
	(void) reap(spawn(a, busy, NULL));
	assert_int_equal(look_after(&clock_us, 90000), 10000); /* who woke? */
	assert_int_equal(look_after(&clock_us, 10000), 50000);
}

/* --- demand --- */

static void test_demand(void **state)
{
	struct demand d = {};
	uint64_t want = 0;

	(void) state;
	assert_int_equal(demand_look(&d, 0, ALLOT_CPU / 4, 50000), 0);
	assert_int_equal(demand_look(&d, ALLOT_CPU / 4, ALLOT_CPU / 4, 50000), ALLOT_HUNGRY);
	/* A dip is no change of mind; half a second of less is. */
	for (int i = 0; i < 2; i++)
		want = demand_look(&d, ALLOT_CPU / 10, ALLOT_CPU / 4, 50000);
	assert_int_equal(want, ALLOT_HUNGRY);
	for (int i = 0; i < 10; i++)
		want = demand_look(&d, ALLOT_CPU / 10, ALLOT_CPU / 4, 50000);
	assert_in_range(want, ALLOT_CPU / 10, ALLOT_CPU / 5);
	/* It grows again as soon as it uses what it has. */
	want = demand_look(&d, 2 * want, want, 50000);
	assert_int_equal(want, ALLOT_HUNGRY);
	/* Two looks without touching anything of a quarter of a CPU: asleep. */
	(void) demand_look(&d, 0, ALLOT_CPU / 4, 50000);
	assert_int_equal(demand_look(&d, 0, ALLOT_CPU / 4, 50000), 0);
}

static void test_who_starves_does_not_look_asleep(void **state)
{
	struct demand d = {};

	(void) state;
	assert_int_equal(demand_look(&d, ALLOT_CPU / 4, ALLOT_CPU / 4, 50000), ALLOT_HUNGRY);
	for (int i = 0; i < 100; i++)
		assert_int_equal(demand_starved(&d, 0, 50000), ALLOT_HUNGRY);
	assert_int_not_equal(d.rate, 0);
	/* What it missed before counts no more. */
	assert_int_equal(demand_look(&d, ALLOT_CPU / 100, ALLOT_CPU / 4, 50000), ALLOT_HUNGRY);
}

/* A CPU's worth in looks of 50 ms that have 20 ms too little or, in turn, 22 ms too much. */
static void test_jitter_is_not_owed(void **state)
{
	int64_t owed = 0, sum = 0;

	(void) state;
	for (unsigned i = 0; i < 1000; i++) {
		owed = demand_owed(owed, ALLOT_CPU, i % 2 ? ALLOT_CPU * 72 / 50 : ALLOT_CPU * 3 / 5,
				   50000);
		sum += owed > 0 ? owed : 0;
	}
	assert_in_range(sum, 0, 1000 * 1000); /* in the mean below a millisecond */
	for (unsigned i = 0; i < 4; i++) /* a real want is seen with the second look */
		owed = demand_owed(owed, ALLOT_CPU, ALLOT_CPU / 2, 50000);
	assert_in_range(owed, 60000, 100000);
}

static void test_who_waits_for_a_small_part_is_not_asleep(void **state)
{
	struct demand d = {};

	(void) state;
	assert_int_equal(demand_look(&d, 20000, 10000, 50000), ALLOT_HUNGRY);
	for (int i = 0; i < 5; i++) /* a hundredth of a CPU: its turn comes every few looks */
		assert_int_not_equal(demand_look(&d, 0, 10000, 50000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shares_alone_are_never_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_reserve_weighs_what_is_due, setup, teardown),
		cmocka_unit_test_setup_teardown(test_those_who_come_raise_only_reserves, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_reserve_that_ends_is_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_live_change_is_there_when_it_returns, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_new_engine_writes_what_it_does_not_know,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_weights_that_do_not_fit_are_scaled, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_looks_are_fewer_while_nothing_moves, setup,
						teardown),
		cmocka_unit_test(test_demand),
		cmocka_unit_test(test_who_starves_does_not_look_asleep),
		cmocka_unit_test(test_jitter_is_not_owed),
		cmocka_unit_test(test_who_waits_for_a_small_part_is_not_asleep),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
