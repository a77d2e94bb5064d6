/* The filter's decisions, without any helper of the kernel: compiled into its programs and, for
 * the tests, natively. Nothing here looks at anything but its arguments. */
#pragma once

#include "netctl/filter_abi.h"

#define FILTER_INLINE static inline __attribute__((always_inline))

#define FILTER_HOST16(x) ((__u16) __builtin_bswap16((__u16) (x)))
#define FILTER_NET32(x) ((__u32) __builtin_bswap32((__u32) (x)))
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the filter is written for little-endian machines"
#endif

/* The kernel's numbers: a program has no errno.h. */
enum filter_errno {
	FILTER_EPERM = -1,
	FILTER_EACCES = -13,
	FILTER_EADDRNOTAVAIL = -99,
	FILTER_ECONNREFUSED = -111,
};

enum filter_kind { FILTER_WILDCARD, FILTER_LOOPBACK, FILTER_GROUP, FILTER_PLAIN };

FILTER_INLINE int filter_same(const struct filter_ip *a, const struct filter_ip *b)
{
	return a->w[3] == b->w[3] && a->w[2] == b->w[2] && a->w[1] == b->w[1] && a->w[0] == b->w[0];
}

FILTER_INLINE int filter_is4(const struct filter_ip *ip)
{
	return ip->w[2] == FILTER_NET32(0xffff) && ip->w[0] == 0 && ip->w[1] == 0;
}

FILTER_INLINE struct filter_ip filter_from4(__u32 four)
{
	struct filter_ip ip = { { 0, 0, FILTER_NET32(0xffff), four } };

	return ip;
}

/** What sort of address it is; private loopbacks, anybody's, are loopback. */
FILTER_INLINE enum filter_kind filter_kind(const struct filter_ip *ip)
{
	if (filter_is4(ip)) {
		__u8 first = (__u8) ip->w[3];

		return ip->w[3] == 0					  ? FILTER_WILDCARD
		       : first == 127					  ? FILTER_LOOPBACK
		       : (first & 0xf0) == 0xe0 || ip->w[3] == 0xffffffff ? FILTER_GROUP
									  : FILTER_PLAIN;
	}
	if ((ip->w[0] | ip->w[1] | ip->w[2]) == 0)
		return ip->w[3] == 0		     ? FILTER_WILDCARD
		       : ip->w[3] == FILTER_NET32(1) ? FILTER_LOOPBACK
						     : FILTER_PLAIN;
	if (ip->w[0] == FILTER_NET32(FILTER_LOOPBACK6_0) &&
	    ip->w[1] == FILTER_NET32(FILTER_LOOPBACK6_1))
		return FILTER_LOOPBACK;
	return (__u8) ip->w[0] == 0xff ? FILTER_GROUP : FILTER_PLAIN;
}

FILTER_INLINE int filter_has6(const struct filter_rules *r)
{
	return r->loopback6.w[0] != 0;
}

/** Whether this is 127.0.0.1 or ::1, as programs call their own loopback. */
FILTER_INLINE int filter_is_localhost(const struct filter_ip *ip)
{
	return filter_is4(ip)
		       ? ip->w[3] == FILTER_NET32(0x7f000001)
		       : (ip->w[0] | ip->w[1] | ip->w[2]) == 0 && ip->w[3] == FILTER_NET32(1);
}

FILTER_INLINE int filter_is_own_loopback(const struct filter_rules *r, const struct filter_ip *ip)
{
	return filter_same(ip, &r->loopback4) || (filter_has6(r) && filter_same(ip, &r->loopback6));
}

/** The i-th address. The mask says nothing that is not so, but it is what a verifier sees. */
FILTER_INLINE const struct filter_ip *filter_address(const struct filter_rules *r, __u32 i)
{
	return &r->addresses[i & (FILTER_ADDRESSES_MAX - 1)];
}

/** Whether it is one of the context's addresses, its loopback not included. */
FILTER_INLINE int filter_is_address(const struct filter_rules *r, const struct filter_ip *ip)
{
	for (__u32 i = 0; i < FILTER_ADDRESSES_MAX; i++) {
		if (i >= r->count)
			break;
		if (filter_same(ip, filter_address(r, i)))
			return 1;
	}
	return 0;
}

FILTER_INLINE int filter_is_own(const struct filter_rules *r, const struct filter_ip *ip)
{
	return filter_is_address(r, ip) || filter_is_own_loopback(r, ip);
}

/** 127.0.0.1 and ::1 become the context's own. @only6 the socket cannot do IPv4. @return 0 or an
 * error: other loopback addresses are somebody else's. */
FILTER_INLINE int filter_to_loopback(const struct filter_rules *r, struct filter_ip *ip, int only6)
{
	if (filter_is_own_loopback(r, ip))
		return 0;
	if (!filter_is_localhost(ip))
		return FILTER_EADDRNOTAVAIL;
	if (!filter_is4(ip) && filter_has6(r)) {
		*ip = r->loopback6;
		return 0;
	}
	if (!filter_is4(ip) && only6)
		return FILTER_EADDRNOTAVAIL;
	*ip = r->loopback4;
	return 0;
}

/** What a wildcard stands for in the context: the first address of the socket's family; IPv6 that
 * can do IPv4 takes that where there is no other; IPv4 without an address its own loopback. */
FILTER_INLINE int filter_to_address(const struct filter_rules *r, struct filter_ip *ip, int is6,
				    int only6)
{
	__u32 i = is6 ? r->first6 : r->first4;

	if (is6 && i >= r->count && !only6)
		i = r->first4;
	if (i < r->count) {
		*ip = *filter_address(r, i);
		return 0;
	}
	if (is6)
		return FILTER_EADDRNOTAVAIL;
	*ip = r->loopback4;
	return 0;
}

