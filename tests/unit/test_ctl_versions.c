/* What wardctl makes of a daemon of another version: how far is far, and which refusals are of
 * things that the daemon does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ctl/client.h"
#include "ctl/versions.h"

static void one_minor_version_is_near(void **state)
{
	static const struct {
		const char *a, *b;
		bool far;
	} rows[] = {
		{ "0.2", "0.2", false },     { "0.2", "0.1", false },
		{ "0.1", "0.2", false },     { "0.2", "0.2.7", false },
		{ "0.2", "0.3-rc1", false }, { "0.2", "0.4", true },
		{ "0.4", "0.2", true },	     { "1.2", "0.2", true },
		{ "0.2", "", true },	     { "0.2", "two", true },
		{ "0.9", "0.10", false },    { "0.2", "4294967295.9", true },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(versions_are_far(rows[i].a, rows[i].b), rows[i].far);
}

/* The texts of wardd 0.1: they must stay as long as it is spoken to. */
static void what_the_daemon_does_not_know_is_told_apart(void **state)
{
	static const struct {
		int status, code;
		const char *text;
	} rows[] = {
		{ 404, -ENOSYS, "/v1/reload: no such route" },
		{ 400, -ENOSYS, "?since: this route has no such parameter" },
		{ 400, -ENOSYS, "\\\"batch\\\": no such field; known are: timeout_us" },
		{ 400, -ENOSYS, "context.ready: no such key; allowed: command" },
		{ 400, -ENOSYS, "hooks.after-stop: no such section; allowed: context" },
		{ 400, -ENOSYS, "context.ready: \\\"exit\\\" is unknown; allowed: started" },
		{ 404, -ENOENT, "web: no such context" },
		{ 409, -EBUSY, "web: it runs already" },
		{ 400, -EINVAL, "memory.limit: \\\"x\\\" is no size" },
		{ 409, -EBUSY, "its file says: no such key; here it is not the request" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf b = {};
		struct err e = {};

		buf_printf(&b, "{\"error\": {\"code\": \"X\", \"text\": \"%s\"}}", rows[i].text);
		assert_int_equal(client_refusal(rows[i].status, &b, &e), rows[i].code);
		assert_int_equal(e.code, rows[i].code);
		buf_done(&b);
	}
}

static void lines_of_a_refusal_count(void **state)
{
	static const char body[] = "{\"error\": {\"text\": \"the spec has 2 errors\", \"lines\": "
				   "[\"a.b: x\", \"context.ready: no such key; allowed: y\"]}}";
	struct buf b = {};
	struct err e = {};

	(void) state;
	buf_puts(&b, body);
	assert_int_equal(client_refusal(400, &b, &e), -ENOSYS);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_minor_version_is_near),
		cmocka_unit_test(what_the_daemon_does_not_know_is_told_apart),
		cmocka_unit_test(lines_of_a_refusal_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
