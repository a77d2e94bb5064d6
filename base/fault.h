/* Fault points for test builds (FAULTS=1): the process kills itself, or a call fails, at a name.
 *
 * WARD_FAULT=kill:NAME makes fault_point("NAME") raise SIGKILL; WARD_FAULT=fail:NAME makes it
 * return -EIO. WARD_LACK="A B" makes fault_lack("A") true: a probe does as if the host had no A. In
 * other builds the macros are constants and cost nothing. */
#pragma once

#include <stdbool.h>

#ifdef WARD_FAULTS
[[nodiscard]] int fault_point(const char *name);
bool fault_lack(const char *feature);
#else
#define fault_point(name) (0)
#define fault_lack(feature) (false)
#endif
