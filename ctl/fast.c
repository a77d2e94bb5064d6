/* `wardctl run -- COMMAND` without libc: the way from exec to the daemon that is measured.
 *
 * A C library prepares itself before main(), and on a virtual machine that is dear: glibc asks the
 * CPU for its features by some thirty CPUID instructions, each of which leaves the machine; that
 * alone is four times what the rest of this program does. So the entry point of the ELF file is
 * fast_entry. It does the plain cases of run and exec (no options, no terminal) by system calls
 * of its own. Whatever it does not know (an option, a terminal, a signal, an error, an unexpected
 * byte) it leaves to the ordinary program: it fills fast_state and jumps to libc's _start, and
 * stream.c takes over the conversation where it stands. It must never judge, only recognise.
 *
 * Nothing here may need libc, a relocation, thread-local storage or the stack protector. A build
 * without `-Wl,-e,fast_entry` works all the same. */
#include "ctl/fast.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "ctl/ctl.h"

struct fast fast_state;

#if defined(__x86_64__)

#ifdef __clang__
#define BARE __attribute__((no_stack_protector, no_builtin))
#else
#define BARE __attribute__((no_stack_protector, optimize("no-tree-loop-distribute-patterns")))
#endif

#define NSIG_BYTES 8 /* the kernel's sigset_t */

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

struct text {
	char *data;
	size_t len, max;
	bool full;
};

void fast_main(long *stack); /* called from below */

__asm__(".text\n"
	".globl fast_entry\n"
	".type fast_entry, @function\n"
	"fast_entry:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rbx\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call fast_main\n"
	"	mov %rbx, %rsp\n"
	"	xor %edx, %edx\n" /* as the kernel left it: no function to call at exit */
	"	jmp _start\n"
	".size fast_entry, .-fast_entry\n");

BARE static long call5(long n, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = 0;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define call(n, a, b, c) call5((n), (long) (a), (long) (b), (long) (c), 0, 0)

BARE static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

BARE static bool equal(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return *a == *b;
}

BARE static void put(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (t->len == t->max) {
			t->full = true;
			return;
		}
		t->data[t->len++] = *s;
	}
}

BARE static void put_number(struct text *t, size_t n)
{
	char digits[24];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	do {
		digits[--i] = (char) ('0' + n % 10);
		n /= 10;
	} while (n);
	put(t, digits + i);
}

/* A JSON string. @return false for what is not plain ASCII. */
BARE static bool put_string(struct text *t, const char *s)
{
	char one[3] = { 0, 0, 0 };

	put(t, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char) *s;

		if (c >= 0x7f || (c < 0x20 && c != '\n' && c != '\t'))
			return false;
		one[0] = '\\';
		one[1] = *s == '\n' ? 'n' : *s == '\t' ? 't' : *s;
		put(t, *s == '"' || *s == '\\' || c < 0x20 ? one : one + 1);
	}
	put(t, "\"");
	return !t->full;
}

BARE static bool put_command(struct text *t, char *const *words)
{
	put(t, "[");
	for (size_t i = 0; words[i]; i++) {
		if (i)
			put(t, ",");
		if (!put_string(t, words[i]))
			return false;
	}
	put(t, "]");
	return true;
}

BARE static bool name_is_plain(const char *s)
{
	size_t n = length(s);

	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') ||
		      (i && (s[i] == '-' || s[i] == '_'))))
			return false;
	return n > 0 && n < 64;
}

/* Recognises `run [--] WORD...` and `exec NAME [--] WORD...` and writes route and body. */
BARE static bool understand(char **argv, struct text *route, struct text *body)
{
	char **words;

	if (!argv[0] || !argv[1] || !argv[2])
		return false;
	if (equal(argv[1], "run")) {
		put(route, "/v1/run");
		put(body, "{\"spec\":{\"context\":{\"command\":");
		words = argv + 2;
	} else if (equal(argv[1], "exec") && name_is_plain(argv[2])) {
		put(route, "/v1/contexts/");
		put(route, argv[2]);
		put(route, "/exec");
		put(body, "{\"command\":");
		words = argv + 3;
	} else {
		return false;
	}
	if (words[0] && equal(words[0], "--"))
		words++;
	else if (words[0] && words[0][0] == '-')
		return false;
	if (!words[0] || !put_command(body, words))
		return false;
	put(body, argv[1][0] == 'r' ? "}}}" : "}");
	return !route->full && !body->full;
}

