/* What stats and top make of the daemon's numbers: samples, rates, columns, order, cursor. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/top.h"

/* @text with ' for " */
static struct sample sample_of(const char *text, uint64_t at_us)
{
	char *copy = strdup(text);
	struct sample s;
	json_t *list;

	assert_non_null(copy);
	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	list = json_loads(copy, 0, NULL);
	free(copy);
	assert_non_null(list);
	assert_int_equal(sample_read(list, at_us, &s), 0);
	json_decref(list);
	return s;
}

#define FIRST                                                                                      \
	"[{'name':'web','state':'running','uptime_us':10000000,'cpu_us':1000000,"                  \
	"'throttled_us':0,'memory_bytes':1048576,'memory_limit_bytes':4194304,'pids':2,"           \
	"'pressure':{'cpu':{'some_us':0}},'network':null,'io':[],"                                 \
	"'promised':{'cpu':{'limit_millicpu':500,'share':100}}},"                                  \
	"{'name':'db','state':'frozen','uptime_us':20000000,'cpu_us':500000,"                      \
	"'memory_bytes':2097152,'memory_limit_bytes':null,'pids':9,"                               \
	"'network':[{'device':'lo','received_bytes':7}],"                                          \
	"'io':[{'device':'8:0','read_bytes':100},{'device':'8:1','read_bytes':200}]}]"
#define SECOND                                                                                     \
	"[{'name':'web','state':'running','uptime_us':12000000,'cpu_us':1500000,"                  \
	"'throttled_us':1000000,'memory_bytes':1048576,'memory_limit_bytes':4194304,'pids':2,"     \
	"'pressure':{'cpu':{'some_us':200000}},'io':[],"                                           \
	"'promised':{'cpu':{'limit_millicpu':500}},"                                               \
	"'network':[{'device':'lo','sent_bytes':1},{'device':'eth0','sent_bytes':40}]},"           \
	"{'name':'db','state':'frozen','uptime_us':1000000,'cpu_us':100000,"                       \
	"'memory_bytes':2097152,'pids':9}]"

static void a_sample_is_read(void **state)
{
	struct sample s = sample_of(FIRST, 1);
	const struct sample_row *web = sample_find(&s, "web"), *db = sample_find(&s, "db");

	(void) state;
	assert_int_equal(s.count, 2);
	assert_string_equal(s.rows[0].name, "db");
	assert_null(sample_find(&s, "nobody"));
	assert_int_equal(web->cpu_limit_millicpu, 500);
	assert_true(web->received_bytes == SAMPLE_UNKNOWN);
	assert_int_equal(web->read_bytes, 0);
	assert_true(db->memory_limit_bytes == SAMPLE_UNKNOWN);
	assert_int_equal(db->received_bytes, 7); /* lo, for there is nothing else */
	assert_int_equal(db->read_bytes, 300);
	assert_true(db->waited_cpu_us == SAMPLE_UNKNOWN);
	sample_done(&s);
	s = sample_of(SECOND, 1);
	assert_int_equal(sample_find(&s, "web")->sent_bytes, 40); /* not lo */
	sample_done(&s);
}

static void what_is_no_sample_is_refused(void **state)
{
	struct sample s;
	json_t *o = json_object();

	(void) state;
	assert_int_equal(sample_read(o, 1, &s), -EPROTO);
	assert_int_equal(sample_read(NULL, 1, &s), -EPROTO);
	json_decref(o);
	s = sample_of("[1, {}, {'name': 'a b'}, {'name': 7}, {'name': 'ok'}]", 1);
	assert_int_equal(s.count, 1);
	assert_true(s.rows[0].cpu_us == SAMPLE_UNKNOWN);
	sample_done(&s);
}

static bool about(double a, double b)
{
	return a - b < 0.001 && b - a < 0.001;
}

static void rates_are_of_the_time_between(void **state)
{
	struct sample a = sample_of(FIRST, 1000000), b = sample_of(SECOND, 3000000);
	struct sample_rates r;

	(void) state;
	sample_rates(sample_find(&b, "web"), sample_find(&a, "web"), 2000000, &r);
	assert_true(about(r.cpu, 0.25) && about(r.throttled, 0.5) && about(r.waited_cpu, 0.1));
	assert_true(r.sent < 0); /* it was not known before */
	/* Started anew in between: since then. */
	sample_rates(sample_find(&b, "db"), sample_find(&a, "db"), 2000000, &r);
	assert_true(about(r.cpu, 0.1));
	/* Without a time before: since the start. */
	sample_rates(sample_find(&a, "web"), NULL, 0, &r);
	assert_true(about(r.cpu, 0.1));
	sample_done(&a);
	sample_done(&b);
}

