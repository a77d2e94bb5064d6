/* wardd.ini: what it may say, and what is refused, with line, key and what is allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
	char value[SPEC_HOST_TEXT_MAX];
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
	assert_true(spec_host_key(&h, 4, &name, value));
	assert_string_equal(name, "link");
	assert_string_equal(value, "");
	assert_false(spec_host_key(&h, 5, &name, value));
}

static void test_links(void **state)
{
	static const char text[] = "[host]\nnetwork-reserve = 10%\nlink = eth0 1Gbit\n"
				   "link = ppp0 out 20Mbit in 100Mbit\nlink = a replace\n"
				   "link = b in 1.5MB/s replace\n";
	struct spec_errors errors = {};
	char value[SPEC_HOST_TEXT_MAX];
	struct spec_host h;
	const char *name;

	(void) state;
	spec_host_init(&h);
	assert_int_equal(h.network_reserve_ppm, 50000);
	assert_int_equal(read_text(&h, text, &errors), 0);
	assert_int_equal(h.network_reserve_ppm, 100000);
	assert_int_equal(h.link_count, 4);
	assert_int_equal(h.links[0].capacity.out, 125000000);
	assert_true(spec_host_key(&h, 4, &name, value));
	assert_string_equal(value, "eth0 1Gbit, ppp0 out 20Mbit in 100Mbit, a replace, "
				   "b out max in 12Mbit replace");
}

#define LINK                                                                                       \
	"allowed: an interface, once, and RATE, out RATE or in RATE (8Kbit..1Tbit), replace, or "  \
	"both; at most 16"

static void test_wrong_links(void **state)
{
	static const char *const wrong[] = {
		"eth0",
		"eth0 0Mbit",
		"eth0 7Kbit",
		"eth0 2Tbit",
		"eth0 max",
		"eth0 in",
		"eth0 in 1Mbit in 1Mbit",
		"a/b 1Mbit",
		"eth0 1Mbit 1Mbit",
		"an-interface-name 1Mbit",
		"eth0 fast",
	};
	char text[256], line[512];

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		(void) snprintf(text, sizeof(text), "[host]\nlink = %s\n", wrong[i]);
		(void) snprintf(line, sizeof(line),
				"wardd.ini:2: host.link: \"%s\" is no value for it; " LINK,
				wrong[i]);
		refuse(text, line);
	}
	refuse("[host]\nlink = a 1Mbit\nlink = a 2Mbit\n",
	       "wardd.ini:3: host.link: \"a 2Mbit\" is no value for it; " LINK);
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
	       "io-reserve, network-reserve, link");
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
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_wrong_links),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
