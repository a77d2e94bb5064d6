/* Units: what a printer prints, the parser reads back as the same value; what overflows, or has
 * anything after it, is refused. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/units.h"

#define BAD (-EINVAL)
#define BIG (-ERANGE)

struct sample {
	const char *text;
	int result;
	uint64_t value;
};

typedef int (*parser)(const char *s, uint64_t *ret);

static void check_samples(parser parse, const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t v = 4711;
		int r = parse(samples[i].text, &v);

		if (r != samples[i].result)
			fail_msg("\"%s\": %d, not %d", samples[i].text, r, samples[i].result);
		/* A failure leaves the result alone. */
		assert_int_equal(v, r < 0 ? 4711 : samples[i].value);
	}
}

static void bytes_are_binary_and_checked(void **state)
{
	static const struct sample samples[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "64K", 0, 65536 },
		{ "512M", 0, 512ull << 20 },
		{ "2G", 0, 2ull << 30 },
		{ "1T", 0, 1ull << 40 },
		{ "max", 0, UNITS_NONE },
		{ "unlimited", 0, UNITS_NONE },
		{ "18446744073709551614", 0, UINT64_MAX - 1 },
		{ "18446744073709551615", BIG, 0 }, /* it would mean "no limit" */
		{ "18446744073709551616", BIG, 0 },
		{ "16777216T", BIG, 0 },
		{ "", BAD, 0 },
		{ "K", BAD, 0 },
		{ "-1", BAD, 0 },
		{ "+1", BAD, 0 },
		{ " 1", BAD, 0 },
		{ "1 ", BAD, 0 },
		{ "1k", BAD, 0 },
		{ "1KB", BAD, 0 },
		{ "1.5G", BAD, 0 },
		{ "0x10", BAD, 0 },
		{ "MAX", BAD, 0 },
	};

	(void) state;
	check_samples(units_parse_bytes, samples, ARRAY_SIZE(samples));
}

static void rates_are_decimal_and_exact(void **state)
{
	static const struct sample samples[] = {
		{ "50MB/s", 0, 50000000 },
		{ "1.5GB/s", 0, 1500000000 },
		{ "800KB/s", 0, 800000 },
		{ "1B/s", 0, 1 },
		{ "0.001KB/s", 0, 1 },
		{ "max", 0, UNITS_NONE },
		{ "50", BAD, 0 },
		{ "50MB", BAD, 0 },
		{ "0.5B/s", BAD, 0 }, /* half a byte */
		{ "1.MB/s", BAD, 0 },
		{ ".5MB/s", BAD, 0 },
		{ "1.0000001MB/s", BAD, 0 },
		{ "1..5MB/s", BAD, 0 },
		{ "99999999999TB/s", BIG, 0 },
	};

	(void) state;
	check_samples(units_parse_rate, samples, ARRAY_SIZE(samples));
}

static void bandwidths_are_bits_or_bytes(void **state)
{
	static const struct sample samples[] = {
		{ "8Kbit", 0, 1000 },
		{ "1Kbit", 0, 125 },
		{ "1.5Mbit", 0, 187500 },
		{ "1Gbit", 0, 125000000 },
		{ "1Tbit", 0, 125000000000 },
		{ "50MB/s", 0, 50000000 },
		{ "1B/s", 0, 1 },
		{ "max", 0, UNITS_NONE },
		{ "0Mbit", 0, 0 },
		{ "10", BAD, 0 },
		{ "10mbit", BAD, 0 },
		{ "10Mb", BAD, 0 },
		{ "1bit", BAD, 0 },
		{ "-1Mbit", BAD, 0 },
		{ "99999999999Tbit", BIG, 0 },
	};
	char out[UNITS_TEXT_MAX];

	(void) state;
	check_samples(units_parse_bandwidth, samples, ARRAY_SIZE(samples));
	assert_string_equal(units_print_bandwidth(1000000, out), "8Mbit");
	assert_string_equal(units_print_bandwidth(1000001, out), "1000001B/s");
}

static void durations_need_a_unit(void **state)
{
	static const struct sample samples[] = {
		{ "250us", 0, 250 },	{ "50ms", 0, 50000 },	 { "10s", 0, 10000000 },
		{ "5m", 0, 300000000 }, { "1h", 0, 3600000000 }, { "10", BAD, 0 },
		{ "0", BAD, 0 },	{ "0s", 0, 0 },		 { "max", BAD, 0 },
		{ "1d", BAD, 0 },	{ "1s1", BAD, 0 },	 { "5124095577h", BIG, 0 },
	};

	(void) state;
	check_samples(units_parse_duration, samples, ARRAY_SIZE(samples));
}

static int parse_cpu_of_4(const char *s, uint64_t *ret)
{
	return units_parse_cpu(s, 4, ret);
}

