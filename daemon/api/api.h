/* The door of the API: REST over the control socket, as docs/api.md says. It turns bytes into
 * calls of the manager and what comes back into replies; it touches nothing else of the host. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/err.h"

struct api;
struct manager;

/**
 * Serves on `listen_fd`, a listening stream socket of AF_UNIX (taken over, also on failure).
 * @root_only owners are refused too. @path the socket's, or NULL; it, `m` and `loop` must outlive
 * the result.
 */
[[nodiscard]] int api_new(struct manager *m, sd_event *loop, int listen_fd, const char *path,
			  bool root_only, struct api **ret, struct err *e);
/** Serves GET /metrics, and nothing else, to whoever connects to `listen_fd` (taken over, also on
 * failure): numbers of all contexts, no right is asked. */
[[nodiscard]] int api_listen_open(struct api *a, int listen_fd, struct err *e);
/** Ends every connection. What clients wait for goes on: nothing is hung up or killed. */
void api_free(struct api *a);
