/* Users of a view: its own /etc/passwd and /etc/group, which may be hostile. Private to context/.
 *
 * Both files are read by a few fixed buffers without a heap, as this runs in the process that
 * becomes the command. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define USER_NAME_MAX 256
#define USER_GROUPS_MAX 256
#define USER_FILE_MAX (4u << 20) /* what is read of either file */

struct user_identity {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS_MAX];
	size_t group_count;
	char name[USER_NAME_MAX]; /* "" when the user has no entry */
	char home[1024], shell[1024];
};

/**
 * Finds "USER", "USER:GROUP" (names or numbers) or NULL (root) in two open files; either may be
 * -1 (missing: then only numbers and root are known).
 * @return 0, -ENOENT (no such user or group), -EINVAL, -EFBIG, -errno of reading.
 */
[[nodiscard]] int user_find(const char *text, int passwd_fd, int group_fd,
			    struct user_identity *ret, struct err *e);
/** Opens a file for reading if it is a regular one. @return descriptor or -errno. */
int user_open(const char *path);
