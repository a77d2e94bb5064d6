/* A request whose answer is not waited for: its descriptor joins a poll(2), and each step takes
 * what came. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "ctl/client.h"

struct fetch {
	struct client client; /* its fd is >= 0 while an answer is awaited */
	struct buf body;
};

#define FETCH_INIT ((struct fetch){ .client = CLIENT_INIT })

/** Connects and sends. @return 0 or -errno with `e`; then nothing is awaited. */
[[nodiscard]] int fetch_begin(struct fetch *f, const char *socket, const char *method,
			      const char *path, const char *body, struct err *e);
static inline bool fetch_is_busy(const struct fetch *f)
{
	return f->client.fd >= 0;
}
/**
 * Takes what has come, without waiting. @return -EAGAIN: not all of it yet; 0 with the JSON (new
 * reference; NULL for an empty body); another -errno with `e`. Unless -EAGAIN it is over.
 */
[[nodiscard]] int fetch_step(struct fetch *f, json_t **ret, struct err *e);
/** Gives up; harmless when nothing is awaited. */
void fetch_end(struct fetch *f);
