/* Modes of the network: which get a namespace of their own, and what a host without any refuses. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "netctl/netctl.h"

static void only_host_shares_the_namespace(void **state)
{
	const struct facts f = { .net_ns = true };
	struct netctl_plan p;
	struct err e = { 0 };

	(void) state;
	for (enum spec_network mode = 0; mode < SPEC_NETWORK_COUNT; mode++) {
		const struct spec s = { .network.mode = mode };
		struct buf out = { 0 };

		if (mode == SPEC_NETWORK_SHARED)
			continue;

		assert_int_equal(netctl_plan(&s, &f, &p, &e), 0);
		assert_int_equal(p.mode, mode);
		assert_int_equal(p.own_namespace, mode != SPEC_NETWORK_HOST);
		netctl_print(&p, &out);
		assert_int_equal(out.error, 0);
		assert_non_null(strstr(out.data, mode == SPEC_NETWORK_HOST
							 ? "network host: the host's"
							 : "of its own"));
		buf_done(&out);
	}
}

static void a_host_without_namespaces_has_only_its_own(void **state)
{
	const struct facts f = { 0 };
	const struct spec none = { .network.mode = SPEC_NETWORK_NONE };
	const struct spec host = { .network.mode = SPEC_NETWORK_HOST };
	struct netctl_plan p;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(netctl_plan(&none, &f, &p, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "network.mode"));
	assert_int_equal(netctl_plan(&host, &f, &p, &e), 0);
}

/* Reads a file's [network] and plans it on a host that has everything. */
static int plan_of(const char *text, struct netctl_plan *ret, struct err *e)
{
	const struct facts f = { .net_ns = true, .net_shared = true, .net_tables = true };
	struct spec_errors errors = { 0 };
	struct spec s;
	int r;

	assert_int_equal(spec_init(&s, "t"), 0);
	assert_int_equal(spec_read_ini(&s, text, strlen(text), "t.ini", &errors), 0);
	r = netctl_plan(&s, &f, ret, e);
	spec_errors_done(&errors);
	spec_done(&s);
	return r;
}

static void shared_is_planned_with_all_it_says(void **state)
{
	static const char text[] = "[network]\nmode = shared\n"
				   "address = 10.0.0.5/24@eth0 fd00::5\n"
				   "listen = tcp:80 udp:53\n"
				   "connect = 10.0.0.0/8:443 fd00::/16\n"
				   "allow = ping multicast\n";
	static const char want[] =
		"network shared: the host's stack, confined by BPF on its cgroup\n"
		"address 10.0.0.5/24, added to eth0 if need be\n"
		"address fd00::5\n"
		"loopback of its own\n"
		"listen tcp 80\n"
		"listen udp 53\n"
		"connect 10.0.0.0/8 port 443\n"
		"connect fd00::/16\n"
		"multicast and broadcast\n"
		"ICMP echo sockets\n";
	struct buf out = { 0 };
	struct netctl_plan p;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(plan_of(text, &p, &e), 0);
	assert_false(p.own_namespace);
	assert_false(p.connect_any);
	netctl_print(&p, &out);
	assert_string_equal(out.data, want);
	buf_done(&out);
	assert_int_equal(plan_of("[network]\nmode = shared\naddress = 10.0.0.5\n", &p, &e), 0);
	assert_true(p.connect_any);
	assert_int_equal(plan_of("[network]\nmode = shared\naddress = 10.0.0.5\nconnect = none\n",
				 &p, &e),
			 0);
	assert_false(p.connect_any);
	assert_int_equal(p.peer_count, 0);
}

static void what_could_not_be_confined_is_refused(void **state)
{
#define SHARED "[network]\nmode = shared\naddress = 10.0.0.5\n"
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ SHARED "[process]\nseccomp = none\n", "a filter of system calls" },
		{ SHARED "[process]\nids = none\ncapability = +net-raw\n", "net-raw" },
		{ SHARED "[process]\nids = none\ncapability = +net-admin\n", "net-admin" },
		{ SHARED "[process]\nids = none\ncapability = +sys-admin\n", "sys-admin" },
		{ SHARED "[process]\nids = none\ncapability = +bpf\n", "bpf" },
		{ "[network]\nmode = shared\n", "at least one" },
	};
	const struct facts lacking = { .net_ns = true };
	struct spec s = { .network.mode = SPEC_NETWORK_SHARED };
	struct netctl_plan p;
	struct err e = { 0 };

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(plan_of(cases[i].text, &p, &e) < 0);
		assert_non_null(strstr(e.text, cases[i].why));
	}
	assert_int_equal(plan_of(SHARED "[process]\nids = none\n", &p, &e), 0);
	assert_int_equal(plan_of(SHARED "[process]\ncapability = +net-raw\n", &p, &e), 0);
	assert_int_equal(netctl_plan(&s, &lacking, &p, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "private is possible"));
