/* Qdiscs, classes and devices, as messages: libnl's own classes of HTB know no rates of more than
 * 32 bits, and ask for tables that the kernel has had no use for since 3.8. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "netctl/link.h"
#include "netctl/shape.h"

#define CLASS(major, minor) ((uint32_t) (major) << 16 | (minor))
#define CLASSES_MAX (SHAPE_CONTEXTS + 2)
#define IFB_QUEUE 1000

int tc_open(struct nl_sock **ret)
{
	struct nl_sock *s = nl_socket_alloc();
	int r = s ? nl_connect(s, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0) {
		tc_close(s);
		return link_errno(r);
	}
	nl_socket_disable_auto_ack(s); /* asked for message by message */
	*ret = s;
	return 0;
}

void tc_close(struct nl_sock *s)
{
	if (s)
		nl_socket_free(s);
}

/* --- messages --- */

static struct nl_msg *begin(int type, int flags, int ifindex, uint32_t parent, uint32_t handle)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);
	struct tcmsg t = { .tcm_family = AF_UNSPEC,
			   .tcm_ifindex = ifindex,
			   .tcm_parent = parent,
			   .tcm_handle = handle };

	if (m && nlmsg_append(m, &t, sizeof(t), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return m;
}

/* Sends what was made, frees it, and waits for the kernel's answer. */
static int finish(struct nl_sock *s, struct nl_msg *m, int built)
{
	int r;

	if (!m || built < 0) {
		if (m)
			nlmsg_free(m);
		return -ENOMEM;
	}
	nlmsg_hdr(m)->nlmsg_flags |= NLM_F_ACK;
	r = nl_send_auto(s, m);
	nlmsg_free(m);
	if (r >= 0)
		r = nl_wait_for_ack(s);
	return link_errno(r);
}

struct reading {
	int (*each)(const struct nlmsghdr *h, void *arg);
	void *arg;
	int r;
};

static int on_message(struct nl_msg *m, void *arg)
{
	struct reading *r = arg;

	if (r->r == 0)
		r->r = r->each(nlmsg_hdr(m), r->arg);
	return NL_OK;
}

static int read_all(struct nl_sock *s, struct nl_msg *m,
		    int (*each)(const struct nlmsghdr *h, void *arg), void *arg)
{
	struct reading reading = { each, arg, 0 };
	int r;

	if (!m)
		return -ENOMEM;
	nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_CUSTOM, on_message, &reading);
	r = nl_send_auto(s, m);
	nlmsg_free(m);
	if (r >= 0)
		r = nl_recvmsgs_default(s);
	nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return r < 0 ? link_errno(r) : reading.r;
}

/* --- qdiscs --- */

struct root_search {
	int ifindex; /* 0: any */
	uint32_t parent, handle; /* 0: any */
	struct tc_qdisc *ret;
	void (*each)(int ifindex, void *arg);
	void *arg;
};

static int on_qdisc(const struct nlmsghdr *h, void *arg)
{
	struct root_search *x = arg;
	const struct tcmsg *t = nlmsg_data(h);
	const struct nlattr *kind =
		nlmsg_find_attr((struct nlmsghdr *) (uintptr_t) h, sizeof(*t), TCA_KIND);

	if (h->nlmsg_type != RTM_NEWQDISC || t->tcm_parent != x->parent ||
	    (x->ifindex && t->tcm_ifindex != x->ifindex) ||
	    (x->handle && t->tcm_handle != x->handle))
		return 0;
	if (x->each)
		x->each(t->tcm_ifindex, x->arg);
	if (x->ret) {
		x->ret->handle = t->tcm_handle;
		if (kind)
			(void) nla_strlcpy(x->ret->kind, kind, sizeof(x->ret->kind));
	}
	return 0;
}

static int search_qdiscs(struct nl_sock *s, struct root_search *x)
{
	return read_all(s, begin(RTM_GETQDISC, NLM_F_DUMP, x->ifindex, 0, 0), on_qdisc, x);
}

int tc_root(struct nl_sock *s, int ifindex, struct tc_qdisc *ret)
{
	*ret = (struct tc_qdisc){ 0 };
	return search_qdiscs(s, &(struct root_search){
					.ifindex = ifindex, .parent = TC_H_ROOT, .ret = ret });
}

int tc_ingress(struct nl_sock *s, int ifindex, struct tc_qdisc *ret)
{
	*ret = (struct tc_qdisc){ 0 };
	return search_qdiscs(s, &(struct root_search){
					.ifindex = ifindex, .parent = TC_H_INGRESS, .ret = ret });
}

int tc_each_root(struct nl_sock *s, uint32_t handle, void (*each)(int, void *), void *arg)
{
	return search_qdiscs(s, &(struct root_search){ .parent = TC_H_ROOT,
						       .handle = handle,
						       .each = each,
						       .arg = arg });
}

