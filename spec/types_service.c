/* Types of the keys that make a context a service: what is probed, how often it is restarted. */
#include <string.h>

#include "spec/row.h"
#include "spec/words.h"

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

/* --- started | notify | tcp:PORT | exec:COMMAND, and for health "... every DURATION" --- */

static struct spec_probe *probe_of(const struct row *row, const struct spec *s)
{
	return row_field(row, s, 0);
}

static void probe_done(struct spec_probe *p)
{
	strv_done(&p->command);
	*p = (struct spec_probe){ 0 };
}

static int tcp_parse(const struct row *row, const char *text, const struct strv *words,
		     struct spec_probe *p, struct err *e)
{
	uint64_t port;

	if (words->count != 1 || units_parse_u64(words->items[0], 1, 65535, &port) < 0)
		return row_wrong(row, e, text, "has no port from 1 to 65535");
	p->kind = SPEC_PROBE_TCP;
	p->port = (unsigned) port;
	return 0;
}

static int exec_parse(const struct row *row, const char *text, struct strv *words,
		      struct spec_probe *p, struct err *e)
{
	if (words->count == 0 || !*words->items[0])
		return row_wrong(row, e, text, "names no program");
	p->kind = SPEC_PROBE_EXEC;
	p->command = *words;
	*words = (struct strv){ 0 };
	return 0;
}

/* Takes "every DURATION" off the end. */
static int take_interval(const struct row *row, const char *text, struct strv *w, uint64_t *ret,
			 struct err *e)
{
	if (w->count < 3 || !str_equal(w->items[w->count - 2], "every"))
		return 0;
	if (units_parse_duration(w->items[w->count - 1], ret) < 0)
		return row_wrong(row, e, text, "has an interval that is no duration");
	if (*ret < row->min || *ret > row->max)
		return row_wrong(row, e, text, "has an interval out of range");
	for (int i = 0; i < 2; i++) {
		free(w->items[--w->count]);
		w->items[w->count] = NULL;
	}
	return 0;
}

/* What follows "tcp:" or "exec:". */
static int probe_parse(const struct row *row, const char *text, bool interval,
		       struct spec_probe *ret, struct err *e)
{
	bool tcp = strncmp(text, "tcp:", 4) == 0, exec = strncmp(text, "exec:", 5) == 0;
	struct strv words = { 0 };
	int r;

	if (!tcp && !exec)
		return row_unknown(row, e, text, row->choice->words, row->choice->count);
	r = words_split(text + (tcp ? 4 : 5), &words, e);
	if (r == 0 && interval)
		r = take_interval(row, text, &words, &ret->every_us, e);
	if (r == 0)
		r = tcp ? tcp_parse(row, text, &words, ret, e)
			: exec_parse(row, text, &words, ret, e);
	strv_done(&words);
	return r;
}

static int ready_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	struct spec_probe p = { 0 };
	int r = 0;

	if (str_equal(text, "notify"))
		p.kind = SPEC_PROBE_NOTIFY;
	else if (!str_equal(text, "started"))
		r = probe_parse(row, text, false, &p, e);
	if (r < 0)
		return r;
	probe_done(probe_of(row, s));
	*probe_of(row, s) = p;
	return 0;
}

#define HEALTH_EVERY_US (10 * UINT64_C(1000000))

static int health_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	struct spec_probe p = { 0 };
	int r = 0;

	if (!str_equal(text, "none")) {
		p.every_us = HEALTH_EVERY_US;
		r = probe_parse(row, text, true, &p, e);
	}
	if (r < 0)
		return r;
	probe_done(probe_of(row, s));
	*probe_of(row, s) = p;
	return 0;
}

static void probe_print(const struct spec_probe *p, struct buf *out)
{
	if (p->kind == SPEC_PROBE_TCP)
		buf_printf(out, "tcp:%u", p->port);
	if (p->kind != SPEC_PROBE_EXEC)
		return;
	buf_puts(out, "exec:");
	for (size_t i = 0; i < p->command.count; i++) {
		buf_puts(out, i ? " " : "");
		word_print(p->command.items[i], false, out);
	}
}

void spec_probe_print(const struct spec_probe *p, struct buf *out)
{
	if (p->kind == SPEC_PROBE_NOTIFY)
		buf_puts(out, "notify");
	else
		probe_print(p, out);
}

static void ready_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	const struct spec_probe *p = probe_of(row, s);

	(void) i;
	if (p->kind == SPEC_PROBE_NONE)
		buf_puts(out, "started");
	else
		spec_probe_print(p, out);
}

static void health_write(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	const struct spec_probe *p = probe_of(row, s);
	char every[UNITS_TEXT_MAX];

	(void) i;
	if (p->kind == SPEC_PROBE_NONE) {
		buf_puts(out, "none");
		return;
	}
	probe_print(p, out);
	buf_printf(out, " every %s", units_print_duration(p->every_us, every));
}

static bool probe_equal(const struct row *row, const struct spec *a, const struct spec *b)
{
	const struct spec_probe *x = probe_of(row, a), *y = probe_of(row, b);

	return x->kind == y->kind && x->port == y->port && x->every_us == y->every_us &&
	       strv_equal(&x->command, &y->command);
}

