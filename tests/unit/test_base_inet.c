/* Addresses as text: what is read, what is refused, and that printing is the inverse. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/inet.h"
#include "base/mem.h"

static void an_address_reads_and_prints(void **state)
{
	static const char *const good[] = { "10.0.0.5", "192.0.2.255", "fd00::5", "2001:db8::1",
					    "1.2.3.4" };
	char text[INET_TEXT_MAX];
	struct inet_address a;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_null(inet_parse_address(good[i], &a));
		assert_string_equal(inet_print(&a.ip, text), good[i]);
		assert_int_equal(a.prefix, inet_is_v4(&a.ip) ? 32 : 128);
		assert_string_equal(a.interface, "");
	}
	assert_null(inet_parse_address("10.0.0.5/24@eth0", &a));
	assert_int_equal(a.prefix, 24);
	assert_string_equal(a.interface, "eth0");
	assert_null(inet_parse_address("fd00::5/64@veth-a.1", &a));
	assert_int_equal(a.prefix, 64);
	assert_string_equal(a.interface, "veth-a.1");
}

static void what_no_host_has_for_itself_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"10.0.0",
		"10.0.0.256",
		"0.0.0.0",
		"127.0.0.1",
		"224.0.0.1",
		"::",
		"::1",
		"ff02::1",
		"fe80::1",
		"::ffff:1.2.3.4",
		"10.0.0.5/33",
		"10.0.0.5/",
		"10.0.0.5 ",
		"10.0.0.5/24@",
		"10.0.0.5@eth0",
		"fd00::5/129",
		"eth0",
		"10.0.0.5/24@a/b",
		"10.0.0.5/0@eth0",
		"10.0.0.5/24@abcdefghijklmnopq",
		"255.255.255.255",
		"10.0.0.5/+4",
	};
	struct inet_address a;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!inet_parse_address(bad[i], &a))
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static void a_peer_is_a_network_and_a_port(void **state)
{
	static const struct {
		const char *text, *ip, *mask;
		uint16_t port;
	} good[] = {
		{ "10.0.0.0/8", "10.0.0.0", "255.0.0.0", 0 },
		{ "10.1.2.3:5432", "10.1.2.3", "255.255.255.255", 5432 },
		{ "0.0.0.0/0:53", "0.0.0.0", "0.0.0.0", 53 },
		{ "fd00::/8", "fd00::", "ff00::", 0 },
		{ "[fd00::/8]:443", "fd00::", "ff00::", 443 },
		{ "[fd00::1]", "fd00::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0 },
		{ "::/0", "::", "::", 0 },
	};
	char text[INET_TEXT_MAX];
	struct inet_peer p;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct inet_ip mask;

		assert_null(inet_parse_peer(good[i].text, &p));
		assert_string_equal(inet_print(&p.ip, text), good[i].ip);
		assert_int_equal(p.port, good[i].port);
		mask = p.mask;
		if (inet_is_v4(&p.ip)) /* the mask of a mapped address covers its first 96 bits */
			mask.w[0] = mask.w[1] = 0, mask.w[2] = htonl(0xffff);
		assert_string_equal(inet_print(&mask, text), good[i].mask);
	}
}