BARE static const char *find_socket(char **envp)
{
	static const char name[] = "WARD_SOCKET=";

	for (; *envp; envp++) {
		size_t i = 0;

		while (name[i] && (*envp)[i] == name[i])
			i++;
		if (!name[i])
			return (*envp)[i] ? *envp + i : CTL_SOCKET;
	}
	return CTL_SOCKET;
}

/* The standard streams are open, and not such that a terminal would be wanted. */
BARE static bool streams_are_plain(void)
{
	char termios[64];
	bool in, out;

	for (int fd = 0; fd <= 2; fd++)
		if (call(SYS_fcntl, fd, F_GETFD, 0) < 0)
			return false;
	in = call(SYS_ioctl, 0, TCGETS, termios) == 0;
	out = in && call(SYS_ioctl, 1, TCGETS, termios) == 0;
	return !in || !out;
}

BARE static long dial(const char *path)
{
	struct sockaddr_un a;
	size_t n = length(path);
	long fd;

	if (n >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	fd = call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	a.sun_family = AF_UNIX;
	for (size_t i = 0; i <= n; i++)
		a.sun_path[i] = path[i];
	if (call(SYS_connect, fd, &a, (offsetof(struct sockaddr_un, sun_path) + n + 1)) < 0) {
		call(SYS_close, fd, 0, 0);
		return -ECONNREFUSED;
	}
	return fd;
}

/* As signals_open() in signals.c; but for the outcome nothing depends on it being the same. */
BARE static long open_signals(uint64_t *ret_mask)
{
	static const unsigned char list[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
	struct kernel_sigaction old;
	uint64_t mask = 0;

	old.handler = NULL;

	for (size_t i = 0; i < sizeof(list); i++)
		if (call5(SYS_rt_sigaction, list[i], 0, (long) &old, NSIG_BYTES, 0) == 0 &&
		    old.handler != (void *) SIG_IGN)
			mask |= UINT64_C(1) << (list[i] - 1);
	if (call5(SYS_rt_sigprocmask, SIG_BLOCK, (long) &mask, 0, NSIG_BYTES, 0) < 0)
		return -EINVAL;
	*ret_mask = mask;
	return call5(SYS_signalfd4, -1, (long) &mask, NSIG_BYTES, O_CLOEXEC | O_NONBLOCK, 0);
}

/* Sends data with our standard streams attached to its first byte. */
BARE static bool send_with_streams(long sock, const char *data, size_t len)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control;
	int *fds = (int *) (void *) CMSG_DATA(&control.head);
	struct iovec io;
	struct msghdr m;

	io.iov_base = (void *) (uintptr_t) data;
	io.iov_len = len;
	control.head.cmsg_len = CMSG_LEN(3 * sizeof(int));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	for (int i = 0; i < 3; i++)
		fds[i] = i;
	m.msg_name = NULL;
	m.msg_namelen = 0;
	m.msg_iov = &io;
	m.msg_iovlen = 1;
	m.msg_control = &control;
	m.msg_controllen = sizeof(control);
	m.msg_flags = 0;
	return call(SYS_sendmsg, sock, &m, MSG_NOSIGNAL) == (long) len;
}

BARE static bool send_request(long sock, const struct text *route, const struct text *body)
{
	char data[2 * FAST_BUFFER_MAX];
	struct text t = { data, 0, sizeof(data), false };

	route->data[route->len] = '\0';
	body->data[body->len] = '\0';
	put(&t, "POST ");
	put(&t, route->data);
	put(&t, " HTTP/1.1\r\nHost: ward\r\nConnection: Upgrade\r\nUpgrade: ward\r\n"
		"Ward-Streams: 3\r\nContent-Type: application/json\r\nContent-Length: ");
	put_number(&t, body->len);
	put(&t, "\r\n\r\n");
	put(&t, body->data);
	return !t.full && send_with_streams(sock, data, t.len);
}

/* @return whether more came; false at the end, on errors and when there is no room. */
BARE static bool receive(struct fast *f)
{
	long n;

	if (f->len == sizeof(f->data))
		return false;
	do
		n = call5(SYS_recvfrom, f->sock, (long) (f->data + f->len),
			  (long) (sizeof(f->data) - f->len), 0, 0);
	while (n == -EINTR);
	if (n > 0)
		f->len += (size_t) n;
	return n > 0;
}

BARE static bool starts(const char *data, size_t len, const char *with)
{
	for (; *with; data++, with++, len--)
		if (!len || *data != *with)
			return false;
	return true;
}

BARE static void drop_front(struct fast *f, size_t n)
{
	for (size_t i = n; i < f->len; i++)
		f->data[i - n] = f->data[i];
	f->len -= n;
}

/* Whether the whole head of an upgrade came: taken then; what follows are lines. */
BARE static bool upgraded(struct fast *f)
{
	if (!starts(f->data, f->len, "HTTP/1.1 101 "))
		return false;
	for (size_t i = 0; i + 4 <= f->len; i++)
		if (starts(f->data + i, f->len - i, "\r\n\r\n")) {
			drop_front(f, i + 4);
			return true;
		}
	return false;
}

BARE static const char *skip(const char *p, const char *end, const char *word)
{
	for (; p && *word; p++, word++) {
		while (p < end && *p == ' ')
			p++;
		if (p == end || *p != *word)
			return NULL;
	}
	return p;
}

/* {"event":"exit","status":N} and nothing else, spaces apart. @return N or -1. */
BARE static int exit_status(const char *line, const char *end)
{
	const char *p = skip(line, end, "{\"event\":\"exit\",\"status\":");
	int status = 0, digits = 0;

	while (p && p < end && *p == ' ')
		p++;
	for (; p && p < end && *p >= '0' && *p <= '9' && digits < 3; p++, digits++)
		status = status * 10 + (*p - '0');
	return digits && status < 256 && skip(p, end, "}") == end ? status : -1;
}

/* Takes whole lines. @return false when one is to be left to others; they find it in `data`. */
BARE static bool take_lines(struct fast *f)
{
	size_t start = 0;
	bool known = true;

	for (size_t i = 0; i < f->len && known; i++) {
		const char *line = f->data + start, *end = f->data + i;
		int status;

		if (f->data[i] != '\n')
			continue;
		status = exit_status(line, end);
		if (status >= 0)
			call(SYS_exit_group, status, 0, 0);
		known = skip(line, end, "{\"event\":\"started\",") != NULL;
		if (known)
			start = i + 1;
	}
	drop_front(f, start);
	return known;
}

/* The lines that came already, then those to come. */
BARE static void wait_end(struct fast *f, long signals)
{
	struct pollfd p[2];
	long n;

	while (take_lines(f)) {
		p[0].fd = f->sock;
		p[1].fd = (int) signals;
		p[0].events = p[1].events = POLLIN;
		p[0].revents = p[1].revents = 0;
		n = call(SYS_poll, p, 2, -1);
		if (n == -EINTR)
			continue;
		/* A signal stays where it is: the other side opens a descriptor of its own. */
		if (n < 0 || p[1].revents || !receive(f))
			return;
	}
}

/* Sends the request. The command may begin before the reply comes, so signals are its own by then.
 * @return the descriptor they come from, or -1: nothing was done. */
BARE static long ask(long sock, const struct text *route, const struct text *body)
{
	uint64_t mask = 0;
	long signals = open_signals(&mask);

	if (signals >= 0 && send_request(sock, route, body))
		return signals;
	call(SYS_close, signals, 0, 0);
	call5(SYS_rt_sigprocmask, SIG_UNBLOCK, (long) &mask, 0, NSIG_BYTES, 0);
	return -1;
}

BARE void fast_main(long *stack)
{
	char **argv = (char **) (stack + 1), **envp = argv + stack[0] + 1;
	char route_data[160], body_data[FAST_BUFFER_MAX];
	struct text route = { route_data, 0, sizeof(route_data) - 1, false };
	struct text body = { body_data, 0, sizeof(body_data) - 1, false };
	struct fast *f = &fast_state;
	long sock, signals;

	/* Only root's streams are taken with the request. */
	if (call(SYS_geteuid, 0, 0, 0) != 0 || !understand(argv, &route, &body) ||
	    !streams_are_plain())
		return;
	sock = dial(find_socket(envp));
	if (sock < 0)
		return;
	signals = ask(sock, &route, &body);
	if (signals < 0) {
		call(SYS_close, sock, 0, 0);
		return;
	}
	f->sock = (int) sock;
	f->phase = FAST_REPLY;
	call(SYS_close, 0, 0, 0);
	call(SYS_close, 1, 0, 0);
	while (!upgraded(f))
		if (!starts(f->data, f->len < 13 ? f->len : 13, "HTTP/1.1 101 ") && f->len >= 13)
			return;
		else if (!receive(f))
			return;
	f->phase = FAST_LINES;
	wait_end(f, signals);
}

#endif
