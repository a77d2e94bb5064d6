/* Fault points for test builds (FAULTS=1): the process kills itself, or a call fails, at a name.
 *
 * WARD_FAULT is an order, or names a file of FAULT_FILE_BYTES that begins with one. "kill:NAME"
 * makes fault_point("NAME") raise SIGKILL, "fail:NAME" makes it return -EIO; an order is good for
 * once, and gone when it was obeyed. Behind it the file has the names that were passed.
 * WARD_LACK="A B" makes fault_lack("A") true: a probe does as if the host had no A. In other builds
 * the macros are constants and cost nothing. */
#pragma once

#include <stdbool.h>

#ifdef WARD_FAULTS
#include "base/err.h"

#define FAULT_FILE_BYTES 8192

/** @return 0, or -EIO with the name in `e` (NULL: not wanted). */
[[nodiscard]] int fault_point(const char *name, struct err *e);
bool fault_lack(const char *feature);
#else
#define fault_point(name, e) (0)
#define fault_lack(feature) (false)
#endif
