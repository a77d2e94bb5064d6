/* Private contexts: who has which interface, address and port of the host.
 *
 * All names follow from the daemon's and the slot's: nothing has to be noted for a daemon to come.
 * It finds the interfaces and bridges by their names and marks, makes the tables anew for the
 * contexts that run on, and removes what is nobody's. A context's interface goes with its
 * namespace; its rules are there before it and go after its last process. */
#include "netctl/private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "netctl/bridge.h"
#include "netctl/firewall.h"
#include "netctl/host.h"
#include "netctl/link.h"
#include "netctl/proxy.h"

struct private_host {
	char prefix[PORT_NAME_MAX]; /* how the names of its ports begin: "w0a1b2c-" */
	char mark[BRIDGE_MARK_MAX]; /* of its bridges */
	struct firewall firewall;
	struct private_list list;
	bool bare; /* there may be bridges of ours that nobody is on */
	pid_t tidying; /* the child that removes them; 0: none */
};

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *s; s++)
		h = (h ^ (unsigned char) *s) * 16777619u;
	return (h >> 24 ^ h) & 0xffffff;
}

/* --- ports --- */

static void *copy(const void *from, size_t count, size_t size, bool *failed)
{
	void *to = count ? reallocarray(NULL, count, size) : NULL;

	if (to)
		memcpy(to, from, count * size);
	*failed = *failed || (count && !to);
	return to;
}

struct private_port *private_port_new(const struct netctl_plan *p, const struct netctl_context *c,
				      const char *prefix)
{
	struct private_port *x = calloc(1, sizeof(*x));
	bool failed = false;

	if (!x)
		return NULL;
	(void) snprintf(x->name, sizeof(x->name), "%s%x", prefix, c->slot);
	(void) snprintf(x->bridge, sizeof(x->bridge), "%s", p->private.bridge);
	x->context = strdup(c->name);
	x->slot = c->slot;
	memcpy(x->mac, p->private.mac, sizeof(x->mac));
	x->masquerade = p->private.masquerade;
	x->contexts = p->private.contexts;
	x->no_gateway = p->private.no_gateway;
	x->multicast = p->multicast;
	x->ping = p->ping;
	x->connect_any = p->connect_any;
	memcpy(x->gateways, p->private.gateways, sizeof(x->gateways));
	x->address_count = p->address_count;
	x->listen_count = p->listen_count;
	x->peer_count = p->peer_count;
	x->forward_count = p->private.forward_count;
	x->addresses = copy(p->addresses, x->address_count, sizeof(*x->addresses), &failed);
	x->listen = copy(p->listen, x->listen_count, sizeof(*x->listen), &failed);
	x->peers = copy(p->peers, x->peer_count, sizeof(*x->peers), &failed);
	x->forwards = copy(p->private.forwards, x->forward_count, sizeof(*x->forwards), &failed);
	if (failed || !x->context) {
		private_port_free(x);
		return NULL;
	}
	return x;
}

void private_port_free(struct private_port *p)
{
	if (!p)
		return;
	free(p->context);
	free(p->addresses);
	free(p->listen);
	free(p->peers);
	free(p->forwards);
	free(p);
}

static bool is_none(const struct inet_ip *ip)
{
	return (ip->w[0] | ip->w[1] | ip->w[2] | ip->w[3]) == 0;
}

bool private_port_gateway(const struct private_port *p, size_t i, struct inet_ip *ret)
{
	const struct inet_address *a = &p->addresses[i];
	const struct inet_ip *declared = &p->gateways[inet_is_v4(&a->ip) ? 0 : 1];

	if (p->no_gateway || !p->bridge[0])
		return false;
	*ret = !is_none(declared) && inet_same_network(a, declared) ? *declared
								    : inet_first_host(a);
	return true;
}

static struct private_port *port_of(const struct private_host *h, unsigned slot)
{
	for (size_t i = 0; i < h->list.count; i++)
		if (h->list.ports[i]->slot == slot)
			return h->list.ports[i];
	return NULL;
}

