/* What contexts are entitled to on disks: which values are taken, and which refused how. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spec/spec.h"

#define ALLOWED "; allowed: DEVICE and a weight of 1..1000: /dev/vda 200"

static void refused_for(const char *key, const char *value, const char *text)
{
	struct err e = { 0 };
	struct spec s;

	assert_int_equal(spec_init(&s, "t"), 0);
	assert_int_equal(spec_set(&s, key, value, &e), -EINVAL);
	assert_string_equal(e.text, text);
	assert_int_equal(s.io.share_count, 0);
	assert_int_equal(s.io.reserve_count, 0);
	spec_done(&s);
}

static void refused(const char *value, const char *text)
{
	refused_for("io.share", value, text);
}

static void test_shares_that_are_none_are_refused(void **state)
{
	(void) state;
	refused("vda 100", "io.share: \"vda\" is not a path below /dev" ALLOWED);
	refused("/dev/vda", "io.share: \"/dev/vda\" is not a device and a weight" ALLOWED);
	refused("/dev/vda 1 2", "io.share: \"/dev/vda 1 2\" is not a device and a weight" ALLOWED);
	refused("/dev/vda 0", "io.share: \"0\" is no weight" ALLOWED);
	refused("/dev/vda 1001", "io.share: \"1001\" is no weight" ALLOWED);
	refused("/dev/vda -5", "io.share: \"-5\" is no weight" ALLOWED);
}

static void test_shares_are_kept_by_device(void **state)
{
	struct buf b = { 0 };
	struct spec s;

	(void) state;
	assert_int_equal(spec_init(&s, "t"), 0);
	assert_int_equal(spec_set(&s, "io.share", "/dev/vda 1\n/dev/vdb 1000", NULL), 0);
	assert_int_equal(s.io.share_count, 2);
	assert_int_equal(s.io.shares[1].amount, 1000);
	assert_int_equal(spec_get(&s, "io.share", &b, NULL), 0);
	assert_string_equal(b.data, "/dev/vda 1\n/dev/vdb 1000");
	buf_done(&b);
	assert_int_equal(spec_set(&s, "io.share", "", NULL), 0);
	assert_int_equal(s.io.share_count, 0);
	spec_done(&s);
}

#define PARTS "; allowed: DEVICE and 0.1%..100% of what it does: /dev/vda 30%"

static void no_part(const char *value, const char *text)
{
	refused_for("io.reserve", value, text);
}

static void test_reserves_that_are_none_are_refused(void **state)
{
	(void) state;
	no_part("vda 30%", "io.reserve: \"vda\" is not a path below /dev" PARTS);
	no_part("/dev/vda", "io.reserve: \"/dev/vda\" is not a device and a percentage" PARTS);
	no_part("/dev/vda 1% 2%",
		"io.reserve: \"/dev/vda 1% 2%\" is not a device and a percentage" PARTS);
	no_part("/dev/vda 30", "io.reserve: \"30\" is no part of a disk" PARTS);
	no_part("/dev/vda 0%", "io.reserve: \"0%\" is no part of a disk" PARTS);
	no_part("/dev/vda 100.1%", "io.reserve: \"100.1%\" is no part of a disk" PARTS);
	no_part("/dev/vda -5%", "io.reserve: \"-5%\" is no part of a disk" PARTS);
	no_part("/dev/vda 30%m", "io.reserve: \"30%m\" is no part of a disk" PARTS);
	no_part("/dev/vda max", "io.reserve: \"max\" is no part of a disk" PARTS);
	no_part("/dev/vda %", "io.reserve: \"%\" is no part of a disk" PARTS);
}

static void test_reserves_are_kept_by_device(void **state)
{
	struct spec s, copy;
	struct buf b = { 0 };

	(void) state;
	assert_int_equal(spec_init(&s, "t"), 0);
	assert_int_equal(spec_set(&s, "io.reserve", "/dev/vda 0.1%\n/dev/vdb 100%", NULL), 0);
	assert_int_equal(s.io.reserve_count, 2);
	assert_int_equal(s.io.reserves[0].amount, 1);
	assert_int_equal(s.io.reserves[1].amount, 1000);
	assert_int_equal(spec_get(&s, "io.reserve", &b, NULL), 0);
	assert_string_equal(b.data, "/dev/vda 0.1%\n/dev/vdb 100%");
	buf_done(&b);
	assert_int_equal(spec_copy(&copy, &s), 0);
	assert_true(spec_equal(&s, &copy));
	copy.io.reserves[1].amount--;
	assert_false(spec_equal(&s, &copy));
	spec_done(&copy);
	assert_int_equal(spec_set(&s, "io.reserve", "", NULL), 0);
	assert_int_equal(s.io.reserve_count, 0);
	spec_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_that_are_none_are_refused),
		cmocka_unit_test(test_shares_are_kept_by_device),
		cmocka_unit_test(test_reserves_that_are_none_are_refused),
		cmocka_unit_test(test_reserves_are_kept_by_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
