/* Weights of disks while something is reserved on them: what is due to everybody when all are
 * hungry, and who is written when. On plain files in the place of cgroups: what is told is what is
 * seen. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "sched/disk_dues.h"
#include "sched/host.h"

#define FILE_V1 "blkio.bfq.weight_device"
#define SLOTS 200

static char root[] = "/tmp/ward-dues.XXXXXX", disk_a[64], disk_b[64];
static struct sched_host host;
static struct disk_dues *dues;

static void touch(const char *dir)
{
	char path[128];

	(void) snprintf(path, sizeof(path), "%s/%s", root, dir);
	assert_int_equal(mkdir(path, 0755), 0);
	(void) snprintf(path, sizeof(path), "%s/%s/" FILE_V1, root, dir);
	(void) fd_close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
}

/* Numbers that no disk of the host has. */
static bool make_disk(char path[static 64], const char *name, unsigned minor)
{
	(void) snprintf(path, 64, "%s/%s", root, name);
	return mknod(path, S_IFBLK | 0600, makedev(240, minor)) == 0;
}

static int setup(void **state)
{
	struct cg_tree *t = &host.trees[0];
	char slot[32];

	(void) state;
	memcpy(root, "/tmp/ward-dues.XXXXXX", sizeof(root));
	assert_non_null(mkdtemp(root));
	dues = NULL;
	if (!make_disk(disk_a, "a", 200) || !make_disk(disk_b, "b", 201))
		return 0;
	touch("ward");
	touch("ward/test");
	for (unsigned i = 1; i <= SLOTS; i++) {
		(void) snprintf(slot, sizeof(slot), "ward/test/%u", i);
		touch(slot);
	}
	host = (struct sched_host){ .instance = "test", .count = 1 };
	memset(host.of, -1, sizeof(host.of));
	host.of[CG_IO] = 0;
	t->top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->fd = openat(t->top, "ward/test", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return disk_dues_new(&host, 50000, &dues);
}

static int teardown(void **state)
{
	(void) state;
	disk_dues_free(dues);
	if (dues != NULL) {
		(void) fd_close(host.trees[0].fd);
		(void) fd_close(host.trees[0].top);
	}
	return tree_remove_at(AT_FDCWD, root);
}

#define NEEDS_ROOT()                                                                               \
	if (dues == NULL)                                                                          \
	skip()

static void forget_in(const char *dir)
{
	char path[128];

	(void) snprintf(path, sizeof(path), "%s/ward/%s" FILE_V1, root, dir);
	assert_int_equal(truncate(path, 0), 0);
}

/* What was written last to a directory, for a disk. 0: nothing. */
static unsigned weight_in(const char *dir, unsigned minor)
{
	char path[128], text[64];
	unsigned weight = 0, of = 0;

	(void) snprintf(path, sizeof(path), "%s/ward/%s" FILE_V1, root, dir);
	if (cg_read(AT_FDCWD, path, text, sizeof(text)) > 0)
		assert_int_equal(sscanf(text, "240:%u %u", &of, &weight), 2);
	return of == minor ? weight : 0;
}

/* The same, since it was asked last. */
static unsigned written_in(const char *dir, unsigned minor)
{
	unsigned weight = weight_in(dir, minor);

	forget_in(dir);
	return weight;
}

static unsigned written(unsigned slot)
{
	char dir[32];

	(void) snprintf(dir, sizeof(dir), "test/%u/", slot);
	return written_in(dir, 200);
}

static void give(unsigned slot, const char *device, unsigned permille, unsigned share, bool fresh)
{
	struct spec_io_part reserve = { (char *) (uintptr_t) device, permille };
	struct spec_io_part weight = { (char *) (uintptr_t) device, share };
	struct spec s;

	assert_int_equal(spec_init(&s, "x"), 0);
	s.io.reserves = &reserve;
	s.io.reserve_count = permille > 0;
	s.io.shares = &weight;
	s.io.share_count = share > 0;
	assert_int_equal(disk_dues_set(dues, slot, &s, fresh), 0);
}

static void without_reserves_nothing_is_written(void **state)
{
	(void) state;
	NEEDS_ROOT();
	give(1, disk_a, 0, 0, true);
	give(2, disk_a, 0, 300, true);
	give(2, disk_a, 0, 200, false);
	assert_false(disk_dues_unsettled(dues));
	assert_int_equal(disk_dues_settle(dues), 0);
	assert_int_equal(written(1) + written(2) + written_in("", 200) + weight_in("test/", 200),
			 0);
}

/* 95 % for contexts; of it half reserved; the rest by shares of 100, 300, 100. */
static void weights_are_dues(void **state)
{
	(void) state;
	NEEDS_ROOT();
	give(1, disk_a, 0, 0, true);
	give(2, disk_a, 0, 300, true);
	give(3, disk_a, 500, 0, true);
	assert_int_equal(written(1), 0); /* a share stays its own number */
	assert_int_equal(written(2), 0);
	assert_int_equal(written(3), 100 + 500 * 500 / 450 + 1); /* rounded up */
	assert_int_equal(written_in("", 200), 760); /* against 40: 95 to 5 */
	assert_int_equal(weight_in("test/", 200), 760);
	give(4, disk_a, 100, 0, true); /* another takes from what a share is worth */
	assert_int_equal(written(4), 100 + 100 * 600 / 350 + 1);
	assert_int_equal(written(3), 100 + 500 * 600 / 350 + 1);
	assert_int_equal(written(1) + written(2), 0);
	assert_int_equal(written_in("", 200), 0);
	disk_dues_drop(dues, 4);
	assert_true(disk_dues_unsettled(dues));
	assert_int_equal(disk_dues_settle(dues), 0);
	assert_int_equal(written(3), 656);
}

static void all_is_given_back(void **state)
{
	(void) state;
	NEEDS_ROOT();
	give(1, disk_a, 0, 0, true);
	give(2, disk_a, 0, 300, true);
	give(3, disk_a, 900, 0, true);
	assert_true(written(1) < 20);
	assert_true(written(2) < 60);
	assert_true(written(3) > 500);
	assert_int_equal(written_in("", 200) + weight_in("test/", 200), 2 * 760);
	give(3, disk_a, 0, 0, false);
	assert_int_equal(written(1), 100);
	assert_int_equal(written(2), 300);
	assert_int_equal(written(3), 100);
	assert_int_equal(written_in("", 200), 100);
	assert_int_equal(weight_in("test/", 200), 100);
	give(1, disk_a, 0, 0, false); /* and then it is as if nothing had been */
	assert_int_equal(written(1), 0);
}

static void each_disk_is_for_itself(void **state)
{
	(void) state;
	NEEDS_ROOT();
	give(1, disk_b, 0, 200, true);
	give(2, disk_a, 500, 0, true);
	assert_int_equal(written(1), 0);
	assert_int_equal(written(2), 100 + 500 * 200 / 450 + 1); /* on this one both have 100 */
	assert_int_equal(written_in("", 201), 0);
}

static void the_hosts_part_can_change(void **state)
{
	(void) state;
	NEEDS_ROOT();
	give(1, disk_a, 200, 0, true);
	(void) written(1);
	assert_int_equal(written_in("", 200), 760);
	disk_dues_set_host(dues, 500000);
	assert_true(disk_dues_unsettled(dues));
	assert_int_equal(disk_dues_settle(dues), 0);
	assert_int_equal(written_in("", 200), 40);
	disk_dues_set_host(dues, 0);
	assert_int_equal(disk_dues_settle(dues), 0);
	assert_int_equal(written_in("", 200), 1000);
}

/* @return how many were written. */
static unsigned update(unsigned *weights, unsigned count)
{
	unsigned writes = 0;

	for (unsigned i = 1; i <= count; i++) {
		unsigned w = written(i);

		if (w != 0)
			weights[i] = w;
		writes += w != 0;
		assert_in_range(weights[i], 1, 1000);
	}
	return writes;
}

/* The more come, the smaller is what a share is worth: floors are rounded up, others down; only
 * some are written each time. */
static void floors_hold_among_many(void **state)
{
	unsigned weights[SLOTS + 1], writes = 0, sum = 0;

	(void) state;
	NEEDS_ROOT();
	for (unsigned n = 1; n <= SLOTS; n++) {
		weights[n] = 100;
		give(n, disk_a, n == 1 ? 300 : n == 2 ? 200 : 0, 0, true);
		writes += update(weights, n);
	}
	for (unsigned i = 1; i <= SLOTS; i++)
		sum += weights[i];
	assert_in_range(writes, SLOTS, 8 * SLOTS); /* of 200 times 200 */
	/* Of what contexts have, 95 %: 30 and 20 of it. */
	assert_true(weights[1] * 95 >= 30 * sum);
	assert_true(weights[2] * 95 >= 20 * sum);
	give(SLOTS, disk_a, 0, 0, false);
	for (unsigned i = 1; i < SLOTS; i++)
		assert_int_equal(written(i), 0);
}

static void what_is_told_are_shares(void **state)
{
	struct spec_io_part share = { disk_a, 300 };
	char live[96], told[96];
	struct buf b = { 0 };
	struct spec s;

	(void) state;
	NEEDS_ROOT();
	give(1, disk_a, 900, 0, true);
	give(2, disk_a, 0, 300, true);
	assert_int_equal(spec_init(&s, "x"), 0);
	s.io.shares = &share;
	s.io.share_count = 1;
	disk_dues_tell(dues, 2, &s, "240:200 77\n240:201 100", &b);
	assert_string_equal(b.data, "240:200 77"); /* somebody else has written that */
	buf_done(&b);
	(void) snprintf(live, sizeof(live), "%s %u", disk_a, written(2));
	(void) snprintf(told, sizeof(told), "%s 300", disk_a);
	disk_dues_tell(dues, 2, &s, live, &b);
	assert_string_equal(b.data, told);
	buf_done(&b);
	s.io.share_count = 0;
	disk_dues_tell(dues, 3, &s, "", &b);
	assert_string_equal(b.data, "");
	buf_done(&b);
}

/* A daemon died: the next one finds by its own weight what was held, and gives back what is not. */
static void an_heir_gives_back(void **state)
{
	(void) state;
	NEEDS_ROOT();
	disk_dues_free(dues);
	assert_int_equal(file_write_at(host.trees[0].fd, FILE_V1, "240:200 760\n"), 0);
	assert_int_equal(disk_dues_new(&host, 50000, &dues), 0);
	assert_true(disk_dues_unsettled(dues));
	give(1, disk_a, 0, 0, false); /* lives on; its weights are not known */
	give(2, disk_a, 0, 300, false);
	assert_int_equal(disk_dues_settle(dues), 0);
	assert_int_equal(written(1), 100);
	assert_int_equal(written(2), 300);
	assert_int_equal(written_in("", 200), 100);
	assert_int_equal(weight_in("test/", 200), 100);
	assert_false(disk_dues_unsettled(dues));
}

static void forgotten_weights_are_written_anew(void **state)
{
	(void) state;
	NEEDS_ROOT();
	give(1, disk_a, 500, 0, true);
	give(2, disk_a, 0, 0, true);
	give(3, disk_a, 0, 300, true);
	assert_int_equal(written(1), 656);
	disk_dues_set_host(dues, 50000); /* wardctl reload */
	assert_int_equal(disk_dues_settle(dues), 0);
	assert_int_equal(written(1) + written(2) + written(3), 0);
	forget_in("test/");
	disk_dues_set_host(dues, 50000);
	assert_int_equal(disk_dues_settle(dues), 0);
	assert_int_equal(written(1), 656);
	assert_int_equal(written(2), 100);
	assert_int_equal(written(3), 300);
	assert_int_equal(weight_in("test/", 200), 760);
}

/* More is reserved than there is: the host was given more. */
static void what_does_not_fit_shrinks(void **state)
{
	unsigned one, two;

	(void) state;
	NEEDS_ROOT();
	give(1, disk_a, 600, 0, true);
	give(2, disk_a, 300, 0, true);
	give(3, disk_a, 0, 0, true);
	disk_dues_set_host(dues, 800000);
	assert_int_equal(disk_dues_settle(dues), 0);
	one = written(1);
	two = written(2);
	assert_int_equal(one, 1000);
	assert_int_equal(two, 500);
	assert_int_equal(written(3), 1); /* it does not stand still */
}

#define UNIT(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(without_reserves_nothing_is_written),
		UNIT(weights_are_dues),
		UNIT(all_is_given_back),
		UNIT(each_disk_is_for_itself),
		UNIT(the_hosts_part_can_change),
		UNIT(floors_hold_among_many),
		UNIT(what_is_told_are_shares),
		UNIT(an_heir_gives_back),
		UNIT(forgotten_weights_are_written_anew),
		UNIT(what_does_not_fit_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
