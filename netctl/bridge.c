/* A bridge of Ward's bears the daemon's mark from the call on that makes it: a daemon that dies
 * leaves none that the next would not know. */
#include "netctl/bridge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "netctl/port.h"

#define ASK_BYTES 512

void bridge_mark(const char *instance, char ret[static BRIDGE_MARK_MAX])
{
	(void) snprintf(ret, BRIDGE_MARK_MAX, "made by ward %s", instance);
}

/* --- to make --- */

static int make(const char *name, const char *mark)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	const struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	char data[ASK_BYTES] __attribute__((aligned(8)));
	uint8_t mac[6] = { 0 };
	struct message_list l;
	size_t info;

	/* Of its own: else it would change with every port that comes and goes. */
	if (getrandom(mac, sizeof(mac), 0) < 0)
		return -errno;
	mac[0] = (uint8_t) ((mac[0] & 0xfc) | 0x02);
	message_init(&l, data, sizeof(data));
	message_begin(&l, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	message_text(&l, IFLA_IFNAME, name);
	message_put(&l, IFLA_ADDRESS, mac, sizeof(mac));
	info = message_nest(&l, IFLA_LINKINFO);
	message_text(&l, IFLA_INFO_KIND, "bridge");
	message_close(&l, info);
	message_begin(&l, RTM_NEWLINK, 0, &head, sizeof(head));
	message_text(&l, IFLA_IFNAME, name);
	message_put(&l, IFLA_IFALIAS, mark, strlen(mark));
	message_begin(&l, RTM_NEWLINK, 0, &up, sizeof(up));
	message_text(&l, IFLA_IFNAME, name);
	return fd < 0 ? fd : message_send(fd, &l, NULL);
}

int bridge_take(const char *name, const char *mark, struct bridge *ret, struct err *e)
{
	struct port_link l;
	int r = port_look(name, &l);

	if (r == -ENODEV) {
		r = make(name, mark);
		if (r == 0 && fault_point("network-bridge", e) < 0)
			return -EIO;
		if (r == 0)
			r = port_look(name, &l);
	}
	if (r < 0)
		return err_set_errno(e, r, "network.bridge: making %s", name);
	if (!l.is_bridge)
		return err_set(e, -EEXIST,
			       "network.bridge: %s is an interface of this host that is no bridge; "
			       "allowed: a bridge, or a name that is free",
			       name);
	*ret = (struct bridge){ .index = l.index, .ours = str_equal(l.alias, mark) };
	return 0;
}

/* --- its addresses --- */

static int change_address(int index, const struct inet_ip *ip, unsigned prefix, bool add)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	bool v4 = inet_is_v4(ip);
	const struct ifaddrmsg head = { .ifa_family = v4 ? AF_INET : AF_INET6,
					.ifa_prefixlen = (uint8_t) prefix,
					.ifa_flags = v4 ? 0 : IFA_F_NODAD,
					.ifa_index = (unsigned) index };
	char data[ASK_BYTES] __attribute__((aligned(8)));
	struct message_list l;

	message_init(&l, data, sizeof(data));
	message_begin(&l, add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_EXCL : 0,
		      &head, sizeof(head));
	message_ip(&l, IFA_LOCAL, ip);
	message_ip(&l, IFA_ADDRESS, ip);
	return fd < 0 ? fd : message_send(fd, &l, NULL);
}

int bridge_give(const struct bridge *b, const char *name, const struct inet_ip *ip, unsigned prefix,
		struct err *e)
{
	const struct inet_address at = { .ip = *ip, .prefix = prefix };
	char text[INET_TEXT_MAX], other[IF_NAMESIZE] = "?";
	struct inet_ip there;
	struct port_way way;
	int r;

