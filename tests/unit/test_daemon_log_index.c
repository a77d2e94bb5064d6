/* The index of a log: what was written after a moment is found, torn and damaged ends are passed
 * over, and thinning keeps what questions need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "daemon/log_index.h"

#define SECOND UINT64_C(1000000)

struct place {
	char path[32];
	int fd;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	(void) snprintf(p->path, sizeof(p->path), "/tmp/ward-index.XXXXXX");
	if (!mkdtemp(p->path))
		return -1;
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	(void) tree_remove_at(AT_FDCWD, p->path);
	fd_close(p->fd);
	free(p);
	return 0;
}

static void add(int fd, enum log_mark_kind kind, uint64_t second, uint64_t end, uint64_t base)
{
	const struct log_mark m = { second * SECOND, end, base, kind, 0 };

	assert_int_equal(log_index_add(fd, "x", &m, base), 0);
}

static void test_marks_come_back(void **state)
{
	struct place *p = *state;
	struct log_mark last[2];
	struct log_marks all;

	assert_int_equal(log_index_read(p->fd, "x", &all), 0);
	assert_int_equal(all.count, 0);
	assert_int_equal(log_index_last(p->fd, "x", last), 0);
	add(p->fd, LOG_MARK_START, 1, 0, 0);
	assert_int_equal(log_index_last(p->fd, "x", last), 1);
	assert_int_equal(last[1].kind, LOG_MARK_START);
	add(p->fd, LOG_MARK_TIME, 2, 100, 0);
	add(p->fd, LOG_MARK_MOVING, 3, 100, 50);
	assert_int_equal(log_index_last(p->fd, "x", last), 2);
	assert_int_equal(last[0].end, 100);
	assert_int_equal(last[1].base, 50);
	assert_int_equal(log_index_read(p->fd, "x", &all), 0);
	assert_int_equal(all.count, 3);
	log_marks_done(&all);
}

static void test_a_move_is_open_until_it_is_noted_as_done(void **state)
{
	struct place *p = *state;
	struct log_mark move[2];

	assert_false(log_index_move(p->fd, "x", move));
	add(p->fd, LOG_MARK_TIME, 1, 100, 10);
	assert_false(log_index_move(p->fd, "x", move));
	add(p->fd, LOG_MARK_MOVING, 2, 100, 50);
	assert_true(log_index_move(p->fd, "x", move));
	add(p->fd, LOG_MARK_START, 3, 100, 10); /* in force until then is the old base */
	add(p->fd, LOG_MARK_EXIT, 4, 120, 10);
	assert_true(log_index_move(p->fd, "x", move));
	assert_int_equal(move[0].base, 10);
	assert_int_equal(move[1].base, 50);
	add(p->fd, LOG_MARK_MOVED, 5, 120, 50);
	assert_false(log_index_move(p->fd, "x", move));
	add(p->fd, LOG_MARK_EXIT, 6, 130, 50);
	assert_false(log_index_move(p->fd, "x", move));
}

static void test_torn_and_damaged_marks_are_passed_over(void **state)
{
	const struct log_mark back = { 1, 1, 0, LOG_MARK_TIME, 0 },
			      odd = { 9 * SECOND, 900, 901, 0, 0 };
	struct place *p = *state;
	struct log_marks all;
	int fd;

	add(p->fd, LOG_MARK_TIME, 1, 100, 0);
	fd = openat(p->fd, "x", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "torn", 4), 4);
	add(p->fd, LOG_MARK_TIME, 2, 200, 0);
	assert_int_equal(write(fd, &back, sizeof(back)), sizeof(back)); /* time and end go back */
	assert_int_equal(write(fd, &odd, sizeof(odd)), sizeof(odd)); /* begins behind its end */
	add(p->fd, LOG_MARK_TIME, 3, 300, 0);
	fd_close(fd);
	assert_int_equal(log_index_read(p->fd, "x", &all), 0);
	assert_int_equal(all.count, 3);
	assert_int_equal(all.items[1].end, 200);
	assert_int_equal(all.items[2].end, 300);
	log_marks_done(&all);
}

