/* Real slots on this host: every limit is met by a process that goes for it. Needs root. The same
 * tests run twice where the host allows it: as it is, and as if it had no cgroup2 (v1 alone). */
#include "tests/unit/sched_fixture.h"

#include <poll.h>

/* --- life --- */

static void enter_and_leave(void **state)
{
	unsigned slot;
	pid_t pid, seen = 0;

	(void) state;
	need_host();
	slot = make_slot();
	assert_false(sched_slot_populated(host, slot));
	pid = spawn(slot, sleeper, NULL);
	assert_true(until(is_entered, slot));
	assert_true(sched_slot_populated(host, slot));
	assert_int_equal(sched_slot_pids(host, slot, &seen, 1), 1);
	assert_int_equal(seen, pid);
	assert_int_equal(sched_slot_remove(host, slot), -EBUSY);
	kill_and_remove(slot, pid);
	assert_int_equal(sched_slot_remove(host, slot), 0);
	assert_true(sched_slot_stats(host, slot, &(struct sched_stats){ 0 }) == -ENOENT);
}

static void create_twice(void **state)
{
	struct err e = { 0 };
	unsigned slot;

	(void) state;
	need_host();
	slot = make_slot();
	assert_int_equal(sched_slot_create(host, slot, &e), -EEXIST);
	remove_slot(slot);
}

static void freeze_thaw_kill(void **state)
{
	unsigned slot;
	pid_t pid;

	(void) state;
	need_host();
	slot = make_slot();
	pid = spawn(slot, sleeper, NULL);
	assert_true(until(is_entered, slot));
	assert_int_equal(sched_slot_freeze(host, slot, true), 0);
	assert_true(until(is_frozen, slot));
	assert_int_equal(sched_slot_freeze(host, slot, false), 0);
	assert_true(until(is_thawed, slot));
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(sched_slot_signal(host, slot, SIGTERM), 0);
	assert_int_equal(WTERMSIG(reap(pid)), SIGTERM);
	remove_slot(slot);
	/* What is frozen dies all the same. */
	slot = make_slot();
	pid = spawn(slot, sleeper, NULL);
	assert_true(until(is_entered, slot));
	assert_int_equal(sched_slot_freeze(host, slot, true), 0);
	assert_true(until(is_frozen, slot));
	kill_and_remove(slot, pid);
}

/* The way of hosts without cgroup.kill. */
static void kill_by_hand(void **state)
{
	unsigned slot;
	pid_t pid;
	bool kill_file;

	(void) state;
	need_host();
	slot = make_slot();
	pid = spawn(slot, sleeper, NULL);
	assert_true(until(is_entered, slot));
	kill_file = host->kill;
	host->kill = false;
	kill_and_remove(slot, pid);
	host->kill = kill_file;
}

static void nested_groups(void **state)
{
	unsigned slot;
	char path[32];

	(void) state;
	need_host();
	slot = make_slot();
	for (size_t i = 0; i < host->count; i++) {
		(void) snprintf(path, sizeof(path), "%u/a", slot);
		assert_int_equal(mkdirat(host->trees[i].fd, path, 0755), 0);
		(void) snprintf(path, sizeof(path), "%u/a/b", slot);
		assert_int_equal(mkdirat(host->trees[i].fd, path, 0755), 0);
	}
	remove_slot(slot);
}

static bool keep_one(unsigned slot, void *arg)
{
	return slot == *(unsigned *) arg;
}

static void sweep(void **state)
{
	unsigned kept, frozen, running;
	pid_t keeper;
	struct err e = { 0 };

	(void) state;
	need(CG_PIDS);
	kept = make_slot();
	frozen = make_slot();
	running = make_slot();
	set(running, "pids.max", "50");
	(void) make_slot();
	keeper = spawn(kept, sleeper, NULL);
	(void) spawn(frozen, sleeper, NULL);
	(void) spawn(running, forker, NULL);
	assert_true(until(is_entered, kept));
	assert_true(until(is_entered, frozen));
	assert_int_equal(sched_slot_freeze(host, frozen, true), 0);
	if (sched_host_sweep(host, keep_one, &kept, &e) < 0)
		fails(&e);
	assert_int_equal(slot_openat(&host->trees[0], frozen, "", O_RDONLY), -ENOENT);
	assert_int_equal(slot_openat(&host->trees[0], running, "", O_RDONLY), -ENOENT);
	assert_true(sched_slot_populated(host, kept));
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	kill_and_remove(kept, keeper);
}

