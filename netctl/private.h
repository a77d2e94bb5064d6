/* A context with an interface of its own, as its rules and its bridge need to know it. Private to
 * netctl/. */
#pragma once

#include "netctl/netctl.h"
#include "netctl/port.h"

/** Kept small: there may be thousands. */
struct private_port {
	char name[PORT_NAME_MAX]; /* of the host's end */
	char bridge[PORT_NAME_MAX]; /* "": routed */
	char *context;
	unsigned slot;
	uint8_t mac[6];
	bool leaving; /* its addresses are no longer kept for it */
	bool masquerade, contexts, multicast, ping, connect_any, no_gateway;
	struct inet_ip gateways[2]; /* as declared */
	struct inet_address *addresses;
	struct inet_port *listen;
	struct inet_peer *peers;
	struct inet_forward *forwards;
	size_t address_count, listen_count, peer_count, forward_count;
};

struct private_list {
	struct private_port **ports;
	size_t count, room;
};

/** @return a port of the plan, or NULL when out of memory. */
struct private_port *private_port_new(const struct netctl_plan *p, const struct netctl_context *c,
				      const char *prefix);
void private_port_free(struct private_port *p);
/** The address that the host's side has in the network of the i-th. @return false: none. */
bool private_port_gateway(const struct private_port *p, size_t i, struct inet_ip *ret);
