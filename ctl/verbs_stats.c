/* stats: what contexts use, a row each. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/look.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct table_column columns[] = {
	{ "NAME", false }, { "CPU", true },   { "THROTTLED", true }, { "MEMORY", true },
	{ "LIMIT", true }, { "PEAK", true },  { "SWAP", true },	     { "OOM", true },
	{ "PROCS", true }, { "LIMIT", true }, { "READ", true },	     { "WRITTEN", true },
};

static void add_io(struct table *t, const json_t *o, const char *key)
{
	const json_t *io = json_object_get(o, "io"), *device;
	char text[UNITS_TEXT_MAX];
	uint64_t sum = 0, n;
	size_t i;

	json_array_foreach (io, i, device)
		if (js_number(device, key, &n) && __builtin_add_overflow(sum, n, &sum))
			sum = UINT64_MAX;
	table_add(t, json_is_array(io) ? units_print_human(sum, text) : "");
}

static void add_row(struct table *t, const char *name, const json_t *o)
{
	table_add(t, name);
	look_add_age(t, o, "cpu_us");
	look_add_age(t, o, "throttled_us");
	look_add_bytes(t, o, "memory_bytes");
	look_add_bytes(t, o, "memory_limit_bytes");
	look_add_bytes(t, o, "memory_peak_bytes");
	look_add_bytes(t, o, "swap_bytes");
	look_add_number(t, o, "oom_kills");
	look_add_number(t, o, "pids");
	look_add_number(t, o, "pids_limit");
	add_io(t, o, "read_bytes");
	add_io(t, o, "write_bytes");
}

/* The named ones, each with its name, as GET /v1/stats gives them all. */
static json_t *named(const struct ctl *c, int *ret_status)
{
	json_t *list = json_array();

	*ret_status = CTL_DONE;
	for (size_t i = 0; i < c->args.operand_count; i++) {
		const char *name = c->args.operands[i];
		char path[CLIENT_PATH_MAX];
		struct err e = { 0 };
		json_t *o;
		int r;

		if (client_path(path, name, &e, "/stats") < 0) {
			*ret_status = ctl_error(c, name, &e);
			continue;
		}
		o = look_get(c, path, name, &r);
		if (r != CTL_DONE)
			*ret_status = r;
		if (json_is_object(o))
			(void) json_object_set_new(o, "name", json_string(name));
		if (o)
			(void) json_array_append_new(list, o);
	}
	return list;
}

int verb_stats(const struct ctl *c)
{
	int status, r;
	json_t *list, *o;
	struct table t;
	size_t i;

	list = c->args.operand_count ? named(c, &status) : look_get(c, "/v1/stats", NULL, &status);
	if (!list)
		return status;
	if (args_has(&c->args, OPT_JSON)) {
		r = ctl_print_json(c, list);
	} else {
		table_init(&t, columns, ARRAY_SIZE(columns));
		json_array_foreach (list, i, o)
			add_row(&t, js_text(o, "name"), o);
		r = look_print(c, &t);
	}
	json_decref(list);
	return status == CTL_DONE ? r : status;
}
