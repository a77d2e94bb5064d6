/* The page itself: ONE table of families, each written for all contexts before the next begins, as
 * both formats demand. Most rows are one field of the numbers; those with labels of their own have
 * a function. The formats differ in little: OpenMetrics names a counter's family without "_total",
 * knows the type "info", has UNIT lines and an end; the older format takes the latter for comments.
 */
#include "daemon/api/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/mem.h"
#include "base/units.h"
#include "base/version.h"
#include "spec/spec.h"

#define HEAD_MAX 96

enum type { GAUGE, COUNTER, INFO, HISTOGRAM };
enum value {
	NONE, /* `samples` writes them */
	NUMBER, /* as it is; UNITS_NONE: left out */
	MICROS, /* printed as seconds */
	MILLIS, /* printed as ones: thousandths of a CPU */
	SIGNED, /* an int; below 0: left out */
	ALIVE, /* a NUMBER, left out where it is 0 */
	QUOTA, /* a NUMBER, left out where no limit of CPU is looked at */
	QUOTA_MICROS,
};
enum where { ROW, USE, DAEMON }; /* struct numbers_row, its now->use, struct numbers_daemon */

/* A page of a thousand contexts is made of 30,000 numbers, and what costs is to find them in
 * memory: so they are first gathered, context by context, into columns, which are then written. */
struct name {
	char text[SPEC_NAME_MAX + 1];
	unsigned char len;
};
struct columns {
	struct name *names;
	uint64_t *values; /* column after column, each of as many rows as there are */
};

struct family;
struct writer {
	const struct metrics *m;
	const struct family *family;
	const struct columns *columns;
	const uint64_t *column; /* this family's, or NULL */
	struct page *out;
	char head[HEAD_MAX]; /* "ward_context_cpu_seconds_total" */
	size_t head_len;
	char context_head[HEAD_MAX]; /* the same and "{context=\"" */
	size_t context_len;
};

struct family {
	const char *name; /* less "_total", less "_info" */
	const char *unit; /* with which the name ends, or "" */
	enum type type;
	const char *help;
	enum where where;
	enum value value;
	size_t offset;
	void (*samples)(const struct writer *w);
};

/* --- one sample --- */

static char *put(char *at, const char *s, size_t len)
{
	memcpy(at, s, len);
	return at + len;
}

/* What every sample of a context begins with; names are [a-z0-9._-] and need no escape. */
static void begin(const struct writer *w, size_t row)
{
	const struct name *name = &w->columns->names[row];
	char *at = page_room(w->out, w->context_len + name->len + 1);

	if (!at)
		return;
	at = put(at, w->context_head, w->context_len);
	at = put(at, name->text, name->len);
	*at = '"';
	w->out->len += w->context_len + name->len + 1;
}

static void label(const struct writer *w, const char *name, const char *value)
{
	page_puts(w->out, ",");
	page_puts(w->out, name);
	page_puts(w->out, "=\"");
	page_quoted(w->out, value);
	page_puts(w->out, "\"");
}

static void end(const struct writer *w, uint64_t v, unsigned digits)
{
	page_add(w->out, "} ", 2);
	page_decimal(w->out, v, digits);
	page_add(w->out, "\n", 1);
}

/* --- families with labels of their own --- */

static void info(const struct writer *w)
{
	for (size_t i = 0; i < w->m->count; i++) {
		const struct numbers_row *r = &w->m->rows[i];

		begin(w, i);
		label(w, "init", r->init);
		label(w, "root", r->root);
		label(w, "network", r->network);
		label(w, "throwaway", r->throwaway ? "yes" : "no");
		end(w, 1, 0);
	}
}

static void state(const struct writer *w)
{
	for (size_t i = 0; i < w->m->count; i++) {
		begin(w, i);
		label(w, "state", w->m->rows[i].state);
		end(w, 1, 0);
	}
}

