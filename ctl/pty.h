/* The user's terminal on one side, the master of the command's on the other. */
#pragma once

#include "base/err.h"
#include "ctl/stream.h"

/** The size of the terminal we stand on, 24 x 80 when there is none. */
void pty_size(unsigned short *ret_rows, unsigned short *ret_cols);
/** Takes over the signals that matter with a terminal. @return a descriptor or -errno. */
int pty_signals(void);
/** Forwards bytes, sizes and signals until the command ends. The user's terminal is as it was
 * whenever this returns. @return 0 (s->done, or our side hung up) or -errno. */
[[nodiscard]] int pty_run(struct stream *s, int signals, struct err *e);
