/* Where the output of a context without a client goes: its log file, the system's journal, or
 * nowhere. What cannot be had refuses the start: nothing falls back silently. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "daemon/logs.h"

/* --- the journal: the protocol of sd_journal_stream_fd(3), without its blocking connect --- */

static int journal_header(int fd, const char *name)
{
	char text[SPEC_NAME_MAX + 64];
	/* identifier, unit (journald finds it out), priority, prefixes "<N>" are taken, and no
	 * forwarding to syslog, kmsg and console */
	int n = snprintf(text, sizeof(text), "%s\n\n%d\n1\n0\n0\n0\n", name, LOG_INFO);
	ssize_t sent = sys(send(fd, text, (size_t) n, MSG_NOSIGNAL));

	return sent < 0 ? (int) sent : sent == n ? 0 : -EAGAIN;
}

static int journal_connect(const char *path, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, r;

	if (strlen(path) >= sizeof(a.sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(a.sun_path, path, strlen(path));
	fd = sys(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	r = fd < 0 ? fd : sys(connect(fd, (const struct sockaddr *) &a, sizeof(a)));
	if (r >= 0) {
		r = sys(shutdown(fd, SHUT_RD));
	}
	if (r >= 0) {
		r = journal_header(fd, name);
	}
	if (r >= 0) { /* the context's writes wait, as into a pipe */
		r = sys(fcntl(fd, F_SETFL, 0));
	}
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	return fd;
}

static int open_journal(const struct context *c, struct err *e)
{
	const char *path = c->manager->journal_stdout;
	int fd = journal_connect(path, c->name);

	if (fd < 0) {
		return err_set(
			e, fd,
			"opening its log: no journal answers at %s: %s (context.log = journal)",
			path, strerror(-fd));
	}
	return fd;
}

static int open_file(const struct context *c, struct err *e)
{
	int fd = log_file_open(c->manager, c->name, O_WRONLY | O_APPEND | O_CREAT);
	int r = fd < 0 ? fd : sys(fcntl(fd, F_SETFL, O_APPEND)); /* O_NONBLOCK goes */

	if (r < 0) {
		fd_close(fd);
		return err_set_errno(e, r, "opening its log, %s/logs/%s.log", c->manager->state_dir,
				     c->name);
	}
	return fd;
}

int log_open_remark(struct context *c, const struct spec *spec, struct err *e)
{
	int fd = -1, r;

	switch (spec->context.log) {
	case SPEC_LOG_FILE:
		return open_file(c, e);
	case SPEC_LOG_JOURNAL:
		fd = open_journal(c, e);
		break;
	case SPEC_LOG_NONE:
	case SPEC_LOG_COUNT:
		return -ENODEV;
	}
	r = fd < 0 ? fd : sys(fcntl(fd, F_SETFL, O_NONBLOCK)); /* the daemon waits for nobody */
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	return fd;
}

int log_open_stdio(struct context *c, const struct spec *spec, struct context_stdio *ret,
		   struct err *e)
{
	int out = -1, err = -1;

	switch (spec->context.log) {
	case SPEC_LOG_FILE:
		out = open_file(c, e);
		break;
	case SPEC_LOG_JOURNAL:
		out = open_journal(c, e);
		break;
	case SPEC_LOG_NONE:
	case SPEC_LOG_COUNT:
		*ret = (struct context_stdio){ .in = -1, .out = -1, .err = -1 };
		return 0;
	}
	if (out < 0) {
		return out;
	}
	err = sys(fcntl(out, F_DUPFD_CLOEXEC, 3));
	if (err < 0) {
		fd_close(out);
		return err_set_errno(e, err, "opening its log");
	}
	if (spec->context.log == SPEC_LOG_FILE) {
		logs_mark(c, LOG_MARK_START, 0);
		logs_make_room(c);
	}
	*ret = (struct context_stdio){ .in = -1, .out = out, .err = err };
	(void) fault_point("log-opened", NULL);
	return 0;
}
