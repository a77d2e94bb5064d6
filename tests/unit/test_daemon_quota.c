/* Places for connections, and how many refusals become events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/api/bound.h"
#include "daemon/http/door.h"
#include "daemon/http/quota.h"

#define SECOND UINT64_C(1000000)

static unsigned take_all(struct http_quota *q, enum http_kind kind, uid_t uid)
{
	unsigned n = 0;

	while (http_quota_take(q, kind, uid))
		n++;
	return n;
}

static void nobody_takes_roots_places(void **state)
{
	static struct http_quota q;

	(void) state;
	memset(&q, 0, sizeof(q));
	for (uid_t uid = 1000; uid < 3000; uid++) {
		(void) take_all(&q, HTTP_KIND_STRANGER, uid);
		(void) take_all(&q, HTTP_KIND_OWNER, uid);
	}
	assert_true(http_quota_full(&q, HTTP_KIND_STRANGER));
	assert_true(http_quota_full(&q, HTTP_KIND_OWNER));
	assert_int_equal(q.count[HTTP_KIND_STRANGER], HTTP_STRANGERS_MAX);
	assert_int_equal(q.count[HTTP_KIND_OWNER], HTTP_OWNERS_MAX);
	assert_in_range(q.uid_count, 1, ARRAY_SIZE(q.uids));
	assert_int_equal(take_all(&q, HTTP_KIND_ROOT, 0), HTTP_ROOT_MAX);
}

static void one_uid_has_few(void **state)
{
	static struct http_quota q;

	(void) state;
	memset(&q, 0, sizeof(q));
	assert_int_equal(take_all(&q, HTTP_KIND_OWNER, 1000), HTTP_OWNER_MAX);
	assert_int_equal(take_all(&q, HTTP_KIND_OWNER, 1001), HTTP_OWNER_MAX);
	assert_int_equal(take_all(&q, HTTP_KIND_STRANGER, 1000), HTTP_STRANGER_MAX);
	assert_int_equal(take_all(&q, HTTP_KIND_STRANGER, 1002), HTTP_STRANGER_MAX);
	http_quota_give(&q, HTTP_KIND_OWNER, 1000);
	assert_false(http_quota_take(&q, HTTP_KIND_OWNER, 1001));
	assert_true(http_quota_take(&q, HTTP_KIND_OWNER, 1000));
	assert_false(http_quota_take(&q, HTTP_KIND_OWNER, 1000));
}

/* Whatever is taken and given, the counts are those of a plain model and the table has no holes. */
static void what_is_given_back_is_there_again(void **state)
{
	static struct http_quota q;
	static unsigned held[HTTP_KIND_COUNT][40];
	uint64_t dice = 4711;

	(void) state;
	memset(&q, 0, sizeof(q));
	for (unsigned i = 0; i < 200000; i++) {
		enum http_kind kind;
		uid_t uid;

		dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
		kind = (enum http_kind)((dice >> 33) % HTTP_KIND_COUNT);
		uid = kind == HTTP_KIND_ROOT ? 0 : (uid_t) (dice >> 40) % 39 + 1;
		if (dice >> 63) {
			held[kind][uid] += http_quota_take(&q, kind, uid);
		} else if (held[kind][uid]) {
			held[kind][uid]--;
			http_quota_give(&q, kind, uid);
		}
	}
	for (int kind = 0; kind < HTTP_KIND_COUNT; kind++) {
		unsigned sum = 0;

		for (uid_t uid = 0; uid < 40; uid++) {
			sum += held[kind][uid];
			for (; held[kind][uid]; held[kind][uid]--)
				http_quota_give(&q, (enum http_kind) kind, uid);
		}
		assert_in_range(sum, 0, HTTP_ROOT_MAX);
		assert_int_equal(q.count[kind], 0);
	}
	assert_int_equal(q.uid_count, 0);
}

/* --- the door --- */

static unsigned count(struct http_door *d, enum http_kind kind, uid_t uid, unsigned n, uint64_t now,
		      unsigned *firsts)
{
	unsigned too_many = 0;

	for (unsigned i = 0; i < n; i++) {
		bool first = false;

		too_many += http_door_count(d, kind, uid, now, &first);
		*firsts += first;
	}
	return too_many;
}

