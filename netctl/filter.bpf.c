/* The shared stack's filter: what makes contexts on the host's network use their own addresses and
 * nothing else. Here is what happens to addresses; packets.bpf.c has the rest. One set of programs
 * for all contexts of a daemon, attached to the cgroup above them; a context is an entry in a map,
 * found by the id of its cgroup. Cgroups without an entry are left alone.
 *
 * What was decided when an address was bound or a connection made needs no look at every packet.
 * Two ways lead around those hooks: listen(2) or sendto(2) without bind(2) take the wildcard. So
 * the end of a packet that is here is compared with what its socket is bound to, which costs next
 * to nothing, and only where that is something else, or nothing, with the context's addresses. */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "netctl/common.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Of the kernel's own structures, what no stable interface shows. */
struct kernfs_node {
	__u64 id;
} __attribute__((preserve_access_index));
struct cgroup {
	struct kernfs_node *kn;
	struct cgroup *ancestors[1];
} __attribute__((preserve_access_index));
struct cgroup___old { /* before 6.1 */
	__u64 ancestor_ids[1];
} __attribute__((preserve_access_index));
struct sock_cgroup_data {
	struct cgroup *cgroup;
} __attribute__((preserve_access_index));
struct sock_common {
	unsigned char skc_ipv6only : 1;
} __attribute__((preserve_access_index));
struct sock {
	struct sock_common __sk_common;
	struct sock_cgroup_data sk_cgrp_data;
} __attribute__((preserve_access_index));

enum {
	TCP = 6,
	ENETUNREACH_ = -101,
	PRIVILEGED_PORTS = 1024,
	BIND_WITHOUT_CAPABILITY = 3,
};

static __always_inline struct filter_ip user_ip6(const struct bpf_sock_addr *ctx)
{
	struct filter_ip ip = { { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2],
				  ctx->user_ip6[3] } };

	return ip;
}

static __always_inline void set_user_ip6(struct bpf_sock_addr *ctx, const struct filter_ip *ip)
{
	ctx->user_ip6[0] = ip->w[0];
	ctx->user_ip6[1] = ip->w[1];
	ctx->user_ip6[2] = ip->w[2];
	ctx->user_ip6[3] = ip->w[3];
}

/* The kernel's own structure behind a socket as programs are given it: a number, so that it can be
 * read from by what copes with any address. */
static __always_inline struct sock *kernel_sock(struct bpf_sock *given)
{
	struct bpf_sock *volatile kept = given;
	struct sock *sk = 0;

	bpf_probe_read_kernel(&sk, sizeof(sk), (const void *) &kept);
	return sk;
}

static __always_inline int only6(const struct bpf_sock_addr *ctx)
{
	struct sock *sk = kernel_sock(ctx->sk);

	return BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only) != 0;
}

static __always_inline struct filter_socket *noted(struct bpf_sock_addr *ctx, int make)
{
	struct bpf_sock *sk = ctx->sk;

	return sk ? bpf_sk_storage_get(&ward_sockets, sk, 0, make ? BPF_SK_STORAGE_GET_F_CREATE : 0)
		  : 0;
}

/* --- bind --- */

/* A socket is at one address, and the wildcard stands for all: wildcard.bpf.c leads there what
 * comes for the others. */
static __always_inline void note_wildcard(const struct filter_rules *r, struct bpf_sock_addr *ctx,
					  __u32 families)
{
	struct filter_socket *s;

	if (ctx->protocol != TCP || r->count < 2)
		return;
	s = noted(ctx, families != 0);
	if (!s)
		return;
	s->context = own_id();
	s->families = families;
}

static __always_inline int bind_port(const struct filter_rules *r, struct bpf_sock_addr *ctx)
{
	__u16 port = FILTER_HOST16(ctx->user_port);

	if (port == 0 || port >= PRIVILEGED_PORTS)
		return 1;
	return filter_may_listen(r, (__u8) ctx->protocol, port)
		       ? BIND_WITHOUT_CAPABILITY
		       : refuse(FILTER_NO_BIND, FILTER_EACCES);
}

SEC("cgroup/bind4")
int ward_bind4(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip ip;
	int error;

	if (!r)
		return 1;
	ip = filter_from4(ctx->user_ip4);
	note_wildcard(r, ctx, filter_kind(&ip) == FILTER_WILDCARD ? FILTER_FOUR : 0);
	error = filter_bind(r, &ip, 0, 0);
	if (error)
		return refuse(FILTER_NO_BIND, error);
	ctx->user_ip4 = ip.w[3];
	return bind_port(r, ctx);
}

/* A listener of IPv6 at an address of IPv6 is for that family alone, while one at an address of
 * IPv4 is asked for both. Who has no port in mind will connect, and is better off with IPv6. */
