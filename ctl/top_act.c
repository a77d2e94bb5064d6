/* What top asks of the daemon besides numbers. The answers come while the table goes on: a stop may
 * take its time. What needs the terminal (a shell, a log) is another wardctl, run in between. */
#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "ctl/top.h"

static const struct {
	const char *route, *doing, *done;
} commands[] = {
	[TOP_FREEZE] = { "/freeze", "freezing", "frozen" },
	[TOP_THAW] = { "/thaw", "thawing", "thawed" },
	[TOP_STOP] = { "/stop", "stopping", "stopped" },
	[TOP_RESTART] = { "/stop", "stopping", "stopped; starting it" },
	[TOP_KILL] = { "/kill", "sending a signal to", "sent" },
	[TOP_START] = { "/start", "starting", "started" },
};

static struct top_action *free_action(struct top *t)
{
	for (size_t i = 0; i < TOP_ACTIONS_MAX; i++)
		if (!fetch_is_busy(&t->actions[i].fetch))
			return &t->actions[i];
	return NULL;
}

void top_act(struct top *t, enum top_command command, const char *name, const char *signal)
{
	struct top_action *a = free_action(t);
	char path[CLIENT_PATH_MAX], body[96] = "";
	struct err e = { 0 };
	int sig = signal ? units_parse_signal(signal) : 0;

	if (!a)
		return top_say(t, "too much at once; wait a moment");
	if (signal && sig <= 0)
		return top_say(t, "\"%s\" is no signal; write TERM, HUP, 9", signal);
	if (signal)
		(void) snprintf(body, sizeof(body), "{\"signal\": \"%s\"}",
				units_print_signal(sig));
	a->command = command;
	(void) snprintf(a->name, sizeof(a->name), "%s", name);
	if (client_path(path, name, &e, "%s", commands[command].route) < 0 ||
	    fetch_begin(&a->fetch, t->ctl->socket, "POST", path, signal ? body : NULL, &e) < 0)
		return top_say(t, "%s", e.text);
	top_say(t, "%s %s", commands[command].doing, name);
}

void top_act_step(struct top *t)
{
	for (size_t i = 0; i < TOP_ACTIONS_MAX; i++) {
		struct top_action *a = &t->actions[i];
		json_t *reply = NULL;
		struct err e = { 0 };
		int r = fetch_is_busy(&a->fetch) ? fetch_step(&a->fetch, &reply, &e) : -EAGAIN;

		if (r == -EAGAIN)
			continue;
		json_decref(reply);
		t->next_us = 0; /* see what became of it */
		if (r < 0)
			top_say(t, "%s", e.text);
		else if (a->command == TOP_RESTART)
			top_act(t, TOP_START, a->name, NULL);
		else
			top_say(t, "%s: %s", a->name, commands[a->command].done);
	}
}

static void run_self(const struct top *t, const char *verb, const char *name)
{
	const char *const argv[] = { "wardctl", "--socket", t->ctl->socket, verb,
				     name,	NULL,	    NULL,	    NULL };
	const char *const log[] = { "wardctl", "--socket", t->ctl->socket, verb, "--follow",
				    "--lines", "100",	   name,	   NULL };
	sigset_t none;

	(void) sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < 32; sig++)
		(void) sigaction(sig, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	execv("/proc/self/exe", (char *const *) (strcmp(verb, "logs") ? argv : log));
	_exit(127);
}

void top_visit(struct top *t, const char *verb, const char *name, bool pause)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, interrupt, quit;
	static const char hint[] = "\n[any key: back to top]";
	pid_t pid;

	(void) def_prog_mode();
	(void) endwin();
	(void) sigaction(SIGINT, &ignore, &interrupt);
	(void) sigaction(SIGQUIT, &ignore, &quit);
	pid = fork();
	if (pid == 0)
		run_self(t, verb, name);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void) sigaction(SIGINT, &interrupt, NULL);
	(void) sigaction(SIGQUIT, &quit, NULL);
	if (pause && write(STDOUT_FILENO, hint, sizeof(hint) - 1) > 0) {
		(void) reset_prog_mode();
		timeout(-1);
		(void) getch();
		timeout(0);
	}
	(void) reset_prog_mode();
	(void) clearok(stdscr, TRUE);
	(void) refresh();
	t->next_us = 0;
	t->draw = true;
}
