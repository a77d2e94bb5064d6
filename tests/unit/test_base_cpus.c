/* Lists of CPUs, in and out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/cpus.h"

static void expect(const char *text, unsigned count, const char *printed)
{
	struct buf out = {};
	struct cpus c;

	assert_int_equal(cpus_parse(text, &c), 0);
	assert_int_equal(cpus_count(&c), count);
	cpus_print(&c, &out);
	assert_string_equal(out.data ? out.data : "", printed);
	buf_done(&out);
}

static void test_lists(void **state)
{
	(void) state;
	expect("", 0, "");
	expect("0", 1, "0");
	expect("0-1,3", 3, "0-1,3");
	expect("3,1,2,0", 4, "0-3");
	expect("0-3,2-5", 6, "0-5");
	expect("63-64,8191", 3, "63-64,8191");
	expect("1,8192,99999999999999999999", 1, "1");
}

static void test_refusals(void **state)
{
	static const char *const wrong[] = { "a", "-1", "1-", "2-1", "1,,2", ",", "1,", "1 2" };
	struct cpus c = { .bits = { 5 } };

	(void) state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(cpus_parse(wrong[i], &c), -EINVAL);
	assert_int_equal(c.bits[0], 5);
}

static void test_sets(void **state)
{
	struct cpus a, b;

	(void) state;
	assert_int_equal(cpus_parse("0-3", &a), 0);
	assert_int_equal(cpus_parse("2-70", &b), 0);
	cpus_keep(&a, &b);
	assert_int_equal(cpus_count(&a), 2);
	assert_true(cpus_has(&a, 3));
	assert_false(cpus_has(&a, 4));
	assert_false(cpus_has(&a, CPUS_MAX));
	assert_int_equal(cpus_allowed(&a), 0);
	assert_true(cpus_count(&a) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
