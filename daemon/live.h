/* Private to the daemon's core: what the kernel has in force, against what was wanted. */
#pragma once

#include <stdbool.h>

#include "daemon/core.h"

/** What is in force for a key, in the words of a context's file. @spec what should be: a weight
 * that reserves have made of its shares is told as those. @return NULL where the kernel does not
 * say; owned. */
char *live_value(struct context *c, const struct spec *spec, const char *key);
/** Whether that is what was wanted, as far as the kernel can tell: it rounds sizes to pages and CPU
 * time to its clock, and writes lists in its own way. NULL for `live` is no contradiction. */
bool live_in_force(const char *key, const char *wanted, const char *live);
