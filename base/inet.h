/* Internet addresses as text: what keys say, as the bytes that the kernel is given. IPv4 is kept
 * as IPv6 keeps it (::ffff:10.0.0.5), so one kind of address serves both families. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** In network order. */
struct inet_ip {
	uint32_t w[4];
};

#define INET_INTERFACE_MAX 16 /* IFNAMSIZ */
#define INET_TEXT_MAX 64

/** "10.0.0.5", "10.0.0.5/24@eth0", "fd00::5/64@eth0" */
struct inet_address {
	struct inet_ip ip;
	unsigned prefix; /* of its own family; the whole address where none is said */
	char interface[INET_INTERFACE_MAX]; /* to be added to; "": it is there already */
};

/** "10.0.0.0/8", "10.0.0.0/8:443", "[fd00::/8]:443" */
struct inet_peer {
	struct inet_ip ip, mask;
	uint16_t port; /* 0: any */
};

/** "tcp:80", "udp:53" */
struct inet_port {
	uint8_t protocol; /* IPPROTO_* */
	uint16_t port;
};

/** "tcp:8080:80": a port of the host and whose it becomes */
struct inet_forward {
	uint8_t protocol; /* IPPROTO_* */
	uint16_t from, to;
};

bool inet_is_v4(const struct inet_ip *ip);
bool inet_equal(const struct inet_ip *a, const struct inet_ip *b);
/** A single address of either family. @return 0 or -EINVAL. */
[[nodiscard]] int inet_parse_ip(const char *text, struct inet_ip *ret);
/** Only addresses that one host can have for itself: no wildcard, loopback or multicast.
 * @return NULL, or what is wrong with it, to follow the value in a sentence. */
const char *inet_parse_address(const char *text, struct inet_address *ret);
const char *inet_parse_peer(const char *text, struct inet_peer *ret);
const char *inet_parse_port(const char *text, struct inet_port *ret);
const char *inet_parse_forward(const char *text, struct inet_forward *ret);
/** "02:00:0a:00:00:05": of one host, as multicast is none. */
const char *inet_parse_mac(const char *text, uint8_t ret[static 6]);
/** What is allowed as the name of an interface. */
bool inet_is_interface(const char *name);
/** Whether `ip` is in the network that `a` is in, too. */
bool inet_same_network(const struct inet_address *a, const struct inet_ip *ip);
/** The first address of its network that a host can have: 10.0.0.1 of 10.0.0.5/24. */
struct inet_ip inet_first_host(const struct inet_address *a);
/** The length of its prefix, of its own family. */
unsigned inet_prefix(const struct inet_peer *p);
/** As people write it. @return buf */
char *inet_print(const struct inet_ip *ip, char buf[static INET_TEXT_MAX]);