/** bind(2): what the address becomes. @return 0 or an error. */
FILTER_INLINE int filter_bind(const struct filter_rules *r, struct filter_ip *ip, int is6,
			      int only6)
{
	switch (filter_kind(ip)) {
	case FILTER_WILDCARD:
		return filter_to_address(r, ip, is6 && !filter_is4(ip), only6);
	case FILTER_LOOPBACK:
		/* By its true name only those come who bind to each address that there is, and
		 * they take 127.0.0.1 or ::1 as well. */
		return filter_is_localhost(ip) ? filter_to_loopback(r, ip, only6)
					       : FILTER_EADDRNOTAVAIL;
	case FILTER_GROUP:
		return r->flags & FILTER_MULTICAST ? 0 : FILTER_EADDRNOTAVAIL;
	case FILTER_PLAIN:
		break;
	}
	return filter_is_address(r, ip) ? 0 : FILTER_EADDRNOTAVAIL;
}

/** Whether a port below 1024 is granted; @port in host order. */
FILTER_INLINE int filter_may_listen(const struct filter_rules *r, __u8 protocol, __u16 port)
{
	for (__u32 i = 0; i < FILTER_LISTEN_MAX; i++) {
		if (i >= r->listen_count)
			break;
		if (r->listen[i & (FILTER_LISTEN_MAX - 1)].port == port &&
		    r->listen[i & (FILTER_LISTEN_MAX - 1)].protocol == protocol)
			return 1;
	}
	return 0;
}

FILTER_INLINE int filter_matches(const struct filter_peer *p, const struct filter_ip *ip,
				 __u16 port)
{
	return (ip->w[0] & p->mask.w[0]) == p->ip.w[0] && (ip->w[1] & p->mask.w[1]) == p->ip.w[1] &&
	       (ip->w[2] & p->mask.w[2]) == p->ip.w[2] && (ip->w[3] & p->mask.w[3]) == p->ip.w[3] &&
	       (p->port == 0 || p->port == port);
}

/** Whether packets may be sent to a plain address; @port in host order. */
FILTER_INLINE int filter_may_reach(const struct filter_rules *r, const struct filter_ip *ip,
				   __u16 port)
{
	if (r->flags & FILTER_CONNECT_ANY || filter_is_address(r, ip))
		return 1;
	for (__u32 i = 0; i < FILTER_PEERS_MAX; i++) {
		if (i >= r->peer_count)
			break;
		if (filter_matches(&r->peers[i & (FILTER_PEERS_MAX - 1)], ip, port))
			return 1;
	}
	return 0;
}

/** connect(2) and sendto(2): what the destination becomes. A wildcard is the sender's own host, so
 * its loopback. @return 0 or an error. */
FILTER_INLINE int filter_reach(const struct filter_rules *r, struct filter_ip *ip, __u16 port,
			       int only6)
{
	switch (filter_kind(ip)) {
	case FILTER_WILDCARD:
		*ip = filter_is4(ip) || !filter_has6(r) ? r->loopback4 : r->loopback6;
		return 0;
	case FILTER_LOOPBACK:
		return filter_to_loopback(r, ip, only6) < 0 ? FILTER_ECONNREFUSED : 0;
	case FILTER_GROUP:
		return r->flags & FILTER_MULTICAST ? 0 : FILTER_EPERM;
	case FILTER_PLAIN:
		break;
	}
	return filter_may_reach(r, ip, port) ? 0 : FILTER_EPERM;
}

/** What programs are shown of an address: their own loopback by its usual name. */
FILTER_INLINE int filter_show(const struct filter_rules *r, struct filter_ip *ip)
{
	if (filter_same(ip, &r->loopback4)) {
		ip->w[3] = FILTER_NET32(0x7f000001);
		return 1;
	}
	if (filter_has6(r) && filter_same(ip, &r->loopback6)) {
		ip->w[0] = ip->w[1] = ip->w[2] = 0;
		ip->w[3] = FILTER_NET32(1);
		return 1;
	}
	return 0;
}

/** Whether a socket option is kept from contexts. Addresses, devices and marks are not theirs to
 * choose; groups are joined by who may. */
FILTER_INLINE int filter_option_denied(const struct filter_rules *r, int level, int option)
{
	int joins = 0;

	if (level == 1) /* SOL_SOCKET: PRIORITY, BINDTODEVICE, MARK, BINDTOIFINDEX */
		return option == 12 || option == 25 || option == 36 || option == 62;
	if (level ==
	    0) { /* IP: HDRINCL, OPTIONS, FREEBIND, the IPsec pair, TRANSPARENT, UNICAST_IF */
		if (option == 3 || option == 4 || option == 15 || option == 16 || option == 17 ||
		    option == 19 || option == 50)
			return 1;
		joins = option == 32 || option == 35 || option == 39 || option == 41 ||
			(option >= 42 && option <= 48);
	}
	if (level == 41) { /* IPv6: the same, sticky PKTINFO and extension headers */
		if (option == 34 || option == 35 || option == 36 || option == 50 || option == 54 ||
		    option == 55 || option == 57 || option == 59 || option == 75 || option == 76 ||
		    option == 78)
			return 1;
		joins = option == 17 || option == 20 || option == 27 ||
			(option >= 42 && option <= 48);
	}
	return joins && !(r->flags & FILTER_MULTICAST);
}
