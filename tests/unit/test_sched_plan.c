/* From a spec to v2 attributes (compared with tests/golden/sched_*), and from those to v1's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "sched/attribute.h"
#include "sched/disk.h"

static struct facts facts_v2(void)
{
	return (struct facts){ .cpus = 4,
			       .sched = { .layout = FACTS_CGROUP_V2,
					  .cpu = true,
					  .cpuset = true,
					  .memory = true,
					  .io = true,
					  .pids = true,
					  .devices = true,
					  .io_share = true,
					  .cpu_burst = true,
					  .memory_reserve = true,
					  .memory_soft = true,
					  .memory_reclaim = true,
					  .memory_swap = true } };
}

static struct spec plain(void)
{
	struct spec s = { .process.limit = UNITS_NONE,
			  .cpu = { .share = 100, .limit_millicpu = UNITS_NONE },
			  .memory = {
				  .limit = UNITS_NONE, .soft = UNITS_NONE, .swap = UNITS_NONE } };

	return s;
}

static char fuse[] = "/dev/fuse", vda[] = "/dev/vda", sdb[] = "/dev/sdb", cpus[] = "0-1,3",
	    mems[] = "0";
static char *devices[] = { fuse, NULL };
static struct spec_io_limit limits[] = {
	{ vda, 50000000, 20000000, UNITS_NONE, UNITS_NONE },
	{ sdb, UNITS_NONE, UNITS_NONE, 1000, 500 },
};

static struct spec_io_part shares[] = { { sdb, 300 } };

static struct spec full(void)
{
	struct spec s = plain();

	s.files.devices = (struct strv){ devices, 1 };
	s.process.limit = 200;
	s.cpu.share = 250;
	s.cpu.limit_millicpu = 1500;
	s.cpu.burst_us = 50000;
	s.cpu.cpus = cpus;
	s.cpu.mems = mems;
	s.memory.limit = 512u << 20;
	s.memory.reserve = 64u << 20;
	s.memory.soft = 256u << 20;
	s.memory.swap = 0;
	s.io.limits = limits;
	s.io.limit_count = 2;
	s.io.shares = shares;
	s.io.share_count = 1;
	return s;
}

static void assert_golden(const struct sched_plan *p, const char *path)
{
	struct buf b = { 0 };
	char *expected = NULL;

	sched_print(p, &b);
	if (getenv("WARD_GOLDEN_WRITE") != NULL)
		assert_int_equal(file_replace_at(AT_FDCWD, path, b.data, b.len, 0644), 0);
	assert_int_equal(file_read_at(AT_FDCWD, path, 65536, &expected, NULL), 0);
	assert_string_equal(b.data != NULL ? b.data : "", expected);
	free(expected);
	buf_done(&b);
}

static void defaults_write_nothing(void **state)
{
	struct facts f = facts_v2(), none = { 0 };
	struct spec s = plain();
	struct sched_plan p;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(sched_plan(&s, &f, &p, &e), 0);
	assert_int_equal(p.count, 0);
	/* A host without any controller still runs what asks for none. */
	assert_int_equal(sched_plan(&s, &none, &p, &e), 0);
	assert_int_equal(p.count, 0);
}

static void golden_full(void **state)
{
	struct facts f = facts_v2();
	struct spec s = full();
	struct sched_plan p;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(sched_plan(&s, &f, &p, &e), 0);
	assert_golden(&p, "tests/golden/sched_full.txt");
}

static void golden_v1(void **state)
{
	struct facts f = facts_v2();
	struct spec s = full();
	struct sched_plan p;
	struct err e = { 0 };

	(void) state;
	f.sched.layout = FACTS_CGROUP_HYBRID;
	f.sched.memory_reserve = false;
	assert_int_equal(sched_plan(&s, &f, &p, &e), -EOPNOTSUPP);
	assert_string_equal(e.text, "memory.reserve: this host's memory controller (cgroup v1) has "
				    "no guarantee");
	s.memory.reserve = 0;
	f.sched.memory_soft = false;
	assert_int_equal(sched_plan(&s, &f, &p, &e), -EOPNOTSUPP);
	assert_string_equal(e.text,
			    "memory.soft: this host's memory controller (cgroup v1) heeds a "
			    "soft limit only when the whole host is short of memory");
	s.memory.soft = UNITS_NONE;
	s.memory.swap = 32u << 20;
	assert_int_equal(sched_plan(&s, &f, &p, &e), 0);
	assert_golden(&p, "tests/golden/sched_v1.txt");
}

