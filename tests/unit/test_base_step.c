/* Steps: order, undo in reverse of exactly what ran, errors that name the step and its object. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/step.h"

static struct arena arena;
static struct step_list list;
static char trace[256]; /* "+a" ran, "-a" was undone */

static int setup(void **state)
{
	(void) state;
	trace[0] = '\0';
	assert_int_equal(arena_init(&arena, 256 * 1024), 0);
	return steps_init(&list, &arena);
}

static int teardown(void **state)
{
	(void) state;
	steps_done(&list);
	arena_done(&arena);
	return 0;
}

static void record(char sign, const char *name)
{
	size_t len = strlen(trace);

	(void) snprintf(trace + len, sizeof(trace) - len, "%c%s", sign, name);
}

static int run_ok(void *arg, struct err *e)
{
	(void) e;
	record('+', arg);
	return 0;
}

static int run_silent_failure(void *arg, struct err *e)
{
	(void) e;
	record('!', arg);
	return -ENOSPC;
}

static int run_telling_failure(void *arg, struct err *e)
{
	record('!', arg);
	return err_set(e, -EPERM, "mounting \"/x\" is not allowed");
}

static void undo(void *arg)
{
	record('-', arg);
}

static void add(const char *name, enum step_phase phase, int (*run)(void *, struct err *),
		const char *object)
{
	const struct step s = {
		.name = name,
		.object = object,
		.phase = phase,
		.run = run,
		.undo = phase == STEP_PARENT && strcmp(name, "c") != 0 ? undo : NULL,
		.arg = (void *) (uintptr_t) name,
	};

	assert_int_equal(steps_add(&list, s), 0);
}

static void parent_steps_run_in_order_and_are_undone_in_reverse(void **state)
{
	struct err e;

	(void) state;
	add("a", STEP_PARENT, run_ok, NULL);
	add("x", STEP_CHILD, run_ok, NULL);
	add("b", STEP_PARENT, run_ok, NULL);
	add("c", STEP_PARENT, run_ok, NULL); /* has nothing to undo */
	add("y", STEP_COMMAND, run_ok, NULL);
	add("d", STEP_PARENT, run_ok, NULL);
	assert_int_equal(steps_run_parent(&list, &e), 0);
	assert_string_equal(trace, "+a+b+c+d");
	steps_undo(&list);
	assert_string_equal(trace, "+a+b+c+d-d-b-a");
	steps_undo(&list); /* once is enough */
	assert_string_equal(trace, "+a+b+c+d-d-b-a");
}

static void a_failure_undoes_what_ran_and_no_more(void **state)
{
	struct err e;

	(void) state;
	add("a", STEP_PARENT, run_ok, NULL);
	add("b", STEP_PARENT, run_ok, NULL);
	add("fails", STEP_PARENT, run_silent_failure, "/some/where");
	add("d", STEP_PARENT, run_ok, NULL);
	assert_int_equal(steps_run_parent(&list, &e), -ENOSPC);
	assert_string_equal(trace, "+a+b!fails-b-a");
	assert_int_equal(e.code, -ENOSPC);
	assert_string_equal(e.text, "fails /some/where: No space left on device");
}

static void phases_are_run_apart(void **state)
{
	struct err e;

	(void) state;
	add("a", STEP_PARENT, run_ok, NULL);
	add("x", STEP_CHILD, run_ok, NULL);
	add("y", STEP_COMMAND, run_ok, NULL);
	add("z", STEP_CHILD, run_telling_failure, "/x");
	add("zz", STEP_CHILD, run_ok, NULL);
	assert_int_equal(steps_run_child(&list, STEP_COMMAND, &e), 0);
	assert_int_equal(steps_run_child(&list, STEP_CHILD, &e), -EPERM);
	assert_string_equal(trace, "+y+x!z");
	/* The reason names the object already: it is not said twice. */
	assert_string_equal(e.text, "z: mounting \"/x\" is not allowed");
	assert_int_equal(steps_run_child(&list, STEP_CHILD, NULL), -EPERM);
}

static void an_old_error_is_not_taken_for_a_new_one(void **state)
{
	struct err e;

	(void) state;
	(void) err_set(&e, -EPERM, "from before");
	add("fails", STEP_PARENT, run_silent_failure, NULL);
	assert_int_equal(steps_run_parent(&list, &e), -ENOSPC);
	assert_string_equal(e.text, "fails: No space left on device");
}

static void a_child_sees_the_list(void **state)
{
	int order[2], status;
	char byte;

	(void) state;
	assert_int_equal(pipe2(order, O_CLOEXEC), 0);
	pid_t pid = fork(); /* parked before its steps are known */
	assert_true(pid >= 0);
	if (pid == 0) {
		if (read(order[0], &byte, 1) != 1)
			_exit(2);
		_exit(list.steps[0].run == run_ok && strcmp(list.steps[0].name, "own") == 0 ? 0
											    : 1);
	}
	char *name = arena_strdup(&arena, "own");
	assert_non_null(name);
	add(name, STEP_CHILD, run_ok, NULL);
	assert_int_equal(write(order[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fd_close(order[0]);
	fd_close(order[1]);
}

static void lists_have_their_maximum(void **state)
{
	(void) state;
	for (int i = 0; i < STEP_LIST_MAX; i++)
		add("a", STEP_PARENT, run_ok, NULL);
	assert_int_equal(steps_add(&list, (struct step){ .name = "b", .run = run_ok }), -E2BIG);
}

static void given_descriptors_are_owned(void **state)
{
	int *slots = arena_alloc(&arena, sizeof(int) * (STEP_FDS_MAX + 1));

	(void) state;
	assert_non_null(slots);
	int first = dup(STDIN_FILENO);
	assert_int_equal(steps_give_fd(&list, &slots[0], first), 0);
	assert_int_equal(slots[0], first);
	for (int i = 1; i < STEP_FDS_MAX; i++)
		assert_int_equal(steps_give_fd(&list, &slots[i], dup(STDIN_FILENO)), 0);
	int refused = dup(STDIN_FILENO);
	assert_int_equal(steps_give_fd(&list, &slots[STEP_FDS_MAX], refused), -EMFILE);
	assert_int_equal(fcntl(refused, F_GETFD), -1);
	steps_done(&list);
	assert_int_equal(slots[0], -1);
	assert_int_equal(fcntl(first, F_GETFD), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(parent_steps_run_in_order_and_are_undone_in_reverse),
		TEST(a_failure_undoes_what_ran_and_no_more),
		TEST(phases_are_run_apart),
		TEST(an_old_error_is_not_taken_for_a_new_one),
		TEST(a_child_sees_the_list),
		TEST(lists_have_their_maximum),
		TEST(given_descriptors_are_owned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
