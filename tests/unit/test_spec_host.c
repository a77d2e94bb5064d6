/* wardd.ini: what it may say, and what is refused, with line, key and what is allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/host.h"

static int read_text(struct spec_host *h, const char *text, struct spec_errors *errors)
{
	return spec_host_read(h, text, strlen(text), "wardd.ini", errors);
}

static void refuse(const char *text, const char *line)
{
	struct spec_errors errors = {};
	struct spec_host h, before;

	spec_host_init(&h);
	before = h;
	assert_int_equal(read_text(&h, text, &errors), -EINVAL);
	assert_string_equal(errors.lines.items[0], line);
	assert_int_equal(errors.lines.count, 1);
	assert_memory_equal(&h, &before, sizeof(h));
	spec_errors_done(&errors);
}

static void test_values(void **state)
{
	static const char text[] = "# ours\n[host]\ncpu-reserve = 12.5%\nmemory-reserve = 1G ; ok\n"
				   "io-reserve = 0.5%\n";
	struct spec_errors errors = {};
	struct spec_host h;

	(void) state;
	spec_host_init(&h);
	assert_int_equal(h.cpu_reserve_ppm, 50000);
	assert_int_equal(h.io_reserve_ppm, 50000);
	assert_int_equal(spec_host_memory(&h, 100000000), 5000000);
	assert_int_equal(read_text(&h, "", &errors), 0);
	assert_int_equal(read_text(&h, text, &errors), 0);
	assert_int_equal(h.cpu_reserve_ppm, 125000);
	assert_int_equal(h.io_reserve_ppm, 5000);
	assert_int_equal(spec_host_memory(&h, UINT64_C(8) << 30), 1u << 30);
	assert_int_equal(spec_host_memory(&h, 1u << 20), 1u << 20);
	assert_int_equal(read_text(&h, "[host]\nmemory-reserve = 90%\ncpu-reserve = 0%", &errors),
			 0);
	assert_int_equal(h.cpu_reserve_ppm, 0);
	assert_int_equal(spec_host_memory(&h, 100000000), 90000000);
}

static void test_keys_are_printed_as_they_are_read(void **state)
{
	static const char text[] = "[host]\ncpu-reserve = 7%\nmemory-reserve = 512M\n";
	struct spec_errors errors = {};
	char value[UNITS_TEXT_MAX];
	struct spec_host h;
	const char *name;

	(void) state;
	spec_host_init(&h);
	assert_true(spec_host_key(&h, 1, &name, value));
	assert_string_equal(value, "5%");
	assert_int_equal(read_text(&h, text, &errors), 0);
	assert_true(spec_host_key(&h, 0, &name, value));
	assert_string_equal(name, "cpu-reserve");
	assert_string_equal(value, "7%");
	assert_true(spec_host_key(&h, 1, &name, value));
	assert_string_equal(value, "512M");
	assert_true(spec_host_key(&h, 2, &name, value));
	assert_string_equal(name, "io-reserve");
	assert_string_equal(value, "5%");
	assert_false(spec_host_key(&h, 3, &name, value));
}

#define CPU "allowed: 0%..90% of each CPU"
#define MEMORY "allowed: 0%..90% of the machine's memory, or a size such as 512M"

static void test_refusals(void **state)
{
	(void) state;
	refuse("[host]\n\ncpu-reserve = 91%\n",
	       "wardd.ini:3: host.cpu-reserve: \"91%\" is no value for it; " CPU);
	refuse("[host]\ncpu-reserve = -1%\n",
	       "wardd.ini:2: host.cpu-reserve: \"-1%\" is no value for it; " CPU);
	refuse("[host]\ncpu-reserve = 5\n",
	       "wardd.ini:2: host.cpu-reserve: \"5\" is no value for it; " CPU);
	refuse("[host]\ncpu-reserve = 5%m\n",
	       "wardd.ini:2: host.cpu-reserve: \"5%m\" is no value for it; " CPU);
	refuse("[host]\ncpu-reserve =\n",
	       "wardd.ini:2: host.cpu-reserve: \"\" is no value for it; " CPU);
	refuse("[host]\nmemory-reserve = max\n",
	       "wardd.ini:2: host.memory-reserve: \"max\" is no value for it; " MEMORY);
	refuse("[host]\nmemory-reserve = 99999999999T\n",
	       "wardd.ini:2: host.memory-reserve: \"99999999999T\" is no value for it; " MEMORY);
	refuse("[host]\nio-reserve = 91%\n",
	       "wardd.ini:2: host.io-reserve: \"91%\" is no value for it; allowed: 0%..90% of each "
	       "disk");
	refuse("[host]\ncpu = 5%\n",
	       "wardd.ini:2: host.cpu: no such key; allowed: cpu-reserve, memory-reserve, "
	       "io-reserve");
	refuse("[context]\ncommand = true\n",
	       "wardd.ini:1: [context]: no such section; allowed: host");
	refuse("cpu-reserve = 5%\n",
	       "wardd.ini:1: a setting before the first section; allowed: [SECTION]");
	refuse("[host]\ncpu-reserve = 5%\ncpu-reserve = 6%\n",
	       "wardd.ini:3: host.cpu-reserve: given twice; the first is on line 2");
	refuse("[host\n", "wardd.ini:1: the section's ] is missing; allowed: [SECTION]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_keys_are_printed_as_they_are_read),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