static struct private_port *list_add(struct private_host *h, const struct netctl_plan *p,
				     const struct netctl_context *c)
{
	struct private_list *l = &h->list;
	struct private_port *x;

	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct private_port **ports = reallocarray(l->ports, room, sizeof(*ports));

		if (!ports)
			return NULL;
		l->ports = ports;
		l->room = room;
	}
	x = private_port_new(p, c, h->prefix);
	if (x)
		l->ports[l->count++] = x;
	return x;
}

static void list_remove(struct private_host *h, const struct private_port *x)
{
	struct private_list *l = &h->list;

	for (size_t i = 0; i < l->count; i++) {
		if (l->ports[i] == x) {
			l->ports[i] = l->ports[--l->count];
			return;
		}
	}
}

const char *private_device(const struct private_host *h, unsigned slot)
{
	const struct private_port *p = port_of(h, slot);

	return p ? p->name : NULL;
}

const char *private_who_has(const struct private_host *h, const struct inet_ip *ip)
{
	for (size_t i = 0; i < h->list.count; i++) {
		const struct private_port *p = h->list.ports[i];

		for (size_t a = 0; !p->leaving && a < p->address_count; a++)
			if (inet_equal(&p->addresses[a].ip, ip))
				return p->context;
	}
	return NULL;
}

/* --- its bridge --- */

/* Ward's bridge is in the network of each context; one of others must have an address in it. */
static int find_gateways(const struct private_port *p, const struct bridge *b,
			 struct inet_ip gateways[static 2], struct err *e)
{
	char text[INET_TEXT_MAX];

	memcpy(gateways, p->gateways, sizeof(p->gateways));
	for (size_t i = 0; i < p->address_count; i++) {
		const struct inet_address *a = &p->addresses[i];
		struct inet_ip *gateway = &gateways[inet_is_v4(&a->ip) ? 0 : 1];
		struct inet_ip own;
		int r;

		if (!private_port_gateway(p, i, &own))
			return 0;
		r = b->ours ? bridge_give(b, p->bridge, &own, a->prefix, e) : 0;
		if (r < 0)
			return r;
		if (!is_none(gateway))
			continue;
		if (!b->ours && bridge_own_address(b->index, a, &own) < 0)
			return err_set(
				e, -EADDRNOTAVAIL,
				"network.gateway: %s has no address in the network of %s/%u; "
				"allowed: an address, or none",
				p->bridge, inet_print(&a->ip, text), a->prefix);
		*gateway = own;
	}
	return 0;
}

static int connect_bridge(const struct private_host *h, const struct private_port *p,
			  struct bridge *b, struct inet_ip gateways[static 2], struct err *e)
{
	int r;

	if (!p->bridge[0])
		return 0;
	r = bridge_take(p->bridge, h->mark, b, e);
	if (r == 0)
		r = find_gateways(p, b, gateways, e);
	for (size_t i = 0; r == 0 && i < p->address_count; i++)
		bridge_forget(b->index, &p->addresses[i].ip);
	return r;
}

static bool is_used(const struct private_host *h, const char *bridge, const struct inet_ip *ip)
{
	for (size_t i = 0; i < h->list.count; i++) {
		const struct private_port *o = h->list.ports[i];

		for (size_t a = 0; str_equal(o->bridge, bridge) && a < o->address_count; a++) {
			struct inet_ip gateway;

			if (!ip ||
			    (private_port_gateway(o, a, &gateway) && inet_equal(&gateway, ip)))
				return true;
		}
	}
	return false;
}

/* Of a port that is in the list no longer. A bridge goes later, as that takes its time; its
 * addresses go now, as they may be wanted elsewhere. */
