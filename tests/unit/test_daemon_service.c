/* The arithmetic of restarts, and what the bytes of a notify socket mean. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/notify_message.h"
#include "daemon/restart.h"

#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)

static void make_spec(struct spec *s, const char *delay, const char *limit)
{
	assert_int_equal(spec_init(s, "x"), 0);
	assert_int_equal(spec_set(s, "context.restart-delay", delay, NULL), 0);
	assert_int_equal(spec_set(s, "context.restart-limit", limit, NULL), 0);
}

static void test_the_delay_doubles_up_to_its_maximum(void **state)
{
	static const uint64_t expected[] = { 100, 200, 400, 800, 1000, 1000 };
	struct restarts r = { 0 };
	struct spec s;

	(void) state;
	make_spec(&s, "100ms..1s", "none");
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		uint64_t now = (1 + i) * SECOND;

		assert_true(restarts_plan(&r, &s, now, 50 * MS, false));
		assert_int_equal(r.at_us - now, expected[i] * MS);
		assert_int_equal(r.count, i + 1);
	}
	spec_done(&s);
}

static void test_one_value_is_constant(void **state)
{
	struct restarts r = { 0 };
	struct spec s;

	(void) state;
	make_spec(&s, "3s", "none");
	for (unsigned i = 1; i < 5; i++) {
		assert_true(restarts_plan(&r, &s, i * SECOND, 0, false));
		assert_int_equal(r.at_us, (i + 3) * SECOND);
	}
	spec_done(&s);
}

static void test_having_run_long_enough_begins_anew(void **state)
{
	struct restarts r = { 0 };
	struct spec s;

	(void) state;
	make_spec(&s, "100ms..1s", "none");
	assert_true(restarts_plan(&r, &s, SECOND, 0, false));
	assert_true(restarts_plan(&r, &s, SECOND, 0, false));
	/* longer than the longest delay is not enough: at least ten seconds */
	assert_true(restarts_plan(&r, &s, SECOND, 9 * SECOND, false));
	assert_int_equal(r.at_us, SECOND + 400 * MS);
	assert_true(restarts_plan(&r, &s, SECOND, 10 * SECOND, false));
	assert_int_equal(r.at_us, SECOND + 100 * MS);
	assert_true(restarts_plan(&r, &s, SECOND, 0, false));
	assert_int_equal(r.at_us, SECOND + 100 * MS);
	spec_done(&s);
	r = (struct restarts){ 0 };
	make_spec(&s, "1s..1m", "none");
	assert_true(restarts_plan(&r, &s, SECOND, 0, false));
	assert_true(restarts_plan(&r, &s, SECOND, 59 * SECOND, false));
	assert_int_equal(r.at_us, 3 * SECOND);
	assert_true(restarts_plan(&r, &s, SECOND, 60 * SECOND, false));
	assert_int_equal(r.at_us, 2 * SECOND);
	spec_done(&s);
}

static void test_a_reboot_neither_waits_longer_nor_counts_less(void **state)
{
	struct restarts r = { 0 };
	struct spec s;

	(void) state;
	make_spec(&s, "100ms..1s", "3 in 1m");
	for (unsigned i = 0; i < 3; i++) {
		assert_true(restarts_plan(&r, &s, SECOND, 0, true));
		assert_int_equal(r.at_us, SECOND + 100 * MS);
	}
	assert_false(restarts_plan(&r, &s, SECOND, 0, true));
	assert_int_equal(r.at_us, 0);
	spec_done(&s);
}

static void test_the_limit_looks_back_over_a_window(void **state)
{
	struct restarts r = { 0 };
	struct spec s;

	(void) state;
	make_spec(&s, "100ms", "3 in 10s");
	assert_true(restarts_plan(&r, &s, 100 * SECOND, 0, false));
	assert_true(restarts_plan(&r, &s, 104 * SECOND, 0, false));
	assert_true(restarts_plan(&r, &s, 108 * SECOND, 0, false));
	assert_false(restarts_plan(&r, &s, 109 * SECOND, 0, false));
	/* the first has left the window, the other two have not */
	assert_true(restarts_plan(&r, &s, 110 * SECOND, 0, false));
	assert_false(restarts_plan(&r, &s, 113 * SECOND, 0, false));
	assert_true(restarts_plan(&r, &s, 114 * SECOND, 0, false));
	assert_int_equal(r.count, 5);
	spec_done(&s);
}

static void test_without_a_limit_it_goes_on_for_ever(void **state)
{
	struct restarts r = { 0 };
	struct spec s;

	(void) state;
	make_spec(&s, "10ms", "none");
	for (unsigned i = 0; i < 10 * SPEC_RESTARTS_MAX; i++)
		assert_true(restarts_plan(&r, &s, i * MS, 0, false));
	assert_int_equal(r.count, 10 * SPEC_RESTARTS_MAX);
	spec_done(&s);
	make_spec(&s, "10ms", "100 in 24h"); /* as many as are remembered */
	r = (struct restarts){ 0 };
	for (unsigned i = 0; i < SPEC_RESTARTS_MAX; i++)
		assert_true(restarts_plan(&r, &s, SECOND + i, 0, false));
	assert_false(restarts_plan(&r, &s, 2 * SECOND, 0, false));
	spec_done(&s);
}

