/* The columns. What is not known prints as "-" and sorts last. */
#include "ctl/columns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/text.h"

#define COLUMN_ARGS const struct columns_view *v, char out[static COLUMNS_TEXT_MAX]

static void put_bytes(uint64_t n, char out[static COLUMNS_TEXT_MAX])
{
	char text[UNITS_TEXT_MAX];

	(void) snprintf(out, COLUMNS_TEXT_MAX, "%s",
			n == SAMPLE_UNKNOWN ? "-" : units_print_human(n, text));
}

static void put_age(uint64_t us, char out[static COLUMNS_TEXT_MAX])
{
	char text[TEXT_AGE_MAX];

	(void) snprintf(out, COLUMNS_TEXT_MAX, "%s",
			us == SAMPLE_UNKNOWN ? "-" : text_age(us, text));
}

static void put_number(uint64_t n, char out[static COLUMNS_TEXT_MAX])
{
	if (n == SAMPLE_UNKNOWN)
		(void) snprintf(out, COLUMNS_TEXT_MAX, "-");
	else
		(void) snprintf(out, COLUMNS_TEXT_MAX, "%llu", (unsigned long long) n);
}

/* 0.123 is "12.3%"; three digits are enough. */
static void put_part(double part, char out[static COLUMNS_TEXT_MAX])
{
	if (part < 0)
		(void) snprintf(out, COLUMNS_TEXT_MAX, "-");
	else
		(void) snprintf(out, COLUMNS_TEXT_MAX, part < 0.9995 ? "%.1f%%" : "%.0f%%",
				part * 100);
}

static void put_rate(double bytes, char out[static COLUMNS_TEXT_MAX])
{
	put_bytes(bytes < 0 ? SAMPLE_UNKNOWN : (uint64_t) bytes, out);
}

static double known(uint64_t n)
{
	return n == SAMPLE_UNKNOWN ? -1 : (double) n;
}

/* A column of one number: how it is printed and what it is sorted by. */
#define COLUMN(id, put, expression)                                                                \
	static void print_##id(COLUMN_ARGS)                                                        \
	{                                                                                          \
		put(expression, out);                                                              \
	}                                                                                          \
	static double value_##id(const struct columns_view *v)                                     \
	{                                                                                          \
		return known_##put(expression);                                                    \
	}
#define known_put_bytes known
#define known_put_age known
#define known_put_number known
#define known_put_part
#define known_put_rate

/* Delivered of what was promised at most: how near the limit it is; below 0: there is none. */
static double of_limit(double used, uint64_t limit, double unit)
{
	return used < 0 || limit == SAMPLE_UNKNOWN || limit == 0 ? -1
								 : used / ((double) limit / unit);
}

static double in_cpus(uint64_t millicpu)
{
	return millicpu == SAMPLE_UNKNOWN ? -1 : (double) millicpu / 1000;
}

COLUMN(cpu, put_part, v->rates.cpu)
COLUMN(cpu_limit, put_part, of_limit(v->rates.cpu, v->row->cpu_limit_millicpu, 1000))
COLUMN(throttled, put_part, v->rates.throttled)
COLUMN(cpu_time, put_age, v->row->cpu_us)
COLUMN(throttled_time, put_age, v->row->throttled_us)
COLUMN(entitled, put_part, in_cpus(v->row->cpu_entitled_millicpu))
COLUMN(missed, put_part, in_cpus(v->row->cpu_missed_millicpu))
COLUMN(reserve, put_part, in_cpus(v->row->cpu_reserve_millicpu))
COLUMN(share, put_number, v->row->cpu_share)
COLUMN(memory, put_bytes, v->row->memory_bytes)
COLUMN(memory_used, put_part, of_limit(known(v->row->memory_bytes), v->row->memory_limit_bytes, 1))
COLUMN(memory_limit, put_bytes, v->row->memory_limit_bytes)
COLUMN(memory_peak, put_bytes, v->row->memory_peak_bytes)
COLUMN(memory_reserve, put_bytes, v->row->memory_reserve_bytes)
COLUMN(anon, put_bytes, v->row->memory_anon_bytes)
COLUMN(file, put_bytes, v->row->memory_file_bytes)
COLUMN(swap, put_bytes, v->row->swap_bytes)
COLUMN(oom, put_number, v->row->oom_kills)
COLUMN(procs, put_number, v->row->pids)
COLUMN(procs_limit, put_number, v->row->pids_limit)
COLUMN(procs_peak, put_number, v->row->pids_peak)
COLUMN(read, put_rate, v->rates.read)
COLUMN(written, put_rate, v->rates.write)
COLUMN(received, put_rate, v->rates.received)
COLUMN(sent, put_rate, v->rates.sent)
COLUMN(read_total, put_bytes, v->row->read_bytes)
COLUMN(written_total, put_bytes, v->row->write_bytes)
COLUMN(received_total, put_bytes, v->row->received_bytes)
COLUMN(sent_total, put_bytes, v->row->sent_bytes)
COLUMN(wait_cpu, put_part, v->rates.waited_cpu)
COLUMN(wait_memory, put_part, v->rates.waited_memory)
COLUMN(wait_io, put_part, v->rates.waited_io)
COLUMN(uptime, put_age, v->row->uptime_us)

