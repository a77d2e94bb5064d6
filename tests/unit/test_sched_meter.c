/* All slots at once: what the kernel hands over in one go is what its files say. Needs root for the
 * live part; the reader of BTF is tried on damaged texts without. */
#include <linux/btf.h>
#include <linux/mman.h>

#include "sched/btf.h"
#include "sched/bulk.h"
#include "tests/unit/sched_fixture.h"

static struct sched_meter *meter;

static void need_meter(void)
{
	need_host();
	if (meter == NULL)
		assert_int_equal(sched_meter_new(host, &meter), 0);
}

static void need_bulk(void)
{
	need_meter();
	if (!sched_meter_is_bulk(meter)) {
		print_message("skipped: no BPF iterator over cgroups here\n");
		skip();
	}
}

static struct sched_stats of(unsigned slot)
{
	struct sched_stats s = { 0 };

	sched_meter_round(meter, true);
	assert_int_equal(sched_meter_read(meter, slot, &s), 0);
	return s;
}

static bool near(uint64_t a, uint64_t b, uint64_t by)
{
	return a > b ? a - b <= by : b - a <= by;
}

static void compare(unsigned slot)
{
	struct sched_stats a = of(slot), b = stats(slot);

	assert_true(near(a.cpu_us, b.cpu_us, 50000));
	if (sched_meter_is_bulk(meter))
		assert_int_equal(a.cpu_user_us + a.cpu_system_us, a.cpu_us);
	assert_true(near(a.memory_bytes, b.memory_bytes, 2 * MIB));
	assert_true(near(a.memory_peak_bytes, b.memory_peak_bytes, 2 * MIB));
	assert_int_equal(a.memory_limit_bytes, b.memory_limit_bytes);
	assert_true(near(a.swap_bytes, b.swap_bytes, MIB));
	assert_int_equal(a.oom_kills, b.oom_kills);
	assert_int_equal(a.pids, b.pids);
	assert_int_equal(a.pids_limit, b.pids_limit);
	assert_int_equal(a.pids_limit_hits, b.pids_limit_hits);
	assert_int_equal(a.has_pressure, b.has_pressure);
	for (unsigned i = 0; i < SCHED_RESOURCE_COUNT; i++)
		assert_true(near(a.pressure[i].some_us, b.pressure[i].some_us, 2500000));
	if (b.pids_peak > 0)
		assert_int_equal(a.pids_peak, b.pids_peak);
	assert_true(b.periods >= a.periods && near(a.periods, b.periods, 20));
}

static void a_round_says_what_files_say(void **state)
{
	size_t bytes = 20 * MIB;
	unsigned small, large;
	pid_t pids[2];

	(void) state;
	need_meter();
	small = make_slot();
	large = make_slot();
	set(large, "memory.max", "67108864");
	set(large, "pids.max", "17");
	pids[0] = spawn(small, sleeper, NULL);
	pids[1] = spawn(large, eater, &bytes);
	assert_true(until(is_entered, small) && until(is_entered, large));
	while (stats(large).memory_bytes < bytes)
		nap();
	compare(small);
	compare(large);
	assert_true(of(large).memory_bytes >= bytes);
	assert_int_equal(of(large).pids_limit, 17);
	assert_true(of(small).memory_limit_bytes == UNITS_NONE);
	kill_and_remove(small, pids[0]);
	/* What is dying keeps no one from being found. */
	compare(large);
	kill_and_remove(large, pids[1]);
	assert_int_equal(sched_meter_read(meter, large, &(struct sched_stats){ 0 }),
			 sched_meter_is_bulk(meter) ? 0 : -ENOENT); /* of that round it was */
	sched_meter_round(meter, true);
	assert_int_equal(sched_meter_read(meter, large, &(struct sched_stats){ 0 }), -ENOENT);
}

static void burner(void *arg)
{
	(void) arg;
	for (;;)
		__asm__ volatile("");
}

static bool has_run(unsigned slot)
{
	return stats(slot).cpu_us > 50000 && stats(slot).throttled_periods > 0;
}

static void cpu_time_never_shrinks(void **state)
{
	struct sched_stats s = { 0 }, before;
	unsigned slot;
	pid_t pid;

	(void) state;
	need_meter();
	need(CG_CPU);
	slot = make_slot();
	set(slot, "cpu.max", "20000 100000");
	pid = spawn(slot, burner, NULL);
	assert_true(until(has_run, slot));
	for (int i = 0; i < 50; i++) {
		before = s;
		sched_meter_round(meter, true);
		assert_int_equal(sched_meter_read(meter, slot, &s), 0);
		assert_true(s.cpu_us >= before.cpu_us && s.cpu_user_us >= before.cpu_user_us &&
			    s.cpu_system_us >= before.cpu_system_us);
		nap();
	}
	assert_true(s.throttled_periods > 0 && s.throttled_us > 0);
	compare(slot);
	/* A round that is told of no limits forgets none of what was counted. */
	before = s;
	sched_meter_round(meter, false);
	assert_int_equal(sched_meter_read(meter, slot, &s), 0);
	assert_true(s.throttled_us >= before.throttled_us);
	kill_and_remove(slot, pid);
}

