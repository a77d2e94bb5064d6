/* HTTP over a Unix socket: connections, routes, replies. Private to the API files.
 *
 * libmicrohttpd parses; this layer owns the listening socket, so that peers are judged and counted
 * before a byte of theirs is read, and the loop, so that an idle daemon never wakes up.
 *
 * Root and owners of contexts are served; whoever is neither is refused unread. An owner costs
 * less than root may: a connection is for one request, which has HTTP_IDLE_SECONDS to come. */
#pragma once

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/buf.h"
#include "base/err.h"
#include "daemon/http/request.h"
#include "spec/spec.h"

#define HTTP_IDLE_SECONDS 10 /* for a request that is not complete, a reply that is not read */
#define HTTP_CONNECTION_MEMORY (32u << 10) /* request line and headers, per connection */
#define HTTP_STREAMS 3 /* descriptors a request may bring along */
#define HTTP_OWNER_BODY_MAX (64u << 10) /* of who is not root */

/* --- routes (route.c, pure) --- */

/** Who may use a route, besides root, who may use all. */
enum http_right {
	HTTP_RIGHT_ROOT,
	HTTP_RIGHT_OWNER, /* the owners of the context that the path names */
	HTTP_RIGHT_ANY, /* the owners of any context; the handler shows them what is theirs */
};
enum http_body { HTTP_BODY_NONE, HTTP_BODY_OPTIONAL, HTTP_BODY_NEEDED };

struct http_request;

struct http_route {
	const char *method;
	const char *pattern; /* "/v1/contexts/{}/start": {} is one component, captured */
	void (*handler)(struct http_request *r); /* replies, suspends or upgrades */
	enum http_body body;
	enum http_right right;
	unsigned query; /* enum request_query_bit */
};

#define HTTP_CAPTURES_MAX 2
#define HTTP_CAPTURE_SIZE 128

struct http_match {
	const struct http_route *route; /* NULL: `status` says why */
	int status; /* 200, 404, 405 */
	char captures[HTTP_CAPTURES_MAX][HTTP_CAPTURE_SIZE];
	char allow[64]; /* with 405: "GET, POST" */
};
void http_route_find(const struct http_route *routes, size_t count, const char *method,
		     const char *path, struct http_match *ret);
/** "METHOD PATH" of what came, shortened to what can be shown: for people, it decides nothing. */
void http_first_words(const char *text, size_t len, char *out, size_t size);
/** Decodes %XX in place, leaving alone what is not one, and %00. @return the new length. */
size_t http_unescape(char *s);
/** The status for a refusal: -EINVAL 400, -EBUSY 409 and so on; 500 for what the host did. */
unsigned http_status(int code);

/* --- server (server.c, accept.c) --- */

struct http;
struct http_conn;

/** Who is at the other end, by the kernel's word (SO_PEERCRED). */
struct http_peer {
	uid_t uid; /* as the daemon's user namespace has it */
	pid_t pid;
};

struct http_config {
	sd_event *loop;
	int listen_fd; /* taken over */
	const struct http_route *routes; /* static */
	size_t route_count;
	void *owner; /* http_request.owner */
	bool root_only;
	const char *socket_path; /* borrowed; NULL when it has none */
	/** Whether this uid owns anything: else it is refused without being read. */
	bool (*serves)(void *owner, uid_t uid);
	/** All of these uids, sorted. @return how many. */
	size_t (*served)(void *owner, const uid_t **ret);
	/** Whether a peer that is not root may have this request handled. @return 0 or -EPERM. */
	int (*permit)(struct http_request *r);
	/** Once a request, when its answer is known (r->status): the one place for an audit. */
	void (*concluded)(struct http_request *r);
	/** A stranger was refused; @said what it asked, bounded and printable. */
	void (*turned_away)(void *owner, const struct http_peer *peer, const char *said,
			    const char *text);
	/* Nobody is asked who they are; all together are treated as one owner. `permit` and
	 * `concluded` are called all the same. */
	bool open;
};
[[nodiscard]] int http_new(const struct http_config *config, struct http **ret, struct err *e);
/** Ends every connection; requests that wait are cancelled first. */
void http_free(struct http *h);

