/* Private to sched/: what may wait in the kernel for as long as a disk likes, done apart. */
#pragma once

#include "base/err.h"

/**
 * Runs `act` in a process of its own that has no descriptor but `keep` and ends by itself after
 * `ms`. When it is stuck in the kernel then, it is left there: nobody waits for it.
 * @return what `act` returned, with its `e`; -ETIMEDOUT; -errno.
 */
[[nodiscard]] int apart_run(int (*act)(void *arg, struct err *e), void *arg, int keep, unsigned ms,
			    struct err *e);
