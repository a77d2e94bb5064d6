/* The keys of wardd.ini: one table, which reads, prints and says what is allowed. */
#include "spec/host.h"

#include <stdio.h>
#include <string.h>

#include "spec/lines.h"
#include "spec/words.h"

#define SECTION "host"
#define PERCENT_MAX 90u
#define PPM_OF_MILLI 1000u
#define DEFAULT_PPM 50000u /* 5% */

struct host_key {
	const char *name, *allowed;
	bool (*read)(struct spec_host *h, const char *value);
	void (*print)(const struct spec_host *h, char out[static UNITS_TEXT_MAX]);
};

static bool read_percent(const char *value, uint32_t *ret_ppm)
{
	size_t len = strlen(value);
	uint64_t milli;

	if (len == 0 || value[len - 1] != '%' || units_parse_cpu(value, 1, &milli) < 0 ||
	    milli > PERCENT_MAX * 10)
		return false;
	*ret_ppm = (uint32_t) milli * PPM_OF_MILLI;
	return true;
}

static bool read_cpu(struct spec_host *h, const char *value)
{
	return read_percent(value, &h->cpu_reserve_ppm);
}

static void print_cpu(const struct spec_host *h, char out[static UNITS_TEXT_MAX])
{
	units_print_cpu(h->cpu_reserve_ppm / PPM_OF_MILLI, out);
}

static bool read_io(struct spec_host *h, const char *value)
{
	return read_percent(value, &h->io_reserve_ppm);
}

static void print_io(const struct spec_host *h, char out[static UNITS_TEXT_MAX])
{
	units_print_cpu(h->io_reserve_ppm / PPM_OF_MILLI, out);
}

static bool read_memory(struct spec_host *h, const char *value)
{
	uint64_t bytes;

	if (read_percent(value, &h->memory_reserve_ppm)) {
		h->memory_reserve = UNITS_NONE;
		return true;
	}
	if (units_parse_bytes(value, &bytes) < 0 || bytes == UNITS_NONE)
		return false;
	h->memory_reserve = bytes;
	return true;
}

static void print_memory(const struct spec_host *h, char out[static UNITS_TEXT_MAX])
{
	if (h->memory_reserve == UNITS_NONE)
		units_print_cpu(h->memory_reserve_ppm / PPM_OF_MILLI, out);
	else
		units_print_bytes(h->memory_reserve, out);
}

static const struct host_key keys[] = {
	{ "cpu-reserve", "0%..90% of each CPU", read_cpu, print_cpu },
	{ "memory-reserve", "0%..90% of the machine's memory, or a size such as 512M", read_memory,
	  print_memory },
	{ "io-reserve", "0%..90% of each disk", read_io, print_io },
};

struct reader {
	struct lines lines; /* first */
	struct spec_host host;
	unsigned first[ARRAY_SIZE(keys)]; /* line on which a key first stood */
};

static int find_section(const char *name, struct err *e)
{
	return strcmp(name, SECTION) == 0
		       ? 0
		       : err_set(e, -ENOENT, "no such section; allowed: " SECTION);
}

static void refuse_unknown(struct lines *l, const char *name)
{
	struct buf text = {};

	buf_puts(&text, "no such key; allowed: ");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		buf_printf(&text, "%s%s", i ? ", " : "", keys[i].name);
	lines_refuse_key(l, SECTION, name, text.error ? "no such key" : text.data);
	buf_done(&text);
}

static void refuse_value(struct lines *l, const struct host_key *k, const char *value)
{
	char echo[TEXT_ECHO_MAX], text[ERR_TEXT_MAX];

	(void) snprintf(text, sizeof(text), "\"%s\" is no value for it; allowed: %s",
			text_echo(value, echo), k->allowed);
	lines_refuse_key(l, SECTION, k->name, text);
}

static void take_setting(struct lines *l, const char *section, const char *name, const char *value)
{
	struct reader *r = (struct reader *) l;
	size_t i = 0;
	char text[80];

	(void) section; /* there is one */
	while (i < ARRAY_SIZE(keys) && strcmp(keys[i].name, name) != 0)
		i++;
	if (i == ARRAY_SIZE(keys)) {
		refuse_unknown(l, name);
	} else if (r->first[i]) {
		(void) snprintf(text, sizeof(text), "given twice; the first is on line %u",
				r->first[i]);
		lines_refuse_key(l, SECTION, name, text);
	} else {
		r->first[i] = l->line;
		if (!keys[i].read(&r->host, value))
			refuse_value(l, &keys[i], value);
	}
}

void spec_host_init(struct spec_host *h)
{
	*h = (struct spec_host){ .cpu_reserve_ppm = DEFAULT_PPM,
				 .io_reserve_ppm = DEFAULT_PPM,
				 .memory_reserve_ppm = DEFAULT_PPM,
				 .memory_reserve = UNITS_NONE };
}

int spec_host_read(struct spec_host *h, const char *text, size_t len, const char *source,
		   struct spec_errors *errors)
{
	struct reader r = {
		.lines = { .source = source,
			   .errors = errors,
			   .section = find_section,
			   .setting = take_setting },
		.host = *h,
	};
	int code = lines_read(&r.lines, text, len);

	if (code == 0)
		*h = r.host;
	return code;
}

uint64_t spec_host_memory(const struct spec_host *h, uint64_t total)
{
	if (h->memory_reserve == UNITS_NONE)
		return total / 1000000 * h->memory_reserve_ppm;
	return h->memory_reserve < total ? h->memory_reserve : total;
}

bool spec_host_key(const struct spec_host *h, size_t i, const char **ret_name,
		   char value[static UNITS_TEXT_MAX])
{
	if (i >= ARRAY_SIZE(keys))
		return false;
	*ret_name = keys[i].name;
	keys[i].print(h, value);
	return true;
}
