/* why: the daemon's explanation of a context's state, in sentences. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/look.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "ctl/when.h"

/* One line, "  TITLE: TEXT", made harmless. @text consumed. */
static void line(struct buf *out, const char *title, struct buf *text)
{
	buf_printf(out, "  %-10s ", title);
	text_clean(out, text->data ? text->data : "", text->len, true);
	buf_puts(out, "\n");
	buf_done(text);
	*text = (struct buf){ 0 };
}

static uint64_t number(const json_t *o, const char *key)
{
	uint64_t n = 0;

	js_number(o, key, &n);
	return n;
}

static void add_ago(struct buf *b, uint64_t us)
{
	char when[WHEN_TEXT_MAX], age[TEXT_AGE_MAX];
	uint64_t now = when_now();

	if (us)
		buf_printf(b, "%s ago, %s", text_age(now > us ? now - us : 0, age),
			   when_print(us, when));
}

static void tell_state(struct buf *out, const json_t *o)
{
	char age[TEXT_AGE_MAX], when[WHEN_TEXT_MAX];
	uint64_t since = number(o, "since_us"), now = when_now(), pid = number(o, "pid");
	struct buf b = { 0 };

	buf_printf(&b, "%s: %s", js_text(o, "name"), js_text(o, "state"));
	if (json_is_false(json_object_get(o, "ready")) && js_is(o, "state", "running"))
		buf_puts(&b, ", not ready");
	if (pid)
		buf_printf(&b, ", process %" PRIu64, pid);
	if (since)
		buf_printf(&b, ", for %s (since %s)", text_age(now > since ? now - since : 0, age),
			   when_print(since, when));
	text_clean(out, b.data ? b.data : "", b.len, false);
	buf_puts(out, "\n");
	buf_done(&b);
}

static void tell_strings(struct buf *out, const char *title, const json_t *array)
{
	struct buf b = { 0 };
	const json_t *v;
	size_t i;

	json_array_foreach (array, i, v) {
		buf_puts(&b, json_string_value(v) ? json_string_value(v) : "?");
		line(out, i ? "" : title, &b);
	}
}

static void tell_service(struct buf *out, const json_t *o)
{
	struct buf b = { 0 };

	if (*js_text(o, "status")) {
		buf_puts(&b, js_text(o, "status"));
		line(out, "says", &b);
	}
	if (*js_text(o, "health")) {
		buf_puts(&b, js_text(o, "health"));
		if (*js_text(o, "health_text"))
			buf_printf(&b, ": %s", js_text(o, "health_text"));
		line(out, "health", &b);
	}
	if (number(o, "restarts")) {
		buf_printf(&b, "%" PRIu64, number(o, "restarts"));
		line(out, "restarts", &b);
	}
}

