/* start and stop of many at once: one request, and a line of the reply for each context as it is
 * done. The daemon knows the order; which contexts a mark means, it knows as well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/many.h"
#include "ctl/text.h"

#define LINE_MAX_BYTES (256u << 10)

struct reader {
	const struct ctl *c;
	struct buf line;
	json_t *all; /* with --json */
	int status;
};

bool many_wanted(const struct ctl *c)
{
	return c->args.operand_count > 1 || args_has(&c->args, OPT_ALL) ||
	       args_has(&c->args, OPT_MARK) || args_has(&c->args, OPT_AUTOSTART);
}

static void take_result(struct reader *r, const json_t *o)
{
	const json_t *error = json_object_get(o, "error"), *warnings, *w;
	const char *name = js_text(o, "name");
	struct err e;
	size_t i;

	if (r->all)
		json_array_append(r->all, (json_t *) o);
	if (error) {
		(void) err_set(&e, -EIO, "%s", js_text(error, "text"));
		r->status = ctl_error(r->c, name, &e);
		return;
	}
	if (r->all)
		return;
	if (*js_text(o, "wanted_by") && js_is(o, "result", "started"))
		many_tell_also(r->c, name, js_text(o, "wanted_by"));
	warnings = json_object_get(o, "warnings");
	json_array_foreach (warnings, i, w)
		if (json_is_string(w))
			ctl_warn(r->c, name, json_string_value(w));
}

void many_tell_also(const struct ctl *c, const char *name, const char *wanted_by)
{
	struct buf raw = { 0 }, b = { 0 };

	buf_printf(&raw, "%s: started, as %s is after it", name, wanted_by);
	text_clean(&b, raw.data ? raw.data : "", raw.len, false);
	buf_puts(&b, "\n");
	ctl_print(c, &b);
	buf_done(&raw);
	buf_done(&b);
}

static int take_line(struct reader *r)
{
	json_t *o = json_loadb(r->line.data, r->line.len, 0, NULL);

	if (!json_is_object(o)) {
		json_decref(o);
		return -EPROTO;
	}
	take_result(r, o);
	json_decref(o);
	return 0;
}

static int take(void *arg, const char *data, size_t len)
{
	struct reader *s = arg;
	int r = 0;

	while (len && r >= 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t) (end - data) : len;

		if (s->line.len + n > LINE_MAX_BYTES)
			return -EMSGSIZE;
		buf_add(&s->line, data, n);
		if (!end)
			break;
		r = take_line(s);
		buf_done(&s->line);
		s->line = (struct buf){ 0 };
		data = end + 1;
		len -= n + 1;
	}
	return r;
}

static json_t *make_body(const struct ctl *c, uint64_t timeout_us)
{
	json_t *o = json_object(), *names;

	if (args_has(&c->args, OPT_ALL))
		json_object_set_new(o, "all", json_true());
	else if (args_has(&c->args, OPT_AUTOSTART))
		json_object_set_new(o, "autostart", json_true());
	else if (args_has(&c->args, OPT_MARK))
		json_object_set_new(o, "mark", json_string(c->args.value[OPT_MARK]));
	else {
		names = json_array();
		for (size_t i = 0; i < c->args.operand_count; i++)
			json_array_append_new(names, json_string(c->args.operands[i]));
		json_object_set_new(o, "contexts", names);
	}
	if (timeout_us)
		json_object_set_new(o, "timeout_us", json_integer((json_int_t) timeout_us));
	return o;
}

int many_act(const struct ctl *c, const char *path, uint64_t timeout_us,
	     int (*each)(const struct ctl *c))
{
	struct reader reader = { .c = c,
				 .status = CTL_DONE,
				 .all = args_has(&c->args, OPT_JSON) ? json_array() : NULL };
	struct client client = CLIENT_INIT;
	json_t *body = make_body(c, timeout_us);
	char *text = json_dumps(body, JSON_COMPACT);
	struct buf refusal = { 0 };
	struct err e = { 0 };
	int r = text ? client_open(&client, c->socket, &e)
		     : err_set(&e, -ENOMEM, "making the request: out of memory");

	if (r >= 0)
		r = client_send(&client, "POST", path, text, false, &e);
	if (r >= 0)
		r = client_receive(&client, take, &reader, &refusal, &e);
	if (r >= 0 && client.reply.status >= 400)
		r = client_refusal(client.reply.status, &refusal, &e);
	if (r < 0 && !e.text[0])
		err_set_errno(&e, r, "reading the daemon's reply");
	if (r == -ENOSYS && each)
		reader.status = each(c);
	else if (r < 0)
		reader.status = ctl_error(c, NULL, &e);
	if (reader.all && !(r == -ENOSYS && each) && ctl_print_json(c, reader.all) != CTL_DONE)
		reader.status = CTL_FAILED;
	json_decref(reader.all);
	client_close(&client);
	buf_done(&refusal);
	buf_done(&reader.line);
	free(text);
	json_decref(body);
	return reader.status;
}