static void test_restarts_outlive_the_daemon(void **state)
{
	struct restarts r = { 0 }, back;
	struct spec s;
	json_t *o;

	(void) state;
	make_spec(&s, "100ms..1s", "5 in 1m");
	for (unsigned i = 1; i < 5; i++)
		assert_true(restarts_plan(&r, &s, i * SECOND, 0, false));
	o = restarts_to_json(&r);
	assert_non_null(o);
	restarts_from_json(&back, o, 5 * SECOND);
	assert_int_equal(back.count, r.count);
	assert_int_equal(back.delay_us, r.delay_us);
	assert_int_equal(back.at_us, r.at_us);
	assert_int_equal(back.recent, r.recent);
	assert_memory_equal(back.times, r.times, r.recent * sizeof(r.times[0]));
	/* after a boot of the machine the clock begins anew: times to come are none */
	restarts_from_json(&back, o, 2 * SECOND);
	assert_int_equal(back.recent, 2);
	json_decref(o);
	spec_done(&s);
}

static void test_a_damaged_record_is_taken_for_less(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"count\": \"x\", \"times\": 3, \"at_us\": null}",
		"{\"count\": 2, \"delay_us\": -5, \"times\": [\"x\", -1, 1e3, {}]}",
		"{\"count\": 2, \"at_us\": 9223372036854775807, \"delay_us\": 9223372036854775807}",
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *o = json_loads(texts[i], 0, NULL);
		struct restarts r;

		assert_non_null(o);
		restarts_from_json(&r, o, SECOND);
		assert_int_equal(r.recent, 0);
		assert_true(r.at_us <= SECOND);
		json_decref(o);
	}
}

/* --- messages --- */

static struct notify_message parse(const char *text, bool cut)
{
	struct notify_message m;

	notify_parse(text, strlen(text), cut, &m);
	return m;
}

static void test_each_word_is_understood(void **state)
{
	struct notify_message m = parse("READY=1\nSTATUS=up and well\nWATCHDOG_USEC=5000\n", false);

	(void) state;
	assert_true(m.ready && m.has_status && !m.stopping && !m.watchdog && !m.trigger);
	assert_string_equal(m.status, "up and well");
	assert_int_equal(m.watchdog_us, 5000);
	m = parse("WATCHDOG=1\nSTOPPING=1\nEXTEND_TIMEOUT_USEC=7", false);
	assert_true(m.watchdog && m.stopping && !m.ready && !m.has_status);
	assert_int_equal(m.extend_us, 7);
	m = parse("WATCHDOG=trigger", false);
	assert_true(m.trigger && !m.watchdog);
}

static void test_what_is_no_word_is_passed_over(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"=",
		"READY",
		"READY=",
		"READY=0",
		"READY=11",
		"ready=1",
		" READY=1",
		"XREADY=1",
		"MAINPID=7\nFDSTORE=1\nFDNAME=x\nRELOADING=1\nMONOTONIC_USEC=3\nERRNO=2",
		"WATCHDOG_USEC=-1",
		"WATCHDOG_USEC=1s",
		"EXTEND_TIMEOUT_USEC=99999999999999999999999",
	};
	const struct notify_message nothing = { 0 };

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct notify_message m = parse(texts[i], false);

		assert_memory_equal(&m, &nothing, sizeof(m));
	}
}

static void test_a_status_is_cleaned_and_cut(void **state)
{
	char text[600] = "STATUS=";
	struct notify_message m = parse("STATUS=a\x1b[1mb\x7f\tc\xc2\x9b\xff\xe2\x82", false);

	(void) state;
	assert_string_equal(m.status, "a?[1mb??c????");
	m = parse("STATUS=\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", false);
	assert_string_equal(m.status, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	m = parse("STATUS=\xed\xa0\x80\xc0\x80\xf5\x80\x80\x80", false);
	assert_string_equal(m.status, "?????????");
	/* 254 bytes and a character of two: it does not fit, and is not cut in half */
	memset(text + 7, 'x', 254);
	memcpy(text + 7 + 254, "\xc3\xa9", 3);
	m = parse(text, false);
	assert_int_equal(strlen(m.status), 254);
	m = parse("STATUS=", false);
	assert_true(m.has_status);
	assert_string_equal(m.status, "");
}

static void test_a_line_whose_end_is_missing_is_no_word(void **state)
{
	struct notify_message m = parse("READY=1\nWATCHDOG_USEC=12", true);

	(void) state;
	assert_true(m.ready);
	assert_int_equal(m.watchdog_us, 0);
	assert_string_equal(parse("STATUS=long", true).status, "long");
	assert_int_equal(parse("WATCHDOG_USEC=12\n", true).watchdog_us, 12);
}

static void test_messages_add_up(void **state)
{
	struct notify_message all = { 0 }, one = parse("READY=1\nSTATUS=one", false),
			      two = parse("WATCHDOG=1\nSTATUS=two\nWATCHDOG_USEC=9", false),
			      three = parse("STOPPING=1", false);

	(void) state;
	notify_merge(&all, &one);
	notify_merge(&all, &two);
	notify_merge(&all, &three);
	assert_true(all.ready && all.watchdog && all.stopping && all.has_status);
	assert_string_equal(all.status, "two");
	assert_int_equal(all.watchdog_us, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_delay_doubles_up_to_its_maximum),
		cmocka_unit_test(test_one_value_is_constant),
		cmocka_unit_test(test_having_run_long_enough_begins_anew),
		cmocka_unit_test(test_a_reboot_neither_waits_longer_nor_counts_less),
		cmocka_unit_test(test_the_limit_looks_back_over_a_window),
		cmocka_unit_test(test_without_a_limit_it_goes_on_for_ever),
		cmocka_unit_test(test_restarts_outlive_the_daemon),
		cmocka_unit_test(test_a_damaged_record_is_taken_for_less),
		cmocka_unit_test(test_each_word_is_understood),
		cmocka_unit_test(test_what_is_no_word_is_passed_over),
		cmocka_unit_test(test_a_status_is_cleaned_and_cut),
		cmocka_unit_test(test_a_line_whose_end_is_missing_is_no_word),
		cmocka_unit_test(test_messages_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
