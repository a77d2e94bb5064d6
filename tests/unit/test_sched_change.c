/* Limits changed under a running process, and I/O limits on a loop device. Needs root. */
#include "tests/unit/sched_fixture.h"

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

static struct spec plain(void)
{
	return (struct spec){
		.process.limit = UNITS_NONE,
		.cpu = { .share = 100, .limit_millicpu = UNITS_NONE },
		.memory = { .limit = UNITS_NONE, .soft = UNITS_NONE, .swap = UNITS_NONE }
	};
}

static void apply(unsigned slot, const struct spec *s)
{
	struct sched_plan p;
	struct err e = { 0 };

	if (sched_plan(s, &facts, &p, &e) < 0)
		fails(&e);
	for (size_t i = 0; i < p.count; i++)
		set(slot, p.writes[i].attribute, p.writes[i].value);
}

static void changed(unsigned slot, const struct spec *from, const struct spec *to)
{
	struct err e = { 0 };

	if (sched_slot_change(host, slot, from, to, &facts, &e) < 0)
		fails(&e);
}

static size_t eaten;

static bool has_eaten(unsigned slot)
{
	return stats(slot).memory_anon_bytes >= eaten;
}

static void memory_lowered(void **state)
{
	struct spec from = plain(), to = plain();
	struct err e = { 0 };
	unsigned slot;
	pid_t pid;

	(void) state;
	need(CG_MEMORY);
	eaten = 40u * MIB;
	from.memory.limit = 64u * MIB;
	from.memory.swap = 0;
	to.memory = from.memory;
	slot = make_slot();
	apply(slot, &from);
	pid = spawn(slot, eater, &eaten);
	assert_true(until(has_eaten, slot));
	to.memory.limit = 16u * MIB;
	to.process.limit = 5;
	assert_int_equal(sched_slot_change(host, slot, &from, &to, &facts, &e), -EBUSY);
	print_message("%s\n", e.text);
	assert_non_null(strstr(e.text, "memory.limit: cannot be lowered to 16"));
	/* All or nothing, and nobody was killed for it. */
	assert_int_equal(stats(slot).memory_limit_bytes, 64 * MIB);
	assert_int_equal(stats(slot).pids_limit, UNITS_NONE);
	assert_int_equal(stats(slot).oom_kills, 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	to.memory.limit = 60u * MIB;
	changed(slot, &from, &to);
	assert_int_equal(stats(slot).memory_limit_bytes, 60 * MIB);
	assert_int_equal(stats(slot).pids_limit, 5);
	/* Up again, beyond what memory and swap together were allowed. */
	from.memory.limit = 200u * MIB;
	changed(slot, &to, &from);
	assert_int_equal(stats(slot).memory_limit_bytes, 200 * MIB);
	assert_int_equal(stats(slot).pids_limit, UNITS_NONE);
	to = plain();
	changed(slot, &from, &to);
	assert_int_equal(stats(slot).memory_limit_bytes, UNITS_NONE);
	kill_and_remove(slot, pid);
}

/* Reads a file into the page cache again and again. */
static void reader(void *arg)
{
	static char buf[65536];

	for (;;) {
		(void) lseek(*(int *) arg, 0, SEEK_SET);
		while (read(*(int *) arg, buf, sizeof(buf)) > 0)
			continue;
		sleeper(NULL);
	}
}

static bool has_cached(unsigned slot)
{
	return stats(slot).memory_file_bytes >= 40u * MIB;
}

static int scratch_file(size_t size)
{
	char path[] = "/var/tmp/ward-test-sched-XXXXXX";
	static char block[MIB];
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	for (size_t n = 0; n < size; n += sizeof(block))
		assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	assert_int_equal(fdatasync(fd), 0);
	return fd;
}

/* Page cache is given up, so the same step that anonymous memory refused succeeds. */
static void cache_reclaimed(void **state)
{
	struct spec from = plain(), to = plain();
	unsigned slot;
	pid_t pid;
	int fd;

	(void) state;
	need(CG_MEMORY);
	fd = scratch_file(48u * MIB);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	slot = make_slot();
	from.memory.limit = 64u * MIB;
	to.memory.limit = 16u * MIB;
	apply(slot, &from);
	pid = spawn(slot, reader, &fd);
	if (until(has_cached, slot)) {
		changed(slot, &from, &to);
		assert_in_range(stats(slot).memory_bytes, 0, 16 * MIB);
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	} else {
		print_message("skipped: the file does not stay in the page cache\n");
	}
	kill_and_remove(slot, pid);
	(void) fd_close(fd);
}

static void assert_file(enum cg_controller c, unsigned slot, const char *file, const char *expected)
{
	char text[256];

	assert_true(slot_read(host_tree(host, c), slot, file, text, sizeof(text)) >= 0);
	assert_string_equal(text, expected);
}

static void cpu_changed(void **state)
{
	static char first[] = "0";
	struct spec a = plain(), b = plain(), none = plain();
	unsigned slot;

	(void) state;
	need(CG_CPU);
	if (host_tree(host, CG_CPU)->unified)
		skip();
	slot = make_slot();
	a.cpu.limit_millicpu = 2000;
	a.cpu.burst_us = 150000;
	apply(slot, &a);
	/* The old burst is above the new quota, and the other way round on the way back. */
	b.cpu.limit_millicpu = 100;
	b.cpu.burst_us = 5000;
	b.cpu.share = 400;
	b.cpu.cpus = first;
	changed(slot, &a, &b);
	assert_file(CG_CPU, slot, "cpu.cfs_quota_us", "10000\n");
	assert_file(CG_CPU, slot, "cpu.cfs_burst_us", "5000\n");
	assert_file(CG_CPU, slot, "cpu.shares", "4096\n");
	assert_file(CG_CPUSET, slot, "cpuset.cpus", "0\n");
	changed(slot, &b, &a);
	assert_file(CG_CPU, slot, "cpu.cfs_burst_us", "150000\n");
	assert_file(CG_CPU, slot, "cpu.shares", "1024\n");
	changed(slot, &a, &none);
	assert_file(CG_CPU, slot, "cpu.cfs_quota_us", "-1\n");
	assert_file(CG_CPU, slot, "cpu.cfs_burst_us", "0\n");
	remove_slot(slot);
}

static void restored_on_failure(void **state)
{
	static char nowhere[] = "/dev/no-such-disk", beyond[] = "4000";
	static struct spec_io_limit limit = { nowhere, 1, 1, 1, 1 };
	struct spec a = plain(), b = plain();
	struct err e = { 0 };
	unsigned slot;

	(void) state;
	need(CG_IO);
	need(CG_PIDS);
	slot = make_slot();
	a.process.limit = 50;
	apply(slot, &a);
	b.process.limit = 10;
	b.cpu.share = 5;
	b.io.limits = &limit;
	b.io.limit_count = 1;
	assert_int_equal(sched_slot_change(host, slot, &a, &b, &facts, &e), -ENOENT);
	assert_non_null(strstr(e.text, nowhere));
	assert_int_equal(stats(slot).pids_limit, 50);
	b = plain();
	b.process.limit = 10;
	b.cpu.cpus = beyond;
	assert_true(sched_slot_change(host, slot, &a, &b, &facts, &e) < 0);
	assert_non_null(strstr(e.text, "cpuset.cpus"));
	assert_int_equal(stats(slot).pids_limit, 50);
	remove_slot(slot);
}

/* --- I/O --- */

/* @return the loop device's descriptor (it frees itself on close), or -1. */
static int loop_make(int file, char path[static 32])
{
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config c = { .fd = (unsigned) file,
				 .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO };

	for (int i = 0; control >= 0 && i < 8; i++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE), fd;

		if (n < 0)
			return -1;
		(void) snprintf(path, 32, "/dev/loop%d", n);
		fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &c) == 0)
			return fd;
		(void) fd_close(fd);
	}
	return -1;
}

