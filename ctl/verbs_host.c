/* doctor and version: what this host and this Ward are. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/version.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/look.h"
#include "ctl/verbs.h"
#include "ctl/versions.h"

static const struct table_column columns[] = {
	{ "GROUP", false },
	{ "FEATURE", false },
	{ "HERE", false },
	{ "DETAIL", false },
};

/* Detail where it is there, else what is lost. */
static void add_feature(struct table *t, const json_t *o)
{
	bool present = json_is_true(json_object_get(o, "present"));
	const char *detail = js_text(o, "detail"), *without = js_text(o, "without");
	struct buf b = { 0 };

	table_add(t, js_text(o, "group"));
	table_add(t, js_text(o, "name"));
	table_add_color(t, present ? "yes" : "no", present ? TABLE_GOOD : TABLE_BAD);
	buf_puts(&b, detail);
	if (!present && *without)
		buf_printf(&b, "%swithout it: %s", *detail ? "; " : "", without);
	table_add(t, b.data);
	buf_done(&b);
}

static void add_fact(struct table *t, const char *name, const char *text)
{
	table_add(t, "host");
	table_add(t, name);
	table_add(t, "");
	table_add(t, text);
}

/* The features alone, or in an object with more about the host. */
static int print_host(const struct ctl *c, const json_t *host)
{
	const json_t *features = json_is_array(host) ? host : json_object_get(host, "features");
	struct buf b = { 0 };
	char cpus[24];
	struct table t;
	uint64_t n;
	json_t *o;
	size_t i;
	int r;

	table_init(&t, columns, ARRAY_SIZE(columns));
	if (*js_text(host, "kernel"))
		add_fact(&t, "kernel", js_text(host, "kernel"));
	if (js_number(host, "cpus", &n)) {
		snprintf(cpus, sizeof(cpus), "%llu", (unsigned long long) n);
		add_fact(&t, "cpus", cpus);
	}
	json_array_foreach (features, i, o)
		add_feature(&t, o);
	table_print(&t, c->color, 0, &b); /* nothing is cut: it is read once, and in full */
	r = ctl_print(c, &b);
	buf_done(&b);
	table_done(&t);
	return r;
}

int verb_doctor(const struct ctl *c)
{
	int r;
	json_t *host = look_get(c, "/v1/host", NULL, &r);

	if (!host)
		return r;
	r = args_has(&c->args, OPT_JSON) ? ctl_print_json(c, host) : print_host(c, host);
	json_decref(host);
	return r;
}

int verb_version(const struct ctl *c)
{
	struct client client = CLIENT_INIT;
	json_t *both = json_pack("{s:s}", "wardctl", WARD_VERSION), *reply = NULL;
	struct buf b = { 0 };
	struct err e = { 0 };
	int r;

	buf_puts(&b, "wardctl " WARD_VERSION "\n");
	if (client_call(&client, c, "GET", "/v1/version", NULL, &reply, &e) >= 0)
		buf_printf(&b, "wardd %s\n", js_text(reply, "version"));
	else
		buf_puts(&b, "wardd does not answer\n");
	client_close(&client);
	if (reply && versions_are_far(WARD_VERSION, js_text(reply, "version")))
		ctl_warn(c, NULL,
			 "wardctl and wardd are more than one version apart; that is not tested");
	(void) json_object_set_new(both, "wardd", reply ? reply : json_null());
	r = args_has(&c->args, OPT_JSON) ? ctl_print_json(c, both) : ctl_print(c, &b);
	json_decref(both);
	buf_done(&b);
	return r;
}
