/* Events: numbers, order, overtaken readers, filters, waking; with and without a history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "daemon/events.h"

/* What a reader was shown, one number or "lost N-M" each. */
struct shown {
	char text[4096];
	size_t len;
	uint64_t count, last, lost;
	uint64_t max; /* takes no more than so many; 0: all */
};

static bool take(void *arg, const struct event *ev)
{
	struct shown *s = arg;
	int n;

	if (s->max && s->count == s->max)
		return false;
	s->count++;
	assert_true(ev->seq > s->last);
	if (ev->lost) {
		assert_int_equal(ev->lost_after, s->last);
		s->lost += ev->seq - ev->lost_after;
	}
	s->last = ev->seq;
	if (s->len + 64 > sizeof(s->text))
		return true;
	n = ev->lost ? snprintf(s->text + s->len, 64, "lost %llu-%llu ",
				(unsigned long long) ev->lost_after + 1,
				(unsigned long long) ev->seq)
		     : snprintf(s->text + s->len, 64, "%llu ", (unsigned long long) ev->seq);
	s->len += (size_t) n;
	return true;
}

static void walk(struct events *e, uint64_t after, const struct event_filter *f, struct shown *s)
{
	struct events_cursor c = { .seq = after };

	*s = (struct shown){ .last = after, .max = s->max };
	while (events_walk(e, &c, f, take, s))
		;
}

static bool parse(void *arg, const struct event *ev)
{
	json_t *o = json_loadb(ev->line, ev->len, 0, NULL);

	assert_non_null(o);
	assert_int_equal(ev->line[ev->len - 1], '\n');
	assert_null(memchr(ev->line, '\n', ev->len - 1));
	json_decref(*(json_t **) arg);
	*(json_t **) arg = o;
	return true;
}

static json_t *last_of(struct events *e)
{
	struct events_cursor c = { .seq = events_last(e) - 1 };
	json_t *o = NULL;

	(void) events_walk(e, &c, NULL, parse, &o);
	assert_non_null(o);
	return o;
}

static void an_event_is_one_line_of_json(void **state)
{
	struct shown s = {};
	struct events *e;
	json_t *o;

	(void) state;
	assert_int_equal(events_new(NULL, &e), 0);
	walk(e, 0, NULL, &s);
	assert_int_equal(s.count, 0);
	events_add(e, "exited", "web", json_pack("{s:i, s:s}", "status", 3, "te\"xt", "a\nb"));
	assert_int_equal(events_last(e), 1);
	o = last_of(e);
	assert_int_equal(json_integer_value(json_object_get(o, "seq")), 1);
	assert_true(json_integer_value(json_object_get(o, "time")) > 0);
	assert_string_equal(json_string_value(json_object_get(o, "kind")), "exited");
	assert_string_equal(json_string_value(json_object_get(o, "context")), "web");
	assert_string_equal(json_string_value(json_object_get(o, "te\"xt")), "a\nb");
	json_decref(o);
	walk(e, 1, NULL, &s);
	assert_int_equal(s.count, 0);
	walk(e, UINT64_MAX, NULL, &s);
	assert_int_equal(s.count, 0);
	events_free(e);
}

static void odd_strings_are_escaped(void **state)
{
	struct events *e;
	json_t *o;

	(void) state;
	assert_int_equal(events_new(NULL, &e), 0);
	events_add(e, "changed", "a\"\\", NULL);
	o = last_of(e);
	assert_string_equal(json_string_value(json_object_get(o, "context")), "a\"\\");
	json_decref(o);
	events_add(e, "changed", NULL, NULL);
	o = last_of(e);
	assert_null(json_object_get(o, "context"));
	json_decref(o);
	events_free(e);
}

