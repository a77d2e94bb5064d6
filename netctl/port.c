/* A pair of veth for each context. Its end inside is born in the namespace under its own name, and
 * all that the host's end needs is said in the same call; the end inside gets its addresses from
 * within, as the namespace is the context's own.
 *
 * Without a bridge both ends know each other's hardware address for good (there is only one who it
 * could be), so nothing is asked by ARP or answered for others: the host has a route to each
 * address, the context a default route to the host's end. */
#include "netctl/port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"

#define INSIDE "eth0"
#define LIST_BYTES 4096
#define CREATE (NLM_F_CREATE | NLM_F_EXCL)

/* The host's end where there is no bridge, the same for all: on each link it is the only one. Its
 * addresses as a gateway are of its link as well. */
static const uint8_t routed_mac[6] = { 0x02, 0x57, 0x41, 0x52, 0x44, 0x01 };
static struct inet_ip routed_gateway(bool v4)
{
	return v4 ? (struct inet_ip){ { 0, 0, htonl(0xffff), htonl(0xa9fe0101) } } /* 169.254.1.1 */
		  : (struct inet_ip){ { htonl(0xfe800000), 0, 0, htonl(1) } }; /* fe80::1 */
}

/* --- to look --- */

static void read_link(const struct nlmsghdr *h, struct port_link *l)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	size_t len, size;
	const void *at = message_find(h, sizeof(*i), IFLA_IFNAME, &len);

	*l = (struct port_link){ .index = i->ifi_index };
	if (at && len <= sizeof(l->name))
		memcpy(l->name, at, len);
	at = message_find(h, sizeof(*i), IFLA_IFALIAS, &len);
	if (at && len < sizeof(l->alias))
		memcpy(l->alias, at, len);
	at = message_find(h, sizeof(*i), IFLA_MASTER, &len);
	if (at && len == sizeof(l->master))
		memcpy(&l->master, at, len);
	at = message_find(h, sizeof(*i), IFLA_LINKINFO, &size);
	at = at ? message_find_in(at, size, IFLA_INFO_KIND, &len) : NULL;
	l->is_bridge = at && len >= 6 && memcmp(at, "bridge", 6) == 0;
	l->name[sizeof(l->name) - 1] = '\0';
}

static int on_link(const struct nlmsghdr *h, void *arg)
{
	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
		return -EBADMSG;
	read_link(h, arg);
	return 0;
}

int port_look(const char *name, struct port_link *ret)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	char data[256] __attribute__((aligned(8)));
	struct message_list l;

	message_init(&l, data, sizeof(data));
	message_begin(&l, RTM_GETLINK, 0, &head, sizeof(head));
	message_text(&l, IFLA_IFNAME, name);
	return fd < 0 ? fd : message_ask(fd, &l, on_link, ret);
}

struct each_link {
	int (*each)(const struct port_link *, void *);
	void *arg;
};

static int on_each(const struct nlmsghdr *h, void *arg)
{
	const struct each_link *x = arg;
	struct port_link l;
	int r = on_link(h, &l);

	return r < 0 ? r : x->each(&l, x->arg);
}

int port_each(int (*each)(const struct port_link *, void *), void *arg)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	char data[256] __attribute__((aligned(8)));
	struct each_link x = { each, arg };
	struct message_list l;

	message_init(&l, data, sizeof(data));
	message_begin(&l, RTM_GETLINK, NLM_F_DUMP, &head, sizeof(head));
	return fd < 0 ? fd : message_ask(fd, &l, on_each, &x);
}

static int on_route(const struct nlmsghdr *h, void *arg)
{
	struct port_way *w = arg;
	const struct rtmsg *m = NLMSG_DATA(h);
	const void *oif;
	size_t len;

	if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return -EBADMSG;
	oif = message_find(h, sizeof(*m), RTA_OIF, &len);
	if (oif && len == sizeof(w->index))
		memcpy(&w->index, oif, len);
	w->direct = !message_find(h, sizeof(*m), RTA_GATEWAY, &len) && m->rtm_type == RTN_UNICAST;
	return 0;
}