static void print_name(COLUMN_ARGS)
{
	(void) snprintf(out, COLUMNS_TEXT_MAX, "%s", v->row->name);
}

static void print_letter(COLUMN_ARGS)
{
	(void) snprintf(out, COLUMNS_TEXT_MAX, "%.1s", v->row->state);
}

static void print_state(COLUMN_ARGS)
{
	(void) snprintf(out, COLUMNS_TEXT_MAX, "%s", v->row->state);
}

/* "12% of 20%": delivered against promised. */
static void print_cpu_promised(COLUMN_ARGS)
{
	char limit[UNITS_TEXT_MAX];

	put_part(v->rates.cpu, out);
	if (v->row->cpu_limit_millicpu != SAMPLE_UNKNOWN)
		(void) snprintf(out + strlen(out), COLUMNS_TEXT_MAX - strlen(out), " of %s",
				units_print_cpu(v->row->cpu_limit_millicpu, limit));
}

static void print_memory_promised(COLUMN_ARGS)
{
	char limit[UNITS_TEXT_MAX];

	put_bytes(v->row->memory_bytes, out);
	if (v->row->memory_limit_bytes != SAMPLE_UNKNOWN)
		(void) snprintf(out + strlen(out), COLUMNS_TEXT_MAX - strlen(out), " of %s",
				units_print_human(v->row->memory_limit_bytes, limit));
}

#define BOTH(id) print_##id, value_##id

const struct column columns_table[] = {
	{ "name", "NAME", 10, true, 'N', print_name, NULL, "the context" },
	{ "s", "S", 1, true, 'S', print_letter, NULL, "r running, f frozen, s stopping" },
	{ "state", "STATE", 8, true, 0, print_state, NULL, "the same as a word" },
	{ "cpu", "CPU", 6, false, 'C', BOTH(cpu), "CPU used; 100% is one CPU" },
	{ "cpu-limit", "C/LIM", 6, false, 'L', BOTH(cpu_limit),
	  "CPU delivered, of what cpu.limit promises at most" },
	{ "throttled", "THR", 6, false, 'H', BOTH(throttled),
	  "time it had to wait at its CPU limit" },
	{ "memory", "MEM", 6, false, 'M', BOTH(memory), "memory used, page cache included" },
	{ "memory-used", "M/LIM", 6, false, 'U', BOTH(memory_used), "memory, of memory.limit" },
	{ "procs", "PROC", 4, false, 'P', BOTH(procs), "processes and threads" },
	{ "read", "READ", 6, false, 'I', BOTH(read), "bytes read from disks, a second" },
	{ "written", "WRITE", 6, false, 'O', BOTH(written), "bytes written to disks, a second" },
	{ "received", "RX", 6, false, 'R', BOTH(received),
	  "bytes received by its own network, a second" },
	{ "sent", "TX", 6, false, 'T', BOTH(sent), "bytes sent by its own network, a second" },
	{ "wait-cpu", "W-CPU", 6, false, 'W', BOTH(wait_cpu),
	  "time in which a process waited for CPU" },
	{ "wait-memory", "W-MEM", 6, false, 'E', BOTH(wait_memory),
	  "time in which a process waited for memory" },
	{ "wait-io", "W-IO", 6, false, 'D', BOTH(wait_io),
	  "time in which a process waited for a disk" },
	{ "cpu-promised", "CPU PROMISED", 16, false, 0, print_cpu_promised, value_cpu_limit,
	  "CPU delivered, and cpu.limit" },
	{ "memory-promised", "MEM PROMISED", 16, false, 0, print_memory_promised, value_memory_used,
	  "memory used, and memory.limit" },
	{ "cpu-reserve", "C-RES", 6, false, 0, BOTH(reserve), "cpu.reserve" },
	{ "cpu-entitled", "ENTITL", 6, false, 0, BOTH(entitled),
	  "CPU it was entitled to over the last second, while anything is promised" },
	{ "cpu-missed", "MISSED", 6, false, 'X', BOTH(missed),
	  "CPU it was entitled to and wanted over the last second, and did not get" },
	{ "share", "SHARE", 5, false, 0, BOTH(share), "cpu.share" },
	{ "cpu-time", "CPU", 9, false, 0, BOTH(cpu_time), "CPU time since the start" },
	{ "throttled-time", "THROTTLED", 9, false, 0, BOTH(throttled_time),
	  "time throttled since the start" },
	{ "memory-limit", "M-LIMIT", 7, false, 0, BOTH(memory_limit), "memory.limit" },
	{ "memory-reserve", "RESERVE", 7, false, 0, BOTH(memory_reserve), "memory.reserve" },
	{ "memory-peak", "M-PEAK", 6, false, 0, BOTH(memory_peak), "most memory used at once" },
	{ "memory-anon", "ANON", 6, false, 0, BOTH(anon),
	  "memory that belongs to no file; only of contexts named" },
	{ "memory-file", "FILE", 6, false, 0, BOTH(file), "page cache; only of contexts named" },
	{ "swap", "SWAP", 6, false, 0, BOTH(swap), "memory in swap" },
	{ "oom", "OOM", 4, false, 0, BOTH(oom), "processes killed for want of memory" },
	{ "procs-limit", "P-LIMIT", 7, false, 0, BOTH(procs_limit), "process.limit" },
	{ "procs-peak", "P-PEAK", 6, false, 0, BOTH(procs_peak), "most processes at once" },
	{ "read-total", "READ", 6, false, 0, BOTH(read_total), "bytes read since the start" },
	{ "written-total", "WRITTEN", 7, false, 0, BOTH(written_total),
	  "bytes written since the start" },
	{ "received-total", "RECEIVED", 8, false, 0, BOTH(received_total),
	  "bytes received since the start" },
	{ "sent-total", "SENT", 6, false, 0, BOTH(sent_total), "bytes sent since the start" },
	{ "uptime", "UPTIME", 8, false, 'A', BOTH(uptime), "how long it has been running" },
};
const size_t columns_count = ARRAY_SIZE(columns_table);

