/* wait: until contexts stop, are ready, end, or an event comes. All requests are sent before the
 * first reply is read; --timeout bounds the whole of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/units.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/look.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "ctl/when.h"

struct waiting {
	const struct ctl *c;
	const char *event; /* NULL: until they are stopped */
	uint64_t deadline_us; /* 0: none */
	struct buf text;
	json_t *all; /* with --json */
	int status;
};

/* What the command line asks for. @return CTL_DONE, or CTL_USAGE, told. */
static int understand(struct waiting *w, struct buf *query)
{
	const struct args *a = &w->c->args;
	int modes = args_has(a, OPT_READY) + args_has(a, OPT_EXIT) + args_has(a, OPT_EVENT);
	uint64_t n;

	if (modes > 1)
		return ctl_usage(w->c, "--ready, --exit and --event exclude each other");
	w->event = args_has(a, OPT_READY)  ? "ready"
		   : args_has(a, OPT_EXIT) ? "exit"
					   : a->value[OPT_EVENT];
	if (w->event && (!*w->event || w->event[strspn(w->event, KIND_LETTERS)]))
		return ctl_usage(w->c, "--event \"%.64s\" is no kind of event", w->event);
	if (w->event)
		buf_printf(query, "?event=%s", w->event);
	if (args_has(a, OPT_AFTER)) {
		if (!w->event)
			return ctl_usage(w->c, "--after goes with --ready, --exit or --event");
		if (units_parse_u64(a->value[OPT_AFTER], 0, INT64_MAX, &n) < 0)
			return ctl_usage(w->c, "--after \"%.64s\" is no number",
					 a->value[OPT_AFTER]);
		buf_printf(query, "&after=%llu", (unsigned long long) n);
	}
	if (args_has(a, OPT_TIMEOUT)) {
		if (units_parse_duration(a->value[OPT_TIMEOUT], &n) < 0 || n > INT64_MAX / 4)
			return ctl_usage(w->c, "--timeout \"%.64s\" is no duration; write 500ms, "
					       "10s, 2m",
					 a->value[OPT_TIMEOUT]);
		w->deadline_us = when_now() + n;
	}
	return CTL_DONE;
}

/* Lets the next receive take no longer than what is left. @return false: nothing is. */
static bool bound(const struct waiting *w, const struct client *client)
{
	uint64_t now = when_now(), left = w->deadline_us > now ? w->deadline_us - now : 0;
	struct timeval tv = { .tv_sec = (time_t) (left / 1000000),
			      .tv_usec = (suseconds_t) (left % 1000000) };

	if (!w->deadline_us)
		return true;
	return left && setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0;
}

/* The status of the command's end as a shell has it. */
static int exit_status(const json_t *end)
{
	uint64_t n;

	if (js_number(end, "status", &n))
		return (int) n;
	return js_number(end, "signal", &n) ? 128 + (int) n : CTL_FAILED;
}

static const json_t *end_of(const json_t *reply)
{
	const json_t *event = json_object_get(reply, "event");

	return json_is_object(event) ? event : reply; /* both have it as "exit" */
}

static void tell(struct waiting *w, const char *name, const json_t *reply)
{
	const json_t *event = json_object_get(reply, "event");
	struct buf line = { 0 }, end = { 0 };

	if (!w->event) {
		look_state_line(&w->text, name, reply);
		return;
	}
	buf_printf(&line, "%s: ", name);
	if (!strcmp(w->event, "exit"))
		buf_printf(&line, "ended with %s",
			   js_ending(end_of(reply), &end) ? end.data : "nothing");
	else if (!strcmp(w->event, "ready"))
		buf_puts(&line, "ready");
	else
		look_event_text(&line, event);
	text_clean(&w->text, line.data ? line.data : "", line.len, false);
	buf_puts(&w->text, "\n");
	buf_done(&line);
	buf_done(&end);
}

static void worse(struct waiting *w, int status)
{
	if (w->status == CTL_DONE)
		w->status = status;
}

static void take(struct waiting *w, const char *name, struct client *client)
{
	bool in_time = bound(w, client);
	struct err e = { 0 };
	json_t *reply = NULL;
	int r = in_time ? client_result(client, &reply, &e) : -EAGAIN;

	if (r == -EAGAIN && w->deadline_us) {
		err_set(&e, r, "it took longer than %s", w->c->args.value[OPT_TIMEOUT]);
		ctl_error(w->c, name, &e);
		worse(w, CTL_TIMED_OUT);
	} else if (r == -EBUSY) {
		ctl_error(w->c, name, &e);
		worse(w, CTL_NOT_RUNNING);
	} else if (r < 0) {
		worse(w, ctl_error(w->c, name, &e));
	} else {
		if (w->all)
			json_array_append(w->all, reply);
		else if (!args_has(&w->c->args, OPT_QUIET))
			tell(w, name, reply);
		if (w->event && !strcmp(w->event, "exit"))
			worse(w, exit_status(json_object_get(end_of(reply), "exit")));
	}
	json_decref(reply);
}

static void wait_all(struct waiting *w, const char *query, char *const *names, size_t count)
{
	struct client *clients = calloc(count, sizeof(*clients));
	struct err e = { 0 };

	if (!clients) {
		err_set(&e, -ENOMEM, "out of memory");
		w->status = ctl_error(w->c, NULL, &e);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		char path[CLIENT_PATH_MAX];
		int r = client_path(path, names[i], &e, "/wait%s", query);

		clients[i].fd = -1;
		if (r >= 0)
			r = client_open(&clients[i], w->c->socket, &e);
		if (r >= 0)
			r = client_send(&clients[i], "GET", path, NULL, false, &e);
		if (r < 0) {
			client_close(&clients[i]);
			worse(w, ctl_error(w->c, names[i], &e));
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (clients[i].fd >= 0)
			take(w, names[i], &clients[i]);
		client_close(&clients[i]);
	}
	free(clients);
}

int verb_wait(const struct ctl *c)
{
	struct waiting w = { .c = c };
	struct buf query = { 0 };
	int r = understand(&w, &query), p;

	if (r != CTL_DONE) {
		buf_done(&query);
		return r;
	}
	w.all = args_has(&c->args, OPT_JSON) ? json_array() : NULL;
	wait_all(&w, query.data ? query.data : "", c->args.operands, c->args.operand_count);
	p = w.all ? ctl_print_json(c, w.all) : ctl_print(c, &w.text);
	buf_done(&query);
	buf_done(&w.text);
	json_decref(w.all);
	return p == CTL_DONE ? w.status : p;
}
