/* Keys are written back into a file without touching the rest: by examples, then thousands of
 * random files and changes, each read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spec/row.h"
#include "spec/spec.h"

struct keys {
	const char *names[8]; /* "cpu.limit" */
};

static bool is_named(const char *section, const char *name, void *arg)
{
	const struct keys *k = arg;
	char key[128];

	(void) snprintf(key, sizeof(key), "%s.%s", section, name);
	for (size_t i = 0; i < ARRAY_SIZE(k->names) && k->names[i]; i++)
		if (strcmp(k->names[i], key) == 0)
			return true;
	return false;
}

static void read_text(const char *text, struct spec *s)
{
	struct spec_errors errors = { 0 };

	assert_int_equal(spec_init(s, "t"), 0);
	if (spec_read_ini(s, text, strlen(text), "t.ini", &errors) < 0)
		fail_msg("%s\nin:\n%s", errors.lines.items[0], text);
	spec_errors_done(&errors);
}

/* Sets keys as `wardctl set` would: "KEY=VALUE", NULL-terminated. */
static char *edit(const char *text, const char *const *settings)
{
	struct keys keys = { 0 };
	struct buf out = { 0 };
	struct spec s, again;
	char *names[8];

	read_text(text, &s);
	for (size_t i = 0; settings[i]; i++) {
		char *equal;

		names[i] = strdup(settings[i]);
		equal = strchr(names[i], '=');
		*equal = '\0';
		keys.names[i] = names[i];
		assert_int_equal(spec_set(&s, names[i], equal + 1, NULL), 0);
	}
	assert_int_equal(spec_edit_ini(text, strlen(text), &s, is_named, &keys, &out), 0);
	read_text(out.data ? out.data : "", &again);
	if (!spec_equal(&s, &again))
		fail_msg("reads back differently:\n%s", out.data);
	spec_done(&s);
	spec_done(&again);
	for (size_t i = 0; settings[i]; i++)
		free(names[i]);
	return out.data ? buf_take(&out) : strdup("");
}

#define SET(...)                                                                                   \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static void expect(const char *text, const char *const *settings, const char *wanted)
{
	char *got = edit(text, settings);

	assert_string_equal(got, wanted);
	free(got);
}

static void test_a_value_changes_in_its_place(void **state)
{
	(void) state;
	expect("# mine\n[cpu]\n\tlimit   =  50%   ; half\n\n; end\n", SET("cpu.limit=75%"),
	       "# mine\n[cpu]\n\tlimit   =  75%   ; half\n\n; end\n");
	expect("[cpu]\nlimit=50%", SET("cpu.limit=max"), "[cpu]\nlimit=max");
	expect("\xef\xbb\xbf[context]\r\nuser = a\r\ndescription = a;b ;c\r\n",
	       SET("context.user=b", "cpu.share=100"),
	       "\xef\xbb\xbf[context]\r\nuser = b\r\ndescription = a;b ;c\r\n");
}

static void test_an_empty_value_gets_a_blank(void **state)
{
	(void) state;
	expect("[context]\nuser =\n", SET("context.user=www"), "[context]\nuser = www\n");
	expect("[context]\nuser = ; nobody\n", SET("context.user=www"),
	       "[context]\nuser = www ; nobody\n");
	expect("[context]\nuser = www\n", SET("context.user="), "[context]\nuser =\n");
	expect("[context]\nuser = www ; me\n", SET("context.user="), "[context]\nuser = ; me\n");
}

static void test_a_new_key_goes_behind_the_last_of_its_section(void **state)
{
	(void) state;
	expect("[cpu]\n  limit = 50%\n# about memory\n[memory]\nlimit = 1G\n", SET("cpu.share=200"),
	       "[cpu]\n  limit = 50%\n  share = 200\n# about memory\n[memory]\nlimit = 1G\n");
	expect("[cpu]\nlimit=50%", SET("cpu.share=200"), "[cpu]\nlimit=50%\nshare=200\n");
	expect("[ cpu ] ; empty\n[memory]\n", SET("cpu.share=200"),
	       "[ cpu ] ; empty\nshare = 200\n[memory]\n");
	expect("[cpu]\r\nlimit = 50%\r\n", SET("cpu.share=200"),
	       "[cpu]\r\nlimit = 50%\r\nshare = 200\r\n");
}

