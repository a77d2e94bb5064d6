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
		.help = "The network seen: none or private (a stack of its own that has loopback "
			"only); the host's, unconfined (ports below 1024 of the host's then need "
			"`ids = none`); or the host's, of which the context can use its own "
			"addresses and a loopback of its own (shared, see NETWORK).",
	},
	{
		.section = "network",
		.name = "address",
		WORDS(network.addresses),
		.check = value_check_address,
		.fallback = "",
		.allowed = "ADDRESS or ADDRESS/PREFIX of this host, or ADDRESS/PREFIX@INTERFACE, "
			   "at most 16",
		.help = "The addresses of a context with mode = shared, IPv4 and IPv6, which needs "
			"at least one; several may stand on one line. No two contexts can have the "
			"same. With an interface, an address that the host lacks is added to it "
			"while the context runs. A wildcard stands for all of them when a TCP "
			"server listens there, else for the first of its family.",
	},
	{
		.section = "network",
		.name = "listen",
		WORDS(network.listen),
		.check = value_check_port,
		.fallback = "",
		.allowed = "tcp:PORT or udp:PORT, at most 32",
		.help = "Ports below 1024 that a context with mode = shared may bind to on its "
			"addresses, whoever runs its programs. Others need no leave.",
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
		.help = "Where a context with mode = shared may connect and send datagrams to, "
			"besides itself; empty is any. Connections made to it are not affected.",
	},
	{
		.section = "network",
		.name = "allow",
		WORDS(network.allow),
		.check = value_check_allow,
		.fallback = "",
		.allowed = "multicast, ping",
		.help = "What a context with mode = shared is refused unless it stands here: to "
			"join groups and send to them or to all (multicast), ICMP echo sockets "
			"(ping), which must be bound to an own address as by ping -I, as far as "
			"the "
			"host's net.ipv4.ping_group_range has its users.",
	},
	{
		.section = "network",
		.name = "dns",
		WORDS(network.dns),
		.check = value_check_ip,
		.fallback = "",
		.allowed = "addresses",
		.help = "The name servers in /etc/resolv.conf of a context with mode = shared. "
			"Empty: the host's file.",
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
