/* From connect(2) to the first byte. A connection is given to libmicrohttpd only when its peer is
 * root or owns a context, and has sent something: a stranger is told so by a short text and never
 * parsed, an idle one costs a descriptor and a place in a list that one timer guards. Descriptors
 * that came with root's first byte (a command's streams) are kept, which read(2) would throw away;
 * nobody else's are ever taken: closing one may wait for whoever serves its file system (FUSE). */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/http/private.h"

#define ACCEPT_BATCH 32 /* then the loop gets its turn */
#define PAUSE_US 100000 /* when descriptors or memory have run out */

static uint64_t now_us(const struct http *h)
{
	uint64_t t = 0;

	(void) sd_event_now(h->config.loop, CLOCK_MONOTONIC, &t);
	return t;
}

static void pause_accept(struct http *h, bool timed)
{
	h->paused = true;
	(void) sd_event_source_set_enabled(h->listen, SD_EVENT_OFF);
	if (timed) {
		(void) sd_event_source_set_time_relative(h->pause_timer, PAUSE_US);
		(void) sd_event_source_set_enabled(h->pause_timer, SD_EVENT_ONESHOT);
	}
}

static void resume_accept(struct http *h)
{
	if (!h->paused || !h->listen)
		return;
	h->paused = false;
	(void) sd_event_source_set_enabled(h->listen, SD_EVENT_ON);
}

/* --- the list of those that have not spoken --- */

static void waiting_arm(struct http *h)
{
	if (!h->waiting_head) {
		(void) sd_event_source_set_enabled(h->waiting_timer, SD_EVENT_OFF);
		return;
	}
	(void) sd_event_source_set_time(h->waiting_timer, h->waiting_head->deadline_us);
	(void) sd_event_source_set_enabled(h->waiting_timer, SD_EVENT_ONESHOT);
}

static void waiting_add(struct http_conn *c)
{
	struct http *h = c->server;

	c->deadline_us = now_us(h) + HTTP_IDLE_SECONDS * UINT64_C(1000000);
	c->waiting = true;
	c->prev = h->waiting_tail;
	if (c->prev)
		c->prev->next = c;
	else
		h->waiting_head = c;
	h->waiting_tail = c;
	if (!c->prev)
		waiting_arm(h);
}

static void waiting_remove(struct http_conn *c)
{
	struct http *h = c->server;

	if (!c->waiting)
		return;
	c->waiting = false;
	if (c->prev)
		c->prev->next = c->next;
	else
		h->waiting_head = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		h->waiting_tail = c->prev;
	c->prev = c->next = NULL;
	if (!h->waiting_head)
		waiting_arm(h);
}

void http_conn_heard(struct http_conn *c)
{
	waiting_remove(c);
}

static void conn_free(struct http_conn *c)
{
	struct http *h = c->server;

	waiting_remove(c);
	sd_event_source_disable_unref(c->readable);
	for (size_t i = 0; i < HTTP_STREAMS; i++)
		(void) fd_close(c->streams[i]);
	(void) fd_close(c->fd);
	http_quota_give(&h->quota, c->kind, c->peer.uid);
	free(c);
	resume_accept(h);
}

/* Its time is over. What libmicrohttpd has, libmicrohttpd ends: it sees the peer leave. */
static void expire(struct http_conn *c)
{
	if (c->fd >= 0)
		return conn_free(c);
	waiting_remove(c);
	(void) shutdown(c->adopted_fd, SHUT_RDWR);
}

static int on_waited(sd_event_source *s, uint64_t t, void *arg)
{
	struct http *h = arg;

	(void) s;
	while (h->waiting_head && h->waiting_head->deadline_us <= t)
		expire(h->waiting_head);
	waiting_arm(h);
	return 0;
}

/* --- the first byte --- */

/* Keeps the descriptors of a message that is only looked at. @return 0; -EMFILE: too many. */
static int keep_streams(struct http_conn *c, struct msghdr *m)
{
	int r = m->msg_flags & MSG_CTRUNC ? -EMFILE : 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (c->stream_count < HTTP_STREAMS) {
				c->streams[c->stream_count++] = fd;
			} else {
				(void) fd_close(fd);
				r = -EMFILE;
			}
		}
	}
	return r;
}