struct port_way port_find_way(const struct inet_ip *ip)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	bool v4 = inet_is_v4(ip);
	const struct rtmsg head = { .rtm_family = v4 ? AF_INET : AF_INET6,
				    .rtm_dst_len = v4 ? 32 : 128 };
	char data[256] __attribute__((aligned(8)));
	struct port_way w = { .index = 0 };
	struct message_list l;

	message_init(&l, data, sizeof(data));
	message_begin(&l, RTM_GETROUTE, 0, &head, sizeof(head));
	message_ip(&l, RTA_DST, ip);
	if (fd >= 0 && message_ask(fd, &l, on_route, &w) < 0)
		w = (struct port_way){ .index = 0 }; /* no way there at all */
	return w;
}

int port_delete(int index)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	const struct ifinfomsg head = { .ifi_index = index };
	char data[128] __attribute__((aligned(8)));
	struct message_list l;

	message_init(&l, data, sizeof(data));
	message_begin(&l, RTM_DELLINK, 0, &head, sizeof(head));
	return fd < 0 ? fd : message_send(fd, &l, NULL);
}

/* --- to make --- */

static void add_pair(struct message_list *l, const struct port_new *p)
{
	const struct ifinfomsg down = { .ifi_family = AF_UNSPEC };
	size_t info, data, peer;

	message_begin(l, RTM_NEWLINK, CREATE, &down, sizeof(down));
	message_text(l, IFLA_IFNAME, p->name);
	if (!p->bridge)
		message_put(l, IFLA_ADDRESS, routed_mac, sizeof(routed_mac));
	info = message_nest(l, IFLA_LINKINFO);
	message_text(l, IFLA_INFO_KIND, "veth");
	data = message_nest(l, IFLA_INFO_DATA);
	peer = message_nest(l, VETH_INFO_PEER);
	message_raw(l, &down, sizeof(down)); /* alone it could not be up */
	message_text(l, IFLA_IFNAME, INSIDE);
	message_put(l, IFLA_ADDRESS, p->mac, 6);
	message_put32(l, IFLA_NET_NS_PID, (uint32_t) p->pid);
	message_close(l, peer);
	message_close(l, data);
	message_close(l, info);
}

/* No address of its own for the host's end; whose it is, for people. */
static void add_name(struct message_list *l, const struct port_new *p)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	const uint8_t none = IN6_ADDR_GEN_MODE_NONE;
	size_t families, six;

	message_begin(l, RTM_NEWLINK, 0, &head, sizeof(head));
	message_text(l, IFLA_IFNAME, p->name);
	message_put(l, IFLA_IFALIAS, p->context, strlen(p->context));
	families = message_nest(l, IFLA_AF_SPEC);
	six = message_nest(l, AF_INET6);
	message_put(l, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof(none));
	message_close(l, six);
	message_close(l, families);
}

static void add_bridged(struct message_list *l, const struct port_new *p)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	const uint8_t isolated = p->isolated, one = 1;
	size_t info, data;

	message_begin(l, RTM_NEWLINK, 0, &head, sizeof(head));
	message_text(l, IFLA_IFNAME, p->name);
	message_put32(l, IFLA_MASTER, (uint32_t) p->bridge);
	message_begin(l, RTM_NEWLINK, 0, &head, sizeof(head));
	message_text(l, IFLA_IFNAME, p->name);
	info = message_nest(l, IFLA_LINKINFO);
	message_text(l, IFLA_INFO_SLAVE_KIND, "bridge");
	data = message_nest(l, IFLA_INFO_SLAVE_DATA);
	message_put(l, IFLA_BRPORT_ISOLATED, &isolated, sizeof(isolated));
	message_put(l, IFLA_BRPORT_GUARD, &one,
		    sizeof(one)); /* who is no bridge says nothing of trees */
	message_close(l, data);
	message_close(l, info);
}

static void add_up(struct message_list *l, const char *name)
{
	const struct ifinfomsg head = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	message_begin(l, RTM_NEWLINK, 0, &head, sizeof(head));
	message_text(l, IFLA_IFNAME, name);
}

