/* budget, and plan --what-if: what is promised to whom, and whether more could be. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/look.h"
#include "ctl/spec_args.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct table_column cpu_columns[] = {
	{ "CPUS", false }, { "CAPACITY", true }, { "HOST", true },     { "RESERVED", true },
	{ "FREE", true },  { "SHARES", true },	 { "CONTEXTS", true },
};
static const struct table_column memory_columns[] = {
	{ "MEMORY", true }, { "HOST", true },	{ "RESERVED", true },
	{ "FREE", true },   { "LIMITS", true }, { "LIMITLESS", true },
};
static const struct table_column disk_columns[] = {
	{ "DISK", false }, { "CAPACITY", true }, { "HOST", true },    { "RESERVED", true },
	{ "FREE", true },  { "SHARES", true },	 { "HOLDERS", true },
};
static const struct table_column holder_columns[] = {
	{ "NAME", false },
	{ "DISK", false },
	{ "RESERVE", true },
	{ "SHARE", true },
};
static const struct table_column context_columns[] = {
	{ "NAME", false }, { "STATE", false }, { "CPUS", false },	{ "RESERVE", true },
	{ "SHARE", true }, { "LIMIT", true },  { "MEM-RESERVE", true }, { "MEM-LIMIT", true },
};

static void add_cpu(struct table *t, const json_t *o, const char *key)
{
	char text[UNITS_TEXT_MAX];
	uint64_t n;

	table_add(t, js_number(o, key, &n) ? units_print_cpu(n, text) : "");
}

static void add_sets(const json_t *budget, struct table *t)
{
	json_t *o;
	size_t i;

	json_array_foreach (json_object_get(budget, "cpu"), i, o) {
		table_add(t, js_text(o, "cpus"));
		add_cpu(t, o, "capacity_millicpu");
		add_cpu(t, o, "host_millicpu");
		add_cpu(t, o, "reserved_millicpu");
		add_cpu(t, o, "free_millicpu");
		look_add_number(t, o, "shares");
		look_add_number(t, o, "contexts");
	}
}

static void add_memory(const json_t *budget, struct table *t)
{
	const json_t *o = json_object_get(budget, "memory");

	look_add_bytes(t, o, "total_bytes");
	look_add_bytes(t, o, "host_bytes");
	look_add_bytes(t, o, "reserved_bytes");
	look_add_bytes(t, o, "free_bytes");
	look_add_bytes(t, o, "limits_bytes");
	look_add_number(t, o, "limitless");
}

static void add_contexts(const json_t *budget, struct table *t)
{
	json_t *o;
	size_t i;

	json_array_foreach (json_object_get(budget, "contexts"), i, o) {
		table_add(t, js_text(o, "name"));
		table_add(t, js_text(o, "state"));
		table_add(t, js_text(o, "cpus"));
		add_cpu(t, o, "cpu_reserve_millicpu");
		look_add_number(t, o, "cpu_share");
		add_cpu(t, o, "cpu_limit_millicpu");
		look_add_bytes(t, o, "memory_reserve_bytes");
		look_add_bytes(t, o, "memory_limit_bytes");
	}
}

/* Percent of a disk are written as those of a CPU. */
static void add_disks(const json_t *budget, struct table *t)
{
	json_t *o;
	size_t i;

	json_array_foreach (json_object_get(budget, "disks"), i, o) {
		table_add(t, js_text(o, "device"));
		add_cpu(t, o, "capacity_permille");
		add_cpu(t, o, "host_permille");
		add_cpu(t, o, "reserved_permille");
		add_cpu(t, o, "free_permille");
		look_add_number(t, o, "shares");
		look_add_number(t, o, "holders");
	}
}

static void add_holders(const json_t *budget, struct table *t)
{
	json_t *context, *o;
	size_t i, j;

	json_array_foreach (json_object_get(budget, "contexts"), i, context) {
		json_array_foreach (json_object_get(context, "disks"), j, o) {
			table_add(t, js_text(context, "name"));
			table_add(t, js_text(o, "device"));
			add_cpu(t, o, "reserve_permille");
			look_add_number(t, o, "share");
		}
	}
}

