/* Values as admins write them. Parsers read a decimal number, then a suffix from a table, and
 * refuse whatever is left over; printers choose the largest suffix that divides the value, so
 * that reading gives it back exactly. */
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct suffix {
	const char *text;
	uint64_t factor;
};

/* Largest first. */
static const struct suffix bytes_suffixes[] = {
	{ "T", 1ull << 40 }, { "G", 1ull << 30 }, { "M", 1ull << 20 },
	{ "K", 1ull << 10 }, { "", 1 },
};
static const struct suffix rate_suffixes[] = {
	{ "TB/s", 1000000000000 }, { "GB/s", 1000000000 }, { "MB/s", 1000000 },
	{ "KB/s", 1000 },	   { "B/s", 1 },
};
static const struct suffix bandwidth_suffixes[] = {
	{ "Tbit", 125000000000 }, { "Gbit", 125000000 },     { "Mbit", 125000 },
	{ "Kbit", 125 },	  { "TB/s", 1000000000000 }, { "GB/s", 1000000000 },
	{ "MB/s", 1000000 },	  { "KB/s", 1000 },	     { "B/s", 1 },
};
#define BIT_SUFFIXES 4 /* of them: those that are printed, B/s for what is none */
static const struct suffix duration_suffixes[] = {
	{ "h", 3600000000 }, { "m", 60000000 }, { "s", 1000000 }, { "ms", 1000 }, { "us", 1 },
};

/* Reads digits. @return what follows them, or NULL with *error set. */
static const char *parse_digits(const char *s, uint64_t *ret, int *error)
{
	uint64_t v = 0;

	*error = -EINVAL;
	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v)) {
			*error = -ERANGE;
			return NULL;
		}
	}
	*ret = v;
	return s;
}

static bool is_none(const char *s)
{
	return str_equal(s, "max") || str_equal(s, "none") || str_equal(s, "unlimited");
}

/* value * factor + fraction / scale * factor; must be whole, and less than UNITS_NONE. */
static int scale_value(uint64_t value, uint64_t fraction, uint64_t scale, uint64_t factor,
		       uint64_t *ret)
{
	uint64_t whole, part;

	if (__builtin_mul_overflow(value, factor, &whole) ||
	    __builtin_mul_overflow(fraction, factor, &part))
		return -ERANGE;
	if (part % scale)
		return -EINVAL;
	if (__builtin_add_overflow(whole, part / scale, &whole) || whole == UNITS_NONE)
		return -ERANGE;
	*ret = whole;
	return 0;
}

/* Reads ".25" as 25 of 100. @return what follows, s itself when there is no point, or NULL. */
static const char *parse_fraction(const char *s, uint64_t *fraction, uint64_t *scale)
{
	*fraction = 0;
	*scale = 1;
	if (*s != '.')
		return s;
	for (s++; *s >= '0' && *s <= '9'; s++) {
		if (*scale >= 1000000)
			return NULL;
		*fraction = *fraction * 10 + (uint64_t) (*s - '0');
		*scale *= 10;
	}
	return *scale > 1 ? s : NULL;
}

static int parse_suffixed(const char *s, const struct suffix *table, size_t count, bool fractions,
			  uint64_t *ret)
{
	uint64_t value, fraction = 0, scale = 1;
	int error;

	s = parse_digits(s, &value, &error);
	if (!s)
		return error;
	if (fractions)
		s = parse_fraction(s, &fraction, &scale);
	if (!s)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(s, table[i].text) == 0)
			return scale_value(value, fraction, scale, table[i].factor, ret);
	}
	return -EINVAL;
}

static char *print_suffixed(uint64_t v, const struct suffix *table, size_t count, char *out)
{
	size_t i = 0;

	while (i + 1 < count && v % table[i].factor)
		i++;
	(void) snprintf(out, UNITS_TEXT_MAX, "%" PRIu64 "%s", v / table[i].factor, table[i].text);
	return out;
}

static char *print_text(const char *text, char *out)
{
	(void) snprintf(out, UNITS_TEXT_MAX, "%s", text);
	return out;
}

int units_parse_bytes(const char *s, uint64_t *ret)
{
	if (is_none(s)) {
		*ret = UNITS_NONE;
		return 0;
	}
	return parse_suffixed(s, bytes_suffixes, ARRAY_SIZE(bytes_suffixes), false, ret);
}