static const char *ending_words(const json_t *end)
{
	static const struct {
		const char *reason, *words;
	} rows[] = {
		{ "exit", "its command ended by itself" },
		{ "signal", "a signal ended it" },
		{ "oom", "it ran out of memory" },
		{ "start", "it could not be started" },
		{ "lost", "it ended while no daemon saw how" },
		{ "reboot", "it asked for a reboot" },
		{ "poweroff", "it switched itself off" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (js_is(end, "reason", rows[i].reason))
			return rows[i].words;
	return js_text(end, "reason");
}

static void tell_end(struct buf *out, const json_t *o)
{
	const json_t *event = json_object_get(o, "end"), *end = json_object_get(o, "exit");
	struct buf b = { 0 };

	if (!json_is_object(end))
		end = json_object_get(event, "exit");
	if (!json_is_object(end))
		return;
	buf_printf(&b, "%s: ", ending_words(end));
	js_exit(end, &b);
	if (json_is_object(event)) {
		buf_puts(&b, " (");
		add_ago(&b, number(event, "time"));
		buf_printf(&b, ", event %" PRIu64 ")", number(event, "seq"));
	}
	line(out, js_is(o, "state", "stopped") || js_is(o, "state", "gone") ? "ended" : "last end",
	     &b);
}

static void tell_oom(struct buf *out, const json_t *o)
{
	const json_t *oom = json_object_get(o, "oom"), *victim = json_object_get(oom, "victim");
	char limit[UNITS_TEXT_MAX], peak[UNITS_TEXT_MAX];
	struct buf b = { 0 };

	if (!json_is_object(oom))
		return;
	if (number(oom, "limit_bytes"))
		buf_printf(&b, "limit %s, ", units_print_human(number(oom, "limit_bytes"), limit));
	if (number(oom, "peak_bytes"))
		buf_printf(&b, "peak %s, ", units_print_human(number(oom, "peak_bytes"), peak));
	if (json_is_object(victim))
		buf_printf(&b, "the kernel killed %s (process %" PRIu64 "), ",
			   js_text(victim, "command"), number(victim, "pid"));
	if (number(oom, "kills"))
		buf_printf(&b, "%" PRIu64 " died and the rest went on, ", number(oom, "kills"));
	add_ago(&b, number(oom, "time"));
	line(out, "memory out", &b);
}

static void tell_drift(struct buf *out, const json_t *o)
{
	const json_t *row;
	struct buf b = { 0 };
	size_t i;

	json_array_foreach (json_object_get(o, "drift"), i, row) {
		const char *file = json_string_value(json_object_get(row, "file"));
		const char *active = js_text(row, "active");
		const char *live = json_string_value(json_object_get(row, "live"));
		bool differs = file && strcmp(file, active) != 0;

		buf_printf(&b, "%s: ", js_text(row, "key"));
		if (differs)
			buf_printf(&b, "the file says \"%s\", it runs with \"%s\"", file, active);
		else
			buf_printf(&b, "it was started with \"%s\"", active);
		if (live && strcmp(live, active) != 0)
			buf_printf(&b, ", the kernel has \"%s\"", live);
		if (differs)
			buf_puts(&b, json_is_true(json_object_get(row, "restart"))
					     ? "; it changes with a restart"
					     : "; \"set\" can change it while it runs");
		line(out, i ? "" : "differs", &b);
	}
}

static void tell_throttle(struct buf *out, const json_t *o)
{
	const json_t *t = json_object_get(o, "throttle");
	char age[TEXT_AGE_MAX], when[WHEN_TEXT_MAX];
	struct buf b = { 0 };

	if (!number(t, "throttled_periods"))
		return;
	buf_printf(&b, "cpu.limit %s held it back in %" PRIu64 " of %" PRIu64 " periods, %s in all",
		   js_text(t, "limit"), number(t, "throttled_periods"), number(t, "periods"),
		   text_age(number(t, "throttled_us"), age));
	if (number(t, "since_us")) {
		buf_printf(&b, "; it does now, since %s", when_print(number(t, "since_us"), when));
	}
	line(out, "throttled", &b);
}

/* Said only where something is missing. */
static void tell_delivered(struct buf *out, const json_t *o)
{
	const json_t *d = json_object_get(o, "delivered");
	char used[UNITS_TEXT_MAX], entitled[UNITS_TEXT_MAX], missed[UNITS_TEXT_MAX];
	char broken[UNITS_TEXT_MAX];
	uint64_t over = number(d, "over_us");
	struct buf b = { 0 };

	if (over == 0 || number(d, "missed_us") * 1000 / over == 0)
		return;
	buf_printf(&b,
		   "entitled to %s of a CPU, it got %s over the last minute, and wanted %s more",
		   units_print_cpu(number(d, "entitled_us") * 1000 / over, entitled),
		   units_print_cpu(number(d, "used_us") * 1000 / over, used),
		   units_print_cpu(number(d, "missed_us") * 1000 / over, missed));
	if (number(d, "broken_us") * 1000 / over)
		buf_printf(&b, "; of cpu.reserve %s were not given",
			   units_print_cpu(number(d, "broken_us") * 1000 / over, broken));
	line(out, "delivered", &b);
}

static void tell_pressure(struct buf *out, const json_t *o)
{
	const char *key, *of = "";
	struct buf b = { 0 };
	json_t *v;

	json_object_foreach (json_object_get(o, "pressure"), key, v) {
		double some =
			json_number_value(json_object_get(json_object_get(v, "some"), "avg10"));

		of = js_text(v, "of");
		buf_printf(&b, "%s%s %.1f%%", b.len ? ", " : "", key, some);
	}
	if (!b.len)
		return;
	buf_printf(&b, " of the last 10 s waited%s", strcmp(of, "host") ? "" : " (the whole host)");
	line(out, "pressure", &b);
}

static void add_of(struct buf *b, const json_t *o, const char *used, const char *limit, bool bytes)
{
	char a[UNITS_TEXT_MAX], z[UNITS_TEXT_MAX];
	uint64_t n;

	if (bytes)
		buf_puts(b, units_print_human(number(o, used), a));
	else
		buf_printf(b, "%" PRIu64, number(o, used));
	if (js_number(o, limit, &n) && bytes)
		buf_printf(b, " of %s", units_print_human(n, z));
	else if (js_number(o, limit, &n))
		buf_printf(b, " of %" PRIu64, n);
	if (number(o, "limit_hits"))
		buf_printf(b, "; the limit was hit %" PRIu64 " times", number(o, "limit_hits"));
}

static void tell_use(struct buf *out, const json_t *o)
{
	const json_t *memory = json_object_get(o, "memory"), *p = json_object_get(o, "processes");
	char peak[UNITS_TEXT_MAX];
	struct buf b = { 0 };

	if (json_is_object(memory)) {
		add_of(&b, memory, "bytes", "limit_bytes", true);
		buf_printf(&b, "; peak %s", units_print_human(number(memory, "peak_bytes"), peak));
		line(out, "memory", &b);
	}
	if (json_is_object(p)) {
		add_of(&b, p, "count", "limit", false);
		line(out, "processes", &b);
	}
}

static void tell_denied(struct buf *out, const json_t *o)
{
	const json_t *d = json_object_get(o, "devices"), *event;
	struct buf b = { 0 };
	size_t i;

	if (number(d, "count")) {
		buf_printf(&b,
			   "device nodes, %" PRIu64 " times; the last: %s%s%s%s for %s, which no "
			   "files.device names",
			   number(d, "count"), js_text(d, "name"), *js_text(d, "name") ? " (" : "",
			   js_text(d, "device"), *js_text(d, "name") ? ")" : "",
			   js_text(d, "access"));
		line(out, "denied", &b);
	}
	json_array_foreach (json_object_get(o, "denied"), i, event) {
		look_event_text(&b, event);
		line(out, i ? "" : "denied", &b);
	}
}

static void tell_events(struct buf *out, const json_t *o)
{
	struct buf b = { 0 };
	const json_t *event;
	size_t i;

	json_array_foreach (json_object_get(o, "events"), i, event) {
		look_event_text(&b, event);
		line(out, i ? "" : "events", &b);
	}
}

static void tell(struct buf *out, const json_t *o)
{
	tell_state(out, o);
	tell_strings(out, "waits for", json_object_get(o, "waits_for"));
	tell_service(out, o);
	tell_strings(out, "file", json_object_get(o, "errors"));
	tell_end(out, o);
	tell_oom(out, o);
	tell_drift(out, o);
	tell_throttle(out, o);
	tell_delivered(out, o);
	tell_pressure(out, o);
	tell_use(out, o);
	tell_denied(out, o);
	tell_events(out, o);
}

int verb_why(const struct ctl *c)
{
	const char *name = c->args.operands[0];
	char path[CLIENT_PATH_MAX];
	struct buf text = { 0 };
	struct err e = { 0 };
	json_t *o;
	int r;

	if (client_path(path, name, &e, "/why") < 0)
		return ctl_error(c, name, &e);
	o = look_get(c, path, name, &r);
	if (!o)
		return r;
	if (args_has(&c->args, OPT_JSON)) {
		r = ctl_print_json(c, o);
	} else {
		tell(&text, o);
		r = ctl_print(c, &text);
	}
	buf_done(&text);
	json_decref(o);
	return r;
}
