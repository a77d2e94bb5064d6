/* What server.c, accept.c, exchange.c and stream.c share. */
#pragma once

#include "daemon/http/door.h"
#include "daemon/http/http.h"
#include "daemon/http/quota.h"

/** A connection from its acceptance on; MHD's socket context. */
struct http_conn {
	struct http *server;
	int fd; /* -1 once libmicrohttpd has it */
	int adopted_fd; /* borrowed from it then */
	struct http_peer peer;
	enum http_kind kind;
	sd_event_source *readable;
	uint64_t deadline_us;
	bool waiting; /* in that list */
	struct http_conn *prev, *next; /* in server->waiting, oldest first */
	int streams[HTTP_STREAMS]; /* came with the first byte; -1 */
	size_t stream_count;
};

struct http {
	struct http_config config;
	struct MHD_Daemon *mhd;
	sd_event_source *listen, *epoll, *timer, *kick, *waiting_timer, *pause_timer;
	/* Root's that have said nothing yet; owners' until their request is whole. */
	struct http_conn *waiting_head, *waiting_tail;
	struct http_conn *adopting; /* while MHD_add_connection() runs */
	struct http_request *suspended_head; /* for http_free() */
	struct http_quota quota;
	struct http_door door;
	bool running, paused, closing;
};

/* accept.c */
[[nodiscard]] int http_accept_start(struct http *h, struct err *e);
void http_accept_stop(struct http *h);
/** The request is whole: it has no deadline any more. */
void http_conn_heard(struct http_conn *c);
/** A connection of libmicrohttpd's began or ended. */
void http_conn_notify(void *arg, struct MHD_Connection *c, void **context,
		      enum MHD_ConnectionNotificationCode code);

/* server.c */
/** Lets libmicrohttpd work off what is ready, and sets the timer it wants. */
void http_run(struct http *h);
/** The same, from the loop: safe anywhere. */
void http_kick(struct http *h);

/* exchange.c */
/** Tells the audit, once. */
void http_conclude(struct http_request *r);
enum MHD_Result http_access(void *arg, struct MHD_Connection *c, const char *url,
			    const char *method, const char *version, const char *data, size_t *size,
			    void **request);
void http_completed(void *arg, struct MHD_Connection *c, void **request,
		    enum MHD_RequestTerminationCode why);
/** Suspends the connection and watches for the peer's leaving. */
void http_park(struct http_request *r);
void http_unpark(struct http_request *r);
/** Wakes a suspended request to its end: the peer, or the server, is going. */
void http_abandon(struct http_request *r);
