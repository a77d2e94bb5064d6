/* The rules of [network]: which keys have a meaning with which mode, and what fits together. */
#include <string.h>

#include "base/inet.h"
#include "base/mem.h"
#include "spec/check.h"
#include "spec/words.h"

static void check_twice(struct checker *c, const char *key, const struct strv *v)
{
	char echo[TEXT_ECHO_MAX];

	for (size_t i = 1; i < v->count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (str_equal(v->items[i], v->items[j]))
				check_complain(c, "network", key, i, "\"%s\" is given twice",
					       text_echo(v->items[i], echo));
		}
	}
}

static void check_connect(struct checker *c)
{
	const struct strv *v = &c->s->network.connect;

	for (size_t i = 0; v->count > 1 && i < v->count; i++) {
		if (str_equal(v->items[i], "any") || str_equal(v->items[i], "none"))
			check_complain(c, "network", "connect", i,
				       "\"%s\" stands alone; allowed: any, none, or networks",
				       v->items[i]);
	}
}

static bool is_full_length(const struct inet_address *a)
{
	return a->prefix == (inet_is_v4(&a->ip) ? 32 : 128);
}

/* What was said for one mode is never left out in silence in another. */
static void check_private_addresses(struct checker *c)
{
	const struct spec *s = c->s;
	struct inet_address a;

	for (size_t i = 0; i < s->network.addresses.count; i++) {
		const char *text = s->network.addresses.items[i];
		unsigned bits;

		if (inet_parse_address(text, &a))
			continue; /* said already */
		bits = inet_is_v4(&a.ip) ? 32 : 128;
		if (a.interface[0] && s->network.bridge &&
		    !str_equal(a.interface, s->network.bridge))
			check_complain(
				c, "network", "address", i,
				"\"%s\" names an interface that is not network.bridge; allowed: "
				"@%s, or none",
				text, s->network.bridge);
		else if (s->network.bridge && a.prefix > bits - 2)
			check_complain(
				c, "network", "address", i,
				"\"%s\" is in no network that a bridge could be in; allowed: "
				"ADDRESS/PREFIX with a prefix of at most %u",
				text, bits - 2);
		else if (!s->network.bridge && !a.interface[0] && !is_full_length(&a))
			check_complain(
				c, "network", "address", i,
				"\"%s\" is in a network, which needs network.bridge or an "
				"interface, as in ADDRESS/PREFIX@INTERFACE; allowed without: "
				"single addresses",
				text);
	}
}

static void check_gateways(struct checker *c)
{
	const struct strv *v = &c->s->network.gateways;
	struct inet_ip one, other;

	for (size_t i = 0; i < v->count; i++) {
		if (v->count > 1 && str_equal(v->items[i], "none"))
			check_complain(c, "network", "gateway", i,
				       "\"none\" stands alone; allowed: none, or addresses");
		for (size_t j = 0; j < i; j++) {
			if (inet_parse_ip(v->items[i], &one) == 0 &&
			    inet_parse_ip(v->items[j], &other) == 0 &&
			    inet_is_v4(&one) == inet_is_v4(&other))
				check_complain(c, "network", "gateway", i,
					       "more than one of a family; allowed: one of each");
		}
	}
	if (v->count && !c->s->network.bridge)
		check_complain(c, "network", "gateway", 0, "has no meaning without network.bridge");
}

static void check_forwards(struct checker *c)
{
	const struct strv *v = &c->s->network.forwards;
	struct inet_forward one, other;

	for (size_t i = 0; i < v->count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (!inet_parse_forward(v->items[i], &one) &&
			    !inet_parse_forward(v->items[j], &other) &&
			    one.protocol == other.protocol && one.from == other.from)
				check_complain(c, "network", "forward", i,
					       "the host's port %u has two destinations", one.from);
		}
	}
	if (v->count && strv_contains(&c->s->network.gateways, "none"))
		check_complain(
			c, "network", "forward", 0,
			"has no meaning with gateway = none, as nothing would find its way back");
}

