/* The same keys as JSON: shapes accepted, shapes refused, the path in each message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/spec.h"

static int read_text(const char *text, struct spec *s, struct spec_errors *errors)
{
	json_t *o = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);

	assert_non_null(o);
	*errors = (struct spec_errors){ 0 };
	int r = spec_read_json(s, o, errors);
	json_decref(o);
	return r;
}

static void expect_errors(const char *text, const char *const *lines)
{
	struct spec_errors errors;
	struct spec s;
	size_t i = 0;

	assert_int_equal(read_text(text, &s, &errors), -EINVAL);
	for (; lines[i]; i++) {
		assert_true(i < errors.lines.count);
		assert_string_equal(errors.lines.items[i], lines[i]);
	}
	assert_int_equal(errors.lines.count, i);
	spec_errors_done(&errors);
	spec_done(&s);
}

static void expect_error(const char *text, const char *line)
{
	expect_errors(text, (const char *const[]){ line, NULL });
}

static void test_a_whole_spec_is_read(void **state)
{
	static const char text[] =
		"{\"name\": \"web\", \"context\": {\"command\": [\"/bin/sh\", \"-c\", \"a ; "
		"'b'\\n\"],"
		"\"description\": \" \\\"as it is\\\" \", \"environment\": [\"A=x y\", \"B=\\n\"]},"
		"\"files\": {\"hide\": [\"/a b\"], \"bind\": [\"/srv:/x:rw\"], \"root\": "
		"\"/srv/r\"},"
		"\"cpu\": {\"share\": 7, \"limit\": \"150%\"}, \"memory\": {\"limit\": 1073741824},"
		"\"process\": {\"limit\": \"max\", \"umask\": \"077\"}}";
	struct spec_errors errors;
	struct spec s;

	(void) state;
	assert_int_equal(read_text(text, &s, &errors), 0);
	assert_string_equal(s.name, "web");
	assert_int_equal(s.context.command.count, 3);
	assert_string_equal(s.context.command.items[2], "a ; 'b'\n");
	assert_string_equal(s.context.description, " \"as it is\" ");
	assert_string_equal(s.context.environment.items[0], "A=x y");
	assert_string_equal(s.context.environment.items[1], "B=\n");
	assert_string_equal(s.files.hide.items[0], "/a b");
	assert_true(s.files.binds[0].writable);
	assert_int_equal(s.files.root, SPEC_ROOT_DIRECTORY);
	assert_int_equal(s.cpu.share, 7);
	assert_int_equal(s.cpu.limit_millicpu, 1500);
	assert_int_equal(s.memory.limit, 1 << 30);
	assert_true(s.process.limit == UNITS_NONE);
	assert_int_equal(s.process.umask, 077);
	spec_done(&s);
}

static void test_an_empty_object_is_the_defaults(void **state)
{
	struct spec_errors errors;
	struct spec s, defaults;

	(void) state;
	assert_int_equal(spec_init(&defaults, ""), 0);
	assert_int_equal(read_text("{}", &s, &errors), 0);
	assert_true(spec_equal(&s, &defaults));
	spec_done(&s);
	spec_done(&defaults);
}

static void test_wrong_shapes(void **state)
{
	(void) state;
	expect_error("[]", "spec: all: is an array; allowed: an object of sections");
	expect_error("7", "spec: all: is a number; allowed: an object of sections");
	expect_error("{\"cpu\": []}", "spec: cpu: is an array; allowed: an object of keys");
	expect_error("{\"cpu\": {\"share\": true}}",
		     "spec: cpu.share: is true; allowed: a whole number or a string");
	expect_error("{\"cpu\": {\"share\": 1.5}}",
		     "spec: cpu.share: is a fraction; allowed: a whole number or a string");
	expect_error("{\"cpu\": {\"share\": null}}",
		     "spec: cpu.share: is null; allowed: a whole number or a string");
	expect_error("{\"cpu\": {\"limit\": 150}}",
		     "spec: cpu.limit: is a number; allowed: a string");
	expect_error("{\"process\": {\"umask\": 22}}",
		     "spec: process.umask: is a number; allowed: a string");
	expect_error("{\"context\": {\"command\": \"sh\"}}",
		     "spec: context.command: is a string; allowed: an array of strings");
	expect_error("{\"context\": {\"command\": [\"sh\", [[[[]]]]]}}",
		     "spec: context.command[1]: is an array; allowed: a string");
	expect_error("{\"files\": {\"bind\": {\"a\": 1}}}",
		     "spec: files.bind: is an object; allowed: an array of strings");
	expect_error("{\"name\": 7}", "spec: name: is a number; allowed: a string");
}

static void test_wrong_values(void **state)
{
	(void) state;
	expect_error("{\"cpu\": {\"share\": -1}}",
		     "spec: cpu.share: \"-1\" is not a number; allowed: 1..10000");
	expect_error("{\"cpu\": {\"share\": 10001}}",
		     "spec: cpu.share: \"10001\" is out of range; allowed: 1..10000");
	expect_error("{\"memory\": {\"limit\": \"1Q\"}}",
		     "spec: memory.limit: \"1Q\" is not a size; allowed: 1M..1024T or max");
	expect_error("{\"files\": {\"hide\": [\"/a\", \"b\"]}}",
		     "spec: files.hide[1]: \"b\" is not a clean absolute path; allowed: absolute "
		     "paths, no . or .. in them");
	expect_error("{\"name\": \"../x\"}",
		     "spec: name: is not a name; allowed: [a-z0-9][a-z0-9._-]{0,62}");
	expect_error("{\"name\": \"a\\u0000b\"}",
		     "spec: name: is not a name; allowed: [a-z0-9][a-z0-9._-]{0,62}");
	expect_error("{\"context\": {\"command\": [\"a\\u0000b\"]}}",
		     "spec: context.command[0]: has a NUL byte");
	expect_error(
		"{\"context\": {\"description\": \"a\\nb\"}}",
		"spec: context.description: \"a?b\" has a control character; allowed: one line "
		"of text");
}

static void test_unknown_names(void **state)
{
	(void) state;
	expect_error("{\"cpu\": {\"limt\": \"5%\"}}",
		     "spec: cpu.limt: no such key; did you mean limit? allowed: share, reserve, "
		     "limit, burst, "
		     "cpus, mems");
	expect_error("{\"cpuu\": {}}", "spec: cpuu: no such section; did you mean cpu? allowed: "
				       "context, files, process, cpu, memory, io, network, hooks");
	expect_error("{\"\": {}}",
		     "spec: : no such section; allowed: context, files, process, cpu, "
		     "memory, io, network, hooks");
}

static void test_all_errors_at_once(void **state)
{
	(void) state;
	expect_errors("{\"cpu\": {\"share\": 0, \"x\": 1}, \"network\": {\"mode\": \"y\"}}",
		      (const char *const[]){
			      "spec: cpu.share: \"0\" is out of range; allowed: 1..10000",
			      "spec: cpu.x: no such key; allowed: share, reserve, limit, burst, "
			      "cpus, mems",
			      "spec: network.mode: \"y\" is unknown; allowed: none, private, "
			      "host, shared",
			      NULL });
}

static void test_what_is_written(void **state)
{
	struct spec s;

	(void) state;
	assert_int_equal(spec_init(&s, "x"), 0);
	assert_int_equal(spec_set(&s, "context.command", "echo 'a b'", NULL), 0);
	assert_int_equal(spec_set(&s, "cpu.share", "7", NULL), 0);
	assert_int_equal(spec_set(&s, "memory.limit", "64M", NULL), 0);
	assert_int_equal(spec_set(&s, "files.tmpfs", "/tmp:1M", NULL), 0);
	json_t *o = spec_write_json(&s, false);
	char *text = json_dumps(o, JSON_COMPACT);
	assert_string_equal(text, "{\"name\":\"x\",\"context\":{\"command\":[\"echo\",\"a b\"]},"
				  "\"files\":{\"tmpfs\":[\"/tmp:1M\"]},\"cpu\":{\"share\":7},"
				  "\"memory\":{\"limit\":\"64M\"}}");
	free(text);
	json_decref(o);

	o = spec_write_json(&s, true);
	struct spec_key_info info;
	for (size_t i = 0; spec_key_info(i, &info); i++)
		assert_non_null(json_object_get(json_object_get(o, info.section), info.name));
	json_decref(o);
	spec_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_spec_is_read),
		cmocka_unit_test(test_an_empty_object_is_the_defaults),
		cmocka_unit_test(test_wrong_shapes),
		cmocka_unit_test(test_wrong_values),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_all_errors_at_once),
		cmocka_unit_test(test_what_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