static void test_a_new_section_goes_to_the_end(void **state)
{
	(void) state;
	expect("[cpu]\nlimit = 50%", SET("memory.limit=1G", "memory.swap=0", "network.mode=host"),
	       "[cpu]\nlimit = 50%\n\n[memory]\nlimit = 1G\nswap = 0\n\n[network]\nmode = host\n");
	expect("", SET("cpu.limit=50%"), "[cpu]\nlimit = 50%\n");
	expect("# nothing\n", SET("cpu.limit=max"), "# nothing\n");
}

#define LIST                                                                                       \
	"[files]\nbind = /a ; one\n# two\nbind = /b ; two\nbind = /c ; three\nhide = /x /y ; "     \
	"both\n"

static void test_lines_of_a_list_that_stay_are_left_alone(void **state)
{
	(void) state;
	expect(LIST, SET("files.bind=/a\n/b\n/c\n/d"),
	       "[files]\nbind = /a ; one\n# two\nbind = /b ; two\nbind = /c ; three\nbind = "
	       "/d:/d:ro\n"
	       "hide = /x /y ; both\n");
	expect(LIST, SET("files.bind=/a\n/c"),
	       "[files]\nbind = /a ; one\n# two\nbind = /c ; three\nhide = /x /y ; both\n");
	expect(LIST, SET("files.bind=/0\n/a\n/b\n/c"),
	       "[files]\nbind = /0:/0:ro\nbind = /a ; one\n# two\nbind = /b ; two\nbind = /c ; "
	       "three\n"
	       "hide = /x /y ; both\n");
	expect(LIST, SET("files.bind=/a\n/n:/m:rw\n/c"),
	       "[files]\nbind = /a ; one\n# two\nbind = /n:/m:rw ; two\nbind = /c ; three\n"
	       "hide = /x /y ; both\n");
	expect(LIST, SET("files.bind="), "[files]\n# two\nhide = /x /y ; both\n");
	expect(LIST, SET("files.hide=/x\n/y\n/z"), LIST "hide = /z\n");
	expect("[files]\nhide =\n", SET("files.hide=/x\n/y"), "[files]\nhide = /x\nhide = /y\n");
}

static void test_values_that_need_quotes_get_them(void **state)
{
	(void) state;
	expect("[context]\ndescription = old ; note\n", SET("context.description=a ; b"),
	       "[context]\ndescription = \"a ; b\" ; note\n");
	expect("[context]\ncommand = sh -c 'a ; b' ; note\n", SET("context.command=true '; x'"),
	       "[context]\ncommand = true '; x' ; note\n");
	expect("[context]\ndescription = old\n", SET("context.description=#1"),
	       "[context]\ndescription = #1\n");
}

/* --- random files --- */

static unsigned roll(uint64_t *state, unsigned sides)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned) (*state >> 11) % sides;
}

static const struct {
	const char *key;
	const char *const *values;
} choices[] = {
	{ "context.description", SET("", "a text", "\"with ; sign\"", "it's", "x;y") },
	{ "context.command", SET("true", "sh -c 'a; b'", "a \"b ; c\" d") },
	{ "context.environment", SET("A=1", "B='x y'", "C=\";\"") },
	{ "context.log", SET("file", "journal", "file:1M") },
	{ "files.bind", SET("/a", "/b:/c", "/d:/e:rw", "'/x ; y':/z") },
	{ "files.hide", SET("/a", "/b /c", "'/d e'") },
	{ "files.upper", SET("tmpfs:1M", "kept:1G") },
	{ "cpu.limit", SET("50%", "max", "150%") },
	{ "cpu.cpus", SET("", "0-1", "0") },
	{ "memory.limit", SET("1G", "max") },
	{ "network.mode", SET("none", "host") },
};

static const char *pick(uint64_t *d, size_t i)
{
	unsigned n = 0;

	while (choices[i].values[n])
		n++;
	return choices[i].values[n ? roll(d, n) : 0];
}

static bool repeats(const char *key)
{
	const char *dot = strchr(key, '.');

	return row_find(key, (size_t) (dot - key), dot + 1)->type->repeats;
}