/* The keys of a mode that is not this one's. */
static void check_meaning(struct checker *c, bool shared, bool private)
{
	const struct spec *s = c->s;
	const struct {
		const char *key;
		bool set, in_shared;
	} keys[] = {
		{ "address", s->network.addresses.count, true },
		{ "listen", s->network.listen.count, true },
		{ "connect", s->network.connect.count, true },
		{ "allow", s->network.allow.count, true },
		{ "dns", s->network.dns.count, true },
		{ "bridge", s->network.bridge, false },
		{ "gateway", s->network.gateways.count, false },
		{ "mac", s->network.mac, false },
		{ "forward", s->network.forwards.count, false },
		{ "masquerade", s->network.masquerade == SPEC_YES, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!keys[i].set)
			continue;
		if (!private && !(shared && keys[i].in_shared))
			check_complain(c, "network", keys[i].key, 0,
				       "has no meaning without mode = %s",
				       keys[i].in_shared ? "shared or private" : "private");
		else if (private && s->network.addresses.count == 0)
			check_complain(c, "network", keys[i].key, 0,
				       "has no meaning without network.address");
	}
}

void check_network(struct checker *c)
{
	const struct spec *s = c->s;
	const struct {
		const char *key;
		const struct strv *v;
		size_t max;
	} lists[] = {
		{ "address", &s->network.addresses, 16 },
		{ "listen", &s->network.listen, 32 },
		{ "connect", &s->network.connect, 32 },
		{ "allow", &s->network.allow, 3 },
		{ "dns", &s->network.dns, 3 },
		{ "gateway", &s->network.gateways, 2 },
		{ "forward", &s->network.forwards, 32 },
	};
	bool shared = s->network.mode == SPEC_NETWORK_SHARED;
	bool private = s->network.mode == SPEC_NETWORK_PRIVATE;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		check_twice(c, lists[i].key, lists[i].v);
		if (lists[i].v->count > lists[i].max)
			check_complain(c, "network", lists[i].key, lists[i].max,
				       "more than %zu; allowed: at most %zu", lists[i].max,
				       lists[i].max);
	}
	check_meaning(c, shared, private);
	if (shared && s->network.addresses.count == 0)
		check_complain(c, "network", "address", 0,
			       "is missing; mode = shared needs at least one");
	check_connect(c);
	if (!private)
		return;
	check_private_addresses(c);
	check_gateways(c);
	check_forwards(c);
}

/* --- shaping --- */

static void check_way(struct checker *c, const char *way, uint64_t reserve, uint64_t limit,
		      uint64_t burst)
{
	char most[UNITS_TEXT_MAX], said[UNITS_TEXT_MAX];

	if (reserve > limit)
		check_complain(c, "network", "reserve", 0,
			       "%s %s is more than network.limit; allowed: at most %s", way,
			       units_print_bandwidth(reserve, said),
			       units_print_bandwidth(limit, most));
	if (burst && limit == UNITS_NONE)
		check_complain(c, "network", "burst", 0,
			       "there is no network.limit %s to burst above", way);
	else if (burst / 10 > limit)
		check_complain(c, "network", "burst", 0,
			       "%s %s is more than network.limit grants in ten seconds; allowed: "
			       "at most %s",
			       way, units_print_bytes(burst, said),
			       units_print_bytes(limit * 10, most));
}

void check_shaping(struct checker *c)
{
	const struct spec *s = c->s;
	const struct {
		const char *key;
		const struct spec_ways *now, none;
		bool alone; /* has a meaning on a link of its own */
	} keys[] = {
		{ "reserve", &s->network.reserve, { 0, 0 }, false },
		{ "share", &s->network.share, { SPEC_NETWORK_SHARE, SPEC_NETWORK_SHARE }, false },
		{ "limit", &s->network.limit, { UNITS_NONE, UNITS_NONE }, true },
		{ "burst", &s->network.burst, { 0, 0 }, true },
	};
	bool linked = s->network.mode == SPEC_NETWORK_PRIVATE && s->network.addresses.count;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && s->network.mode != SPEC_NETWORK_SHARED; i++) {
		if (memcmp(keys[i].now, &keys[i].none, sizeof(keys[i].none)) == 0)
			continue;
		if (!keys[i].alone)
			check_complain(c, "network", keys[i].key, 0,
				       "has no meaning without mode = shared");
		else if (!linked)
			check_complain(c, "network", keys[i].key, 0,
				       "has no meaning without mode = shared, or private with "
				       "network.address");
	}
	check_way(c, "out", s->network.reserve.out, s->network.limit.out, s->network.burst.out);
	check_way(c, "in", s->network.reserve.in, s->network.limit.in, s->network.burst.in);
}
