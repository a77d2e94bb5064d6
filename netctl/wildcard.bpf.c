/* The shared stack's filter, third part: a wildcard that stands for several addresses, and for both
 * families. A socket has one address, or all of the host's; so a listener that asked for all of the
 * context's has the first, and connections to the others are led to it, before the kernel looks for
 * a socket of that address. Listeners are found in a map, which they leave when they close. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "netctl/common.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, FILTER_LISTENERS_MAX);
	__type(key, struct filter_listener);
	__type(value, __u64);
} ward_listeners SEC(".maps");

/* Whose address it is: the cgroup, of contexts with several. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FILTER_REACHED_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct filter_ip);
	__type(value, __u64);
} ward_reached SEC(".maps");

enum { TCP = 6, INET = 2 };

static __always_inline void put(struct bpf_sock_ops *ctx, const struct filter_socket *s,
				__u8 family)
{
	struct filter_listener key = { .context = s->context,
				       .port = (__u16) ctx->local_port,
				       .family = family };

	for (__u8 i = 0; i < FILTER_LISTENERS_EACH && s->families & family; i++) {
		key.n = i;
		if (bpf_sock_hash_update(ctx, &ward_listeners, &key, BPF_NOEXIST) == 0)
			break;
	}
}

SEC("sockops")
int ward_listen(struct bpf_sock_ops *ctx)
{
	struct filter_socket *s;
	struct bpf_sock *sk;

	if (ctx->op != BPF_SOCK_OPS_TCP_LISTEN_CB)
		return 1;
	sk = ctx->sk;
	s = sk ? bpf_sk_storage_get(&ward_sockets, sk, 0, 0) : 0;
	if (!s)
		return 1;
	put(ctx, s, FILTER_FOUR);
	put(ctx, s, FILTER_SIX);
	return 1;
}

SEC("sk_lookup")
int ward_lookup(struct bpf_sk_lookup *ctx)
{
	struct filter_listener key = { 0 };
	struct filter_ip to;
	struct bpf_sock *sk;
	__u64 *context;
	long error;

	if (ctx->protocol != TCP)
		return SK_PASS;
	to = filter_from4(ctx->local_ip4);
	if (ctx->family != INET) {
		to.w[0] = ctx->local_ip6[0];
		to.w[1] = ctx->local_ip6[1];
		to.w[2] = ctx->local_ip6[2];
		to.w[3] = ctx->local_ip6[3];
	}
	context = bpf_map_lookup_elem(&ward_reached, &to);
	if (!context)
		return SK_PASS;
	key.context = *context;
	key.port = (__u16) ctx->local_port;
	key.family = ctx->family == INET ? FILTER_FOUR : FILTER_SIX;
	for (__u8 i = 0; i < FILTER_LISTENERS_EACH; i++) {
		key.n = i;
		sk = bpf_map_lookup_elem(&ward_listeners, &key);
		if (!sk)
			continue;
		error = bpf_sk_assign(ctx, sk, 0);
		bpf_sk_release(sk);
		if (!error)
			break;
	}
	return SK_PASS;
}
