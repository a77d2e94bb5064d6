/* The child's steps against a hostile tree, in a mount namespace of a child. Needs root. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
#include "fs/child.h"
#include "fs/host.h"
#include "fs/mnt.h"

struct tree {
	char path[64]; /* holds "view", the root of the view, and "outside" */
	bool able;
};

static void make_file(const struct tree *t, const char *path, const char *text)
{
	char full[256];

	(void) snprintf(full, sizeof(full), "%s%s", t->path, path);
	assert_int_equal(file_replace_at(AT_FDCWD, full, text, strlen(text), 0644), 0);
}

static void make_dir(const struct tree *t, const char *path)
{
	char full[256];

	(void) snprintf(full, sizeof(full), "%s%s", t->path, path);
	assert_int_equal(mkdir(full, 0755), 0);
}

static void make_link(const struct tree *t, const char *target, const char *path)
{
	char full[256];

	(void) snprintf(full, sizeof(full), "%s%s", t->path, path);
	assert_int_equal(symlink(target, full), 0);
}

static int set_up(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	struct err e = { 0 };

	*state = t;
	(void) snprintf(t->path, sizeof(t->path), "/tmp/ward-test-view-XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	make_dir(t, "/view");
	make_dir(t, "/view/etc");
	make_dir(t, "/view/secret");
	make_file(t, "/outside", "outside");
	make_file(t, "/view/inside", "inside");
	make_file(t, "/view/secret/key", "key");
	make_link(t, "../../../../../../outside", "/view/up");
	make_link(t, "/proc/self/root", "/view/magic");
	make_link(t, "/secret", "/view/etc/alias");
	make_link(t, "loop", "/view/loop");
	int fd = geteuid() == 0 ? void_make(&e) : -EPERM;
	t->able = fd >= 0;
	fd_close(fd);
	return 0;
}

static int tear_down(void **state)
{
	struct tree *t = *state;
	int r = tree_remove_at(AT_FDCWD, t->path);

	free(t);
	return r;
}

/* Runs `body` where the tree is attached as the root of a view; its lines tell what was wrong. */
static void in_view(void **state, int (*body)(struct view *v, const struct tree *t))
{
	struct tree *t = *state;
	int status;

	if (!t->able) {
		print_message("needs root and the new mount API\n");
		skip();
	}
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char root[96];
		struct view v = { .proc_fd = -1, .sys_fd = -1 };
		struct view_step s = { .v = &v };

		(void) snprintf(root, sizeof(root), "%s/view", t->path);
		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
			_exit(100);
		int fd = void_make(NULL);
		v.root_fd = mnt_clone(AT_FDCWD, root);
		v.hide_fd = mnt_clone(fd, "dir");
		v.hide_file_fd = mnt_clone(fd, "file");
		if (v.root_fd < 0 || v.hide_fd < 0 || v.hide_file_fd < 0)
			_exit(101);
		if (view_attach_root(&s, NULL) < 0)
			_exit(102);
		_exit(body(&v, t));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int hide(struct view *v, const char *target)
{
	struct view_step s = { .v = v, .target = target };

	return view_hide(&s, NULL);
}

static bool reads(int dir, const char *path, const char *text)
{
	char *found = NULL;
	bool same = file_read_at(dir, path, 4096, &found, NULL) == 0 && str_equal(found, text);

	free(found);
	return same;
}

static int hide_through_links(struct view *v, const struct tree *t)
{
	char outside[96];

	(void) snprintf(outside, sizeof(outside), "%s/outside", t->path);
	/* Climbing ends at the view's root, where there is no such file: nothing to hide. */
	if (hide(v, "/up") != 0 || !reads(AT_FDCWD, outside, "outside"))
		return 1;
	if (hide(v, "/magic/inside") != 0 || !reads(v->root_fd, "inside", "inside"))
		return 2;
	if (hide(v, "/nothing/here") != 0)
		return 3;
	if (hide(v, "/loop") != -ELOOP)
		return 4;
	/* A link inside leads to what it names, and that is what disappears. */
	if (hide(v, "/etc/alias") != 0 || reads(v->root_fd, "secret/key", "key"))
		return 5;
	if (hide(v, "/inside") != 0 || !reads(v->root_fd, "inside", ""))
		return 6;
	return 0;
}

static void hides_stay_inside(void **state)
{
	in_view(state, hide_through_links);
}

static int many_hides(struct view *v, const struct tree *)
{
	/* The first takes the mount that was given, the others clones of it. */
	if (hide(v, "/secret") != 0 || hide(v, "/etc") != 0)
		return 1;
	struct stat a, b;
	if (fstatat(v->root_fd, "secret", &a, 0) < 0 || fstatat(v->root_fd, "etc", &b, 0) < 0)
		return 2;
	if ((a.st_mode & 07777) != 0 || (b.st_mode & 07777) != 0 || a.st_ino != b.st_ino)
		return 3;
	return mkdirat(v->root_fd, "etc/new", 0755) == -1 && errno == EROFS ? 0 : 4;
}

static void hidden_directories_are_empty_and_frozen(void **state)
{
	in_view(state, many_hides);
}

static int attach(struct view *v, const char *source, const char *target)
{
	struct view_step s = { .v = v, .target = target };
	struct stat st;

	if (stat(source, &st) < 0)
		return -errno;
	s.flags = S_ISDIR(st.st_mode) ? FS_OP_DIRECTORY : 0;
	s.fd = mnt_clone(AT_FDCWD, source);
	return s.fd < 0 ? s.fd : view_attach(&s, NULL);
}

static int attach_through_links(struct view *v, const struct tree *t)
{
	char outside[96];
	struct stat st;

	(void) snprintf(outside, sizeof(outside), "%s/outside", t->path);
	/* "up" leads to what is missing inside, and nothing is made through a link. */
	if (attach(v, outside, "/up") != -ENOENT || fstatat(v->root_fd, "outside", &st, 0) == 0)
		return 1;
	if (attach(v, "/etc", "/magic/x") == 0 && fstatat(v->root_fd, "proc", &st, 0) < 0)
		return 2;
	if (attach(v, outside, "/deep/er/file") != 0 ||
	    !reads(v->root_fd, "deep/er/file", "outside"))
		return 3;
	/* A file over a directory, and the reverse. */
	if (attach(v, outside, "/etc") == 0 || attach(v, "/etc", "/inside") == 0)
		return 4;
	return 0;
}

static void binds_stay_inside(void **state)
{
	in_view(state, attach_through_links);
}

static int pivot(struct view *v, const struct tree *t)
{
	struct view_step s = { .v = v };
	struct stat root, up;
	char *text = NULL;

	if (fstat(v->root_fd, &root) < 0 || view_pivot(&s, NULL) != 0)
		return 1;
	if (access(t->path, F_OK) == 0 || access("/inside", F_OK) < 0)
		return 2;
	if (stat("../../..", &up) < 0 || up.st_ino != root.st_ino || up.st_dev != root.st_dev)
		return 3;
	if (v->root_fd != -1 || mkdir("/proc", 0755) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0)
		return 4;
	/* The root and this proc: nothing else is left in the namespace. */
	if (file_read_at(AT_FDCWD, "/proc/self/mountinfo", 65536, &text, NULL) < 0)
		return 5;
	char *second = strchr(text, '\n');
	bool two = second && strchr(second + 1, '\n') && !strchr(second + 1, '\n')[1];
	free(text);
	return two ? 0 : 6;
}

static void nothing_of_the_host_remains(void **state)
{
	in_view(state, pivot);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hides_stay_inside),
		TEST(hidden_directories_are_empty_and_frozen),
		TEST(binds_stay_inside),
		TEST(nothing_of_the_host_remains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
