/* wardctl: from the command line to a verb's exit status. The way to `run` is kept short: no
 * locale, no configuration, and at the end _exit(2), for there is nothing to flush. Its plainest
 * form does not even come here (fast.c). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/verbs.h"

/* A standard descriptor that is closed would be the number of the next thing opened. */
static void fill_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(CTL_FAILED);
}

static bool wants_color(const struct ctl *c)
{
	const char *term = getenv("TERM");

	return c->terminal && !args_has(&c->args, OPT_NO_COLOR) && !getenv("NO_COLOR") && term &&
	       strcmp(term, "dumb") != 0;
}

static const char *find_socket(const struct ctl *c)
{
	const char *path = c->args.value[OPT_SOCKET];

	if (!path)
		path = getenv("WARD_SOCKET");
	return path && *path ? path : CTL_SOCKET;
}

static int act(struct ctl *c, int argc, char **argv)
{
	struct err e = { 0 };
	int r = args_parse(argc, argv, &c->args, &e);

	c->verb = c->args.verb;
	if (r < 0)
		return ctl_usage(c, "%s", e.text);
	if (!c->verb && !args_has(&c->args, OPT_HELP))
		return ctl_usage(c, "a verb is missing");
	c->socket = find_socket(c);
	if (args_has(&c->args, OPT_HELP))
		return help_print(c, c->verb);
	if (c->verb->options & OPT(JSON)) { /* those that print */
		c->terminal = isatty(STDOUT_FILENO);
		c->color = wants_color(c);
	}
	return c->verb->run(c);
}

int main(int argc, char **argv)
{
	struct ctl c = { 0 };

	fill_standard_streams();
	_exit(act(&c, argc, argv));
}
