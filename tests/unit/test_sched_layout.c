/* The layout of the hierarchies, from forged texts of hosts that are not this one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "sched/hierarchy.h"

static const char v2_systemd[] =
	"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
	"35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 "
	"rw,nsdelegate,memory_recursiveprot\n";

static const char hybrid_separate[] =
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
	"33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n"
	"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	"38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio\n"
	"40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
	"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

static const char v1_comounted[] =
	"30 23 0:26 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,xattr,name=systemd\n"
	"31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
	"32 23 0:28 / /sys/fs/cgroup/net_cls,net_prio rw shared:11 - cgroup cgroup "
	"rw,net_cls,net_prio\n"
	"33 23 0:29 / /sys/fs/cgroup/my\\040memory rw shared:12 - cgroup cgroup rw,memory\n";

static struct cg_layout parse(const char *mounts, const char *own)
{
	struct cg_layout l;

	assert_int_equal(cg_layout_parse(mounts, own, &l), 0);
	return l;
}

static void pure_v2(void **state)
{
	struct cg_layout l = parse(v2_systemd, "0::/system.slice/wardd.service\n");

	(void) state;
	assert_int_equal(l.kind, FACTS_CGROUP_V2);
	assert_int_equal(l.count, 1);
	assert_int_equal(l.of[CG_MEMORY], -1);
	cg_layout_add_unified(&l, "cpuset cpu io memory hugetlb pids rdma misc\n");
	for (unsigned c = 0; c < CG_CONTROLLER_COUNT; c++) {
		bool v1_only = c == CG_CPUACCT || c == CG_DEVICES || c == CG_FREEZER;

		assert_int_equal(l.of[c], v1_only ? -1 : 0);
	}
	assert_string_equal(l.list[0].mount, "/sys/fs/cgroup");
	assert_string_equal(l.list[0].own, "/system.slice/wardd.service");
}

static void hybrid(void **state)
{
	struct cg_layout l =
		parse(hybrid_separate, "9:name=systemd:/\n4:memory:/machine/x\n0::/\n");

	(void) state;
	cg_layout_add_unified(&l, "hugetlb\n");
	assert_int_equal(l.kind, FACTS_CGROUP_HYBRID);
	assert_int_equal(l.count, 5); /* name=systemd is not ours */
	assert_string_equal(l.list[l.of[CG_IO]].mount, "/sys/fs/cgroup/blkio");
	assert_string_equal(l.list[l.of[CG_CORE]].mount, "/sys/fs/cgroup/unified");
	assert_true(l.list[l.of[CG_CORE]].unified);
	assert_false(l.list[l.of[CG_CPU]].unified);
	assert_int_equal(l.of[CG_PIDS], -1);
}

/* Some controllers were handed to cgroup2, others kept on v1. */
static void mixed(void **state)
{
	struct cg_layout l = parse(hybrid_separate, "0::/\n");

	(void) state;
	cg_layout_add_unified(&l, "pids\n");
	assert_true(l.list[l.of[CG_PIDS]].unified);
	assert_false(l.list[l.of[CG_MEMORY]].unified);
}

static void co_mounted(void **state)
{
	struct cg_layout l = parse(v1_comounted, "1:name=systemd:/user.slice\n");

	(void) state;
	assert_int_equal(l.kind, FACTS_CGROUP_V1);
	assert_int_equal(l.count, 2);
	assert_int_equal(l.of[CG_CPU], l.of[CG_CPUACCT]);
	assert_string_equal(l.list[l.of[CG_MEMORY]].mount, "/sys/fs/cgroup/my memory");
	assert_int_equal(l.of[CG_CORE], -1);
}

/* A container sees its own part of the tree mounted: paths are below that part. */
static void mounted_part(void **state)
{
	struct cg_layout l = parse("40 30 0:30 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
				   "0::/docker/abc/init\n");

	(void) state;
	assert_string_equal(l.list[0].own, "/init");
	l = parse("40 30 0:30 /../.. /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/../../x\n");
	assert_string_equal(l.list[0].own, "/x");
	l = parse(v2_systemd, "0::/../outside\n");
	assert_string_equal(l.list[0].own, "/");
}

/* The mount that shows the top of the hierarchy is the one to use, wherever it is in the list. */
static void mounted_twice(void **state)
{
	struct cg_layout l = parse("40 30 0:30 /part /a rw - cgroup2 cgroup rw\n"
				   "41 30 0:30 / /b rw - cgroup2 cgroup rw\n"
				   "42 30 0:30 / /c rw - cgroup2 cgroup rw\n",
				   "0::/x\n");

	(void) state;
	assert_int_equal(l.count, 1);
	assert_string_equal(l.list[0].mount, "/b");
	assert_string_equal(l.list[0].own, "/x");
}

static void nothing_mounted(void **state)
{
	struct cg_layout l;

	(void) state;
	assert_int_equal(cg_layout_parse("", "", &l), -ENODEV);
	assert_int_equal(cg_layout_parse("22 27 0:21 / /proc rw - proc proc rw\n", "0::/\n", &l),
			 -ENODEV);
}

/* Cut anywhere, a text must not be read past its end (ASan watches) nor yield nonsense. */
static void torn(void **state)
{
	char copy[sizeof(hybrid_separate)];

	(void) state;
	for (size_t n = 0; n < sizeof(hybrid_separate); n++) {
		struct cg_layout l;

		memcpy(copy, hybrid_separate, n);
		copy[n] = '\0';
		if (cg_layout_parse(copy, "0::/", &l) == 0)
			assert_in_range(l.count, 1, 5);
	}
}

/* More hierarchies than there is room for, and a mount point longer than any. */
static void too_much(void **state)
{
	char text[16384] = "", path[CG_PATH_MAX + 100];
	struct cg_layout l;
	size_t n = 0;

	(void) state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (unsigned i = 1; i < 256; i++)
		if (n < sizeof(text) - 100)
			n += (size_t) snprintf(text + n, sizeof(text) - n,
					       "1 1 0:%u / /m%u rw - cgroup cgroup rw%s%s%s%s%s\n",
					       i, i, i & 1 ? ",cpu" : "", i & 2 ? ",memory" : "",
					       i & 4 ? ",pids" : "", i & 8 ? ",blkio" : "",
					       i & 16 ? ",cpuset" : "");
	assert_int_equal(cg_layout_parse(text, "", &l), 0);
	assert_int_equal(l.count, CG_HIERARCHIES_MAX);
	(void) snprintf(text, sizeof(text), "1 1 0:1 / /%s rw - cgroup cgroup rw,cpu\n", path);
	assert_int_equal(cg_layout_parse(text, "", &l), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pure_v2),	   cmocka_unit_test(hybrid),
		cmocka_unit_test(mixed),	   cmocka_unit_test(co_mounted),
		cmocka_unit_test(mounted_part),	   cmocka_unit_test(mounted_twice),
		cmocka_unit_test(nothing_mounted), cmocka_unit_test(torn),
		cmocka_unit_test(too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
