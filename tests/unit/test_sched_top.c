/* The group of all contexts: a great weight only ever with the quota, whatever else happens. On
 * directories of its own in this host's hierarchies. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "sched/allot.h"
#include "sched/host.h"
#include "sched/top.h"

static const char *const dirs[] = { "", "/ward", "/ward/a", "/ward/b" };
static struct cg_layout layout;
static struct sched_host host;
static struct cg_tree *cpu, *core;
static char name[48];
static pid_t resident;

static const char *mount_of(enum cg_controller c)
{
	return layout.list[layout.of[c]].mount;
}

static int make_tree(enum cg_controller c, struct cg_tree *t)
{
	const struct cg_hierarchy *h = &layout.list[layout.of[c]];
	char path[CG_PATH_MAX + 80];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		(void) snprintf(path, sizeof(path), "%s/%s%s", h->mount, name, dirs[i]);
		if (mkdir(path, 0755) < 0)
			return -1;
		if (!h->unified || i > 1)
			continue;
		(void) snprintf(path, sizeof(path), "%s/%s%s/cgroup.subtree_control", h->mount,
				name, dirs[i]);
		(void) !file_write_at(AT_FDCWD, path, "+cpu"); /* refused where v1 has it */
	}
	(void) snprintf(path, sizeof(path), "%s/%s", h->mount, name);
	t->unified = h->unified;
	t->top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->top < 0 ? -1 : 0;
}

static int setup(void **state)
{
	(void) state;
	cpu = core = NULL;
	resident = 0;
	if (geteuid() != 0 || cg_layout_read(&layout) < 0 || layout.of[CG_CPU] < 0 ||
	    layout.of[CG_CORE] < 0)
		return 0;
	(void) snprintf(name, sizeof(name), "test-top.%d", getpid());
	host = (struct sched_host){ .instance = "a", .count = 2 };
	memset(host.of, -1, sizeof(host.of));
	cpu = &host.trees[0];
	host.of[CG_CPU] = host.of[CG_CORE] = 0;
	if (make_tree(CG_CPU, cpu) < 0)
		return -1;
	core = cpu;
	if (layout.of[CG_CORE] == layout.of[CG_CPU])
		return 0;
	core = &host.trees[1];
	host.of[CG_CORE] = 1;
	return make_tree(CG_CORE, core);
}

