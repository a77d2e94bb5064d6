/* One connection to the daemon: requests out, replies in. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "ctl/ctl.h"
#include "ctl/http.h"

#define CLIENT_IN_MAX 16384

struct client {
	int fd; /* owned; -1: not connected */
	size_t start, end; /* what was received and not yet taken */
	struct http_reply reply;
	char in[CLIENT_IN_MAX];
};

#define CLIENT_INIT ((struct client){ .fd = -1 })

/** Connects if it is not connected. @return 0 or -errno naming the socket. */
[[nodiscard]] int client_open(struct client *c, const char *socket, struct err *e);
void client_close(struct client *c);

/** Sends a request. @body may be NULL; @upgrade asks for the protocol "ward". */
[[nodiscard]] int client_send(struct client *c, const char *method, const char *path,
			      const char *body, bool upgrade, struct err *e);

/** Reads the reply to its end; the body goes to the sink, that of an error to `*error` instead
 * (set up when the status is 400 or more). Closes when the daemon says so. @return 0 or -errno. */
[[nodiscard]] int client_receive(struct client *c, http_sink sink, void *arg, struct buf *error,
				 struct err *e);

/** One step of client_receive(), which waits for at most one piece: for those who wait for many.
 * @return 1 when the reply is complete, 0 when more is to come, -errno. */
[[nodiscard]] int client_receive_some(struct client *c, http_sink sink, void *arg,
				      struct buf *error, struct err *e);

/** Turns the body of an error reply into an error: text, then its lines on lines of their own. A
 * list that does not fit is cut at a line. @return a negative errno that suits the status; -ENOSYS
 * where the daemon does not know what was asked for (a route, parameter, field, key or word). */
int client_refusal(int status, const struct buf *body, struct err *e);

/**
 * One call: request and reply as JSON. `method` and `path` as in docs/api.md.
 * @body borrowed, may be NULL; @ret new reference, NULL when the reply has no body.
 */
[[nodiscard]] int client_call(struct client *c, const struct ctl *ctl, const char *method,
			      const char *path, const json_t *body, json_t **ret, struct err *e);
/** Reads the reply to a request that was sent, as JSON. */
[[nodiscard]] int client_result(struct client *c, json_t **ret, struct err *e);

/** "/v1/contexts/NAME" and what printf makes of the rest; refuses a bad name and a long path.
 * @return 0 or -EINVAL. */
#define CLIENT_PATH_MAX 512
[[nodiscard]] int client_path(char out[static CLIENT_PATH_MAX], const char *name, struct err *e,
			      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
