/* Bridges: made when the first context wants one, removed after the last; those of others only
 * looked at. Private to netctl/. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/inet.h"

/** Whose a bridge is stands in its alias, which `ip link` shows. */
#define BRIDGE_MARK_MAX 64
void bridge_mark(const char *instance, char ret[static BRIDGE_MARK_MAX]);

struct bridge {
	int index;
	bool ours;
};
/** Finds the bridge, or makes it. @return 0, -EEXIST (something else has the name), -errno. */
[[nodiscard]] int bridge_take(const char *name, const char *mark, struct bridge *ret,
			      struct err *e);
/** Gives one of ours an address, or finds that it has it. Refused where the host is in the same
 * network by another interface. */
[[nodiscard]] int bridge_give(const struct bridge *b, const char *name, const struct inet_ip *ip,
			      unsigned prefix, struct err *e);
void bridge_take_back(const char *name, const char *mark, const struct inet_ip *ip,
		      unsigned prefix);
/** The bridge's own address in the network of `a`. @return 0, -ENOENT, -errno. */
[[nodiscard]] int bridge_own_address(int index, const struct inet_address *a, struct inet_ip *ret);
/** What the host had learnt of the address is forgotten: somebody else has it now. */
void bridge_forget(int index, const struct inet_ip *ip);
/** Removes one of ours that has no ports but those whose names begin with `prefix`. */
void bridge_drop(const char *name, const char *mark, const char *prefix);