static void remove_tree(enum cg_controller c, struct cg_tree *t)
{
	char path[CG_PATH_MAX + 80];

	for (size_t i = ARRAY_SIZE(dirs); i-- > 0;) {
		(void) snprintf(path, sizeof(path), "%s/%s%s", mount_of(c), name, dirs[i]);
		for (int tries = 0; rmdir(path) < 0 && errno == EBUSY && tries < 500; tries++)
			(void) nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	t->top = fd_close(t->top);
}

static int teardown(void **state)
{
	(void) state;
	if (resident > 0) {
		(void) kill(resident, SIGKILL);
		(void) waitpid(resident, NULL, 0);
	}
	if (cpu == NULL)
		return 0;
	if (core != cpu)
		remove_tree(CG_CORE, core);
	remove_tree(CG_CPU, cpu);
	return 0;
}

#define NEEDS_CPU()                                                                                \
	if (cpu == NULL)                                                                           \
	skip()

/* Four CPUs, a twentieth of them the host's. */
static struct top top_here(void)
{
	return top_of(&host, 4 * ALLOT_CPU, ALLOT_CPU / 5);
}

static uint32_t weight_of(const char *dir)
{
	char path[64], text[32];
	unsigned v = 0;

	(void) snprintf(path, sizeof(path), "%s/%s", dir,
			cpu->unified ? "cpu.weight" : "cpu.shares");
	assert_true(cg_read(cpu->top, path, text, sizeof(text)) > 0);
	assert_int_equal(sscanf(text, "%u", &v), 1);
	return v;
}

static void write_in(struct cg_tree *t, const char *path, const char *value)
{
	assert_int_equal(file_write_at(t->top, path, value), 0);
}

/* A process that lives in instance b, as cgroup2 sees it. */
static void inhabit_b(void)
{
	char text[16];

	resident = fork();
	if (resident == 0) {
		for (;;)
			(void) pause();
	}
	(void) snprintf(text, sizeof(text), "%d", resident);
	write_in(core, "ward/b/cgroup.procs", text);
}

static void test_one_process_of_the_host_has_its_reserve_beside_most(void **state)
{
	struct top t;

	(void) state;
	NEEDS_CPU();
	t = top_here();
	assert_int_equal(t.most, 19 * top_default(&t));
	assert_int_equal(t.rest_us, 4 * TOP_PERIOD_US * 95 / 100);
	t = top_of(&host, 4 * ALLOT_CPU, 0);
	assert_int_equal(t.most, top_greatest(&t));
}

static void test_a_great_weight_comes_with_the_quota(void **state)
{
	bool held = false;
	struct top t;

	(void) state;
	NEEDS_CPU();
	t = top_here();
	assert_int_equal(top_write(&t, top_greatest(&t)), top_greatest(&t));
	assert_int_equal(top_read(&t, &held), top_greatest(&t));
	assert_true(held);
	assert_int_equal(top_read_instance(&t), top_greatest(&t));
	assert_int_equal(top_write(&t, t.most), t.most);
	assert_int_equal(top_read(&t, &held), t.most);
	assert_false(held);
	assert_int_equal(top_write(&t, top_default(&t)), top_default(&t));
	assert_int_equal(weight_of("ward"), top_default(&t));
}

static void test_without_a_reserve_of_the_host_there_is_no_quota(void **state)
{
	bool held = true;
	struct top t;

	(void) state;
	NEEDS_CPU();
	t = top_of(&host, 4 * ALLOT_CPU, 0);
	assert_int_equal(top_write(&t, top_greatest(&t)), top_greatest(&t));
	(void) top_read(&t, &held);
	assert_false(held);
}

static void test_whoever_runs_contexts_counts(void **state)
{
	struct top a, b;

	(void) state;
	NEEDS_CPU();
	a = b = top_here();
	b.instance = "b";
	(void) top_write(&b, 5000);
	assert_int_equal(top_write(&a, 2000), 2000); /* nobody lives in b */
	inhabit_b();
	assert_int_equal(top_write(&a, 2000), 5000);
	assert_int_equal(top_read_instance(&a), 2000);
	assert_int_equal(top_write(&a, 7000), 7000);
}

/* On v1 nobody below may have a greater limit: neither is refused, and no weight is left alone. */
static void test_a_greater_limit_and_the_quota_give_way(void **state)
{
	bool held = true;
	struct top t;

	(void) state;
	NEEDS_CPU();
	if (cpu->unified)
		skip();
	t = top_here();
	write_in(cpu, "ward/b/cpu.cfs_quota_us", "400000");
	assert_int_equal(top_write(&t, top_greatest(&t)), t.most);
	(void) top_read(&t, &held);
	assert_false(held);
	write_in(cpu, "ward/b/cpu.cfs_quota_us", "-1");
	assert_int_equal(top_write(&t, top_greatest(&t)), top_greatest(&t));
	assert_int_equal(file_write_at(cpu->top, "ward/b/cpu.cfs_quota_us", "400000"), -EINVAL);
	assert_true(top_give_way(cpu));
	write_in(cpu, "ward/b/cpu.cfs_quota_us", "400000");
	assert_int_equal(top_read(&t, &held), t.most);
	assert_false(held);
	assert_false(top_give_way(cpu));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_one_process_of_the_host_has_its_reserve_beside_most, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_great_weight_comes_with_the_quota, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_without_a_reserve_of_the_host_there_is_no_quota, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whoever_runs_contexts_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_greater_limit_and_the_quota_give_way, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
