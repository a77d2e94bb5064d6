/* What there is to say of a port, as elements of sets: by hand, since a start says it. Keys are
 * registers of the kernel's: each of their parts fills whole ones. */
#include "netctl/firewall_sets.h"

#include <errno.h>
#include <netinet/in.h> /* before those of the kernel */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"

/* --- the sets --- */

enum where {
	IN_BRIDGE, /* the table of bridges alone */
	IN_PORTS, /* that of bridges, or the other for routed ports */
	IN_HOST, /* the other */
	IN_NAT
};
static const struct {
	const char *name;
	enum where where;
} sets[SET_COUNT] = {
	[SET_MAC] = { "mac", IN_BRIDGE },
	[SET_TARGET6] = { "target6", IN_BRIDGE },
	[SET_OPEN] = { "open", IN_BRIDGE },
	[SET_SOURCE4] = { "source4", IN_PORTS },
	[SET_SOURCE6] = { "source6", IN_PORTS },
	[SET_MULTICAST] = { "multicast", IN_PORTS },
	[SET_PING] = { "ping", IN_PORTS },
	[SET_LIMITED] = { "limited", IN_PORTS },
	[SET_NETS4] = { "nets4", IN_PORTS },
	[SET_NETS6] = { "nets6", IN_PORTS },
	[SET_PEERS4] = { "peers4", IN_PORTS },
	[SET_PEERS6] = { "peers6", IN_PORTS },
	[SET_GUARDED] = { "guarded", IN_PORTS },
	[SET_LISTEN] = { "listen", IN_PORTS },
	[SET_CONTEXTS4] = { "contexts4", IN_HOST },
	[SET_CONTEXTS6] = { "contexts6", IN_HOST },
	[SET_OPEN4] = { "open4", IN_HOST },
	[SET_OPEN6] = { "open6", IN_HOST },
	[SET_FORWARD4] = { "forward4", IN_NAT },
	[SET_FORWARD6] = { "forward6", IN_NAT },
	[SET_MASQUERADE4] = { "masquerade4", IN_NAT },
	[SET_MASQUERADE6] = { "masquerade6", IN_NAT },
	[SET_BRIDGES] = { "bridges", IN_NAT },
};

/* --- transactions --- */

static void frame(struct message_list *l, unsigned type)
{
	const struct nfgenmsg head = { .nfgen_family = AF_UNSPEC,
				       .res_id = htons(NFNL_SUBSYS_NFTABLES) };

	message_begin(l, type, 0, &head, sizeof(head));
}

int transaction_begin(struct transaction *t, const struct firewall *f, size_t bytes)
{
	void *data = malloc(bytes);

	*t = (struct transaction){ .firewall = f, .last = SET_COUNT - 1 };
	if (!data)
		return -ENOMEM;
	message_init(&t->list, data, bytes);
	frame(&t->list, NFNL_MSG_BATCH_BEGIN);
	return 0;
}

static void close_set(struct transaction *t)
{
	if (t->open)
		message_close(&t->list, t->nest);
	t->open = false;
}

int transaction_commit(struct transaction *t)
{
	_cleanup_close_ int fd = message_socket(NETLINK_NETFILTER);
	size_t does = t->list.answered;
	int r = fd;

	close_set(t);
	if (fd >= 0 && t->list.count > 1) {
		frame(&t->list, NFNL_MSG_BATCH_END);
		t->list.answered = does; /* older kernels do not answer the end */
		r = message_send(fd, &t->list, NULL);
	}
	free(t->list.data);
	return r < 0 ? r : 0;
}

static void begin_set(struct transaction *t, enum firewall_set set, bool bridge, unsigned type)
{
	const struct nfgenmsg head = { .nfgen_family = bridge ? NFPROTO_BRIDGE : NFPROTO_INET };

	message_begin(&t->list, NFNL_SUBSYS_NFTABLES << 8 | type,
		      type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, &head, sizeof(head));
	message_text(&t->list, NFTA_SET_ELEM_LIST_TABLE,
		     sets[set].where == IN_NAT ? t->firewall->nat : t->firewall->table);
	message_text(&t->list, NFTA_SET_ELEM_LIST_SET, sets[set].name);
}

static void put_value(struct transaction *t, unsigned attribute, const void *data, size_t len)
{
	size_t nest = message_nest(&t->list, attribute);

	message_put(&t->list, NFTA_DATA_VALUE, data, len);
	message_close(&t->list, nest);
}

/* A key of several parts, each of which fills whole registers. */
struct key {
	uint8_t bytes[48];
	size_t len;
};

static struct key key_add(struct key k, const void *data, size_t len)
{
	memcpy(k.bytes + k.len, data, len);
	k.len += (len + 3) & ~(size_t) 3;
	return k;
}

