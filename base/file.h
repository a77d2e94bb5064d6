/* Small files, whole: read with a bound, write, replace, remove trees. Never fsync. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/**
 * Reads a whole file (or procfs/sysfs/cgroupfs file) of at most `max` bytes.
 * @ret_data NUL-terminated, owned by the caller; @ret_len may be NULL.
 * @return 0; -EFBIG when longer; -errno.
 */
[[nodiscard]] int file_read_at(int dirfd, const char *path, size_t max, char **ret_data,
			       size_t *ret_len);

/** Writes into an existing file with one write(2) (kernel control files). @return 0 or -errno. */
[[nodiscard]] int file_write_at(int dirfd, const char *path, const char *text);

/** Creates or replaces a file atomically (temporary name + rename). @return 0 or -errno. */
[[nodiscard]] int file_replace_at(int dirfd, const char *path, const void *data, size_t len,
				  mode_t mode);

/** Removes what file_replace_at() left in a directory when its process died. @return 0, -errno. */
[[nodiscard]] int file_sweep_at(int dirfd, const char *path);

/** mkdir -p with `mode` for what is made. @return 0 or -errno. */
[[nodiscard]] int dir_make(const char *path, mode_t mode);
/** As dir_make(), then opens it O_PATH|O_DIRECTORY. @return descriptor or -errno. */
[[nodiscard]] int dir_make_open(const char *path, mode_t mode);

/**
 * Removes `name` below `dirfd` with everything in it; never follows a symbolic link nor crosses
 * a mount. A missing name is success. @return 0 or the first -errno, having gone on.
 */
[[nodiscard]] int tree_remove_at(int dirfd, const char *name);

/** Writes all of it, through EINTR and short writes. @return 0 or -errno. */
[[nodiscard]] int write_all(int fd, const void *data, size_t len);
