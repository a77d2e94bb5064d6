/* Sets of CPUs, as the kernel writes them: "0-1,3". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define CPUS_MAX 8192 /* the kernel's greatest NR_CPUS */

struct cpus {
	uint64_t bits[CPUS_MAX / 64];
};

/** "0-1,3"; "" is the empty set, CPUs beyond CPUS_MAX are left out.
 * @return 0, -EINVAL for what is no such list. */
[[nodiscard]] int cpus_parse(const char *text, struct cpus *ret);
/** The inverse: ranges in order. */
void cpus_print(const struct cpus *c, struct buf *out);
unsigned cpus_count(const struct cpus *c);
bool cpus_has(const struct cpus *c, unsigned cpu);
void cpus_add(struct cpus *c, unsigned cpu);
/** Leaves what is in both. */
void cpus_keep(struct cpus *c, const struct cpus *other);
/** Those that are online and that the caller may use. @return 0 or -errno. */
[[nodiscard]] int cpus_allowed(struct cpus *ret);