static void element(struct transaction *t, enum firewall_set set, const struct key *k,
		    const struct key *end, const struct key *data)
{
	bool bridge =
		sets[set].where == IN_BRIDGE || (sets[set].where == IN_PORTS && t->port->bridge[0]);
	size_t nest;

	if (set < t->first || set > t->last)
		return;
	if (!t->open || t->current != set) {
		close_set(t);
		begin_set(t, set, bridge, t->add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM);
		t->nest = message_nest(&t->list, NFTA_SET_ELEM_LIST_ELEMENTS);
		t->open = true;
		t->current = set;
	}
	nest = message_nest(&t->list, NFTA_LIST_ELEM);
	put_value(t, NFTA_SET_ELEM_KEY, k->bytes, k->len);
	if (end)
		put_value(t, NFTA_SET_ELEM_KEY_END, end->bytes, end->len);
	if (data && t->add)
		put_value(t, NFTA_SET_ELEM_DATA, data->bytes, data->len);
	message_close(&t->list, nest);
}

/* --- what there is to say of a port --- */

static const void *bytes_of(const struct inet_ip *ip)
{
	return inet_is_v4(ip) ? (const void *) &ip->w[3] : ip;
}

static struct key add_ip(struct key k, const struct inet_ip *ip)
{
	return key_add(k, bytes_of(ip), inet_is_v4(ip) ? 4 : 16);
}

static bool has_address(const struct private_port *p, const struct inet_ip *ip)
{
	for (size_t i = 0; i < p->address_count; i++)
		if (inet_equal(&p->addresses[i].ip, ip))
			return true;
	return false;
}

/* Whether somebody else's rules have it in that set. */
static bool is_others(const struct transaction *t, enum firewall_set set, const struct inet_ip *ip,
		      const char *bridge)
{
	for (size_t i = 0; t->others && i < t->others->count; i++) {
		const struct private_port *o = t->others->ports[i];
		bool same = ip ? has_address(o, ip) : str_equal(o->bridge, bridge);

		if (o == t->port || !same || (o->leaving && set >= SET_OPEN4))
			continue;
		if (set == SET_CONTEXTS4 || set == SET_CONTEXTS6 ||
		    ((set == SET_OPEN4 || set == SET_OPEN6) ? o->contexts : o->masquerade))
			return true;
	}
	return false;
}

static void put_address(struct transaction *t, enum firewall_set set, const struct inet_ip *ip)
{
	struct key k = add_ip((struct key){ .len = 0 }, ip);

	if (!is_others(t, set, ip, NULL))
		element(t, set, &k, NULL, NULL);
}

/* The kernel makes it by itself, of the hardware's address; neighbours may be asked from there. */
static struct inet_ip link_local(const uint8_t mac[static 6])
{
	struct inet_ip ip = { { htonl(0xfe800000) } };
	uint8_t *low = (uint8_t *) &ip.w[2];

	memcpy(low, mac, 3);
	low[0] ^= 2;
	low[3] = 0xff;
	low[4] = 0xfe;
	memcpy(low + 5, mac + 3, 3);
	return ip;
}

static bool has_six(const struct private_port *p)
{
	for (size_t i = 0; i < p->address_count; i++)
		if (!inet_is_v4(&p->addresses[i].ip))
			return true;
	return false;
}

static void put_addresses(struct transaction *t, enum firewall_set set4, enum firewall_set set6,
			  const struct key *name)
{
	const struct private_port *p = t->port;
	struct inet_ip local = link_local(p->mac);

	for (unsigned six = 0; six < 2; six++) {
		enum firewall_set set = six ? set6 : set4;

		for (size_t i = 0; set < SET_COUNT && i < p->address_count; i++) {
			const struct inet_ip *ip = &p->addresses[i].ip;
			struct key k;

			if (inet_is_v4(ip) == (bool) six)
				continue;
			if (!name) {
				put_address(t, set, ip);
				continue;
			}
			k = add_ip(*name, ip);
			element(t, set, &k, NULL, NULL);
		}
		if (six && name && has_six(p)) {
			struct key k = add_ip(*name, &local);

			element(t, set, &k, NULL, NULL);
		}
	}
}

/* The range of a network, or of its port of each host. */
static void put_peer(struct transaction *t, const struct key *name, const struct inet_peer *x)
{
	bool v4 = inet_is_v4(&x->ip);
	struct inet_ip last;
	struct key from, to;
	uint16_t port = htons(x->port);

	for (unsigned i = 0; i < 4; i++)
		last.w[i] = x->ip.w[i] | ~x->mask.w[i];
	from = add_ip(*name, &x->ip);
	to = add_ip(*name, &last);
	if (x->port) {
		from = key_add(from, &port, sizeof(port));
		to = key_add(to, &port, sizeof(port));
	}
	element(t, x->port ? (v4 ? SET_PEERS4 : SET_PEERS6) : (v4 ? SET_NETS4 : SET_NETS6), &from,
		&to, NULL);
}

