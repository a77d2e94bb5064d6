/* top: one request to the daemon a look, never waited for; in between keys, answers to what keys
 * asked for, and changes of the window's size, all from one ppoll(2). */
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "ctl/look.h"
#include "ctl/top.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"

#define AWAY_US UINT64_C(3000000) /* no answer for so long */
#define RETRY_US UINT64_C(500000)

static void lost(struct top *t, uint64_t now)
{
	fetch_end(&t->fetch);
	t->next_us = now + RETRY_US;
	if (!t->away)
		t->draw = true;
	t->away = true;
}

static void ask(struct top *t, uint64_t now)
{
	struct err e = { 0 };

	t->asked_us = now;
	t->next_us = now + t->interval_us;
	if (fetch_begin(&t->fetch, t->ctl->socket, "GET", "/v1/stats", NULL, &e) < 0)
		lost(t, now);
	top_host_read(&t->host);
	t->draw = true;
}

static void take(struct top *t, uint64_t now)
{
	struct sample s = { 0 };
	json_t *reply = NULL;
	struct err e = { 0 };
	int r = fetch_step(&t->fetch, &reply, &e);

	if (r == -EAGAIN) {
		if (now - t->asked_us > AWAY_US)
			lost(t, now);
		return;
	}
	if (r == 0)
		r = sample_read(reply, now, &s);
	json_decref(reply);
	if (r == -EPERM)
		top_say(t, "%s", e.text);
	if (r < 0)
		return lost(t, now);
	t->away = false;
	top_take(t, &s);
}

static int wait_ms(const struct top *t, uint64_t now)
{
	uint64_t until = fetch_is_busy(&t->fetch) ? t->asked_us + AWAY_US + 1000 : t->next_us;

	return until <= now ? 0 : (int) ((until - now + 999) / 1000);
}

/* @open the signal mask to wait with: only there may the window change its size. */
static void wait_for(struct top *t, const sigset_t *open)
{
	struct pollfd p[2 + TOP_ACTIONS_MAX] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = t->fetch.client.fd, .events = POLLIN },
	};
	int ms = wait_ms(t, watch_now_us());
	const struct timespec limit = { ms / 1000, (long) (ms % 1000) * 1000000 };

	for (size_t i = 0; i < TOP_ACTIONS_MAX; i++)
		p[2 + i] = (struct pollfd){ .fd = t->actions[i].fetch.client.fd, .events = POLLIN };
	(void) ppoll(p, sizeof(p) / sizeof(*p), &limit, open);
	/* The terminal has gone, and there is nothing more to come from it. */
	if ((p[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
		t->quit = true;
}

static void loop(struct top *t, const sigset_t *open)
{
	while (!t->quit) {
		uint64_t now = watch_now_us();
		int key;

		if (fetch_is_busy(&t->fetch))
			take(t, now);
		if (!fetch_is_busy(&t->fetch) && now >= t->next_us)
			ask(t, now);
		top_act_step(t);
		while (!t->quit && (key = getch()) != ERR)
			top_key(t, key);
		if (t->draw)
			top_draw(t);
		if (!t->quit)
			wait_for(t, open);
	}
}

static int on_terminal(const struct ctl *c, struct top *t)
{
	sigset_t resize, open;
	SCREEN *screen;

	(void) setlocale(LC_CTYPE, "");
	t->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	(void) sigemptyset(&resize);
	(void) sigaddset(&resize, SIGWINCH);
	(void) sigprocmask(SIG_BLOCK, &resize, &open);
	(void) sigdelset(&open, SIGWINCH);
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return ctl_usage(c, "the terminal type \"%.64s\" is not known here; use --batch N",
				 getenv("TERM") ? getenv("TERM") : "");
	(void) set_escdelay(50);
	(void) cbreak();
	(void) noecho();
	(void) nonl();
	(void) keypad(stdscr, TRUE);
	(void) curs_set(0);
	timeout(0);
	loop(t, &open);
	(void) endwin();
	delscreen(screen);
	return CTL_DONE;
}

static json_t *get(const struct ctl *c, int *ret_status)
{
	return look_get(c, "/v1/stats", NULL, ret_status);
}

static int batch(const struct ctl *c, struct watch *w)
{
	const char *times = c->args.value[OPT_BATCH];

	if (units_parse_u64(times, 1, INT64_MAX, &w->times) < 0)
		return ctl_usage(c, "--batch \"%.64s\" is no number of tables", times);
	w->get = get;
	return watch_run(c, w);
}

int verb_top(const struct ctl *c)
{
	struct watch w = { 0 };
	struct top *t;
	int r;

	if (watch_options(c, COLUMNS_RATES, &w) < 0)
		return CTL_USAGE;
	if (args_has(&c->args, OPT_BATCH))
		return batch(c, &w);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return ctl_usage(c, "this needs a terminal; --batch N prints tables without one");
	t = calloc(1, sizeof(*t));
	if (!t)
		return ctl_error(c, NULL, &(struct err){ .text = "out of memory" });
	t->ctl = c;
	t->columns = w.columns;
	t->sort = w.sort ? w.sort : columns_find("cpu", &(struct err){ 0 });
	t->interval_us = w.interval_us;
	t->fetch = FETCH_INIT;
	for (size_t i = 0; i < TOP_ACTIONS_MAX; i++)
		t->actions[i].fetch = FETCH_INIT;
	r = on_terminal(c, t);
	top_done(t);
	free(t);
	return r;
}