static void cpu_is_of_one_cpu_or_of_the_machine(void **state)
{
	static const struct sample samples[] = {
		{ "150%", 0, 1500 },
		{ "20%m", 0, 800 },
		{ "0.1%", 0, 1 },
		{ "12.5%", 0, 125 },
		{ "100%m", 0, 4000 },
		{ "max", 0, UNITS_NONE },
		{ "0.01%", BAD, 0 },
		{ "150", BAD, 0 },
		{ "%", BAD, 0 },
		{ "10%M", BAD, 0 },
		{ "1844674407370955162%", BIG, 0 },
	};

	(void) state;
	check_samples(parse_cpu_of_4, samples, ARRAY_SIZE(samples));
}

static void numbers_are_within_their_range(void **state)
{
	uint64_t v = 7;

	(void) state;
	assert_int_equal(units_parse_u64("0", 0, 10, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(units_parse_u64("10", 0, 10, &v), 0);
	assert_int_equal(units_parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(units_parse_u64("11", 0, 10, &v), -ERANGE);
	assert_int_equal(units_parse_u64("4", 5, 10, &v), -ERANGE);
	assert_int_equal(units_parse_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(units_parse_u64("5x", 0, 10, &v), -EINVAL);
	assert_int_equal(units_parse_u64("", 0, 10, &v), -EINVAL);
	assert_true(v == UINT64_MAX);
}

/* Deterministic, spread over all magnitudes. */
static uint64_t next_value(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> (*seed >> 58);
}

static void whatever_is_printed_is_read_back(void **state)
{
	char out[UNITS_TEXT_MAX];
	uint64_t seed = 1, v;

	(void) state;
	for (int i = 0; i < 100000; i++) {
		uint64_t in = i == 0 ? UNITS_NONE : next_value(&seed);

		if (i % 3 == 1)
			in &= ~0ull << (i % 41); /* many factors of two */
		if (i % 3 == 2)
			in = in / 1000000 * 1000000;
		assert_int_equal(units_parse_bytes(units_print_bytes(in, out), &v), 0);
		assert_true(v == in);
		assert_int_equal(units_parse_rate(units_print_rate(in, out), &v), 0);
		assert_true(v == in);
		assert_int_equal(units_parse_bandwidth(units_print_bandwidth(in, out), &v), 0);
		assert_true(v == in);
		assert_int_equal(units_parse_cpu(units_print_cpu(in, out), 2, &v), 0);
		assert_true(v == in);
		if (in == UNITS_NONE)
			continue;
		assert_int_equal(units_parse_duration(units_print_duration(in, out), &v), 0);
		assert_true(v == in);
	}
}

static void people_get_rounded_numbers(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} samples[] = {
		{ 0, "0" },
		{ 1023, "1023" },
		{ 1024, "1.0K" },
		{ 1500, "1.5K" },
		{ 10 * 1024, "10K" },
		{ 1048575, "1.0M" }, /* never "1024K" */
		{ 1503238553, "1.4G" },
		{ UINT64_MAX - 1, "16E" },
		{ UNITS_NONE, "max" },
	};
	char out[UNITS_TEXT_MAX];

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		assert_string_equal(units_print_human(samples[i].value, out), samples[i].text);
}

static void signals_have_names_and_numbers(void **state)
{
	(void) state;
	assert_int_equal(units_parse_signal("KILL"), SIGKILL);
	assert_int_equal(units_parse_signal("SIGKILL"), SIGKILL);
	assert_int_equal(units_parse_signal("9"), SIGKILL);
	assert_int_equal(units_parse_signal("RTMIN+3"), SIGRTMIN + 3);
	assert_int_equal(units_parse_signal("SIGRTMAX-1"), SIGRTMAX - 1);
	assert_int_equal(units_parse_signal("RTMIN"), SIGRTMIN);
	assert_int_equal(units_parse_signal("CLD"), SIGCHLD);

	static const char *const bad[] = { "",	       "0",	 "-9",	       "65",
					   "kill",     "KILLL",	 "SIG",	       "RTMIN-1",
					   "RTMIN+31", "RTMIN+", "SIGSIGKILL", "RTMAX+1" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(units_parse_signal(bad[i]), -EINVAL);

	for (int sig = 1; sig <= SIGRTMAX; sig++)
		assert_int_equal(units_parse_signal(units_print_signal(sig)), sig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_binary_and_checked),
		cmocka_unit_test(rates_are_decimal_and_exact),
		cmocka_unit_test(bandwidths_are_bits_or_bytes),
		cmocka_unit_test(durations_need_a_unit),
		cmocka_unit_test(cpu_is_of_one_cpu_or_of_the_machine),
		cmocka_unit_test(numbers_are_within_their_range),
		cmocka_unit_test(whatever_is_printed_is_read_back),
		cmocka_unit_test(people_get_rounded_numbers),
		cmocka_unit_test(signals_have_names_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