static void who_comes_too_often_is_told_once(void **state)
{
	unsigned firsts = 0;
	struct http_door d;
	struct err e = {};
	sd_event *loop = NULL;

	(void) state;
	assert_true(sd_event_new(&loop) >= 0);
	assert_int_equal(http_door_init(&d, loop, NULL, 0666, &e), 0);
	assert_int_equal(count(&d, HTTP_KIND_STRANGER, 9, DOOR_STRANGERS_BURST, SECOND, &firsts),
			 0);
	assert_int_equal(count(&d, HTTP_KIND_STRANGER, 8, 1000, SECOND, &firsts), 1000);
	assert_int_equal(firsts, 1);
	assert_int_equal(count(&d, HTTP_KIND_OWNER, 1000, 1000, SECOND, &firsts),
			 1000 - DOOR_OWNER_BURST);
	assert_int_equal(firsts, 2);
	assert_int_equal(count(&d, HTTP_KIND_OWNER, 1001, 10, SECOND, &firsts), 0);
	assert_int_equal(count(&d, HTTP_KIND_OWNER, 1000, DOOR_OWNER_PER_S + 1, 2 * SECOND,
			       &firsts),
			 1);
	http_door_shut(&d, NULL, 0); /* without a path: nothing to shut, and nothing stays */
	assert_int_equal(count(&d, HTTP_KIND_STRANGER, 8, 2, SECOND, &firsts), 2);
	assert_int_equal(firsts, 3);
	http_door_done(&d);
	sd_event_unref(loop);
}

/* --- refusals --- */

static unsigned pass(struct bound *b, uid_t uid, unsigned n, uint64_t now, uint64_t *suppressed)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t s = 0;

		if (bound_pass(b, uid, now, &s)) {
			passed++;
			*suppressed += s;
		}
	}
	return passed;
}

static void a_flood_becomes_a_few_events_and_a_number(void **state)
{
	uint64_t suppressed = 0, now = 5 * SECOND;
	struct bound b;
	uid_t uid = 0;

	(void) state;
	bound_init(&b, now);
	assert_int_equal(pass(&b, 1000, 100000, now, &suppressed), BOUND_UID_BURST);
	assert_int_equal(suppressed, 0);
	assert_int_equal(pass(&b, 1000, 5, now + BOUND_UID_EVERY_US - 1, &suppressed), 0);
	assert_int_equal(pass(&b, 1000, 5, now + BOUND_UID_EVERY_US, &suppressed), 1);
	assert_int_equal(suppressed, 100000 - BOUND_UID_BURST + 5);
	assert_int_equal(bound_drain(&b, &uid), 4);
	assert_int_equal(uid, 1000);
	assert_int_equal(bound_drain(&b, &uid), 0);
}

static void another_uid_is_still_heard(void **state)
{
	uint64_t suppressed = 0, now = SECOND;
	struct bound b;

	(void) state;
	bound_init(&b, now);
	(void) pass(&b, 1000, 1000, now, &suppressed);
	assert_int_equal(pass(&b, 1001, 3, now, &suppressed), 3);
	now += 3600 * SECOND; /* quiet: all of the burst is there again, and no more */
	assert_int_equal(pass(&b, 1001, 1000, now, &suppressed), BOUND_UID_BURST);
}

static void many_uids_are_bounded_together(void **state)
{
	uint64_t suppressed = 0, now = SECOND, left = 0, n;
	unsigned passed = 0;
	struct bound b;
	uid_t uid;

	(void) state;
	bound_init(&b, now);
	for (uid_t i = 0; i < 65536; i++) /* a user's subordinate ids */
		passed += pass(&b, 100000 + i, 2, now, &suppressed);
	assert_int_equal(passed, BOUND_ALL_BURST);
	while ((n = bound_drain(&b, &uid)) > 0)
		left += n;
	assert_int_equal(left + suppressed + passed, 2 * 65536); /* none is lost */
	passed = 0;
	for (uid_t i = 0; i < 65536; i++)
		passed += pass(&b, 100000 + i, 1, now + 10 * BOUND_ALL_EVERY_US, &suppressed);
	assert_int_equal(passed, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_takes_roots_places),
		cmocka_unit_test(one_uid_has_few),
		cmocka_unit_test(what_is_given_back_is_there_again),
		cmocka_unit_test(who_comes_too_often_is_told_once),
		cmocka_unit_test(a_flood_becomes_a_few_events_and_a_number),
		cmocka_unit_test(another_uid_is_still_heard),
		cmocka_unit_test(many_uids_are_bounded_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
