/* Looking at the kernel: interfaces and addresses that come and go, and what classes there are. And
 * the part of the room's door that is about links. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "netctl/shared.h"

/* --- what comes and goes --- */

#define READS_MAX 64 /* in one go: whoever makes interfaces in a row does not keep us from others */

void shape_listen(struct shape *s, bool on)
{
	if (!s->watch || s->watching == on)
		return;
	if (on)
		(void) nl_socket_add_memberships(s->watch, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
						 RTNLGRP_IPV6_IFADDR, 0);
	else
		(void) nl_socket_drop_memberships(s->watch, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
						  RTNLGRP_IPV6_IFADDR, 0);
	s->watching = on;
}

static bool is_link(const struct shape *s, const char *name)
{
	for (uint32_t i = 0; i < s->link_count; i++)
		if (str_equal(s->links[i].name, name))
			return true;
	return false;
}

static bool link_matters(struct shape *s, struct nlmsghdr *h)
{
	const struct ifinfomsg *m = nlmsg_data(h);
	const struct nlattr *name = nlmsg_find_attr(h, sizeof(*m), IFLA_IFNAME);
	const struct shape_port *p = shape_port(s, m->ifi_index);

	if (h->nlmsg_type == RTM_DELLINK && p) {
		shape_lost(s, m->ifi_index);
		return false; /* when it comes back its addresses tell */
	}
	for (size_t i = 0; h->nlmsg_type == RTM_DELLINK && i < s->port_count; i++)
		if (s->ports[i]->tree[SHAPE_IN].device == m->ifi_index)
			return true;
	if (h->nlmsg_type == RTM_DELLINK || !name)
		return false;
	return p ? !str_equal(p->name, nla_get_string(name)) : is_link(s, nla_get_string(name));
}

static bool address_matters(const struct shape *s, struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = nlmsg_data(h);
	const struct nlattr *local = nlmsg_find_attr(h, sizeof(*m), IFA_LOCAL),
			    *any = local ? local : nlmsg_find_attr(h, sizeof(*m), IFA_ADDRESS);
	struct inet_ip ip = { { 0, 0, htonl(0xffff), 0 } };

	if (!any || nla_len(any) != (m->ifa_family == AF_INET ? 4 : 16))
		return false;
	memcpy(m->ifa_family == AF_INET ? &ip.w[3] : &ip.w[0], nla_data(any),
	       (size_t) nla_len(any));
	for (size_t i = 0; i < s->count; i++)
		for (size_t a = 0; a < s->holders[i]->count; a++)
			if (inet_equal(&s->holders[i]->at[a].ip, &ip))
				return true;
	return false;
}

static bool matters(struct shape *s, struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return nlmsg_valid_hdr(h, sizeof(struct ifinfomsg)) && link_matters(s, h);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return nlmsg_valid_hdr(h, sizeof(struct ifaddrmsg)) && address_matters(s, h);
	default:
		return false;
	}
}

bool shape_hear(struct shape *s)
{
	union {
		struct nlmsghdr header;
		char bytes[32768];
	} b;
	bool any = false;

	for (int i = 0; s->watch && i < READS_MAX; i++) {
		ssize_t n = recv(nl_socket_get_fd(s->watch), &b, sizeof(b), MSG_DONTWAIT);
		int left = (int) n;

		if (n < 0 && errno == ENOBUFS) {
			any = true; /* something was missed */
			continue;
		}
		if (n <= 0)
			break;
		for (struct nlmsghdr *h = &b.header; nlmsg_ok(h, left); h = nlmsg_next(h, &left))
			any = matters(s, h) || any;
	}
	return any && s->watching;
}

/* --- what the kernel has --- */

/* @return false where it is as we made it, or where nothing is shaped. */
static bool differs(const struct shape *s, const struct shape_holder *x, int ifindex,
		    enum shape_way way, struct shape_class *ret)
{
	const struct shape_port *p = shape_port(s, ifindex);
	const struct shape_tree *t = p ? &p->tree[way] : NULL;
	const struct shape_class *had = t ? shape_tree_find(t, shape_minor_of(x)) : NULL;
	struct shape_class *all = NULL;
	bool same = false;
	size_t count = 0;

	if (!had || tc_classes(s->host.tc, t->device, s->host.major, &all, &count) < 0)
		return false;
	*ret = (struct shape_class){ .ceil = UNITS_NONE };
	for (size_t i = 0; i < count; i++) {
		if (all[i].minor != had->minor)
			continue;
		*ret = all[i];
		same = shape_class_equal(had, &all[i]);
	}
	free(all);
	return !same;
}

static void take_class(const struct shape_class *c, uint64_t *reserve, uint64_t *limit)
{
	*reserve = c->rate;
	*limit = c->ceil;
}

int shape_live(struct shape *s, unsigned slot, const struct spec *spec, const char *key,
	       struct buf *out)
{
	const struct shape_holder *x = shape_holder(s, slot);
	struct spec live = { .network = { .reserve = spec->network.reserve,
					  .limit = spec->network.limit,
					  .share = spec->network.share,
					  .burst = spec->network.burst } };
	int devices[SHAPE_DEVICES_MAX];
	size_t n = x ? shape_devices(s, x, devices) : 0;
	struct shape_class c;
	bool any = false;

	if (!str_equal(key, "network.reserve") && !str_equal(key, "network.limit"))
		return -ENOENT;
	for (size_t i = 0; i < n; i++) {
		any = any || shape_port(s, devices[i]);
		if (differs(s, x, devices[i], SHAPE_OUT, &c))
			take_class(&c, &live.network.reserve.out, &live.network.limit.out);
		if (differs(s, x, devices[i], SHAPE_IN, &c))
			take_class(&c, &live.network.reserve.in, &live.network.limit.in);
	}
	return any ? spec_get(&live, key, out, NULL) : -ENOENT;
}

/* --- the door --- */

void shared_mark(struct shared_host *h)
{
	if (h && h->loaded)
		filter_mark(&h->filter, shape_marks(h->shape));
}

int netctl_links(struct netctl_host *h, const char *instance, const struct spec_host *host,
		 struct err *e)
{
	int r = shape_set_host(h->shape, instance, host, e);

	shared_mark(h->shared);
	return r;
}

int netctl_settle_links(struct netctl_host *h, struct err *e)
{
	int r = shape_settle(h->shape, e);

	shared_mark(h->shared);
	return r;
}

int netctl_change(struct netctl_host *h, unsigned slot, const struct spec *to, struct err *e)
{
	struct netctl_shape want[SHAPE_WAYS];
	int r;

	netctl_shape_of(to, want);
	r = shape_change(h->shape, slot, want, e);
	shared_mark(h->shared);
	return r;
}

int netctl_live(struct netctl_host *h, unsigned slot, const struct spec *spec, const char *key,
		struct buf *out)
{
	return shape_live(h->shape, slot, spec, key, out);
}

int netctl_watch_fd(const struct netctl_host *h)
{
	return h->shape->watch ? nl_socket_get_fd(h->shape->watch) : -1;
}

int netctl_watch(struct netctl_host *h, struct err *e)
{
	int r = shape_hear(h->shape) ? shape_refresh(h->shape, e) : 0;

	shared_mark(h->shared);
	return r;
}