	if (bridge_own_address(b->index, &at, &there) == 0 && inet_equal(&there, ip))
		return 0;
	way = port_find_way(ip);
	if (way.direct && way.index != b->index) {
		(void) if_indextoname((unsigned) way.index, other);
		return err_set(e, -EADDRINUSE,
			       "network.address: the network of %s/%u is that of this host's %s; "
			       "allowed: another network, or a bridge that %s is a port of",
			       inet_print(ip, text), prefix, other, other);
	}
	r = change_address(b->index, ip, prefix, true);
	return r < 0 && r != -EEXIST
		       ? err_set_errno(e, r, "network.bridge: giving %s the address %s", name,
				       inet_print(ip, text))
		       : 0;
}

void bridge_take_back(const char *name, const char *mark, const struct inet_ip *ip, unsigned prefix)
{
	struct port_link l;

	if (port_look(name, &l) == 0 && l.is_bridge && str_equal(l.alias, mark) &&
	    change_address(l.index, ip, prefix, false) < 0)
		log_debug("an address of %s was gone already", name);
}

struct own {
	int index;
	const struct inet_address *network;
	struct inet_ip found;
	bool is_found;
};

static int on_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct inet_ip ip = { { 0, 0, htonl(0xffff), 0 } };
	struct own *o = arg;
	const void *at;
	size_t len;

	if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return -EBADMSG;
	if ((int) m->ifa_index != o->index || o->is_found)
		return 0;
	at = message_find(h, sizeof(*m), IFA_LOCAL, &len);
	if (!at)
		at = message_find(h, sizeof(*m), IFA_ADDRESS, &len);
	if (at && len == 4)
		memcpy(&ip.w[3], at, len);
	else if (at && len == 16)
		memcpy(&ip, at, len);
	else
		return 0;
	o->is_found = inet_same_network(o->network, &ip);
	o->found = ip;
	return 0;
}

int bridge_own_address(int index, const struct inet_address *a, struct inet_ip *ret)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	const struct ifaddrmsg head = { .ifa_family = inet_is_v4(&a->ip) ? AF_INET : AF_INET6,
					.ifa_index = (unsigned) index };
	struct own o = { .index = index, .network = a };
	char data[ASK_BYTES] __attribute__((aligned(8)));
	const int one = 1;
	struct message_list l;
	int r;

	/* Only this interface's, where the kernel (4.20) can. */
	if (fd >= 0)
		(void) setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	message_init(&l, data, sizeof(data));
	message_begin(&l, RTM_GETADDR, NLM_F_DUMP, &head, sizeof(head));
	r = fd < 0 ? fd : message_ask(fd, &l, on_address, &o);
	if (r < 0)
		return r;
	if (!o.is_found)
		return -ENOENT;
	*ret = o.found;
	return 0;
}

void bridge_forget(int index, const struct inet_ip *ip)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	const struct ndmsg head = { .ndm_family = inet_is_v4(ip) ? AF_INET : AF_INET6,
				    .ndm_ifindex = index };
	char data[ASK_BYTES] __attribute__((aligned(8)));
	struct message_list l;

	message_init(&l, data, sizeof(data));
	message_begin(&l, RTM_DELNEIGH, 0, &head, sizeof(head));
	message_ip(&l, NDA_DST, ip);
	if (fd >= 0)
		(void) message_send(fd, &l, NULL); /* mostly nothing was known */
}

/* --- the end --- */

struct foreign {
	int bridge;
	const char *prefix;
};

static int is_foreign(const struct port_link *l, void *arg)
{
	const struct foreign *f = arg;

	return l->master == f->bridge && strncmp(l->name, f->prefix, strlen(f->prefix)) != 0;
}

void bridge_drop(const char *name, const char *mark, const char *prefix)
{
	struct port_link l;
	struct foreign f = { .prefix = prefix };
	int r;

	if (port_look(name, &l) < 0 || !l.is_bridge || !str_equal(l.alias, mark))
		return;
	f.bridge = l.index;
	r = port_each(is_foreign, &f);
	if (r == 0)
		r = port_delete(l.index);
	if (r != 0)
		log_info("the bridge %s stays: %s", name,
			 r < 0 ? strerror(-r) : "it has ports of others");
}
