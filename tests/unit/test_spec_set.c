/* One key at a time, as --set and the API give it: all or nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spec/spec.h"

static void expect_set_error(const char *key, const char *value, int code, const char *message)
{
	struct err e = { 0 };
	struct spec s, before;

	assert_int_equal(spec_init(&s, ""), 0);
	assert_int_equal(spec_set(&s, "files.hide", "/kept", &e), 0);
	assert_int_equal(spec_copy(&before, &s), 0);
	assert_int_equal(spec_set(&s, key, value, &e), code);
	assert_string_equal(e.text, message);
	assert_true(spec_equal(&s, &before));
	spec_done(&s);
	spec_done(&before);
}

static void test_a_refused_set_changes_nothing(void **state)
{
	(void) state;
	expect_set_error(
		"cpu.limt", "1%", -ENOENT,
		"cpu.limt: no such key; did you mean limit? allowed: share, reserve, limit, burst, "
		"cpus, mems");
	expect_set_error("share", "1", -ENOENT, "share: no such key; keys are SECTION.NAME");
	expect_set_error("cpus.share", "1", -ENOENT,
			 "cpus.share: no such section; did you mean cpu? allowed: context, files, "
			 "process, cpu, memory, io, network, hooks");
	expect_set_error(
		"files.hide", "/new\nold", -EINVAL,
		"files.hide: \"old\" is not a clean absolute path; allowed: absolute paths, "
		"no . or .. in them");
	expect_set_error("context.description", "\xff", -EINVAL,
			 "context.description: is not UTF-8");
	expect_set_error("cpu.share", "", -EINVAL,
			 "cpu.share: \"\" is not a number; allowed: 1..10000");
}

static void test_set_replaces_and_empties_lists(void **state)
{
	struct spec s;

	(void) state;
	assert_int_equal(spec_init(&s, ""), 0);
	assert_int_equal(spec_set(&s, "files.hide", "/a /b\n\n/c\n", NULL), 0);
	assert_int_equal(s.files.hide.count, 3);
	assert_int_equal(spec_set(&s, "files.hide", "/d", NULL), 0);
	assert_int_equal(s.files.hide.count, 1);
	assert_int_equal(spec_set(&s, "files.hide", "", NULL), 0);
	assert_int_equal(s.files.hide.count, 0);
	assert_int_equal(spec_set(&s, "cpu.cpus", "0", NULL), 0);
	assert_int_equal(spec_set(&s, "cpu.cpus", "", NULL), 0);
	assert_null(s.cpu.cpus);
	spec_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_refused_set_changes_nothing),
		cmocka_unit_test(test_set_replaces_and_empties_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