static const char *cpu_max(uint64_t limit, uint64_t burst, int expected)
{
	static struct sched_plan p;
	struct facts f = facts_v2();
	struct spec s = plain();
	struct err e = { 0 };

	s.cpu.limit_millicpu = limit;
	s.cpu.burst_us = burst;
	assert_int_equal(sched_plan(&s, &f, &p, &e), expected);
	return p.count > 0 ? p.writes[0].value : "";
}

static void quota_and_period(void **state)
{
	(void) state;
	assert_string_equal(cpu_max(1000, 0, 0), "100000 100000");
	assert_string_equal(cpu_max(10, 0, 0), "1000 100000");
	/* The kernel takes no quota below 1 ms, and no burst above the quota. */
	assert_string_equal(cpu_max(1, 0, 0), "1000 1000000");
	assert_string_equal(cpu_max(500, 100000, 0), "100000 200000");
	assert_string_equal(cpu_max(2000, 200000, 0), "200000 100000");
	assert_string_equal(cpu_max(UNITS_NONE, 50000, 0), "");
	(void) cpu_max(100, 100001, -EINVAL);
	(void) cpu_max(0, 0, -EINVAL);
	(void) cpu_max(UINT64_MAX - 1, 0, -EINVAL);
}

static void refuses(void (*change)(struct facts *, struct spec *), const char *text)
{
	struct facts f = facts_v2();
	struct spec s = plain();
	struct sched_plan p;
	struct err e = { 0 };

	change(&f, &s);
	assert_true(sched_plan(&s, &f, &p, &e) < 0);
	assert_string_equal(e.text, text);
}

static void no_cpu(struct facts *f, struct spec *s)
{
	f->sched.cpu = false;
	s->cpu.share = 1;
}

static void no_burst(struct facts *f, struct spec *s)
{
	f->sched.cpu_burst = false;
	s->cpu.limit_millicpu = 1000;
	s->cpu.burst_us = 1;
}

static void no_pids(struct facts *f, struct spec *s)
{
	f->sched.pids = false;
	s->process.limit = 5;
}

static void no_io(struct facts *f, struct spec *s)
{
	f->sched.io = false;
	f->sched.layout = FACTS_CGROUP_HYBRID;
	s->io.limits = limits;
	s->io.limit_count = 1;
}

static void no_shares(struct facts *f, struct spec *s)
{
	f->sched.io_share = false;
	s->io.shares = shares;
	s->io.share_count = 1;
}

static struct spec_io_part reserves[] = { { sdb, 300 } };

static void no_weights(struct facts *f, struct spec *s)
{
	f->sched.io_share = false;
	s->io.reserves = reserves;
	s->io.reserve_count = 1;
}

static void swap_alone(struct facts *f, struct spec *s)
{
	f->sched.layout = FACTS_CGROUP_HYBRID;
	s->memory.swap = 4096;
}

/* A context whose processes die one by one is not one group for the kernel. */
static void one_process_dies_by_choice(void **state)
{
	struct facts f = facts_v2();
	struct spec s = plain();
	struct sched_plan p;
	struct err e = { 0 };

	(void) state;
	s.memory.limit = 64u << 20;
	assert_int_equal(sched_plan(&s, &f, &p, &e), 0);
	assert_int_equal(p.count, 2);
	assert_string_equal(p.writes[1].attribute, "memory.oom.group");
	s.memory.oom = SPEC_OOM_PROCESS;
	assert_int_equal(sched_plan(&s, &f, &p, &e), 0);
	assert_int_equal(p.count, 1);
	assert_string_equal(p.writes[0].attribute, "memory.max");
}

