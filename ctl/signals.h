/* Signals as something to be read. */
#pragma once

#include <stddef.h>

/** Blocks these signals, but those we were told to ignore, and opens a descriptor that tells
 * them. @return descriptor or -errno. */
int signals_open(const int *list, size_t count);
/** @return the next signal, or 0 when there is none. */
int signals_next(int fd);
