/* Files and trees: bounds hold, replacement is whole, and a removal stays inside its tree. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"

struct fixture {
	char dir[64];
	int fd;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void) snprintf(f->dir, sizeof(f->dir), "/tmp/ward-unit-file-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fd_close(f->fd);
	assert_int_equal(tree_remove_at(AT_FDCWD, f->dir), 0);
	free(f);
	return 0;
}

static void assert_text(int dirfd, const char *path, const char *expected)
{
	_cleanup_free_ char *data = NULL;
	size_t len = 0;

	assert_int_equal(file_read_at(dirfd, path, 1 << 20, &data, &len), 0);
	assert_string_equal(data, expected);
	assert_int_equal(len, strlen(expected));
}

static void reading_is_bounded(void **state)
{
	struct fixture *f = *state;
	char *data = NULL;
	size_t len = 99;

	assert_int_equal(file_replace_at(f->fd, "ten", "0123456789", 10, 0644), 0);
	assert_int_equal(file_read_at(f->fd, "ten", 9, &data, &len), -EFBIG);
	assert_null(data);
	assert_int_equal(len, 99);
	assert_int_equal(file_read_at(f->fd, "ten", 10, &data, NULL), 0);
	assert_string_equal(data, "0123456789");
	free(data);
	data = NULL;
	assert_int_equal(file_read_at(f->fd, "none", 10, &data, NULL), -ENOENT);
	assert_int_equal(file_read_at(AT_FDCWD, "/dev/zero", 100000, &data, NULL), -EFBIG);
	assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/status", 100000, &data, NULL), 0);
	assert_non_null(strstr(data, "VmSize"));
	free(data);
	assert_int_equal(file_replace_at(f->fd, "empty", "", 0, 0644), 0);
	assert_text(f->fd, "empty", "");
}

static void long_files_come_whole(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *in = malloc(300001);
	_cleanup_free_ char *out = NULL;
	size_t len = 0;

	assert_non_null(in);
	for (size_t i = 0; i < 300000; i++)
		in[i] = (char) (i * 7 % 251);
	assert_int_equal(file_replace_at(f->fd, "long", in, 300000, 0600), 0);
	assert_int_equal(file_read_at(f->fd, "long", 300000, &out, &len), 0);
	assert_int_equal(len, 300000);
	assert_memory_equal(in, out, len);
}

static void replacing_sets_the_mode_and_leaves_no_other_file(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	mode_t old = umask(077);
	assert_int_equal(file_replace_at(f->fd, "x", "one", 3, 0644), 0);
	assert_int_equal(file_replace_at(f->fd, "x", "two", 3, 0640), 0);
	(void) umask(old);
	assert_text(f->fd, "x", "two");
	assert_int_equal(fstatat(f->fd, "x", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(unlinkat(f->fd, "x", 0), 0);

	/* A directory in the way: refused, and the temporary file is gone. */
	assert_int_equal(mkdirat(f->fd, "x", 0755), 0);
	assert_true(file_replace_at(f->fd, "x", "two", 3, 0640) < 0);
	assert_int_equal(unlinkat(f->fd, "x", AT_REMOVEDIR), 0);
	assert_int_equal(rmdir(f->dir), 0);
	assert_int_equal(mkdir(f->dir, 0700), 0);
}

static void a_sweep_takes_what_a_dead_replacement_left(void **state)
{
	static const char *const others[] = { ".x.ini.swp", ".0123abcd", "x.0123abcd",
					      ".x.0123ABCD", ".x.0123abcde" };
	struct fixture *f = *state;

	assert_int_equal(file_replace_at(f->fd, ".x.ini.0123abcd", "", 0, 0644), 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(file_replace_at(f->fd, others[i], "", 0, 0644), 0);
	assert_int_equal(mkdirat(f->fd, ".dir.0123abcd", 0755), 0);
	assert_int_equal(file_sweep_at(f->fd, "."), 0);
	assert_int_equal(faccessat(f->fd, ".x.ini.0123abcd", F_OK, 0), -1);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(faccessat(f->fd, others[i], F_OK, 0), 0);
	assert_int_equal(faccessat(f->fd, ".dir.0123abcd", F_OK, 0), 0);
	assert_int_equal(file_sweep_at(-1, "."), -EBADF);
}

static void replacing_a_link_replaces_the_link(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(file_replace_at(f->fd, "target", "kept", 4, 0644), 0);
	assert_int_equal(symlinkat("target", f->fd, "link"), 0);
	assert_int_equal(file_replace_at(f->fd, "link", "new", 3, 0644), 0);
	assert_text(f->fd, "target", "kept");
	assert_text(f->fd, "link", "new");
}

static void writing_needs_an_existing_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(file_write_at(f->fd, "none", "x"), -ENOENT);
	assert_int_equal(file_replace_at(f->fd, "some", "", 0, 0644), 0);
	assert_int_equal(file_write_at(f->fd, "some", "text"), 0);
	assert_text(f->fd, "some", "text");
}

