/* The page of metrics, from forged numbers: its text, escapes, both formats, its digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/units.h"
#include "daemon/api/metrics.h"

/* --- digits --- */

static const char *decimal(uint64_t v, unsigned digits)
{
	static char text[64];
	struct page p = { 0 };

	page_decimal(&p, v, digits);
	assert_int_equal(p.error, 0);
	(void) snprintf(text, sizeof(text), "%.*s", (int) p.len, p.data);
	free(p.data);
	return text;
}

static void numbers_are_short_and_exact(void **state)
{
	(void) state;
	assert_string_equal(decimal(0, 0), "0");
	assert_string_equal(decimal(UINT64_MAX, 0), "18446744073709551615");
	assert_string_equal(decimal(0, 6), "0");
	assert_string_equal(decimal(1, 6), "0.000001");
	assert_string_equal(decimal(1500000, 6), "1.5");
	assert_string_equal(decimal(1000000, 6), "1");
	assert_string_equal(decimal(1000010, 6), "1.00001");
	assert_string_equal(decimal(UINT64_MAX, 6), "18446744073709.551615");
	assert_string_equal(decimal(200, 3), "0.2");
}

/* Against printf, for many values. */
static void numbers_are_what_printf_says(void **state)
{
	uint64_t v = 88172645463325252u;
	char want[64];

	(void) state;
	for (int i = 0; i < 10000; i++) {
		v ^= v << 13;
		v ^= v >> 7;
		v ^= v << 17;
		(void) snprintf(want, sizeof(want), "%llu.%06llu",
				(unsigned long long) ((v >> i % 60) / 1000000),
				(unsigned long long) ((v >> i % 60) % 1000000));
		while (want[strlen(want) - 1] == '0')
			want[strlen(want) - 1] = '\0';
		if (want[strlen(want) - 1] == '.')
			want[strlen(want) - 1] = '\0';
		assert_string_equal(decimal(v >> i % 60, 6), want);
	}
}

static void labels_are_escaped(void **state)
{
	struct page p = { 0 };
	struct buf b;

	(void) state;
	page_quoted(&p, "a\"b\\c\nd\te\x7f\xc3\xa9");
	page_to_buf(&p, &b);
	assert_string_equal(b.data, "a\\\"b\\\\c\\nd?e?\xc3\xa9");
	buf_done(&b);
}

static void a_page_has_a_maximum(void **state)
{
	struct page p = { 0 };
	struct buf b;

	(void) state;
	assert_null(page_room(&p, PAGE_MAX));
	assert_int_equal(p.error, -EFBIG);
	page_puts(&p, "ignored");
	page_to_buf(&p, &b);
	assert_int_equal(b.error, -EFBIG);
	assert_null(b.data);
}

/* --- the page --- */

static struct netctl_traffic traffic[] = { { "e\"th0", 100, 2, 300, 4, NULL },
					   { "shared", 1, 1, 70, 1, "ipv6" } };
static const struct numbers running = {
	.use = { .cpu_us = 1500000,
		 .memory_bytes = 4096,
		 .memory_limit_bytes = UNITS_NONE,
		 .pids_limit = 20,
		 .has_pressure = true,
		 .pressure = { [SCHED_IO] = { 2000000, 1000000 } },
		 .io = { { 254, 0, 10, 20, 1, 2 } },
		 .io_count = 1 },
	.own_network = true,
	.traffic = traffic,
	.traffic_count = 2,
	.shared_network = true,
	.refused = { [2] = 5 },
};
static const struct numbers_row rows[] = {
	{ .name = "db",
	  .state = "stopped",
	  .init = "fake",
	  .root = "host",
	  .network = "none",
	  .last_status = 137,
	  .ready = -1,
	  .healthy = -1,
	  .promise = { .cpu_limit_millicpu = UNITS_NONE } },
	{ .name = "web",
	  .state = "running",
	  .init = "fake",
	  .root = "host",
	  .network = "private",
	  .now = &running,
	  .started_us = 1700000000500000,
	  .uptime_us = 2000000,
	  .starts = 3,
	  .restarts = 2,
	  .ready = 1,
	  .healthy = 0,
	  .last_status = -1,
	  .promise = { .cpu_limit_millicpu = 200, .cpu_share = 100 } },
};

static char *page_of(bool open, size_t count)
{
	struct metrics m = { .rows = rows,
			     .count = count,
			     .open = open,
			     .connections = 5,
			     .daemon = { .start_buckets = { 0, 1, 2, [NUMBERS_BUCKET_COUNT] = 1 },
					 .start_sum_us = 4500 } };
	struct page p = { 0 };
	struct buf b;

	metrics_write(&m, &p);
	page_to_buf(&p, &b);
	assert_int_equal(b.error, 0);
	return b.data;
}

static void has(const char *page, const char *line)
{
	char text[256];

	(void) snprintf(text, sizeof(text), "\n%s\n", line);
	if (!strstr(page, text))
		fail_msg("missing: %s", line);
}

static void has_not(const char *page, const char *text)
{
	if (strstr(page, text))
		fail_msg("there is: %s", text);
}