/* The kernel wants no range within another. */
static bool is_within_another(const struct private_port *p, size_t i)
{
	const struct inet_peer *x = &p->peers[i];

	for (size_t j = 0; j < p->peer_count; j++) {
		const struct inet_peer *y = &p->peers[j];
		bool within = j != i && x->port == y->port, same = true;

		for (unsigned w = 0; w < 4; w++) {
			within = within && (x->ip.w[w] & y->mask.w[w]) == y->ip.w[w] &&
				 (x->mask.w[w] & y->mask.w[w]) == y->mask.w[w];
			same = same && x->mask.w[w] == y->mask.w[w];
		}
		if (within && inet_is_v4(&x->ip) == inet_is_v4(&y->ip) && (!same || j < i))
			return true;
	}
	return false;
}

static void put_limits(struct transaction *t, const struct key *name)
{
	static const enum firewall_set kinds[] = { SET_NETS4, SET_NETS6, SET_PEERS4, SET_PEERS6 };
	const struct private_port *p = t->port;

	if (p->connect_any)
		return;
	element(t, SET_LIMITED, name, NULL, NULL);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (size_t i = 0; i < p->peer_count; i++) {
			const struct inet_peer *x = &p->peers[i];
			bool v4 = inet_is_v4(&x->ip);

			if (!is_within_another(p, i) &&
			    kinds[k] == (x->port ? (v4 ? SET_PEERS4 : SET_PEERS6)
						 : (v4 ? SET_NETS4 : SET_NETS6)))
				put_peer(t, name, x);
		}
	}
}

static void put_listen(struct transaction *t, const struct key *name)
{
	const struct private_port *p = t->port;

	if (p->listen_count == 0)
		return;
	element(t, SET_GUARDED, name, NULL, NULL);
	for (size_t i = 0; i < p->listen_count; i++) {
		uint16_t port = htons(p->listen[i].port);
		struct key k = key_add(*name, &p->listen[i].protocol, 1);

		k = key_add(k, &port, sizeof(port));
		element(t, SET_LISTEN, &k, NULL, NULL);
	}
}

static const struct inet_ip *first_of(const struct private_port *p, bool v4)
{
	for (size_t i = 0; i < p->address_count; i++)
		if (inet_is_v4(&p->addresses[i].ip) == v4)
			return &p->addresses[i].ip;
	return NULL;
}

static void put_forwards(struct transaction *t)
{
	const struct private_port *p = t->port;

	for (unsigned six = 0; six < 2; six++) {
		const struct inet_ip *ip = first_of(p, !six);

		for (size_t i = 0; ip && i < p->forward_count; i++) {
			uint16_t from = htons(p->forwards[i].from), to = htons(p->forwards[i].to);
			struct key k =
				key_add((struct key){ .len = 0 }, &p->forwards[i].protocol, 1);
			struct key v = add_ip((struct key){ .len = 0 }, ip);

			k = key_add(k, &from, sizeof(from));
			v = key_add(v, &to, sizeof(to));
			element(t, six ? SET_FORWARD6 : SET_FORWARD4, &k, NULL, &v);
		}
	}
}

void transaction_put(struct transaction *t, const struct private_port *p)
{
	struct key name = { .len = 0 }, mac, bridge;

	t->port = p;
	close_set(t);
	name = key_add(name, p->name, sizeof(p->name));
	mac = key_add(name, p->mac, sizeof(p->mac));
	if (p->bridge[0]) {
		element(t, SET_MAC, &mac, NULL, NULL);
		put_addresses(t, SET_COUNT, SET_TARGET6, &name);
		if (p->contexts)
			element(t, SET_OPEN, &name, NULL, NULL);
	}
	put_addresses(t, SET_SOURCE4, SET_SOURCE6, &name);
	if (p->multicast)
		element(t, SET_MULTICAST, &name, NULL, NULL);
	if (p->ping)
		element(t, SET_PING, &name, NULL, NULL);
	put_limits(t, &name);
	put_listen(t, &name);
	put_addresses(t, SET_CONTEXTS4, SET_CONTEXTS6, NULL);
	if (p->leaving && t->add)
		return;
	if (p->contexts)
		put_addresses(t, SET_OPEN4, SET_OPEN6, NULL);
	put_forwards(t);
	if (!p->masquerade)
		return;
	put_addresses(t, SET_MASQUERADE4, SET_MASQUERADE6, NULL);
	bridge = key_add((struct key){ .len = 0 }, p->bridge, sizeof(p->bridge));
	if (p->bridge[0] && !is_others(t, SET_BRIDGES, NULL, p->bridge))
		element(t, SET_BRIDGES, &bridge, NULL, NULL);
}
