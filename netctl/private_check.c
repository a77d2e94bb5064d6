/* What a context with an interface of its own cannot have: what the host or another context has,
 * and what this host would not do for it. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "netctl/link.h"
#include "netctl/private.h"

static int check_hosts(const struct private_port *p, struct err *e)
{
	char text[INET_TEXT_MAX];

	for (size_t i = 0; i < p->address_count; i++) {
		const struct inet_ip *ip = &p->addresses[i].ip;
		struct inet_ip gateway;

		(void) inet_print(ip, text);
		if (private_port_gateway(p, i, &gateway) && inet_equal(&gateway, ip))
			return err_set(e, -EADDRINUSE,
				       "network.address: %s would be that of the bridge; allowed: "
				       "another, or another network.gateway",
				       text);
		if (link_has(ip))
			return err_set(e, -EADDRINUSE,
				       "network.address: %s is held by this host itself", text);
	}
	return 0;
}

static bool same_forward(const struct private_port *a, const struct private_port *b, size_t i)
{
	for (size_t j = 0; j < b->forward_count; j++)
		if (a->forwards[i].protocol == b->forwards[j].protocol &&
		    a->forwards[i].from == b->forwards[j].from)
			return true;
	return false;
}

/* Of two contexts none gets what the other has. */
static int check_others(const struct private_list *all, const struct private_port *p, struct err *e)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct private_port *o = all->ports[i];

		if (o == p || o->leaving)
			continue;
		if (p->bridge[0] && str_equal(o->bridge, p->bridge) &&
		    memcmp(o->mac, p->mac, sizeof(p->mac)) == 0)
			return err_set(e, -EADDRINUSE, "network.mac: it is held by %s", o->context);
		for (size_t f = 0; f < p->forward_count; f++) {
			if (same_forward(p, o, f))
				return err_set(e, -EADDRINUSE,
					       "network.forward: port %u of the host is held by %s",
					       p->forwards[f].from, o->context);
		}
	}
	return 0;
}

/* Whether a service of the host has the port already. */
static bool is_served(const struct inet_forward *f, bool v4)
{
	bool tcp = f->protocol == IPPROTO_TCP;
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(f->from) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(f->from) };
	_cleanup_close_ int fd =
		socket(v4 ? AF_INET : AF_INET6, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	const int one = 1;

	if (fd < 0)
		return false;
	(void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (tcp)
		(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(fd, v4 ? (struct sockaddr *) &four : (struct sockaddr *) &six,
		    v4 ? sizeof(four) : sizeof(six)) < 0 &&
	       errno == EADDRINUSE;
}

static int check_forwarding(const struct private_port *p, const char *file, const char *setting,
			    struct err *e)
{
	_cleanup_free_ char *text = NULL;

	if (file_read_at(AT_FDCWD, file, 16, &text, NULL) >= 0 && text[0] != '0')
		return 0;
	return err_set(e, -ENETUNREACH,
		       "network.%s: this host does not forward packets; allowed with the sysctl %s "
		       "set to 1",
		       p->forward_count ? "forward" : "masquerade", setting);
}

static int check_nat(const struct private_port *p, struct err *e)
{
	bool has[2] = { false, false };
	int r = 0;

	if (!p->forward_count && !p->masquerade)
		return 0;
	for (size_t i = 0; i < p->address_count; i++)
		has[inet_is_v4(&p->addresses[i].ip) ? 0 : 1] = true;
	if (has[0])
		r = check_forwarding(p, "/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward", e);
	if (r == 0 && has[1])
		r = check_forwarding(p, "/proc/sys/net/ipv6/conf/all/forwarding",
				     "net.ipv6.conf.all.forwarding", e);
	for (size_t i = 0; r == 0 && i < p->forward_count; i++)
		if ((has[0] && is_served(&p->forwards[i], true)) ||
		    (has[1] && is_served(&p->forwards[i], false)))
			r = err_set(e, -EADDRINUSE,
				    "network.forward: port %u is held by a service of this host",
				    p->forwards[i].from);
	return r;
}

int private_check(const struct private_list *all, const struct private_port *p, struct err *e)
{
	int r = check_others(all, p, e);

	if (r == 0)
		r = check_hosts(p, e);
	return r < 0 ? r : check_nat(p, e);
}
