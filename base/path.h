/* Paths: checked as text, resolved once and under control (openat2(2)). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Absolute, no empty or ".." component, shorter than PATH_MAX, no control characters. */
bool path_is_clean(const char *path);

/**
 * Opens `path` as a process chrooted at `rootfd` would (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS).
 * @flags open(2) flags, O_CLOEXEC is added. @return descriptor or -errno.
 */
[[nodiscard]] int path_open_in_root(int rootfd, const char *path, uint64_t flags);

/** Opens a relative `path` that must stay below `dirfd` (RESOLVE_BENEATH, no magic links). */
[[nodiscard]] int path_open_beneath(int dirfd, const char *path, uint64_t flags, mode_t mode);

/**
 * Makes (inside the root) the directories of `path` that are missing, mode 0755, then the last
 * component as a directory or an empty file, and opens it O_PATH.
 * @return descriptor or -errno (-ENOTDIR/-EISDIR when something else is there).
 */
[[nodiscard]] int path_make_in_root(int rootfd, const char *path, bool directory);
