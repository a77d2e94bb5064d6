/* The command line, the table of verbs and what is made from it, and text for people. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ctl/options.h"
#include "ctl/spec_args.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "spec/spec.h"

#define WORDS_MAX 12

/* Splits at spaces: "run -- true". @return what args_parse() does; args_done() is the caller's. */
static int parse(const char *line, struct args *a, struct err *e)
{
	static char text[256];
	static char *argv[WORDS_MAX + 1];
	int argc = 0;

	snprintf(text, sizeof(text), "%s", line);
	for (char *save = NULL, *w = strtok_r(text, " ", &save); w && argc < WORDS_MAX;
	     w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	return args_parse(argc, argv, a, e);
}

static void good_lines_are_parsed(void **state)
{
	static const struct {
		const char *line, *verb, *command;
		size_t operands;
		uint64_t given;
	} rows[] = {
		{ "w run -- true -x", "run", "true", 0, 0 },
		{ "w run true --name", "run", "true", 0, 0 },
		{ "w run --name a -dt true", "run", "true", 0, OPT(NAME) | OPT(DETACH) | OPT(TTY) },
		{ "w run --file=f.ini", "run", NULL, 0, OPT(FILE) },
		{ "w run -tT x", "run", "x", 0, OPT(NO_TTY) },
		{ "w exec web ls -l", "exec", "ls", 1, 0 },
		{ "w exec -u root web -- ls", "exec", "ls", 1, OPT(USER) },
		{ "w logs -n5 -f web", "logs", NULL, 1, OPT(LINES) | OPT(FOLLOW) },
		{ "w logs web -fn 5", "logs", NULL, 1, OPT(LINES) | OPT(FOLLOW) },
		{ "w start a b c", "start", NULL, 3, 0 },
		{ "w start -- -a", "start", NULL, 1, 0 },
		{ "w stop --all", "stop", NULL, 0, OPT(ALL) },
		{ "w --socket /s list", "list", NULL, 0, OPT(SOCKET) },
		{ "w set web a=b c=d", "set", NULL, 3, 0 },
		{ "w stats", "stats", NULL, 0, 0 },
		{ "w start --help", "start", NULL, 0, OPT(HELP) },
		{ "w -h", NULL, NULL, 0, OPT(HELP) },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };
		struct args a;

		if (parse(rows[i].line, &a, &e) < 0)
			fail_msg("%s: %s", rows[i].line, e.text);
		assert_true(str_equal(a.verb ? a.verb->name : NULL, rows[i].verb));
		assert_true(str_equal(a.command ? a.command[0] : NULL, rows[i].command));
		assert_int_equal(a.operand_count, rows[i].operands);
		assert_int_equal(a.given, rows[i].given);
		args_done(&a);
	}
}

static void wrong_lines_are_refused(void **state)
{
	static const char *const rows[] = {
		"w nothing",	    "w start",	     "w start --all a", "w exec web",
		"w exec web --",    "w get",	     "w get a b c",	"w logs",
		"w logs -n",	    "w list -f",     "w --all start",	"w run --name",
		"w stop --all=x a", "w start --x a", "w logs -fx a",	"w set web",
		"w plan a b",	    "w version x",   "w completion",
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };
		struct args a;

		if (parse(rows[i], &a, &e) != -EINVAL)
			fail_msg("taken: %s", rows[i]);
		assert_true(e.text[0]);
		args_done(&a);
	}
}

static void a_typo_gets_the_nearest_verb(void **state)
{
	struct err e = { 0 };

	(void) state;
	assert_int_equal(verb_unknown("strat", &e), -EINVAL);
	assert_non_null(strstr(e.text, "\"start\""));
	verb_unknown("xylophone", &e);
	assert_null(strstr(e.text, "meant"));
}

static void the_tables_are_sound(void **state)
{
	(void) state;
	for (size_t i = 0; i < OPT_COUNT; i++) {
		assert_non_null(options_table[i].name);
		assert_non_null(options_table[i].help);
		assert_true(!options_table[i].repeats || options_table[i].value);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(options_table[i].name, options_table[j].name);
			assert_true(!options_table[i].letter ||
				    options_table[i].letter != options_table[j].letter);
		}
	}
	for (size_t i = 0; i < verbs_count; i++) {
		assert_non_null(verbs_table[i].run);
		assert_true(verbs_table[i].brief[0] >= 'a' && verbs_table[i].brief[0] <= 'z');
		assert_int_equal(verbs_table[i].options & OPT_GLOBAL, 0);
		assert_ptr_equal(verb_find(verbs_table[i].name), &verbs_table[i]);
	}
}

static void manual_and_completion_name_every_verb(void **state)
{
	static const char *const shells[] = { "bash", "zsh", "fish" };
	struct buf b = { 0 };
	struct spec_key_info k;
	char text[128];

	(void) state;
	manual_write(&b);
	assert_int_equal(b.error, 0);
	for (size_t i = 0; i < verbs_count; i++) {
		snprintf(text, sizeof(text), "\n.SS \"%s", verbs_table[i].name);
		assert_int_equal(strstr(b.data, text) != NULL,
				 verbs_table[i].family < VERB_FAMILY_COUNT);
	}
	buf_done(&b);
	for (size_t s = 0; s < ARRAY_SIZE(shells); s++) {
		b = (struct buf){ 0 };
		assert_int_equal(completion_write(shells[s], &b), 0);
		for (size_t i = 0; i < verbs_count; i++)
			if (verbs_table[i].family < VERB_FAMILY_COUNT)
				assert_non_null(strstr(b.data, verbs_table[i].name));
		for (size_t i = 0; spec_key_info(i, &k); i++) {
			snprintf(text, sizeof(text), "%s.%s", k.section, k.name);
			assert_non_null(strstr(b.data, text));
		}
		buf_done(&b);
	}
	b = (struct buf){ 0 };
	assert_int_equal(completion_write("csh", &b), -EINVAL);
	buf_done(&b);
}