static void a_huge_event_loses_its_details(void **state)
{
	_cleanup_free_ char *big = malloc(EVENTS_LINE_MAX + 1);
	struct events *e;
	json_t *o;

	(void) state;
	assert_non_null(big);
	memset(big, 'x', EVENTS_LINE_MAX);
	big[EVENTS_LINE_MAX] = '\0';
	assert_int_equal(events_new(NULL, &e), 0);
	events_add(e, "changed", "web", json_pack("{s:s}", "keys", big));
	o = last_of(e);
	assert_true(json_is_true(json_object_get(o, "cut")));
	assert_null(json_object_get(o, "keys"));
	json_decref(o);
	events_free(e);
}

static void a_line_that_is_not_ours_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"{}\n",
		"{\"seq\": 1, \"time\": 2, \"kind\": \"x\"}",
		"{\"seq\": 1, \"time\": 2, \"kind\": \"x\n",
		"{\"seq\": , \"time\": 2, \"kind\": \"x\"}\n",
		"{\"seq\": 1, \"time\": 2, \"kind\": \"x\\\"}\n",
		"{\"seq\": 1, \"time\": 2, \"kind\": \"x\", \"context\": \"y}\n",
	};
	struct event ev;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(event_parse(bad[i], strlen(bad[i]), &ev));
}

static void a_slow_reader_is_told_what_it_lost(void **state)
{
	struct shown s = {};
	struct events *e;

	(void) state;
	assert_int_equal(events_new(NULL, &e), 0);
	for (int i = 0; i < 2 * EVENTS_MAX; i++)
		events_add(e, "started", "web", NULL);
	walk(e, 3, NULL, &s);
	assert_int_equal(s.last, 2 * EVENTS_MAX);
	assert_int_equal(s.count - 1 + s.lost, 2 * EVENTS_MAX - 3);
	assert_true(s.lost > 0);
	assert_memory_equal(s.text, "lost 4-", 7);
	s.max = 3; /* takes three at a time and goes on where it stood */
	walk(e, 2 * EVENTS_MAX - 5, NULL, &s);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.last, 2 * EVENTS_MAX - 2);
	events_free(e);
}

static void the_ring_holds_lines_of_any_length(void **state)
{
	char text[6000];
	struct events *e;
	struct shown s = {};

	(void) state;
	assert_int_equal(events_new(NULL, &e), 0);
	srandom(7);
	for (int i = 0; i < 5000; i++) {
		size_t n = (size_t) random() % (i % 100 ? 300 : sizeof(text));

		memset(text, 'a' + i % 26, sizeof(text));
		text[n ? n - 1 : 0] = '\0';
		events_add(e, "changed", "web", json_pack("{s:s}", "t", text));
	}
	walk(e, 0, NULL, &s);
	assert_int_equal(s.last, 5000);
	assert_int_equal(s.count - 1 + s.lost, 5000);
	assert_in_range(s.count, 500, EVENTS_MAX + 1);
	events_free(e);
}

static void filters_pass_over(void **state)
{
	const char *kinds[] = { "started", "oom" }, *contexts[] = { "web" };
	struct event_filter f = { contexts, kinds, 1, 2, 0 };
	struct shown s = {};
	struct events *e;

	(void) state;
	assert_int_equal(events_new(NULL, &e), 0);
	events_add(e, "started", "web", NULL);
	events_add(e, "started", "webb", NULL);
	events_add(e, "oom", "web", NULL);
	events_add(e, "exited", "web", NULL);
	events_add(e, "started", NULL, NULL);
	events_add(e, "started", "web", NULL);
	walk(e, 0, &f, &s);
	assert_string_equal(s.text, "1 3 6 ");
	assert_int_equal(events_tail(e, &f, 2), 2);
	assert_int_equal(events_tail(e, &f, 9), 0);
	assert_int_equal(events_tail(e, NULL, 2), 4);
	assert_int_equal(events_tail(e, NULL, 0), 6);
	f.since_us = UINT64_MAX;
	walk(e, 0, &f, &s);
	assert_int_equal(s.count, 0);
	events_free(e);
}

static struct history *open_history(const char *directory)
{
	struct history_config config = { directory, 64u << 10, 4, "a-boot" };
	struct history *h = NULL;
	struct err e = {};

