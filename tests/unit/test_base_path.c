/* Paths: nothing that lies in a root, however hostile, leads out of it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"

struct fixture {
	char dir[64]; /* holds "outside" and "root/" */
	int dirfd, root;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void) snprintf(f->dir, sizeof(f->dir), "/tmp/ward-unit-path-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->dirfd = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(f->dirfd, "root", 0755), 0);
	f->root = openat(f->dirfd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->root >= 0);
	assert_int_equal(file_replace_at(f->dirfd, "outside", "secret", 6, 0600), 0);
	assert_int_equal(file_replace_at(f->root, "inside", "own", 3, 0644), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fd_close(f->root);
	fd_close(f->dirfd);
	assert_int_equal(tree_remove_at(AT_FDCWD, f->dir), 0);
	free(f);
	return 0;
}

static void assert_is_outside(const struct fixture *f, int fd, bool expected)
{
	struct stat a, b;

	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(f->dirfd, "outside", &b, 0), 0);
	assert_int_equal(a.st_ino == b.st_ino && a.st_dev == b.st_dev, expected);
}

static void text_is_checked(void **state)
{
	static const char *const good[] = { "/",      "/a",   "/a/b", "/a..",
					    "/..a/b", "/a b", "/...", "/\xc3\xa4" };
	static const char *const bad[] = { "",	    "a",     "a/b",   "//",    "/a/",
					   "/a//b", "/..",   "/../a", "/a/..", "/a/../b",
					   "/a\n",  "/\x01", "/a\x7f" };
	char longest[PATH_MAX + 1];

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(path_is_clean(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(path_is_clean(bad[i]));

	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[PATH_MAX] = '\0';
	assert_false(path_is_clean(longest)); /* no room for its NUL */
	longest[PATH_MAX - 1] = '\0';
	assert_true(path_is_clean(longest));
}

static void a_root_cannot_be_left(void **state)
{
	struct fixture *f = *state;
	char up[128];
	static const char *const ways[] = { "absolute",	   "relative",		"../outside",
					    "/../outside", "dir/../../outside", "loop-up/outside" };

	(void) snprintf(up, sizeof(up), "%s/outside", f->dir);
	assert_int_equal(symlinkat(up, f->root, "absolute"), 0);
	assert_int_equal(symlinkat("../outside", f->root, "relative"), 0);
	assert_int_equal(symlinkat("../../..", f->root, "loop-up"), 0);
	assert_int_equal(mkdirat(f->root, "dir", 0755), 0);

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		assert_int_equal(path_open_in_root(f->root, ways[i], O_PATH), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int fd = path_open_beneath(f->root, ways[i], O_PATH, 0);

		assert_true(fd == -EXDEV || fd == -ENOENT);
	}
}

static void links_inside_a_root_work(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlinkat("/inside", f->root, "link"), 0);
	int fd = path_open_in_root(f->root, "/link", O_RDONLY);
	assert_true(fd >= 0);
	assert_is_outside(f, fd, false);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fd_close(fd);
	/* Beneath, an absolute link is an escape. */
	assert_int_equal(path_open_beneath(f->root, "link", O_RDONLY, 0), -EXDEV);
	assert_int_equal(path_open_beneath(f->root, "/inside", O_RDONLY, 0), -EXDEV);
}

static void magic_links_are_refused(void **state)
{
	(void) state;
	_cleanup_close_ int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(proc >= 0);
	assert_int_equal(path_open_beneath(proc, "root/etc", O_PATH, 0), -ELOOP);
	assert_int_equal(path_open_in_root(proc, "/root/etc", O_PATH), -ELOOP);
	assert_int_equal(path_open_in_root(proc, "/exe", O_RDONLY), -ELOOP);
}

static void directories_and_files_are_made_in_the_root(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	int fd = path_make_in_root(f->root, "/a/b//c", true);
	assert_true(fd >= 0);
	fd_close(fd);
	assert_int_equal(fstatat(f->root, "a/b/c", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISDIR(st.st_mode));
	fd = path_make_in_root(f->root, "/a/b/file", false);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_PATH);
	fd_close(fd);
	assert_int_equal(fstatat(f->root, "a/b/file", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode) && st.st_size == 0);
	/* What is there is taken, if it is of the right kind. */
	fd = path_make_in_root(f->root, "/inside", false);
	assert_true(fd >= 0);
	fd_close(fd);
	fd = path_make_in_root(f->root, "/", true);
	assert_true(fd >= 0);
	fd_close(fd);
	assert_int_equal(path_make_in_root(f->root, "/inside", true), -ENOTDIR);
	assert_int_equal(path_make_in_root(f->root, "/a", false), -EISDIR);
	assert_int_equal(path_make_in_root(f->root, "/inside/x", true), -ENOTDIR);
	assert_int_equal(path_make_in_root(f->root, "/", false), -EISDIR);
	assert_int_equal(path_make_in_root(f->root, "/a/../../x", true), -EINVAL);
	assert_int_equal(path_make_in_root(f->root, "", true), -ENOENT);
}

static void nothing_is_made_outside(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char up[128];

	(void) snprintf(up, sizeof(up), "%s/made", f->dir);
	assert_int_equal(symlinkat("..", f->root, "up"), 0);
	assert_int_equal(symlinkat(up, f->root, "dangling"), 0);
	int fd = path_make_in_root(f->root, "/up/made", true); /* ".." of a root is the root */
	assert_true(fd >= 0);
	fd_close(fd);
	assert_int_equal(fstatat(f->root, "made", &st, 0), 0);
	assert_int_equal(path_make_in_root(f->root, "/dangling", false), -ENOENT);
	assert_int_equal(path_make_in_root(f->root, "/dangling/x", true), -ENOENT);
	assert_int_equal(fstatat(f->dirfd, "made", &st, AT_SYMLINK_NOFOLLOW), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_checked),
		cmocka_unit_test_setup_teardown(a_root_cannot_be_left, setup, teardown),
		cmocka_unit_test_setup_teardown(links_inside_a_root_work, setup, teardown),
		cmocka_unit_test(magic_links_are_refused),
		cmocka_unit_test_setup_teardown(directories_and_files_are_made_in_the_root, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nothing_is_made_outside, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