static __always_inline int serves_both(const struct filter_rules *r,
				       const struct bpf_sock_addr *ctx)
{
	return ctx->protocol == TCP && ctx->user_port != 0 && r->first4 < r->count &&
	       r->first6 < r->count;
}

SEC("cgroup/bind6")
int ward_bind6(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip ip;
	__u32 families;
	int only, error;

	if (!r)
		return 1;
	ip = user_ip6(ctx);
	only = only6(ctx);
	families = filter_kind(&ip) != FILTER_WILDCARD ? 0
		   : filter_is4(&ip)		       ? FILTER_FOUR
		   : only			       ? FILTER_SIX
						       : FILTER_FOUR | FILTER_SIX;
	note_wildcard(r, ctx, families);
	if (families == (FILTER_FOUR | FILTER_SIX) && serves_both(r, ctx))
		ip = *filter_address(r, r->first4);
	error = filter_bind(r, &ip, 1, only);
	if (error)
		return refuse(FILTER_NO_BIND, error);
	set_user_ip6(ctx, &ip);
	return bind_port(r, ctx);
}

/* --- who is reached by a loopback address --- */

static __always_inline int is_ours(struct bpf_sock *found)
{
	struct sock *sk = kernel_sock(found);
	struct cgroup *cg = BPF_CORE_READ(sk, sk_cgrp_data.cgroup), *slot = 0;
	__u64 own = own_id(), id = 0;
	__u64 level = slot_level & 63;

	if (bpf_core_field_exists(cg->ancestors)) {
		void *at = __builtin_preserve_access_index(&cg->ancestors[0]);

		bpf_probe_read_kernel(&slot, sizeof(slot), at + level * sizeof(slot));
		id = BPF_CORE_READ(slot, kn, id);
	} else {
		struct cgroup___old *old = (struct cgroup___old *) cg;
		void *at = __builtin_preserve_access_index(&old->ancestor_ids[0]);

		bpf_probe_read_kernel(&id, sizeof(id), at + level * sizeof(id));
	}
	return id == own;
}

enum reached { NOBODY, OURS, FOREIGN };

/* Only we can have bound to our addresses; a wildcard is the host's, or what we were given by
 * listen(2) or sendto(2) without bind(2). */
static __always_inline enum reached judge(struct bpf_sock *found, int bound_here)
{
	enum reached result = bound_here || is_ours(found) ? OURS : FOREIGN;

	bpf_sk_release(found);
	return result;
}

static __always_inline enum reached who_is_at4(struct bpf_sock_addr *ctx,
					       const struct filter_ip *ip)
{
	struct bpf_sock_tuple tuple = { .ipv4.daddr = ip->w[3],
					.ipv4.dport = (__u16) ctx->user_port };
	struct bpf_sock *found =
		ctx->protocol == TCP
			? bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0)
			: bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS,
					    0);

	return found ? judge(found, found->src_ip4 == ip->w[3]) : NOBODY;
}

static __always_inline enum reached who_is_at6(struct bpf_sock_addr *ctx,
					       const struct filter_ip *ip)
{
	struct bpf_sock_tuple tuple = { .ipv6.daddr = { ip->w[0], ip->w[1], ip->w[2], ip->w[3] },
					.ipv6.dport = (__u16) ctx->user_port };
	struct bpf_sock *found =
		ctx->protocol == TCP
			? bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0)
			: bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS,
					    0);

	/* The lookup was for this address: what it found has bound to it, or to the wildcard. */
	return found ? judge(found, found->src_ip6[0] != 0) : NOBODY;
}

static __always_inline enum reached who_is_at(struct bpf_sock_addr *ctx, const struct filter_ip *ip)
{
	return filter_is4(ip) ? who_is_at4(ctx, ip) : who_is_at6(ctx, ip);
}

/* A server that has bound to the wildcard is at the context's address, and is to be reached by
 * loopback as well. A server of the host that has bound to the wildcard would answer on any
 * loopback address, and is not. */
static __always_inline int find_on_loopback(const struct filter_rules *r, struct bpf_sock_addr *ctx,
					    struct filter_ip *ip)
{
	__u32 i = filter_is4(ip) ? r->first4 : r->first6;
	enum reached who = who_is_at(ctx, ip);

	if (who == OURS)
		return 0;
	if (i < r->count) {
		struct filter_ip address = *filter_address(r, i);

		if (who_is_at(ctx, &address) == OURS) {
			*ip = address;
			return 0;
		}
	}
	return who == FOREIGN ? FILTER_ECONNREFUSED : 0;
}

