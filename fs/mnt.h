/* The new mount API in four verbs: clone, make, change, attach. All detached until attached. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct mnt_option {
	const char *key;
	const char *value; /* NULL: a flag */
};

#define MNT_OPTIONS_MAX 12

/** A file system to be mounted: its options in order, and the attributes of the mount. */
struct mnt_request {
	const char *type;
	struct mnt_option options[MNT_OPTIONS_MAX];
	size_t count;
	unsigned attrs; /* MOUNT_ATTR_* */
};

/** Appends an option; silently full is impossible: callers add constants below the maximum. */
void mnt_option_add(struct mnt_request *r, const char *key, const char *value);

/**
 * Clones the mount at `path` below dirfd ("" = dirfd itself) as a detached one, without what is
 * mounted below it. @return descriptor or -errno.
 */
int mnt_clone(int dirfd, const char *path);

/**
 * Makes a detached mount. The kernel's own words (the fs context's log) go into `e`.
 * @return descriptor or -errno.
 */
int mnt_make(const struct mnt_request *r, struct err *e);

/** Sets MOUNT_ATTR_* flags and, with userns_fd >= 0, the id mapping. @return 0 or -errno. */
[[nodiscard]] int mnt_change(int mount_fd, uint64_t attrs, int userns_fd);

/** Attaches a detached mount on top of what target_fd refers to. @return 0 or -errno. */
[[nodiscard]] int mnt_attach(int mount_fd, int target_fd);

/** Makes the whole file system behind the mount read-only, for every mount of it. */
[[nodiscard]] int mnt_freeze(int mount_fd);