/* --- limits --- */

static bool is_pids_limited(unsigned slot)
{
	return stats(slot).pids_limit_hits > 0;
}

static void fork_bomb(void **state)
{
	struct sched_stats s;
	unsigned slot;
	pid_t pid;

	(void) state;
	need(CG_PIDS);
	slot = make_slot();
	set(slot, "pids.max", "20");
	pid = spawn(slot, forker, NULL);
	assert_true(until(is_pids_limited, slot));
	s = stats(slot);
	assert_in_range(s.pids, 15, 20);
	assert_int_equal(s.pids_limit, 20);
	kill_and_remove(slot, pid);
}

static void memory_bomb(void **state)
{
	size_t n = 128u * MIB;
	struct sched_stats s;
	unsigned slot;
	int status;

	(void) state;
	need(CG_MEMORY);
	slot = make_slot();
	set(slot, "memory.max", "33554432");
	set(slot, "memory.swap.max", "0");
	status = reap(spawn(slot, eater, &n));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	s = stats(slot);
	assert_int_equal(s.oom_kills, 1);
	/* Newer kernels do not count what fails for v1's memory and swap together. */
	assert_true(s.memory_limit_hits > 0 || !host_tree(host, CG_MEMORY)->unified);
	assert_int_equal(s.memory_limit_bytes, 32 * MIB);
	assert_in_range(s.memory_peak_bytes, 31 * MIB, 32 * MIB);
	remove_slot(slot);
}

static void hog(void *arg)
{
	(void) arg;
	for (volatile unsigned i = 0;; i++)
		continue;
}

static void cpu_hog(void **state)
{
	struct sched_stats a, b;
	int64_t start, end;
	unsigned slot;
	double rate;
	pid_t pid;

	(void) state;
	need(CG_CPU);
	slot = make_slot();
	set(slot, "cpu.max", "20000 100000");
	pid = spawn(slot, hog, NULL);
	assert_true(until(is_entered, slot));
	start = now_us();
	a = stats(slot);
	while (now_us() < start + 800000)
		nap();
	b = stats(slot);
	end = now_us();
	rate = (double) (b.cpu_us - a.cpu_us) / (double) (end - start);
	print_message("limit 0.200 of a CPU, used %.3f, throttled %lu of %lu periods\n", rate,
		      (unsigned long) b.throttled_periods, (unsigned long) b.periods);
	assert_true(rate < 0.26);
	assert_true(b.throttled_periods > 0 && b.throttled_us > 0);
	kill_and_remove(slot, pid);
}

/* --- read back as keys --- */

static void lives(unsigned slot, const char *key, const char *want)
{
	struct buf b = { 0 };

	assert_int_equal(sched_slot_live(host, slot, key, &b), 0);
	assert_string_equal(b.data, want);
	buf_done(&b);
}

static void values_read_back(void **state)
{
	struct buf none = { 0 };
	struct sched_pressure_now p;
	struct sched_throttle t;
	unsigned slot;

	(void) state;
	need(CG_CPU);
	need(CG_MEMORY);
	need(CG_PIDS);
	slot = make_slot();
	lives(slot, "cpu.limit", "max");
	lives(slot, "cpu.share", "100");
	lives(slot, "memory.limit", "max");
	lives(slot, "process.limit", "max");
	for (unsigned share = 1; share <= 10000; share = share * 7 / 5 + 1) {
		char text[16];

		(void) snprintf(text, sizeof(text), "%u", share);
		set(slot, "cpu.weight", text);
		lives(slot, "cpu.share", text);
	}
	set(slot, "cpu.max", "12500 50000");
	set(slot, "memory.max", "67108864");
	set(slot, "memory.swap.max", "1048576");
	set(slot, "pids.max", "20");
	lives(slot, "cpu.limit", "25%");
	lives(slot, "memory.limit", "64M");
	lives(slot, "memory.swap", "1M");
	lives(slot, "process.limit", "20");
	assert_int_equal(sched_slot_live(host, slot, "context.command", &none), -EOPNOTSUPP);
	assert_int_equal(sched_slot_throttle(host, slot, &t), 0);
	assert_int_equal(t.throttled_periods, 0);
	if (sched_slot_pressure(host, slot, "cpu", &p) != -EOPNOTSUPP) {
		assert_int_equal(sched_slot_pressure(host, slot, "memory", &p), 0);
		assert_true(p.some.avg10 <= 10000);
	}
	remove_slot(slot);
}