static int probe_copy(const struct row *row, struct spec *to, const struct spec *from)
{
	struct spec_probe p = *probe_of(row, from);

	p.command = (struct strv){ 0 };
	if (strv_copy(&p.command, &probe_of(row, from)->command) < 0)
		return -ENOMEM;
	*probe_of(row, to) = p;
	return 0;
}

static void probe_clear(const struct row *row, struct spec *s)
{
	probe_done(probe_of(row, s));
}

#define PROBE_METHODS                                                                              \
	.shape = ROW_SHAPE_TEXT, .width = { sizeof(struct spec_probe) }, .count = row_one,         \
	.equal = probe_equal, .copy = probe_copy, .clear = probe_clear

const struct row_type row_ready = {
	.name = "condition",
	.parse = ready_parse,
	.print = ready_write,
	PROBE_METHODS,
};

const struct row_type row_health = {
	.name = "probe",
	.parse = health_parse,
	.print = health_write,
	PROBE_METHODS,
};

bool spec_wants_notify(const struct spec *s)
{
	return s->context.ready.kind == SPEC_PROBE_NOTIFY || s->context.watchdog_us;
}

/* --- FIRST..MAX --- */

static uint64_t *number_at(const struct row *row, const struct spec *s, unsigned i)
{
	return row_field(row, s, i);
}

static int delay_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	const char *dots = strstr(text, "..");
	_cleanup_free_ char *first = strndup(text, dots ? (size_t) (dots - text) : strlen(text));
	uint64_t a, b;

	if (!first)
		return out_of_memory(e);
	if (units_parse_duration(first, &a) < 0 ||
	    units_parse_duration(dots ? dots + 2 : first, &b) < 0)
		return row_wrong(row, e, text, "is not a duration or a range of them");
	if (a < row->min || b > row->max)
		return row_wrong(row, e, text, "is out of range");
	if (a > b)
		return row_wrong(row, e, text, "begins above its end");
	*number_at(row, s, 0) = a;
	*number_at(row, s, 1) = b;
	return 0;
}

static void delay_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	uint64_t a = *number_at(row, s, 0), b = *number_at(row, s, 1);
	char text[UNITS_TEXT_MAX];

	(void) i;
	buf_puts(out, units_print_duration(a, text));
	if (a != b)
		buf_printf(out, "..%s", units_print_duration(b, text));
}

#define PAIR_METHODS                                                                               \
	.shape = ROW_SHAPE_TEXT, .width = { sizeof(uint64_t), sizeof(uint64_t) },                  \
	.count = row_one, .equal = row_plain_equal, .copy = row_plain_copy,                        \
	.clear = row_plain_clear

const struct row_type row_delay = {
	.name = "duration or range",
	.parse = delay_parse,
	.print = delay_print,
	PAIR_METHODS,
};

/* --- COUNT in DURATION, or none --- */

static int rate_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	struct strv w = { 0 };
	uint64_t count = 0, us = 0;
	int r = words_split(text, &w, e);

	if (r == 0 && !str_equal(text, "none")) {
		if (w.count != 3 || !str_equal(w.items[1], "in") ||
		    units_parse_duration(w.items[2], &us) < 0)
			r = row_wrong(row, e, text, "is not COUNT in DURATION");
		else if (units_parse_u64(w.items[0], 1, SPEC_RESTARTS_MAX, &count) < 0 ||
			 us < row->min || us > row->max)
			r = row_wrong(row, e, text, "is out of range");
	}
	strv_done(&w);
	if (r < 0)
		return r;
	*number_at(row, s, 0) = count;
	*number_at(row, s, 1) = us;
	return 0;
}

static void rate_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	char text[UNITS_TEXT_MAX];

	(void) i;
	if (*number_at(row, s, 0) == 0)
		buf_puts(out, "none");
	else
		buf_printf(out, "%llu in %s", (unsigned long long) *number_at(row, s, 0),
			   units_print_duration(*number_at(row, s, 1), text));
}

const struct row_type row_rate = {
	.name = "count in duration",
	.parse = rate_parse,
	.print = rate_print,
	PAIR_METHODS,
};

/* --- a duration or off (0) --- */

static int timer_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	uint64_t v = 0;

	if (!str_equal(text, "off")) {
		if (units_parse_duration(text, &v) < 0)
			return row_wrong(row, e, text, "is not a duration");
		if (v < row->min || v > row->max)
			return row_wrong(row, e, text, "is out of range");
	}
	*number_at(row, s, 0) = v;
	return 0;
}

static void timer_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	char text[UNITS_TEXT_MAX];
	uint64_t v = *number_at(row, s, 0);

	(void) i;
	buf_puts(out, v ? units_print_duration(v, text) : "off");
}

const struct row_type row_timer = {
	.name = "duration or off",
	.shape = ROW_SHAPE_TEXT,
	.width = { sizeof(uint64_t) },
	.parse = timer_parse,
	.count = row_one,
	.print = timer_print,
	.equal = row_plain_equal,
	.copy = row_plain_copy,
	.clear = row_plain_clear,
};