static void leave_bridge(struct private_host *h, const struct private_port *p)
{
	if (!p->bridge[0])
		return;
	if (!is_used(h, p->bridge, NULL)) {
		if (!bridge_is_left(p->bridge, h->mark, h->prefix))
			return;
		h->bare = true;
	}
	for (size_t i = 0; i < p->address_count; i++) {
		struct inet_ip gateway;

		if (private_port_gateway(p, i, &gateway) && !is_used(h, p->bridge, &gateway))
			bridge_take_back(p->bridge, h->mark, &gateway, p->addresses[i].prefix);
	}
}

/* --- a context comes and goes --- */

/* Whom the host answers for, of those on no bridge. */
static bool is_answered(const struct private_port *p, size_t i)
{
	return !p->bridge[0] && p->addresses[i].interface[0];
}

static int answer(const struct private_port *p, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->address_count; i++)
		if (is_answered(p, i))
			r = proxy_add(&p->addresses[i], e);
	return r;
}

void private_leaving(struct private_host *h, unsigned slot)
{
	struct private_port *p = port_of(h, slot);

	if (!p || p->leaving)
		return;
	p->leaving = true;
	for (size_t i = 0; i < p->address_count; i++)
		if (is_answered(p, i))
			proxy_remove(&p->addresses[i]);
	firewall_withdraw(&h->firewall, &h->list, p);
}

void private_gone(struct private_host *h, unsigned slot)
{
	struct private_port *p = port_of(h, slot);

	if (!p)
		return;
	private_leaving(h, slot);
	list_remove(h, p);
	firewall_remove(&h->firewall, &h->list, p);
	leave_bridge(h, p);
	private_port_free(p);
}

/* It must not remove what is about to be used. */
static void wait_for_tidying(struct private_host *h)
{
	siginfo_t i;

	while (h->tidying > 0 && waitid(P_PID, (id_t) h->tidying, &i, WEXITED | WNOWAIT) < 0 &&
	       errno == EINTR)
		continue;
	h->tidying = 0;
}

static int make(struct private_host *h, const struct private_port *p,
		const struct netctl_plan *plan, const struct netctl_context *c,
		struct port_inside *inside, struct err *e)
{
	struct inet_ip gateways[2] = { { .w = { 0 } } };
	struct bridge b = { .index = 0 };
	struct port_new n = { .name = p->name,
			      .context = p->context,
			      .pid = c->pid,
			      .mac = p->mac,
			      .isolated = !p->contexts,
			      .plan = plan };
	int r = connect_bridge(h, p, &b, gateways, e);

	if (r == 0)
		r = firewall_add(&h->firewall, &h->list, p, e);
	if (r == 0)
		r = fault_point("network-rules", e);
	n.bridge = b.index;
	if (r == 0)
		r = port_make(&n, e);
	if (r == 0)
		r = answer(p, e);
	if (r == 0)
		port_inside_plan(inside, plan, gateways);
	return r;
}

int private_join(struct private_host *h, const struct netctl_plan *plan,
		 const struct netctl_context *c, struct port_inside *inside, struct err *e)
{
	struct private_port *p = list_add(h, plan, c);
	int r = p ? 0 : err_set(e, -ENOMEM, "network: out of memory");

	if (r < 0)
		return r;
	wait_for_tidying(h);
	r = private_check(&h->list, p, e);
	if (r < 0) { /* nothing was made that could be taken from who has it */
		list_remove(h, p);
		private_port_free(p);
		return r;
	}
	r = make(h, p, plan, c, inside, e);
	if (r < 0)
		private_gone(h, c->slot);
	return r;
}

int private_adopt(struct private_host *h, const struct netctl_plan *p,
		  const struct netctl_context *c, struct err *e)
{
	return list_add(h, p, c) ? 0 : err_set(e, -ENOMEM, "network: out of memory");
}

