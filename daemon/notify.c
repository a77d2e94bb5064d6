/* Notify sockets. A directory of its own for each context that wants one is bound read-only into
 * its view, so that a new daemon can put a new socket into the same place. Until the context is
 * ready ward-init holds the socket too: READY=1 said while no daemon runs waits in its queue. After
 * that nobody but the daemon does: with a queue that nobody reads, a service that is to outlive us
 * would hang in its next WATCHDOG=1; so when we are gone its messages fail at once (ECONNREFUSED).
 *
 * Who can reach the socket is the wall: on the host its directory is below one that only root may
 * enter, and no view but the context's has it. The credentials that come along prove the rest.
 * What a sender may do to us is bounded: so many datagrams a turn of the loop, so many turns a
 * second; the queue is short (net.unix.max_dgram_qlen), and a full one blocks the sender. */
#include "daemon/notify.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"

#define FILE_NAME "notify"
#define FILE_NEW ".new"
#define TURN_MAX 16 /* datagrams */
#define TURNS_EVERY_US 100000
#define TURNS_BURST 10
#define CONSUMER_US 1000000
#define DEATH_WAIT_MS 50

struct notify {
	struct context *context;
	notify_heard heard;
	void *arg;
	int fd, dir_fd;
	sd_event_source *source;
	/* a child that takes a message with descriptors off the queue */
	sd_event_source *consumer, *consumer_timer;
	int consumer_fd;
};

/* --- the directory and the socket in it --- */

static int directory(struct manager *m, const char *name)
{
	int r;

	if (m->notify_dirfd < 0) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/notify", m->run_dir) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		r = dir_make_open(path, 0700);
		if (r < 0) {
			return r;
		}
		m->notify_dirfd = r;
	}
	r = sys(mkdirat(m->notify_dirfd, name, 0755));
	if (r < 0 && r != -EEXIST) {
		return r;
	}
	return sys(openat(m->notify_dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

static int bind_new(int fd, int dir_fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int yes = 1, r;

	(void) unlinkat(dir_fd, FILE_NEW, 0);
	(void) snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" FILE_NEW, dir_fd);
	r = sys(bind(fd, (const struct sockaddr *) &a, sizeof(a)));
	if (r >= 0) { /* whatever user the command is */
		r = sys(fchmodat(dir_fd, FILE_NEW, 0666, 0));
	}
	if (r >= 0) {
		r = sys(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)));
	}
	/* at no moment is there none */
	return r < 0 ? r : sys(renameat(dir_fd, FILE_NEW, dir_fd, FILE_NAME));
}

static int make_socket(int dir_fd)
{
	_cleanup_close_ int fd = sys(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int r = fd < 0 ? fd : bind_new(fd, dir_fd);

	return r < 0 ? r : TAKE_FD(fd);
}

/* Process 1 may be anything by now: what it holds must be what we once made. */
static int kept_socket(const struct context *c, uint64_t inode)
{
	_cleanup_close_ int fd = proc_pidfd_getfd(c->pidfd, CONTEXT_NOTIFY_FD);
	int type = 0, domain = 0;
	socklen_t size = sizeof(int), domain_size = sizeof(int);
	struct stat st;

	if (fd < 0) {
		return fd;
	}
	if (inode == 0 || fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_ino != inode ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_DGRAM ||
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) < 0 || domain != AF_UNIX) {
		return -EBADF;
	}
	return TAKE_FD(fd);
}

static int open_all(struct context *c, uint64_t kept, struct notify *n, struct err *e)
{
	n->dir_fd = directory(c->manager, c->name);
	if (n->dir_fd < 0) {
		return err_set_errno(e, n->dir_fd, "making %s/notify/%s", c->manager->run_dir,
				     c->name);
	}
	if (kept) {
		n->fd = kept_socket(c, kept);
	}
	if (n->fd < 0) {
		n->fd = make_socket(n->dir_fd);
	}
	if (n->fd < 0) {
		return err_set_errno(e, n->fd, "making %s/notify/%s/" FILE_NAME,
				     c->manager->run_dir, c->name);
	}
	return kept ? 0 : fault_point("notify-made", e);
}