static void pressure(const struct writer *w)
{
	size_t at = w->family->offset; /* of the figure in struct sched_pressure */

	for (size_t i = 0; i < w->m->count; i++) {
		const struct numbers *n = w->m->rows[i].now;

		for (unsigned k = 0; n && n->use.has_pressure && k < SCHED_RESOURCE_COUNT; k++) {
			const char *p = (const char *) &n->use.pressure[k] + at;

			begin(w, i);
			label(w, "resource", sched_resource_name(k));
			end(w, *(const uint64_t *) (const void *) p, 6);
		}
	}
}

static void io(const struct writer *w)
{
	char device[32];

	for (size_t i = 0; i < w->m->count; i++) {
		const struct numbers *n = w->m->rows[i].now;

		for (size_t k = 0; n && k < n->use.io_count; k++) {
			const struct sched_io_stat *s = &n->use.io[k];

			(void) snprintf(device, sizeof(device), "%u:%u", s->major, s->minor);
			begin(w, i);
			label(w, "device", device);
			end(w,
			    *(const uint64_t *) (const void *) ((const char *) s +
								w->family->offset),
			    0);
		}
	}
}

static void network(const struct writer *w)
{
	for (size_t i = 0; i < w->m->count; i++) {
		const struct numbers *n = w->m->rows[i].now;

		for (size_t k = 0; n && n->own_network && k < n->traffic_count; k++) {
			const struct netctl_traffic *t = &n->traffic[k];

			begin(w, i);
			label(w, "device", t->device);
			if (t->family)
				label(w, "family", t->family);
			end(w,
			    *(const uint64_t *) (const void *) ((const char *) t +
								w->family->offset),
			    0);
		}
	}
}

static void refused(const struct writer *w)
{
	for (size_t i = 0; i < w->m->count; i++) {
		const struct numbers *n = w->m->rows[i].now;

		for (unsigned k = 0; n && n->shared_network && k < NETCTL_REFUSALS; k++) {
			begin(w, i);
			label(w, "what", netctl_refusal_name(k));
			end(w, n->refused[k], 0);
		}
	}
}

/* Over the last minute, in CPUs: which of them is where the others have an offset. */
enum { ENTITLED, MISSED, BROKEN };

static void delivered(const struct writer *w)
{
	for (size_t i = 0; i < w->m->count; i++) {
		const struct numbers_row *row = &w->m->rows[i];
		const struct delivery_sum *s = &row->delivered[DELIVERY_MINUTE];

		if (!row->accounted || s->over_us == 0)
			continue;
		begin(w, i);
		end(w,
		    (w->family->offset == ENTITLED ? s->entitled_us
		     : w->family->offset == MISSED ? delivery_missed(s)
						   : delivery_broken(s)) *
			    1000 / s->over_us,
		    3);
	}
}

static void contexts(const struct writer *w)
{
	static const char *const states[] = { "stopped", "starting", "running", "frozen",
					      "stopping" };
	size_t counts[ARRAY_SIZE(states)] = { 0 };

	for (size_t i = 0; i < w->m->count; i++)
		for (size_t k = 0; k < ARRAY_SIZE(states); k++)
			counts[k] += !strcmp(states[k], w->m->rows[i].state);
	for (size_t k = 0; k < ARRAY_SIZE(states); k++) {
		page_puts(w->out, w->head);
		page_puts(w->out, "{state=\"");
		page_puts(w->out, states[k]);
		page_puts(w->out, "\"");
		end(w, counts[k], 0);
	}
}

static void build(const struct writer *w)
{
	page_puts(w->out, w->head);
	page_puts(w->out, "{version=\"" WARD_VERSION "\"");
	end(w, 1, 0);
}

static void connections(const struct writer *w)
{
	page_puts(w->out, w->head);
	page_puts(w->out, " ");
	page_u64(w->out, w->m->connections);
	page_puts(w->out, "\n");
}