/* The destination, changed to what it stands for. @return 0, 1 (to loopback), or an error. */
static __always_inline int destination(const struct filter_rules *r, struct bpf_sock_addr *ctx,
				       struct filter_ip *ip, int six)
{
	int error = filter_reach(r, ip, FILTER_HOST16(ctx->user_port), six);

	if (error || !filter_is_own_loopback(r, ip))
		return error;
	error = find_on_loopback(r, ctx, ip);
	return error ? error : 1;
}

/* Where a packet to `ip` comes from. @return 0 or an error. */
static __always_inline int source(const struct filter_rules *r, const struct filter_ip *ip,
				  int loopback, struct filter_ip *ret)
{
	__u32 i = filter_is4(ip) ? r->first4 : r->first6;

	if (loopback) {
		*ret = filter_is4(ip) ? r->loopback4 : r->loopback6;
		return 0;
	}
	if (i >= r->count)
		return ENETUNREACH_;
	*ret = *filter_address(r, i);
	return 0;
}

/* --- connect --- */

struct sockaddr4 {
	__u16 family, port;
	__u32 ip;
	__u8 zero[8];
};
struct sockaddr6 {
	__u16 family, port;
	__u32 flow, ip[4], scope;
};

static __always_inline int bind_source4(struct bpf_sock_addr *ctx, const struct filter_ip *ip)
{
	struct sockaddr4 a = { .family = 2, .ip = ip->w[3] };

	return bpf_bind(ctx, (struct sockaddr *) &a, sizeof(a));
}

static __always_inline int bind_source6(struct bpf_sock_addr *ctx, const struct filter_ip *ip)
{
	struct sockaddr6 a = { .family = 10, .ip = { ip->w[0], ip->w[1], ip->w[2], ip->w[3] } };

	return bpf_bind(ctx, (struct sockaddr *) &a, sizeof(a));
}

/* Who connects without a source gets one. */
static __always_inline int give_source(const struct filter_rules *r, struct bpf_sock_addr *ctx,
				       const struct filter_ip *to, int loopback, int six)
{
	struct filter_ip from;
	int error;

	if (ctx->sk->src_port != 0) /* sent from without being bound: it has the wildcard */
		return refuse(FILTER_NO_CONNECT, FILTER_EADDRNOTAVAIL);
	error = source(r, to, loopback, &from);
	if (!error)
		error = six ? bind_source6(ctx, &from) : bind_source4(ctx, &from);
	return error ? refuse(FILTER_NO_CONNECT, error) : 1;
}

SEC("cgroup/connect4")
int ward_connect4(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip to;
	int loopback;

	if (!r)
		return 1;
	to = filter_from4(ctx->user_ip4);
	loopback = destination(r, ctx, &to, 0);
	if (loopback < 0)
		return refuse(FILTER_NO_CONNECT, loopback);
	ctx->user_ip4 = to.w[3];
	return ctx->sk->src_ip4 != 0 ? 1 : give_source(r, ctx, &to, loopback, 0);
}

SEC("cgroup/connect6")
int ward_connect6(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip to;
	int loopback;

	if (!r)
		return 1;
	to = user_ip6(ctx);
	loopback = destination(r, ctx, &to, only6(ctx));
	if (loopback < 0)
		return refuse(FILTER_NO_CONNECT, loopback);
	set_user_ip6(ctx, &to);
	if (ctx->sk->src_ip6[0] | ctx->sk->src_ip6[1] | ctx->sk->src_ip6[2] | ctx->sk->src_ip6[3])
		return 1;
	return give_source(r, ctx, &to, loopback, 1);
}

/* --- datagrams --- */

/* A source that was given with the datagram, or by bind(2), must be one's own. */
static __always_inline int message_source(const struct filter_rules *r, const struct filter_ip *to,
					  int loopback, struct filter_ip *from)
{
	enum filter_kind kind = filter_kind(from);

	if (kind == FILTER_WILDCARD)
		return source(r, to, loopback, from);
	if (kind == FILTER_LOOPBACK)
		return filter_to_loopback(r, from, 1);
	return filter_is_address(r, from) ? 0 : FILTER_EADDRNOTAVAIL;
}

/* Who sends to loopback without a connection compares where the answer comes from. */
static __always_inline void note_led(struct bpf_sock_addr *ctx, int led)
{
	struct filter_socket *s = noted(ctx, led);

	if (s && (led || s->led == ctx->user_port))
		s->led = led ? ctx->user_port : 0;
}

static __always_inline int was_led(struct bpf_sock_addr *ctx)
{
	struct filter_socket *s = noted(ctx, 0);

	return s && s->led != 0 && s->led == ctx->user_port;
}

