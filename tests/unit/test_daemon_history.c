/* The history on disk: numbers across daemons, torn lines, rotation, lost segments, full disks, and
 * a crash at any byte. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/events.h"

#define SEGMENT 4096

static char directory[] = "/tmp/ward-history.XXXXXX";

static struct history_config config = { directory, SEGMENT, 3, "boot-1" };

static struct history *reopen(void)
{
	struct history *h = NULL;
	struct err e = {};

	if (history_open(&config, &h, &e) < 0)
		fail_msg("%s", e.text);
	return h;
}

/* As SIGKILL leaves it: nothing is noted. The lock goes with the descriptor. */
static void crash(struct history *h)
{
	char saved[1024];
	char path[256];
	ssize_t n;
	int fd;

	(void) snprintf(path, sizeof(path), "%s/state", directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	n = pread(fd, saved, sizeof(saved), 0);
	assert_true(n > 0);
	history_close(h);
	assert_int_equal(pwrite(fd, saved, (size_t) n, 0), n);
	close(fd);
}

static void append(struct history *h, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n <= to; n++) {
		char line[128];
		int len = snprintf(line, sizeof(line),
				   "{\"seq\": %llu, \"time\": 5, \"kind\": \"started\", "
				   "\"context\": \"web\", \"pid\": %llu}\n",
				   (unsigned long long) n, (unsigned long long) (n * 7919 % 100000));

		assert_int_equal(history_append(h, n, line, (size_t) len), 0);
	}
}

/* Reads all behind `after`: numbers must rise. @return how many there are. */
static uint64_t read_all(struct history *h, uint64_t after, uint64_t *ret_first, uint64_t *ret_last)
{
	struct history_cursor c = {};
	char chunk[1000];
	uint64_t count = 0, last = after;
	ssize_t n;

	*ret_first = 0;
	while ((n = history_read(h, &c, after, chunk, sizeof(chunk))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const char *end = memchr(chunk + at, '\n', (size_t) (n - at));
			size_t len = end ? (size_t) (end - (chunk + at)) + 1 : (size_t) (n - at);
			struct event ev;

			if (event_parse(chunk + at, len, &ev) && ev.seq > after) {
				assert_true(ev.seq > last);
				last = ev.seq;
				if (count++ == 0)
					*ret_first = ev.seq;
			}
			at += (ssize_t) len;
		}
		history_skip(&c, (size_t) n);
	}
	assert_int_equal(n, 0);
	*ret_last = last;
	return count;
}

static void path_of(uint64_t first, char out[static 256])
{
	(void) snprintf(out, 256, "%s/%020llu.jsonl", directory, (unsigned long long) first);
}

static unsigned segments(uint64_t *ret_oldest, uint64_t *ret_newest)
{
	DIR *d = opendir(directory);
	const struct dirent *x;
	unsigned n = 0;

	*ret_oldest = UINT64_MAX;
	*ret_newest = 0;
	assert_non_null(d);
	while ((x = readdir(d))) {
		unsigned long long first;

		if (sscanf(x->d_name, "%20llu.jsonl", &first) != 1)
			continue;
		n++;
		*ret_oldest = first < *ret_oldest ? first : *ret_oldest;
		*ret_newest = first > *ret_newest ? first : *ret_newest;
	}
	closedir(d);
	return n;
}

static int setup(void **state)
{
	(void) state;
	memcpy(strrchr(directory, '.'), ".XXXXXX", 7);
	config.boot = "boot-1";
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	(void) state;
	return tree_remove_at(-1, directory);
}

static void numbers_go_on(void **state)
{
	struct history *h = reopen();
	uint64_t first, last;

	(void) state;
	assert_int_equal(history_last(h), 0);
	assert_int_equal(read_all(h, 0, &first, &last), 0);
	append(h, 1, 10);
	history_close(h);
	h = reopen();
	assert_int_equal(history_last(h), 10);
	append(h, 11, 20);
	crash(h);
	h = reopen();
	assert_int_equal(history_last(h), 20);
	assert_int_equal(read_all(h, 4, &first, &last), 16);
	assert_int_equal(first, 5);
	assert_int_equal(last, 20);
	history_close(h);
	config.boot = "boot-2"; /* an orderly end before it */
	h = reopen();
	assert_int_equal(history_last(h), 20);
	history_close(h);
}

static void it_is_bounded(void **state)
{
	struct history *h = reopen();
	uint64_t first, last, oldest, newest;
	struct history_cursor c = {};
	char chunk[500];
	ssize_t n;

	(void) state;
	append(h, 1, 5);
	n = history_read(h, &c, 0, chunk, sizeof(chunk)); /* one who falls asleep here ... */
	assert_true(n > 0);
	history_skip(&c, (size_t) n);
	append(h, 6, 1000);
	assert_int_equal(segments(&oldest, &newest), 3);
	assert_int_equal(history_first(h), oldest);
	assert_true(read_all(h, 0, &first, &last) < 200);
	assert_int_equal(first, oldest);
	assert_int_equal(last, 1000);
	n = history_read(h, &c, 5, chunk, sizeof(chunk)); /* ... wakes up at the oldest there is */
	assert_true(n > 0);
	assert_int_equal(c.segment, oldest);
	assert_int_equal(c.offset, 0);
	history_close(h);
	config.segments = 2; /* fewer from now on */
	h = reopen();
	append(h, 1001, 1100);
	assert_int_equal(segments(&oldest, &newest), 2);
	history_close(h);
	config.segments = 3;
}