/* A context with cgroups of its own below: they bear numbers too. */
static void what_is_nested_is_no_slot(void **state)
{
	unsigned slot;
	pid_t pid;
	char name[32];

	(void) state;
	need_bulk();
	slot = make_slot();
	(void) snprintf(name, sizeof(name), "%u/%u", slot, slot + 1000);
	for (size_t i = 0; i < host->count; i++)
		assert_int_equal(mkdirat(host->trees[i].fd, name, 0755), 0);
	pid = spawn(slot, sleeper, NULL);
	assert_true(until(is_entered, slot));
	compare(slot);
	sched_meter_round(meter, true);
	assert_int_equal(sched_meter_read(meter, slot + 1000, &(struct sched_stats){ 0 }), -ENOENT);
	kill_and_remove(slot, pid);
}

static void many_slots_fit(void **state)
{
	unsigned slots[700], found = 0;
	struct sched_stats s;

	(void) state;
	need_bulk();
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		slots[i] = make_slot();
	sched_meter_round(meter, true);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		s = (struct sched_stats){ 0 };
		found += sched_meter_read(meter, slots[i], &s) == 0 && s.pids == 0;
	}
	assert_true(sched_meter_is_bulk(meter));
	assert_int_equal(found, ARRAY_SIZE(slots));
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		remove_slot(slots[i]);
}

/* --- BTF --- */

static void the_kernel_describes_itself(void **state)
{
	struct btf b;

	(void) state;
	if (btf_open(&b) < 0)
		skip();
	assert_int_equal(btf_offset(&b, "list_head", "next"), 0);
	assert_int_equal(btf_offset(&b, "list_head", "prev"), sizeof(void *));
	assert_int_equal(btf_offset(&b, "list_head", "middle"), -ENOENT);
	assert_int_equal(btf_offset(&b, "list_head", ""), -ENOENT);
	assert_int_equal(btf_offset(&b, "no such struct", "next"), -ENOENT);
	assert_true(btf_offset(&b, "task_struct", "signal.nothing") == -ENOENT);
	assert_int_equal(btf_enumerator(&b, "no such enum", "x"), -ENOENT);
	assert_int_equal(btf_function(&b, "no such function"), -ENOENT);
	btf_done(&b);
}

static int parse_copy(const void *data, size_t len)
{
	char *copy = malloc(len ? len : 1);
	struct btf b;
	int r;

	assert_non_null(copy);
	memcpy(copy, data, len);
	r = btf_parse(copy, len, &b);
	if (r == 0)
		btf_done(&b);
	return r;
}

static void damaged_types_are_refused(void **state)
{
	struct {
		struct btf_header h;
		struct btf_type t;
		struct btf_member m;
		char strings[8];
	} blob = { .h = { .magic = BTF_MAGIC,
			  .version = 1,
			  .hdr_len = sizeof(struct btf_header),
			  .type_len = sizeof(struct btf_type) + sizeof(struct btf_member),
			  .str_off = sizeof(struct btf_type) + sizeof(struct btf_member),
			  .str_len = 8 },
		   .t = { .name_off = 1, .info = BTF_KIND_STRUCT << 24 | 1 },
		   .m = { .name_off = 3, .type = 1, .offset = 64 },
		   .strings = "\0a\0b\0" };

	(void) state;
	assert_int_equal(parse_copy(&blob, sizeof(blob)), 0);
	for (size_t len = 0; len < sizeof(blob); len++)
		assert_int_equal(parse_copy(&blob, len), -EBADMSG);
	blob.t.info = BTF_KIND_STRUCT << 24 | 2; /* more members than there are */
	assert_int_equal(parse_copy(&blob, sizeof(blob)), -EBADMSG);
	blob.t.info = 31u << 24;
	assert_int_equal(parse_copy(&blob, sizeof(blob)), -EBADMSG);
	blob.t.info = BTF_KIND_STRUCT << 24 | 1;
	blob.h.type_off = 0xfffffffc;
	assert_int_equal(parse_copy(&blob, sizeof(blob)), -EBADMSG);
	blob.h.type_off = 0;
	blob.strings[7] = 'x';
	assert_int_equal(parse_copy(&blob, sizeof(blob)), -EBADMSG);
}

static int teardown(void **state)
{
	sched_meter_free(meter);
	meter = NULL;
	return group_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_says_what_files_say),
		cmocka_unit_test(cpu_time_never_shrinks),
		cmocka_unit_test(what_is_nested_is_no_slot),
		cmocka_unit_test(many_slots_fit),
	};
	const struct CMUnitTest files[] = {
		cmocka_unit_test(a_round_says_what_files_say),
		cmocka_unit_test(cpu_time_never_shrinks),
	};
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(the_kernel_describes_itself),
		cmocka_unit_test(damaged_types_are_refused),
	};
	int failed = cmocka_run_group_tests_name("at once", tests, group_setup, teardown);

	v1_alone = true; /* no cgroup2: nothing but files */
	failed += cmocka_run_group_tests_name("by files", files, group_setup, teardown);
	return failed + cmocka_run_group_tests_name("types", pure, NULL, NULL);
}
