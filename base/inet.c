/* Reads and prints addresses. Everything is checked to the last character: what is behind a valid
 * address is an error, never skipped. */
#include "base/inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

bool inet_is_v4(const struct inet_ip *ip)
{
	return ip->w[0] == 0 && ip->w[1] == 0 && ip->w[2] == htonl(0xffff);
}

bool inet_equal(const struct inet_ip *a, const struct inet_ip *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int inet_parse_ip(const char *text, struct inet_ip *ret)
{
	struct inet_ip ip = { .w = { 0, 0, htonl(0xffff), 0 } };

	if (inet_pton(AF_INET, text, &ip.w[3]) == 1) {
		*ret = ip;
		return 0;
	}
	/* Written as IPv6, a mapped address would be the same thing by another name. */
	if (inet_pton(AF_INET6, text, &ip) != 1 || inet_is_v4(&ip))
		return -EINVAL;
	*ret = ip;
	return 0;
}

char *inet_print(const struct inet_ip *ip, char buf[static INET_TEXT_MAX])
{
	bool v4 = inet_is_v4(ip);

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &ip->w[3] : &ip->w[0], buf, INET_TEXT_MAX))
		buf[0] = '\0';
	return buf;
}

/* "ADDRESS" or "ADDRESS/PREFIX" in text[0..len). */
static bool parse_network(const char *text, size_t len, struct inet_ip *ip, unsigned *prefix)
{
	char copy[INET_TEXT_MAX];
	uint64_t bits;
	char *slash;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (inet_parse_ip(copy, ip) < 0)
		return false;
	bits = inet_is_v4(ip) ? 32 : 128;
	if (slash && units_parse_u64(slash + 1, 0, bits, &bits) < 0)
		return false;
	*prefix = (unsigned) bits;
	return true;
}

/* --- ADDRESS[/PREFIX@INTERFACE] --- */

static bool is_one_hosts(const struct inet_ip *ip)
{
	uint32_t first = ntohl(ip->w[0]), last = ntohl(ip->w[3]);

	if (inet_is_v4(ip))
		return last >> 24 != 0 && last >> 24 != 127 && last >> 28 < 14;
	if (first == 0 && ip->w[1] == 0 && ip->w[2] == 0 && last <= 1)
		return false; /* :: and ::1 */
	/* fe80::/10 means nothing without a link; ff00::/8 is of many. */
	return first >> 24 != 0xff && first >> 22 != 0x3fa;
}

bool inet_is_interface(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= INET_INTERFACE_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~' || strchr("/:%\"", name[i]))
			return false;
	return true;
}

const char *inet_parse_address(const char *text, struct inet_address *ret)
{
	size_t len = strcspn(text, "@");
	const char *interface = text[len] ? text + len + 1 : NULL;
	struct inet_address a = { .prefix = 0 };

	if (!parse_network(text, len, &a.ip, &a.prefix))
		return "is not an address";
	if (!is_one_hosts(&a.ip))
		return "is not an address that a host can have for its own";
	if (interface) {
		if (!inet_is_interface(interface))
			return "names no interface after the @";
		if (!memchr(text, '/', len))
			return "has no prefix length before the @";
		if (a.prefix == 0)
			return "has a prefix length of 0";
		memcpy(a.interface, interface, strlen(interface) + 1);
	}
	*ret = a;
	return NULL;
}

/* --- CIDR[:PORT] --- */

static struct inet_ip mask_of(bool v4, unsigned prefix)
{
	struct inet_ip mask = { { 0 } };
	unsigned bits = prefix + (v4 ? 96 : 0);

	for (unsigned i = 0; i < 4 && bits > 0; i++) {
		unsigned n = bits > 32 ? 32 : bits;

		mask.w[i] = htonl(n == 32 ? UINT32_MAX : ~(UINT32_MAX >> n));
		bits -= n;
	}
	return mask;
}

unsigned inet_prefix(const struct inet_peer *p)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < 4; i++)
		bits += (unsigned) __builtin_popcount(p->mask.w[i]);
	return inet_is_v4(&p->ip) && bits >= 96 ? bits - 96 : bits;
}

