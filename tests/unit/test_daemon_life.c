/* The life table is total, and its rules are those the manual states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/life.h"

static void test_every_cell_goes_somewhere_or_says_why(void **state)
{
	(void) state;
	for (enum life_state s = 0; s < LIFE_STATE_COUNT; s++) {
		for (enum life_event ev = 0; ev < LIFE_EVENT_COUNT; ev++) {
			const struct life_cell *c = life_look(s, ev);

			assert_true(c->next < LIFE_STATE_COUNT);
			if (c->refusal) { /* a refusal changes nothing */
				assert_int_equal(c->next, s);
			}
		}
	}
}

static void test_an_exit_always_ends_in_stopped(void **state)
{
	(void) state;
	for (enum life_state s = 0; s < LIFE_STATE_COUNT; s++) {
		assert_null(life_look(s, LIFE_EXITED)->refusal);
		assert_int_equal(life_look(s, LIFE_EXITED)->next, LIFE_STOPPED);
	}
}

static void test_a_stop_is_never_refused(void **state)
{
	(void) state;
	for (enum life_state s = 0; s < LIFE_STATE_COUNT; s++) {
		assert_null(life_look(s, LIFE_STOP)->refusal);
	}
}

static void test_only_a_stopped_context_starts(void **state)
{
	(void) state;
	for (enum life_state s = 0; s < LIFE_STATE_COUNT; s++) {
		assert_int_equal(life_look(s, LIFE_START)->refusal == NULL, s == LIFE_STOPPED);
	}
}

static void test_names_are_complete(void **state)
{
	(void) state;
	for (enum life_state s = 0; s < LIFE_STATE_COUNT; s++) {
		assert_non_null(life_state_name(s));
	}
	for (enum life_event ev = 0; ev < LIFE_EVENT_COUNT; ev++) {
		assert_non_null(life_event_name(ev));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell_goes_somewhere_or_says_why),
		cmocka_unit_test(test_an_exit_always_ends_in_stopped),
		cmocka_unit_test(test_a_stop_is_never_refused),
		cmocka_unit_test(test_only_a_stopped_context_starts),
		cmocka_unit_test(test_names_are_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