static void print_budget(const struct ctl *c, const json_t *budget, struct buf *out)
{
	static const struct {
		const struct table_column *columns;
		size_t count;
		void (*add)(const json_t *budget, struct table *t);
		bool disks; /* only where somebody has something of a disk */
	} parts[] = {
		{ cpu_columns, ARRAY_SIZE(cpu_columns), add_sets, false },
		{ memory_columns, ARRAY_SIZE(memory_columns), add_memory, false },
		{ disk_columns, ARRAY_SIZE(disk_columns), add_disks, true },
		{ context_columns, ARRAY_SIZE(context_columns), add_contexts, false },
		{ holder_columns, ARRAY_SIZE(holder_columns), add_holders, true },
	};
	bool disks = json_array_size(json_object_get(budget, "disks")) > 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct table t;

		if (parts[i].disks && !disks)
			continue;
		if (i > 0)
			buf_puts(out, "\n");
		table_init(&t, parts[i].columns, parts[i].count);
		parts[i].add(budget, &t);
		table_print(&t, c->color, 0, out);
		table_done(&t);
	}
	if (!json_is_true(json_object_get(json_object_get(budget, "memory"), "guaranteed")))
		buf_puts(out, "\nThis host cannot guarantee memory: memory.reserve is refused.\n");
}

int verb_budget(const struct ctl *c)
{
	struct buf b = { 0 };
	int r;
	json_t *budget = look_get(c, "/v1/budget", NULL, &r);

	if (!budget)
		return r;
	print_budget(c, budget, &b);
	r = args_has(&c->args, OPT_JSON) ? ctl_print_json(c, budget) : ctl_print(c, &b);
	buf_done(&b);
	json_decref(budget);
	return r;
}

/* --- what if --- */

static bool is_file(const char *word)
{
	size_t len = strlen(word);

	return strchr(word, '/') || (len > 4 && !strcmp(word + len - 4, ".ini"));
}

/* @return the spec of a file, or of a context, with what --set changes. */
static json_t *read_one(const struct ctl *c, const char *word, struct err *e)
{
	json_t *o = NULL;
	struct spec s;
	int r = is_file(word) ? spec_args_read(c, word, &s, e)
			      : spec_args_fetch(c, word, false, &s, e);

	if (r >= 0)
		r = spec_args_set(c, &s, e);
	if (r >= 0)
		r = spec_args_check(&s, word, e);
	if (r >= 0) {
		o = spec_write_json(&s, false);
		if (!o)
			(void) err_set(e, -ENOMEM, "out of memory");
	}
	spec_done(&s);
	return o;
}

static void tell_answers(const struct ctl *c, const json_t *reply, struct buf *out)
{
	json_t *o;
	size_t i;

	json_array_foreach (json_object_get(reply, "contexts"), i, o) {
		bool fits = json_is_true(json_object_get(o, "fits"));
		const char *why = js_text(o, "why");

		buf_printf(out, "%s: %s", c->args.operands[i], fits ? "yes" : "no: ");
		text_clean(out, why, strlen(why), true);
		buf_puts(out, "\n");
	}
	buf_puts(out, "\n");
	print_budget(c, json_object_get(reply, "budget"), out);
}

int verb_what_if(const struct ctl *c)
{
	struct client client = CLIENT_INIT;
	json_t *specs = json_array(), *body, *reply = NULL;
	struct err e = { 0 };
	struct buf b = { 0 };
	int r;

	for (size_t i = 0; i < c->args.operand_count; i++) {
		json_t *o = read_one(c, c->args.operands[i], &e);

		if (!o) {
			json_decref(specs);
			return ctl_error(c, c->args.operands[i], &e);
		}
		(void) json_array_append_new(specs, o);
	}
	body = json_pack("{s:o}", "specs", specs);
	r = client_call(&client, c, "POST", "/v1/what-if", body, &reply, &e);
	client_close(&client);
	json_decref(body);
	if (r < 0)
		return ctl_error(c, NULL, &e);
	tell_answers(c, reply, &b);
	r = args_has(&c->args, OPT_JSON) ? ctl_print_json(c, reply) : ctl_print(c, &b);
	if (r == CTL_DONE && !json_is_true(json_object_get(reply, "fits")))
		r = CTL_FAILED;
	buf_done(&b);
	json_decref(reply);
	return r;
}