/* Lines of any key but `skip`: what an edit must leave alone. */
struct noise {
	const char *eol;
	struct buf text, others;
};

static void add(struct noise *n, bool others, const char *line)
{
	buf_printf(&n->text, "%s%s", line, n->eol);
	if (others)
		buf_printf(&n->others, "%s\n", line);
}

static void add_rubbish(uint64_t *d, struct noise *n)
{
	static const char *const lines[] = { "", "# limit = 9%", "   ", "; [cpu]", "\t# \xc3\xa9" };

	while (roll(d, 3) == 0)
		add(n, true, lines[roll(d, ARRAY_SIZE(lines))]);
}

static void make_file(uint64_t *d, size_t skip, struct noise *n)
{
	static const char *const equals[] = { " = ", "=", "  =\t", " =" };
	static const char *const ends[] = { "", "  ", " ; note", "\t;; limit = 3%" };
	char line[256], section[32] = "";

	n->eol = roll(d, 4) ? "\n" : "\r\n";
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		const char *dot = strchr(choices[i].key, '.');
		unsigned count = repeats(choices[i].key) ? roll(d, 4) : roll(d, 2);
		int len = (int) (dot - choices[i].key);

		add_rubbish(d, n);
		if (strncmp(section, choices[i].key, (size_t) len + 1) != 0 && roll(d, 4)) {
			(void) snprintf(section, sizeof(section), "%.*s.", len, choices[i].key);
			(void) snprintf(line, sizeof(line), "%s[%.*s]%s", roll(d, 2) ? "" : " ",
					len, section, roll(d, 3) ? "" : " ; a section");
			add(n, true, line);
		}
		if (strncmp(section, choices[i].key, (size_t) len + 1) != 0)
			continue;
		while (count--) {
			(void) snprintf(line, sizeof(line), "%s%s%s%s%s", roll(d, 3) ? "" : "  ",
					dot + 1, equals[roll(d, ARRAY_SIZE(equals))], pick(d, i),
					ends[roll(d, ARRAY_SIZE(ends))]);
			add_rubbish(d, n);
			add(n, i != skip, line);
		}
	}
	add_rubbish(d, n);
}

/* Every line of `others` is in `text`, in this order. */
static void check_others(const char *others, const char *text)
{
	while (*others) {
		size_t len = strcspn(others, "\n");

		for (;;) {
			size_t n = strcspn(text, "\n"), m = n && text[n - 1] == '\r' ? n - 1 : n;
			bool same = m == len && memcmp(text, others, len) == 0;

			if (!*text)
				fail_msg("a line is gone: %.*s", (int) len, others);
			text += n + (text[n] == '\n');
			if (same)
				break;
		}
		others += len + 1;
	}
}

static void test_random_files_keep_what_was_not_changed(void **state)
{
	uint64_t d = 88172645463325252u;

	(void) state;
	for (int round = 0; round < 5000; round++) {
		size_t i = roll(&d, ARRAY_SIZE(choices));
		struct noise n = { 0 };
		struct buf setting = { 0 };
		char *got;

		make_file(&d, i, &n);
		buf_printf(&setting, "%s=", choices[i].key);
		for (unsigned k = repeats(choices[i].key) ? roll(&d, 4) : 1; k > 0; k--)
			buf_printf(&setting, "%s%s", pick(&d, i), k > 1 ? "\n" : "");
		got = edit(n.text.data ? n.text.data : "", SET(setting.data));
		check_others(n.others.data ? n.others.data : "", got);
		free(got);
		buf_done(&setting);
		buf_done(&n.text);
		buf_done(&n.others);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_value_changes_in_its_place),
		cmocka_unit_test(test_an_empty_value_gets_a_blank),
		cmocka_unit_test(test_a_new_key_goes_behind_the_last_of_its_section),
		cmocka_unit_test(test_a_new_section_goes_to_the_end),
		cmocka_unit_test(test_lines_of_a_list_that_stay_are_left_alone),
		cmocka_unit_test(test_values_that_need_quotes_get_them),
		cmocka_unit_test(test_random_files_keep_what_was_not_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
