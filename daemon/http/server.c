/* libmicrohttpd inside the daemon's loop. It has no thread and no listening socket of its own: its
 * epoll descriptor is one source of ours, its next time-out one timer that is armed only while a
 * connection has one, and a deferred source runs it again after a reply was given from elsewhere.
 * Nothing here polls: with no connection there is no timer. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/http/private.h"

#define TIMER_SLACK_US 100000 /* time-outs are coarse: let the kernel join wake-ups */

void http_kick(struct http *h)
{
	(void) sd_event_source_set_enabled(h->kick, SD_EVENT_ONESHOT);
}

static void arm(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(h->mhd, &ms) != MHD_YES) {
		(void) sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
	} else if (ms == 0) {
		http_kick(h);
	} else {
		(void) sd_event_source_set_time_relative(h->timer, ms * 1000);
		(void) sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
	}
}

void http_run(struct http *h)
{
	if (h->running) /* a handler made something ready: once more, later */
		return http_kick(h);
	h->running = true;
	(void) MHD_run(h->mhd);
	h->running = false;
	arm(h);
}

static int on_epoll(sd_event_source *s, int fd, uint32_t events, void *arg)
{
	(void) s;
	(void) fd;
	(void) events;
	http_run(arg);
	return 0;
}

static int on_timer(sd_event_source *s, uint64_t now_us, void *arg)
{
	(void) s;
	(void) now_us;
	http_run(arg);
	return 0;
}

static int on_kick(sd_event_source *s, void *arg)
{
	(void) s;
	http_run(arg);
	return 0;
}

/* A Unix socket has no TCP options; libmicrohttpd tries them all the same, and complains. */
static bool is_tcp_complaint(const char *fmt)
{
	static const char *const starts[] = { "Setting %s option", "Failed to push the data" };

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (!strncmp(fmt, starts[i], strlen(starts[i])))
			return true;
	return false;
}

__attribute__((format(printf, 2, 0))) static void on_log(void *arg, const char *fmt, va_list ap)
{
	char text[256];

	(void) arg;
	if (!is_tcp_complaint(fmt) && vsnprintf(text, sizeof(text), fmt, ap) > 0)
		log_debug("http: %.*s", (int) strcspn(text, "\n"), text);
}

static size_t on_unescape(void *arg, struct MHD_Connection *c, char *s)
{
	(void) arg;
	(void) c;
	return http_unescape(s);
}

static int start_mhd(struct http *h, struct err *e)
{
	h->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_UPGRADE |
					  MHD_ALLOW_SUSPEND_RESUME |
					  MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_ERROR_LOG,
				  0, NULL, NULL, http_access, h, MHD_OPTION_EXTERNAL_LOGGER, on_log,
				  NULL, MHD_OPTION_CONNECTION_LIMIT,
				  HTTP_ROOT_MAX + HTTP_OWNERS_MAX + 16,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				  (size_t) HTTP_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
				  (unsigned) HTTP_IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED,
				  http_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
				  http_conn_notify, h, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape,
				  NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (!h->mhd)
		return err_set_errno(e, errno ? -errno : -EIO, "starting the HTTP server");
	return 0;
}

static int add_sources(struct http *h, struct err *e)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	sd_event *loop = h->config.loop;
	int r;

	if (!info)
		return err_set(e, -EIO, "starting the HTTP server: no epoll descriptor");
	r = sd_event_add_io(loop, &h->epoll, info->epoll_fd, EPOLLIN, on_epoll, h);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &h->timer, CLOCK_MONOTONIC, 0, TIMER_SLACK_US,
					       on_timer, h);
	if (r >= 0)
		r = sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(loop, &h->kick, on_kick, h);
	if (r >= 0)
		r = sd_event_source_set_enabled(h->kick, SD_EVENT_OFF);
	if (r < 0)
		return err_set_errno(e, r, "adding the HTTP server to the loop");
	return 0;
}

int http_new(const struct http_config *config, struct http **ret, struct err *e)
{
	struct http *h = calloc(1, sizeof(*h));
	int r;

	if (!h) {
		(void) fd_close(config->listen_fd);
		return err_set_errno(e, -ENOMEM, "starting the HTTP server");
	}
	h->config = *config;
	r = start_mhd(h, e);
	if (r == 0)
		r = add_sources(h, e);
	if (r == 0)
		r = http_accept_start(h, e);
	if (r < 0) {
		http_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

/* libmicrohttpd aborts when it is stopped with suspended connections: wake them first, as gone. */
static void end_suspended(struct http *h)
{
	h->closing = true;
	while (h->suspended_head)
		http_abandon(h->suspended_head);
	(void) MHD_run(h->mhd);
	(void) MHD_run(h->mhd);
}

unsigned http_connections(const struct http *h)
{
	return h->quota.count[HTTP_KIND_ROOT] + h->quota.count[HTTP_KIND_OWNER];
}

void http_free(struct http *h)
{
	if (!h)
		return;
	http_accept_stop(h);
	if (h->mhd) {
		end_suspended(h);
		MHD_stop_daemon(h->mhd);
	}
	sd_event_source_disable_unref(h->epoll);
	sd_event_source_disable_unref(h->timer);
	sd_event_source_disable_unref(h->kick);
	(void) fd_close(h->config.listen_fd);
	free(h);
}