static void add_neighbour(struct message_list *l, int index, const struct inet_ip *ip,
			  const uint8_t *mac)
{
	const struct ndmsg head = { .ndm_family = inet_is_v4(ip) ? AF_INET : AF_INET6,
				    .ndm_ifindex = index,
				    .ndm_state = NUD_PERMANENT };

	message_begin(l, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
	message_ip(l, NDA_DST, ip);
	message_put(l, NDA_LLADDR, mac, 6);
}

/* To `to`, or to all where it is NULL. */
static void add_route(struct message_list *l, int index, bool v4, const struct inet_ip *to,
		      const struct inet_ip *via)
{
	const struct rtmsg head = { .rtm_family = v4 ? AF_INET : AF_INET6,
				    .rtm_dst_len = to ? (v4 ? 32 : 128) : 0,
				    .rtm_table = RT_TABLE_MAIN,
				    .rtm_protocol = RTPROT_STATIC,
				    .rtm_scope = via || !v4 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
				    .rtm_type = RTN_UNICAST,
				    .rtm_flags = via ? RTNH_F_ONLINK : 0 };

	message_begin(l, RTM_NEWROUTE, NLM_F_CREATE, &head, sizeof(head));
	if (to)
		message_ip(l, RTA_DST, to);
	if (via)
		message_ip(l, RTA_GATEWAY, via);
	message_put32(l, RTA_OIF, (uint32_t) index);
}

/* Whether all of the host's routes that are in the way are of dying contexts' ports. */
static bool are_leftovers(const struct port_new *p)
{
	size_t prefix = (size_t) (strrchr(p->name, '-') - p->name) + 1;

	for (size_t i = 0; i < p->plan->address_count; i++) {
		char name[IF_NAMESIZE] = "";
		struct port_way way = port_find_way(&p->plan->addresses[i].ip);

		if (way.index && way.direct &&
		    (!if_indextoname((unsigned) way.index, name) ||
		     strncmp(name, p->name, prefix) != 0))
			return false;
	}
	return true;
}

static int send_routes(int fd, const struct port_new *p, unsigned flags, unsigned *failed)
{
	char data[LIST_BYTES] __attribute__((aligned(8)));
	int index = (int) if_nametoindex(p->name);
	struct message_list l;

	message_init(&l, data, sizeof(data));
	for (size_t i = 0; i < p->plan->address_count; i++) {
		const struct inet_ip *ip = &p->plan->addresses[i].ip;

		add_neighbour(&l, index, ip, p->mac);
		add_route(&l, index, inet_is_v4(ip), ip, NULL);
		((struct nlmsghdr *) (void *) (data + l.begin))->nlmsg_flags |= (uint16_t) flags;
	}
	return message_send(fd, &l, failed);
}

static int make_routes(int fd, const struct port_new *p, struct err *e)
{
	char text[INET_TEXT_MAX];
	unsigned failed = 0;
	int r = send_routes(fd, p, NLM_F_EXCL, &failed);

	/* Of a context that ended a moment ago: its interface takes only its own along. */
	if (r == -EEXIST && are_leftovers(p))
		r = send_routes(fd, p, NLM_F_REPLACE, &failed);
	if (r < 0)
		return err_set_errno(
			e, r, "network.address: a route to %s",
			inet_print(&p->plan->addresses[(failed ? failed - 1 : 0) / 2].ip, text));
	return 0;
}

static int make_pair(int fd, const struct port_new *p, struct err *e)
{
	char data[LIST_BYTES] __attribute__((aligned(8)));
	struct message_list l;
	unsigned failed = 0;
	int r;

	message_init(&l, data, sizeof(data));
	add_pair(&l, p);
	add_name(&l, p);
	if (p->bridge)
		add_bridged(&l, p);
	add_up(&l, p->name);
	r = message_send(fd, &l, &failed);
	if (r < 0)
		return err_set_errno(e, r, "network: %s a veth for %s",
				     failed <= 1 ? "making" : "setting up", p->context);
	return 0;
}

int port_make(const struct port_new *p, struct err *e)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	struct port_link made;
	int r = fd < 0 ? err_set_errno(e, fd, "network: opening a netlink socket") : 0;

	if (r == 0)
		r = make_pair(fd, p, e);
	if (r == 0)
		r = fault_point("network-port", e);
	if (r == 0 && !p->bridge)
		r = make_routes(fd, p, e);
	if (r < 0 && r != -EEXIST && port_look(p->name, &made) == 0)
		(void) port_delete(made.index);
	return r;
}

