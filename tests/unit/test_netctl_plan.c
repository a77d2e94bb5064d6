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
		cmocka_unit_test(loopback_comes_up_in_a_new_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