static void columns_print(void **state)
{
	static const struct {
		const char *column, *text;
	} cases[] = {
		{ "name", "web" },
		{ "s", "r" },
		{ "state", "running" },
		{ "cpu", "25.0%" },
		{ "cpu-limit", "50.0%" },
		{ "throttled", "50.0%" },
		{ "memory", "1.0M" },
		{ "memory-used", "25.0%" },
		{ "procs", "2" },
		{ "wait-cpu", "10.0%" },
		{ "sent", "-" },
		{ "share", "-" },
		{ "cpu-promised", "25.0% of 50%" },
		{ "memory-promised", "1.0M of 4.0M" },
		{ "cpu-time", "1.5s" },
		{ "uptime", "12s" },
		{ "read-total", "0" },
	};
	struct sample a = sample_of(FIRST, 1000000), b = sample_of(SECOND, 3000000);
	struct columns_view v = { .row = sample_find(&b, "web") };
	char text[COLUMNS_TEXT_MAX];
	struct err e = { 0 };

	(void) state;
	sample_rates(v.row, sample_find(&a, "web"), 2000000, &v.rates);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		columns_find(cases[i].column, &e)->print(&v, text);
		assert_string_equal(text, cases[i].text);
	}
	for (size_t i = 0; i < columns_count; i++) { /* all: something, and not too wide */
		columns_table[i].print(&v, text);
		assert_true(text[0] != '\0');
		assert_true(strlen(columns_table[i].title) <= columns_table[i].width);
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(columns_table[i].name, columns_table[k].name);
			assert_true(!columns_table[i].key ||
				    columns_table[i].key != columns_table[k].key);
		}
	}
	sample_done(&a);
	sample_done(&b);
}

static void columns_are_chosen_by_name(void **state)
{
	struct columns_chosen c;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(columns_choose("name,cpu,memory", &c, &e), 0);
	assert_int_equal(c.count, 3);
	assert_string_equal(c.of[2]->name, "memory");
	assert_int_equal(columns_choose(COLUMNS_TOTALS, &c, &e), 0);
	assert_int_equal(columns_choose(COLUMNS_RATES, &c, &e), 0);
	assert_int_equal(columns_choose("name,nonsense", &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "\"nonsense\""));
	assert_non_null(strstr(e.text, "uptime"));
	assert_int_equal(columns_choose("", &c, &e), -EINVAL);
	assert_int_equal(columns_choose("name,", &c, &e), -EINVAL);
}

/* --- the model of top --- */

static struct top model;

static void show(const char *text, uint64_t at_us)
{
	struct sample s = sample_of(text, at_us);

	top_take(&model, &s);
}

static int begin(void **state)
{
	struct err e = { 0 };

	(void) state;
	model = (struct top){ .sort = columns_find("cpu", &e) };
	model.fetch = FETCH_INIT;
	for (size_t i = 0; i < TOP_ACTIONS_MAX; i++)
		model.actions[i].fetch = FETCH_INIT;
	return columns_choose(COLUMNS_RATES, &model.columns, &e);
}

static int end(void **state)
{
	(void) state;
	top_done(&model);
	return 0;
}

static void the_cursor_stays_with_its_context(void **state)
{
	(void) state;
	show(FIRST, 1000000);
	assert_string_equal(top_selected(&model)->name, "web"); /* the one with more CPU */
	top_move(&model, 1);
	assert_string_equal(top_selected(&model)->name, "db");
	model.sort = columns_find("memory", &(struct err){ 0 });
	top_arrange(&model);
	assert_int_equal(model.cursor, 0);
	assert_string_equal(top_selected(&model)->name, "db");
	model.reverse = true;
	top_arrange(&model);
	assert_int_equal(model.cursor, 1);
	top_move(&model, 100);
	assert_int_equal(model.cursor, 1);
	top_move(&model, -100);
	assert_int_equal(model.cursor, 0);
	show("[]", 2000000);
	assert_null(top_selected(&model));
	top_move(&model, 1);
	top_move(&model, -1);
	show(FIRST, 3000000);
	assert_non_null(top_selected(&model));
}