bool private_where(const struct private_host *h, unsigned slot, struct netctl_where *ret)
{
	const struct private_port *p = port_of(h, slot);

	if (!p)
		return false;
	*ret = (struct netctl_where){ .loopback4.w = { 0, 0, htonl(0xffff),
						       htonl(INADDR_LOOPBACK) },
				      .loopback6.w = { 0, 0, 0, htonl(1) } };
	for (size_t i = p->address_count; i-- > 0;)
		*(inet_is_v4(&p->addresses[i].ip) ? &ret->first4 : &ret->first6) =
			p->addresses[i].ip;
	return true;
}

/* --- the host --- */

int private_host_new(const char *instance, struct private_host **ret, struct err *e)
{
	struct private_host *h = calloc(1, sizeof(*h));
	char id[8];

	if (!h)
		return err_set(e, -ENOMEM, "network: out of memory");
	(void) snprintf(id, sizeof(id), "%06x", hash(instance));
	(void) snprintf(h->prefix, sizeof(h->prefix), "w%s-", id);
	bridge_mark(instance, h->mark);
	firewall_init(&h->firewall, id, h->prefix);
	*ret = h;
	return 0;
}

void private_host_free(struct private_host *h)
{
	if (!h)
		return;
	if (private_untidy(h)) {
		wait_for_tidying(h);
		if (private_tidy(h))
			private_tidy_slowly(h);
	}
	for (size_t i = 0; i < h->list.count; i++)
		private_port_free(h->list.ports[i]);
	free(h->list.ports);
	firewall_done(&h->firewall);
	free(h);
}

/* What a daemon that died has left. One interface at a time: what is deleted ends a listing. */
static int find_leftover(const struct port_link *l, void *arg)
{
	const struct private_host *h = ((void **) arg)[0];
	struct port_link *found = ((void **) arg)[1];
	bool left = l->is_bridge && str_equal(l->alias, h->mark) && !is_used(h, l->name, NULL);

	if (strncmp(l->name, h->prefix, strlen(h->prefix)) == 0) {
		left = true;
		for (size_t i = 0; i < h->list.count; i++)
			left = left && !str_equal(h->list.ports[i]->name, l->name);
	}
	if (left && l->index != found->index)
		*found = *l;
	return left;
}

bool private_untidy(const struct private_host *h)
{
	return h->bare || (h->firewall.loaded && h->list.count == 0);
}

bool private_tidy(struct private_host *h)
{
	bool bare = h->bare;

	if (h->firewall.loaded && h->list.count == 0)
		firewall_unload(&h->firewall);
	h->bare = false;
	return bare;
}

void private_tidying(struct private_host *h, pid_t child)
{
	h->tidying = child;
}

void private_tidy_slowly(const struct private_host *h)
{
	struct port_link found = { .index = 0 };
	void *arg[] = { (void *) (uintptr_t) h, &found };
	int last = 0;

	while (port_each(find_leftover, arg) == 1 && found.index != last) {
		last = found.index;
		if (found.is_bridge)
			bridge_drop(found.name, h->mark, h->prefix);
		else if (port_delete(found.index) < 0)
			log_debug("%s was gone already", found.name);
	}
}

static bool is_here(const struct inet_ip *ip, const void *host)
{
	return private_who_has(host, ip) != NULL;
}

int private_settle(struct private_host *h, struct err *e)
{
	if (h->list.count || firewall_is_there()) {
		int r = firewall_settle(&h->firewall, &h->list, e);

		if (r < 0) {
			log_warning("%s",
				    e->text); /* those that run on are more than their walls */
			*e = (struct err){ .code = 0 };
		}
	}
	private_tidy_slowly(h);
	proxy_sweep(is_here, h);
	return 0;
}

int netctl_private_try(struct err *e)
{
	struct private_host *h = NULL;
	struct bridge b;
	int r = private_host_new("try", &h, e);

	if (r == 0)
		r = bridge_take("ward-try", h->mark, &b, e);
	if (r == 0)
		r = firewall_try(&h->firewall, e);
	private_host_free(h);
	return r;
}