static void a_torn_line_is_cut(void **state)
{
	static const char *const tails[] = { "{\"seq\": 11, \"ti", "{\"seq\": 11}\n", "\n\n",
					     "garbage without end" };
	uint64_t first, last;
	char path[256], zeros[300] = {};

	(void) state;
	path_of(1, path);
	for (size_t i = 0; i <= ARRAY_SIZE(tails); i++) {
		struct history *h = reopen();
		const char *tail = i < ARRAY_SIZE(tails) ? tails[i] : zeros;
		size_t len = i < ARRAY_SIZE(tails) ? strlen(tail) : sizeof(zeros);
		int fd;

		append(h, i * 10 + 1, i * 10 + 10);
		crash(h);
		fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
		assert_int_equal(write(fd, tail, len), len);
		close(fd);
		h = reopen();
		assert_int_equal(history_last(h), i * 10 + 10);
		assert_int_equal(read_all(h, 0, &first, &last), i * 10 + 10);
		history_close(h);
	}
}

/* Wherever the newest segment is cut, what is before the cut is there, numbers never repeat when
 * the rest was never told, and appending goes on. */
static void a_crash_at_any_byte_is_survived(void **state)
{
	(void) state;
	srandom(11);
	for (int round = 0; round < 200; round++) {
		uint64_t oldest, newest, first, last, kept, count = 60 + (uint64_t) random() % 60;
		struct history *h = reopen();
		uint64_t before = history_last(h);
		char path[256];
		struct stat st;
		off_t cut;

		append(h, before + 1, before + count);
		crash(h);
		(void) segments(&oldest, &newest);
		path_of(newest, path);
		assert_int_equal(stat(path, &st), 0);
		cut = st.st_size - random() % 120;
		assert_int_equal(truncate(path, cut > 0 ? cut : 0), 0);
		h = reopen();
		kept = history_last(h);
		assert_in_range(kept, before + count - 3, before + count);
		(void) read_all(h, 0, &first, &last);
		assert_in_range(last, kept - 1, kept); /* a segment's own number is never doubted */
		append(h, kept + 1, kept + 1);
		(void) read_all(h, kept, &first, &last);
		assert_int_equal(first, kept + 1);
		history_close(h);
	}
}

static void doubt_makes_numbers_jump(void **state)
{
	struct history *h = reopen();
	uint64_t oldest, newest, first, last;
	char path[256];

	(void) state;
	append(h, 1, 150);
	crash(h);
	(void) segments(&oldest, &newest);
	path_of(newest, path);
	assert_int_equal(unlink(path), 0); /* the newest segment is lost */
	h = reopen();
	assert_int_equal(history_last(h), HISTORY_JUMP);
	append(h, HISTORY_JUMP + 1, HISTORY_JUMP + 5);
	assert_int_equal(read_all(h, newest, &first, &last), 5);
	crash(h);
	config.boot = "boot-2"; /* no orderly end, and the machine was started again */
	h = reopen();
	assert_int_equal(history_last(h), 2 * HISTORY_JUMP);
	history_close(h); /* orderly, with nothing added */
	config.boot = "boot-3";
	h = reopen();
	assert_int_equal(history_last(h), 2 * HISTORY_JUMP);
	append(h, 2 * HISTORY_JUMP + 1, 2 * HISTORY_JUMP + 1);
	history_close(h);
	(void) snprintf(path, sizeof(path), "%s/state", directory);
	assert_int_equal(unlink(path), 0); /* nobody knows */
	h = reopen();
	assert_int_equal(history_last(h), 3 * HISTORY_JUMP);
	history_close(h);
}

static void a_full_disk_loses_lines_but_no_number(void **state)
{
	struct rlimit full = { 660, RLIM_INFINITY }, before;
	struct history *h = reopen();
	char line[] = "{\"seq\": 11, \"time\": 5, \"kind\": \"started\"}\n";
	uint64_t first, last;

	(void) state;
	append(h, 1, 8); /* some 600 bytes */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	full.rlim_max = before.rlim_max;
	(void) signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0); /* a short write, then EFBIG */
	assert_int_equal(history_append(h, 9, line, strlen(line)), 0);
	assert_true(history_append(h, 10, line, strlen(line)) < 0);
	assert_true(history_append(h, 11, line, strlen(line)) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	crash(h);
	h = reopen(); /* 9 to 11 were told to readers: never again */
	assert_int_equal(history_last(h), HISTORY_JUMP);
	append(h, HISTORY_JUMP + 1, HISTORY_JUMP + 1);
	(void) read_all(h, 0, &first, &last);
	assert_int_equal(last, HISTORY_JUMP + 1);
	history_close(h);
}

static void a_newer_history_is_refused(void **state)
{
	static const char newer[] = "{\"version\": 99, \"state\": \"clean\"}\n";
	char path[256];
	struct history *h = NULL;
	struct err e = {};
	int fd;

	(void) state;
	(void) snprintf(path, sizeof(path), "%s/state", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, newer, sizeof(newer) - 1), sizeof(newer) - 1);
	close(fd);
	assert_int_equal(history_open(&config, &h, &e), -EPROTONOSUPPORT);
	assert_non_null(strstr(e.text, "version 99"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers_go_on, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_torn_line_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(a_crash_at_any_byte_is_survived, setup, teardown),
		cmocka_unit_test_setup_teardown(doubt_makes_numbers_jump, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_loses_lines_but_no_number, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_newer_history_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
