/* Fault points for test builds (FAULTS=1): the process kills itself, or a call fails, at a name.
 *
 * WARD_FAULT names a file of FAULT_FILE_BYTES. It begins with the order: "kill:NAME" makes
 * fault_point("NAME") raise SIGKILL, "fail:NAME" makes it return -EIO; an order is good for once,
 * and gone when it was obeyed. Behind it stand the names that were passed. In other builds the
 * macro is the constant 0 and costs nothing. */
#pragma once

#ifdef WARD_FAULTS
#include "base/err.h"

#define FAULT_FILE_BYTES 4096

/** @return 0, or -EIO with the name in `e` (NULL: not wanted). */
[[nodiscard]] int fault_point(const char *name, struct err *e);
#else
#define fault_point(name, e) (0)
#endif
