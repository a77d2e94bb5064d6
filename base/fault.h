/* Fault points for test builds (FAULTS=1): the process kills itself, or a call fails, at a name.
 *
 * WARD_FAULT=kill:NAME makes fault_point("NAME") raise SIGKILL; WARD_FAULT=fail:NAME makes it
 * return -EIO. In other builds the macro is the constant 0 and costs nothing. */
#pragma once

#ifdef WARD_FAULTS
[[nodiscard]] int fault_point(const char *name);
#else
#define fault_point(name) (0)
#endif
