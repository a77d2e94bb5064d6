/* The shared stack's filter, second part: which sockets there are and what can be set of them, and
 * the packets of those that have an address by no hook of filter.bpf.c. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "netctl/filter_abi.h"
#include "netctl/filter_match.h"

extern const volatile __u32 slot_level;

extern struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FILTER_CONTEXTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct filter_rules);
} ward_contexts SEC(".maps");

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

static __always_inline struct filter_rules *own_rules(void)
{
	__u64 id = bpf_get_current_ancestor_cgroup_id((int) slot_level);

	return bpf_map_lookup_elem(&ward_contexts, &id);
}

static __always_inline int refuse(int error)
{
	bpf_set_retval(error);
	return 0;
}

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
		return r->flags & FILTER_PING ? 1 : refuse(FILTER_EPERM);
	return refuse(type == STREAM || type == DGRAM ? EPROTONOSUPPORT_ : FILTER_EPERM);
}

SEC("cgroup/setsockopt")
int ward_setsockopt(struct bpf_sockopt *ctx)
{
	struct filter_rules *r = own_rules();

	if (r && filter_option_denied(r, ctx->level, ctx->optname))
		return refuse(FILTER_EPERM);
	ctx->optlen = 0; /* the value is the caller's, however long */
	return 1;
}

/* --- packets --- */

static __always_inline struct filter_rules *rules_of(struct __sk_buff *skb)
{
	__u64 id = bpf_skb_ancestor_cgroup_id(skb, (int) slot_level);

	return bpf_map_lookup_elem(&ward_contexts, &id);
}

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

SEC("cgroup_skb/egress")
int ward_egress(struct __sk_buff *skb)
{
	struct filter_rules *r;
	struct filter_ip from;
	int what = end_of(skb, 0, &from);

	if (what == BOUND)
		return 1;
	r = rules_of(skb);
	return !r || (what == LOOK && filter_is_own(r, &from));
}

SEC("cgroup_skb/ingress")
int ward_ingress(struct __sk_buff *skb)
{
	struct filter_rules *r;
	struct filter_ip to;
	int what = end_of(skb, 1, &to);

	if (what == BOUND)
		return 1;
	r = rules_of(skb);
	if (!r)
		return 1;
	if (what == NO_IP)
		return 0;
	if (filter_is_own_loopback(r, &to))
		return skb->ifindex == LO;
	return filter_is_address(r, &to) ||
	       (filter_kind(&to) == FILTER_GROUP && (r->flags & FILTER_MULTICAST));
}
