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
#define LINK_RATE_MIN 1000u /* bytes a second: 8Kbit */
#define LINK_RATE_MAX UINT64_C(125000000000) /* 1Tbit */

struct host_key {
	const char *name, *allowed;
	bool (*read)(struct spec_host *h, const char *value);
	void (*print)(const struct spec_host *h, char out[static SPEC_HOST_TEXT_MAX]);
	bool repeats;
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

static void print_cpu(const struct spec_host *h, char out[static SPEC_HOST_TEXT_MAX])
{
	units_print_cpu(h->cpu_reserve_ppm / PPM_OF_MILLI, out);
}

static bool read_io(struct spec_host *h, const char *value)
{
	return read_percent(value, &h->io_reserve_ppm);
}

static void print_io(const struct spec_host *h, char out[static SPEC_HOST_TEXT_MAX])
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

static void print_memory(const struct spec_host *h, char out[static SPEC_HOST_TEXT_MAX])
{
	if (h->memory_reserve == UNITS_NONE)
		units_print_cpu(h->memory_reserve_ppm / PPM_OF_MILLI, out);
	else
		units_print_bytes(h->memory_reserve, out);
}

static bool read_network(struct spec_host *h, const char *value)
{
	return read_percent(value, &h->network_reserve_ppm);
}

static void print_network(const struct spec_host *h, char out[static SPEC_HOST_TEXT_MAX])
{
	units_print_cpu(h->network_reserve_ppm / PPM_OF_MILLI, out);
}

/* --- links: NAME [RATE | out RATE | in RATE]... [replace] --- */

static bool read_capacity(const char *text, uint64_t *ret)
{
	return units_parse_bandwidth(text, ret) >= 0 && *ret >= LINK_RATE_MIN &&
	       *ret <= LINK_RATE_MAX;
}

/* @return how many words were read, or 0. */
static size_t read_link_word(const char *word, const char *next, struct spec_host_link *l)
{
	bool out = str_equal(word, "out");
	uint64_t *way = out ? &l->capacity.out : &l->capacity.in;

	if (str_equal(word, "replace")) {
		l->replace = true;
		return 1;
	}
	if (out || str_equal(word, "in"))
		return next && *way == UNITS_NONE && read_capacity(next, way) ? 2 : 0;
	if (l->capacity.out != UNITS_NONE || !read_capacity(word, &l->capacity.out))
		return 0;
	l->capacity.in = l->capacity.out;
	return 1;
}

static bool read_link_words(struct spec_host *h, const struct strv *w)
{
	struct spec_host_link l = { .capacity = { UNITS_NONE, UNITS_NONE } };
	size_t step = 1;

	if (w->count < 2 || h->link_count == SPEC_HOST_LINKS_MAX ||
	    strlen(w->items[0]) >= sizeof(l.name) || strpbrk(w->items[0], "/ \t:"))
		return false;
	memcpy(l.name, w->items[0], strlen(w->items[0]));
	for (size_t i = 1; step && i < w->count; i += step)
		step = read_link_word(w->items[i], i + 1 < w->count ? w->items[i + 1] : NULL, &l);
	for (uint32_t i = 0; i < h->link_count; i++)
		step = str_equal(h->links[i].name, l.name) ? 0 : step;
	if (step)
		h->links[h->link_count++] = l;
	return step > 0;
}

static bool read_link(struct spec_host *h, const char *value)
{
	struct strv words = {};
	bool good = words_split(value, &words, NULL) == 0 && read_link_words(h, &words);

	strv_done(&words);
	return good;
}

static void print_links(const struct spec_host *h, char out[static SPEC_HOST_TEXT_MAX])
{
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX];
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < h->link_count && n < SPEC_HOST_TEXT_MAX; i++) {
		const struct spec_host_link *l = &h->links[i];
		const struct spec_ways *c = &l->capacity;

		n += (size_t) snprintf(out + n, SPEC_HOST_TEXT_MAX - n, "%s%s", i ? ", " : "",
				       l->name);
		if (c->out != UNITS_NONE && c->out == c->in)
			n += (size_t) snprintf(out + n, SPEC_HOST_TEXT_MAX - n, " %s",
					       units_print_bandwidth(c->out, a));
		else if (c->out != c->in)
			n += (size_t) snprintf(out + n, SPEC_HOST_TEXT_MAX - n, " out %s in %s",
					       units_print_bandwidth(c->out, a),
					       units_print_bandwidth(c->in, b));
		if (l->replace)
			n += (size_t) snprintf(out + n, SPEC_HOST_TEXT_MAX - n, " replace");
	}
}

static const struct host_key keys[] = {
	{ "cpu-reserve", "0%..90% of each CPU", read_cpu, print_cpu, false },
	{ "memory-reserve", "0%..90% of the machine's memory, or a size such as 512M", read_memory,
	  print_memory, false },
	{ "io-reserve", "0%..90% of each disk", read_io, print_io, false },
	{ "network-reserve", "0%..90% of each link", read_network, print_network, false },
	{ "link",
	  "an interface, once, and RATE, out RATE or in RATE (8Kbit..1Tbit), replace, or both; at "
	  "most 16",
	  read_link, print_links, true },
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
	} else if (r->first[i] && !keys[i].repeats) {
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
				 .network_reserve_ppm = DEFAULT_PPM,
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
		   char value[static SPEC_HOST_TEXT_MAX])
{
	if (i >= ARRAY_SIZE(keys))
		return false;
	*ret_name = keys[i].name;
	keys[i].print(h, value);
	return true;
}
