/* Probes. A port is tried by a socket made in the context's network namespace, which the daemon
 * enters for the length of one system call; a command runs inside like any other exec, as the
 * context's user, and is killed when it takes too long. */
#include "daemon/probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

#define SLACK_US 1000

struct probe {
	struct context *context;
	probe_done done;
	void *arg;
	sd_event_source *timer, *soon;
	struct session *session; /* exec */
	sd_event_source *tries[4]; /* tcp: by place(); each owns its socket */
	unsigned failed;
	char why[200];
};

struct probe *probe_free(struct probe *p)
{
	if (!p) {
		return NULL;
	}
	if (p->session) {
		(void) session_signal(p->session, SIGKILL);
		session_close(p->session);
	}
	for (size_t i = 0; i < ARRAY_SIZE(p->tries); i++) {
		sd_event_source_disable_unref(p->tries[i]);
	}
	sd_event_source_disable_unref(p->timer);
	sd_event_source_disable_unref(p->soon);
	free(p);
	return NULL;
}

static int on_timeout(sd_event_source *source, uint64_t now, void *userdata)
{
	struct probe *p = userdata;

	(void) source;
	(void) now;
	p->done(p->arg, false, "no answer in time");
	return 0;
}

static int on_soon(sd_event_source *source, void *userdata)
{
	struct probe *p = userdata;

	(void) source;
	p->done(p->arg, false, p->why);
	return 0;
}

static void note(struct probe *p, const char *why)
{
	(void) snprintf(p->why, sizeof(p->why), "%.*s", (int) sizeof(p->why) - 1, why);
}

/* It failed before it began: told from the loop all the same. */
static int fail_soon(struct probe *p)
{
	return sd_event_add_defer(p->context->manager->loop, &p->soon, on_soon, p);
}

/* --- tcp --- */