int notify_adopt(struct context *c, uint64_t inode, notify_heard heard, void *arg,
		 struct notify **ret, struct err *e)
{
	struct notify *n = calloc(1, sizeof(*n));
	int r;

	if (!n) {
		return err_set(e, -ENOMEM, "making a notify socket: out of memory");
	}
	*n = (struct notify){
		.context = c, .heard = heard, .arg = arg, .fd = -1, .dir_fd = -1, .consumer_fd = -1
	};
	r = open_all(c, inode, n, e);
	if (r < 0) {
		notify_free(n, false);
		return r;
	}
	*ret = n;
	return 0;
}

int notify_new(struct context *c, notify_heard heard, void *arg, struct notify **ret, struct err *e)
{
	int r = notify_adopt(c, 0, heard, arg, ret, e);

	if (r < 0 && c->manager->notify_dirfd >= 0) {
		(void) tree_remove_at(c->manager->notify_dirfd, c->name);
	}
	return r;
}

int notify_dir_fd(const struct notify *n)
{
	return n->dir_fd;
}

int notify_socket_fd(const struct notify *n)
{
	return n->fd;
}

uint64_t notify_inode(const struct notify *n)
{
	struct stat st;

	return fstat(n->fd, &st) < 0 ? 0 : st.st_ino;
}

/* --- descriptors --- */

/* Descriptors are not wanted, and even to drop one may block: the last reference to a socket that
 * lingers, a file of a FUSE server. So the message that has some is taken by a child, which has
 * nothing else of ours open, and which is killed when it hangs. */
static _Noreturn void consume(int fd)
{
	char byte;
	struct iovec v = { &byte, 1 };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

	if (fd_close_others(&fd, 1) == 0) {
		(void) recvmsg(fd, &h, MSG_DONTWAIT);
	}
	_exit(0);
}

static void end_consumer(struct notify *n)
{
	struct pollfd dead = { .fd = n->consumer_fd, .events = POLLIN };

	if (n->consumer_fd < 0) {
		return;
	}
	(void) proc_pidfd_signal(n->consumer_fd, SIGKILL);
	n->consumer = sd_event_source_disable_unref(n->consumer);
	n->consumer_timer = sd_event_source_disable_unref(n->consumer_timer);
	(void) poll(&dead, 1, DEATH_WAIT_MS); /* dead already, unless its context just ended */
	(void) waitid(P_PIDFD, (id_t) n->consumer_fd, &(siginfo_t){}, WEXITED | WNOHANG);
	n->consumer_fd = fd_close(n->consumer_fd);
}

static int on_consumed(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct notify *n = userdata;

	(void) source;
	(void) fd;
	(void) revents;
	end_consumer(n);
	return sd_event_source_set_enabled(n->source, SD_EVENT_ON);
}

static int on_consumer_hangs(sd_event_source *source, uint64_t now, void *userdata)
{
	const struct notify *n = userdata;

	(void) source;
	(void) now;
	(void) proc_pidfd_signal(n->consumer_fd, SIGKILL);
	return 0;
}

static int begin_consumer(struct notify *n)
{
	struct clone_args args = { .flags = CLONE_PIDFD,
				   .pidfd = (uint64_t) (uintptr_t) &n->consumer_fd,
				   .exit_signal = SIGCHLD };
	sd_event *loop = n->context->manager->loop;
	pid_t pid = proc_clone3(&args);
	int r;

	if (pid == 0) {
		consume(n->fd);
	}
	if (pid < 0) {
		n->consumer_fd = -1;
		return pid;
	}
	r = sd_event_add_io(loop, &n->consumer, n->consumer_fd, EPOLLIN, on_consumed, n);
	if (r >= 0) {
		r = sd_event_add_time_relative(loop, &n->consumer_timer, CLOCK_MONOTONIC,
					       CONSUMER_US, 0, on_consumer_hangs, n);
	}
	if (r >= 0) {
		r = sd_event_source_set_enabled(n->source, SD_EVENT_OFF);
	}
	if (r < 0) {
		end_consumer(n);
	}
	return r;
}

/* --- messages --- */

struct received {
	char text[NOTIFY_MESSAGE_MAX];
	size_t len;
	bool cut, descriptors, from_inside;
};

