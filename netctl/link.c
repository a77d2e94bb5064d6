/* A socket a call: addresses are added when a context with `ADDRESS/PREFIX@INTERFACE` starts, and
 * that is seldom enough. */
#include "netctl/link.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

int link_index(const char *name)
{
	unsigned index = if_nametoindex(name);

	return index ? (int) index : -ENODEV;
}

/* libnl has numbers of its own. */
int link_errno(int nl)
{
	switch (nl < 0 ? -nl : nl) {
	case 0:
		return 0;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_NOADDR:
		return -EADDRNOTAVAIL;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_BUSY:
		return -EBUSY;
	case NLE_NODEV:
		return -ENODEV;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

static struct rtnl_addr *make_address(int index, const struct inet_ip *ip, unsigned prefix)
{
	bool v4 = inet_is_v4(ip);
	struct rtnl_addr *a = rtnl_addr_alloc();
	struct nl_addr *local =
		nl_addr_build(v4 ? AF_INET : AF_INET6, v4 ? &ip->w[3] : &ip->w[0], v4 ? 4 : 16);

	if (a && local) {
		nl_addr_set_prefixlen(local, (int) prefix);
		rtnl_addr_set_ifindex(a, index);
		if (!v4) {
			/* Else it could not be bound to for a second or two; and the host shall
			 * not take it for a source of its own. */
			rtnl_addr_set_flags(a, IFA_F_NODAD);
			rtnl_addr_set_preferred_lifetime(a, 0);
			rtnl_addr_set_valid_lifetime(a, UINT32_MAX);
		}
		if (rtnl_addr_set_local(a, local) == 0) {
			nl_addr_put(local);
			return a;
		}
	}
	if (local)
		nl_addr_put(local);
	if (a)
		rtnl_addr_put(a);
	return NULL;
}

static int change(int index, const struct inet_ip *ip, unsigned prefix, bool add)
{
	struct rtnl_addr *a = make_address(index, ip, prefix);
	struct nl_sock *s = nl_socket_alloc();
	int r = a && s ? nl_connect(s, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r == 0)
		r = add ? rtnl_addr_add(s, a, NLM_F_EXCL) : rtnl_addr_delete(s, a, 0);
	if (s)
		nl_socket_free(s);
	if (a)
		rtnl_addr_put(a);
	return link_errno(r);
}

int link_add(int index, const struct inet_ip *ip, unsigned prefix)
{
	return change(index, ip, prefix, true);
}

int link_remove(int index, const struct inet_ip *ip, unsigned prefix)
{
	return change(index, ip, prefix, false);
}

bool link_has(const struct inet_ip *ip)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr = { ip->w[3] } };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	bool v4 = inet_is_v4(ip);
	_cleanup_close_ int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(&six.sin6_addr, ip, sizeof(six.sin6_addr));
	return fd >= 0 && bind(fd, v4 ? (struct sockaddr *) &four : (struct sockaddr *) &six,
			       v4 ? sizeof(four) : sizeof(six)) == 0;
}
