/* Grants: what stands in a file, what is permitted by it, and where an owner may not enter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/spec.h"

static void set(struct spec *s, const char *key, const char *value)
{
	struct err e = { 0 };

	if (spec_set(s, key, value, &e) < 0)
		fail_msg("%s", e.text);
}

static void test_a_grant_is_read_and_printed_in_one_way(void **state)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
		{ "cpu.limit", "cpu.limit" },
		{ "cpu.limit <= 200%", "cpu.limit <= 200%" },
		{ "cpu.limit<=200%", "cpu.limit <= 200%" },
		{ "cpu.limit <= 200% memory.limit", "cpu.limit <= 200%\nmemory.limit" },
		{ "cpu.limit,memory.limit <= 1G , cpu.share",
		  "cpu.limit\nmemory.limit <= 1G\ncpu.share" },
		{ "cpu.share <= 500 >= 20", "cpu.share >= 20 <= 500" },
		{ "cpu.share <= 500 <= 20", "cpu.share <= 20" },
		{ "cpu.limit <= max memory.swap >= 0", "cpu.limit\nmemory.swap" },
		{ "cpu.burst <= 20ms process.limit >= 5", "cpu.burst <= 20ms\nprocess.limit >= 5" },
		{ "io.limit cpu.cpus cpu.mems", "io.limit\ncpu.cpus\ncpu.mems" },
		{ "", "" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out = { 0 };
		struct spec s;

		assert_int_equal(spec_init(&s, "t"), 0);
		set(&s, "context.grant", rows[i].text);
		assert_int_equal(spec_get(&s, "context.grant", &out, NULL), 0);
		assert_string_equal(out.data ? out.data : "", rows[i].printed);
		buf_done(&out);
		spec_done(&s);
	}
}

static void test_a_wrong_grant_says_what_is_allowed(void **state)
{
	static const struct {
		const char *text, *told;
	} rows[] = {
		{ "context.command", "\"context.command\" is no limit that can be changed live; "
				     "allowed: process.limit, cpu.share, cpu.reserve, "
				     "cpu.limit" },
		{ "context.owner", "is no limit" },
		{ "context.grant", "is no limit" },
		{ "files.bind", "is no limit" },
		{ "cpu", "is no limit" },
		{ "cpu.nothing", "is no limit" },
		{ "<= 5", "is no limit" },
		{ "cpu.limit cpu.limt", "\"cpu.limt\" is no limit" },
		{ "cpu.limit <=", "cpu.limit: \"<=\" is not followed by a value" },
		{ "cpu.limit <= fast", "cpu.limit: \"fast\" is not an amount of CPU; allowed: 1%" },
		{ "cpu.share <= 0", "cpu.share: \"0\" is out of range; allowed: 1..10000" },
		{ "cpu.share <= max", "out of range" },
		{ "memory.limit <= 5s", "memory.limit: \"5s\" is not a size" },
		{ "cpu.cpus <= 3", "cpu.cpus: its values have no order; allowed: the key without" },
		{ "io.limit <= 3", "no order" },
		{ "cpu.share >= 9 <= 8", "cpu.share: no value lies within these bounds" },
		{ "cpu.limit = 5%", "\"=\" is no limit" },
		{ "cpu.limit < 5%", "\"<\" is no limit" },
		{ "'cpu.limit", "" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };
		struct spec s;

		assert_int_equal(spec_init(&s, "t"), 0);
		set(&s, "context.grant", "cpu.share");
		assert_int_equal(spec_set(&s, "context.grant", rows[i].text, &e), -EINVAL);
		if (!strstr(e.text, rows[i].told))
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_int_equal(s.context.grant_count, 1); /* as before */
		spec_done(&s);
	}
}

