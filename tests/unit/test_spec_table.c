/* The table is complete, and text is the exact inverse of a spec: thousands of random specs go
 * through INI, JSON, spec_get() and spec_copy() and come back equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "spec/row.h"
#include "spec/spec.h"
#include "tests/unit/spec_dice.h"

#define ROUNDS 3000

/* --- the inverses --- */

static void expect_no_errors(int r, const struct spec_errors *errors, const char *text)
{
	if (r != 0)
		fail_msg("%d %s in:\n%s", r, errors->lines.count ? errors->lines.items[0] : "",
			 text);
}

static void expect_ini_inverse(const struct spec *s, bool full)
{
	struct spec_errors errors = { 0 };
	struct buf text = { 0 };
	struct spec back;

	spec_write_ini(s, full, &text);
	assert_int_equal(text.error, 0);
	assert_int_equal(spec_init(&back, s->name), 0);
	int r = spec_read_ini(&back, text.data ? text.data : "", text.len, "dump", &errors);
	expect_no_errors(r, &errors, text.data);
	if (!spec_equal(s, &back))
		fail_msg("not the same:\n%s", text.data);
	spec_done(&back);
	buf_done(&text);
	spec_errors_done(&errors);
}

static void expect_json_inverse(const struct spec *s, bool full)
{
	struct spec_errors errors = { 0 };
	json_t *object = spec_write_json(s, full), *parsed;
	struct spec back;

	assert_non_null(object);
	char *text = json_dumps(object, JSON_INDENT(1));
	parsed = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(parsed);
	expect_no_errors(spec_read_json(&back, parsed, &errors), &errors, text);
	if (!spec_equal(s, &back))
		fail_msg("not the same:\n%s", text);
	spec_done(&back);
	free(text);
	json_decref(object);
	json_decref(parsed);
	spec_errors_done(&errors);
}

/* Every key's value, taken by spec_get(), makes the same spec by spec_set(). */
static void expect_get_inverse(const struct spec *s)
{
	struct spec_key_info info;
	struct spec back;
	char key[80];

	assert_int_equal(spec_init(&back, s->name), 0);
	for (size_t i = 0; spec_key_info(i, &info); i++) {
		struct buf value = { 0 };
		struct err e = { 0 };

		(void) snprintf(key, sizeof(key), "%s.%s", info.section, info.name);
		assert_int_equal(spec_get(s, key, &value, &e), 0);
		if (spec_set(&back, key, value.data ? value.data : "", &e) < 0)
			fail_msg("%s: %s", e.text, value.data);
		buf_done(&value);
	}
	assert_true(spec_equal(s, &back));
	spec_done(&back);
}

static void expect_copy_equal(const struct spec *s)
{
	struct spec copy;

	assert_int_equal(spec_copy(&copy, s), 0);
	assert_true(spec_equal(s, &copy));
	assert_true(spec_equal(&copy, s));
	spec_done(&copy);
}

static void test_text_is_the_inverse_of_a_spec(void **state)
{
	struct dice d = { 0x5eedULL };

	(void) state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct spec s;

		make_spec(&d, &s);
		expect_ini_inverse(&s, i % 2);
		expect_json_inverse(&s, i % 3 == 0);
		expect_get_inverse(&s);
		expect_copy_equal(&s);
		spec_done(&s);
	}
}

static void test_every_key_makes_two_specs_differ(void **state)
{
	struct dice d = { 77 };

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
		struct spec plain, changed;
		bool differed = false;

		for (unsigned n = 0; n < 50 && !differed; n++) {
			assert_int_equal(spec_init(&plain, "x"), 0);
			assert_int_equal(spec_init(&changed, "x"), 0);
			if (makers[i].set)
				makers[i].set(&d, &changed);
			else
				(void) spec_set(&changed, makers[i].key, pick(&d, makers[i].values),
						NULL);
			differed = !spec_equal(&plain, &changed);
			spec_done(&plain);
			spec_done(&changed);
		}
		assert_true(differed);
	}
}

/* --- the table --- */

static void test_every_row_is_whole(void **state)
{
	const struct row *row;

	(void) state;
	for (size_t i = 0; (row = row_at(i)); i++) {
		struct spec s = { 0 };
		struct buf out = { 0 };

		assert_int_equal(row_index(row), i);
		assert_ptr_equal(row_find(row->section, strlen(row->section), row->name), row);
		assert_true(strlen(row->help) > 10 && row->help[strlen(row->help) - 1] == '.');
		assert_true(*row->allowed && row->allowed[strlen(row->allowed) - 1] != '.');
		assert_non_null(row->fallback);
		assert_true(row->type->width[0] > 0);
		if (!row->type->repeats) {
			assert_int_equal(row->type->parse(row, &s, row->fallback, NULL), 0);
			assert_int_equal(row->type->count(row, &s), 1);
			row->type->print(row, &s, 0, &out);
			assert_string_equal(out.data ? out.data : "", row->fallback);
		} else {
			assert_int_equal(row->type->count(row, &s), 0);
			assert_string_equal(row->fallback, "");
		}
		row->type->clear(row, &s);
		buf_done(&out);
	}
}

