/* Kept uppers on disk: images and loop devices. Private to fs/. */
#pragma once

#include "fs/host.h"

/** The host's state that a kept upper lies above, as text lines "WHAT VALUE". */
[[nodiscard]] int kept_fingerprint(struct fs_host *h, struct buf *out);

/** Attaches an image to a free loop device that goes when its last user goes.
 * @image O_RDWR; @ret_path /dev/loopN. @return the device's descriptor or -errno. */
int loop_attach(int image, char *ret_path, size_t size);
/** Detaches the loop devices whose backing file lies in the directory and that nothing mounts. */
void loop_sweep(const char *directory);
