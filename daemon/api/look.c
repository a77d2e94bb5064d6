/* Handlers that only look: version, host, list, show, keys, processes, plan, check. */
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "daemon/api/private.h"
#include "daemon/doctor.h"

void api_version(struct http_request *r)
{
	http_reply_json(r, 200, json_pack("{s:s, s:i}", "version", WARD_VERSION, "api", WARD_API));
}

void api_host(struct http_request *r)
{
	const struct facts *f = manager_facts(api_of(r)->manager);
	char kernel[32];

	(void) snprintf(kernel, sizeof(kernel), "%u.%u", f->kernel.major, f->kernel.minor);
	http_reply_json(r, 200,
			json_pack("{s:o, s:s, s:i}", "features", doctor_report(f), "kernel", kernel,
				  "cpus", (int) f->cpus));
}

struct listing {
	const struct http_request *request;
	struct manager *manager;
	json_t *array;
};

static void add_usage(struct manager *m, struct context *c, json_t *o)
{
	uint64_t memory, pids;

	if (o && context_usage(m, c, &memory, &pids) >= 0) {
		(void) json_object_set_new(o, "memory_bytes", json_integer((json_int_t) memory));
		(void) json_object_set_new(o, "pids", json_integer((json_int_t) pids));
	}
}

static void list_one(struct context *c, void *arg)
{
	struct listing *l = arg;
	json_t *o;

	if (!api_sees(l->request, c))
		return;
	o = context_summary(l->manager, c);
	if (l->request->query.usage)
		add_usage(l->manager, c, o);
	(void) json_array_append_new(l->array, o);
}

void api_list(struct http_request *r)
{
	struct listing l = { r, api_of(r)->manager, json_array() };

	if (l.array)
		manager_each(l.manager, list_one, &l);
	http_reply_json(r, 200, l.array);
}

void api_show(struct http_request *r)
{
	struct context *c = api_context(r);
	const struct spec *spec;
	json_t *o;

	if (!c)
		return;
	o = context_summary(api_of(r)->manager, c);
	spec = context_spec(c);
	if (o && spec)
		(void) json_object_set_new(o, "spec", spec_write_json(spec, r->query.full));
	http_reply_json(r, 200, o);
}

void api_key(struct http_request *r)
{
	struct context *c = api_context(r);
	const struct spec *spec;
	struct buf value = {};
	int code;

	if (!c)
		return;
	spec = context_spec(c);
	code = spec ? spec_get(spec, r->key, &value, &r->err)
		    : err_set(&r->err, -ENOENT, "%s: declares nothing", r->name);
	if (code == 0)
		code = value.error;
	if (code < 0)
		http_reply_error(r, code == -ENOENT ? 404 : 500, &r->err, NULL);
	else
		http_reply_json(r, 200, json_pack("{s:s}", "value", value.data ?: ""));
	buf_done(&value);
}

void api_processes(struct http_request *r)
{
	struct context *c = api_context(r);
	json_t *list;

	if (!c)
		return;
	list = context_processes(api_of(r)->manager, c, &r->err);
	if (list)
		http_reply_json(r, 200, list);
	else
		http_reply_refused(r);
}

/* Reads the spec that is the whole body. @return false, having replied. */
static bool read_spec(struct http_request *r, bool name_needed, struct spec *ret)
{
	struct spec_errors lines = {};
	int code = request_spec(r->body, name_needed, ret, &lines, &r->err);

	if (code < 0)
		http_reply_error(r, http_status(code), &r->err, &lines);
	spec_errors_done(&lines);
	return code == 0;
}

static void reply_plan(struct http_request *r, const struct spec *spec)
{
	struct buf text = {};
	int code = manager_plan(api_of(r)->manager, spec, &text, &r->err);

	if (code < 0)
		http_reply_refused(r);
	else
		http_reply_json(r, 200, json_pack("{s:s}", "plan", text.data ?: ""));
	buf_done(&text);
}

void api_plan(struct http_request *r)
{
	struct spec spec;

	if (!read_spec(r, false, &spec))
		return;
	reply_plan(r, &spec);
	spec_done(&spec);
}

void api_context_plan(struct http_request *r)
{
	struct context *c = api_context(r);

	if (c && context_spec(c)) {
		reply_plan(r, context_spec(c));
	} else if (c) {
		(void) err_set(&r->err, -ENOENT, "%s: declares nothing", r->name);
		http_reply_error(r, 404, &r->err, NULL);
	}
}

void api_check(struct http_request *r)
{
	struct spec_errors lines = {};
	struct request_check q;
	struct spec spec;
	int code = request_check(r->body, &q, &r->err);

	if (code == 0)
		code = spec_init(&spec, "check");
	if (code < 0)
		return http_reply_refused(r);
	code = spec_read_ini(&spec, q.ini, strlen(q.ini), q.source, &lines);
	if (code == 0)
		code = spec_check(&spec, q.source, &lines);
	if (code < 0) {
		(void) err_set(&r->err, code, "%s: %zu errors", q.source, lines.lines.count);
		http_reply_error(r, http_status(code), &r->err, &lines);
	} else {
		http_reply_json(r, 200, json_pack("{s:b}", "ok", 1));
	}
	spec_errors_done(&lines);
	spec_done(&spec);
}

void api_declare(struct http_request *r)
{
	struct manager *m = api_of(r)->manager;
	struct context *c = NULL;
	struct spec spec;
	int code;

	if (!read_spec(r, true, &spec))
		return;
	(void) snprintf(r->subject, sizeof(r->subject), "%s", spec.name);
	code = manager_declare(m, &spec, r->query.replace, &r->err);
	if (code == 0)
		c = manager_find(m, spec.name);
	if (c)
		api_reply_summary(r, 201, c);
	else if (code == 0)
		http_reply_json(r, 201, json_pack("{s:s}", "name", spec.name));
	else
		http_reply_refused(r);
	spec_done(&spec);
}