int tc_htb_add(struct nl_sock *s, int ifindex, uint16_t major, bool replace)
{
	const struct tc_htb_glob init = { .version = 3, .rate2quantum = 10, .defcls = SHAPE_HOST };
	struct nl_msg *m =
		begin(RTM_NEWQDISC, NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL), ifindex,
		      TC_H_ROOT, CLASS(major, 0));
	struct nlattr *options;
	int r = m ? nla_put_string(m, TCA_KIND, "htb") : -1;

	options = r < 0 ? NULL : nla_nest_start(m, TCA_OPTIONS);
	r = options ? nla_put(m, TCA_HTB_INIT, sizeof(init), &init) : -1;
	if (r >= 0)
		(void) nla_nest_end(m, options);
	return finish(s, m, r);
}

int tc_root_remove(struct nl_sock *s, int ifindex, uint32_t handle)
{
	return finish(s, begin(RTM_DELQDISC, 0, ifindex, TC_H_ROOT, handle), 0);
}

static int on_filter(const struct nlmsghdr *h, void *arg)
{
	if (h->nlmsg_type == RTM_NEWTFILTER)
		*(bool *) arg = true;
	return 0;
}

int tc_has_filters(struct nl_sock *s, int ifindex, bool *ret)
{
	static const uint32_t ends[] = { TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
					 TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS) };
	int r = 0;

	*ret = false;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ends); i++)
		r = read_all(s, begin(RTM_GETTFILTER, NLM_F_DUMP, ifindex, ends[i], 0), on_filter,
			     ret);
	return r;
}

int tc_ingress_remove(struct nl_sock *s, int ifindex)
{
	return finish(s, begin(RTM_DELQDISC, 0, ifindex, TC_H_INGRESS, 0), 0);
}

/* --- classes --- */

static uint32_t rate32(uint64_t rate)
{
	return rate > UINT32_MAX ? UINT32_MAX : (uint32_t) rate;
}

static int put_class(struct nl_msg *m, const struct shape_class *c)
{
	const struct tc_htb_opt o = {
		.rate = { .rate = rate32(c->rate), .linklayer = TC_LINKLAYER_ETHERNET },
		.ceil = { .rate = rate32(c->ceil), .linklayer = TC_LINKLAYER_ETHERNET },
		.buffer = c->burst,
		.cbuffer = c->cburst,
		.quantum = c->quantum,
	};
	struct nlattr *options;
	int r = nla_put_string(m, TCA_KIND, "htb");

	options = r < 0 ? NULL : nla_nest_start(m, TCA_OPTIONS);
	r = options ? nla_put(m, TCA_HTB_PARMS, sizeof(o), &o) : -1;
	if (r >= 0 && c->rate > UINT32_MAX)
		r = nla_put_u64(m, TCA_HTB_RATE64, c->rate);
	if (r >= 0 && c->ceil > UINT32_MAX)
		r = nla_put_u64(m, TCA_HTB_CEIL64, c->ceil);
	if (r >= 0)
		(void) nla_nest_end(m, options);
	return r;
}

/* What waits in a class: by default as many packets as the device would have, which may be one. */
static int set_queue(struct nl_sock *s, int ifindex, uint16_t major, const struct shape_class *c)
{
	const struct tc_fifo_qopt o = { .limit = c->queue };
	struct nl_msg *m = begin(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, ifindex,
				 CLASS(major, c->minor), 0);
	int r = m ? nla_put_string(m, TCA_KIND, "bfifo") : -1;

	if (r >= 0)
		r = nla_put(m, TCA_OPTIONS, sizeof(o), &o);
	return finish(s, m, r);
}

int tc_class_set(struct nl_sock *s, int ifindex, uint16_t major, const struct shape_class *c)
{
	uint32_t parent = c->minor == SHAPE_LINK ? TC_H_ROOT : CLASS(major, SHAPE_LINK);
	struct nl_msg *m =
		begin(RTM_NEWTCLASS, NLM_F_CREATE, ifindex, parent, CLASS(major, c->minor));
	int r = finish(s, m, m ? put_class(m, c) : -1);

	if (r == 0 && c->queue)
		r = set_queue(s, ifindex, major, c);
	return r;
}

int tc_class_remove(struct nl_sock *s, int ifindex, uint16_t major, uint32_t minor)
{
	return finish(s, begin(RTM_DELTCLASS, 0, ifindex, 0, CLASS(major, minor)), 0);
}

struct class_list {
	int ifindex;
	uint16_t major;
	struct shape_class *items;
	size_t count, room;
};