static void a_filter_hides_rows(void **state)
{
	(void) state;
	(void) snprintf(model.filter, sizeof(model.filter), "eb");
	show(FIRST, 1000000);
	assert_int_equal(model.view_count, 1);
	model.filter[0] = '\0';
	top_arrange(&model);
	assert_int_equal(model.view_count, 2);
}

static void columns_fit_the_width(void **state)
{
	struct columns_chosen c;
	unsigned first;

	(void) state;
	for (unsigned width = 1; width <= 200; width++) {
		unsigned used;

		model.sort = width % 2 ? columns_find("wait-io", &(struct err){ 0 }) : NULL;
		top_fit(&model, width, &c, &first);
		assert_true(c.count >= 1 && first >= 1);
		used = first;
		for (size_t i = 1; i < c.count; i++)
			used += 1 + c.of[i]->width;
		assert_true(used <= width || c.count == 1);
		if (width % 2 && width > 40)
			assert_ptr_equal(c.of[c.count - 1], model.sort);
	}
	top_fit(&model, 80, &c, &first);
	assert_int_equal(c.count, 12);
	assert_int_equal(first, 10);
}

static void the_view_scrolls_with_the_cursor(void **state)
{
	char text[8192] = "["; /* zeros behind it */

	(void) state;
	for (int i = 0; i < 50; i++)
		(void) snprintf(text + strlen(text), sizeof(text) - strlen(text),
				"%s{'name':'c%02d'}", i ? "," : "", i);
	text[strlen(text)] = ']';
	show(text, 1);
	top_scroll(&model, 10);
	assert_int_equal(model.first, 0);
	top_move(&model, 30);
	top_scroll(&model, 10);
	assert_int_equal(model.first, 21);
	top_scroll(&model, 100);
	assert_int_equal(model.first, 0);
	top_scroll(&model, 0);
	top_move(&model, 100);
	top_scroll(&model, 10);
	assert_int_equal(model.first, 40);
	show("[]", 2);
	top_scroll(&model, 10);
	assert_int_equal(model.first, 0);
}

static void sorting_goes_round_the_columns(void **state)
{
	(void) state;
	show(FIRST, 1);
	for (size_t i = 0; i < 2 * model.columns.count; i++)
		top_sort_next(&model, 1);
	assert_string_equal(model.sort->name, "cpu");
	top_sort_next(&model, -1);
	assert_string_equal(model.sort->name, "s");
	model.sort = columns_find("uptime", &(struct err){ 0 }); /* not shown */
	top_sort_next(&model, 1);
	assert_ptr_equal(model.sort, model.columns.of[0]);
}

static void the_host_is_read(void **state)
{
	struct top_host h = { 0 };
	const char *memory = "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\n";

	(void) state;
	top_host_parse(&h, "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1\ncpu1 1\nintr 5\n", memory,
		       "1.50 2.25 0.75 1/2 3\n");
	assert_true(h.cpu < 0 && h.cpus == 2);
	assert_int_equal(h.memory_bytes, 1024000);
	assert_int_equal(h.memory_used_bytes, 409600);
	assert_true(about(h.load[1], 2.25));
	top_host_parse(&h, "cpu  150 0 150 900 0 0 0 0 0 0\ncpu0 1\ncpu1 1\n", memory, "x");
	assert_true(about(h.cpu, 1.0)); /* half of two */
	top_host_parse(&h, "", "", "");
	assert_int_equal(h.memory_used_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sample_is_read),
		cmocka_unit_test(what_is_no_sample_is_refused),
		cmocka_unit_test(rates_are_of_the_time_between),
		cmocka_unit_test(columns_print),
		cmocka_unit_test(columns_are_chosen_by_name),
		cmocka_unit_test_setup_teardown(the_cursor_stays_with_its_context, begin, end),
		cmocka_unit_test_setup_teardown(a_filter_hides_rows, begin, end),
		cmocka_unit_test_setup_teardown(columns_fit_the_width, begin, end),
		cmocka_unit_test_setup_teardown(the_view_scrolls_with_the_cursor, begin, end),
		cmocka_unit_test_setup_teardown(sorting_goes_round_the_columns, begin, end),
		cmocka_unit_test(the_host_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
