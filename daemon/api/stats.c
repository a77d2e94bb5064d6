/* Usage as JSON: one table ties the names of docs/api.md to the fields of struct sched_stats. */
#include "base/mem.h"
#include "daemon/api/private.h"

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
#define FIELD(f)                                                                                   \
	{                                                                                          \
#f, offsetof(struct sched_stats, f)                                                \
	}
	FIELD(cpu_us),	     FIELD(cpu_user_us),       FIELD(cpu_system_us),
	FIELD(throttled_us), FIELD(throttled_periods), FIELD(periods),
	FIELD(memory_bytes), FIELD(memory_peak_bytes), FIELD(memory_limit_bytes),
	FIELD(swap_bytes),   FIELD(memory_anon_bytes), FIELD(memory_file_bytes),
	FIELD(oom_kills),    FIELD(memory_limit_hits), FIELD(pids),
	FIELD(pids_limit),   FIELD(pids_limit_hits),
#undef FIELD
};

/* What is not limited is null; nothing else reaches numbers JSON cannot hold. */
static json_t *number(uint64_t v)
{
	return v > INT64_MAX ? json_null() : json_integer((json_int_t) v);
}

static json_t *io_json(const struct sched_io_stat *io)
{
	char device[32];

	(void) snprintf(device, sizeof(device), "%u:%u", io->major, io->minor);
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "device", device, "read_bytes",
			 number(io->read_bytes), "write_bytes", number(io->write_bytes), "read_ops",
			 number(io->read_ops), "write_ops", number(io->write_ops));
}

json_t *api_stats_json(const struct sched_stats *s)
{
	json_t *o = json_object(), *io = json_array();

	for (size_t i = 0; o && i < ARRAY_SIZE(fields); i++) {
		const uint64_t *v = (const uint64_t *) ((const char *) s + fields[i].offset);

		(void) json_object_set_new_nocheck(o, fields[i].name, number(*v));
	}
	for (size_t i = 0; io && i < s->io_count && i < SCHED_IO_MAX; i++)
		(void) json_array_append_new(io, io_json(&s->io[i]));
	(void) json_object_set_new(o, "io", io);
	(void) json_object_set_new(o, "frozen", json_boolean(s->frozen));
	return o;
}

void api_stats(struct http_request *r)
{
	struct context *c = api_context(r);
	struct sched_stats s = {};
	int code;

	if (!c)
		return;
	code = context_stats(api_of(r)->manager, c, &s);
	if (code == -ESRCH)
		(void) err_set(&r->err, code, "%s: does not run", r->name);
	else if (code < 0)
		(void) err_set_errno(&r->err, code, "%s: reading its usage", r->name);
	if (code < 0)
		http_reply_refused(r);
	else
		http_reply_json(r, 200, api_stats_json(&s));
}

struct listing {
	const struct http_request *request;
	struct manager *manager;
	json_t *array;
};

static void add_one(struct context *c, void *arg)
{
	struct listing *l = arg;
	struct sched_stats s = {};
	json_t *o;

	if (!api_sees(l->request, c) || context_stats(l->manager, c, &s) < 0)
		return;
	o = api_stats_json(&s);
	(void) json_object_set_new(o, "name", json_string(context_name(c)));
	(void) json_array_append_new(l->array, o);
}

void api_stats_all(struct http_request *r)
{
	struct listing l = { r, api_of(r)->manager, json_array() };

	if (l.array)
		manager_each(l.manager, add_one, &l);
	http_reply_json(r, 200, l.array);
}
