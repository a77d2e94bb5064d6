/* The ring of events: numbers, order, overtaken readers, waking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "daemon/events.h"

static json_t *line_of(const struct events *e, uint64_t after, uint64_t *ret_seq)
{
	const char *line = events_next(e, after, ret_seq);
	json_t *o;

	assert_non_null(line);
	assert_int_equal(line[strlen(line) - 1], '\n');
	o = json_loads(line, 0, NULL);
	assert_non_null(o);
	return o;
}

static void an_event_is_one_line_of_json(void **state)
{
	struct events *e;
	uint64_t seq = 0;
	json_t *o;

	(void) state;
	assert_int_equal(events_new(&e), 0);
	assert_null(events_next(e, 0, &seq));
	events_add(e, "exited", "web", json_pack("{s:i, s:s}", "status", 3, "te\"xt", "a\nb"));
	assert_int_equal(events_last(e), 1);
	o = line_of(e, 0, &seq);
	assert_int_equal(seq, 1);
	assert_int_equal(json_integer_value(json_object_get(o, "seq")), 1);
	assert_true(json_integer_value(json_object_get(o, "time")) > 0);
	assert_string_equal(json_string_value(json_object_get(o, "kind")), "exited");
	assert_string_equal(json_string_value(json_object_get(o, "context")), "web");
	assert_string_equal(json_string_value(json_object_get(o, "te\"xt")), "a\nb");
	json_decref(o);
	assert_null(events_next(e, 1, &seq));
	assert_null(events_next(e, UINT64_MAX, &seq));
	events_free(e);
}

static void odd_strings_are_escaped(void **state)
{
	struct events *e;
	uint64_t seq;
	json_t *o;

	(void) state;
	assert_int_equal(events_new(&e), 0);
	events_add(e, "changed", "a\"\\\n", NULL);
	events_add(e, "changed", NULL, NULL);
	o = line_of(e, 0, &seq);
	assert_string_equal(json_string_value(json_object_get(o, "context")), "a\"\\\n");
	json_decref(o);
	o = line_of(e, seq, &seq);
	assert_null(json_object_get(o, "context"));
	json_decref(o);
	events_free(e);
}

static void a_slow_reader_sees_the_gap(void **state)
{
	struct events *e;
	uint64_t seq = 0, count = 0;

	(void) state;
	assert_int_equal(events_new(&e), 0);
	for (int i = 0; i < EVENTS_MAX + 10; i++)
		events_add(e, "started", "web", NULL);
	assert_non_null(events_next(e, 3, &seq));
	assert_int_equal(seq, 11);
	for (seq = 0; events_next(e, seq, &seq);)
		count++;
	assert_int_equal(count, EVENTS_MAX);
	assert_int_equal(seq, events_last(e));
	events_free(e);
}

struct waker {
	struct events *events;
	unsigned calls;
	struct waker *removes;
};

static void on_wake(void *arg)
{
	struct waker *w = arg;

	w->calls++;
	if (w->removes)
		events_unwatch(w->events, on_wake, w->removes);
}

static void readers_may_leave_while_they_are_woken(void **state)
{
	struct waker w[20] = {};
	struct events *e;

	(void) state;
	assert_int_equal(events_new(&e), 0);
	for (size_t i = 0; i < 20; i++) {
		w[i].events = e;
		assert_int_equal(events_watch(e, on_wake, &w[i]), 0);
	}
	w[3].removes = &w[3];
	w[4].removes = &w[5];
	events_add(e, "started", "web", NULL);
	events_unwatch(e, on_wake, &w[0]);
	events_add(e, "started", "web", NULL);
	assert_int_equal(w[0].calls, 1);
	assert_int_equal(w[3].calls, 1);
	assert_int_equal(w[4].calls, 2);
	assert_int_equal(w[5].calls, 0);
	assert_int_equal(w[19].calls, 2);
	events_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_one_line_of_json),
		cmocka_unit_test(odd_strings_are_escaped),
		cmocka_unit_test(a_slow_reader_sees_the_gap),
		cmocka_unit_test(readers_may_leave_while_they_are_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
