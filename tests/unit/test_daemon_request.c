/* Requests: what is taken, and that everything else is refused with a sentence. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/http/request.h"

static json_t *object(const char *text)
{
	struct err e = {};
	json_t *o = NULL;

	if (request_json(text, strlen(text), &o, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return o;
}

static void json_is_one_bounded_object(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"[]",
		"1",
		"\"x\"",
		"{} {}",
		"{\"a\": 1, \"a\": 2}",
		"{\"a\": \"\\u0000\"}",
		"{\"a\": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}",
		"{\"a\": \"\xff\"}",
		"nul",
	};
	json_t *o = object(
		"{\"a\": [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]], \"b\": \"[[[[[[[[[[[[[[[[[[[\\\"\"}");

	(void) state;
	json_decref(o);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = {};

		assert_int_equal(request_json(bad[i], strlen(bad[i]), &o, &e), -EINVAL);
		assert_true(e.text[0]);
	}
}

static void exec_is_read(void **state)
{
	json_t *o = object("{\"command\": [\"ls\", \"-l\"], \"environment\": [\"A=1\", \"B=\"], "
			   "\"user\": \"www\", \"directory\": \"/srv\", "
			   "\"terminal\": {\"rows\": 24, \"cols\": 80}}");
	struct request_exec x;
	struct err e = {};

	(void) state;
	assert_int_equal(request_exec(o, &x, &e), 0);
	json_decref(o);
	assert_int_equal(x.command.count, 2);
	assert_string_equal(x.command.items[1], "-l");
	assert_string_equal(x.environment.items[0], "A=1");
	assert_string_equal(x.user, "www");
	assert_string_equal(x.directory, "/srv");
	assert_true(x.terminal.wanted);
	assert_int_equal(x.terminal.rows, 24);
	assert_int_equal(x.terminal.cols, 80);
	request_exec_done(&x);
}

static void a_wrong_exec_is_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"command\": []}",
		"{\"command\": [\"\"]}",
		"{\"command\": \"ls\"}",
		"{\"command\": [1]}",
		"{\"command\": [\"ls\"], \"environment\": [\"A\"]}",
		"{\"command\": [\"ls\"], \"environment\": [\"=A\"]}",
		"{\"command\": [\"ls\"], \"user\": \"\"}",
		"{\"command\": [\"ls\"], \"user\": null}",
		"{\"command\": [\"ls\"], \"directory\": \"srv\"}",
		"{\"command\": [\"ls\"], \"directory\": \"/srv/../etc\"}",
		"{\"command\": [\"ls\"], \"terminal\": true}",
		"{\"command\": [\"ls\"], \"terminal\": {\"rows\": -1}}",
		"{\"command\": [\"ls\"], \"terminal\": {\"rows\": 65536}}",
		"{\"command\": [\"ls\"], \"terminal\": {\"rows\": 2.5}}",
		"{\"command\": [\"ls\"], \"terminal\": {\"lines\": 2}}",
		"{\"command\": [\"ls\"], \"commands\": 1}",
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *o = object(bad[i]);
		struct request_exec x;
		struct err e = {};

		assert_int_equal(request_exec(o, &x, &e), -EINVAL);
		assert_true(e.text[0]);
		json_decref(o);
	}
}

static void run_wants_a_spec(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"spec\": 1}",
		"{\"spec\": {}, \"detach\": 1}",
		"{\"spec\": {}, \"x\": 1}",
		"{\"spec\": {\"no-such-section\": {}}}",
		"{\"spec\": {\"context\": {\"command\": [\"a\"]}}, \"detach\": true, \"terminal\": "
		"{}}",
		"{\"spec\": {\"name\": \"../x\", \"context\": {\"command\": [\"a\"]}}}",
	};
	json_t *o =
		object("{\"spec\": {\"context\": {\"command\": [\"true\"]}}, \"terminal\": {}}");
	struct spec_errors lines = {};
	struct request_run run;
	struct err e = {};

	(void) state;
	if (request_run(o, &run, &lines, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(run.spec.context.command.items[0], "true");
	assert_true(run.terminal.wanted);
	assert_false(run.detach);
	request_run_done(&run);
	json_decref(o);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		o = object(bad[i]);
		e = (struct err){};
		assert_int_equal(request_run(o, &run, &lines, &e), -EINVAL);
		assert_true(e.text[0]);
		json_decref(o);
	}
	assert_int_equal(request_run(NULL, &run, &lines, &e), -EINVAL);
	spec_errors_done(&lines);
}

static void bodies_have_defaults(void **state)
{
	struct request_kill kill;
	struct request_stop stop;
	struct request_check check;
	struct err e = {};
	json_t *o;

	(void) state;
	assert_int_equal(request_kill(NULL, &kill, &e), 0);
	assert_int_equal(kill.sig, SIGTERM);
	assert_false(kill.all);
	assert_int_equal(request_stop(NULL, &stop, &e), 0);
	assert_int_equal(stop.timeout_us, 0);
	assert_int_equal(request_check(NULL, &check, &e), -EINVAL);
	o = object("{\"signal\": \"SIGKILL\", \"all\": true}");
	assert_int_equal(request_kill(o, &kill, &e), 0);
	assert_int_equal(kill.sig, SIGKILL);
	assert_true(kill.all);
	json_decref(o);
	o = object("{\"signal\": \"NOPE\"}");
	assert_int_equal(request_kill(o, &kill, &e), -EINVAL);
	json_decref(o);
	o = object("{\"timeout_us\": -1}");
	assert_int_equal(request_stop(o, &stop, &e), -EINVAL);
	json_decref(o);
}

static void what_if_takes_specs(void **state)
{
	static const struct {
		const char *body, *text;
	} wrong[] = {
		{ "{}", "{\"specs\": [...]} is expected" },
		{ "{\"specs\": {}}", "{\"specs\": [...]} is expected" },
		{ "{\"specs\": [{}], \"x\": 1}", "{\"specs\": [...]} is expected" },
		{ "{\"specs\": []}", "\"specs\": 1 to 256 specs are expected" },
		{ "{\"specs\": [1]}", "\"specs\"[0]: an object {...} is expected" },
		{ "{\"specs\": [{\"context\": {\"command\": [\"x\"]}}, {\"x\": 1}]}",
		  "\"specs\"[1]: " },
	};
	struct spec_errors lines = {};
	struct request_what_if q;
	struct err e = {};
	json_t *o = object("{\"specs\": [{\"name\": \"a\", \"context\": {\"command\": [\"x\"]}}]}");

	(void) state;
	assert_int_equal(request_what_if(o, &q, &lines, &e), 0);
	assert_int_equal(q.count, 1);
	assert_string_equal(q.specs[0].name, "a");
	request_what_if_done(&q);
	json_decref(o);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		o = object(wrong[i].body);
		assert_int_equal(request_what_if(o, &q, &lines, &e), -EINVAL);
		if (strncmp(e.text, wrong[i].text, strlen(wrong[i].text)) != 0)
			fail_msg("%s: %s", wrong[i].body, e.text);
		json_decref(o);
	}
	assert_int_equal(request_what_if(NULL, &q, &lines, &e), -EINVAL);
	spec_errors_done(&lines);
}

static void a_patch_is_strings(void **state)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{ "{\"cpu.limit\": \"50%\"}", 0 },
		{ "{}", -EINVAL },
		{ "{\"cpu.share\": 100}", -EINVAL },
		{ "{\"cpu.share\": null}", -EINVAL },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *o = object(rows[i].text);
		struct err e = {};

		assert_int_equal(request_patch(o, &e), rows[i].result);
		json_decref(o);
	}
}

static void lines_are_streams_or_signals(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"{\"streams\": 1}",
		"{\"streams\": \"3\"}",
		"{\"signal\": 2}",
		"{\"streams\": 3, \"signal\": \"INT\"}",
		"{\"streams\": 3, \"x\": 1}",
		"[3]",
	};
	struct request_line line;
	struct err e = {};

	(void) state;
	assert_int_equal(request_line("{\"streams\": 3}", 14, &line, &e), 0);
	assert_int_equal(line.kind, REQUEST_LINE_STREAMS);
	assert_int_equal(line.streams, 3);
	assert_int_equal(request_line("{\"signal\": \"INT\"}", 17, &line, &e), 0);
	assert_int_equal(line.kind, REQUEST_LINE_SIGNAL);
	assert_int_equal(line.sig, SIGINT);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(request_line(bad[i], strlen(bad[i]), &line, &e), -EINVAL);
}

static void parameters_are_what_the_route_allows(void **state)
{
	const unsigned allowed = REQUEST_QUERY_LINES | REQUEST_QUERY_FOLLOW;
	struct request_query q = {};
	struct err e = {};

	(void) state;
	assert_int_equal(request_query_add(&q, allowed, "lines", "10", &e), 0);
	assert_int_equal(q.lines, 10);
	assert_int_equal(q.given, REQUEST_QUERY_LINES);
	assert_int_equal(request_query_add(&q, allowed, "follow", NULL, &e), 0);
	assert_int_equal(q.follow, 1);
	assert_int_equal(request_query_add(&q, allowed, "follow", "1", &e), -EINVAL);
	q = (struct request_query){};
	assert_int_equal(request_query_add(&q, allowed, "follow", "0", &e), 0);
	assert_int_equal(q.follow, 0);
	assert_int_equal(request_query_add(&q, allowed, "lines", NULL, &e), -EINVAL);
	assert_int_equal(request_query_add(&q, allowed, "lines", "", &e), -EINVAL);
	assert_int_equal(request_query_add(&q, allowed, "lines", "-1", &e), -EINVAL);
	assert_int_equal(request_query_add(&q, allowed, "lines", "1000001", &e), -EINVAL);
	assert_int_equal(request_query_add(&q, allowed, "after", "1", &e), -EINVAL);
	assert_int_equal(request_query_add(&q, allowed, "", "1", &e), -EINVAL);
}

static void words_repeat_within_bounds(void **state)
{
	const unsigned allowed = REQUEST_QUERY_CONTEXT | REQUEST_QUERY_KIND | REQUEST_QUERY_EVENT;
	struct request_query q = {};
	struct err e = {};

	(void) state;
	for (int i = 0; i < REQUEST_WORDS_MAX; i++)
		assert_int_equal(request_query_add(&q, allowed, "context", "web.1", &e), 0);
	assert_int_equal(request_query_add(&q, allowed, "context", "one-more", &e), -EINVAL);
	assert_int_equal(q.contexts.count, REQUEST_WORDS_MAX);
	assert_int_equal(request_query_add(&q, allowed, "kind", "gave-up", &e), 0);
	assert_string_equal(q.kinds.items[0], "gave-up");
	assert_int_equal(request_query_add(&q, allowed, "kind", NULL, &e), -EINVAL);
	assert_int_equal(request_query_add(&q, allowed, "kind", "", &e), -EINVAL);
	assert_int_equal(request_query_add(&q, allowed, "kind", "a\"b", &e), -EINVAL);
	assert_int_equal(request_query_add(&q, allowed, "event", "exit", &e), 0);
	assert_int_equal(request_query_add(&q, allowed, "event", "exit", &e), -EINVAL);
	assert_string_equal(q.event, "exit");
	q = (struct request_query){};
	assert_int_equal(request_query_add(&q, allowed, "context", "../x", &e), -EINVAL);
}

static int many(const char *text, bool stop, struct request_many *q)
{
	struct err e = {};
	json_t *o = object(text);
	int r = request_many(o, stop, q, &e);

	assert_int_equal(r < 0, e.text[0] != '\0');
	json_decref(o);
	return r;
}

static void many_are_named_in_exactly_one_way(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"all\": false}",
		"{\"all\": 1}",
		"{\"all\": true, \"mark\": \"web\"}",
		"{\"contexts\": []}",
		"{\"contexts\": [\"a\", \"../b\"]}",
		"{\"contexts\": \"a\"}",
		"{\"contexts\": [\"a\"], \"all\": true}",
		"{\"mark\": \"\"}",
		"{\"mark\": \"Web\"}",
		"{\"which\": \"all\"}",
	};
	struct request_many q;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(many(bad[i], false, &q), -EINVAL);
		assert_int_equal(many(bad[i], true, &q), -EINVAL);
	}
	assert_int_equal(many("{\"contexts\": [\"a\", \"b.1\"]}", false, &q), 0);
	assert_int_equal(q.contexts.count, 2);
	request_many_done(&q);
	assert_int_equal(many("{\"all\": true, \"timeout_us\": 5}", true, &q), 0);
	assert_true(q.all && q.timeout_us == 5);
	request_many_done(&q);
	assert_int_equal(many("{\"all\": true, \"timeout_us\": 5}", false, &q), -EINVAL);
	assert_int_equal(many("{\"autostart\": true}", false, &q), 0);
	assert_true(q.autostart);
	request_many_done(&q);
	assert_int_equal(many("{\"autostart\": true}", true, &q), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_one_bounded_object),
		cmocka_unit_test(exec_is_read),
		cmocka_unit_test(a_wrong_exec_is_refused),
		cmocka_unit_test(run_wants_a_spec),
		cmocka_unit_test(bodies_have_defaults),
		cmocka_unit_test(what_if_takes_specs),
		cmocka_unit_test(a_patch_is_strings),
		cmocka_unit_test(lines_are_streams_or_signals),
		cmocka_unit_test(parameters_are_what_the_route_allows),
		cmocka_unit_test(words_repeat_within_bounds),
		cmocka_unit_test(many_are_named_in_exactly_one_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
