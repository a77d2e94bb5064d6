/* The notify socket of one context: RUN/notify/NAME/notify here, SPEC_NOTIFY_SOCKET inside. */
#pragma once

#include "daemon/core.h"
#include "daemon/notify_message.h"

struct notify;

/** A message came, or several; READY=1 may be told twice. */
typedef void (*notify_heard)(void *arg, const struct notify_message *message);

/** Makes the directory and a new socket in it. @return 0 or -errno with `e`. */
[[nodiscard]] int notify_new(struct context *c, notify_heard heard, void *arg, struct notify **ret,
			     struct err *e);
/** Of an adopted context: the socket that its ward-init holds, with what is queued in it, if it is
 * still the one numbered `inode`; else a new one. */
[[nodiscard]] int notify_adopt(struct context *c, uint64_t inode, notify_heard heard, void *arg,
			       struct notify **ret, struct err *e);
/** Begins to listen: the context runs. @return 0 or -errno. */
[[nodiscard]] int notify_watch(struct notify *n);
/** Closes the socket. @gone the context has ended: its directory goes too. @return NULL. */
struct notify *notify_free(struct notify *n, bool gone);

/** Borrowed: the directory, for the view; the socket, for ward-init to hold. */
int notify_dir_fd(const struct notify *n);
int notify_socket_fd(const struct notify *n);
/** What tells this socket from all others. */
uint64_t notify_inode(const struct notify *n);

/** Removes what dead daemons left of contexts that do not run. */
void notify_sweep(struct manager *m);