static void test_rows_share_no_field_and_sections_stand_together(void **state)
{
	const struct row *a, *b;

	(void) state;
	assert_null(row_at(ROW_COUNT_MAX)); /* lists of all keys have room for so many */
	for (size_t i = 0; (a = row_at(i)); i++) {
		for (size_t j = i + 1; (b = row_at(j)); j++) {
			assert_true(strcmp(a->section, b->section) || strcmp(a->name, b->name));
			for (unsigned x = 0; x < ROW_FIELDS && a->type->width[x]; x++) {
				for (unsigned y = 0; y < ROW_FIELDS && b->type->width[y]; y++)
					assert_int_not_equal(a->at[x], b->at[y]);
			}
			if (!strcmp(a->section, b->section))
				assert_string_equal(row_at(j - 1)->section, a->section);
		}
	}
}

/* Every byte of struct spec but the name and padding belongs to a row. */
static void test_every_member_has_a_row(void **state)
{
	unsigned char used[sizeof(struct spec)] = { 0 };
	const struct row *row;
	size_t bare = 0;

	(void) state;
	memset(used, 1, sizeof(((struct spec *) 0)->name));
	for (size_t i = 0; (row = row_at(i)); i++) {
		for (unsigned x = 0; x < ROW_FIELDS && row->type->width[x]; x++)
			memset(used + row->at[x], 1, row->type->width[x]);
	}
	for (size_t i = 0; i + sizeof(uint64_t) <= sizeof(used); i += sizeof(uint64_t)) {
		bool any = false; /* no member is as small as the padding beside it */

		for (size_t j = 0; j < sizeof(uint64_t); j++)
			any |= used[i + j];
		bare += !any;
	}
	assert_int_equal(bare, 0);
}

static void test_live_keys_are_limits_and_what_is_looked_up_when_needed(void **state)
{
	static const char *const live[] = {
		"process.limit",
		"cpu.share",
		"cpu.reserve",
		"cpu.limit",
		"cpu.burst",
		"cpu.cpus",
		"cpu.mems",
		"memory.limit",
		"memory.reserve",
		"memory.soft",
		"memory.swap",
		"memory.oom",
		"io.share",
		"io.reserve",
		"io.limit",
		"network.reserve",
		"network.share",
		"network.limit",
		"network.burst",
		"context.restart",
		"context.restart-delay",
		"context.restart-limit",
		"context.health",
		"context.health-timeout",
		"context.health-retries",
		"context.on-unhealthy",
		"context.owner",
		"context.grant",
		"context.autostart",
		"context.after",
		"context.mark",
	};
	struct spec_key_info info;
	size_t count = 0;

	(void) state;
	for (size_t i = 0; spec_key_info(i, &info); i++)
		count += info.live;
	assert_int_equal(count, ARRAY_SIZE(live));
	for (size_t i = 0; i < ARRAY_SIZE(live); i++)
		assert_true(spec_key_live(live[i]));
	assert_false(spec_key_live("context.command"));
	assert_false(spec_key_live("hooks.before-start"));
	assert_false(spec_key_live("cpu.nonsense"));
	assert_false(spec_key_live("cpu"));
}

static void test_names(void **state)
{
	char longest[SPEC_NAME_MAX + 2];
	struct spec s;

	(void) state;
	memset(longest, 'a', sizeof(longest));
	longest[SPEC_NAME_MAX] = '\0';
	assert_true(spec_name_valid(longest));
	assert_int_equal(spec_init(&s, longest), 0);
	longest[SPEC_NAME_MAX] = 'a';
	longest[SPEC_NAME_MAX + 1] = '\0';
	assert_false(spec_name_valid(longest));
	assert_int_equal(spec_init(&s, longest), -EINVAL);
	assert_true(spec_name_valid("0web_1.x-y"));
	assert_false(spec_name_valid(""));
	assert_false(spec_name_valid(".hidden"));
	assert_false(spec_name_valid("-x"));
	assert_false(spec_name_valid("Web"));
	assert_false(spec_name_valid("a/b"));
}

static void test_manual_names_every_key(void **state)
{
	struct spec_key_info info;
	char *text = NULL, wanted[80];
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void) state;
	assert_non_null(out);
	spec_write_manual(out);
	assert_int_equal(fclose(out), 0);
	for (size_t i = 0; spec_key_info(i, &info); i++) {
		char *dash = NULL;

		(void) snprintf(wanted, sizeof(wanted), ".Ss [%s]\n", info.section);
		assert_non_null(strstr(text, wanted));
		(void) snprintf(wanted, sizeof(wanted), "It Cm \"\\&%s", info.name);
		if ((dash = strchr(wanted, '-')))
			*dash = '\0';
		assert_non_null(strstr(text, wanted));
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_is_whole),
		cmocka_unit_test(test_rows_share_no_field_and_sections_stand_together),
		cmocka_unit_test(test_every_member_has_a_row),
		cmocka_unit_test(test_live_keys_are_limits_and_what_is_looked_up_when_needed),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_every_key_makes_two_specs_differ),
		cmocka_unit_test(test_text_is_the_inverse_of_a_spec),
		cmocka_unit_test(test_manual_names_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
