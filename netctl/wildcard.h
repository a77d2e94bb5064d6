/* Wildcards that stand for several addresses. Private to netctl/.
 *
 * The program that leads connections to them is asked for every new connection in the network
 * namespace, and no cgroup keeps it: only a descriptor of its link does. So it is attached when
 * there is a context with several addresses, and besides the daemon the first process of each such
 * context holds it: it outlives the daemon, not the contexts. */
#pragma once

#include "netctl/filter.h"

/** Attaches to this network namespace, or takes the place of an earlier daemon's program. */
[[nodiscard]] int wildcard_attach(struct filter *f, struct err *e);
/** The addresses of a context are led to its listeners on the wildcard, from now on. */
[[nodiscard]] int wildcard_add(const struct filter *f, uint64_t cgroup_id,
			       const struct filter_rules *rules);
/** Not any more; those that went over to another context are left to it. */
void wildcard_remove(const struct filter *f, uint64_t cgroup_id, const struct filter_rules *rules);