int units_parse_rate(const char *s, uint64_t *ret)
{
	if (is_none(s)) {
		*ret = UNITS_NONE;
		return 0;
	}
	return parse_suffixed(s, rate_suffixes, ARRAY_SIZE(rate_suffixes), true, ret);
}

int units_parse_bandwidth(const char *s, uint64_t *ret)
{
	if (is_none(s)) {
		*ret = UNITS_NONE;
		return 0;
	}
	return parse_suffixed(s, bandwidth_suffixes, ARRAY_SIZE(bandwidth_suffixes), true, ret);
}

int units_parse_duration(const char *s, uint64_t *ret_us)
{
	return parse_suffixed(s, duration_suffixes, ARRAY_SIZE(duration_suffixes), false, ret_us);
}

int units_parse_cpu(const char *s, unsigned cpus, uint64_t *ret_millicpu)
{
	/* One percent of a CPU is ten thousandths of it. */
	const struct suffix suffixes[] = { { "%", 10 }, { "%m", 10ull * cpus } };

	if (is_none(s)) {
		*ret_millicpu = UNITS_NONE;
		return 0;
	}
	return parse_suffixed(s, suffixes, ARRAY_SIZE(suffixes), true, ret_millicpu);
}

int units_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int error;

	s = parse_digits(s, &v, &error);
	if (!s)
		return error;
	if (*s)
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

char *units_print_bytes(uint64_t v, char out[static UNITS_TEXT_MAX])
{
	if (v == UNITS_NONE)
		return print_text("max", out);
	if (v == 0)
		return print_text("0", out);
	return print_suffixed(v, bytes_suffixes, ARRAY_SIZE(bytes_suffixes), out);
}

char *units_print_rate(uint64_t v, char out[static UNITS_TEXT_MAX])
{
	if (v == UNITS_NONE)
		return print_text("max", out);
	if (v == 0)
		return print_text("0B/s", out);
	return print_suffixed(v, rate_suffixes, ARRAY_SIZE(rate_suffixes), out);
}

char *units_print_bandwidth(uint64_t v, char out[static UNITS_TEXT_MAX])
{
	if (v == UNITS_NONE)
		return print_text("max", out);
	if (v == 0)
		return print_text("0Kbit", out);
	if (v % bandwidth_suffixes[BIT_SUFFIXES - 1].factor)
		return print_suffixed(v, &bandwidth_suffixes[ARRAY_SIZE(bandwidth_suffixes) - 1], 1,
				      out);
	return print_suffixed(v, bandwidth_suffixes, BIT_SUFFIXES, out);
}

char *units_print_duration(uint64_t us, char out[static UNITS_TEXT_MAX])
{
	if (us == 0)
		return print_text("0s", out);
	return print_suffixed(us, duration_suffixes, ARRAY_SIZE(duration_suffixes), out);
}

char *units_print_cpu(uint64_t millicpu, char out[static UNITS_TEXT_MAX])
{
	uint64_t percent = millicpu / 10, tenth = millicpu % 10;

	if (millicpu == UNITS_NONE)
		return print_text("max", out);
	if (tenth)
		(void) snprintf(out, UNITS_TEXT_MAX, "%" PRIu64 ".%" PRIu64 "%%", percent, tenth);
	else
		(void) snprintf(out, UNITS_TEXT_MAX, "%" PRIu64 "%%", percent);
	return out;
}

char *units_print_human(uint64_t v, char out[static UNITS_TEXT_MAX])
{
	static const char prefixes[] = "KMGTPE";
	uint64_t unit = 1024;
	size_t i = 0;

	if (v == UNITS_NONE)
		return print_text("max", out);
	if (v < 1024) {
		(void) snprintf(out, UNITS_TEXT_MAX, "%" PRIu64, v);
		return out;
	}
	/* The next prefix as soon as rounding would print 1024 of this one. */
	while (i + 2 < sizeof(prefixes) && v >= unit * 1024 - unit / 2) {
		unit *= 1024;
		i++;
	}
	uint64_t whole = v / unit, rest = v % unit;
	uint64_t tenths = whole * 10 + (rest * 10 + unit / 2) / unit;
	if (tenths < 100)
		(void) snprintf(out, UNITS_TEXT_MAX, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10,
				tenths % 10, prefixes[i]);
	else
		(void) snprintf(out, UNITS_TEXT_MAX, "%" PRIu64 "%c", whole + (rest >= unit / 2),
				prefixes[i]);
	return out;
}
