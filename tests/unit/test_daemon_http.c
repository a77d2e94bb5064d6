/* HTTP's pure part: routes, decoding, statuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/http/http.h"

static const struct http_route routes[] = {
	{ "GET", "/v1/contexts", NULL, HTTP_BODY_NONE, HTTP_RIGHT_ROOT, 0 },
	{ "POST", "/v1/contexts", NULL, HTTP_BODY_NEEDED, HTTP_RIGHT_ROOT, 0 },
	{ "GET", "/v1/contexts/{}", NULL, HTTP_BODY_NONE, HTTP_RIGHT_ROOT, 0 },
	{ "GET", "/v1/contexts/{}/keys/{}", NULL, HTTP_BODY_NONE, HTTP_RIGHT_ROOT, 0 },
	{ "POST", "/v1/contexts/{}/start", NULL, HTTP_BODY_NONE, HTTP_RIGHT_ROOT, 0 },
};

static void a_path_finds_its_route(void **state)
{
	static const struct {
		const char *method, *path;
		int status, route;
		const char *first, *second;
	} rows[] = {
		{ "GET", "/v1/contexts", 200, 0, "", "" },
		{ "POST", "/v1/contexts", 200, 1, "", "" },
		{ "GET", "/v1/contexts/web", 200, 2, "web", "" },
		{ "GET", "/v1/contexts/web/keys/cpu.limit", 200, 3, "web", "cpu.limit" },
		{ "POST", "/v1/contexts/web/start", 200, 4, "web", "" },
		{ "GET", "/v1/contexts/web/start", 405, -1, "", "" },
		{ "PUT", "/v1/contexts", 405, -1, "", "" },
		{ "get", "/v1/contexts", 405, -1, "", "" },
		{ "GET", "/v1/contexts/", 404, -1, "", "" },
		{ "GET", "/v1/contexts//start", 404, -1, "", "" },
		{ "GET", "/v1/contexts/web/", 404, -1, "", "" },
		{ "GET", "/v1/contexts/web/start/x", 404, -1, "", "" },
		{ "GET", "/v1/context", 404, -1, "", "" },
		{ "GET", "", 404, -1, "", "" },
		{ "GET", "/", 404, -1, "", "" },
		{ "GET", "/v1/contexts/{}", 200, 2, "{}", "" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_match m;

		http_route_find(routes, ARRAY_SIZE(routes), rows[i].method, rows[i].path, &m);
		assert_int_equal(m.status, rows[i].status);
		assert_ptr_equal(m.route, rows[i].route < 0 ? NULL : &routes[rows[i].route]);
		assert_string_equal(m.captures[0], rows[i].first);
		assert_string_equal(m.captures[1], rows[i].second);
	}
}

static void a_wrong_method_hears_the_right_ones(void **state)
{
	struct http_match m;

	(void) state;
	http_route_find(routes, ARRAY_SIZE(routes), "DELETE", "/v1/contexts", &m);
	assert_string_equal(m.allow, "GET, POST");
}

static void a_capture_has_a_maximum(void **state)
{
	char path[64 + HTTP_CAPTURE_SIZE] = "/v1/contexts/";
	struct http_match m;

	(void) state;
	memset(path + strlen(path), 'a', HTTP_CAPTURE_SIZE - 1);
	http_route_find(routes, ARRAY_SIZE(routes), "GET", path, &m);
	assert_int_equal(m.status, 200);
	assert_int_equal(strlen(m.captures[0]), HTTP_CAPTURE_SIZE - 1);
	path[strlen(path)] = 'a';
	http_route_find(routes, ARRAY_SIZE(routes), "GET", path, &m);
	assert_int_equal(m.status, 404);
}

static void percent_is_decoded_but_for_nul(void **state)
{
	static const char *const rows[][2] = {
		{ "abc", "abc" }, { "a%20b", "a b" }, { "%41%4a%4A", "AJJ" },
		{ "%00", "%00" }, { "%0", "%0" },     { "%", "%" },
		{ "%zz", "%zz" }, { "%2f%2e", "/." }, { "%25%30%30", "%00" },
		{ "", "" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[32];

		(void) snprintf(text, sizeof(text), "%s", rows[i][0]);
		assert_int_equal(http_unescape(text), strlen(rows[i][1]));
		assert_string_equal(text, rows[i][1]);
	}
}

static void what_a_stranger_says_is_shown_harmless(void **state)
{
	static const struct {
		const char *said, *shown;
	} rows[] = {
		{ "GET /v1/contexts HTTP/1.1\r\nHost: w\r\n", "GET /v1/contexts" },
		{ "POST /a\"b\\c\x01 x", "POST /a?b?c" },
		{ "\x1b[31mred", "" },
		{ "G\xc3\xa4T /", "G??T /" },
		{ "", "" },
		{ "GET /0123456789012345678901234567890", "GET /01234567890" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char shown[17];

		http_first_words(rows[i].said, strlen(rows[i].said), shown, sizeof(shown));
		assert_string_equal(shown, rows[i].shown);
	}
}

static void errors_have_statuses(void **state)
{
	(void) state;
	assert_int_equal(http_status(-EINVAL), 400);
	assert_int_equal(http_status(-EBUSY), 409);
	assert_int_equal(http_status(-EEXIST), 409);
	assert_int_equal(http_status(-EFBIG), 413);
	assert_int_equal(http_status(-ENOENT), 500);
	assert_int_equal(http_status(-EIO), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_finds_its_route),
		cmocka_unit_test(a_wrong_method_hears_the_right_ones),
		cmocka_unit_test(a_capture_has_a_maximum),
		cmocka_unit_test(percent_is_decoded_but_for_nul),
		cmocka_unit_test(what_a_stranger_says_is_shown_harmless),
		cmocka_unit_test(errors_have_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