/* --- inside --- */

static void add_address(struct message_list *l, const struct inet_address *a)
{
	bool v4 = inet_is_v4(&a->ip);
	const struct ifaddrmsg head = { .ifa_family = v4 ? AF_INET : AF_INET6,
					.ifa_prefixlen = (uint8_t) a->prefix,
					.ifa_flags = IFA_F_PERMANENT | (v4 ? 0 : IFA_F_NODAD),
					.ifa_scope = RT_SCOPE_UNIVERSE };

	message_begin(l, RTM_NEWADDR, CREATE, &head, sizeof(head));
	message_ip(l, IFA_LOCAL, &a->ip);
	message_ip(l, IFA_ADDRESS, &a->ip);
}

static bool is_none(const struct inet_ip *ip)
{
	return (ip->w[0] | ip->w[1] | ip->w[2] | ip->w[3]) == 0;
}

void port_inside_plan(struct port_inside *in, const struct netctl_plan *p,
		      const struct inet_ip gateways[static 2])
{
	bool bridged = p->private.bridge[0], has[2] = { false, false };
	struct inet_ip via;

	message_init(&in->list, in->data, sizeof(in->data));
	in->addresses = (unsigned) p->address_count;
	add_up(&in->list, INSIDE);
	for (size_t i = 0; i < p->address_count; i++) {
		add_address(&in->list, &p->addresses[i]);
		has[inet_is_v4(&p->addresses[i].ip) ? 0 : 1] = true;
	}
	for (unsigned six = 0; six < 2; six++) {
		if (!has[six] || (bridged && is_none(&gateways[six])))
			continue;
		via = bridged ? gateways[six] : routed_gateway(!six);
		if (!bridged)
			add_neighbour(&in->list, 0, &via, routed_mac);
		add_route(&in->list, 0, !six, NULL, &via);
	}
}

/* eth0 has its number only now. */
static void set_index(struct message_list *l, int index)
{
	for (size_t at = 0; at < l->len;) {
		struct nlmsghdr *h = (void *) (l->data + at);
		size_t len = 0;

		if (h->nlmsg_type == RTM_NEWADDR) {
			((struct ifaddrmsg *) NLMSG_DATA(h))->ifa_index = (unsigned) index;
		} else if (h->nlmsg_type == RTM_NEWLINK) {
			/* by its name */
		} else if (h->nlmsg_type == RTM_NEWNEIGH) {
			((struct ndmsg *) NLMSG_DATA(h))->ndm_ifindex = index;
		} else {
			const void *oif = message_find(h, sizeof(struct rtmsg), RTA_OIF, &len);

			if (oif && len == sizeof(index))
				memcpy((void *) (uintptr_t) oif, &index, sizeof(index));
		}
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
}

int port_inside_apply(struct port_inside *in, const struct netctl_plan *p, struct err *e)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	struct ifreq request = { .ifr_name = INSIDE };
	char text[INET_TEXT_MAX];
	unsigned failed = 0;
	int r = fd < 0 ? fd : sys(ioctl(fd, SIOCGIFINDEX, &request));

	if (r < 0)
		return err_set_errno(e, r, "network: finding " INSIDE);
	set_index(&in->list, request.ifr_ifindex);
	r = message_send(fd, &in->list, &failed);
	if (r < 0 && failed > 1 && failed <= in->addresses + 1)
		return err_set_errno(e, r, "network.address: giving %s to " INSIDE,
				     inet_print(&p->addresses[failed - 2].ip, text));
	if (r < 0)
		return err_set_errno(e, r, "network: the default route of " INSIDE);
	return 0;
}
