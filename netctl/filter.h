/* The filter's programs in the kernel: loaded, attached, taken over from a daemon that died.
 * Private to netctl/.
 *
 * They are attached to the cgroup above all contexts in the way that needs no link and no pin: the
 * cgroup keeps the programs, the programs keep the map. So nothing changes when a daemon dies, no
 * file system has to be mounted, and all is gone with the cgroup. A new daemon finds the map
 * through the programs, and puts its own in their place one by one, each at once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "netctl/filter_abi.h"

struct ward_filter; /* the skeleton */

struct filter {
	struct ward_filter *programs;
	int cgroup; /* borrowed: of all contexts */
	int link; /* to the network namespace, or -1: what wildcard.h tells */
	bool only_counts; /* nothing else is loaded: it cannot confine anybody */
};

/** Whether an earlier daemon's filter is attached there. */
bool filter_is_attached(int cgroup);
/** Loads; with an earlier filter's map, where there is one of the same shape.
 * @level of the contexts' cgroups below `cgroup`, from the hierarchy's root. @only_counting what
 * counts packets and no more, which takes a part of the time. */
[[nodiscard]] int filter_load(struct filter *f, int cgroup, unsigned level, bool only_counting,
			      struct err *e);
/** Attaches, or takes the place of the earlier filter. @wide a context has several addresses. */
[[nodiscard]] int filter_attach(struct filter *f, bool wide, struct err *e);
/** Attaches only what counts packets. */
[[nodiscard]] int filter_attach_counting(struct filter *f, struct err *e);
/** No context has several addresses any more: nobody else is to pay for them. */
void filter_narrow(struct filter *f);
/** Whether packets are given the priority that their rules say. */
void filter_mark(struct filter *f, bool on);
/** What is attached stays. */
void filter_done(struct filter *f);

/** The entry of a context. @return 0, -ENOENT, -errno. */
[[nodiscard]] int filter_get(const struct filter *f, uint64_t cgroup_id, struct filter_rules *ret);
[[nodiscard]] int filter_set(const struct filter *f, uint64_t cgroup_id,
			     const struct filter_rules *rules);
/** With what was counted. */
void filter_remove(const struct filter *f, uint64_t cgroup_id);
/** The entry after `cgroup_id` (NULL: the first). @return 0, -ENOENT at the end. */
[[nodiscard]] int filter_next(const struct filter *f, const uint64_t *cgroup_id, uint64_t *ret);
/** The same among those that are counted. */
[[nodiscard]] int filter_next_counted(const struct filter *f, const uint64_t *cgroup_id,
				      uint64_t *ret);

/** Begins to count what a context does; at nothing, or on from where an earlier daemon left it. */
[[nodiscard]] int filter_count(const struct filter *f, uint64_t cgroup_id);
/** What was counted, of all CPUs. @return 0, -ENOENT, -errno. */
[[nodiscard]] int filter_traffic(const struct filter *f, uint64_t cgroup_id,
				 struct filter_traffic *ret);

/** The hooks, for people: names of those that this kernel has and those it lacks. */
struct filter_hook {
	const char *name;
	bool present;
};
#define FILTER_HOOKS_MAX 18
/** Tries each with a program that does nothing. @return how many there are. */
unsigned filter_hooks(struct filter_hook ret[static FILTER_HOOKS_MAX]);
