/* One child, orders in and answers out over one socket; see log_worker.h for why. */
#include "daemon/log_worker.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"

#define EXT_MAGIC 0xef53
#define BEYOND_BYTES ((off_t) 1 << 30) /* no writer gets so far in a moment */
#define IDLE_MS 5000 /* then the worker ends */
#define ANSWERS_MAX 64 /* taken in one turn of the loop */

struct log_worker {
	sd_event *loop;
	void (*done)(const struct log_answer *a, void *arg);
	void *arg;
	sd_event_source *source;
	int sock; /* -1: none runs */
	pid_t pid;
};

bool log_worker_on_ext(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && st.f_type == EXT_MAGIC;
}

/* --- in the child --- */

static int punch(int fd, off_t begin, off_t length)
{
	return sys(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, length));
}

/* Blocks behind the end are a context's own doing on ext, which allocates none by itself and gives
 * none back but by ftruncate(2); a line written in that very moment is lost. Others allocate ahead
 * as files grow, and punch there. */
static int give_back(int fd, off_t hole, off_t size)
{
	int r = hole ? punch(fd, 0, hole) : 0;

	if (r >= 0) {
		r = log_worker_on_ext(fd) ? sys(ftruncate(fd, size))
					  : punch(fd, size + BEYOND_BYTES, (off_t) 1 << 60);
	}
	return r;
}

static int shorten(const struct log_order *o, int fd, uint64_t *ret_size)
{
	off_t length = (off_t) o->length;
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	*ret_size = (uint64_t) st.st_size;
	switch ((enum log_order_kind) o->kind) {
	case LOG_ORDER_PUNCH:
		return punch(fd, 0, length);
	case LOG_ORDER_SPARE:
		return give_back(fd, length, st.st_size);
	case LOG_ORDER_COLLAPSE:
		return sys(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, length));
	case LOG_ORDER_EMPTY:
		break;
	}
	return sys(ftruncate(fd, 0));
}

_Noreturn static void work(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };

	(void) fd_close_others(&sock, 1);
	(void) prctl(PR_SET_NAME, "wardd-logs");
	while (poll(&p, 1, IDLE_MS) != 0) {
		struct log_order o;
		struct log_answer a;
		int fds[2] = { -1, -1 };
		size_t n;

		if (fd_recv(sock, &o, sizeof(o), fds, ARRAY_SIZE(fds), &n) != sizeof(o) || n == 0) {
			break; /* the daemon has ended */
		}
		a = (struct log_answer){ .id = o.id };
		a.result = shorten(&o, fds[0], &a.size);
		(void) fault_point("log-shortened", NULL);
		(void) send(sock, &a, sizeof(a), MSG_NOSIGNAL);
		fd_close(fds[0]);
		fd_close(fds[1]); /* gives the lock back */
	}
	_exit(0);
}

/* --- in the daemon --- */

static void gone(struct log_worker *w)
{
	w->source = sd_event_source_disable_unref(w->source);
	w->sock = fd_close(w->sock);
	(void) waitpid(w->pid, NULL, 0); /* it has closed its socket: it is in exit */
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct log_worker *w = userdata;
	struct log_answer a;

	(void) source;
	(void) revents;
	for (int i = 0; i < ANSWERS_MAX; i++) {
		ssize_t n = sys(recv(fd, &a, sizeof(a), MSG_DONTWAIT));

		if (n == -EAGAIN || n == -EINTR) {
			return 0;
		}
		if (n != sizeof(a)) {
			gone(w);
			a = (struct log_answer){};
		}
		w->done(&a, w->arg);
		if (a.id == 0) {
			return 0;
		}
	}
	return 0;
}

static int begin(struct log_worker *w)
{
	int pair[2];
	int r = sys(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));

	if (r < 0) {
		return r;
	}
	w->pid = sys(fork());
	if (w->pid == 0) {
		work(pair[1]);
	}
	fd_close(pair[1]);
	w->sock = pair[0];
	r = w->pid < 0 ? (int) w->pid : sys(fcntl(w->sock, F_SETFL, O_NONBLOCK));
	if (r >= 0) {
		r = sd_event_add_io(w->loop, &w->source, w->sock, EPOLLIN, on_answer, w);
	}
	if (r < 0) {
		w->sock = fd_close(w->sock);
		if (w->pid > 0) {
			(void) waitpid(w->pid, NULL, 0);
		}
	}
	return r < 0 ? r : 0;
}

int log_worker_new(sd_event *loop, void (*done)(const struct log_answer *a, void *arg), void *arg,
		   struct log_worker **ret)
{
	struct log_worker *w = calloc(1, sizeof(*w));

	if (!w) {
		return -ENOMEM;
	}
	*w = (struct log_worker){ .loop = loop, .done = done, .arg = arg, .sock = -1 };
	*ret = w;
	return 0;
}

void log_worker_free(struct log_worker *w)
{
	if (!w) {
		return;
	}
	sd_event_source_disable_unref(w->source);
	fd_close(w->sock);
	free(w);
}

int log_worker_order(struct log_worker *w, const struct log_order *order, int fd, int lock)
{
	int fds[] = { fd, lock };
	int r = w->sock >= 0 ? 0 : begin(w);

	return r < 0 ? r : fd_send(w->sock, order, sizeof(*order), fds, lock >= 0 ? 2 : 1);
}

void log_worker_wait(struct log_worker *w, int timeout_ms)
{
	struct pollfd p = { .fd = w->sock, .events = POLLIN };

	if (w->sock >= 0 && poll(&p, 1, timeout_ms) > 0) {
		(void) on_answer(w->source, w->sock, EPOLLIN, w);
	}
}