static void what_is_no_peer_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   "any",
					   "10.0.0.1/8",
					   "10.0.0.0/8:",
					   "10.0.0.0/8:0",
					   "10.0.0.0/8:65536",
					   "[fd00::",
					   "[fd00::]x",
					   "[fd00::]:",
					   "10.0.0.0/8:80:80",
					   "fd00::1/8" };
	struct inet_peer p;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!inet_parse_peer(bad[i], &p))
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static void a_port_has_a_protocol(void **state)
{
	static const char *const bad[] = { "80",	"tcp",	  "tcp:",      "tcp:0",
					   "tcp:65536", "sctp:1", "tcp:80-90", "udp: 1" };
	struct inet_port p;

	(void) state;
	assert_null(inet_parse_port("tcp:80", &p));
	assert_int_equal(p.protocol, IPPROTO_TCP);
	assert_int_equal(p.port, 80);
	assert_null(inet_parse_port("udp:65535", &p));
	assert_int_equal(p.protocol, IPPROTO_UDP);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!inet_parse_port(bad[i], &p))
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static void a_forward_has_two_ports(void **state)
{
	static const char *const bad[] = { "",	       "tcp",	   "tcp:80",	  "tcp:80:",
					   "tcp:0:80", "tcp:80:0", "tcp:1:65536", "sctp:1:1",
					   "tcp:1:1:", "tcp:1:1 ", "tcp:1:x",	  ":1:1" };
	struct inet_forward f;

	(void) state;
	assert_null(inet_parse_forward("udp:53:5353", &f));
	assert_int_equal(f.protocol, IPPROTO_UDP);
	assert_int_equal(f.from, 53);
	assert_int_equal(f.to, 5353);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!inet_parse_forward(bad[i], &f))
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static void a_mac_is_of_one(void **state)
{
	static const uint8_t want[6] = { 0x02, 0, 0, 0xab, 0xcd, 0xff };
	static const char *const bad[] = { "",
					   "02:00:00:00:00",
					   "02:00:00:00:00:0",
					   "02:00:00:00:00:0g",
					   "02-00-00-00-00-05",
					   "01:00:00:00:00:05",
					   "00:00:00:00:00:00",
					   "02:00:00:00:00:05:",
					   "020:0:00:00:00:05" };
	uint8_t mac[6];

	(void) state;
	assert_null(inet_parse_mac("02:00:00:aB:Cd:ff", mac));
	assert_memory_equal(mac, want, sizeof(want));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!inet_parse_mac(bad[i], mac))
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static void a_network_has_a_first_host(void **state)
{
	static const struct {
		const char *address, *first, *in, *out;
	} cases[] = {
		{ "10.1.2.3/24", "10.1.2.1", "10.1.2.255", "10.1.3.3" },
		{ "10.1.2.130/25", "10.1.2.129", "10.1.2.128", "10.1.2.127" },
		{ "10.1.2.3/8", "10.0.0.1", "10.255.0.0", "fd00::1" },
		{ "fd00::1:5/112", "fd00::1:1", "fd00::1:ffff", "fd00::2:5" },
		{ "fd00:1::5/32", "fd00:1::1", "fd00:1:2::", "::ffff" },
	};
	struct inet_address a;
	struct inet_ip ip;
	char text[INET_TEXT_MAX];

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_null(inet_parse_address(cases[i].address, &a));
		ip = inet_first_host(&a);
		assert_string_equal(inet_print(&ip, text), cases[i].first);
		assert_int_equal(inet_parse_ip(cases[i].in, &ip), 0);
		assert_true(inet_same_network(&a, &ip));
		assert_int_equal(inet_parse_ip(cases[i].out, &ip), 0);
		assert_false(inet_same_network(&a, &ip));
	}
}

static void an_interface_has_a_name(void **state)
{
	(void) state;
	assert_true(inet_is_interface("ward0"));
	assert_true(inet_is_interface("br-1.5"));
	assert_true(inet_is_interface("123456789012345"));
	assert_false(inet_is_interface(""));
	assert_false(inet_is_interface("."));
	assert_false(inet_is_interface(".."));
	assert_false(inet_is_interface("a b"));
	assert_false(inet_is_interface("a/b"));
	assert_false(inet_is_interface("a:b"));
	assert_false(inet_is_interface("a%d")); /* the kernel would count */
	assert_false(inet_is_interface("1234567890123456"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_reads_and_prints),
		cmocka_unit_test(what_no_host_has_for_itself_is_refused),
		cmocka_unit_test(a_peer_is_a_network_and_a_port),
		cmocka_unit_test(what_is_no_peer_is_refused),
		cmocka_unit_test(a_port_has_a_protocol),
		cmocka_unit_test(a_forward_has_two_ports),
		cmocka_unit_test(a_mac_is_of_one),
		cmocka_unit_test(a_network_has_a_first_host),
		cmocka_unit_test(an_interface_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