static void directories_are_made_with_their_parents(void **state)
{
	struct fixture *f = *state;
	char path[128];

	(void) snprintf(path, sizeof(path), "%s/a/b/c", f->dir);
	assert_int_equal(dir_make(path, 0755), 0);
	assert_int_equal(dir_make(path, 0755), 0);
	int fd = dir_make_open(path, 0755);
	assert_true(fd >= 0);
	fd_close(fd);
	assert_int_equal(file_replace_at(f->fd, "file", "", 0, 0644), 0);
	(void) snprintf(path, sizeof(path), "%s/file", f->dir);
	assert_int_equal(dir_make(path, 0755), -ENOTDIR);
	(void) snprintf(path, sizeof(path), "%s/file/x", f->dir);
	assert_int_equal(dir_make(path, 0755), -ENOTDIR);
	assert_int_equal(dir_make("", 0755), -ENOENT);
	assert_int_equal(dir_make("/", 0755), 0);
}

static void removal_does_not_follow_links(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, "kept", 0755), 0);
	assert_int_equal(file_replace_at(f->fd, "kept/file", "kept", 4, 0644), 0);
	assert_int_equal(mkdirat(f->fd, "tree", 0755), 0);
	assert_int_equal(mkdirat(f->fd, "tree/sub", 0755), 0);
	assert_int_equal(file_replace_at(f->fd, "tree/sub/file", "x", 1, 0644), 0);
	assert_int_equal(symlinkat("../../kept", f->fd, "tree/sub/link"), 0);
	assert_int_equal(symlinkat("kept", f->fd, "link"), 0);

	assert_int_equal(tree_remove_at(f->fd, "tree"), 0);
	assert_int_equal(tree_remove_at(f->fd, "tree"), 0); /* missing is success */
	assert_int_equal(tree_remove_at(f->fd, "link"), 0);
	assert_int_equal(tree_remove_at(f->fd, "kept/"), -EINVAL);
	assert_int_equal(tree_remove_at(f->fd, "kept/.."), -EINVAL);
	assert_int_equal(tree_remove_at(f->fd, "."), -EINVAL);
	assert_int_equal(tree_remove_at(f->fd, "none/at-all"), 0);
	assert_int_equal(faccessat(f->fd, "tree", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(faccessat(f->fd, "link", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_text(f->fd, "kept/file", "kept");
}

static void removal_reaches_any_depth(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, "deep", 0755), 0);
	int at = openat(f->fd, "deep", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) { /* more than there are descriptors to hold open */
		assert_int_equal(mkdirat(at, "d", 0755), 0);
		int next = openat(at, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		fd_close(at);
		at = next;
	}
	fd_close(at);
	assert_int_equal(tree_remove_at(f->fd, "deep"), 0);
	assert_int_equal(faccessat(f->fd, "deep", F_OK, 0), -1);
}

/* In a child with a mount namespace of its own. @return an exit status. */
static int remove_across_mount(const char *dir)
{
	char path[128];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	if (chdir(dir) < 0 || mkdir("tree", 0755) < 0 || mkdir("tree/mnt", 0755) < 0 ||
	    mkdir("precious", 0755) < 0 || mkdir("precious/sub", 0755) < 0)
		return 1;
	(void) snprintf(path, sizeof(path), "%s/tree/mnt", dir);
	if (mount("precious", path, NULL, MS_BIND, NULL) < 0)
		return 77;
	if (tree_remove_at(AT_FDCWD, "tree") != -EXDEV)
		return 2;
	if (access("precious/sub", F_OK) < 0)
		return 3;
	if (tree_remove_at(AT_FDCWD, "tree/mnt") != -EXDEV)
		return 4;
	return umount(path) < 0 || tree_remove_at(AT_FDCWD, "tree") < 0 ? 5 : 0;
}

static void removal_does_not_enter_mounts(void **state)
{
	struct fixture *f = *state;
	int status;

	if (geteuid() != 0)
		skip();
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(remove_across_mount(f->dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reading_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(long_files_come_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(replacing_sets_the_mode_and_leaves_no_other_file,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_sweep_takes_what_a_dead_replacement_left, setup,
						teardown),
		cmocka_unit_test_setup_teardown(replacing_a_link_replaces_the_link, setup,
						teardown),
		cmocka_unit_test_setup_teardown(writing_needs_an_existing_file, setup, teardown),
		cmocka_unit_test_setup_teardown(directories_are_made_with_their_parents, setup,
						teardown),
		cmocka_unit_test_setup_teardown(removal_does_not_follow_links, setup, teardown),
		cmocka_unit_test_setup_teardown(removal_reaches_any_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(removal_does_not_enter_mounts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