static void test_what_is_granted_is_permitted_within_its_bounds(void **state)
{
	static const struct {
		const char *key, *value;
		int code;
		const char *told;
	} rows[] = {
		{ "cpu.limit", "200%", 0, NULL },
		{ "cpu.limit", "1%", 0, NULL },
		{ "cpu.limit", "200.1%", -EPERM,
		  "cpu.limit: \"200.1%\" is beyond what is granted to owners: cpu.limit <= 200%" },
		{ "cpu.limit", "max", -EPERM, "beyond" },
		{ "cpu.limit", "much", -EINVAL, "cpu.limit: \"much\" is not an amount" },
		{ "memory.limit", "15M", -EPERM, "memory.limit >= 16M <= 1G" },
		{ "memory.limit", "16M", 0, NULL },
		{ "memory.limit", "1G", 0, NULL },
		{ "memory.limit", "1073741825", -EPERM, "beyond" },
		{ "cpu.share", "10000", 0, NULL },
		{ "cpu.share", "0", -EINVAL, "out of range" },
		{ "cpu.cpus", "0-1", 0, NULL },
		{ "cpu.mems", "0", -EPERM,
		  "cpu.mems: is not granted to owners; granted: cpu.limit <= 200%, memory.limit" },
		{ "process.limit", "5", -EPERM, "not granted" },
		{ "context.owner", "mallory", -EPERM, "not granted" },
		{ "context.grant", "cpu.limit", -EPERM, "not granted" },
		{ "context.command", "sh", -EPERM, "not granted" },
		{ "cpu.limti", "5%", -ENOENT, "did you mean" },
		{ "", "5%", -ENOENT, "no such key" },
	};
	struct spec s;

	(void) state;
	assert_int_equal(spec_init(&s, "t"), 0);
	set(&s, "context.grant",
	    "cpu.limit <= 200%, memory.limit >= 16M <= 1G, cpu.share cpu.cpus");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };
		int r = spec_grant_permits(&s, rows[i].key, rows[i].value, &e);

		if (r != rows[i].code || (rows[i].told && !strstr(e.text, rows[i].told)))
			fail_msg("%s = %s: %d %s", rows[i].key, rows[i].value, r, e.text);
	}
	spec_done(&s);
}

static void test_nothing_is_granted_by_default(void **state)
{
	struct spec_key_info k;
	struct spec s;
	char key[80];

	(void) state;
	assert_int_equal(spec_init(&s, "t"), 0);
	for (size_t i = 0; spec_key_info(i, &k); i++) {
		struct err e = { 0 };

		(void) snprintf(key, sizeof(key), "%s.%s", k.section, k.name);
		assert_int_equal(spec_grant_permits(&s, key, k.fallback, &e), -EPERM);
		assert_non_null(strstr(e.text, "granted: nothing"));
	}
	spec_done(&s);
}

/* A key that is not a limit can never be granted, however live it may become. */
static void test_only_limits_can_be_granted(void **state)
{
	static const char *const sections[] = { "process", "cpu", "memory", "io", "network" };
	struct spec_key_info k;
	char key[80];

	(void) state;
	for (size_t i = 0; spec_key_info(i, &k); i++) {
		bool limit = false;
		struct spec s;

		for (size_t j = 0; j < ARRAY_SIZE(sections); j++)
			limit |= k.live && !strcmp(k.section, sections[j]);
		assert_int_equal(spec_init(&s, "t"), 0);
		(void) snprintf(key, sizeof(key), "%s.%s", k.section, k.name);
		assert_int_equal(spec_set(&s, "context.grant", key, NULL), limit ? 0 : -EINVAL);
		spec_done(&s);
	}
}

static void test_owners_are_users_of_the_host(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{ "alice", 0 },
		{ "1000 bob", 0 },
		{ "1879048191", 0 },
		{ "1879048192", -EINVAL },
		{ "2147483648", -EINVAL },
		{ "4294967295", -EINVAL },
		{ "99999999999", -EINVAL },
		{ "a:b", -EINVAL },
		{ "-1", -EINVAL },
		{ "a/b", -EINVAL },
		{ "''", -EINVAL },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec s;

		assert_int_equal(spec_init(&s, "t"), 0);
		assert_int_equal(spec_set(&s, "context.owner", rows[i].text, NULL), rows[i].code);
		spec_done(&s);
	}
}

static void test_where_root_inside_reaches_the_host(void **state)
{
	static const struct {
		const char *key, *value, *told;
	} rows[] = {
		{ "files.bind", "/srv:/srv:ro", NULL },
		{ "files.bind", "/srv:/srv:rw", "files.bind" },
		{ "files.bind", "/a\n/srv:/srv:rw", "files.bind" },
		{ "files.device", "/dev/kvm", "files.device" },
		{ "files.mode", "read-only", NULL },
		{ "files.mode", "read-write", "files.mode" },
		{ "process.ids", "none", "process.ids" },
		{ "process.ids", "100000:65536", NULL },
		{ "process.capability", "all", NULL },
		{ "files.upper", "kept:1G", NULL },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why;
		struct spec s;

		assert_int_equal(spec_init(&s, "t"), 0);
		assert_null(spec_root_reaches_host(&s));
		set(&s, rows[i].key, rows[i].value);
		why = spec_root_reaches_host(&s);
		assert_true(rows[i].told ? why && strstr(why, rows[i].told) : !why);
		spec_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_grant_is_read_and_printed_in_one_way),
		cmocka_unit_test(test_a_wrong_grant_says_what_is_allowed),
		cmocka_unit_test(test_what_is_granted_is_permitted_within_its_bounds),
		cmocka_unit_test(test_nothing_is_granted_by_default),
		cmocka_unit_test(test_only_limits_can_be_granted),
		cmocka_unit_test(test_owners_are_users_of_the_host),
		cmocka_unit_test(test_where_root_inside_reaches_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
