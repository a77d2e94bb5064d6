/* The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram an entry, fields
 * as KEY=VALUE lines. sd_journal_send() would wait for a journal that is full; this does not. */
#include "daemon/journald.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"

#define BATCH 64 /* entries in one turn of the loop */

struct journald {
	struct events *events;
	struct events_cursor cursor;
	struct sockaddr_un address;
	int fd; /* connected to it */
	sd_event_source *go, *writable;
	unsigned sent; /* in this turn */
	bool full; /* the journal takes no more at present */
};

static int connect_to(const struct journald *j)
{
	return sys(connect(j->fd, (const struct sockaddr *) &j->address, sizeof(j->address)));
}

bool journald_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* A line is JSON of ours: it has no newline but its last. */
static void make_entry(struct buf *b, const struct event *ev)
{
	int kind = (int) ev->kind_len, context = (int) ev->context_len;

	buf_printf(b, "MESSAGE=%.*s%s%.*s\nPRIORITY=6\nSYSLOG_IDENTIFIER=wardd\n", context,
		   ev->context ?: "", context ? ": " : "", kind, ev->kind);
	buf_printf(b, "WARD_SEQ=%" PRIu64 "\nWARD_KIND=%.*s\n", ev->seq, kind, ev->kind);
	if (context)
		buf_printf(b, "WARD_CONTEXT=%.*s\n", context, ev->context);
	buf_printf(b, "WARD_EVENT=%.*s\n", (int) ev->len - 1, ev->line);
}

static bool take(void *arg, const struct event *ev)
{
	struct journald *j = arg;
	struct buf b = {};
	ssize_t n = 0;

	if (j->sent++ == BATCH)
		return false;
	make_entry(&b, ev);
	if (!b.error)
		n = sys(send(j->fd, b.data, b.len, MSG_DONTWAIT | MSG_NOSIGNAL));
	if ((n == -ECONNREFUSED || n == -ENOTCONN || n == -EPIPE) && connect_to(j) >= 0)
		n = sys(send(j->fd, b.data, b.len, MSG_DONTWAIT | MSG_NOSIGNAL)); /* a new one */
	buf_done(&b);
	j->full = n == -EAGAIN || n == -ENOBUFS;
	if (n < 0 && !j->full)
		log_debug("event %" PRIu64 " to the journal: %s", ev->seq, strerror((int) -n));
	return !j->full; /* one it does not want, or is not there for, is not tried again */
}

static int on_go(sd_event_source *source, void *userdata)
{
	struct journald *j = userdata;

	j->sent = 0;
	j->full = false;
	(void) events_walk(j->events, &j->cursor, NULL, take, j);
	if (j->full)
		(void) sd_event_source_set_enabled(j->writable, SD_EVENT_ONESHOT);
	else if (j->cursor.seq < events_last(j->events))
		(void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct journald *j = userdata;

	(void) source;
	(void) fd;
	(void) revents;
	return sd_event_source_set_enabled(j->go, SD_EVENT_ONESHOT);
}

static void on_event(void *arg)
{
	struct journald *j = arg;

	if (!j->full)
		(void) sd_event_source_set_enabled(j->go, SD_EVENT_ONESHOT);
}

static int open_socket(struct journald *j, const char *path)
{
	if (strlen(path) >= sizeof(j->address.sun_path))
		return -ENAMETOOLONG;
	j->address.sun_family = AF_UNIX;
	memcpy(j->address.sun_path, path, strlen(path));
	j->fd = sys(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	return j->fd < 0 ? j->fd : connect_to(j);
}

/* Behind everything else: a client's answer does not wait for the journal. */
static int add_sources(struct journald *j, sd_event *loop)
{
	int r = sd_event_add_defer(loop, &j->go, on_go, j);

	if (r >= 0)
		r = sd_event_source_set_priority(j->go, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_source_set_enabled(j->go, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_io(loop, &j->writable, j->fd, EPOLLOUT, on_writable, j);
	if (r >= 0)
		r = sd_event_source_set_enabled(j->writable, SD_EVENT_OFF);
	return r;
}

int journald_new(struct events *events, sd_event *loop, const char *socket, struct journald **ret,
		 struct err *e)
{
	struct journald *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return err_set(e, -ENOMEM, "sending events to the journal: out of memory");
	j->fd = -1;
	j->events = events;
	j->cursor.seq = events_last(events);
	r = open_socket(j, socket);
	if (r >= 0)
		r = add_sources(j, loop);
	if (r >= 0)
		r = events_watch(events, NULL, on_event, j);
	if (r < 0) {
		journald_free(j);
		return err_set_errno(e, r, "sending events to the journal at %s", socket);
	}
	*ret = j;
	return 0;
}

void journald_free(struct journald *j)
{
	if (!j)
		return;
	events_unwatch(j->events, on_event, j);
	sd_event_source_disable_unref(j->go);
	sd_event_source_disable_unref(j->writable);
	(void) fd_close(j->fd);
	free(j);
}
