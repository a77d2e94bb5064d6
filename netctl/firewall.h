/* Ward's tables of nftables: what may come from a port and reach one, and the host's ports that
 * are contexts'. Private to netctl/. */
#pragma once

#include "netctl/private.h"

/** The daemon's own tables, loaded with the first port, gone with the last. */
struct firewall {
	char table[32], nat[32], ports[PORT_NAME_MAX]; /* `ports` is how their names begin */
	bool loaded, nat_loaded;
};

void firewall_init(struct firewall *f, const char *id, const char *ports);
/** The rules of a port, ahead of the port itself. It is in the list already. */
[[nodiscard]] int firewall_add(struct firewall *f, const struct private_list *all,
			       const struct private_port *p, struct err *e);
/** What others may have from now on: its addresses and ports of the host. */
void firewall_withdraw(struct firewall *f, const struct private_list *all,
		       const struct private_port *p);
/** All else; it is no longer in the list. */
void firewall_remove(struct firewall *f, const struct private_list *all,
		     const struct private_port *p);
/** Makes the tables anew for these ports, whatever is there; none: there are no tables. */
[[nodiscard]] int firewall_settle(struct firewall *f, const struct private_list *all,
				  struct err *e);
/** Loads the rules into this network namespace, without any port. */
[[nodiscard]] int firewall_try(struct firewall *f, struct err *e);
/** Whether nf_tables answers at all. */
bool firewall_is_there(void);