/* "0.001", and "1.0" where it is whole: that is how OpenMetrics writes a bound. */
static void bucket(const struct writer *w, uint64_t below_us, uint64_t sum)
{
	page_puts(w->out, w->head);
	page_puts(w->out, "_bucket{le=\"");
	if (below_us == UNITS_NONE)
		page_puts(w->out, "+Inf");
	else
		page_decimal(w->out, below_us, 6);
	page_puts(w->out, below_us % 1000000 || below_us == UNITS_NONE ? "\"" : ".0\"");
	end(w, sum, 0);
}

static void start_durations(const struct writer *w)
{
	const struct numbers_daemon *d = &w->m->daemon;
	uint64_t sum = 0;

	for (size_t i = 0; i <= NUMBERS_BUCKET_COUNT; i++) {
		sum += d->start_buckets[i];
		bucket(w, i < NUMBERS_BUCKET_COUNT ? numbers_buckets[i] : UNITS_NONE, sum);
	}
	page_puts(w->out, w->head);
	page_puts(w->out, "_sum ");
	page_decimal(w->out, d->start_sum_us, 6);
	page_puts(w->out, "\n");
	page_puts(w->out, w->head);
	page_puts(w->out, "_count ");
	page_u64(w->out, sum);
	page_puts(w->out, "\n");
}

/* --- the table --- */

#define OF_ROW(f, v) ROW, v, offsetof(struct numbers_row, f), NULL
#define OF_USE(f, v) USE, v, offsetof(struct sched_stats, f), NULL
#define OF_DAEMON(f, v) DAEMON, v, offsetof(struct numbers_daemon, f), NULL
#define BY(f) ROW, NONE, 0, f
#define BY_AT(f, type, member) ROW, NONE, offsetof(struct type, member), f

