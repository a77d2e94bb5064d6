/* Addresses that the host answers for on an interface, by ARP and neighbour advertisements, though
 * they are those of contexts behind it. Private to netctl/. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/inet.h"

/** Answers for `a` on a->interface. @return 0, -ENODEV, -ENETUNREACH (the host would not pass on
 * what comes), -errno. */
[[nodiscard]] int proxy_add(const struct inet_address *a, struct err *e);
void proxy_remove(const struct inet_address *a);
/** Removes those of Ward's that are for nobody: neither known to `is_ours` nor led to a port of any
 * daemon's. */
void proxy_sweep(bool (*is_ours)(const struct inet_ip *ip, const void *arg), const void *arg);
