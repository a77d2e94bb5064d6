/* Addresses on interfaces, through libnl. Private to netctl/. */
#pragma once

#include <stdbool.h>

#include "base/inet.h"

/** An error of libnl as -errno. */
int link_errno(int nl);
/** @return the index of an interface, or -ENODEV. */
int link_index(const char *name);
/** Adds an address; usable at once. @return 0, -EEXIST, -errno. */
[[nodiscard]] int link_add(int index, const struct inet_ip *ip, unsigned prefix);
/** Takes it away again. Of IPv4 the kernel may take others of the same network along. */
[[nodiscard]] int link_remove(int index, const struct inet_ip *ip, unsigned prefix);
/** Whether this host has the address. */
bool link_has(const struct inet_ip *ip);
