/* Reading what the daemon says: nothing is taken for granted, what is not there is unknown. */
#include "ctl/sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/json.h"

static const struct {
	const char *key;
	size_t offset;
} plain[] = {
#define FIELD(f)                                                                                   \
	{                                                                                          \
#f, offsetof(struct sample_row, f)                                                 \
	}
	FIELD(uptime_us),	  FIELD(cpu_us),
	FIELD(cpu_user_us),	  FIELD(cpu_system_us),
	FIELD(throttled_us),	  FIELD(throttled_periods),
	FIELD(memory_bytes),	  FIELD(memory_limit_bytes),
	FIELD(memory_peak_bytes), FIELD(swap_bytes),
	FIELD(memory_anon_bytes), FIELD(memory_file_bytes),
	FIELD(oom_kills),	  FIELD(pids),
	FIELD(pids_peak),	  FIELD(pids_limit),
#undef FIELD
};

static uint64_t get(const json_t *o, const char *key)
{
	uint64_t v;

	return js_number(o, key, &v) ? v : SAMPLE_UNKNOWN;
}

static void add(uint64_t *sum, const json_t *o, const char *key)
{
	uint64_t v = get(o, key);

	if (v == SAMPLE_UNKNOWN)
		return;
	if (*sum == SAMPLE_UNKNOWN)
		*sum = 0;
	if (__builtin_add_overflow(*sum, v, sum))
		*sum = SAMPLE_UNKNOWN - 1;
}

static void read_io(const json_t *list, struct sample_row *r)
{
	const json_t *o;
	size_t i;

	r->read_bytes = r->write_bytes = r->read_ops = r->write_ops =
		json_is_array(list) ? 0 : SAMPLE_UNKNOWN;
	json_array_foreach (list, i, o) {
		add(&r->read_bytes, o, "read_bytes");
		add(&r->write_bytes, o, "write_bytes");
		add(&r->read_ops, o, "read_ops");
		add(&r->write_ops, o, "write_ops");
	}
}

/* What a context says to itself is no traffic; but where there is nothing else it is shown. */
static void read_network(const json_t *list, struct sample_row *r)
{
	bool only_lo = json_array_size(list) == 1;
	const json_t *o;
	size_t i;

	r->received_bytes = r->sent_bytes = r->received_packets = r->sent_packets = SAMPLE_UNKNOWN;
	json_array_foreach (list, i, o) {
		if (js_is(o, "device", "lo") && !only_lo)
			continue;
		add(&r->received_bytes, o, "received_bytes");
		add(&r->received_packets, o, "received_packets");
		add(&r->sent_bytes, o, "sent_bytes");
		add(&r->sent_packets, o, "sent_packets");
	}
}

/* Of the last second, in thousandths of a CPU. */
static void read_delivered(const json_t *cpu, struct sample_row *r)
{
	const json_t *s = json_object_get(cpu, "second");
	uint64_t over = get(s, "over_us");

	r->cpu_entitled_millicpu = r->cpu_missed_millicpu = SAMPLE_UNKNOWN;
	if (over == SAMPLE_UNKNOWN || over == 0)
		return;
	r->cpu_entitled_millicpu = get(s, "entitled_us") * 1000 / over;
	r->cpu_missed_millicpu = get(s, "missed_us") * 1000 / over;
}

static void read_row(const json_t *o, struct sample_row *r)
{
	const json_t *pressure = json_object_get(o, "pressure");
	const json_t *promised = json_object_get(o, "promised");

	(void) snprintf(r->name, sizeof(r->name), "%s", js_text(o, "name"));
	(void) snprintf(r->state, sizeof(r->state), "%s", js_text(o, "state"));
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		*(uint64_t *) (void *) ((char *) r + plain[i].offset) = get(o, plain[i].key);
	read_io(json_object_get(o, "io"), r);
	read_network(json_object_get(o, "network"), r);
	r->waited_cpu_us = get(json_object_get(pressure, "cpu"), "some_us");
	r->waited_memory_us = get(json_object_get(pressure, "memory"), "some_us");
	r->waited_io_us = get(json_object_get(pressure, "io"), "some_us");
	r->cpu_limit_millicpu = get(json_object_get(promised, "cpu"), "limit_millicpu");
	r->cpu_reserve_millicpu = get(json_object_get(promised, "cpu"), "reserve_millicpu");
	read_delivered(json_object_get(json_object_get(o, "delivered"), "cpu"), r);
	r->cpu_share = get(json_object_get(promised, "cpu"), "share");
	r->memory_reserve_bytes = get(json_object_get(promised, "memory"), "reserve_bytes");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct sample_row *) a)->name, ((const struct sample_row *) b)->name);
}

int sample_read(const json_t *list, uint64_t at_us, struct sample *ret)
{
	struct sample s = { .at_us = at_us };
	const json_t *o;
	size_t i;

	if (!json_is_array(list))
		return -EPROTO;
	s.rows = calloc(json_array_size(list) + 1, sizeof(*s.rows));
	if (!s.rows)
		return -ENOMEM;
	json_array_foreach (list, i, o)
		if (spec_name_valid(js_text(o, "name")))
			read_row(o, &s.rows[s.count++]);
	qsort(s.rows, s.count, sizeof(*s.rows), by_name);
	*ret = s;
	return 0;
}

void sample_done(struct sample *s)
{
	free(s->rows);
	*s = (struct sample){ 0 };
}

const struct sample_row *sample_find(const struct sample *s, const char *name)
{
	struct sample_row key;

	(void) snprintf(key.name, sizeof(key.name), "%s", name);
	return s->count ? bsearch(&key, s->rows, s->count, sizeof(*s->rows), by_name) : NULL;
}

static double rate(uint64_t now, uint64_t before, uint64_t elapsed)
{
	if (now == SAMPLE_UNKNOWN || before == SAMPLE_UNKNOWN || !elapsed)
		return -1;
	return now < before ? 0 : (double) (now - before) / (double) elapsed;
}

void sample_rates(const struct sample_row *now, const struct sample_row *before,
		  uint64_t elapsed_us, struct sample_rates *ret)
{
	static const struct sample_row nothing;
	double second = 1000000;

	/* It was started again meanwhile: what it uses began anew. */
	if (before && (before->uptime_us > now->uptime_us || before->cpu_us > now->cpu_us))
		before = NULL;
	if (!before) {
		before = &nothing;
		elapsed_us = now->uptime_us == SAMPLE_UNKNOWN ? 0 : now->uptime_us;
	}
#define RATE(f) rate(now->f, before->f, elapsed_us)
	*ret = (struct sample_rates){
		.cpu = RATE(cpu_us),
		.throttled = RATE(throttled_us),
		.read = RATE(read_bytes) * second,
		.write = RATE(write_bytes) * second,
		.received = RATE(received_bytes) * second,
		.sent = RATE(sent_bytes) * second,
		.waited_cpu = RATE(waited_cpu_us),
		.waited_memory = RATE(waited_memory_us),
		.waited_io = RATE(waited_io_us),
	};
#undef RATE
}
