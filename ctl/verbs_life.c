/* The verbs that act on many contexts, one request each: those of one batch are all sent before
 * the first reply is read, each on its own connection. start and stop of many: verbs_many.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/look.h"
#include "ctl/many.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#define BATCH 16

/* What to ask of each context, and of which with --all and --mark. */
struct request {
	const char *method, *route;
	const char *body; /* or NULL */
	bool (*suits)(const json_t *summary); /* NULL: any does */
	/* Gets each reply, may set the exit status; may be NULL. */
	int (*take)(const struct ctl *c, const char *name, const json_t *reply, void *arg);
	void *arg; /* without `take`: an array that gets the replies, or NULL */
};

static bool is_stopped(const json_t *o)
{
	return js_is(o, "state", "stopped");
}

static bool is_alive(const json_t *o)
{
	return !is_stopped(o);
}

static bool is_running(const json_t *o)
{
	return js_is(o, "state", "running");
}

static bool is_frozen(const json_t *o)
{
	return js_is(o, "state", "frozen");
}

static int ask(const struct ctl *c, struct client *client, const struct request *q,
	       const char *name, struct err *e)
{
	char path[CLIENT_PATH_MAX];
	int r = client_path(path, name, e, "%s", q->route);

	if (r >= 0)
		r = client_open(client, c->socket, e);
	return r < 0 ? r : client_send(client, q->method, path, q->body, false, e);
}

static void warn_all(const struct ctl *c, const char *name, const json_t *reply)
{
	const json_t *warnings = json_object_get(reply, "warnings"), *w;
	size_t i;

	json_array_foreach (warnings, i, w)
		if (json_is_string(w))
			ctl_warn(c, name, json_string_value(w));
}

/* A failure says more than a context that does not run. */
static int worse(int a, int b)
{
	return a == CTL_FAILED || b == CTL_DONE ? a : b;
}

/* @return the exit status of the batch. */
static int batch(const struct ctl *c, const struct request *q, char *const *names, size_t count)
{
	struct client *clients = calloc(count, sizeof(*clients));
	struct err errors[BATCH] = { 0 }, none = { 0 };
	int status = CTL_DONE;

	if (!clients) {
		err_set(&none, -ENOMEM, "out of memory");
		return ctl_error(c, NULL, &none);
	}
	for (size_t i = 0; i < count; i++) {
		clients[i].fd = -1;
		errors[i].code = ask(c, &clients[i], q, names[i], &errors[i]);
	}
	for (size_t i = 0; i < count; i++) {
		json_t *reply = NULL;

		if (!errors[i].code)
			errors[i].code = client_result(&clients[i], &reply, &errors[i]);
		if (errors[i].code)
			status = worse(status, ctl_error(c, names[i], &errors[i]));
		else if (q->take)
			status = worse(status, q->take(c, names[i], reply, q->arg));
		else if (q->arg)
			json_array_append(q->arg, reply);
		json_decref(reply);
		client_close(&clients[i]);
	}
	free(clients);
	return status;
}

static int each(const struct ctl *c, const struct request *q, const struct strv *names)
{
	int status = CTL_DONE;

	for (size_t i = 0; i < names->count; i += BATCH) {
		size_t n = names->count - i < BATCH ? names->count - i : BATCH;

		status = worse(status, batch(c, q, names->items + i, n));
	}
	return status;
}

/* Names of the contexts that suit, with the mark if one was given. */
static int find_all(const struct ctl *c, bool (*suits)(const json_t *), struct strv *ret,
		    struct err *e)
{
	const char *mark = args_has(&c->args, OPT_MARK) ? c->args.value[OPT_MARK] : NULL;
	struct client client = CLIENT_INIT;
	json_t *list = NULL, *o;
	size_t i;
	int r = client_call(&client, c, "GET", "/v1/contexts", NULL, &list, e);

	json_array_foreach (list, i, o)
		if (r >= 0 && (!suits || suits(o)) && *js_text(o, "name") &&
		    (!mark || js_has(json_object_get(o, "mark"), mark)))
			r = strv_add(ret, js_text(o, "name"));
	json_decref(list);
	client_close(&client);
	return r;
}

static int act(const struct ctl *c, const struct request *q)
{
	struct strv all = { 0 }, given = { c->args.operands, c->args.operand_count };
	struct err e = { 0 };
	int r;

	if (!args_has(&c->args, OPT_ALL) && !args_has(&c->args, OPT_MARK))
		return each(c, q, &given);
	r = find_all(c, q->suits, &all, &e);
	r = r < 0 ? ctl_error(c, NULL, &e) : each(c, q, &all);
	strv_done(&all);
	return r;
}

/* As act(); with --json the replies are printed, whose "seq" says where events stand. */
static int act_and_tell(const struct ctl *c, const struct request *q)
{
	struct request with_replies = *q;
	int r, p;

	if (!args_has(&c->args, OPT_JSON))
		return act(c, q);
	with_replies.arg = json_array();
	r = act(c, &with_replies);
	p = ctl_print_json(c, with_replies.arg);
	json_decref(with_replies.arg);
	return p == CTL_DONE ? r : p;
}