static int parse_class(const struct nlmsghdr *h, struct shape_class *ret)
{
	const struct tcmsg *t = nlmsg_data(h);
	struct nlattr *attributes[TCA_MAX + 1], *htb[TCA_HTB_MAX + 1];
	struct tc_htb_opt o;

	if (nlmsg_parse((struct nlmsghdr *) (uintptr_t) h, sizeof(*t), attributes, TCA_MAX, NULL) <
		    0 ||
	    !attributes[TCA_KIND] || nla_strcmp(attributes[TCA_KIND], "htb") != 0 ||
	    !attributes[TCA_OPTIONS] ||
	    nla_parse_nested(htb, TCA_HTB_MAX, attributes[TCA_OPTIONS], NULL) < 0 ||
	    !htb[TCA_HTB_PARMS] || nla_len(htb[TCA_HTB_PARMS]) < (int) sizeof(o))
		return -EPROTO;
	memcpy(&o, nla_data(htb[TCA_HTB_PARMS]), sizeof(o));
	*ret = (struct shape_class){
		.minor = t->tcm_handle & 0xffff,
		.quantum = o.quantum,
		.rate = htb[TCA_HTB_RATE64] ? nla_get_u64(htb[TCA_HTB_RATE64]) : o.rate.rate,
		.ceil = htb[TCA_HTB_CEIL64] ? nla_get_u64(htb[TCA_HTB_CEIL64]) : o.ceil.rate,
		.burst = o.buffer,
		.cburst = o.cbuffer,
	};
	return 0;
}

static int on_class(const struct nlmsghdr *h, void *arg)
{
	struct class_list *l = arg;
	const struct tcmsg *t = nlmsg_data(h);

	if (h->nlmsg_type != RTM_NEWTCLASS || t->tcm_ifindex != l->ifindex ||
	    t->tcm_handle >> 16 != l->major)
		return 0;
	if (l->count == CLASSES_MAX)
		return -EOVERFLOW;
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct shape_class *more = reallocarray(l->items, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->items = more;
		l->room = room;
	}
	return parse_class(h, &l->items[l->count]) < 0 ? 0 : (l->count++, 0);
}

static int by_minor(const void *a, const void *b)
{
	const struct shape_class *x = a, *y = b;

	return (x->minor > y->minor) - (x->minor < y->minor);
}

int tc_classes(struct nl_sock *s, int ifindex, uint16_t major, struct shape_class **ret,
	       size_t *count)
{
	struct class_list l = { .ifindex = ifindex, .major = major };
	int r = read_all(s, begin(RTM_GETTCLASS, NLM_F_DUMP, ifindex, 0, 0), on_class, &l);

	if (r < 0) {
		free(l.items);
		return r;
	}
	if (l.count)
		qsort(l.items, l.count, sizeof(*l.items), by_minor);
	*ret = l.items;
	*count = l.count;
	return 0;
}

/* --- devices --- */

int tc_ifb_add(struct nl_sock *s, const char *name)
{
	const struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_CREATE);
	struct nlattr *info;
	int r = m ? nlmsg_append(m, (void *) (uintptr_t) &up, sizeof(up), NLMSG_ALIGNTO) : -1;

	if (r >= 0)
		r = nla_put_string(m, IFLA_IFNAME, name);
	if (r >= 0)
		r = nla_put_u32(m, IFLA_TXQLEN, IFB_QUEUE);
	info = r < 0 ? NULL : nla_nest_start(m, IFLA_LINKINFO);
	r = info ? nla_put_string(m, IFLA_INFO_KIND, "ifb") : -1;
	if (r >= 0)
		(void) nla_nest_end(m, info);
	r = finish(s, m, r);
	return r < 0 ? r : link_index(name);
}

int tc_link_remove(struct nl_sock *s, int ifindex)
{
	const struct ifinfomsg which = { .ifi_index = ifindex };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_DELLINK, 0);

	return finish(s, m,
		      m ? nlmsg_append(m, (void *) (uintptr_t) &which, sizeof(which), NLMSG_ALIGNTO)
			: -1);
}

static int ask_device(const char *name, unsigned long request, struct ifreq *r)
{
	_cleanup_close_ int fd = sys(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	if (fd < 0)
		return fd;
	memcpy(r->ifr_name, name, strnlen(name, IF_NAMESIZE - 1));
	return sys(ioctl(fd, request, r));
}

/* Devices without a bus have no speed, whatever they say: veth has always 10 Gbit/s. */
uint64_t tc_speed(const char *name)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_cmd settings = { .cmd = ETHTOOL_GSET };
	struct ifreq one = { .ifr_data = (void *) &driver },
		     two = { .ifr_data = (void *) &settings };
	uint32_t mbit;

	if (ask_device(name, SIOCETHTOOL, &one) < 0 || !driver.bus_info[0] ||
	    ask_device(name, SIOCETHTOOL, &two) < 0)
		return UNITS_NONE;
	mbit = ethtool_cmd_speed(&settings);
	return mbit == 0 || mbit > 1000000 ? UNITS_NONE : (uint64_t) mbit * 125000;
}

bool tc_has_header(const char *name)
{
	struct ifreq r = { 0 };

	return ask_device(name, SIOCGIFHWADDR, &r) == 0 &&
	       (r.ifr_hwaddr.sa_family == ARPHRD_ETHER ||
		r.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK);
}
