/* An interactive command. The user's terminal is raw: every key, also Ctrl-C and Ctrl-Z, goes
 * through as a byte and the line discipline of the inner terminal makes of it what it means. All
 * signals that could end us are read, not taken, so there is one way out, and it restores. */
#include "ctl/pty.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "ctl/signals.h"

#define PTY_DRAIN_MAX (256u << 10) /* after the end; others may still write to the terminal */
#define PTY_HUNG_MS 200 /* how often to look whether a hung-up inner terminal was opened again */

struct pty {
	struct stream *stream;
	int signals; /* borrowed */
	bool in_terminal, in_end, hung, leave;
	bool raw, known; /* the terminal is raw now; `saved` is how we found it */
	struct termios saved;
	size_t start, end; /* of what waits in `in` for the master */
	char in[4096];
};

void pty_size(unsigned short *ret_rows, unsigned short *ret_cols)
{
	struct winsize w = { 0 };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col)
			break;
	*ret_rows = w.ws_row ? w.ws_row : 24;
	*ret_cols = w.ws_col ? w.ws_col : 80;
}

int pty_signals(void)
{
	static const int list[] = { SIGHUP,   SIGINT,  SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
				    SIGWINCH, SIGTSTP, SIGCONT, SIGPIPE, SIGALRM };

	return signals_open(list, ARRAY_SIZE(list));
}

static void make_raw(struct pty *p)
{
	struct termios t;

	if (p->raw || !p->in_terminal || tcgetattr(STDIN_FILENO, &t) < 0)
		return;
	if (!p->known)
		p->saved = t;
	p->known = true;
	cfmakeraw(&t);
	p->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0;
}

static void make_sane(struct pty *p)
{
	if (p->raw)
		(void) tcsetattr(STDIN_FILENO, TCSADRAIN, &p->saved);
	p->raw = false;
}

static void pass_size(struct pty *p)
{
	struct winsize w = { 0 };

	pty_size(&w.ws_row, &w.ws_col);
	if (p->stream->master >= 0)
		(void) ioctl(p->stream->master, TIOCSWINSZ, &w);
}

/* Stops as the user expects of a program that is told to; the command goes on. */
static void stop_here(struct pty *p)
{
	make_sane(p);
	raise(SIGSTOP);
	make_raw(p);
	pass_size(p);
}

static void take_signal(struct pty *p, int sig)
{
	switch (sig) {
	case SIGWINCH:
		pass_size(p);
		break;
	case SIGHUP: /* our terminal is gone: so shall be the command's */
		p->leave = true;
		break;
	case SIGTSTP:
		stop_here(p);
		break;
	case SIGCONT: /* stopped by force, and whoever came after changed the terminal */
		p->raw = false;
		make_raw(p);
		pass_size(p);
		break;
	case SIGPIPE:
	case SIGALRM:
		break;
	default:
		stream_signal(p->stream, sig);
	}
}

/* What ends a file on standard input must be typed on a terminal. */
static void end_input(struct pty *p)
{
	struct termios t;

	p->in_end = true;
	if (p->in_terminal)
		p->leave = true;
	else if (tcgetattr(p->stream->master, &t) == 0 && (t.c_lflag & ICANON))
		p->in[p->end++] = (char) t.c_cc[VEOF];
}

static void read_input(struct pty *p)
{
	ssize_t n = sys(read(STDIN_FILENO, p->in, sizeof(p->in)));

	p->start = p->end = 0;
	if (n > 0)
		p->end = (size_t) n;
	else if (n != -EINTR && n != -EAGAIN)
		end_input(p);
}

static void write_master(struct pty *p)
{
	ssize_t n = sys(write(p->stream->master, p->in + p->start, p->end - p->start));

	if (n > 0)
		p->start += (size_t) n;
	else if (n != -EINTR && n != -EAGAIN)
		p->start = p->end; /* nobody will read it */
}

/* @return bytes forwarded, 0 when there are none now. */
static size_t read_master(struct pty *p)
{
	char data[16384];
	ssize_t n = sys(read(p->stream->master, data, sizeof(data)));

	p->hung = n == 0 || n == -EIO;
	if (n <= 0)
		return 0;
	if (write_all(STDOUT_FILENO, data, (size_t) n) < 0)
		p->leave = true;
	return (size_t) n;
}

static void drain(struct pty *p)
{
	size_t total = 0, n;

	if (p->stream->master < 0)
		return;
	do {
		n = read_master(p);
		total += n;
	} while (n && !p->leave && total < PTY_DRAIN_MAX);
}

static void wait_for(struct pty *p, struct pollfd f[4])
{
	bool waiting = p->start < p->end;
	int master = p->stream->master;

	f[0] = (struct pollfd){ p->stream->sock, POLLIN, 0 };
	f[1] = (struct pollfd){ p->signals, POLLIN, 0 };
	f[2] = (struct pollfd){ master < 0 || waiting || p->in_end ? -1 : STDIN_FILENO, POLLIN, 0 };
	f[3] = (struct pollfd){ p->hung ? -1 : master, (short) (POLLIN | (waiting ? POLLOUT : 0)),
				0 };
	if (poll(f, 4, p->hung ? PTY_HUNG_MS : -1) < 0)
		for (int i = 0; i < 4; i++)
			f[i].revents = 0;
}

static int turn(struct pty *p, struct err *e)
{
	struct pollfd f[4];
	bool had = p->stream->master >= 0;
	int r = 0, sig;

	wait_for(p, f);
	if (f[1].revents)
		while ((sig = signals_next(p->signals)) > 0)
			take_signal(p, sig);
	if (f[0].revents)
		r = stream_read(p->stream, e);
	if (!had && p->stream->master >= 0) {
		int flags = fcntl(p->stream->master, F_GETFL);

		(void) fcntl(p->stream->master, F_SETFL, flags | O_NONBLOCK);
		make_raw(p);
		pass_size(p);
	}
	if (f[2].revents)
		read_input(p);
	if (f[3].revents & POLLOUT)
		write_master(p);
	if (f[3].revents & ~POLLOUT || (p->hung && had))
		(void) read_master(p);
	return r;
}

int pty_run(struct stream *s, int signals, struct err *e)
{
	struct pty p = { .stream = s, .signals = signals };
	int r = 0;

	p.in_terminal = isatty(STDIN_FILENO);
	while (r >= 0 && !s->done && !p.leave)
		r = turn(&p, e);
	if (s->done)
		drain(&p);
	make_sane(&p);
	if (p.leave && !s->done)
		s->status = 128 + SIGHUP;
	return r;
}