/* Looks at the first byte, leaving it. @return 0; -EAGAIN: nothing yet; -errno. */
static int peek(struct http_conn *c)
{
	union {
		char bytes[CMSG_SPACE(HTTP_STREAMS * sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	ssize_t n = sys(recvmsg(c->fd, &m, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC));

	if (n <= 0)
		return n < 0 ? (int) n : -EPIPE;
	return keep_streams(c, &m);
}

/* Whether anything was said; nothing that came along is taken. */
static int glance(struct http_conn *c)
{
	char byte;
	ssize_t n = sys(recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT));

	return n < 0 ? (int) n : n == 0 ? -EPIPE : 0;
}

static void refuse(struct http_conn *c)
{
	const struct http_config *config = &c->server->config;
	char said[4096], shown[96], why[160], text[512];
	ssize_t n;
	int len;

	/* What it asked is read away, lest it hear of a reset before it reads the answer. */
	n = recv(c->fd, said, sizeof(said), MSG_DONTWAIT);
	http_first_words(said, n > 0 ? (size_t) n : 0, shown, sizeof(shown));
	if (config->root_only)
		(void) snprintf(why, sizeof(why), "only root is served");
	else
		(void) snprintf(why, sizeof(why),
				"uid %u is owner of nothing on this host; only root and owners of "
				"contexts are served",
				(unsigned) c->peer.uid);
	len = snprintf(text, sizeof(text),
		       "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n"
		       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n"
		       "{\"error\": {\"code\": \"EPERM\", \"text\": \"%s\"}}\n",
		       strlen(why) + strlen("{\"error\": {\"code\": \"EPERM\", \"text\": \"\"}}\n"),
		       why);
	(void) send(c->fd, text, (size_t) len, MSG_DONTWAIT | MSG_NOSIGNAL);
	config->turned_away(config->owner, &c->peer, shown, why);
	conn_free(c);
}

static void adopt(struct http_conn *c)
{
	const struct sockaddr_un peer = { .sun_family = AF_UNIX };
	struct http *h = c->server;
	int fd = TAKE_FD(c->fd); /* MHD closes it, whatever happens */

	if (c->kind == HTTP_KIND_ROOT)
		waiting_remove(c);
	c->readable = sd_event_source_disable_unref(c->readable);
	c->adopted_fd = fd;
	h->adopting = c;
	if (MHD_add_connection(h->mhd, fd, (const struct sockaddr *) &peer,
			       sizeof(peer.sun_family)) != MHD_YES)
		log_debug("http: a connection could not be taken in");
	if (h->adopting) { /* the notification did not come */
		h->adopting = NULL;
		conn_free(c);
	}
}

void http_conn_notify(void *arg, struct MHD_Connection *m, void **context,
		      enum MHD_ConnectionNotificationCode code)
{
	struct http *h = arg;

	(void) m;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = h->adopting;
		h->adopting = NULL;
	} else if (*context) {
		conn_free(*context);
		*context = NULL;
	}
}

/* @return whether it has spoken (and may be gone). */
static bool hear(struct http_conn *c)
{
	int r = c->kind == HTTP_KIND_ROOT ? peek(c) : glance(c);

	if (r == -EAGAIN || r == -EINTR)
		return false;
	if (r < 0)
		conn_free(c);
	else if (c->kind == HTTP_KIND_STRANGER)
		refuse(c);
	else
		adopt(c);
	return true;
}

static int on_readable(sd_event_source *s, int fd, uint32_t events, void *arg)
{
	struct http_conn *c = arg;
	struct http *h = c->server;

	(void) s;
	(void) fd;
	(void) events;
	if (hear(c))
		http_run(h);
	return 0;
}

/* --- accepting --- */

static void look_at_peer(const struct http *h, int fd, struct http_peer *ret, enum http_kind *kind)
{
	const struct http_config *config = &h->config;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*ret = (struct http_peer){ .uid = (uid_t) -1 };
	*kind = config->open ? HTTP_KIND_OWNER : HTTP_KIND_STRANGER;
	if (config->open)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return;
	*ret = (struct http_peer){ .uid = peer.uid, .pid = peer.pid };
	if (peer.uid == 0)
		*kind = HTTP_KIND_ROOT;
	else if (!config->root_only && config->serves(config->owner, peer.uid))
		*kind = HTTP_KIND_OWNER;
}

/* Whoever comes too often comes no further for a while. */
static bool is_too_often(struct http *h, enum http_kind kind, const struct http_peer *peer)
{
	const struct http_config *config = &h->config;
	const uid_t *uids = NULL;
	bool first;
	size_t count;

	if (kind == HTTP_KIND_ROOT || config->open ||
	    !http_door_count(&h->door, kind, peer->uid, now_us(h), &first))
		return false;
	if (first) { /* those that wait in the queue already come after it */
		count = config->served(config->owner, &uids);
		http_door_shut(&h->door, uids, count);
		config->turned_away(config->owner, peer, "connect",
				    "too many connections: shut out for a while");
	}
	return true;
}

/* Makes room for root by ending the oldest that has not said anything. */
static void make_room(struct http *h)
{
	struct http_conn *c = h->waiting_head;

	while (c && c->kind != HTTP_KIND_ROOT)
		c = c->next;
	if (c)
		conn_free(c);
}

/* @return NULL when there is no room for it: then it is closed. */
static struct http_conn *conn_new(struct http *h, int fd)
{
	struct http_conn *c = NULL;
	struct http_peer peer;
	enum http_kind kind;

	look_at_peer(h, fd, &peer, &kind);
	if (kind == HTTP_KIND_ROOT && http_quota_full(&h->quota, kind))
		make_room(h);
	if (!is_too_often(h, kind, &peer) && http_quota_take(&h->quota, kind, peer.uid)) {
		c = calloc(1, sizeof(*c));
		if (!c)
			http_quota_give(&h->quota, kind, peer.uid);
	}
	if (!c) {
		(void) fd_close(fd);
		return NULL;
	}
	*c = (struct http_conn){ .server = h,
				 .fd = fd,
				 .adopted_fd = -1,
				 .peer = peer,
				 .kind = kind,
				 .streams = { -1, -1, -1 } };
	return c;
}

static void begin(struct http *h, int fd)
{
	struct http_conn *c = conn_new(h, fd);

	if (!c)
		return;
	if (c->kind != HTTP_KIND_ROOT)
		waiting_add(c); /* until its request is whole */
	if (hear(c))
		return;
	if (sd_event_add_io(h->config.loop, &c->readable, c->fd, EPOLLIN, on_readable, c) < 0)
		conn_free(c);
	else if (!c->waiting)
		waiting_add(c);
}

/* While root has all its places and is not about to lose one, others wait as well: what is next
 * in the queue cannot be known. */
static bool is_full(const struct http *h)
{
	const struct http_conn *c = h->waiting_head;

	while (c && c->kind != HTTP_KIND_ROOT)
		c = c->next;
	return !c && http_quota_full(&h->quota, HTTP_KIND_ROOT);
}

static int on_connect(sd_event_source *s, int listen_fd, uint32_t events, void *arg)
{
	struct http *h = arg;

	(void) s;
	(void) events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int fd;

		if (is_full(h)) {
			pause_accept(h, false);
			break;
		}
		fd = sys(accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
		if (fd == -EAGAIN || fd == -EINTR || fd == -ECONNABORTED)
			break;
		if (fd < 0) {
			log_warning("accepting a connection: %s", strerror(-fd));
			pause_accept(h, true);
			break;
		}
		begin(h, fd);
	}
	http_run(h);
	return 0;
}

static int on_pause_over(sd_event_source *s, uint64_t t, void *arg)
{
	(void) s;
	(void) t;
	resume_accept(arg);
	return 0;
}

int http_accept_start(struct http *h, struct err *e)
{
	sd_event *loop = h->config.loop;
	int r = sd_event_add_time(loop, &h->waiting_timer, CLOCK_MONOTONIC, 0, 250000, on_waited,
				  h);

	if (r >= 0)
		r = sd_event_source_set_enabled(h->waiting_timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(loop, &h->pause_timer, CLOCK_MONOTONIC, 0, 0, on_pause_over,
				      h);
	if (r >= 0)
		r = sd_event_source_set_enabled(h->pause_timer, SD_EVENT_OFF);
	if (r >= 0)
		r = http_door_init(&h->door, loop, h->config.socket_path,
				   h->config.root_only ? 0600 : 0666, e);
	if (r >= 0)
		r = sd_event_add_io(loop, &h->listen, h->config.listen_fd, EPOLLIN, on_connect, h);
	if (r < 0)
		return err_set_errno(e, r, "adding the control socket to the loop");
	return 0;
}

void http_accept_stop(struct http *h)
{
	h->listen = sd_event_source_disable_unref(h->listen);
	http_door_done(&h->door);
	while (h->waiting_head)
		conn_free(h->waiting_head);
	h->waiting_timer = sd_event_source_disable_unref(h->waiting_timer);
	h->pause_timer = sd_event_source_disable_unref(h->pause_timer);
}
