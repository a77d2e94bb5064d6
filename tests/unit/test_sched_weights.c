/* Weights, run by a scheduler that knows only them: everyone has what it is entitled to; whoever
 * wakes, alone or with any others, has its due at once, and those that were awake keep their
 * floors. Tried in every mix of sleeping and waking; on one CPU, and on cpusets. */
#include <errno.h>

#include "tests/unit/allot_fixture.h"
#include "tests/unit/fair_sim.h"

#define TASKS 5u
#define ALL ((1u << TASKS) - 1)
#define TICKS 1000u
#define WARM 300u
/* Who is served in whole slots is one off, or one for each rival that stood in line before it. */
#define SLACK_SLOTS (TASKS + 3)

/* Some contexts, what is due to each, and what they weigh while some are awake. */
struct scene {
	struct allot_pool *pool;
	unsigned cpus;
	uint32_t least, full; /* the range of weights */
	unsigned slack; /* in slots */
	struct allot_claim claim[TASKS];
	uint64_t cpu_mask[TASKS];
	uint64_t due[TASKS];
	uint64_t entitled[TASKS], weight[TASKS];
};

static uint64_t whole(const struct scene *s)
{
	return s->cpus * ALLOT_CPU;
}

/* Reserves are halved until they can be promised. */
static void promise(struct scene *s)
{
	struct allot_refusal why;

	while (allot_admit(s->pool, s->claim, TASKS, 0, &why) < 0)
		for (unsigned i = 0; i < TASKS; i++)
			s->claim[i].reserve /= 2;
}

static void scene_roll(struct scene *s, uint64_t *seed, unsigned cpus)
{
	uint64_t capacity[3] = { ALLOT_CPU, ALLOT_CPU, ALLOT_CPU }, mask;

	*s = (struct scene){ .cpus = cpus,
			     .slack = SLACK_SLOTS,
			     .least = roll(seed, 2) == 0 ? 1 : 2 };
	s->full = s->least == 1 ? 10000 : 262144;
	assert_int_equal(allot_pool_new(capacity, cpus, &s->pool), 0);
	for (unsigned i = 0; i < TASKS; i++) {
		struct allot_claim *c = &s->claim[i];

		mask = 1 + roll(seed, (UINT64_C(1) << cpus) - 1);
		if (cpus == 1 || roll(seed, 3) == 0)
			mask = (UINT64_C(1) << cpus) - 1;
		s->cpu_mask[i] = mask;
		assert_int_equal(allot_pool_add(s->pool, &mask, &c->set), 0);
		c->share = 1 + (uint32_t) roll(seed, roll(seed, 2) == 0 ? 10 : 1000);
		c->reserve = roll(seed, 3) == 0 ? 0 : roll(seed, ALLOT_CPU * 9 / 10);
		c->limit = ALLOT_HUNGRY;
		c->demand = ALLOT_HUNGRY;
	}
	promise(s);
	assert_int_equal(allot(s->pool, s->claim, TASKS, s->due), 0);
}

static void sum_dues(struct scene *s, uint64_t *by_set)
{
	memset(by_set, 0, allot_pool_sets(s->pool) * sizeof(*by_set));
	for (unsigned i = 0; i < TASKS; i++)
		by_set[s->claim[i].set] += s->due[i];
}

/* Weights while those in `awake` are: hungry, but for the demands given. @floors whether reserves
 * are floors. */
static void weigh(struct scene *s, unsigned awake, const uint64_t *demand, bool floors)
{
	struct allot_standing standing[TASKS];
	uint64_t by_set[TASKS + 1], weight[TASKS];
	unsigned n = 0;

	sum_dues(s, by_set);
	for (unsigned i = 0; i < TASKS; i++)
		s->claim[i].demand = (awake >> i & 1) != 0 ? demand[i] : 0;
	assert_int_equal(allot(s->pool, s->claim, TASKS, s->entitled), 0);
	for (unsigned i = 0; i < TASKS; i++)
		if ((awake >> i & 1) != 0)
			standing[n++] =
				(struct allot_standing){ .due = s->due[i],
							 .entitled = s->entitled[i],
							 .most = demand[i],
							 .floor = floors ? s->claim[i].reserve : 0,
							 .set = s->claim[i].set };
	assert_int_equal(allot_weights(s->pool, standing, n, by_set, weight), 0);
	for (unsigned i = TASKS; i-- > 0;)
		s->weight[i] = (awake >> i & 1) != 0 ? weight[--n] : s->due[i];
}

