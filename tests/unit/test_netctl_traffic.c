/* Reading /proc/PID/net/dev. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "netctl/netctl.h"

static const char head[] =
	"Inter-|   Receive                                                |  Transmit\n"
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n";

static void a_line_is_a_device(void **state)
{
	struct netctl_traffic t[NETCTL_DEVICES_MAX];
	char text[1024];

	(void) state;
	(void) snprintf(text, sizeof(text),
			"%s    lo: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n"
			"eth0:18446744073709551615 6 0 0 0 0 0 0 7 8 0 0 0 0 0 0\n",
			head);
	assert_int_equal(netctl_traffic_parse(text, t, NETCTL_DEVICES_MAX), 2);
	assert_string_equal(t[0].device, "lo");
	assert_int_equal(t[0].received_bytes, 1);
	assert_int_equal(t[0].received_packets, 2);
	assert_int_equal(t[0].sent_bytes, 3);
	assert_int_equal(t[0].sent_packets, 4);
	assert_string_equal(t[1].device, "eth0");
	assert_true(t[1].received_bytes == UINT64_MAX);
	assert_int_equal(t[1].sent_packets, 8);
	assert_int_equal(netctl_traffic_parse(text, t, 1), 1);
}

static void what_is_odd_is_left_out(void **state)
{
	struct netctl_traffic t[NETCTL_DEVICES_MAX];

	(void) state;
	assert_int_equal(netctl_traffic_parse("", t, NETCTL_DEVICES_MAX), 0);
	assert_int_equal(netctl_traffic_parse(head, t, NETCTL_DEVICES_MAX), 0);
	assert_int_equal(netctl_traffic_parse("eth0: 1 2 3\n", t, NETCTL_DEVICES_MAX), 0);
	assert_int_equal(netctl_traffic_parse("a-name-that-is-too-long: 1 2 0 0 0 0 0 0 3 4\n", t,
					      NETCTL_DEVICES_MAX),
			 0);
	assert_int_equal(netctl_traffic_parse("a\033b\xff: 1 2 0 0 0 0 0 0 3 4", t,
					      NETCTL_DEVICES_MAX),
			 1);
	assert_string_equal(t[0].device, "a?b?");
}

static void ours_can_be_read(void **state)
{
	struct netctl_traffic t[NETCTL_DEVICES_MAX];

	(void) state;
	assert_true(netctl_traffic(getpid(), t, NETCTL_DEVICES_MAX) >= 0);
	assert_true(netctl_traffic(0x3fffffff, t, NETCTL_DEVICES_MAX) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_device),
		cmocka_unit_test(what_is_odd_is_left_out),
		cmocka_unit_test(ours_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