static void test_an_index_stays_small(void **state)
{
	struct place *p = *state;
	struct log_marks all;
	struct stat st;
	uint64_t before = 0;

	for (unsigned i = 0; i < 3 * LOG_MARKS_MAX; i++)
		add(p->fd, i % 1000 == 0 ? LOG_MARK_START : LOG_MARK_TIME, i, i * 10ull, 0);
	assert_int_equal(fstatat(p->fd, "x", &st, 0), 0);
	assert_true(st.st_size <= (off_t) (LOG_MARKS_MAX * sizeof(struct log_mark)));
	assert_int_equal(log_index_read(p->fd, "x", &all), 0);
	assert_int_equal(all.items[all.count - 1].end, (3 * LOG_MARKS_MAX - 1) * 10ull);
	for (size_t i = 0, starts = 0; i < all.count; i++) { /* every start is still there */
		assert_true(all.items[i].time_us >= before);
		before = all.items[i].time_us;
		if (all.items[i].kind == LOG_MARK_START)
			assert_int_equal(all.items[i].time_us, starts++ * 1000 * SECOND);
	}
	/* the newest are all there; older ones are no further apart than a part of their age */
	for (size_t i = all.count - 1; i > 0; i--) {
		uint64_t gap = all.items[i].time_us - all.items[i - 1].time_us;
		uint64_t age = all.items[all.count - 1].time_us - all.items[i - 1].time_us;

		assert_true(gap <= SECOND + age / 500);
	}
	log_marks_done(&all);
}

static void test_only_starts_are_thinned_as_well(void **state)
{
	struct log_mark *items = calloc(LOG_MARKS_MAX, sizeof(*items));
	struct log_marks all = { items, LOG_MARKS_MAX };

	(void) state;
	for (unsigned i = 0; i < LOG_MARKS_MAX; i++)
		items[i] = (struct log_mark){ i, 0, 0, LOG_MARK_START, 0 };
	log_marks_thin(&all, 0);
	assert_true(all.count <= LOG_MARKS_MAX / 4 * 3);
	assert_int_equal(all.items[all.count - 1].time_us, LOG_MARKS_MAX - 1);
	log_marks_done(&all);
}

static void test_what_is_gone_leaves_the_index(void **state)
{
	struct log_mark items[] = {
		{ 1, 0, 0, LOG_MARK_START, 0 },	   { 2, 50, 0, LOG_MARK_TIME, 0 },
		{ 3, 60, 0, LOG_MARK_START, 0 },   { 4, 100, 0, LOG_MARK_TIME, 0 },
		{ 5, 200, 100, LOG_MARK_TIME, 0 },
	};
	struct log_marks all = { items, ARRAY_SIZE(items) };

	(void) state;
	log_marks_thin(&all, 100);
	assert_int_equal(all.count, 2); /* the run that is cut, and what is kept */
	assert_int_equal(all.items[0].kind, LOG_MARK_START);
	assert_int_equal(all.items[0].end, 60);
	assert_int_equal(all.items[1].end, 200);
}

static void test_moments_are_found(void **state)
{
	struct log_mark items[] = {
		{ 10, 0, 0, LOG_MARK_START, 0 },  { 20, 100, 0, LOG_MARK_TIME, 0 },
		{ 30, 250, 0, LOG_MARK_EXIT, 0 }, { 40, 250, 0, LOG_MARK_START, 0 },
		{ 50, 300, 0, LOG_MARK_TIME, 0 },
	};
	const struct log_marks all = { items, ARRAY_SIZE(items) }, none = {};
	const struct log_mark *next;

	(void) state;
	assert_int_equal(log_marks_since(&all, 9), 0);
	assert_int_equal(log_marks_since(&all, 20), 100); /* all before 100 was written by then */
	assert_int_equal(log_marks_since(&all, 29), 100);
	assert_int_equal(log_marks_since(&all, 99), 300);
	assert_int_equal(log_marks_since(&none, 99), 0);
	assert_int_equal(log_marks_until(&all, 9), 0);
	assert_int_equal(log_marks_until(&all, 25),
			 250); /* what was written until 25 ends before */
	assert_true(log_marks_until(&all, 50) == UINT64_MAX);
	assert_ptr_equal(log_marks_run(&all, 1, &next), &items[3]);
	assert_null(next);
	assert_ptr_equal(log_marks_run(&all, 2, &next), &items[0]);
	assert_ptr_equal(next, &items[3]);
	assert_null(log_marks_run(&all, 3, &next));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_marks_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_move_is_open_until_it_is_noted_as_done,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_torn_and_damaged_marks_are_passed_over, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_an_index_stays_small, set_up, tear_down),
		cmocka_unit_test(test_only_starts_are_thinned_as_well),
		cmocka_unit_test(test_what_is_gone_leaves_the_index),
		cmocka_unit_test(test_moments_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
