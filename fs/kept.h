/* Kept uppers on disk. Private to fs/. */
#pragma once

#include "fs/host.h"

/** The host's state that a kept upper lies above, as text lines "WHAT VALUE". */
[[nodiscard]] int kept_fingerprint(struct fs_host *h, struct buf *out);