	if (history_open(&config, &h, &e) < 0)
		fail_msg("%s", e.text);
	return h;
}

static void what_the_ring_dropped_comes_from_disk(void **state)
{
	char directory[] = "/tmp/ward-events.XXXXXX";
	struct shown s = {};
	struct events *e;

	(void) state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(events_new(open_history(directory), &e), 0);
	for (int i = 0; i < 3000; i++)
		events_add(e, "started", "web", NULL);
	walk(e, 0, NULL, &s);
	assert_int_equal(s.lost, 0);
	assert_int_equal(s.count, 3000);
	s.max = 7; /* stops inside a chunk from disk */
	walk(e, 10, NULL, &s);
	assert_string_equal(s.text, "11 12 13 14 15 16 17 ");
	for (int i = 0; i < 3000; i++)
		events_add(e, "started", "web", NULL);
	s.max = 0;
	walk(e, 0, NULL, &s); /* the oldest segment is gone */
	assert_true(s.lost > 0);
	assert_int_equal(s.count - 1 + s.lost, 6000);
	assert_int_equal(events_oldest(e), s.lost);
	events_free(e);
	/* the next daemon goes on, and has the newest in memory */
	assert_int_equal(events_new(open_history(directory), &e), 0);
	assert_int_equal(events_last(e), 6000);
	assert_int_equal(events_add(e, "started", "web", NULL), 6001);
	walk(e, 5000, NULL, &s);
	assert_int_equal(s.count, 1001);
	assert_int_equal(s.lost, 0);
	events_free(e);
	assert_int_equal(tree_remove_at(-1, directory), 0);
}

struct waker {
	struct events *events;
	unsigned calls;
	struct waker *removes;
	bool adds;
};

static void on_wake(void *arg)
{
	struct waker *w = arg;

	w->calls++;
	if (w->removes)
		events_unwatch(w->events, on_wake, w->removes);
	if (w->adds) {
		w->adds = false;
		events_add(w->events, "exited", "web", NULL);
	}
}

static void readers_may_leave_while_they_are_woken(void **state)
{
	struct waker w[20] = {};
	struct events *e;

	(void) state;
	assert_int_equal(events_new(NULL, &e), 0);
	for (size_t i = 0; i < 20; i++) {
		w[i].events = e;
		assert_int_equal(events_watch(e, NULL, on_wake, &w[i]), 0);
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

static void readers_are_woken_for_what_they_want(void **state)
{
	const char *exited[] = { "exited" }, *started[] = { "started" };
	struct event_filter ends = { .kinds = exited, .kind_count = 1 };
	struct event_filter starts = { .kinds = started, .kind_count = 1 };
	struct waker w[2] = {};
	struct events *e;

	(void) state;
	assert_int_equal(events_new(NULL, &e), 0);
	w[0] = (struct waker){ .events = e, .adds = true };
	w[1] = (struct waker){ .events = e };
	assert_int_equal(events_watch(e, &ends, on_wake, &w[1]), 0);
	assert_int_equal(events_watch(e, &starts, on_wake, &w[0]), 0);
	events_add(e, "frozen", "web", NULL);
	assert_int_equal(w[0].calls + w[1].calls, 0);
	/* one who is woken adds the event that the other, asked before, waits for */
	events_add(e, "started", "web", NULL);
	assert_int_equal(w[0].calls, 1);
	assert_int_equal(w[1].calls, 1);
	events_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_one_line_of_json),
		cmocka_unit_test(odd_strings_are_escaped),
		cmocka_unit_test(a_huge_event_loses_its_details),
		cmocka_unit_test(a_line_that_is_not_ours_is_refused),
		cmocka_unit_test(a_slow_reader_is_told_what_it_lost),
		cmocka_unit_test(the_ring_holds_lines_of_any_length),
		cmocka_unit_test(filters_pass_over),
		cmocka_unit_test(what_the_ring_dropped_comes_from_disk),
		cmocka_unit_test(readers_may_leave_while_they_are_woken),
		cmocka_unit_test(readers_are_woken_for_what_they_want),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