static void refusals_name_the_key(void **state)
{
	(void) state;
	refuses(no_cpu, "cpu.share: this host has no cpu controller (cgroup v2)");
	refuses(no_burst, "cpu.burst: this host's cpu controller has no burst (kernel 5.14)");
	refuses(no_pids, "process.limit: this host has no pids controller (cgroup v2)");
	refuses(no_io, "io.limit: this host has no io controller (cgroup v1)");
	refuses(no_shares,
		"io.share: this kernel has no scheduler of disks that knows shares (BFQ, "
		"or iocost on cgroup v2)");
	refuses(no_weights,
		"io.reserve: this kernel has no scheduler of disks that knows weights (BFQ, or "
		"iocost on cgroup v2)");
	refuses(swap_alone, "memory.swap: on cgroup v1 it needs memory.limit too");
}

static void limits_of_the_plan(void **state)
{
	static struct spec_io_limit many[SCHED_WRITES_MAX + 1];
	static char long_path[SCHED_VALUE_MAX + 1];
	struct facts f = facts_v2();
	struct spec s = plain();
	struct sched_plan p;
	struct err e = { 0 };

	(void) state;
	for (size_t i = 0; i < SCHED_WRITES_MAX + 1; i++)
		many[i] = (struct spec_io_limit){ vda, 1, 1, 1, 1 };
	s.io.limits = many;
	s.io.limit_count = SCHED_WRITES_MAX;
	assert_int_equal(sched_plan(&s, &f, &p, &e), 0);
	s.io.limit_count++;
	assert_int_equal(sched_plan(&s, &f, &p, &e), -E2BIG);
	memset(long_path, 'a', SCHED_VALUE_MAX);
	many[0].device = long_path;
	s.io.limit_count = 1;
	assert_int_equal(sched_plan(&s, &f, &p, &e), -E2BIG);
}

/* --- v2 to v1 --- */

struct v1_dir {
	char path[64];
	struct cg_tree tree;
	struct sched_host host;
};

static const char *const v1_files[] = {
	"cpu.shares",
	"cpu.cfs_quota_us",
	"cpu.cfs_period_us",
	"cpu.cfs_burst_us",
	"cpuset.cpus",
	"memory.limit_in_bytes",
	"memory.memsw.limit_in_bytes",
	"memory.soft_limit_in_bytes",
	"blkio.throttle.read_bps_device",
	"blkio.throttle.write_bps_device",
	"blkio.throttle.read_iops_device",
	"blkio.throttle.write_iops_device",
	"blkio.bfq.weight_device",
	"pids.max",
};

