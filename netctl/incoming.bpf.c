/* What comes to a link on which contexts are shaped: led to an ifb device, each packet with the
 * class of the context that has its destination, and from there on its way as if nothing had been.
 * One program for all links, two maps, whatever the number of contexts. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "netctl/filter_match.h"

char LICENSE[] SEC("license") = "GPL";

enum { IPV4 = 0x0800, IPV6 = 0x86dd, DESTINATION4 = 16, DESTINATION6 = 24 };

/* An interface's ifb. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FILTER_CONTEXTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} ward_links SEC(".maps");

/* An address's class, as a priority. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FILTER_CONTEXTS_MAX *FILTER_ADDRESSES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct filter_ip);
	__type(value, __u32);
} ward_classes SEC(".maps");

static __always_inline int destination(struct __sk_buff *skb, struct filter_ip *ret)
{
	__u32 four;

	if (skb->protocol == FILTER_HOST16(IPV6))
		return bpf_skb_load_bytes_relative(skb, DESTINATION6, ret, sizeof(*ret),
						   BPF_HDR_START_NET);
	if (skb->protocol != FILTER_HOST16(IPV4) ||
	    bpf_skb_load_bytes_relative(skb, DESTINATION4, &four, sizeof(four), BPF_HDR_START_NET) <
		    0)
		return -1;
	*ret = filter_from4(four);
	return 0;
}

SEC("tc")
int ward_incoming(struct __sk_buff *skb)
{
	__u32 device = skb->ifindex;
	__u32 *ifb = bpf_map_lookup_elem(&ward_links, &device), *class;
	struct filter_ip ip = { 0 };

	if (!ifb || destination(skb, &ip) < 0)
		return TC_ACT_UNSPEC;
	class = bpf_map_lookup_elem(&ward_classes, &ip);
	skb->priority = class ? *class : 0;
	return (int) bpf_redirect(*ifb, 0);
}