static void a_hit_limit_is_counted(void **state)
{
	bool notifies;
	uint64_t hits;
	unsigned slot;
	pid_t pid;
	int fd;

	(void) state;
	need(CG_PIDS);
	slot = make_slot();
	set(slot, "pids.max", "20");
	fd = sched_slot_events_open(host, slot, "pids", &notifies);
	assert_true(fd >= 0);
	assert_int_equal(sched_events_read(fd, &hits), 0);
	assert_int_equal(hits, 0);
	pid = spawn(slot, forker, NULL);
	assert_true(until(is_pids_limited, slot));
	if (notifies)
		assert_int_equal(poll(&(struct pollfd){ fd, POLLPRI, 0 }, 1, 5000), 1);
	assert_int_equal(sched_events_read(fd, &hits), 0);
	assert_true(hits > 0);
	close(fd);
	kill_and_remove(slot, pid);
}

/* --- devices --- */

static void opener(void *arg)
{
	if (open("/dev/null", O_RDWR) < 0 || open("/dev/urandom", O_RDONLY) < 0)
		_exit(1);
	_exit(open(arg, O_RDONLY) >= 0 ? 2 : errno == EPERM ? 3 : 4);
}

static void devices(void **state)
{
	static char node[] = "/dev/loop-control", beyond[] = "/dev/ptmx";
	struct sched_plan plan = { .count = 1, .writes = { { "devices.allow", "" } } };
	struct arena arena;
	struct step_list steps;
	struct err e = { 0 };
	unsigned slot;

	(void) state;
	need_host();
	if (host->devices == CG_DEVICES_NONE || access(node, F_OK) < 0)
		skip();
	slot = make_slot();
	assert_int_equal(WEXITSTATUS(reap(spawn(slot, opener, beyond))), 2);
	assert_int_equal(WEXITSTATUS(reap(spawn(slot, opener, node))), 3);
	(void) snprintf(plan.writes[0].value, sizeof(plan.writes[0].value), "%s", node);
	assert_int_equal(arena_init(&arena, 65536), 0);
	assert_int_equal(steps_init(&steps, &arena), 0);
	if (sched_steps(&plan, host, slot, &steps, &e) < 0 || steps_run_parent(&steps, &e) < 0)
		fails(&e);
	assert_int_equal(steps.count, 1);
	assert_int_equal(WEXITSTATUS(reap(spawn(slot, opener, node))), 2);
	assert_int_equal(WEXITSTATUS(reap(spawn(slot, opener, beyond))), 2);
	steps_done(&steps);
	arena_done(&arena);
	remove_slot(slot);
	/* One slot's device is no other slot's. */
	slot = make_slot();
	assert_int_equal(WEXITSTATUS(reap(spawn(slot, opener, node))), 3);
	assert_int_equal(WEXITSTATUS(reap(spawn(slot, opener, node))), 3);
	if (host->devices == CG_DEVICES_BPF) {
		struct sched_denials d;

		assert_int_equal(sched_slot_denials(host, slot, &d), 0);
		assert_int_equal(d.count, 2);
		assert_int_equal(d.type, 'c');
		assert_int_equal(d.major, 10);
		assert_int_equal(d.minor, 237);
		assert_true(d.read && !d.write && !d.mknod);
	} else {
		assert_int_equal(sched_slot_denials(host, slot, &(struct sched_denials){ 0 }),
				 -EOPNOTSUPP);
	}
	remove_slot(slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enter_and_leave),  cmocka_unit_test(create_twice),
		cmocka_unit_test(freeze_thaw_kill), cmocka_unit_test(kill_by_hand),
		cmocka_unit_test(nested_groups),    cmocka_unit_test(sweep),
		cmocka_unit_test(fork_bomb),	    cmocka_unit_test(memory_bomb),
		cmocka_unit_test(cpu_hog),	    cmocka_unit_test(devices),
		cmocka_unit_test(values_read_back), cmocka_unit_test(a_hit_limit_is_counted),
	};
	int failed = cmocka_run_group_tests_name("as it is", tests, group_setup, group_teardown);

	v1_alone = true;
	return failed + cmocka_run_group_tests_name("v1 alone", tests, group_setup, group_teardown);
}