static bool is_inside(const struct context *c, const struct msghdr *h)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR((struct msghdr *) h, m)) {
		struct ucred who;

		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_CREDENTIALS ||
		    m->cmsg_len != CMSG_LEN(sizeof(who))) {
			continue;
		}
		memcpy(&who, CMSG_DATA(m), sizeof(who));
		return c->ids_count == 0 ||
		       (who.uid >= c->ids_first && who.uid - c->ids_first < c->ids_count);
	}
	return false;
}

/* There is room for credentials and none for descriptors: none gets in. */
static int receive(const struct notify *n, int flags, struct received *ret)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control = {};
	struct iovec v = { ret->text, sizeof(ret->text) };
	struct msghdr h = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t len = sys(recvmsg(n->fd, &h, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC));

	if (len < 0) {
		return (int) len;
	}
	ret->len = (size_t) len;
	ret->cut = h.msg_flags & MSG_TRUNC;
	ret->descriptors = h.msg_flags & MSG_CTRUNC;
	ret->from_inside = is_inside(n->context, &h);
	return 0;
}

/* @return 0 to go on, or -errno: -EAGAIN at the end of the queue. */
static int take_one(struct notify *n, struct notify_message *ret, bool *ret_ours)
{
	struct received got;
	int r = receive(n, MSG_PEEK, &got);

	if (r >= 0) {
		notify_parse(got.text, got.len, got.cut, ret);
		*ret_ours = got.from_inside;
		/* Heard before it is taken off the queue: if we die in between, the next daemon
		 * finds it there. */
		if (got.from_inside && ret->ready) {
			n->heard(n->arg, ret);
		}
		if (!got.descriptors || begin_consumer(n) < 0) {
			r = receive(n, 0, &got);
		}
	}
	return r;
}

static void give_up(struct notify *n, const char *why)
{
	log_warning("%s: its notify socket: %s; it is closed", n->context->name, why);
	n->source = sd_event_source_disable_unref(n->source);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct notify *n = userdata;
	struct notify_message all = {}, m;

	(void) source;
	(void) fd;
	if (revents & (EPOLLHUP | EPOLLRDHUP)) {
		/* Whoever got at ward-init's end shut it down; it would be readable for ever. */
		give_up(n, "shut down from inside");
		return 0;
	}
	for (int i = 0; i < TURN_MAX && n->consumer_fd < 0; i++) {
		bool ours = false;
		int r = take_one(n, &m, &ours);

		if (r == -EAGAIN || r == -EINTR) {
			break;
		}
		if (r < 0) {
			give_up(n, strerror(-r));
			return 0;
		}
		if (ours) {
			notify_merge(&all, &m);
		}
	}
	n->heard(n->arg, &all);
	return 0;
}

int notify_watch(struct notify *n)
{
	int r = sd_event_add_io(n->context->manager->loop, &n->source, n->fd, EPOLLIN | EPOLLRDHUP,
				on_readable, n);

	if (r >= 0) {
		r = sd_event_source_set_ratelimit(n->source, TURNS_EVERY_US, TURNS_BURST);
	}
	return r < 0 ? r : 0;
}

struct notify *notify_free(struct notify *n, bool gone)
{
	if (!n) {
		return NULL;
	}
	end_consumer(n);
	sd_event_source_disable_unref(n->source);
	fd_close(n->fd);
	if (gone && n->dir_fd >= 0) {
		(void) unlinkat(n->dir_fd, FILE_NAME, 0);
		(void) unlinkat(n->dir_fd, FILE_NEW, 0);
		(void) unlinkat(n->context->manager->notify_dirfd, n->context->name, AT_REMOVEDIR);
	}
	fd_close(n->dir_fd);
	free(n);
	return NULL;
}

void notify_sweep(struct manager *m)
{
	_cleanup_free_ char *path = NULL;
	const struct dirent *d;
	DIR *dir;

	if (asprintf(&path, "%s/notify", m->run_dir) < 0) {
		path = NULL;
		return;
	}
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		const struct context *c =
			d->d_name[0] == '.' ? NULL : registry_lookup(m, d->d_name);

		if (d->d_name[0] != '.' && (!c || c->state == LIFE_STOPPED)) {
			(void) tree_remove_at(dirfd(dir), d->d_name);
		}
	}
	if (dir) {
		(void) closedir(dir);
	}
}
