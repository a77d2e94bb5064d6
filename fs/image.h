/* File systems in files: ext4 images on loop devices. Private to fs/. */
#pragma once

#include <stddef.h>

#include "base/err.h"

/** Makes an ext4 of the file's size in it. @options further arguments of mke2fs(8),
 * NULL-terminated; NULL: none. @return 0 or -errno. */
[[nodiscard]] int image_format(int image, const char *const *options);
/** Mounts an image, which the mount keeps from then on. @image O_RDWR.
 * @return detached mount or -errno. */
int image_mount(int image, struct err *e);
/** A new and empty file system that no disk holds: gone with its last mount. For what must be
 * id-mapped where tmpfs cannot be. @name is what losetup(8) shows.
 * @return detached mount or -errno. */
int image_in_memory(const char *name, struct err *e);

/** Attaches an image to a free loop device that goes when its last user goes.
 * @image O_RDWR; @ret_path /dev/loopN. @return the device's descriptor or -errno. */
int loop_attach(int image, char *ret_path, size_t size);
/** Detaches the loop devices whose backing file lies in the directory and that nothing mounts. */
void loop_sweep(const char *directory);
