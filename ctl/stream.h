/* An upgraded connection: the conversation about one command (docs/api.md, "Upgrade"). */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "ctl/ctl.h"
#include "ctl/http.h"

#define STREAM_LINE_MAX 16384

struct stream {
	int sock; /* owned */
	int master; /* the pty's master, owned; -1 until it came */
	bool terminal; /* asked for one */
	bool given; /* the standard streams are handed over */
	bool started, done;
	int status; /* once done: what wardctl exits with */
	char text[ERR_TEXT_MAX]; /* once done: what else there is to say, or "" */
	struct http_reply reply;
	struct buf refusal; /* the body of an error reply */
	size_t line_len;
	char line[STREAM_LINE_MAX];
};

/** Sends the request and waits for the upgrade. stream_done() either way. */
[[nodiscard]] int stream_open(struct stream *s, const char *socket, const char *path,
			      const json_t *body, bool terminal, struct err *e);
/** Goes on where the fast path stopped. */
struct fast;
[[nodiscard]] int stream_resume(struct stream *s, struct fast *f, struct err *e);
void stream_done(struct stream *s);

/** Hands standard input, output and error over (or says that there are none: a terminal). */
[[nodiscard]] int stream_give(struct stream *s, struct err *e);
/** Receives once and acts on the lines that came. @return 0 or -errno; -ECONNRESET: it closed. */
[[nodiscard]] int stream_read(struct stream *s, struct err *e);
/** Asks for a signal to the command. */
void stream_signal(struct stream *s, int sig);

/** Acts on one line of the daemon. `*fd` is a descriptor that came with it, taken when it is the
 * terminal. @return 0 or -EPROTO. */
[[nodiscard]] int stream_line(struct stream *s, const char *line, size_t len, int *fd,
			      struct err *e);

/** The whole conversation. @object names it in messages. @return the exit status of wardctl. */
int stream_run(const struct ctl *c, const char *object, const char *path, const json_t *body,
	       bool terminal);
/** Whether the verb shall give the command a terminal: as asked, else when we have one. */
bool stream_wants_terminal(const struct args *a);
