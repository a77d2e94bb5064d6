/* Usage as JSON: one table ties the names of docs/api.md to the fields of struct sched_stats. It is
 * written as text at once: `wardctl top` asks for a thousand contexts every other second. */
#include "base/mem.h"
#include "base/units.h"
#include "daemon/api/page.h"
#include "daemon/api/private.h"
#include "daemon/numbers.h"

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
#define FIELD(f)                                                                                   \
	{                                                                                          \
#f, offsetof(struct sched_stats, f)                                                \
	}
	FIELD(cpu_us),
	FIELD(cpu_user_us),
	FIELD(cpu_system_us),
	FIELD(throttled_us),
	FIELD(throttled_periods),
	FIELD(periods),
	FIELD(memory_bytes),
	FIELD(memory_peak_bytes),
	FIELD(memory_limit_bytes),
	FIELD(swap_bytes),
	FIELD(oom_kills),
	FIELD(memory_limit_hits),
	FIELD(pids),
	FIELD(pids_peak),
	FIELD(pids_limit),
	FIELD(pids_limit_hits),
#undef FIELD
};

/* What is not limited is null; nothing else reaches numbers JSON cannot hold. */
static void number(struct page *p, const char *key, uint64_t v)
{
	page_puts(p, "\"");
	page_puts(p, key);
	page_puts(p, "\": ");
	if (v > INT64_MAX)
		page_puts(p, "null");
	else
		page_u64(p, v);
}

static void next_number(struct page *p, const char *key, uint64_t v)
{
	page_puts(p, ", ");
	number(p, key, v);
}

static void text(struct page *p, const char *key, const char *value)
{
	page_puts(p, "\"");
	page_puts(p, key);
	page_puts(p, "\": \"");
	page_quoted(p, value);
	page_puts(p, "\"");
}

static void put_io(struct page *p, const struct sched_stats *s)
{
	page_puts(p, ", \"io\": [");
	for (size_t i = 0; i < s->io_count && i < SCHED_IO_MAX; i++) {
		const struct sched_io_stat *io = &s->io[i];

		page_puts(p, i ? ", {\"device\": \"" : "{\"device\": \"");
		page_u64(p, io->major);
		page_puts(p, ":");
		page_u64(p, io->minor);
		page_puts(p, "\"");
		next_number(p, "read_bytes", io->read_bytes);
		next_number(p, "write_bytes", io->write_bytes);
		next_number(p, "read_ops", io->read_ops);
		next_number(p, "write_ops", io->write_ops);
		page_puts(p, "}");
	}
	page_puts(p, "]");
}

static void put_network(struct page *p, const struct numbers *n)
{
	page_puts(p, n->own_network ? ", \"network\": [" : ", \"network\": null");
	for (size_t i = 0; i < n->traffic_count && n->own_network; i++) {
		const struct netctl_traffic *t = &n->traffic[i];

		page_puts(p, i ? ", {" : "{");
		text(p, "device", t->device);
		if (t->family) {
			page_puts(p, ", ");
			text(p, "family", t->family);
		}
		next_number(p, "received_bytes", t->received_bytes);
		next_number(p, "received_packets", t->received_packets);
		next_number(p, "sent_bytes", t->sent_bytes);
		next_number(p, "sent_packets", t->sent_packets);
		page_puts(p, "}");
	}
	if (n->own_network)
		page_puts(p, "]");
}

static void put_refused(struct page *p, const struct numbers *n)
{
	page_puts(p,
		  n->shared_network ? ", \"network_refused\": {" : ", \"network_refused\": null");
	for (unsigned i = 0; i < NETCTL_REFUSALS && n->shared_network; i++) {
		page_puts(p, i ? ", " : "");
		number(p, netctl_refusal_name(i), n->refused[i]);
	}
	if (n->shared_network)
		page_puts(p, "}");
}

static void put_pressure(struct page *p, const struct sched_stats *s)
{
	page_puts(p, s->has_pressure ? ", \"pressure\": {" : ", \"pressure\": null");
	for (unsigned i = 0; i < SCHED_RESOURCE_COUNT && s->has_pressure; i++) {
		page_puts(p, i ? ", \"" : "\"");
		page_puts(p, sched_resource_name(i));
		page_puts(p, "\": {");
		number(p, "some_us", s->pressure[i].some_us);
		next_number(p, "full_us", s->pressure[i].full_us);
		page_puts(p, "}");
	}
	if (s->has_pressure)
		page_puts(p, "}");
}