static void repeated_keys_are_joined(void **state)
{
	static const char *const words[] = { "a.b=1", "c.d=", "a.b=2=3" };
	static const char *const bad[] = { "novalue" }, *const worse[] = { "=x" };
	struct err e = { 0 };
	json_t *o = spec_args_object(words, ARRAY_SIZE(words), &e);

	(void) state;
	assert_string_equal(json_string_value(json_object_get(o, "a.b")), "1\n2=3");
	assert_string_equal(json_string_value(json_object_get(o, "c.d")), "");
	json_decref(o);
	assert_null(spec_args_object(bad, 1, &e));
	assert_null(spec_args_object(worse, 1, &e));
	assert_int_equal(e.code, -EINVAL);
}

static void nothing_steers_the_terminal(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "plain", "plain" },
		{ "\033[31mred\a\b", "?[31mred??" },
		{ "w\303\266rld \342\202\254", "w\303\266rld \342\202\254" },
		{ "\302\233J", "?J" }, /* CSI as one C1 character */
		{ "\342\200\256evil", "?evil" }, /* right-to-left override */
		{ "\377\303", "??" },
		{ "\300\257", "??" }, /* overlong */
		{ "\355\240\200", "???" }, /* a surrogate */
		{ "a\nb", "a?b" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf b = { 0 };

		text_clean(&b, rows[i].in, strlen(rows[i].in), false);
		assert_string_equal(b.data, rows[i].out);
		buf_done(&b);
	}
}

static void a_stream_is_cleaned_however_it_is_cut(void **state)
{
	static const char in[] = "a\tb\r\n\033[2Jw\303\266 \342\202\254 \360\237\230\200 "
				 "\302\233 \342\200\256 \377 \303x";
	static const char want[] = "a\tb\n?[2Jw\303\266 \342\202\254 \360\237\230\200 ? ? ? ?x";

	(void) state;
	for (size_t piece = 1; piece < sizeof(in); piece++) {
		struct buf b = { 0 };
		char tail[4] = "";

		for (size_t i = 0; i < sizeof(in) - 1; i += piece) {
			size_t n = sizeof(in) - 1 - i;

			text_clean_stream(&b, tail, in + i, n < piece ? n : piece);
		}
		assert_string_equal(b.data, want);
		buf_done(&b);
	}
}

static void times_read_well(void **state)
{
	char t[TEXT_AGE_MAX];

	(void) state;
	assert_string_equal(text_age(0, t), "0ms");
	assert_string_equal(text_age(999999, t), "999ms");
	assert_string_equal(text_age(1250000, t), "1.2s");
	assert_string_equal(text_age(UINT64_C(59999999), t), "59s");
	assert_string_equal(text_age(UINT64_C(60000000), t), "1m 0s");
	assert_string_equal(text_age(UINT64_C(3599) * 1000000, t), "59m 59s");
	assert_string_equal(text_age(UINT64_C(90061) * 1000000, t), "1d 1h");
	text_age(UINT64_MAX, t);
}

static void tables_line_up(void **state)
{
	static const struct table_column columns[] = { { "NAME", false },
						       { "N", true },
						       { "TEXT", false } };
	struct buf b = { 0 };
	struct table t;

	(void) state;
	table_init(&t, columns, ARRAY_SIZE(columns));
	table_add(&t, "w\303\266b");
	table_addf(&t, "%d", 1234);
	table_add_color(&t, "a longer text", TABLE_BAD);
	table_add(&t, "x");
	table_add(&t, NULL);
	table_add(&t, "");
	table_print(&t, false, 20, &b);
	assert_string_equal(b.data, "NAME     N  TEXT\n"
				    "w\303\266b   1234  a longe\342\200\246\n"
				    "x        -  -\n");
	buf_done(&b);
	b = (struct buf){ 0 };
	table_print(&t, true, 0, &b);
	assert_non_null(strstr(b.data, "\033[31ma longer text\033[0m"));
	buf_done(&b);
	table_done(&t);
}

static void text_is_wrapped(void **state)
{
	struct buf b = { 0 };

	(void) state;
	text_wrap(&b, "one two three\n\n  as it is, however long\nfour", 1, 8);
	assert_string_equal(b.data, " one two\n three\n\n   as it is, however long\n four\n");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines_are_parsed),
		cmocka_unit_test(wrong_lines_are_refused),
		cmocka_unit_test(a_typo_gets_the_nearest_verb),
		cmocka_unit_test(the_tables_are_sound),
		cmocka_unit_test(manual_and_completion_name_every_verb),
		cmocka_unit_test(repeated_keys_are_joined),
		cmocka_unit_test(nothing_steers_the_terminal),
		cmocka_unit_test(a_stream_is_cleaned_however_it_is_cut),
		cmocka_unit_test(times_read_well),
		cmocka_unit_test(tables_line_up),
		cmocka_unit_test(text_is_wrapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
