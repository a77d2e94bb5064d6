/* GET logs: a file, sent by the kernel; with ?follow=1 a stream that inotify wakes when the file
 * grows and that ends when the context does. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "daemon/api/private.h"

#define BLOCK 65536
#define LAST_BYTES_MAX (64u << 20) /* how far back ?lines=N looks */

struct api_log { /* one that is followed */
	struct api *api;
	struct http_request *request;
	struct api_log *prev, *next;
	int fd, watch; /* owned; -1: nothing was written yet */
	uint64_t offset;
	bool ended;
};

/* Where the first whole line begins: a bounded log (logs.c) starts with a hole. */
static uint64_t find_first(int fd)
{
	off_t at = lseek(fd, 0, SEEK_DATA);
	char block[BLOCK];
	const char *newline;
	ssize_t got;

	if (at <= 0)
		return 0;
	got = pread(fd, block, sizeof(block), at);
	newline = got > 0 ? memchr(block, '\n', (size_t) got) : NULL;
	return (uint64_t) at + (newline ? (uint64_t) (newline - block) + 1 : 0);
}

/* Where the last `lines` lines begin. The newline that ends the file begins no line. */
static uint64_t find_last(int fd, uint64_t size, uint64_t lines)
{
	uint64_t first = find_first(fd);
	uint64_t floor = size > first + LAST_BYTES_MAX ? size - LAST_BYTES_MAX : first;
	uint64_t at = size;
	char block[BLOCK];

	if (lines == 0)
		return size;
	while (at > floor) {
		size_t want = at - floor < BLOCK ? (size_t) (at - floor) : BLOCK;
		ssize_t got = pread(fd, block, want, (off_t) (at - want));

		if (got != (ssize_t) want)
			return at;
		for (size_t i = want; i-- > 0;)
			if (block[i] == '\n' && at - want + i + 1 < size && --lines == 0)
				return at - want + i + 1;
		at -= want;
	}
	return floor;
}

static uint64_t first_byte(struct http_request *r, int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return 0;
	if (!(r->query.given & REQUEST_QUERY_LINES))
		return find_first(fd);
	return find_last(fd, (uint64_t) st.st_size, r->query.lines);
}

/* --- following --- */

static int on_inotify(sd_event_source *s, int fd, uint32_t events, void *arg)
{
	struct api *a = arg;
	_Alignas(struct inotify_event) char block[4096];
	ssize_t n = read(fd, block, sizeof(block));

	(void) s;
	(void) events;
	for (ssize_t at = 0; at + (ssize_t) sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *i = (const void *) (block + at);

		for (struct api_log *l = a->logs; l; l = l->next)
			if (l->watch == i->wd || i->mask & IN_Q_OVERFLOW)
				http_stream_wake(l->request);
		at += (ssize_t) (sizeof(*i) + i->len);
	}
	return 0;
}

static int inotify_ready(struct api *a)
{
	int r;

	if (a->inotify >= 0)
		return 0;
	a->inotify = sys(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	if (a->inotify < 0)
		return a->inotify;
	r = sd_event_add_io(a->loop, &a->inotify_source, a->inotify, EPOLLIN, on_inotify, a);
	if (r < 0)
		a->inotify = fd_close(a->inotify);
	return r < 0 ? r : 0;
}

static int watch(struct api_log *l)
{
	char path[64];
	int r = inotify_ready(l->api);

	if (r < 0)
		return r;
	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", l->fd);
	l->watch = sys(inotify_add_watch(l->api->inotify, path, IN_MODIFY));
	return l->watch < 0 ? l->watch : 0;
}

/* Two readers of one file share its watch: the last one removes it. */
static void unwatch(struct api_log *l)
{
	if (l->watch < 0)
		return;
	for (struct api_log *o = l->api->logs; o; o = o->next)
		if (o != l && o->watch == l->watch)
			return;
	(void) inotify_rm_watch(l->api->inotify, l->watch);
}

static ssize_t read_log(void *arg, char *out, size_t size)
{
	struct api_log *l = arg;
	struct stat st;
	ssize_t n = l->fd >= 0 ? pread(l->fd, out, size, (off_t) l->offset) : 0;

	if (n == 0 && l->fd >= 0 && fstat(l->fd, &st) == 0 && (uint64_t) st.st_size < l->offset) {
		l->offset = 0; /* it was cut: begin anew */
		n = pread(l->fd, out, size, 0);
	}
	if (n > 0)
		l->offset += (uint64_t) n;
	return n < 0 || (n == 0 && l->ended) ? -1 : n;
}

static void free_log(void *arg)
{
	struct api_log *l = arg;

	manager_cancel(l->api->manager, l);
	unwatch(l);
	if (l->prev)
		l->prev->next = l->next;
	else
		l->api->logs = l->next;
	if (l->next)
		l->next->prev = l->prev;
	(void) fd_close(l->fd);
	free(l);
}

static void on_ended(void *arg, const struct err *e)
{
	struct api_log *l = arg;

	(void) e;
	l->ended = true;
	http_stream_wake(l->request);
}

static struct api_log *log_new(struct http_request *r, int fd)
{
	struct api *a = api_of(r);
	struct api_log *l = calloc(1, sizeof(*l));

	if (!l) {
		(void) fd_close(fd);
		return NULL;
	}
	*l = (struct api_log){ .api = a, .request = r, .fd = fd, .watch = -1, .next = a->logs };
	if (l->next)
		l->next->prev = l;
	a->logs = l;
	l->offset = first_byte(r, fd);
	return l;
}

static void follow(struct http_request *r, struct context *c, int fd)
{
	static const struct http_stream_ops ops = { read_log, free_log };
	struct api_log *l = log_new(r, fd);
	int code = l ? 0 : -ENOMEM;

	if (code == 0 && fd >= 0)
		code = watch(l);
	if (code < 0)
		(void) err_set_errno(&r->err, code, "%s: following its log", r->name);
	if (code == 0)
		code = manager_wait(api_of(r)->manager, c, on_ended, l, &r->err);
	if (code == 0)
		return http_reply_stream(r, "text/plain", &ops, l);
	if (l)
		free_log(l);
	http_reply_refused(r);
}

void api_logs(struct http_request *r)
{
	struct context *c = api_context(r);
	struct buf none = {};
	int fd;

	if (!c)
		return;
	fd = context_log_open(api_of(r)->manager, c);
	if (fd < 0 && fd != -ENOENT) {
		(void) err_set_errno(&r->err, fd, "%s: opening its log", r->name);
		http_reply_refused(r);
	} else if (r->query.follow) {
		follow(r, c, fd < 0 ? -1 : fd);
	} else if (fd < 0) {
		buf_puts(&none, "");
		http_reply_text(r, "text/plain", &none);
	} else {
		http_reply_file(r, fd, first_byte(r, fd));
	}
}

void api_logs_done(struct api *a)
{
	a->inotify_source = sd_event_source_disable_unref(a->inotify_source);
	a->inotify = fd_close(a->inotify);
}
