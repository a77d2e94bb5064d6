/* Real slots on this host: every limit is met by a process that goes for it. Needs root. The same
 * tests run twice where the host allows it: as it is, and as if it had no cgroup2 (v1 alone). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/proc.h"
#include "sched/attribute.h"

#define MIB (1u << 20)
#define PATIENCE_MS 3000

static struct facts facts;
static struct sched_host *host;
static unsigned next_slot = 1;
static bool v1_alone;

static int64_t now_us(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void nap(void)
{
	const struct timespec t = { .tv_nsec = 2000000 };

	(void) nanosleep(&t, NULL);
}

static void fails(const struct err *e)
{
	fail_msg("%s", e->text);
}

static void forget_cgroup2(struct cg_layout *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		if (!l->list[i].unified)
			l->list[n++] = l->list[i];
	l->count = n;
	l->kind = FACTS_CGROUP_V1;
	for (unsigned c = 0; c < CG_CONTROLLER_COUNT; c++) {
		l->of[c] = -1;
		for (size_t i = 0; i < n; i++)
			if ((l->list[i].controllers & 1u << c) != 0)
				l->of[c] = (int) i;
	}
}

static int group_setup(void **state)
{
	char name[48];
	struct cg_layout l;
	struct err e = { 0 };

	(void) state;
	(void) snprintf(name, sizeof(name), "test-sched.%d", getpid());
	sched_probe(&facts);
	if (geteuid() != 0 || cg_layout_read(&l) < 0)
		return 0;
	if (v1_alone)
		forget_cgroup2(&l);
	if (l.count == 0)
		return 0;
	if (host_new_in(name, &l, &host, &e) < 0) {
		print_message("cannot make cgroups here: %s\n", e.text);
		host = NULL;
	}
	return 0;
}

static bool keep_none(unsigned slot, void *arg)
{
	(void) slot;
	(void) arg;
	return false;
}

static int group_teardown(void **state)
{
	struct err e = { 0 };
	int r = 0;

	(void) state;
	if (host != NULL)
		r = sched_host_sweep(host, keep_none, NULL, &e);
	if (r < 0)
		print_message("%s\n", e.text);
	sched_host_free(host);
	host = NULL;
	return r;
}

static void need_host(void)
{
	if (host == NULL) {
		print_message("skipped: needs root and writable cgroups\n");
		skip();
	}
}

static void need(enum cg_controller c)
{
	need_host();
	if (host_tree(host, c) == NULL) {
		print_message("skipped: no %s controller\n", cg_controller_name(c));
		skip();
	}
}

static unsigned make_slot(void)
{
	unsigned slot = next_slot++;
	struct err e = { 0 };

	if (sched_slot_create(host, slot, &e) < 0)
		fails(&e);
	return slot;
}

static void set(unsigned slot, const char *attribute, const char *value)
{
	struct err e = { 0 };

	if (attribute_write(host, slot, attribute, value, &e) < 0)
		fails(&e);
}

/* Runs `body` in a new process of the slot, once that has entered it. */
static pid_t spawn(unsigned slot, void (*body)(void *arg), void *arg)
{
	struct sched_attach a = { .clone_into = -1 };
	struct err e = { 0 };
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid;

	if (sched_slot_open(host, slot, &a, &e) < 0)
		fails(&e);
	if (a.clone_into >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (unsigned) a.clone_into;
	}
	pid = proc_clone3(&args);
	if (pid == 0) {
		if (sched_attach_self(&a) < 0)
			_exit(77);
		body(arg);
		_exit(0);
	}
	assert_true(pid > 0);
	sched_attach_done(&a);
	return pid;
}

static int reap(pid_t pid)
{
	int64_t end = now_us() + PATIENCE_MS * 1000;
	int status = 0;
	pid_t r;

	while ((r = waitpid(pid, &status, WNOHANG)) == 0 && now_us() < end)
		nap();
	assert_int_equal(r, pid);
	return status;
}

static struct sched_stats stats(unsigned slot)
{
	struct sched_stats s;

	assert_int_equal(sched_slot_stats(host, slot, &s), 0);
	return s;
}

static void remove_slot(unsigned slot)
{
	int64_t end = now_us() + PATIENCE_MS * 1000;
	int r;

	while ((r = sched_slot_remove(host, slot)) == -EBUSY && now_us() < end)
		nap();
	assert_int_equal(r, 0);
	for (size_t i = 0; i < host->count; i++)
		assert_int_equal(slot_openat(&host->trees[i], slot, "", O_RDONLY), -ENOENT);
}

static void kill_and_remove(unsigned slot, pid_t pid)
{
	int status;

	assert_int_equal(sched_slot_kill(host, slot), 0);
	status = reap(pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	remove_slot(slot);
}

static void sleeper(void *arg)
{
	(void) arg;
	for (;;)
		(void) pause();
}

static void forker(void *arg)
{
	(void) arg;
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			sleeper(NULL);
		if (pid < 0)
			nap();
	}
}

static bool until(bool (*condition)(unsigned slot), unsigned slot)
{
	int64_t end = now_us() + PATIENCE_MS * 1000;

	while (!condition(slot) && now_us() < end)
		nap();
	return condition(slot);
}

static bool is_entered(unsigned slot)
{
	pid_t pid;

	for (size_t i = 0; i < host->count; i++)
		if (tree_pids(&host->trees[i], slot, &pid, 1) != 1)
			return false;
	return true;
}

static bool is_frozen(unsigned slot)
{
	return stats(slot).frozen;
}

static bool is_thawed(unsigned slot)
{
	return !stats(slot).frozen;
}

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
	assert_true(sched_slot_stats(host, slot, &(struct sched_stats) { 0 }) == -ENOENT);
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
	assert_int_equal(sched_slot_signal(host, slot, SIGTERM), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(sched_slot_freeze(host, slot, false), 0);
	assert_true(until(is_thawed, slot));
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

/* Touches *arg bytes and stays. */
static void eater(void *arg)
{
	size_t n = *(size_t *) arg;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(76);
	for (size_t i = 0; i < n; i += 4096)
		((volatile char *) p)[i] = 1;
	sleeper(NULL);
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
	assert_true(s.memory_limit_hits > 0);
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
	remove_slot(slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enter_and_leave), cmocka_unit_test(create_twice),
		cmocka_unit_test(freeze_thaw_kill), cmocka_unit_test(kill_by_hand),
		cmocka_unit_test(nested_groups),   cmocka_unit_test(sweep),
		cmocka_unit_test(fork_bomb),	   cmocka_unit_test(memory_bomb),
		cmocka_unit_test(cpu_hog),	   cmocka_unit_test(devices),
	};
	int failed = cmocka_run_group_tests_name("as it is", tests, group_setup, group_teardown);

	v1_alone = true;
	return failed + cmocka_run_group_tests_name("v1 alone", tests, group_setup, group_teardown);
}