/* A directory of plain files in a slot's place shows what would be written. */
static void v1_dir_make(struct v1_dir *d)
{
	(void) snprintf(d->path, sizeof(d->path), "/tmp/ward-test-sched-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	memset(&d->host, 0, sizeof(d->host));
	d->host.count = 1;
	d->host.trees[0] =
		(struct cg_tree){ .top = -1,
				  .fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	assert_true(d->host.trees[0].fd >= 0);
	assert_int_equal(mkdirat(d->host.trees[0].fd, "7", 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(v1_files); i++) {
		char path[64];

		(void) snprintf(path, sizeof(path), "7/%s", v1_files[i]);
		assert_int_equal(fd_close(openat(d->host.trees[0].fd, path,
						 O_CREAT | O_WRONLY | O_CLOEXEC, 0600)),
				 -1);
	}
}

static void v1_dir_remove(struct v1_dir *d)
{
	d->host.trees[0].fd = fd_close(d->host.trees[0].fd);
	assert_int_equal(tree_remove_at(AT_FDCWD, d->path), 0);
}

static void writes(struct v1_dir *d, const char *attribute, const char *value, const char *file,
		   const char *expected)
{
	struct err e = { 0 };
	char text[256];

	/* Control files take each write as a whole; plain ones must be emptied first. */
	assert_int_equal(fd_close(slot_openat(&d->host.trees[0], 7, file, O_WRONLY | O_TRUNC)), -1);
	assert_int_equal(attribute_write(&d->host, 7, attribute, value, &e), 0);
	assert_true(slot_read(&d->host.trees[0], 7, file, text, sizeof(text)) >= 0);
	assert_string_equal(text, expected);
}

static void mapping(void **state)
{
	struct v1_dir d;

	(void) state;
	v1_dir_make(&d);
	writes(&d, "cpu.weight", "100", "cpu.shares", "1024");
	writes(&d, "cpu.weight", "1", "cpu.shares", "10");
	writes(&d, "cpu.weight", "10000", "cpu.shares", "102400");
	writes(&d, "cpu.max", "150000 100000", "cpu.cfs_period_us", "100000");
	writes(&d, "cpu.max.burst", "5000", "cpu.cfs_burst_us", "5000");
	writes(&d, "cpuset.cpus", "0-1,3", "cpuset.cpus", "0-1,3");
	writes(&d, "memory.max", "1048576", "memory.limit_in_bytes", "1048576");
	writes(&d, "memory.swap.max", "4096", "memory.memsw.limit_in_bytes", "1052672");
	writes(&d, "memory.swap.max", "max", "memory.memsw.limit_in_bytes", "-1");
	writes(&d, "memory.max", "max", "memory.limit_in_bytes", "-1");
	writes(&d, "memory.low", "4096", "memory.soft_limit_in_bytes", "4096");
	writes(&d, "io.max", "8:0 rbps=10 wbps=max riops=30 wiops=40",
	       "blkio.throttle.read_bps_device", "8:0 10");
	writes(&d, "io.max", "8:0 rbps=10 wbps=max riops=30 wiops=40",
	       "blkio.throttle.write_bps_device", "8:0 0");
	writes(&d, "io.max", "8:0 wiops=40", "blkio.throttle.write_iops_device", "8:0 40");
	writes(&d, "io.weight", "8:0 default", "blkio.bfq.weight_device", "8:0 100");
	writes(&d, "pids.max", "max", "pids.max", "max");
	v1_dir_remove(&d);
}

static void cannot(struct v1_dir *d, const char *attribute, const char *value, int expected)
{
	struct err e = { 0 };

	assert_int_equal(attribute_write(&d->host, 7, attribute, value, &e), expected);
	assert_non_null(strstr(e.text, attribute));
}

static void mapping_refusals(void **state)
{
	struct v1_dir d;

	(void) state;
	v1_dir_make(&d);
	cannot(&d, "memory.min", "1", -EOPNOTSUPP);
	cannot(&d, "memory.high", "1", -EOPNOTSUPP);
	cannot(&d, "no.such", "1", -EINVAL);
	cannot(&d, "cpu.weight", "0", -EINVAL);
	cannot(&d, "cpu.weight", "10001", -EINVAL);
	cannot(&d, "cpu.max", "100", -EINVAL);
	d.host.of[CG_PIDS] = -1;
	cannot(&d, "pids.max", "1", -EOPNOTSUPP);
	v1_dir_remove(&d);
}

static void table_is_whole(void **state)
{
	const struct attribute *a;

	(void) state;
	for (size_t i = 0; (a = attribute_at(i)) != NULL; i++) {
		assert_ptr_equal(attribute_find(a->name), a);
		assert_true(a->v1_file == NULL || a->v1_convert != NULL);
		assert_false(a->v1_file != NULL && a->v1_write != NULL);
		assert_non_null(a->fallback);
	}
}

static void devices_named_wrongly(void **state)
{
	char out[SCHED_VALUE_MAX];
	struct cg_device d;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(disk_resolve("io.limit", "8:0 rbps=1", out, &e), 0);
	assert_string_equal(out, "8:0 rbps=1");
	assert_int_equal(disk_resolve("io.limit", "/dev/null rbps=1", out, &e), -ENOTBLK);
	assert_string_equal(e.text, "io.limit: device \"/dev/null\": Block device required");
	assert_int_equal(disk_resolve("io.limit", "/no/such rbps=1", out, &e), -ENOENT);
	assert_int_equal(device_resolve("/dev/null", &d), 0);
	assert_int_equal(d.type, 'c');
	assert_int_equal(d.major * 100 + d.minor, 103);
	assert_int_equal(device_resolve("/", &d), -ENODEV);
}

/* --- the device filter, run by hand --- */

static int filter(const struct bpf_insn *p, size_t n, unsigned type, unsigned access,
		  unsigned major, unsigned minor)
{
	uint64_t r[6] = { 0 };
	const uint32_t context[] = { access << 16 | type, major, minor };

	for (size_t i = 0; i < n; i++) {
		const struct bpf_insn *x = &p[i];

		switch (x->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			r[x->dst_reg] = context[x->off / 4];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_X:
			r[x->dst_reg] = r[x->src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			r[x->dst_reg] = (unsigned) x->imm;
			break;
		case BPF_ALU64 | BPF_AND | BPF_K:
			r[x->dst_reg] &= (unsigned) x->imm;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_K:
			r[x->dst_reg] >>= x->imm;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			i += r[x->dst_reg] & (unsigned) x->imm ? (size_t) x->off : 0;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			i += r[x->dst_reg] != (unsigned) x->imm ? (size_t) x->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int) r[0];
		default:
			fail_msg("instruction %#x", x->code);
		}
	}
	fail_msg("the program runs off its end");
	return -1;
}

static void device_filter(void **state)
{
	struct cg_device extra[CG_DEVICES_EXTRA_MAX];
	struct bpf_insn p[DEVICES_PROGRAM_MAX + 2];
	const unsigned c = BPF_DEVCG_DEV_CHAR, b = BPF_DEVCG_DEV_BLOCK;
	const unsigned rw = BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;
	size_t n = devices_program(NULL, 0, p);

	(void) state;
	assert_int_equal(filter(p, n, c, rw, 1, 3), 1);
	assert_int_equal(filter(p, n, c, BPF_DEVCG_ACC_READ, 1, 9), 1);
	assert_int_equal(filter(p, n, c, rw, 136, 4711), 1);
	assert_int_equal(filter(p, n, c, BPF_DEVCG_ACC_MKNOD, 1, 3), 0);
	assert_int_equal(filter(p, n, b, rw, 1, 3), 0);
	assert_int_equal(filter(p, n, c, rw, 1, 1), 0); /* /dev/mem */
	assert_int_equal(filter(p, n, c, rw, 10, 229), 0);
	assert_int_equal(filter(p, n, c, rw, 5, 1), 0);
	for (size_t i = 0; i < CG_DEVICES_EXTRA_MAX; i++)
		extra[i] = (struct cg_device){ 'b', 259, (unsigned) i, false };
	extra[0] = (struct cg_device){ 'c', 10, 229, false };
	n = devices_program(extra, CG_DEVICES_EXTRA_MAX, p);
	assert_true(n <= DEVICES_PROGRAM_MAX + 2);
	assert_int_equal(filter(p, n, c, rw, 10, 229), 1);
	assert_int_equal(filter(p, n, b, rw, 10, 229), 0);
	assert_int_equal(filter(p, n, b, rw, 259, CG_DEVICES_EXTRA_MAX - 1), 1);
	assert_int_equal(filter(p, n, b, rw, 259, CG_DEVICES_EXTRA_MAX), 0);
	assert_int_equal(filter(p, n, c, BPF_DEVCG_ACC_MKNOD, 10, 229), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_write_nothing),
		cmocka_unit_test(golden_full),
		cmocka_unit_test(golden_v1),
		cmocka_unit_test(quota_and_period),
		cmocka_unit_test(one_process_dies_by_choice),
		cmocka_unit_test(refusals_name_the_key),
		cmocka_unit_test(limits_of_the_plan),
		cmocka_unit_test(mapping),
		cmocka_unit_test(mapping_refusals),
		cmocka_unit_test(table_is_whole),
		cmocka_unit_test(devices_named_wrongly),
		cmocka_unit_test(device_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
