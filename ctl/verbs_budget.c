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

/* --- its tables --- */

struct column {
	const char *title, *key;
	void (*add)(struct table *t, const json_t *o, const char *key);
};

static void add_text(struct table *t, const json_t *o, const char *key)
{
	table_add(t, js_text(o, key));
}

/* Percent of a disk are written as those of a CPU. */
static void add_percent(struct table *t, const json_t *o, const char *key)
{
	char text[UNITS_TEXT_MAX];
	uint64_t n;

	table_add(t, js_number(o, key, &n) ? units_print_cpu(n, text) : "");
}

static const struct column cpu_columns[] = {
	{ "CPUS", "cpus", add_text },
	{ "CAPACITY", "capacity_millicpu", add_percent },
	{ "HOST", "host_millicpu", add_percent },
	{ "RESERVED", "reserved_millicpu", add_percent },
	{ "FREE", "free_millicpu", add_percent },
	{ "SHARES", "shares", look_add_number },
	{ "CONTEXTS", "contexts", look_add_number },
};
static const struct column memory_columns[] = {
	{ "MEMORY", "total_bytes", look_add_bytes },
	{ "HOST", "host_bytes", look_add_bytes },
	{ "RESERVED", "reserved_bytes", look_add_bytes },
	{ "FREE", "free_bytes", look_add_bytes },
	{ "LIMITS", "limits_bytes", look_add_bytes },
	{ "LIMITLESS", "limitless", look_add_number },
};
static const struct column disk_columns[] = {
	{ "DISK", "device", add_text },
	{ "CAPACITY", "capacity_permille", add_percent },
	{ "HOST", "host_permille", add_percent },
	{ "RESERVED", "reserved_permille", add_percent },
	{ "FREE", "free_permille", add_percent },
	{ "SHARES", "shares", look_add_number },
	{ "HOLDERS", "holders", look_add_number },
};
static const struct column context_columns[] = {
	{ "NAME", "name", add_text },
	{ "STATE", "state", add_text },
	{ "CPUS", "cpus", add_text },
	{ "RESERVE", "cpu_reserve_millicpu", add_percent },
	{ "SHARE", "cpu_share", look_add_number },
	{ "LIMIT", "cpu_limit_millicpu", add_percent },
	{ "MEM-RESERVE", "memory_reserve_bytes", look_add_bytes },
	{ "MEM-LIMIT", "memory_limit_bytes", look_add_bytes },
};
static const struct column holder_columns[] = {
	/* behind a context's name */
	{ "DISK", "device", add_text },
	{ "RESERVE", "reserve_permille", add_percent },
	{ "SHARE", "share", look_add_number },
};

static const struct part {
	const struct column *columns;
	size_t count;
	const char *key, *inner; /* of a list, or one object; of a list in each of its objects */
	bool disks; /* only where somebody has something of a disk */
} parts[] = {
	{ cpu_columns, ARRAY_SIZE(cpu_columns), "cpu", NULL, false },
	{ memory_columns, ARRAY_SIZE(memory_columns), "memory", NULL, false },
	{ disk_columns, ARRAY_SIZE(disk_columns), "disks", NULL, true },
	{ context_columns, ARRAY_SIZE(context_columns), "contexts", NULL, false },
	{ holder_columns, ARRAY_SIZE(holder_columns), "contexts", "disks", true },
};

static void add_row(const struct part *p, const json_t *o, struct table *t)
{
	for (size_t i = 0; i < p->count; i++)
		p->columns[i].add(t, o, p->columns[i].key);
}

static void add_rows(const struct part *p, const json_t *o, struct table *t)
{
	json_t *inner;
	size_t i;

	if (!p->inner) {
		add_row(p, o, t);
		return;
	}
	json_array_foreach (json_object_get(o, p->inner), i, inner) {
		add_text(t, o, "name");
		add_row(p, inner, t);
	}
}

static void print_part(const struct ctl *c, const struct part *p, const json_t *budget,
		       struct buf *out)
{
	struct table_column titles[TABLE_COLUMNS_MAX] = { { "NAME", false } };
	json_t *all = json_object_get(budget, p->key), *o;
	size_t count = p->inner ? 1 : 0, i;
	struct table t;

	for (i = 0; i < p->count; i++)
		titles[count++] =
			(struct table_column){ p->columns[i].title, p->columns[i].add != add_text };
	table_init(&t, titles, count);
	if (json_is_object(all))
		add_rows(p, all, &t);
	json_array_foreach (all, i, o)
		add_rows(p, o, &t);
	table_print(&t, c->color, 0, out);
	table_done(&t);
}

static void print_budget(const struct ctl *c, const json_t *budget, struct buf *out)
{
	bool disks = json_array_size(json_object_get(budget, "disks")) > 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].disks && !disks)
			continue;
		if (i > 0)
			buf_puts(out, "\n");
		print_part(c, &parts[i], budget, out);
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
