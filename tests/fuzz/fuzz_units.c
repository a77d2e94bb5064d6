/* Fuzzes the parsers of units: whatever is accepted must survive being printed and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void check_values(const char *s)
{
	char out[UNITS_TEXT_MAX];
	uint64_t v, again;

	if (units_parse_bytes(s, &v) == 0)
		require(units_parse_bytes(units_print_bytes(v, out), &again) == 0 && v == again);
	if (units_parse_rate(s, &v) == 0)
		require(units_parse_rate(units_print_rate(v, out), &again) == 0 && v == again);
	if (units_parse_cpu(s, 3, &v) == 0)
		require(units_parse_cpu(units_print_cpu(v, out), 3, &again) == 0 && v == again);
	if (units_parse_duration(s, &v) == 0)
		require(units_parse_duration(units_print_duration(v, out), &again) == 0 &&
			v == again);
	if (units_parse_u64(s, 0, UINT64_MAX, &v) == 0)
		require(*units_print_human(v, out) != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *s = malloc(size + 1);

	if (!s)
		return 0;
	if (size)
		memcpy(s, data, size);
	s[size] = '\0';

	check_values(s);
	int sig = units_parse_signal(s);
	if (sig > 0)
		require(units_parse_signal(units_print_signal(sig)) == sig);
	if (path_is_clean(s))
		require(s[0] == '/' && !strstr(s, "/../") && !strstr(s, "//"));
	return 0;
}