#undef SHARED
}

static void private_is_planned_with_all_it_says(void **state)
{
	static const char text[] = "[network]\nmode = private\nbridge = ward0\n"
				   "address = 10.0.0.5/24 fd00::5/64\n"
				   "gateway = 10.0.0.9\n"
				   "forward = tcp:8080:80\n"
				   "listen = tcp:80\n"
				   "connect = 10.0.0.0/8:443\n"
				   "masquerade = yes\n"
				   "allow = ping contexts\n";
	static const char want[] = "network private: a namespace of its own, eth0 on bridge ward0\n"
				   "address 10.0.0.5/24\n"
				   "address fd00::5/64\n"
				   "gateway 10.0.0.9\n"
				   "forward tcp 8080 of the host to port 80\n"
				   "masquerade\n"
				   "other contexts that are allowed the same\n"
				   "listen tcp 80\n"
				   "connect 10.0.0.0/8 port 443\n"
				   "ICMP echo sockets\n";
	const struct facts lacking = { .net_ns = true, .net_shared = true };
	struct buf out = { 0 };
	struct netctl_plan p;
	struct err e = { 0 };
	struct spec s;

	(void) state;
	assert_int_equal(plan_of(text, &p, &e), 0);
	assert_true(p.own_namespace);
	assert_true(p.linked);
	netctl_print(&p, &out);
	assert_string_equal(strstr(out.data, "address"), strstr(want, "address"));
	assert_memory_equal(out.data, want, strcspn(want, "\n"));
	buf_done(&out);
	assert_int_equal(p.private.mac[0], 2);
	assert_int_equal(plan_of("[network]\nmode = private\n", &p, &e), 0);
	assert_false(p.linked); /* loopback only, as it always was */
	assert_int_equal(plan_of("[network]\nmode = private\naddress = 10.0.0.5\n"
				 "mac = 02:00:00:00:00:05\ngateway = none\n",
				 &p, &e),
			 0);
	assert_true(p.private.no_gateway);
	assert_int_equal(p.private.mac[5], 5);
	assert_int_equal(p.private.bridge[0], 0);
	assert_int_equal(spec_init(&s, "t"), 0);
	assert_int_equal(spec_set(&s, "network.mode", "private", &e), 0);
	assert_int_equal(spec_set(&s, "network.address", "10.0.0.5", &e), 0);
	assert_int_equal(netctl_plan(&s, &lacking, &p, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "needs nftables"));
	spec_done(&s);
}

static void a_name_always_has_the_same_hardware_address(void **state)
{
	struct netctl_plan one, again, other;
	const struct facts f = { .net_ns = true, .net_tables = true };
	struct err e = { 0 };
	struct spec s;

	(void) state;
	assert_int_equal(spec_init(&s, "one"), 0);
	assert_int_equal(spec_set(&s, "network.mode", "private", &e), 0);
	assert_int_equal(spec_set(&s, "network.address", "10.0.0.5", &e), 0);
	assert_int_equal(netctl_plan(&s, &f, &one, &e), 0);
	assert_int_equal(netctl_plan(&s, &f, &again, &e), 0);
	memcpy(s.name, "two", 4);
	assert_int_equal(netctl_plan(&s, &f, &other, &e), 0);
	assert_memory_equal(one.private.mac, again.private.mac, 6);
	assert_memory_not_equal(one.private.mac, other.private.mac, 6);
	assert_int_equal(other.private.mac[0] & 3, 2); /* of nobody's making, and of one */
	spec_done(&s);
}

static void loopback_comes_up_in_a_new_namespace(void **state)
{
	int status = 0;
	pid_t pid;

	(void) state;
	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	pid = fork();
	if (pid == 0) {
		_exit(unshare(CLONE_NEWNET) < 0 ? 1 : netctl_loopback_up() < 0 ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_host_shares_the_namespace),
		cmocka_unit_test(a_host_without_namespaces_has_only_its_own),
		cmocka_unit_test(shared_is_planned_with_all_it_says),
		cmocka_unit_test(what_could_not_be_confined_is_refused),
		cmocka_unit_test(private_is_planned_with_all_it_says),
		cmocka_unit_test(a_name_always_has_the_same_hardware_address),
		cmocka_unit_test(loopback_comes_up_in_a_new_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
