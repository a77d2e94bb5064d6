/* Moments as people write them, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ctl/when.h"

#define SECOND UINT64_C(1000000)
#define NOW (UINT64_C(1795269845) * SECOND + 5) /* 2026-11-21 15:04:05 in the zone below */

static int set_zone(void **state)
{
	(void) state;
	setenv("TZ", "TEST-01", 1); /* an hour ahead of UTC, all year */
	tzset();
	return 0;
}

static void test_moments(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} rows[] = {
		{ "now", NOW },
		{ "10m", NOW - 600 * SECOND },
		{ "36h", NOW - 36 * 3600 * SECOND },
		{ "7d", NOW - 7 * 86400 * SECOND },
		{ "250ms", NOW - SECOND / 4 },
		{ "99999d", 0 },
		{ "@1763719445", 1763719445 * SECOND },
		{ "@0", 0 },
		{ "2026-11-21 10:04:05", 1795251845 * SECOND },
		{ "2026-11-21T10:04:05", 1795251845 * SECOND },
		{ "2026-11-21T10:04:05Z", 1795255445 * SECOND },
		{ "2026-11-21 10:04", 1795251840 * SECOND },
		{ "2026-11-21", 1795215600 * SECOND },
		{ "today", 1795215600 * SECOND },
		{ "yesterday", 1795129200 * SECOND },
		{ "10:04:05", 1795251845 * SECOND },
		{ "10:04", 1795251840 * SECOND },
		{ "2024-02-29", 1709161200 * SECOND },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t us = 1;

		if (when_parse_at(rows[i].text, NOW, &us) < 0 || us != rows[i].us)
			fail_msg("%s: %llu, not %llu", rows[i].text, (unsigned long long) us,
				 (unsigned long long) rows[i].us);
	}
}

static void test_what_is_no_moment(void **state)
{
	static const char *const rows[] = { "",
					    "10",
					    "10x",
					    "-10m",
					    "2026-02-30",
					    "2026-13-01",
					    "25:00",
					    "10:60",
					    "10:04:60",
					    "@",
					    "@-1",
					    "@1.5",
					    "tomorrow",
					    "10:04 ",
					    "2026-11-21 x",
					    "d",
					    "2026-11-21 10:04:05 Z" };

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t us = 77;

		if (when_parse_at(rows[i], NOW, &us) == 0)
			fail_msg("\"%s\" was taken", rows[i]);
		assert_int_equal(us, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_what_is_no_moment),
	};

	return cmocka_run_group_tests(tests, set_zone, NULL);
}