static void fair_begin(const struct scene *s, unsigned awake, uint32_t full, struct fair *f)
{
	*f = (struct fair){ .cpus = s->cpus, .tasks = TASKS };
	for (unsigned i = 0; i < TASKS; i++)
		f->task[i] = (struct fair_task){
			.weight = allot_weight_scaled(s->weight[i], whole(s), s->least, full),
			.cpus = s->cpu_mask[i],
			.demand = (awake >> i & 1) != 0 ? s->claim[i].demand : ALLOT_HUNGRY,
			.awake = (awake >> i & 1) != 0
		};
}

/* Slots that an amount is in TICKS. */
static unsigned slots(uint64_t amount)
{
	return (unsigned) (amount * TICKS / ALLOT_CPU);
}

static void scene_print(const struct scene *s, unsigned awake, unsigned then, const struct fair *f)
{
	print_error("%u CPUs, awake %#x, then %#x\n", s->cpus, awake, then);
	for (unsigned i = 0; i < TASKS; i++)
		print_error("%u: CPUs %#jx reserve %ju share %u demand %ju: due %ju entitled %ju "
			    "weight %ju: %ju slots of %u\n",
			    i, (uintmax_t) s->cpu_mask[i], (uintmax_t) s->claim[i].reserve,
			    s->claim[i].share, (uintmax_t) s->claim[i].demand,
			    (uintmax_t) s->due[i], (uintmax_t) s->entitled[i],
			    (uintmax_t) s->weight[i], (uintmax_t) f->task[i].slots, TICKS);
}

/* Everyone has what it is entitled to while nobody wakes. */
static void steady(const struct scene *s, unsigned awake)
{
	struct fair f;

	fair_begin(s, awake, 262144, &f);
	fair_run(&f, WARM);
	if (s->cpus > 1)
		fair_even(&f);
	fair_run(&f, TICKS);
	for (unsigned i = 0; i < TASKS; i++) {
		unsigned ideal = slots(s->entitled[i]), got = (unsigned) f.task[i].slots;

		if (got + s->slack >= ideal && got <= ideal + s->slack)
			continue;
		scene_print(s, awake, awake, &f);
		fail_msg("%u has %u slots, entitled to %u", i, got, ideal);
	}
}

/* From the very slot in which more wake, on the old weights: they have their due, the others what
 * is said to be their floor. */
static void waking(const struct scene *s, unsigned awake, unsigned then, bool floors)
{
	struct fair f;

	fair_begin(s, awake, s->full, &f);
	fair_run(&f, WARM);
	if (s->cpus > 1)
		fair_even(&f);
	for (unsigned i = 0; i < TASKS; i++)
		f.task[i].awake = (then >> i & 1) != 0;
	fair_run(&f, TICKS);
	for (unsigned i = 0; i < TASKS; i++) {
		bool was = (awake >> i & 1) != 0;
		uint64_t floor = !was ? s->due[i] : floors ? s->claim[i].reserve : 0;

		if (floor > f.task[i].demand)
			floor = f.task[i].demand;
		if ((then >> i & 1) == 0 || f.task[i].slots + s->slack >= slots(floor))
			continue;
		scene_print(s, awake, then, &f);
		fail_msg("%u has %ju slots, its floor is %u", i, (uintmax_t) f.task[i].slots,
			 slots(floor));
	}
}

static const uint64_t all_hungry[TASKS] = { ALLOT_HUNGRY, ALLOT_HUNGRY, ALLOT_HUNGRY, ALLOT_HUNGRY,
					    ALLOT_HUNGRY };

static void every_mix(uint64_t seed, unsigned cpus, unsigned scenes)
{
	for (unsigned round = 0; round < scenes; round++) {
		struct scene s;

		scene_roll(&s, &seed, cpus);
		for (unsigned awake = 1; awake <= ALL; awake++) {
			weigh(&s, awake, all_hungry, true);
			for (unsigned then = awake; then <= ALL; then = (then + 1) | awake)
				waking(&s, awake, then, true);
			weigh(&s, awake, all_hungry, false);
			steady(&s, awake);
			waking(&s, awake, ALL, false);
		}
		allot_pool_free(s.pool);
	}
}

