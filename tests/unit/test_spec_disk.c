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

static void refused(const char *value, const char *text)
{
	struct err e = { 0 };
	struct spec s;

	assert_int_equal(spec_init(&s, "t"), 0);
	assert_int_equal(spec_set(&s, "io.share", value, &e), -EINVAL);
	assert_string_equal(e.text, text);
	assert_int_equal(s.io.share_count, 0);
	spec_done(&s);
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
	assert_int_equal(s.io.shares[1].weight, 1000);
	assert_int_equal(spec_get(&s, "io.share", &b, NULL), 0);
	assert_string_equal(b.data, "/dev/vda 1\n/dev/vdb 1000");
	buf_done(&b);
	assert_int_equal(spec_set(&s, "io.share", "", NULL), 0);
	assert_int_equal(s.io.share_count, 0);
	spec_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_that_are_none_are_refused),
		cmocka_unit_test(test_shares_are_kept_by_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
