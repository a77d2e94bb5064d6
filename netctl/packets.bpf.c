/* The shared stack's filter, second part: which sockets there are and what can be set of them, and
 * the packets of those that have an address by no hook of filter.bpf.c. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "netctl/common.bpf.h"

enum {
	ICMP = 1,
	TCP = 6,
	UDP = 17,
	ICMPV6 = 58,
	STREAM = 1,
	DGRAM = 2,
	LO = 1, /* the index of "lo", in every namespace */
	EPROTONOSUPPORT_ = -93,
};

/* --- sockets and their options --- */

/* Families other than IPv4 and IPv6 do not come here: they are kept away by the seccomp filter, and
 * by capabilities that count for nothing in the host's network namespace. */
SEC("cgroup/sock_create")
int ward_create(struct bpf_sock *ctx)
{
	struct filter_rules *r = own_rules();
	__u32 type, protocol;

	if (!r)
		return 1;
	type = ctx->type;
	protocol = ctx->protocol;
	if ((type == STREAM && protocol == TCP) || (type == DGRAM && protocol == UDP))
		return 1;
	if (type == DGRAM && (protocol == ICMP || protocol == ICMPV6))
		return r->flags & FILTER_PING ? 1 : refuse(FILTER_NO_SOCKET, FILTER_EPERM);
	return refuse(FILTER_NO_SOCKET,
		      type == STREAM || type == DGRAM ? EPROTONOSUPPORT_ : FILTER_EPERM);
}

SEC("cgroup/setsockopt")
int ward_setsockopt(struct bpf_sockopt *ctx)
{
	struct filter_rules *r = own_rules();

	if (r && filter_option_denied(r, ctx->level, ctx->optname))
		return refuse(FILTER_NO_OPTION, FILTER_EPERM);
	ctx->optlen = 0; /* the value is the caller's, however long */
	return 1;
}

/* --- packets --- */

struct header4 {
	__u8 start[9], protocol, sum[2];
	__u32 source, destination;
};
struct header6 {
	__u8 start[6], protocol, hops;
	struct filter_ip source, destination;
};

enum { NO_IP, LOOK, BOUND };

/* One end of a packet, and whether the rules are to be asked about it: not when it is what the
 * socket has been bound to, for that was decided there. A private loopback of IPv6 is looked at
 * always: other machines could send to it. */
static __always_inline int judge(const struct filter_ip *bound, const struct filter_ip *ip,
				 __u8 protocol)
{
	if (protocol != TCP && protocol != UDP) /* ICMP is bound by no hook */
		return LOOK;
	return filter_same(bound, ip) && ip->w[0] != FILTER_NET32(FILTER_LOOPBACK6_0) ? BOUND
										      : LOOK;
}

static __always_inline int end_of(struct __sk_buff *skb, int incoming, struct filter_ip *ret)
{
	void *data = (void *) (long) skb->data, *end = (void *) (long) skb->data_end;
	struct bpf_sock *sk = skb->sk;
	struct header4 *four = data;
	struct header6 *six = data;
	struct filter_ip bound;
	__u32 bound4;

	if (!sk || data + sizeof(*four) > end)
		return NO_IP;
	/* All of it here: behind a branch a compiler makes one load of two, by pointer sums. */
	bound4 = sk->src_ip4;
	bound.w[0] = sk->src_ip6[0];
	bound.w[1] = sk->src_ip6[1];
	bound.w[2] = sk->src_ip6[2];
	bound.w[3] = sk->src_ip6[3];
	if (four->start[0] >> 4 == 4) {
		*ret = filter_from4(incoming ? four->destination : four->source);
		bound = filter_from4(bound4);
		return judge(&bound, ret, four->protocol);
	}
	if (data + sizeof(*six) > end)
		return NO_IP;
	*ret = incoming ? six->destination : six->source;
	return judge(&bound, ret, six->protocol);
}

static __always_inline void count(struct __sk_buff *skb, __u64 id, enum filter_direction direction,
				  const struct filter_ip *ip)
{
	struct filter_traffic *t = bpf_map_lookup_elem(&ward_traffic, &id);
	enum filter_way way = filter_is4(ip) ? FILTER_BY4 : FILTER_BY6;

	if (!t)
		return;
	if (filter_kind(ip) == FILTER_LOOPBACK)
		way = FILTER_BY_LOOPBACK;
	add(&t->packets[direction][way], 1);
	add(&t->bytes[direction][way], skb->len);
}

static __always_inline __u64 id_of(struct __sk_buff *skb)
{
	return bpf_skb_ancestor_cgroup_id(skb, (int) slot_level);
}

volatile __u32 ward_marking; /* as long as a link is shaped */

SEC("cgroup_skb/egress")
int ward_egress(struct __sk_buff *skb)
{
	struct filter_rules *r = 0;
	struct filter_ip from;
	int what = end_of(skb, 0, &from);
	__u64 id = id_of(skb);

	if (what == BOUND && ward_marking) {
		r = bpf_map_lookup_elem(&ward_contexts, &id);
	} else if (what != BOUND) {
		r = bpf_map_lookup_elem(&ward_contexts, &id);
		if (!r && what == NO_IP)
			return 1;
		/* who has no rules has a stack of its own, or the host's: it may be counted */
		if (r && (what == NO_IP || !filter_is_own(r, &from))) {
			count_refusal(id, FILTER_NO_SOURCE);
			return 0;
		}
	}
	if (r && ward_marking)
		skb->priority = r->priority;
	count(skb, id, FILTER_SENT, &from);
	return 1;
}

static __always_inline int may_come(struct __sk_buff *skb, const struct filter_rules *r,
				    const struct filter_ip *to)
{
	if (filter_is_own_loopback(r, to))
		return skb->ifindex == LO;
	return filter_is_address(r, to) ||
	       (filter_kind(to) == FILTER_GROUP && (r->flags & FILTER_MULTICAST));
}

SEC("cgroup_skb/ingress")
int ward_ingress(struct __sk_buff *skb)
{
	struct filter_rules *r;
	struct filter_ip to;
	int what = end_of(skb, 1, &to);
	__u64 id = id_of(skb);

	if (what != BOUND) {
		r = bpf_map_lookup_elem(&ward_contexts, &id);
		if (!r && what == NO_IP)
			return 1;
		if (r && (what == NO_IP || !may_come(skb, r, &to))) {
			count_refusal(id, FILTER_NO_DESTINATION);
			return 0;
		}
	}
	count(skb, id, FILTER_RECEIVED, &to);
	return 1;
}