static void test_floors_hold_in_every_mix_on_one_cpu(void **state)
{
	(void) state;
	every_mix(0x1, 1, 12);
}

static void test_floors_hold_in_every_mix_on_cpusets(void **state)
{
	(void) state;
	every_mix(0x22, 3, 8);
}

/* Some want little: they get it, and what they leave is shared. */
static void some_want_little(uint64_t seed, unsigned cpus, unsigned scenes)
{
	for (unsigned round = 0; round < scenes; round++) {
		unsigned awake = 1 + (unsigned) roll(&seed, ALL);
		uint64_t demand[TASKS];
		struct scene s;

		scene_roll(&s, &seed, cpus);
		s.slack += cpus == 1 ? 0 : TICKS / 50;
		for (unsigned i = 0; i < TASKS; i++)
			demand[i] =
				roll(&seed, 2) == 0 ? ALLOT_HUNGRY : 10000 + roll(&seed, ALLOT_CPU);
		weigh(&s, awake, demand, false);
		/* On cpusets, who wants little runs where it wakes, in the way or not. */
		if (cpus == 1)
			steady(&s, awake);
		waking(&s, awake, ALL, false);
		weigh(&s, awake, demand, true);
		waking(&s, awake, ALL, true);
		allot_pool_free(s.pool);
	}
}

static void test_who_wants_little_gets_it_and_the_rest_is_shared(void **state)
{
	(void) state;
	some_want_little(0x333, 1, 400);
	some_want_little(0x4444, 3, 400);
}

/* Reserves of 50, 10 and 0%, shares 1:1:3, the first asleep: 58% are due to it. */
static void test_the_weight_of_a_sleeper_is_f_of_the_rest(void **state)
{
	struct scene s = { .cpus = 1 };
	uint64_t cpu = ALLOT_CPU, by_set, weight[2], hungry;
	struct allot_claim c[] = { { 500000, ALLOT_HUNGRY, ALLOT_HUNGRY, 1, 0 },
				   { 100000, ALLOT_HUNGRY, ALLOT_HUNGRY, 1, 0 },
				   { 0, ALLOT_HUNGRY, ALLOT_HUNGRY, 3, 0 } };
	uint64_t due[3], now[2];
	struct allot_standing awake[2];

	(void) state;
	assert_int_equal(allot_pool_new(&cpu, 1, &s.pool), 0);
	assert_int_equal(allot(s.pool, c, 3, due), 0);
	assert_int_equal(due[0], 580000);
	assert_int_equal(allot(s.pool, &c[1], 2, now), 0);
	by_set = due[0] + due[1] + due[2];
	for (unsigned i = 0; i < 2; i++)
		awake[i] = (struct allot_standing){ .due = due[i + 1],
						    .entitled = now[i],
						    .most = ALLOT_HUNGRY,
						    .floor = c[i + 1].reserve };
	assert_int_equal(allot_weights(s.pool, awake, 2, &by_set, weight), 0);
	hungry = weight[0] + weight[1];
	/* f / (1 - f), to a unit of rounding; and those awake are as 325 to 675. */
	assert_in_range(due[0] * 420000, (hungry - 1) * 580000, (hungry + 2) * 580000);
	assert_in_range(weight[0] * 675, weight[1] * 325 - 1000, weight[1] * 325 + 1000);
	allot_pool_free(s.pool);
}

/* One that has a reserve and hardly a share is awake beside one that has only a share: while a
 * third sleeps whose reserve is great, proportion and floor cannot both be had. */
static void test_where_both_cannot_be_had_the_floor_holds(void **state)
{
	uint64_t cpu = ALLOT_CPU, by_set = 1000000, weight[2];
	struct allot_standing awake[] = {
		{ .due = 500000, .entitled = 500001, .most = 500001, .floor = 500000 },
		{ .due = 100000, .entitled = 499999, .most = ALLOT_HUNGRY, .floor = 0 },
	};
	struct allot_pool *p;

	(void) state;
	assert_int_equal(allot_pool_new(&cpu, 1, &p), 0);
	assert_int_equal(allot_weights(p, awake, 2, &by_set, weight), 0);
	assert_int_equal(weight[0], 500000);
	assert_int_equal(weight[1], 100000);
	awake[0].floor = 0;
	assert_int_equal(allot_weights(p, awake, 2, &by_set, weight), 0);
	assert_in_range(weight[0], 299999, 300001);
	assert_in_range(weight[1], 299998, 300000);
	allot_pool_free(p);
}