SEC("cgroup/sendmsg4")
int ward_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip to, from;
	int loopback, error;

	if (!r)
		return 1;
	to = filter_from4(ctx->user_ip4);
	loopback = destination(r, ctx, &to, 0);
	if (loopback < 0)
		return refuse(FILTER_NO_SEND, loopback);
	from = filter_from4(ctx->msg_src_ip4);
	error = message_source(r, &to, loopback, &from);
	if (error)
		return refuse(FILTER_NO_SEND, error);
	note_led(ctx, loopback && !filter_same(&to, &r->loopback4));
	ctx->user_ip4 = to.w[3];
	ctx->msg_src_ip4 = from.w[3];
	return 1;
}

SEC("cgroup/sendmsg6")
int ward_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip to, from;
	int loopback, error;

	if (!r)
		return 1;
	to = user_ip6(ctx);
	/* The kernel takes no IPv4 from this hook, so without IPv6 there is no ::1. */
	loopback = destination(r, ctx, &to, 1);
	if (loopback < 0)
		return refuse(FILTER_NO_SEND, loopback);
	if (filter_is4(&to))
		return refuse(FILTER_NO_SEND, FILTER_EADDRNOTAVAIL);
	from.w[0] = ctx->msg_src_ip6[0];
	from.w[1] = ctx->msg_src_ip6[1];
	from.w[2] = ctx->msg_src_ip6[2];
	from.w[3] = ctx->msg_src_ip6[3];
	error = message_source(r, &to, loopback, &from);
	if (error)
		return refuse(FILTER_NO_SEND, error);
	note_led(ctx, loopback && !filter_is_own_loopback(r, &to));
	set_user_ip6(ctx, &to);
	ctx->msg_src_ip6[0] = from.w[0];
	ctx->msg_src_ip6[1] = from.w[1];
	ctx->msg_src_ip6[2] = from.w[2];
	ctx->msg_src_ip6[3] = from.w[3];
	return 1;
}

/* --- what programs are shown --- */

static __always_inline int show4(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip ip;

	if (!r)
		return 1;
	ip = filter_from4(ctx->user_ip4);
	if (filter_show(r, &ip))
		ctx->user_ip4 = ip.w[3];
	return 1;
}

SEC("cgroup/recvmsg4")
int ward_recvmsg4(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip ip;

	if (!r)
		return 1;
	ip = filter_from4(ctx->user_ip4);
	if (was_led(ctx) && filter_is_address(r, &ip))
		ip = r->loopback4;
	if (filter_show(r, &ip))
		ctx->user_ip4 = ip.w[3];
	return 1;
}

SEC("cgroup/recvmsg6")
int ward_recvmsg6(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip ip;

	if (!r)
		return 1;
	ip = user_ip6(ctx);
	if (was_led(ctx) && filter_is_address(r, &ip))
		ip = filter_is4(&ip) ? r->loopback4 : r->loopback6;
	if (filter_show(r, &ip))
		set_user_ip6(ctx, &ip);
	return 1;
}

SEC("cgroup/getsockname4")
int ward_sockname4(struct bpf_sock_addr *ctx)
{
	return show4(ctx);
}

SEC("cgroup/getsockname6")
int ward_sockname6(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_socket *s;
	struct filter_ip ip;

	if (!r)
		return 1;
	ip = user_ip6(ctx);
	s = filter_is4(&ip) ? noted(ctx, 0) : 0;
	if (s && s->families & FILTER_SIX && r->first6 < r->count) {
		ip = *filter_address(r, r->first6);
		set_user_ip6(ctx, &ip);
	}
	if (filter_show(r, &ip))
		set_user_ip6(ctx, &ip);
	return 1;
}

/* Who connected to its loopback was led to its own address: still it is shown what it asked for. */
SEC("cgroup/getpeername4")
int ward_peername4(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip ip, own;

	if (!r)
		return 1;
	ip = filter_from4(ctx->user_ip4);
	own = filter_from4(ctx->sk->src_ip4);
	if (filter_same(&own, &r->loopback4) && filter_is_address(r, &ip))
		ip = r->loopback4;
	if (filter_show(r, &ip))
		ctx->user_ip4 = ip.w[3];
	return 1;
}

SEC("cgroup/getpeername6")
int ward_peername6(struct bpf_sock_addr *ctx)
{
	struct filter_rules *r = own_rules();
	struct filter_ip ip, own;

	if (!r)
		return 1;
	ip = user_ip6(ctx);
	own.w[0] = ctx->sk->src_ip6[0];
	own.w[1] = ctx->sk->src_ip6[1];
	own.w[2] = ctx->sk->src_ip6[2];
	own.w[3] = ctx->sk->src_ip6[3];
	if (filter_is_own_loopback(r, &own) && filter_is_address(r, &ip))
		ip = own;
	if (filter_show(r, &ip))
		set_user_ip6(ctx, &ip);
	return 1;
}
