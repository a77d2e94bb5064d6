/* What the filter's programs and the daemon both know: the rules of a context as they stand in a
 * map. Addresses of both families in one form, IPv4 as ::ffff:10.0.0.5, in network order. */
#pragma once

#include <linux/types.h>

#define FILTER_CONTEXTS_MAX 16384
#define FILTER_ADDRESSES_MAX 16
#define FILTER_LISTEN_MAX 32
#define FILTER_PEERS_MAX 32

struct filter_ip {
	__u32 w[4];
};

enum filter_flags {
	FILTER_CONNECT_ANY = 1, /* no list of peers */
	FILTER_MULTICAST = 2,
	FILTER_PING = 4, /* ICMP echo sockets */
};

struct filter_listen {
	__u16 port; /* host order */
	__u8 protocol; /* IPPROTO_* */
	__u8 unused;
};

struct filter_peer {
	struct filter_ip ip, mask;
	__u16 port; /* host order; 0: any */
	__u16 unused;
};

struct filter_rules {
	__u32 flags;
	__u32 count; /* of addresses */
	__u32 first4, first6; /* which stand for the wildcard of a family; `count`: none */
	struct filter_ip addresses[FILTER_ADDRESSES_MAX];
	struct filter_ip loopback4, loopback6; /* its own; loopback6 is all zeros without IPv6 */
	__u32 listen_count, peer_count;
	struct filter_listen listen[FILTER_LISTEN_MAX];
	struct filter_peer peers[FILTER_PEERS_MAX];
	/* Not for the programs: what a daemon that finds this entry has to take away again. */
	__u32 added; /* bits: addresses that Ward put on an interface */
	__u32 loopback6_added;
	__u32 interfaces[FILTER_ADDRESSES_MAX]; /* index, and the prefix length << 24 */
	__u32 slot;
	__u32 priority; /* of its packets, by which HTB knows its class */
};
_Static_assert(sizeof(struct filter_rules) ==
		       16 + 16 * (FILTER_ADDRESSES_MAX + 2) + 8 + 4 * FILTER_LISTEN_MAX +
			       36 * FILTER_PEERS_MAX + 8 + 4 * FILTER_ADDRESSES_MAX + 8,
	       "no hidden padding: a map is taken over by another daemon");

/* What a context sent and received, each CPU's part; what was refused to it, and by what. */
enum filter_direction { FILTER_RECEIVED, FILTER_SENT, FILTER_DIRECTIONS };
enum filter_way { FILTER_BY4, FILTER_BY6, FILTER_BY_LOOPBACK, FILTER_WAYS };
enum filter_refusal {
	FILTER_NO_SOCKET, /* a kind of socket */
	FILTER_NO_OPTION, /* a socket option */
	FILTER_NO_BIND, /* an address or a port */
	FILTER_NO_CONNECT, /* a peer, by connect(2) */
	FILTER_NO_SEND, /* a peer or a source, of a datagram */
	FILTER_NO_SOURCE, /* a packet that would leave with another's address */
	FILTER_NO_DESTINATION, /* a packet that came for another's address */
	FILTER_REFUSALS
};
struct filter_traffic {
	__u64 packets[FILTER_DIRECTIONS][FILTER_WAYS];
	__u64 bytes[FILTER_DIRECTIONS][FILTER_WAYS];
	__u64 refused[FILTER_REFUSALS];
};
_Static_assert(sizeof(struct filter_traffic) % 8 == 0, "as wide as a CPU's part is");

/* What is remembered of a socket of a context. */
enum filter_families { FILTER_FOUR = 1, FILTER_SIX = 2 };
struct filter_socket {
	__u64 context; /* bound to the wildcard: the cgroup, whose addresses it all stands for */
	__u32 families; /* of the wildcard: enum filter_families */
	__u32 led; /* the port at its own address, when it had asked for loopback; network order */
};

/* Where a listener on the wildcard is found: there are several with SO_REUSEPORT, or while one
 * takes over from another. */
#define FILTER_LISTENERS_MAX 16384
#define FILTER_LISTENERS_EACH 4
struct filter_listener {
	__u64 context;
	__u16 port; /* host order */
	__u8 family; /* one of enum filter_families */
	__u8 n;
	__u32 unused;
};
#define FILTER_REACHED_MAX 65536

/** The sixteen bits after fd of the network that private IPv6 loopbacks come from. */
#define FILTER_LOOPBACK6_0 0xfd576172u
#define FILTER_LOOPBACK6_1 0x64000000u