static int tell_started(const struct ctl *c, const char *name, const json_t *reply, void *arg)
{
	const json_t *also = json_object_get(reply, "also"), *other;
	size_t i;

	(void) arg;
	json_array_foreach (also, i, other)
		if (json_is_string(other))
			many_tell_also(c, json_string_value(other), name);
	warn_all(c, name, reply);
	return CTL_DONE;
}

static int start_each(const struct ctl *c)
{
	const char *route = args_has(&c->args, OPT_NO_WAIT) ? "/start?no-wait" : "/start";
	bool json = args_has(&c->args, OPT_JSON);

	return act_and_tell(c, &(struct request){ "POST", route, NULL, is_stopped,
						  json ? NULL : tell_started, NULL });
}

int verb_start(const struct ctl *c)
{
	const char *route = args_has(&c->args, OPT_NO_WAIT) ? "/v1/start?no-wait" : "/v1/start";

	return many_wanted(c) ? many_act(c, route, 0,
					 args_has(&c->args, OPT_AUTOSTART) ? NULL : start_each)
			      : start_each(c);
}

/* The timeout is known to be one, or not there. */
static int stop_each(const struct ctl *c)
{
	const char *timeout = c->args.value[OPT_TIMEOUT];
	char body[64];
	uint64_t us = 0;

	if (timeout && units_parse_duration(timeout, &us) == 0)
		snprintf(body, sizeof(body), "{\"timeout_us\": %llu}", (unsigned long long) us);
	return act_and_tell(c, &(struct request){ "POST", "/stop", timeout ? body : NULL, is_alive,
						  NULL, NULL });
}

int verb_stop(const struct ctl *c)
{
	const char *timeout = c->args.value[OPT_TIMEOUT];
	uint64_t us = 0;

	if (timeout && (units_parse_duration(timeout, &us) < 0 || us > INT64_MAX))
		return ctl_usage(c, "--timeout \"%.64s\" is no duration; write 500ms, 10s, 2m",
				 timeout);
	return many_wanted(c) ? many_act(c, "/v1/stop", us, stop_each) : stop_each(c);
}

int verb_restart(const struct ctl *c)
{
	int r = verb_stop(c);

	return r != CTL_DONE ? r : verb_start(c);
}

int verb_kill(const struct ctl *c)
{
	const char *given = c->args.value[OPT_SIGNAL];
	int sig = units_parse_signal(given ? given : "TERM");
	char body[96];

	if (sig <= 0)
		return ctl_usage(c, "--signal \"%.64s\" is no signal; write TERM, HUP, 9, RTMIN+3",
				 given);
	snprintf(body, sizeof(body), "{\"signal\": \"%s\", \"all\": %s}", units_print_signal(sig),
		 args_has(&c->args, OPT_PROCESSES) ? "true" : "false");
	return act_and_tell(c, &(struct request){ "POST", "/kill", body, is_alive, NULL, NULL });
}

int verb_freeze(const struct ctl *c)
{
	return act_and_tell(c,
			    &(struct request){ "POST", "/freeze", NULL, is_running, NULL, NULL });
}

int verb_thaw(const struct ctl *c)
{
	return act_and_tell(c, &(struct request){ "POST", "/thaw", NULL, is_frozen, NULL, NULL });
}

/* --- status --- */

struct telling {
	struct buf text;
	json_t *all; /* with --json */
};

void look_state_line(struct buf *b, const char *name, const json_t *reply)
{
	struct buf line = { 0 };
	char age[TEXT_AGE_MAX];
	uint64_t n;

	buf_printf(&line, "%s: %s", name, js_text(reply, "state"));
	if (js_number(reply, "pid", &n) && n)
		buf_printf(&line, ", process %llu", (unsigned long long) n);
	if (is_alive(reply) && js_number(reply, "uptime_us", &n))
		buf_printf(&line, ", for %s", text_age(n, age));
	if (is_stopped(reply) && json_is_object(json_object_get(reply, "exit"))) {
		buf_puts(&line, ", ended with ");
		js_ending(reply, &line);
	}
	js_service(reply, ", ", &line);
	text_clean(b, line.data ? line.data : "", line.len, false);
	buf_puts(b, "\n");
	buf_done(&line);
}

static int tell(const struct ctl *c, const char *name, const json_t *reply, void *arg)
{
	struct telling *t = arg;

	if (t->all)
		json_array_append(t->all, (json_t *) reply);
	else if (!args_has(&c->args, OPT_QUIET))
		look_state_line(&t->text, name, reply);
	return is_alive(reply) ? CTL_DONE : CTL_NOT_RUNNING;
}

int verb_status(const struct ctl *c)
{
	struct telling t = { .all = args_has(&c->args, OPT_JSON) ? json_array() : NULL };
	int r = act(c, &(struct request){ "GET", "", NULL, NULL, tell, &t }), p;

	p = t.all ? ctl_print_json(c, t.all) : ctl_print(c, &t.text);
	buf_done(&t.text);
	json_decref(t.all);
	return p == CTL_DONE ? r : p;
}