static const struct family families[] = {
	/* a context: what it is */
	{ "ward_context", "", INFO, "What a context is, as declared.", BY(info) },
	{ "ward_context_state", "", GAUGE, "1 for the state that the context is in.", BY(state) },
	{ "ward_context_start_time_seconds", "seconds", GAUGE,
	  "When the running context was started, since the epoch.", OF_ROW(started_us, MICROS) },
	{ "ward_context_uptime_seconds", "seconds", GAUGE, "How long the context has been running.",
	  OF_ROW(uptime_us, MICROS) },
	{ "ward_context_starts", "", COUNTER, "Starts of the context, since the daemon began.",
	  OF_ROW(starts, NUMBER) },
	{ "ward_context_restarts", "", COUNTER,
	  "Restarts of the context by Ward, since somebody started it.", OF_ROW(restarts, NUMBER) },
	{ "ward_context_ready", "", GAUGE, "Whether the running context is ready.",
	  OF_ROW(ready, SIGNED) },
	{ "ward_context_healthy", "", GAUGE, "Whether the last look at its health was good.",
	  OF_ROW(healthy, SIGNED) },
	{ "ward_context_last_exit_status", "", GAUGE,
	  "How the context ended last: its status, or 128 and the signal.",
	  OF_ROW(last_status, SIGNED) },
	/* CPU */
	{ "ward_context_cpu_seconds", "seconds", COUNTER, "CPU time used.",
	  OF_USE(cpu_us, MICROS) },
	{ "ward_context_cpu_user_seconds", "seconds", COUNTER, "CPU time used in user mode.",
	  OF_USE(cpu_user_us, MICROS) },
	{ "ward_context_cpu_system_seconds", "seconds", COUNTER, "CPU time used in the kernel.",
	  OF_USE(cpu_system_us, MICROS) },
	{ "ward_context_cpu_periods", "", COUNTER,
	  "Periods in which the context's CPU limit was looked at.", OF_USE(periods, QUOTA) },
	{ "ward_context_cpu_throttled_periods", "", COUNTER,
	  "Periods in which the context met its CPU limit.", OF_USE(throttled_periods, QUOTA) },
	{ "ward_context_cpu_throttled_seconds", "seconds", COUNTER,
	  "Time for which the CPU limit made the context wait.",
	  OF_USE(throttled_us, QUOTA_MICROS) },
	{ "ward_context_cpu_limit_ratio", "ratio", GAUGE, "The CPU limit; 1 is one whole CPU.",
	  OF_ROW(promise.cpu_limit_millicpu, MILLIS) },
	{ "ward_context_cpu_share", "", GAUGE, "The weight by which busy contexts share the CPUs.",
	  OF_ROW(promise.cpu_share, ALIVE) },
	{ "ward_context_cpu_reserve_ratio", "ratio", GAUGE,
	  "CPU time that is promised whenever it is wanted; 1 is one whole CPU.",
	  OF_ROW(promise.cpu_reserve_millicpu, MILLIS) },
	{ "ward_context_cpu_entitled_ratio", "ratio", GAUGE,
	  "CPU that the context was entitled to over the last minute; while anything is promised.",
	  ROW, NONE, ENTITLED, delivered },
	{ "ward_context_cpu_missed_ratio", "ratio", GAUGE,
	  "CPU that it was entitled to and wanted over the last minute, and did not get.", ROW,
	  NONE, MISSED, delivered },
	{ "ward_context_cpu_broken_ratio", "ratio", GAUGE,
	  "CPU that was promised and wanted over the last minute, and was not given.", ROW, NONE,
	  BROKEN, delivered },
	/* memory */
	{ "ward_context_memory_bytes", "bytes", GAUGE, "Memory used, the page cache included.",
	  OF_USE(memory_bytes, NUMBER) },
	{ "ward_context_memory_peak_bytes", "bytes", GAUGE, "The most memory used at once.",
	  OF_USE(memory_peak_bytes, NUMBER) },
	{ "ward_context_memory_swap_bytes", "bytes", GAUGE, "Memory in swap.",
	  OF_USE(swap_bytes, NUMBER) },
	{ "ward_context_memory_limit_bytes", "bytes", GAUGE, "The memory limit in force.",
	  OF_USE(memory_limit_bytes, NUMBER) },
	{ "ward_context_memory_reserve_bytes", "bytes", GAUGE,
	  "Memory that is left to the context when the host runs short.",
	  OF_ROW(promise.memory_reserve_bytes, ALIVE) },
	{ "ward_context_memory_limit_hits", "", COUNTER, "How often the memory limit was met.",
	  OF_USE(memory_limit_hits, NUMBER) },
	{ "ward_context_oom_kills", "", COUNTER, "Processes that were killed for want of memory.",
	  OF_USE(oom_kills, NUMBER) },
	/* processes */
	{ "ward_context_processes", "", GAUGE, "Processes and threads.", OF_USE(pids, NUMBER) },
	{ "ward_context_processes_peak", "", GAUGE, "The most processes and threads at once.",
	  OF_USE(pids_peak, ALIVE) },
	{ "ward_context_processes_limit", "", GAUGE, "The limit of processes and threads.",
	  OF_USE(pids_limit, NUMBER) },
	{ "ward_context_processes_limit_hits", "", COUNTER,
	  "How often a process could not be made because of the limit.",
	  OF_USE(pids_limit_hits, NUMBER) },
	/* pressure, disk, network */
	{ "ward_context_pressure_some_seconds", "seconds", COUNTER,
	  "Time in which at least one process waited for the resource.",
	  BY_AT(pressure, sched_pressure, some_us) },
	{ "ward_context_pressure_full_seconds", "seconds", COUNTER,
	  "Time in which all processes waited for the resource at once.",
	  BY_AT(pressure, sched_pressure, full_us) },
	{ "ward_context_io_read_bytes", "bytes", COUNTER, "Bytes read from a device.",
	  BY_AT(io, sched_io_stat, read_bytes) },
	{ "ward_context_io_written_bytes", "bytes", COUNTER, "Bytes written to a device.",
	  BY_AT(io, sched_io_stat, write_bytes) },
	{ "ward_context_io_reads", "", COUNTER, "Read operations on a device.",
	  BY_AT(io, sched_io_stat, read_ops) },
	{ "ward_context_io_writes", "", COUNTER, "Write operations on a device.",
	  BY_AT(io, sched_io_stat, write_ops) },
	{ "ward_context_network_received_bytes", "bytes", COUNTER,
	  "Bytes received by a device of the context's own network.",
	  BY_AT(network, netctl_traffic, received_bytes) },
	{ "ward_context_network_sent_bytes", "bytes", COUNTER,
	  "Bytes sent by a device of the context's own network.",
	  BY_AT(network, netctl_traffic, sent_bytes) },
	{ "ward_context_network_received_packets", "", COUNTER,
	  "Packets received by a device of the context's own network.",
	  BY_AT(network, netctl_traffic, received_packets) },
	{ "ward_context_network_sent_packets", "", COUNTER,
	  "Packets sent by a device of the context's own network.",
	  BY_AT(network, netctl_traffic, sent_packets) },
	{ "ward_context_network_refused", "", COUNTER,
	  "What the shared network kept from the context: calls, and packets.", BY(refused) },
	/* the daemon */
	{ "ward_contexts", "", GAUGE, "Contexts, by state.", BY(contexts) },
	{ "ward_start_duration_seconds", "seconds", HISTOGRAM,
	  "From the request to start a context to its command's running.", BY(start_durations) },
	{ "ward_start_failures", "", COUNTER, "Starts that came to nothing.",
	  OF_DAEMON(starts_failed, NUMBER) },
	{ "ward_build", "", INFO, "The daemon's version.", BY(build) },
	{ "ward_daemon_start_time_seconds", "seconds", GAUGE,
	  "When the daemon began, since the epoch.", OF_DAEMON(started_us, MICROS) },
	{ "ward_daemon_cpu_seconds", "seconds", COUNTER, "CPU time that the daemon itself used.",
	  OF_DAEMON(cpu_us, MICROS) },
	{ "ward_daemon_resident_memory_bytes", "bytes", GAUGE, "Memory of the daemon itself.",
	  OF_DAEMON(resident_bytes, NUMBER) },
	{ "ward_daemon_open_descriptors", "", GAUGE, "Descriptors that the daemon has open.",
	  OF_DAEMON(descriptors, ALIVE) },
	{ "ward_daemon_connections", "", GAUGE, "Connections to the control socket.",
	  BY(connections) },
	{ "ward_daemon_events", "", COUNTER, "Events so far: the number of the last one.",
	  OF_DAEMON(events, NUMBER) },
	{ "ward_daemon_seats", "", GAUGE, "Prepared processes that wait for a start.",
	  OF_DAEMON(seats_ready, NUMBER) },
};

