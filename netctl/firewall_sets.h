/* Ward's sets, and transactions that fill them. Private to netctl/. */
#pragma once

#include "netctl/firewall.h"
#include "netctl/message.h"

enum firewall_set {
	SET_MAC,
	SET_TARGET6,
	SET_OPEN,
	SET_SOURCE4,
	SET_SOURCE6,
	SET_MULTICAST,
	SET_PING,
	SET_LIMITED,
	SET_NETS4,
	SET_NETS6,
	SET_PEERS4,
	SET_PEERS6,
	SET_GUARDED,
	SET_LISTEN,
	SET_CONTEXTS4,
	SET_CONTEXTS6,
	SET_OPEN4, /* from here on by what others may have next */
	SET_OPEN6,
	SET_FORWARD4,
	SET_FORWARD6,
	SET_MASQUERADE4,
	SET_MASQUERADE6,
	SET_BRIDGES,
	SET_COUNT
};

/** One change of many sets, that is made whole or not at all. */
struct transaction {
	struct message_list list;
	const struct firewall *firewall;
	const struct private_port *port;
	const struct private_list *others; /* what they have stays; NULL: look at nobody */
	enum firewall_set first, last; /* which sets */
	bool add, open; /* a list of elements is begun */
	enum firewall_set current;
	size_t nest;
};

#define FIREWALL_PORT_BYTES (24u << 10) /* that a port's elements take at most */
#define FIREWALL_HEAD_BYTES 8192 /* the transaction, and little else */

/** @return 0 or -ENOMEM; then there is nothing to be committed. */
[[nodiscard]] int transaction_begin(struct transaction *t, const struct firewall *f, size_t bytes);
/** Adds (t->add) or takes away all elements of a port in the sets from t->first to t->last. */
void transaction_put(struct transaction *t, const struct private_port *p);
/** Sends it and frees its memory. @return 0, -ENOENT (no such table, set, or element), -errno. */
[[nodiscard]] int transaction_commit(struct transaction *t);
