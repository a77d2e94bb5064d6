/* Attacks through sockets and terminals: what has no place in the file tree. */
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/tiocl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/escape/src/attack.h"

/* An abstract socket of the host: it has a name, but no file. */
static bool abstract_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *name = told("HOST_ABSTRACT");
	size_t n = strnlen(name, sizeof(a.sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(a.sun_path + 1, name, n);
	return got(connect(fd, (struct sockaddr *) &a,
			   (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + n)),
		   "connect to the host's abstract socket");
}

/* The same by a path: the host's sockets lie in directories that the view leaves out. */
static bool path_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", told("HOST_SOCKET"));
	return got(connect(fd, (struct sockaddr *) &a, sizeof(a)),
		   "connect to the daemon's socket");
}

static bool loopback_port(void)
{
	unsigned port = 0;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void) sscanf(told("HOST_PORT"), "%u", &port);
	a.sin_port = htons((uint16_t) port);
	return got(connect(fd, (struct sockaddr *) &a, sizeof(a)),
		   "connect to the host's loopback");
}

/* Sockets to the hypervisor belong to no network namespace. */
static bool vsock(void)
{
	return got(socket(40 /* AF_VSOCK */, SOCK_STREAM | SOCK_CLOEXEC, 0), "vsock socket");
}

/* Typing into the terminal that the caller left open. The kernel compares only the low 32 bits
 * of the request, a filter must as well. */
static bool types(unsigned long request, const char *what)
{
	char key = ' ';
	for (int fd = 0; fd <= 2; fd++) {
		if (got(syscall(SYS_ioctl, fd, request, &key), what)) {
			return true;
		}
	}
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	return tty >= 0 && got(syscall(SYS_ioctl, tty, request, &key), what);
}

static bool typed(void)
{
	return types(TIOCSTI, "TIOCSTI");
}

static bool typed_high(void)
{
	return types(TIOCSTI | (1UL << 32), "TIOCSTI with a high bit") ||
	       types(TIOCSTI | (0xffffffffUL << 32), "TIOCSTI with high bits");
}

static bool pasted(void)
{
	return types(TIOCLINUX, "TIOCLINUX");
}

/* Takes the caller's terminal as its own controlling terminal. */
static bool steals_terminal(void)
{
	if (!isatty(0)) {
		say("no terminal here");
		return false;
	}
	(void) setsid();
	return got(ioctl(0, TIOCSCTTY, 1), "TIOCSCTTY by force");
}

const struct attack net_attacks[] = {
	{ "abstract-socket", abstract_socket, true },
	{ "daemon-socket", path_socket, true },
	{ "host-loopback", loopback_port, true },
	{ "vsock", vsock, false },
	{ "tiocsti", typed, false },
	{ "tiocsti-high-bits", typed_high, false },
	{ "tioclinux", pasted, false },
	{ "steal-terminal", steals_terminal, false },
	{ NULL, NULL, false },
};