static int home_network(struct manager *m)
{
	if (m->netns_fd < 0) {
		m->netns_fd = sys(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	}
	return m->netns_fd;
}

static int socket_inside(struct context *c, int family)
{
	int home, fd, r;

	if (c->active->network.mode == SPEC_NETWORK_HOST ||
	    c->active->network.mode == SPEC_NETWORK_SHARED) {
		return sys(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	}
	home = home_network(c->manager);
	r = home < 0 ? home : sys(setns(c->pidfd, CLONE_NEWNET));
	if (r < 0) {
		return r;
	}
	fd = sys(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	if (setns(home, CLONE_NEWNET) < 0) {
		/* Every socket from here on would be the context's. A new daemon takes over. */
		log_error("%s: coming back from its network: %s", c->name, strerror(errno));
		abort();
	}
	return fd;
}

static void tcp_failed(struct probe *p, int error)
{
	note(p, strerror(error));
	p->failed++;
}

static int on_connected(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct probe *p = userdata;
	int error = 0;
	socklen_t size = sizeof(error);

	(void) revents;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
		error = errno;
	}
	if (error) {
		tcp_failed(p, error);
		(void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	if (error == 0 || p->failed == ARRAY_SIZE(p->tries)) {
		p->done(p->arg, error == 0, error ? p->why : "");
	}
	return 0;
}

/* Where a port of the context is looked for: on its loopback; on the shared stack that has another
 * address for us, and who has taken the wildcard is at the context's first addresses.
 * @return the i-th, false when there is none. */
static bool place(const struct context *c, size_t i, struct inet_ip *ret)
{
	const struct inet_ip usual[] = {
		{ .w = { 0, 0, htonl(0xffff), htonl(INADDR_LOOPBACK) } },
		{ .w = { 0, 0, 0, htonl(1) } },
	};
	struct netctl_where where;

	if (!netctl_where(c->manager->net, c->slot, &where)) {
		*ret = usual[i < ARRAY_SIZE(usual) ? i : 0];
		return i < ARRAY_SIZE(usual);
	}
	*ret = i == 0	? where.loopback4
	       : i == 1 ? where.loopback6
	       : i == 2 ? where.first4
			: where.first6;
	return ret->w[3] != 0;
}

/* @return 0 when it is under way, or -errno. */
static int try_connect(struct probe *p, size_t i, unsigned port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t) port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port) };
	struct inet_ip ip;
	bool there = place(p->context, i, &ip), v4 = there && inet_is_v4(&ip);
	_cleanup_close_ int fd =
		there ? socket_inside(p->context, v4 ? AF_INET : AF_INET6) : -EADDRNOTAVAIL;
	int r = fd;

	memcpy(&six.sin6_addr, &ip, sizeof(six.sin6_addr));
	four.sin_addr.s_addr = ip.w[3];
	if (r >= 0) {
		r = sys(connect(fd, v4 ? (struct sockaddr *) &four : (struct sockaddr *) &six,
				v4 ? sizeof(four) : sizeof(six)));
	}
	if (r < 0 && r != -EINPROGRESS) {
		return r;
	}
	/* Connected at once is seen as writable, too. */
	r = sd_event_add_io(p->context->manager->loop, &p->tries[i], fd, EPOLLOUT, on_connected, p);
	if (r >= 0) {
		r = sd_event_source_set_io_fd_own(p->tries[i], true);
	}
	if (r >= 0) {
		(void) TAKE_FD(fd);
	}
	return r < 0 ? r : 0;
}

static int tcp_start(struct probe *p, unsigned port)
{
	for (size_t i = 0; i < ARRAY_SIZE(p->tries); i++) {
		int r = try_connect(p, i, port);

		if (r == -EADDRNOTAVAIL) {
			p->failed++; /* no such place: says nothing about the port */
		} else if (r < 0) {
			tcp_failed(p, -r);
		}
	}
	return p->failed == ARRAY_SIZE(p->tries) ? fail_soon(p) : 0;
}

/* --- exec --- */

static void on_exec_started(void *arg, struct context *c, pid_t pid, bool exec_failed,
			    const struct err *e)
{
	struct probe *p = arg;

	(void) c;
	(void) pid;
	(void) exec_failed;
	if (e->code) {
		session_close(TAKE_PTR(p->session));
		note(p, e->text);
		p->done(p->arg, false, p->why);
	}
}

static void on_exec_ended(void *arg, int code, int status, const char *text)
{
	struct probe *p = arg;
	bool good = code == CLD_EXITED && status == 0;

	(void) text;
	session_close(TAKE_PTR(p->session));
	if (code == CLD_EXITED) {
		(void) snprintf(p->why, sizeof(p->why), "ended with status %d", status);
	} else {
		(void) snprintf(p->why, sizeof(p->why), "was ended by signal %s",
				units_print_signal(status));
	}
	p->done(p->arg, good, good ? "" : p->why);
}

static void on_exec_terminal(void *arg, int master_fd)
{
	(void) arg;
	fd_close(master_fd);
}

static int exec_start(struct probe *p, const struct strv *command)
{
	static const struct session_events events = { .terminal = on_exec_terminal,
						      .started = on_exec_started,
						      .ended = on_exec_ended };
	const struct session_request request = { .fds = { -1, -1, -1 },
						 .events = &events,
						 .arg = p };
	const struct exec_request x = { .command = *command };
	struct err e = {};
	int r = manager_exec(p->context->manager, p->context, &x, &request, &p->session, &e);

	if (r < 0) {
		note(p, e.text);
		return fail_soon(p);
	}
	return 0;
}

int probe_start(struct context *c, const struct spec_probe *what, uint64_t timeout_us,
		probe_done done, void *arg, struct probe **ret)
{
	struct probe *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		return -ENOMEM;
	}
	*p = (struct probe){ .context = c, .done = done, .arg = arg };
	r = sd_event_add_time_relative(c->manager->loop, &p->timer, CLOCK_MONOTONIC, timeout_us,
				       SLACK_US, on_timeout, p);
	if (r >= 0) {
		r = what->kind == SPEC_PROBE_TCP ? tcp_start(p, what->port)
						 : exec_start(p, &what->command);
	}
	if (r < 0) {
		probe_free(p);
		return r;
	}
	*ret = p;
	return 0;
}