#define IO_BYTES (2u * MIB)

static void direct_reader(void *arg)
{
	static char buf[256 << 10] __attribute__((aligned(4096)));

	for (size_t n = 0; n < IO_BYTES; n += sizeof(buf))
		if (pread(*(int *) arg, buf, sizeof(buf), (off_t) n) != sizeof(buf))
			_exit(1);
	_exit(0);
}

static int64_t read_time_us(unsigned slot, int *fd)
{
	int64_t start = now_us();

	assert_int_equal(reap(spawn(slot, direct_reader, fd)), 0);
	return now_us() - start;
}

static void io_limited(void **state)
{
	struct spec_io_limit limit = { .read_bps = 4u * MIB,
				       .write_bps = UNITS_NONE,
				       .read_iops = UNITS_NONE,
				       .write_iops = UNITS_NONE };
	struct spec a = plain(), b = plain();
	int64_t limited, free_time = 0;
	struct sched_stats s;
	char path[32];
	unsigned slot;
	int file, fd;

	(void) state;
	need(CG_IO);
	file = scratch_file(4u * MIB);
	fd = loop_make(file, path);
	(void) fd_close(file);
	if (fd < 0) {
		print_message("skipped: no loop device\n");
		skip();
	}
	limit.device = path;
	a.io.limits = &limit;
	a.io.limit_count = 1;
	slot = make_slot();
	apply(slot, &a);
	limited = read_time_us(slot, &fd);
	changed(slot, &a, &b);
	for (int i = 0; i < 3 && (i == 0 || free_time >= 300000); i++) /* where others disturb */
		free_time = read_time_us(slot, &fd);
	s = stats(slot);
	print_message("2 MiB at 4 MiB/s: %.2f s; without limit: %.3f s; counted %lu bytes\n",
		      (double) limited / 1e6, (double) free_time / 1e6,
		      s.io_count > 0 ? (unsigned long) s.io[0].read_bytes : 0);
	assert_in_range(limited, 350000, 1500000);
	assert_true(free_time < 300000);
	assert_true(s.io_count > 0 && s.io[0].read_bytes >= 2 * IO_BYTES && s.io[0].read_ops > 0);
	(void) fd_close(fd);
	remove_slot(slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_lowered), cmocka_unit_test(cache_reclaimed),
		cmocka_unit_test(cpu_changed),	  cmocka_unit_test(restored_on_failure),
		cmocka_unit_test(io_limited),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
