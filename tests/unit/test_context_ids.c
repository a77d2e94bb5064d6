/* Ranges of ids never overlap, rest before they are used again, and never hold the host's root. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "context/ids.h"

#define FIRST 1000000u

static void bad_zones_are_refused(void **state)
{
	struct ids ids;

	(void) state;
	assert_int_equal(ids_init(&ids, 0, IDS_BLOCK), -EINVAL);
	assert_int_equal(ids_init(&ids, FIRST, IDS_BLOCK - 1), -EINVAL);
	assert_int_equal(ids_init(&ids, UINT32_MAX - IDS_BLOCK, IDS_BLOCK), -EINVAL);
	assert_int_equal(ids_init(&ids, UINT32_MAX - IDS_BLOCK - 1, IDS_BLOCK), 0);
	ids_done(&ids);
}

static void ranges_are_handed_out_once(void **state)
{
	struct ids ids;
	uint32_t first, other;

	(void) state;
	assert_int_equal(ids_init(&ids, FIRST, 3 * IDS_BLOCK), 0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(ids_take(&ids, &first), 0);
		assert_int_equal(first, FIRST + i * IDS_BLOCK);
	}
	assert_int_equal(ids_take(&ids, &other), -ENOSPC);
	ids_release(&ids, FIRST + IDS_BLOCK, IDS_BLOCK);
	assert_int_equal(ids_take(&ids, &other), 0);
	assert_int_equal(other, FIRST + IDS_BLOCK);
	ids_done(&ids);
}

static void a_released_range_rests(void **state)
{
	struct ids ids;
	uint32_t a, b;

	(void) state;
	assert_int_equal(ids_init(&ids, FIRST, 3 * IDS_BLOCK), 0);
	assert_int_equal(ids_take(&ids, &a), 0);
	ids_release(&ids, a, IDS_BLOCK);
	assert_int_equal(ids_take(&ids, &b), 0);
	assert_int_not_equal(a, b);
	ids_done(&ids);
}

static void a_claim_takes_all_it_touches_or_nothing(void **state)
{
	struct ids ids;
	uint32_t first;
	int any = -1;

	(void) state;
	assert_int_equal(ids_init(&ids, FIRST, 4 * IDS_BLOCK), 0);
	assert_int_equal(ids_claim(&ids, 0, 5, NULL), -EINVAL);
	assert_int_equal(ids_claim(&ids, 5, 0, NULL), -EINVAL);
	assert_int_equal(ids_claim(&ids, 5, UINT32_MAX, NULL), -EINVAL);
	assert_int_equal(ids_claim(&ids, 5, 100, &any), 0);
	assert_int_equal(any, 0);
	/* From before the zone into its first block; a block's last id with the next's first. */
	assert_int_equal(ids_claim(&ids, FIRST - 10, 11, &any), 0);
	assert_int_equal(any, 1);
	assert_int_equal(ids_claim(&ids, FIRST + IDS_BLOCK - 1, 2, NULL), -EBUSY);
	assert_int_equal(ids_take(&ids, &first), 0);
	assert_int_equal(first, FIRST + IDS_BLOCK);
	assert_int_equal(ids_claim(&ids, FIRST + 3 * IDS_BLOCK - 1, 2, NULL), 0);
	assert_int_equal(ids_take(&ids, &first), -ENOSPC);
	ids_release(&ids, 1, UINT32_MAX - 1);
	assert_int_equal(ids_take(&ids, &first), 0);
	ids_done(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_zones_are_refused),
		cmocka_unit_test(ranges_are_handed_out_once),
		cmocka_unit_test(a_released_range_rests),
		cmocka_unit_test(a_claim_takes_all_it_touches_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
