/* The filter's decisions, compiled natively: what an address becomes, who is reached, what is
 * shown, which options are kept away. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "base/inet.h"
#include "base/mem.h"
#include "netctl/filter_match.h"

/* Either family, also what no context could be given. */
static struct filter_ip ip(const char *text)
{
	struct filter_ip f = filter_from4(0);

	if (inet_pton(AF_INET, text, &f.w[3]) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, &f), 1);
	return f;
}

static const char *text(const struct filter_ip *f)
{
	static char buf[INET_TEXT_MAX];
	struct inet_ip i;

	memcpy(&i, f, sizeof(i));
	return inet_print(&i, buf);
}

static struct filter_rules both(void)
{
	return (struct filter_rules){
		.flags = FILTER_CONNECT_ANY,
		.count = 3,
		.first4 = 0,
		.first6 = 2,
		.addresses = { ip("10.0.0.5"), ip("10.0.0.6"), ip("fd00::5") },
		.loopback4 = ip("127.1.2.3"),
		.loopback6 = ip("fd57:6172:6400::1:203"),
	};
}

static struct filter_rules only4(void)
{
	struct filter_rules r = both();

	r.count = r.first6 = 2;
	r.loopback6 = (struct filter_ip){ { 0 } };
	return r;
}

enum { SIX = 1, ONLY6 = 2 };

static void bind_gives_own_addresses_and_no_others(void **state)
{
	static const struct {
		bool has6;
		int socket;
		const char *asked, *got; /* NULL: EADDRNOTAVAIL */
	} cases[] = {
		{ true, 0, "0.0.0.0", "10.0.0.5" },
		{ true, 0, "10.0.0.6", "10.0.0.6" },
		{ true, 0, "10.0.0.7", NULL },
		{ true, 0, "127.0.0.1", "127.1.2.3" },
		{ true, 0, "127.1.2.3", NULL }, /* its own, but not its name */
		{ true, 0, "127.1.2.4", NULL },
		{ true, 0, "127.0.0.2", NULL },
		{ true, 0, "224.0.0.1", NULL },
		{ true, 0, "255.255.255.255", NULL },
		{ true, SIX, "::", "fd00::5" },
		{ true, SIX | ONLY6, "::", "fd00::5" },
		{ true, SIX, "::1", "fd57:6172:6400::1:203" },
		{ true, SIX, "fd57:6172:6400::1:203", NULL },
		{ true, SIX, "fd57:6172:6400::1:204", NULL },
		{ true, SIX, "fd00::6", NULL },
		{ true, SIX, "ff02::1", NULL },
		{ true, SIX, "::ffff:0.0.0.0", "10.0.0.5" },
		{ true, SIX, "::ffff:10.0.0.7", NULL },
		{ true, SIX, "::ffff:127.0.0.1", "127.1.2.3" },
		{ false, SIX, "::", "10.0.0.5" },
		{ false, SIX | ONLY6, "::", NULL },
		{ false, SIX, "::1", "127.1.2.3" },
		{ false, SIX | ONLY6, "::1", NULL },
		{ false, 0, "0.0.0.0", "10.0.0.5" },
		{ false, SIX, "fd00::5", NULL },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct filter_rules r = cases[i].has6 ? both() : only4();
		struct filter_ip f = ip(cases[i].asked);
		int e = filter_bind(&r, &f, cases[i].socket & SIX, cases[i].socket & ONLY6);

		if (!cases[i].got && e != -EADDRNOTAVAIL)
			fail_msg("bind to %s: %d", cases[i].asked, e);
		if (cases[i].got && (e || strcmp(text(&f), cases[i].got) != 0))
			fail_msg("bind to %s: %d, %s", cases[i].asked, e, text(&f));
	}
}

static void without_ipv4_its_wildcard_is_the_loopback(void **state)
{
	struct filter_rules r = both();
	struct filter_ip f = ip("0.0.0.0");

	(void) state;
	r.addresses[0] = r.addresses[2];
	r.count = 1;
	r.first4 = 1;
	r.first6 = 0;
	assert_int_equal(filter_bind(&r, &f, 0, 0), 0);
	assert_string_equal(text(&f), "127.1.2.3");
}

static void a_destination_is_own_loopback_or_plain(void **state)
{
	static const struct {
		const char *asked, *got;
		int error;
	} cases[] = {
		{ "127.0.0.1", "127.1.2.3", 0 },
		{ "0.0.0.0", "127.1.2.3", 0 },
		{ "127.1.2.4", "127.1.2.4", -ECONNREFUSED },
		{ "127.0.0.53", "127.0.0.53", -ECONNREFUSED },
		{ "::1", "fd57:6172:6400::1:203", 0 },
		{ "::", "fd57:6172:6400::1:203", 0 },
		{ "fd57:6172:6400::1", "fd57:6172:6400::1", -ECONNREFUSED },
		{ "192.0.2.1", "192.0.2.1", 0 },
		{ "10.0.0.7", "10.0.0.7", 0 },
		{ "224.0.0.251", "224.0.0.251", -EPERM },
		{ "255.255.255.255", "255.255.255.255", -EPERM },
		{ "ff02::fb", "ff02::fb", -EPERM },
		{ "::ffff:127.1.2.4", "127.1.2.4", -ECONNREFUSED },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct filter_rules r = both();
		struct filter_ip f = ip(cases[i].asked);
		int e = filter_reach(&r, &f, 80, 0);

		if (e != cases[i].error || strcmp(text(&f), cases[i].got) != 0)
			fail_msg("to %s: %d, %s", cases[i].asked, e, text(&f));
		r.flags |= FILTER_MULTICAST;
		if (cases[i].error == -EPERM)
			assert_int_equal(filter_reach(&r, &f, 80, 0), 0);
	}
}

