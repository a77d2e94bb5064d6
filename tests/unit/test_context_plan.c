/* From a spec to what a context's processes are; compared with tests/golden/context_*. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "base/file.h"
#include "context/plan.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)

static struct facts all_facts(void)
{
	return (struct facts){ .context = { .user_ns = true,
					    .time_ns = true,
					    .seccomp = true,
					    .close_range = true,
					    .pidfd = true,
					    .keyrings = true,
					    .landlock_abi = 7,
					    .last_cap = 40 } };
}

static struct spec some_spec(const char *name)
{
	struct spec s;

	assert_int_equal(spec_init(&s, name), 0);
	assert_int_equal(strv_add(&s.context.command, "/bin/true"), 0);
	return s;
}

static void assert_golden(const struct context_plan *p, const char *path)
{
	struct buf b = { 0 };
	char *expected = NULL;

	context_print(p, &b);
	assert_int_equal(b.error, 0);
	if (getenv("WARD_GOLDEN_WRITE") != NULL) {
		assert_int_equal(file_replace_at(AT_FDCWD, path, b.data, b.len, 0644), 0);
	}
	assert_int_equal(file_read_at(AT_FDCWD, path, 65536, &expected, NULL), 0);
	assert_string_equal(b.data, expected);
	free(expected);
	buf_done(&b);
}

static struct context_plan *plan(struct spec *s, const struct facts *f, bool own_network)
{
	struct context_plan *p = NULL;
	struct err e = { 0 };

	if (context_plan_new(s, f, own_network, &p, &e) < 0) {
		fail_msg("%s", e.text);
	}
	spec_done(s);
	return p;
}

static void the_default(void **state)
{
	struct facts f = all_facts();
	struct spec s = some_spec("web");
	struct context_plan *p = plan(&s, &f, true);

	(void) state;
	assert_golden(p, "tests/golden/context_default.txt");
	struct seat_kind kind = context_seat_kind(p);
	assert_int_equal(kind.namespaces, CONTEXT_NS_USER | CONTEXT_NS_NET | CONTEXT_NS_TIME);
	assert_int_equal(kind.ids_count, 0);
	context_plan_free(p);
}

static void an_old_kernel_has_process_1_enter_its_time_namespace(void **state)
{
	static const struct {
		unsigned major, minor;
		bool enter;
	} kernels[] = { { 5, 19, true }, { 6, 1, true }, { 6, 3, false }, { 7, 0, false } };
	struct facts f = all_facts();

	(void) state;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(*kernels); i++) {
		struct spec s = some_spec("web");

		f.kernel.major = kernels[i].major;
		f.kernel.minor = kernels[i].minor;
		struct context_plan *p = plan(&s, &f, true);
		assert_int_equal(p->enter_time, kernels[i].enter);
		context_plan_free(p);
	}
}

static void everything_said(void **state)
{
	struct facts f = all_facts();
	struct spec s = some_spec("full");
	struct spec_rlimit *limits = calloc(2, sizeof(*limits));

	(void) state;
	assert_non_null(limits);
	limits[0] = (struct spec_rlimit){ RLIMIT_NOFILE, 4096, 8192 };
	limits[1] = (struct spec_rlimit){ RLIMIT_CORE, 0, UNITS_NONE };
	s.process.rlimits = limits;
	s.process.rlimit_count = 2;
	s.process.capabilities = CAP(NET_BIND_SERVICE) | CAP(SYS_TIME);
	s.process.seccomp = SPEC_SECCOMP_STRICT;
	s.process.ids = SPEC_IDS_RANGE;
	s.process.ids_first = 500000;
	s.process.ids_count = 1000;
	s.process.umask = 077;
	s.context.init = SPEC_INIT_NONE;
	assert_int_equal(str_replace(&s.context.user, "www-data:adm"), 0);
	assert_int_equal(str_replace(&s.context.directory, "/srv"), 0);
	assert_int_equal(str_replace(&s.context.hostname, "front.example"), 0);
	assert_int_equal(strv_add(&s.context.command, "--flag=a b"), 0);
	assert_int_equal(strv_add(&s.context.environment, "LANG=C.UTF-8"), 0);
	struct context_plan *p = plan(&s, &f, false);
	assert_golden(p, "tests/golden/context_full.txt");
	context_plan_free(p);
}

static void a_bare_host(void **state)
{
	struct facts f = { .context.last_cap = 37 };
	struct spec s = some_spec("bare");

	(void) state;
	s.process.ids = SPEC_IDS_NONE;
	s.process.seccomp = SPEC_SECCOMP_NONE;
	s.context.init = SPEC_INIT_PATH;
	assert_int_equal(str_replace(&s.context.init_path, "/sbin/init"), 0);
	struct context_plan *p = plan(&s, &f, false);
	assert_golden(p, "tests/golden/context_bare.txt");
	context_plan_free(p);
}

static void refused(struct spec *s, const struct facts *f, int code, const char *says)
{
	struct context_plan *p = NULL;
	struct err e = { 0 };

	assert_int_equal(context_plan_new(s, f, true, &p, &e), code);
	assert_null(p);
	if (!strstr(e.text, says)) {
		fail_msg("\"%s\" does not say \"%s\"", e.text, says);
	}
	spec_done(s);
}

static void what_the_host_lacks_is_refused(void **state)
{
	struct facts f = all_facts();
	struct spec s = some_spec("x");

	(void) state;
	f.context.user_ns = false;
	refused(&s, &f, -EOPNOTSUPP, "process.ids");
	f = all_facts();
	f.context.seccomp = false;
	s = some_spec("x");
	refused(&s, &f, -EOPNOTSUPP, "process.seccomp");
}

static void the_hosts_root_is_never_mapped(void **state)
{
	struct facts f = all_facts();
	static const uint32_t ranges[][2] = { { 0, 10 }, { 5, 0 }, { 5, UINT32_MAX } };

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct spec s = some_spec("x");

		s.process.ids = SPEC_IDS_RANGE;
		s.process.ids_first = ranges[i][0];
		s.process.ids_count = ranges[i][1];
		refused(&s, &f, -EINVAL, "process.ids");
	}
}

static void nothing_to_run_is_refused(void **state)
{
	struct facts f = all_facts();
	struct spec s;

	(void) state;
	assert_int_equal(spec_init(&s, "x"), 0);
	refused(&s, &f, -EINVAL, "context.command");
}

static void ambient_is_what_was_asked_for(void **state)
{
	struct facts f = all_facts();
	struct spec s = some_spec("x");
	uint64_t usual = s.process.capabilities;
	struct context_plan *p = plan(&s, &f, true);

	(void) state;
	assert_int_equal(p->bounding, usual);
	assert_int_equal(p->ambient, 0);
	context_plan_free(p);

	s = some_spec("x");
	s.process.capabilities = usual | CAP(SYS_TIME);
	p = plan(&s, &f, true);
	assert_int_equal(p->ambient, CAP(SYS_TIME));
	context_plan_free(p);

	s = some_spec("x");
	s.process.capabilities = CAP(NET_BIND_SERVICE);
	p = plan(&s, &f, true);
	assert_int_equal(p->bounding, CAP(NET_BIND_SERVICE));
	assert_int_equal(p->ambient, CAP(NET_BIND_SERVICE));
	context_plan_free(p);
}

static void unknown_capabilities_are_dropped(void **state)
{
	struct facts f = all_facts();
	struct spec s = some_spec("x");

	(void) state;
	s.process.capabilities = UINT64_MAX;
	struct context_plan *p = plan(&s, &f, true);
	assert_int_equal(p->bounding, (UINT64_C(1) << 41) - 1);
	context_plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default),
		cmocka_unit_test(an_old_kernel_has_process_1_enter_its_time_namespace),
		cmocka_unit_test(everything_said),
		cmocka_unit_test(a_bare_host),
		cmocka_unit_test(what_the_host_lacks_is_refused),
		cmocka_unit_test(the_hosts_root_is_never_mapped),
		cmocka_unit_test(nothing_to_run_is_refused),
		cmocka_unit_test(ambient_is_what_was_asked_for),
		cmocka_unit_test(unknown_capabilities_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
