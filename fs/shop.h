/* A mount namespace of the daemon's own, for kernels before 6.15. Private to fs/.
 *
 * Those clone a mount, and let overlay have it as a layer, only if it is attached in the caller's
 * mount namespace. The host's is not ours to litter, and what a killed daemon leaves there stays.
 * So what is kept hangs in a namespace that holds nothing else and lives as long as our descriptor
 * of it; the daemon, which has one thread, steps in and out. All functions take NULL: a kernel
 * that needs no workshop. */
#pragma once

#include "base/err.h"

struct shop;

[[nodiscard]] int shop_new(struct shop **ret, struct err *e);
void shop_free(struct shop *s);
/** Steps in: paths are now the workshop's (it has /proc). Must be left before anything else. */
[[nodiscard]] int shop_enter(struct shop *s);
void shop_leave(struct shop *s);
/** Inside: attaches a detached mount at the directory NAME of the workshop, on top of what is
 * there. @name NULL: one of its own. @return 0 or -errno. */
[[nodiscard]] int shop_place(struct shop *s, int mount_fd, const char *name);
/** Inside: takes it down again. The descriptor stays the caller's. */
void shop_remove(struct shop *s, int mount_fd);
/** Steps in, places it in a directory of its own, steps out. */
[[nodiscard]] int shop_keep(struct shop *s, int mount_fd);
/** Steps in, takes down, steps out. */
void shop_drop(struct shop *s, int mount_fd);