/* --- writing a family --- */

/* @return UNITS_NONE for what is to be left out. */
static uint64_t value_of(const struct family *f, const struct numbers_row *r)
{
	const void *at = (const char *) r + f->offset;
	uint64_t v;

	if (f->where == USE && !r->now)
		return UNITS_NONE;
	if ((f->value == QUOTA || f->value == QUOTA_MICROS) && r->now->use.periods == 0)
		return UNITS_NONE;
	if (f->where == USE)
		at = (const char *) &r->now->use + f->offset;
	if (f->value == SIGNED)
		return *(const int *) at < 0 ? UNITS_NONE : (uint64_t) * (const int *) at;
	v = *(const uint64_t *) at;
	/* When it started says nothing of what does not run. */
	return v == 0 && (f->value == ALIVE || (f->where == ROW && f->value == MICROS)) ? UNITS_NONE
											: v;
}

static unsigned digits_of(const struct family *f)
{
	return f->value == MICROS || f->value == QUOTA_MICROS ? 6 : f->value == MILLIS ? 3 : 0;
}

static void daemon_value(const struct writer *w)
{
	const struct family *f = w->family;
	uint64_t v = *(const uint64_t *) (const void *) ((const char *) &w->m->daemon + f->offset);

	if (f->value == ALIVE && v == 0)
		return;
	page_add(w->out, w->head, w->head_len);
	page_puts(w->out, " ");
	page_decimal(w->out, v, digits_of(f));
	page_puts(w->out, "\n");
}

