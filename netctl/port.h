/* The two ends of a private context's link: a port of the host's, and eth0 of the context's.
 * Private to netctl/. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "netctl/message.h"
#include "netctl/netctl.h"

#define PORT_NAME_MAX 16 /* IFNAMSIZ */

/** Something of the host's interfaces. */
struct port_link {
	int index;
	bool is_bridge;
	char name[PORT_NAME_MAX], alias[128];
	int master; /* 0: none */
};
/** @return 0, -ENODEV, -errno. */
[[nodiscard]] int port_look(const char *name, struct port_link *ret);
/** Calls for each interface. @return 0, -errno, or what `each` said that was not 0. */
[[nodiscard]] int port_each(int (*each)(const struct port_link *l, void *arg), void *arg);
[[nodiscard]] int port_delete(int index);
/** Where the host would send a packet to an address; index 0: nowhere. */
struct port_way {
	int index;
	bool direct; /* not by a gateway */
};
struct port_way port_find_way(const struct inet_ip *ip);

/** What a port is made of. */
struct port_new {
	const char *name, *context;
	pid_t pid; /* whose network namespace gets eth0 */
	const uint8_t *mac; /* of eth0 */
	int bridge; /* index, or 0: routed */
	bool isolated; /* from other such ports of its bridge */
	const struct netctl_plan *plan; /* with a route to each address, where routed */
};
/** Makes both ends. On failure nothing is left. */
[[nodiscard]] int port_make(const struct port_new *p, struct err *e);

/** The requests by which a child, in the new namespace, gives eth0 its addresses and routes. */
#define PORT_INSIDE_MAX 8192
struct port_inside {
	struct message_list list;
	unsigned addresses; /* their messages are the second and so on; then come the routes */
	char data[PORT_INSIDE_MAX] __attribute__((aligned(8)));
};
/** @gateways of each family, all zeros: none; in routed mode they are not looked at. */
void port_inside_plan(struct port_inside *in, const struct netctl_plan *p,
		      const struct inet_ip gateways[static 2]);
/** In the child: system calls only. */
[[nodiscard]] int port_inside_apply(struct port_inside *in, const struct netctl_plan *p,
				    struct err *e);