/* --- one request (exchange.c) --- */

struct http_stream;

struct http_request {
	/* for handlers to read */
	void *owner;
	const struct http_route *route;
	const char *name, *key; /* captures; a name has been checked */
	struct request_query query;
	json_t *body; /* the parsed object, or NULL */
	struct http_peer peer;
	struct err err; /* scratch for the handler */
	/* The context it is about; a handler says it where the path does not. */
	char subject[SPEC_NAME_MAX + 1];

	/* private to http_*.c */
	struct http *server;
	struct http_conn *conn;
	struct MHD_Connection *connection;
	struct MHD_Response *response;
	struct http_match match;
	struct buf text; /* the body, as it comes */
	size_t received;
	unsigned status;
	enum { HTTP_NEW, HTTP_SUSPENDED, HTTP_REPLIED, HTTP_GONE } state;
	bool too_large;
	bool handled; /* the handler was called */
	bool concluded;
	sd_event_source *hangup;
	void (*cancel)(void *arg);
	void *cancel_arg;
	struct http_stream *stream;
	void (*upgraded)(void *arg, int fd, const char *extra, size_t extra_len);
	struct http_request *prev, *next; /* in server->suspended_head */
};

/** What a header says, or NULL. */
const char *http_header(const struct http_request *r, const char *name);
/** Connections of the request's server, but those that were upgraded. */
unsigned http_connections(const struct http *h);

/* Exactly one of the following ends every request, at once or, after http_suspend(), later. */
void http_reply_json(struct http_request *r, unsigned status, json_t *body); /* consumed */
void http_reply_text(struct http_request *r, const char *type, struct buf *text); /* consumed */
/** @lines may be NULL. */
void http_reply_error(struct http_request *r, unsigned status, const struct err *e,
		      const struct spec_errors *lines);
/** As the errno of r->err says. */
void http_reply_refused(struct http_request *r);
/** Text that others are reading too: `done` is called once it is not needed any more. */
void http_reply_shared(struct http_request *r, const char *type, const char *data, size_t len,
		       void (*done)(void *arg), void *arg);

/**
 * The reply comes later. @cancel is called instead when the client goes away or the server ends
 * first: the request is gone after it. Not called once a reply was given.
 */
void http_suspend(struct http_request *r, void (*cancel)(void *arg), void *arg);

/** A reply of unknown length, made as the client reads it. */
struct http_stream_ops {
	/** @return bytes put into `out`; 0: nothing now, http_stream_wake() will follow;
	 * negative: the end. */
	ssize_t (*read)(void *arg, char *out, size_t size);
	void (*free)(void *arg);
};
void http_reply_stream(struct http_request *r, const char *type, const struct http_stream_ops *ops,
		       void *arg);
/** Something can be read. Harmless when the stream was not waiting. */
void http_stream_wake(struct http_request *r);

/**
 * Answers 101 and gives the connection away: `ready` gets the socket (owned, non-blocking; -1 when
 * descriptors have run out) and what the client had sent beyond the request; `cancel` comes in its
 * place when the client is gone before. @return 0, or -errno (nothing was replied).
 */
typedef void (*http_upgraded)(void *arg, int fd, const char *extra, size_t extra_len);
/** Whether the request asks for it; `e` says what is missing. */
bool http_may_upgrade(struct http_request *r, struct err *e);
[[nodiscard]] int http_upgrade(struct http_request *r, http_upgraded ready,
			       void (*cancel)(void *arg), void *arg, struct err *e);
/**
 * The streams a request says it brings ("Ward-Streams: 3"): takes the descriptors that came with
 * its first byte. @return 0 or 3 (`ret` filled, owned); -ENOENT when it says nothing; -EINVAL.
 */
[[nodiscard]] int http_take_streams(struct http_request *r, int ret[static HTTP_STREAMS],
				    struct err *e);
