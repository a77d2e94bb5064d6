/* Types whose value is one number. The units are base's; ranges are the row's. */
#include <string.h>
#include <sys/sysinfo.h>

#include "spec/row.h"

size_t row_one(const struct row *row, const struct spec *s)
{
	(void) row;
	(void) s;
	return 1;
}

static int range_check(const struct row *row, const char *text, uint64_t v, struct err *e)
{
	if (v == UNITS_NONE ? row->endless : v >= row->min && v <= row->max)
		return 0;
	return row_wrong(row, e, text, "is out of range");
}

/* @r what the parser of the unit said, @what the text it refused is not. */
static int store(const struct row *row, struct spec *s, const char *text, uint64_t v, int r,
		 const char *what, struct err *e)
{
	if (r < 0)
		return row_wrong(row, e, text, r == -ERANGE ? "is out of range" : what);
	r = range_check(row, text, v, e);
	if (r == 0)
		*(uint64_t *) row_field(row, s, 0) = v;
	return r;
}

static uint64_t value_of(const struct row *row, const struct spec *s)
{
	return *(const uint64_t *) row_field(row, s, 0);
}

#define NUMBER_METHODS                                                                             \
	.width = { sizeof(uint64_t) }, .count = row_one, .equal = row_plain_equal,                 \
	.copy = row_plain_copy, .clear = row_plain_clear

static int number_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	uint64_t v = UNITS_NONE;
	int r = 0;

	if (!str_equal(text, "max") && !str_equal(text, "none") && !str_equal(text, "unlimited"))
		r = units_parse_u64(text, 0, UNITS_NONE - 1, &v);
	return store(row, s, text, v, r, "is not a number", e);
}

static void number_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	uint64_t v = value_of(row, s);

	(void) i;
	if (v == UNITS_NONE)
		buf_puts(out, "max");
	else
		buf_printf(out, "%llu", (unsigned long long) v);
}

const struct row_type row_number = {
	.name = "number",
	.shape = ROW_SHAPE_NUMBER,
	.parse = number_parse,
	.print = number_print,
	NUMBER_METHODS,
};

static int bytes_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	uint64_t v = 0;
	int r = units_parse_bytes(text, &v);

	return store(row, s, text, v, r, "is not a size", e);
}

static void bytes_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	char text[UNITS_TEXT_MAX];

	(void) i;
	buf_puts(out, units_print_bytes(value_of(row, s), text));
}

const struct row_type row_bytes = {
	.name = "size",
	.shape = ROW_SHAPE_NUMBER,
	.parse = bytes_parse,
	.print = bytes_print,
	NUMBER_METHODS,
};

static int duration_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	uint64_t v = 0;
	int r = units_parse_duration(text, &v);

	return store(row, s, text, v, r, "is not a duration", e);
}

static void duration_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	char text[UNITS_TEXT_MAX];

	(void) i;
	buf_puts(out, units_print_duration(value_of(row, s), text));
}

const struct row_type row_duration = {
	.name = "duration",
	.shape = ROW_SHAPE_TEXT,
	.parse = duration_parse,
	.print = duration_print,
	NUMBER_METHODS,
};

static int cpu_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	/* Only "%m" asks how many there are; asking costs a file read. */
	unsigned cpus = strstr(text, "%m") ? (unsigned) get_nprocs() : 1;
	uint64_t v = 0;
	int r = units_parse_cpu(text, cpus, &v);

	return store(row, s, text, v, r, "is not an amount of CPU", e);
}

static void cpu_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	char text[UNITS_TEXT_MAX];

	(void) i;
	buf_puts(out, units_print_cpu(value_of(row, s), text));
}

const struct row_type row_cpu = {
	.name = "cpu",
	.shape = ROW_SHAPE_TEXT,
	.parse = cpu_parse,
	.print = cpu_print,
	NUMBER_METHODS,
};

/* --- umask: octal --- */

static int umask_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	mode_t v = 0;
	size_t n = strlen(text);

	if (n == 0 || n > 4 || strspn(text, "01234567") != n)
		return row_wrong(row, e, text, "is not an octal mask");
	for (const char *p = text; *p; p++)
		v = v << 3 | (mode_t) (*p - '0');
	if (v > row->max)
		return row_wrong(row, e, text, "is out of range");
	*(mode_t *) row_field(row, s, 0) = v;
	return 0;
}

static void umask_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	(void) i;
	buf_printf(out, "%03o", *(const mode_t *) row_field(row, s, 0));
}

const struct row_type row_umask = {
	.name = "mask",
	.shape = ROW_SHAPE_TEXT,
	.width = { sizeof(mode_t) },
	.parse = umask_parse,
	.count = row_one,
	.print = umask_print,
	.equal = row_plain_equal,
	.copy = row_plain_copy,
	.clear = row_plain_clear,
};