static const struct column *find(const char *name, size_t len)
{
	for (size_t i = 0; i < columns_count; i++)
		if (!strncmp(columns_table[i].name, name, len) && !columns_table[i].name[len])
			return &columns_table[i];
	return NULL;
}

static int unknown(const char *name, size_t len, struct err *e)
{
	char all[512] = "";
	size_t n = 0;

	for (size_t i = 0; i < columns_count && n < sizeof(all) - 32; i++)
		n += (size_t) snprintf(all + n, sizeof(all) - n, "%s%s", i ? ", " : "",
				       columns_table[i].name);
	return err_set(e, -EINVAL, "there is no column \"%.*s\"; there are %s",
		       (int) (len < 64 ? len : 64), name, all);
}

const struct column *columns_find(const char *name, struct err *e)
{
	const struct column *c = find(name, strlen(name));

	if (!c)
		(void) unknown(name, strlen(name), e);
	return c;
}

int columns_choose(const char *list, struct columns_chosen *ret, struct err *e)
{
	struct columns_chosen chosen = { .count = 0 };

	for (;;) {
		size_t len = strcspn(list, ",");
		const struct column *c = find(list, len);

		if (!c)
			return unknown(list, len, e);
		if (chosen.count == COLUMNS_CHOSEN_MAX)
			return err_set(e, -EINVAL, "more than %d columns", COLUMNS_CHOSEN_MAX);
		chosen.of[chosen.count++] = c;
		list += len;
		if (!*list)
			break;
		list++;
	}
	*ret = chosen;
	return 0;
}

struct order {
	const struct column *by;
	int sign;
};

static int compare(const void *a, const void *b, void *arg)
{
	const struct columns_view *x = a, *y = b;
	const struct order *o = arg;
	double p, q;

	if (o->by && o->by->value) {
		p = o->by->value(x);
		q = o->by->value(y);
		if (p != q)
			return p > q ? -o->sign : o->sign;
	} else if (o->by && (o->by->print == print_state || o->by->print == print_letter) &&
		   strcmp(x->row->state, y->row->state)) {
		return o->sign * strcmp(x->row->state, y->row->state);
	}
	return (o->by && o->by->value ? 1 : o->sign) * strcmp(x->row->name, y->row->name);
}

void columns_sort(struct columns_view *views, size_t count, const struct column *by, bool reverse)
{
	if (count)
		qsort_r(views, count, sizeof(*views), compare,
			&(struct order){ by, reverse ? -1 : 1 });
}