static void column(const struct writer *w)
{
	unsigned digits = digits_of(w->family);

	for (size_t i = 0; i < w->m->count; i++) {
		if (w->column[i] == UNITS_NONE)
			continue;
		begin(w, i);
		end(w, w->column[i], digits);
	}
}

/* "# TYPE name counter": the family's name is without the suffix only in OpenMetrics. */
static void comment(struct page *out, const char *what, const char *name, const char *suffix,
		    const char *text)
{
	page_puts(out, what);
	page_puts(out, name);
	page_puts(out, suffix);
	page_puts(out, " ");
	page_puts(out, text);
	page_puts(out, "\n");
}

static void write_family(const struct family *f, struct writer *w)
{
	static const char *const types[] = { "gauge", "counter", "info", "histogram" };
	const char *suffix = f->type == COUNTER ? "_total" : f->type == INFO ? "_info" : "";
	const char *shown = w->m->open ? "" : suffix;

	w->family = f;
	(void) snprintf(w->head, sizeof(w->head), "%s%s", f->name, suffix);
	(void) snprintf(w->context_head, sizeof(w->context_head), "%s%s{context=\"", f->name,
			suffix);
	w->head_len = strlen(w->head);
	w->context_len = strlen(w->context_head);
	comment(w->out, "# HELP ", f->name, shown, f->help);
	comment(w->out, "# TYPE ", f->name, shown,
		types[f->type == INFO && !w->m->open ? GAUGE : f->type]);
	if (f->unit[0])
		comment(w->out, "# UNIT ", f->name, shown, f->unit);
	if (f->samples)
		f->samples(w);
	else if (f->where == DAEMON)
		daemon_value(w);
	else
		column(w);
}

static bool has_column(const struct family *f)
{
	return !f->samples && f->where != DAEMON;
}

static int gather(const struct metrics *m, struct columns *ret)
{
	size_t columns = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		columns += has_column(&families[i]);
	ret->names = calloc(m->count + 1, sizeof(*ret->names));
	ret->values = reallocarray(NULL, (m->count + 1) * columns, sizeof(*ret->values));
	if (!ret->names || !ret->values)
		return -ENOMEM;
	for (size_t row = 0; row < m->count; row++) {
		const struct numbers_row *r = &m->rows[row];
		uint64_t *to = ret->values + row;

		(void) snprintf(ret->names[row].text, sizeof(ret->names[row].text), "%s", r->name);
		ret->names[row].len = (unsigned char) strlen(ret->names[row].text);
		for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
			if (!has_column(&families[i]))
				continue;
			*to = value_of(&families[i], r);
			to += m->count;
		}
	}
	return 0;
}

void metrics_write(const struct metrics *m, struct page *out)
{
	struct columns columns = { 0 };
	struct writer w = { .m = m, .columns = &columns, .out = out };
	int r = gather(m, &columns);

	w.column = columns.values;
	if (r < 0)
		out->error = r;
	for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++) {
		write_family(&families[i], &w);
		if (has_column(&families[i]))
			w.column += m->count;
	}
	page_puts(out, "# EOF\n");
	free(columns.names);
	free(columns.values);
}

const char *metrics_type(bool open)
{
	return open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		    : "text/plain; version=0.0.4; charset=utf-8";
}

/* Accept: "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1". Prometheus names
 * both and prefers the first; only "q=0" would mean that it is not wanted. */
bool metrics_wants_open(const char *accept)
{
	static const char type[] = "application/openmetrics-text";

	while (accept && *accept) {
		size_t len = strcspn(accept, ",");
		const char *q;

		accept += strspn(accept, " ");
		len = strcspn(accept, ",");
		q = memmem(accept, len, "q=0", 3);
		if (len >= sizeof(type) - 1 && !strncasecmp(accept, type, sizeof(type) - 1) &&
		    (!q || strspn(q + 3, ".0") != strcspn(q + 3, ", ;")))
			return true;
		accept += len + (accept[len] == ',');
	}
	return false;
}