static void samples_are_the_numbers(void **state)
{
	_cleanup_free_ char *page = page_of(false, 2);

	(void) state;
	has(page, "ward_context_cpu_seconds_total{context=\"web\"} 1.5");
	has(page, "ward_context_memory_bytes{context=\"web\"} 4096");
	has_not(page, "ward_context_memory_limit_bytes{");
	has(page, "ward_context_processes_limit{context=\"web\"} 20");
	has(page, "ward_context_cpu_limit_ratio{context=\"web\"} 0.2");
	has_not(page, "ward_context_cpu_limit_ratio{context=\"db\"");
	has(page, "ward_context_start_time_seconds{context=\"web\"} 1700000000.5");
	has_not(page, "ward_context_uptime_seconds{context=\"db\"");
	has(page, "ward_context_state{context=\"db\",state=\"stopped\"} 1");
	has(page, "ward_context_last_exit_status{context=\"db\"} 137");
	has_not(page, "ward_context_last_exit_status{context=\"web\"");
	has(page, "ward_context_starts_total{context=\"web\"} 3");
	has(page, "ward_context_restarts_total{context=\"web\"} 2");
	has(page, "ward_context_ready{context=\"web\"} 1");
	has(page, "ward_context_healthy{context=\"web\"} 0");
	has_not(page, "ward_context_ready{context=\"db\"");
	has(page, "ward_context_pressure_some_seconds_total{context=\"web\",resource=\"io\"} 2");
	has(page, "ward_context_pressure_full_seconds_total{context=\"web\",resource=\"io\"} 1");
	has(page, "ward_context_io_read_bytes_total{context=\"web\",device=\"254:0\"} 10");
	has(page, "ward_context_io_writes_total{context=\"web\",device=\"254:0\"} 2");
	has(page, "ward_context_network_sent_bytes_total{context=\"web\",device=\"e\\\"th0\"} 300");
	has(page, "ward_context_network_sent_packets_total{context=\"web\",device=\"shared\","
		  "family=\"ipv6\"} 1");
	has(page, "ward_context_network_refused_total{context=\"web\",what=\"bind\"} 5");
	has(page, "ward_contexts{state=\"stopped\"} 1");
	has(page, "ward_contexts{state=\"frozen\"} 0");
	has(page, "ward_daemon_connections 5");
	has(page, "ward_start_duration_seconds_bucket{le=\"0.0005\"} 0");
	has(page, "ward_start_duration_seconds_bucket{le=\"0.001\"} 1");
	has(page, "ward_start_duration_seconds_bucket{le=\"1.0\"} 3");
	has(page, "ward_start_duration_seconds_bucket{le=\"+Inf\"} 4");
	has(page, "ward_start_duration_seconds_sum 0.0045");
	has(page, "ward_start_duration_seconds_count 4");
}

static void formats_differ_in_their_heads(void **state)
{
	_cleanup_free_ char *text = page_of(false, 2), *open = page_of(true, 2);

	(void) state;
	has(text, "# TYPE ward_context_cpu_seconds_total counter");
	has(open, "# TYPE ward_context_cpu_seconds counter");
	has(open, "# UNIT ward_context_cpu_seconds seconds");
	has(text, "# TYPE ward_context_state gauge");
	has(open, "# TYPE ward_start_duration_seconds histogram");
	has(text, "# TYPE ward_build_info gauge");
	has(open, "# TYPE ward_build info");
	assert_string_equal(open + strlen(open) - 6, "# EOF\n");
	has_not(open, "\n\n");
	for (const char *p = open; (p = strstr(p, "# TYPE ")); p += 7)
		assert_non_null(strstr(open, "# HELP "));
}

static void no_context_is_a_page_too(void **state)
{
	_cleanup_free_ char *page = page_of(true, 0);

	(void) state;
	has(page, "# TYPE ward_context_memory_bytes gauge");
	has_not(page, "context=");
	has(page, "ward_contexts{state=\"running\"} 0");
}

static void who_names_openmetrics_gets_it(void **state)
{
	static const struct {
		const char *accept;
		bool open;
	} cases[] = {
		{ NULL, false },
		{ "", false },
		{ "*/*", false },
		{ "text/plain", false },
		{ "application/openmetrics-text", true },
		{ "Application/OpenMetrics-Text; version=1.0.0", true },
		{ "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5", true },
		{ "text/plain;q=0.5, application/openmetrics-text;q=0.1", true },
		{ "application/openmetrics-text;q=0", false },
		{ "application/openmetrics-text;q=0.0,text/plain", false },
		{ "application/json", false },
		{ ",,,", false },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (metrics_wants_open(cases[i].accept) != cases[i].open)
			fail_msg("Accept: %s", cases[i].accept ? cases[i].accept : "(none)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_short_and_exact),
		cmocka_unit_test(numbers_are_what_printf_says),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(a_page_has_a_maximum),
		cmocka_unit_test(samples_are_the_numbers),
		cmocka_unit_test(formats_differ_in_their_heads),
		cmocka_unit_test(no_context_is_a_page_too),
		cmocka_unit_test(who_names_openmetrics_gets_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