/* By resource, so that each can say more of what it promises. */
static void put_promise(struct page *p, const struct numbers_promise *v)
{
	page_puts(p, ", \"promised\": {\"cpu\": {");
	number(p, "limit_millicpu", v->cpu_limit_millicpu);
	next_number(p, "share", v->cpu_share);
	next_number(p, "reserve_millicpu", v->cpu_reserve_millicpu);
	page_puts(p, "}, \"memory\": {");
	number(p, "limit_bytes", v->memory_limit_bytes);
	next_number(p, "reserve_bytes", v->memory_reserve_bytes);
	next_number(p, "soft_bytes", v->memory_soft_bytes);
	next_number(p, "swap_bytes", v->memory_swap_bytes);
	page_puts(p, "}, \"pids\": {");
	number(p, "limit", v->pids_limit);
	page_puts(p, "}}");
}

static void put_delivered(struct page *p, const struct numbers_row *row)
{
	static const char *const names[DELIVERY_WINDOWS] = {
		[DELIVERY_SECOND] = "second",
		[DELIVERY_MINUTE] = "minute",
		[DELIVERY_HOUR] = "hour",
	};

	page_puts(p, row->accounted ? ", \"delivered\": {\"cpu\": {" : ", \"delivered\": null");
	for (unsigned i = 0; i < DELIVERY_WINDOWS && row->accounted; i++) {
		const struct delivery_sum *s = &row->delivered[i];

		page_puts(p, i ? ", \"" : "\"");
		page_puts(p, names[i]);
		page_puts(p, "\": {");
		number(p, "entitled_us", s->entitled_us);
		next_number(p, "wanted_us", s->wanted_us);
		next_number(p, "promised_us", s->promised_us);
		next_number(p, "used_us", s->used_us);
		next_number(p, "missed_us", delivery_missed(s));
		next_number(p, "broken_us", delivery_broken(s));
		next_number(p, "over_us", s->over_us);
		page_puts(p, "}");
	}
	if (row->accounted)
		page_puts(p, "}}");
}

struct listing {
	const struct http_request *request;
	struct page page;
	size_t count;
	bool breakdown; /* of memory: read for one context, not for all */
};

static void put_row(const struct numbers_row *row, void *arg)
{
	struct listing *l = arg;
	struct page *p = &l->page;

	if (!row->now || !api_sees(l->request, row->context))
		return;
	page_puts(p, l->count++ ? ",\n{" : "{");
	text(p, "name", row->name);
	page_puts(p, ", ");
	text(p, "state", row->state);
	next_number(p, "uptime_us", row->uptime_us);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		next_number(p, fields[i].name,
			    *(const uint64_t *) (const void *) ((const char *) &row->now->use +
								fields[i].offset));
	if (l->breakdown) {
		next_number(p, "memory_anon_bytes", row->now->use.memory_anon_bytes);
		next_number(p, "memory_file_bytes", row->now->use.memory_file_bytes);
	}
	put_pressure(p, &row->now->use);
	put_io(p, &row->now->use);
	put_network(p, row->now);
	put_refused(p, row->now);
	put_promise(p, &row->promise);
	put_delivered(p, row);
	page_puts(p, row->now->use.frozen ? ", \"frozen\": true}" : ", \"frozen\": false}");
}

static void reply(struct http_request *r, struct page *p)
{
	struct buf text;

	page_puts(p, "\n");
	page_to_buf(p, &text);
	http_reply_text(r, "application/json", &text);
}

void api_stats(struct http_request *r)
{
	struct context *c = api_context(r);
	struct listing l = { .request = r, .breakdown = true };

	if (!c)
		return;
	numbers_one(api_of(r)->manager, c, put_row, &l);
	if (l.count) {
		reply(r, &l.page);
		return;
	}
	free(l.page.data);
	(void) err_set(&r->err, -ESRCH, "%s: does not run", r->name);
	http_reply_refused(r);
}

void api_stats_all(struct http_request *r)
{
	struct listing l = { .request = r };

	page_puts(&l.page, "[");
	numbers_each(api_of(r)->manager, put_row, &l);
	page_puts(&l.page, "]");
	reply(r, &l.page);
}