static void peers_are_networks_with_ports(void **state)
{
	struct filter_rules r = both();
	struct filter_ip near = ip("10.9.1.2"), far = ip("192.0.2.1"), own = ip("10.0.0.6"),
			 six = ip("fd00::77");

	(void) state;
	r.flags = 0;
	assert_int_equal(filter_may_reach(&r, &near, 80), 0);
	assert_int_equal(filter_may_reach(&r, &own, 80), 1);
	r.peer_count = 2;
	r.peers[0] = (struct filter_peer){ .ip = ip("10.9.0.0"), .port = 80 };
	memset(&r.peers[0].mask, 0xff, 14);
	r.peers[1] = (struct filter_peer){ .ip = ip("fd00::") };
	memset(&r.peers[1].mask, 0xff, 2);
	assert_int_equal(filter_may_reach(&r, &near, 80), 1);
	assert_int_equal(filter_may_reach(&r, &near, 81), 0);
	assert_int_equal(filter_may_reach(&r, &far, 80), 0);
	assert_int_equal(filter_may_reach(&r, &six, 1), 1);
}

static void low_ports_are_granted_by_protocol(void **state)
{
	struct filter_rules r = { .listen_count = 1, .listen = { { 80, IPPROTO_TCP, 0 } } };

	(void) state;
	assert_int_equal(filter_may_listen(&r, IPPROTO_TCP, 80), 1);
	assert_int_equal(filter_may_listen(&r, IPPROTO_UDP, 80), 0);
	assert_int_equal(filter_may_listen(&r, IPPROTO_TCP, 81), 0);
}

static void only_the_loopback_is_shown_by_another_name(void **state)
{
	struct filter_rules r = both();
	struct filter_ip four = r.loopback4, six = r.loopback6, own = ip("10.0.0.5"),
			 other = ip("127.1.2.4");

	(void) state;
	assert_int_equal(filter_show(&r, &four), 1);
	assert_string_equal(text(&four), "127.0.0.1");
	assert_int_equal(filter_show(&r, &six), 1);
	assert_string_equal(text(&six), "::1");
	assert_int_equal(filter_show(&r, &own), 0);
	assert_int_equal(filter_show(&r, &other), 0);
}

static void options_that_choose_addresses_are_kept_away(void **state)
{
	static const struct {
		int level, option;
		bool denied, with_multicast;
	} cases[] = {
		{ SOL_SOCKET, SO_BINDTODEVICE, true, true },
		{ SOL_SOCKET, 62 /* SO_BINDTOIFINDEX */, true, true },
		{ SOL_SOCKET, SO_MARK, true, true },
		{ SOL_SOCKET, SO_PRIORITY, true, true },
		{ SOL_SOCKET, SO_REUSEADDR, false, false },
		{ SOL_SOCKET, SO_KEEPALIVE, false, false },
		{ IPPROTO_IP, IP_TRANSPARENT, true, true },
		{ IPPROTO_IP, IP_FREEBIND, true, true },
		{ IPPROTO_IP, IP_OPTIONS, true, true },
		{ IPPROTO_IP, IP_HDRINCL, true, true },
		{ IPPROTO_IP, IP_UNICAST_IF, true, true },
		{ IPPROTO_IP, IP_ADD_MEMBERSHIP, true, false },
		{ IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, true, false },
		{ IPPROTO_IP, MCAST_JOIN_GROUP, true, false },
		{ IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, true, false },
		{ IPPROTO_IP, IP_TOS, false, false },
		{ IPPROTO_IP, IP_PKTINFO, false, false },
		{ IPPROTO_IPV6, IPV6_TRANSPARENT, true, true },
		{ IPPROTO_IPV6, IPV6_FREEBIND, true, true },
		{ IPPROTO_IPV6, IPV6_PKTINFO, true, true },
		{ IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, true, false },
		{ IPPROTO_IPV6, IPV6_JOIN_ANYCAST, true, false },
		{ IPPROTO_IPV6, MCAST_JOIN_GROUP, true, false },
		{ IPPROTO_IPV6, IPV6_V6ONLY, false, false },
		{ IPPROTO_IPV6, IPV6_RECVPKTINFO, false, false },
		{ IPPROTO_TCP, 1 /* TCP_NODELAY */, false, false },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct filter_rules r = { .flags = 0 };

		if (filter_option_denied(&r, cases[i].level, cases[i].option) != cases[i].denied)
			fail_msg("level %d option %d", cases[i].level, cases[i].option);
		r.flags = FILTER_MULTICAST;
		if (filter_option_denied(&r, cases[i].level, cases[i].option) !=
		    cases[i].with_multicast)
			fail_msg("level %d option %d with groups", cases[i].level, cases[i].option);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bind_gives_own_addresses_and_no_others),
		cmocka_unit_test(without_ipv4_its_wildcard_is_the_loopback),
		cmocka_unit_test(a_destination_is_own_loopback_or_plain),
		cmocka_unit_test(peers_are_networks_with_ports),
		cmocka_unit_test(low_ports_are_granted_by_protocol),
		cmocka_unit_test(only_the_loopback_is_shown_by_another_name),
		cmocka_unit_test(options_that_choose_addresses_are_kept_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
