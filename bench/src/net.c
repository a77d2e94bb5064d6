/* Traffic with oneself: a server and a client in one run, both on one CPU, and how many operations
 * a second they did. usage: net KIND ADDRESS MILLISECONDS [NETNS-OF-THE-SERVER]
 *   tcp-rr       a byte there and a byte back
 *   tcp-stream   MB/s in writes of 64 KiB
 *   tcp-connect  connect, accept, close
 *   udp-rr       64 bytes there and back, unconnected sockets
 *   udp-send     64-byte datagrams that arrive, the client connected */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 7777
#define CHUNK 65536

static struct sockaddr_storage address;
static socklen_t address_size;
static bool tcp;
static char bytes[CHUNK];

static _Noreturn void fail(const char *what)
{
	(void) fprintf(stderr, "net: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

static void parse_address(const char *text)
{
	struct sockaddr_in *four = (struct sockaddr_in *) &address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *) &address;

	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(PORT);
		address_size = sizeof(*four);
	} else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(PORT);
		address_size = sizeof(*six);
	} else {
		errno = EINVAL;
		fail(text);
	}
}

static int make_socket(void)
{
	int fd = socket(address.ss_family, tcp ? SOCK_STREAM : SOCK_DGRAM, 0), one = 1;

	if (fd < 0)
		fail("socket");
	(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (tcp)
		(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int connected(void)
{
	int fd = make_socket();

	if (connect(fd, (struct sockaddr *) &address, address_size) < 0)
		fail("connect");
	return fd;
}

/* --- the server: never ends by itself --- */

static void serve_tcp(int listener, const char *kind)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		ssize_t n;

		if (fd < 0)
			fail("accept");
		if (strcmp(kind, "tcp-rr") == 0)
			while ((n = read(fd, bytes, 1)) == 1)
				if (write(fd, bytes, 1) != 1)
					break;
		if (strcmp(kind, "tcp-stream") == 0)
			while (read(fd, bytes, sizeof(bytes)) > 0)
				;
		(void) close(fd);
	}
}

static unsigned long *arrived; /* shared with the client */

static void serve_udp(int fd, const char *kind)
{
	bool answer = strcmp(kind, "udp-rr") == 0;

	for (;;) {
		struct sockaddr_storage from;
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, bytes, 64, 0, (struct sockaddr *) &from, &size);

		if (n < 0)
			fail("recvfrom");
		++*arrived;
		if (answer)
			(void) sendto(fd, bytes, (size_t) n, 0, (struct sockaddr *) &from, size);
	}
}

static pid_t start_server(const char *kind, const char *netns)
{
	int ready[2];
	pid_t pid;

	if (pipe(ready) < 0)
		fail("pipe");
	pid = fork();
	if (pid == 0) {
		int ns = netns ? open(netns, O_RDONLY) : -1, fd;

		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (netns && (ns < 0 || setns(ns, CLONE_NEWNET) < 0))
			fail(netns);
		fd = make_socket();
		if (bind(fd, (struct sockaddr *) &address, address_size) < 0)
			fail("bind");
		if (tcp && listen(fd, 128) < 0)
			fail("listen");
		(void) !write(ready[1], "", 1);
		if (tcp)
			serve_tcp(fd, kind);
		else
			serve_udp(fd, kind);
	}
	(void) close(ready[1]);
	if (read(ready[0], bytes, 1) != 1)
		exit(1);
	return pid;
}

/* --- the client: operations until the time is over --- */

static double run_tcp(const char *kind, double until)
{
	double n = 0;
	int fd = strcmp(kind, "tcp-connect") == 0 ? -1 : connected();

	while (now_ms() < until) {
		if (fd < 0) {
			struct linger hard = { 1, 0 }; /* no TIME_WAIT: ports would run out */
			int c = connected();

			(void) !read(c, bytes, 1); /* the server closes first */
			(void) setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
			(void) close(c);
			n++;
		} else if (strcmp(kind, "tcp-rr") == 0) {
			if (write(fd, bytes, 1) != 1 || read(fd, bytes, 1) != 1)
				fail("tcp-rr");
			n++;
		} else {
			ssize_t sent = write(fd, bytes, sizeof(bytes));

			if (sent < 0)
				fail("write");
			n += (double) sent / 1e6;
		}
	}
	return n;
}

static double run_udp(const char *kind, double until)
{
	bool asks = strcmp(kind, "udp-rr") == 0;
	int fd = asks ? make_socket() : connected();
	struct timeval bound = { .tv_sec = 1 };
	double n = 0;

	(void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
	while (now_ms() < until) {
		if (!asks) {
			for (int i = 0; i < 64; i++)
				(void) send(fd, bytes, 64, 0);
			(void) sched_yield(); /* to the server: what it has no room for is lost */
			continue;
		}
		if (sendto(fd, bytes, 64, 0, (struct sockaddr *) &address, address_size) != 64 ||
		    recvfrom(fd, bytes, 64, 0, NULL, NULL) != 64)
			fail("udp-rr");
		n++;
	}
	return asks ? n : (double) *(volatile unsigned long *) arrived;
}

int main(int argc, char **argv)
{
	cpu_set_t one;
	double begun, ms, n;
	pid_t server;

	if (argc < 4) {
		(void) fprintf(stderr, "usage: net KIND ADDRESS MILLISECONDS [NETNS]\n");
		return 2;
	}
	tcp = strncmp(argv[1], "tcp", 3) == 0;
	parse_address(argv[2]);
	ms = strtod(argv[3], &argv[3]);
	CPU_ZERO(&one);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &one);
	(void) sched_setaffinity(0, sizeof(one), &one);
	arrived = mmap(NULL, sizeof(*arrived), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	server = start_server(argv[1], argc > 4 ? argv[4] : NULL);
	begun = now_ms();
	n = tcp ? run_tcp(argv[1], begun + ms) : run_udp(argv[1], begun + ms);
	(void) printf("%.1f\n", n / (now_ms() - begun) * 1e3);
	(void) kill(server, SIGKILL);
	(void) waitpid(server, NULL, 0);
	return 0;
}
