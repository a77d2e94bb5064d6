/* The keys of [network]: who a context is on the network, and whom it may talk to. */
#include "spec/choices.h"
#include "spec/row.h"
#include "spec/shorthand.h"
#include "spec/values.h"

static const struct row network[] = {
	{
		.section = "network",
		.name = "mode",
		WORD(network.mode, enum spec_network, choice_network),
		.fallback = "none",
		.allowed = "none, private, host, shared",
		.help = "The network seen: none (a stack of its own that has loopback only); "
			"private (a stack of its own that has loopback and, where it has an "
			"address, an interface, eth0); the host's, unconfined (ports below 1024 "
			"of the host's then need `ids = none`); or the host's, of which the "
			"context can use its own addresses and a loopback of its own (shared). "
			"See NETWORK.",
	},
	{
		.section = "network",
		.name = "address",
		WORDS(network.addresses),
		.check = value_check_address,
		.fallback = "",
		.allowed = "ADDRESS or ADDRESS/PREFIX, with mode = shared of this host, or "
			   "ADDRESS/PREFIX@INTERFACE, at most 16",
		.help = "The addresses of the context, IPv4 and IPv6; several may stand on one "
			"line. No two contexts can have the same. With mode = shared, which needs "
			"at least one: an address with an interface that the host lacks is added "
			"to it while the context runs; a wildcard stands for all of them when a "
			"TCP server listens there, else for the first of its family. With mode = "
			"private: those of its eth0; with `bridge` in networks, as in "
			"10.0.0.5/24, without one single ones, as in 10.0.0.5; for one with an "
			"interface the host answers there while the context runs.",
	},
	{
		.section = "network",
		.name = "listen",
		WORDS(network.listen),
		.check = value_check_port,
		.fallback = "",
		.allowed = "tcp:PORT or udp:PORT, at most 32",
		.help = "Ports below 1024 that a context with mode = shared may bind to on its "
			"addresses, whoever runs its programs. With mode = private: those at which "
			"it can be reached; without any, all. Others need no leave.",
	},
	{
		.section = "network",
		.name = "connect",
		WORDS(network.connect),
		.check = value_check_peer,
		.fallback = "",
		.allowed =
			"any, none, or networks such as 10.0.0.0/8 10.1.2.3:5432 [fd00::/8]:443, "
			"at most 32",
		.help = "Where the context may connect and send datagrams to, besides itself; "
			"empty is any. Connections made to it are not affected. With mode = shared "
			"other attempts fail; with mode = private their packets are lost.",
	},
	{
		.section = "network",
		.name = "allow",
		WORDS(network.allow),
		.check = value_check_allow,
		.fallback = "",
		.allowed = "multicast, ping, contexts",
		.help = "What a context is refused unless it stands here: to send to groups or to "
			"all (multicast; with mode = shared to join groups as well); ICMP echo "
			"sockets (ping), with mode = shared bound to an own address as by ping -I "
			"and as far as the host's net.ipv4.ping_group_range has its users; with "
			"mode = private other contexts that are allowed the same (contexts; with "
			"mode = shared they are reached as `connect` says).",
	},
	{
		.section = "network",
		.name = "dns",
		WORDS(network.dns),
		.check = value_check_ip,
		.fallback = "",
		.allowed = "addresses",
		.help = "The name servers in /etc/resolv.conf of a context that has an address. "
			"Empty: the host's file.",
	},
	{
		.section = "network",
		.name = "bridge",
		TEXT(network.bridge),
		.check = value_check_interface,
		.fallback = "",
		.allowed = "an interface's name",
		.help = "With mode = private: the bridge that the context is connected to. One "
			"that is not there is made, and removed after its last context; one that "
			"is there and not Ward's gets ports and nothing else. Empty: the host "
			"routes to the context's addresses.",
	},
	{
		.section = "network",
		.name = "gateway",
		WORDS(network.gateways),
		.check = value_check_gateway,
		.fallback = "",
		.allowed = "none, or an address of each family",
		.help = "With `bridge`: through whom the context reaches what is not on its "
			"bridge. Empty: the bridge's own address; that of a bridge that Ward makes "
			"is the first of the context's network (10.0.0.1 for 10.0.0.5/24), or this "
			"one. none: nobody, and a bridge that Ward makes has no address for it.",
	},
	{
		.section = "network",
		.name = "mac",
		TEXT(network.mac),
		.check = value_check_mac,
		.fallback = "",
		.allowed = "02:00:00:00:00:05",
		.help = "With mode = private: the hardware address of eth0. Empty: one that is "
			"made from the context's name, and so always the same.",
	},
	{
		.section = "network",
		.name = "forward",
		WORDS(network.forwards),
		.check = value_check_forward,
		.fallback = "",
		.allowed = "tcp:PORT:PORT or udp:PORT:PORT, at most 32",
		.help = "With mode = private: ports of this host (the first) that are ports of the "
			"context's first address of each family (the second), as in tcp:8080:80. "
			"The host must forward packets (net.ipv4.ip_forward).",
	},
	{
		.section = "network",
		.name = "masquerade",
		WORD(network.masquerade, enum spec_answer, choice_answer),
		.fallback = "no",
		.allowed = "no, yes",
		.help = "With mode = private: whether what the context sends through this host has "
			"the host's address. The host must forward packets.",
	},
	{
		.section = "network",
		.name = "reserve",
		WAYS(row_way_rate, network.reserve),
		.max = WAY_RATE_MAX,
		.live = true,
		.fallback = "0Kbit",
		.allowed = "0Kbit, 8Kbit..1Tbit, or out RATE in RATE, at most the limit",
		.help = "What is there of a link whenever it is wanted, whatever others send; see "
			"SHAPING.",
	},
	{
		.section = "network",
		.name = "share",
		WAYS(row_way_share, network.share),
		.min = 1,
		.max = 1000,
		.live = true,
		.fallback = "100",
		.allowed = "1..1000, or out NUMBER in NUMBER",
		.help = "The weight against other contexts and the host in what is left of a link.",
	},
	{
		.section = "network",
		.name = "limit",
		WAYS(row_way_rate, network.limit),
		.min = WAY_RATE_MIN,
		.max = WAY_RATE_MAX,
		.endless = true,
		.live = true,
		.fallback = "max",
		.allowed = "8Kbit..1Tbit, max, or out RATE in RATE",
		.help = "What is sent and received in a second, at most, with the headers of "
			"links; "
			"both ways alike, or each for itself: out 100Mbit in 50Mbit.",
	},
	{
		.section = "network",
		.name = "burst",
		WAYS(row_way_bytes, network.burst),
		.max = UINT64_C(1) << 30,
		.live = true,
		.fallback = "0",
		.allowed = "0..1G, or out SIZE in SIZE, at most what the limit grants in ten "
			   "seconds",
		.help = "What may be saved while idle and sent or received above the limit.",
	},
};
const struct row_section keys_network = { network, ARRAY_SIZE(network) };