/* @return where the network ends and sets `*port` to what follows its colon, or to NULL. */
static const char *split_peer(const char **text, const char **port)
{
	const char *end, *colon = strchr(*text, ':');

	*port = NULL;
	if (**text == '[') {
		end = strchr(++*text, ']');
		if (end && end[1] == ':')
			*port = end + 2;
		return end && (end[1] == ':' || end[1] == '\0') ? end : NULL;
	}
	if (!colon || strchr(colon + 1, ':')) /* several: IPv6 without a port */
		return *text + strlen(*text);
	*port = colon + 1;
	return colon;
}

const char *inet_parse_peer(const char *text, struct inet_peer *ret)
{
	const char *port, *end = split_peer(&text, &port);
	struct inet_peer p = { .port = 0 };
	unsigned prefix;
	uint64_t number;

	if (!end || !parse_network(text, (size_t) (end - text), &p.ip, &prefix))
		return "is not a network";
	if (port) {
		if (units_parse_u64(port, 1, UINT16_MAX, &number) < 0)
			return "has no port after its colon";
		p.port = (uint16_t) number;
	}
	p.mask = mask_of(inet_is_v4(&p.ip), prefix);
	for (unsigned i = 0; i < 4; i++)
		if (p.ip.w[i] & ~p.mask.w[i])
			return "has bits beyond its prefix length";
	*ret = p;
	return NULL;
}

/* --- PROTOCOL:PORT --- */

const char *inet_parse_port(const char *text, struct inet_port *ret)
{
	bool tcp = strncmp(text, "tcp:", 4) == 0, udp = strncmp(text, "udp:", 4) == 0;
	uint64_t number;

	if (!tcp && !udp)
		return "is not tcp:PORT or udp:PORT";
	if (units_parse_u64(text + 4, 1, UINT16_MAX, &number) < 0)
		return "has no port from 1 to 65535";
	*ret = (struct inet_port){ .protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP,
				   .port = (uint16_t) number };
	return NULL;
}

/* --- PROTOCOL:PORT:PORT --- */

const char *inet_parse_forward(const char *text, struct inet_forward *ret)
{
	const char *last = strrchr(text, ':');
	struct inet_port from;
	char head[16];
	uint64_t to;

	if (!last || (size_t) (last - text) >= sizeof(head))
		return "is not tcp:PORT:PORT or udp:PORT:PORT";
	memcpy(head, text, (size_t) (last - text));
	head[last - text] = '\0';
	if (inet_parse_port(head, &from) || units_parse_u64(last + 1, 1, UINT16_MAX, &to) < 0)
		return "is not tcp:PORT:PORT or udp:PORT:PORT, with ports from 1 to 65535";
	*ret = (struct inet_forward){ .protocol = from.protocol,
				      .from = from.port,
				      .to = (uint16_t) to };
	return NULL;
}

/* --- MAC --- */

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c | 0x20);

	return c && at && strchr("0123456789abcdefABCDEF", c) ? (int) (at - digits) : -1;
}

const char *inet_parse_mac(const char *text, uint8_t ret[static 6])
{
	static const uint8_t nobody[6];
	uint8_t mac[6];

	if (strlen(text) != 17)
		return "is not six pairs of hex digits with colons between";
	for (size_t i = 0; i < 6; i++) {
		int high = hex(text[3 * i]), low = hex(text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return "is not six pairs of hex digits with colons between";
		mac[i] = (uint8_t) (high << 4 | low);
	}
	if (mac[0] & 1)
		return "is a group's";
	if (memcmp(mac, nobody, sizeof(mac)) == 0)
		return "is nobody's";
	memcpy(ret, mac, sizeof(mac));
	return NULL;
}

/* --- networks --- */

bool inet_same_network(const struct inet_address *a, const struct inet_ip *ip)
{
	struct inet_ip mask = mask_of(inet_is_v4(&a->ip), a->prefix);

	if (inet_is_v4(&a->ip) != inet_is_v4(ip))
		return false;
	for (unsigned i = 0; i < 4; i++)
		if ((a->ip.w[i] ^ ip->w[i]) & mask.w[i])
			return false;
	return true;
}

struct inet_ip inet_first_host(const struct inet_address *a)
{
	struct inet_ip mask = mask_of(inet_is_v4(&a->ip), a->prefix), ip;

	for (unsigned i = 0; i < 4; i++)
		ip.w[i] = a->ip.w[i] & mask.w[i];
	ip.w[3] |= htonl(1);
	return ip;
}
