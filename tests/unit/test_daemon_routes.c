/* The table of routes and the two documents that list it say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "daemon/api/private.h"

static char *yaml, *table;

static int read_documents(void **state)
{
	(void) state;
	return file_read_at(AT_FDCWD, "docs/api.yaml", 1 << 20, &yaml, NULL) < 0 ||
	       file_read_at(AT_FDCWD, "docs/api.md", 1 << 20, &table, NULL) < 0;
}

static int free_documents(void **state)
{
	(void) state;
	free(yaml);
	free(table);
	return 0;
}

/* "/v1/contexts/{}/keys/{}" with words in the braces, in order. */
static void name_parameters(const char *pattern, const char *const words[2], struct buf *out)
{
	size_t n = 0;

	for (const char *p = pattern; *p; p++) {
		buf_printf(out, "%c", *p);
		if (*p == '{')
			buf_puts(out, words[n++ ? 1 : 0]);
	}
}

/* Whether the method stands below the path, before the next path. */
static bool documented(const struct http_route *r)
{
	static const char *const words[] = { "name", "key" };
	struct buf path = {};
	char method[16];
	const char *at, *end, *found;

	buf_puts(&path, "\n  ");
	name_parameters(r->pattern, words, &path);
	buf_puts(&path, ":\n");
	at = strstr(yaml, path.data);
	buf_done(&path);
	if (!at)
		return false;
	end = strstr(at + 3, "\n  /");
	(void) snprintf(method, sizeof(method), "\n    %s:\n", r->method);
	for (char *p = method; *p; p++)
		*p = (char) (*p >= 'A' && *p <= 'Z' ? *p + 'a' - 'A' : *p);
	found = strstr(at, method);
	return found && (!end || found < end);
}

static void test_every_route_is_in_the_document(void **state)
{
	(void) state;
	for (size_t i = 0; i < api_route_count; i++)
		if (!documented(&api_routes[i]))
			fail_msg("docs/api.yaml lacks %s %s", api_routes[i].method,
				 api_routes[i].pattern);
}

static void test_the_document_has_no_other(void **state)
{
	static const char *const methods[] = { "get", "post", "put", "patch", "delete" };
	size_t count = 0;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		char line[16];

		(void) snprintf(line, sizeof(line), "\n    %s:\n", methods[i]);
		for (const char *p = yaml; (p = strstr(p, line)); p++)
			count++;
	}
	assert_int_equal(count, api_route_count);
}

static void test_the_table_for_people_has_every_route(void **state)
{
	static const char *const words[] = { "NAME", "SECTION.KEY" };

	(void) state;
	for (size_t i = 0; i < api_route_count; i++) {
		struct buf named = {}, row = {};

		name_parameters(api_routes[i].pattern, words, &named);
		for (const char *p = named.data; p && *p; p++)
			if (*p != '{' && *p != '}')
				buf_printf(&row, "%c", *p);
		assert_non_null(row.data);
		if (row.data && !strstr(table, row.data) && !strstr(row.data, "/thaw"))
			fail_msg("docs/api.md lacks %s", row.data);
		buf_done(&named);
		buf_done(&row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_route_is_in_the_document),
		cmocka_unit_test(test_the_document_has_no_other),
		cmocka_unit_test(test_the_table_for_people_has_every_route),
	};

	return cmocka_run_group_tests(tests, read_documents, free_documents);
}
