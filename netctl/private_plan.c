/* mode = private as a plan: what the keys say, checked. What depends on this host's interfaces
 * (whose address a bridge has) is known when the context starts. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "netctl/host.h"

/* By the name, so that it is the same at every start and on every host. */
static void mac_of_name(const char *name, uint8_t mac[static 6])
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (const char *p = name; *p; p++)
		h = (h ^ (unsigned char) *p) * UINT64_C(1099511628211);
	h ^= h >> 29;
	mac[0] = 0x02; /* of nobody's making */
	for (unsigned i = 1; i < 6; i++)
		mac[i] = (uint8_t) (h >> (8 * (i - 1)));
}

static int plan_gateways(const struct spec *s, struct netctl_private *p, struct err *e)
{
	const struct strv *v = &s->network.gateways;

	p->no_gateway = v->count && str_equal(v->items[0], "none");
	for (size_t i = 0; !p->no_gateway && i < v->count; i++) {
		struct inet_ip ip;

		if (inet_parse_ip(v->items[i], &ip) < 0)
			return err_set(e, -EINVAL, "network.gateway: \"%s\" is not an address",
				       v->items[i]);
		p->gateways[inet_is_v4(&ip) ? 0 : 1] = ip;
	}
	return 0;
}

static int plan_forwards(const struct spec *s, struct netctl_private *p, struct err *e)
{
	const struct strv *v = &s->network.forwards;

	if (v->count > NETCTL_FORWARDS_MAX)
		return err_set(e, -E2BIG, "network.forward: more than %d", NETCTL_FORWARDS_MAX);
	for (; p->forward_count < v->count; p->forward_count++) {
		const char *text = v->items[p->forward_count];
		const char *what = inet_parse_forward(text, &p->forwards[p->forward_count]);

		if (what)
			return err_set(e, -EINVAL, "network.forward: \"%s\" %s", text, what);
	}
	return 0;
}

int private_plan(const struct spec *s, const struct facts *f, struct netctl_plan *p, struct err *e)
{
	struct netctl_private *x = &p->private;
	const char *what = NULL;
	int r;

	if (!f->net_tables)
		return err_set(
			e, -EOPNOTSUPP,
			"network.mode: private with addresses needs nftables, which this host "
			"lacks or the daemon may not use (see doctor); without network.address "
			"it has loopback only");
	if (s->network.bridge)
		(void) snprintf(x->bridge, sizeof(x->bridge), "%s", s->network.bridge);
	if (s->network.mac)
		what = inet_parse_mac(s->network.mac, x->mac);
	else
		mac_of_name(s->name, x->mac);
	if (what)
		return err_set(e, -EINVAL, "network.mac: \"%s\" %s", s->network.mac, what);
	p->linked = true;
	x->masquerade = s->network.masquerade == SPEC_YES;
	x->contexts = strv_contains(&s->network.allow, "contexts");
	r = plan_gateways(s, x, e);
	return r < 0 ? r : plan_forwards(s, x, e);
}

void private_print(const struct netctl_plan *p, struct buf *out)
{
	const struct netctl_private *x = &p->private;
	char text[INET_TEXT_MAX];

	if (x->bridge[0])
		buf_printf(out, "network private: a namespace of its own, eth0 on bridge %s\n",
			   x->bridge);
	else
		buf_puts(out, "network private: a namespace of its own, eth0 routed by the host\n");
	buf_printf(out, "mac %02x:%02x:%02x:%02x:%02x:%02x\n", x->mac[0], x->mac[1], x->mac[2],
		   x->mac[3], x->mac[4], x->mac[5]);
	for (size_t i = 0; i < p->address_count; i++)
		buf_printf(out, "address %s/%u\n", inet_print(&p->addresses[i].ip, text),
			   p->addresses[i].prefix);
	if (x->no_gateway)
		buf_puts(out, "no gateway\n");
	for (unsigned i = 0; i < 2; i++)
		if (x->gateways[i].w[2] | x->gateways[i].w[3])
			buf_printf(out, "gateway %s\n", inet_print(&x->gateways[i], text));
	for (size_t i = 0; i < x->forward_count; i++)
		buf_printf(out, "forward %s %u of the host to port %u\n",
			   x->forwards[i].protocol == IPPROTO_TCP ? "tcp" : "udp",
			   x->forwards[i].from, x->forwards[i].to);
	if (x->masquerade)
		buf_puts(out, "masquerade\n");
	if (x->contexts)
		buf_puts(out, "other contexts that are allowed the same\n");
}