static void test_dues_that_do_not_add_up_are_refused(void **state)
{
	uint64_t cpu = ALLOT_CPU, by_set = 400000, weight = 7;
	struct allot_standing awake = { .due = 500000, .entitled = 600000 };
	struct allot_pool *p;

	(void) state;
	assert_int_equal(allot_pool_new(&cpu, 1, &p), 0);
	assert_int_equal(allot_weights(p, &awake, 1, &by_set, &weight), -EINVAL);
	by_set = 2000000; /* more than there is */
	assert_int_equal(allot_weights(p, &awake, 1, &by_set, &weight), -EINVAL);
	by_set = ALLOT_HUNGRY;
	assert_int_equal(allot_weights(p, &awake, 1, &by_set, &weight), -ERANGE);
	by_set = 1000000;
	awake.set = 1;
	assert_int_equal(allot_weights(p, &awake, 1, &by_set, &weight), -EINVAL);
	awake.set = 0;
	awake.entitled = ALLOT_HUNGRY;
	assert_int_equal(allot_weights(p, &awake, 1, &by_set, &weight), -ERANGE);
	assert_int_equal(weight, 7);
	allot_pool_free(p);
}

static void test_a_weight_is_brought_into_its_range(void **state)
{
	(void) state;
	assert_int_equal(allot_weight_scaled(0, ALLOT_CPU, 1, 10000), 1);
	assert_int_equal(allot_weight_scaled(101, ALLOT_CPU, 1, 10000), 2); /* rounded up */
	assert_int_equal(allot_weight_scaled(ALLOT_CPU / 2, ALLOT_CPU, 1, 10000), 5000);
	assert_int_equal(allot_weight_scaled(ALLOT_CPU, ALLOT_CPU, 1, 10000), 10000);
	assert_int_equal(allot_weight_scaled(2 * ALLOT_CPU, ALLOT_CPU, 1, 10000), 10000);
	assert_int_equal(allot_weight_scaled(1, ALLOT_AMOUNT_MAX, 2, 262144), 2);
	assert_int_equal(allot_weight_scaled(ALLOT_AMOUNT_MAX - 1, ALLOT_AMOUNT_MAX, 2, 262144),
			 262144);
}

/* Processes of the host outside of the group of all contexts: one of weight 1024. */
static void test_the_host_keeps_its_reserve(void **state)
{
	for (uint64_t host = 10000; host < ALLOT_CPU; host += 90000) {
		struct fair f = { .cpus = 1, .tasks = 2 };

		f.task[0] =
			(struct fair_task){ .weight = allot_weight_beside(ALLOT_CPU - host, host,
									  1024, 2, 262144),
					    .cpus = 1,
					    .demand = ALLOT_HUNGRY,
					    .awake = true };
		f.task[1] = f.task[0];
		f.task[1].weight = 1024;
		fair_run(&f, TICKS);
		assert_in_range(f.task[1].slots, slots(host) - 2, slots(host) + 2);
	}
	(void) state;
	assert_int_equal(allot_weight_beside(1, 0, 1024, 2, 262144), 262144);
	assert_int_equal(allot_weight_beside(0, 1, 1024, 2, 262144), 2);
	assert_int_equal(allot_weight_beside(ALLOT_AMOUNT_MAX, 1, UINT32_MAX, 2, 262144), 262144);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floors_hold_in_every_mix_on_one_cpu),
		cmocka_unit_test(test_floors_hold_in_every_mix_on_cpusets),
		cmocka_unit_test(test_who_wants_little_gets_it_and_the_rest_is_shared),
		cmocka_unit_test(test_the_weight_of_a_sleeper_is_f_of_the_rest),
		cmocka_unit_test(test_where_both_cannot_be_had_the_floor_holds),
		cmocka_unit_test(test_dues_that_do_not_add_up_are_refused),
		cmocka_unit_test(test_a_weight_is_brought_into_its_range),
		cmocka_unit_test(test_the_host_keeps_its_reserve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
