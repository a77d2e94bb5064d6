/* Views as on a kernel before 6.3, whose tmpfs cannot be id-mapped: forged facts, real mounts, seen
 * from a user namespace of a child. Needs root, loop devices and overlay above id-mapped layers. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/proc.h"
#include "fs/host.h"
#include "fs/mnt.h"

#define IDS_FIRST 7000000
#define IDS_COUNT 65536
#define IDS_LINE "0 7000000 65536\n"

struct old {
	char path[64]; /* holds "state", "run" and "tree" */
	struct facts facts;
	struct fs_host *host; /* NULL: this machine cannot be one */
	int userns;
};

static void map_ids(pid_t pid, const char *file)
{
	char path[48];

	(void) snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	assert_int_equal(file_write_at(AT_FDCWD, path, IDS_LINE), 0);
}

static int make_userns(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	char path[48];
	pid_t pid = proc_clone3(&args);

	if (pid == 0)
		for (;;)
			(void) pause();
	assert_true(pid > 0);
	map_ids(pid, "uid_map");
	map_ids(pid, "gid_map");
	(void) snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	(void) kill(pid, SIGKILL);
	(void) waitpid(pid, NULL, 0);
	return fd;
}

static void make_tree(const struct old *t)
{
	char path[96];

	for (const char *const *name =
		     (const char *const[]){ "", "/etc", "/dev", "/proc", "/sys", NULL };
	     *name; name++) {
		(void) snprintf(path, sizeof(path), "%s/tree%s", t->path, *name);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	(void) snprintf(path, sizeof(path), "%s/tree", t->path);
	assert_int_equal(chown(path, 1000, IDS_COUNT), 0);
	(void) snprintf(path, sizeof(path), "%s/tree/etc/hostname", t->path);
	assert_int_equal(file_replace_at(AT_FDCWD, path, "tree\n", 5, 0600), 0);
}

static int set_up(void **state)
{
	struct old *t = calloc(1, sizeof(*t));
	char state_dir[80], run_dir[80];
	struct err e = { 0 };

	*state = t;
	(void) snprintf(t->path, sizeof(t->path), "/tmp/ward-test-old-XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	t->userns = -1;
	if (geteuid() != 0)
		return 0;
	(void) snprintf(state_dir, sizeof(state_dir), "%s/state", t->path);
	(void) snprintf(run_dir, sizeof(run_dir), "%s/run", t->path);
	fs_probe(&t->facts, t->path);
	if (!t->facts.fs.idmap_overlay || !t->facts.fs.loop)
		return 0;
	t->facts.fs.idmap_tmpfs = t->facts.fs.detached = false;
	t->facts.fs.idmap_mask = true;
	if (fs_host_new(state_dir, run_dir, &t->facts, &t->host, &e) < 0)
		print_message("%s\n", e.text);
	t->userns = make_userns();
	make_tree(t);
	return 0;
}

/* The loop devices of the host's images, by what backs them. */
static unsigned count_loops(const char *path)
{
	DIR *d = opendir("/sys/block");
	struct dirent *entry;
	unsigned n = 0;

	while (d && (entry = readdir(d))) {
		char file[320], *text = NULL;

		(void) snprintf(file, sizeof(file), "/sys/block/%s/loop/backing_file",
				entry->d_name);
		if (file_read_at(AT_FDCWD, file, 4096, &text, NULL) == 0 && strstr(text, path))
			n++;
		free(text);
	}
	if (d)
		closedir(d);
	return n;
}

static int tear_down(void **state)
{
	struct old *t = *state;

	fs_host_free(t->host);
	fd_close(t->userns);
	for (int i = 0; i < 500 && count_loops(t->path) > 0; i++)
		(void) poll(NULL, 0, 10);
	unsigned left = count_loops(t->path);
	int r = tree_remove_at(AT_FDCWD, t->path);
	free(t);
	return left ? -1 : r;
}

static struct spec plain(void)
{
	struct spec s = { .name = "web" };

	s.files.upper_bytes = 16u << 20;
	s.network.mode = SPEC_NETWORK_NONE;
	return s;
}

/* Becomes root of the context and process 1 of its namespaces. */
static int enter(const struct old *t)
{
	int status;

	if (setns(t->userns, CLONE_NEWUSER) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return 100;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWPID) < 0)
		return 101;
	pid_t pid = fork();
	if (pid == 0)
		return 0;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 102;
	_exit(WEXITSTATUS(status));
}

static int child(const struct old *t, const struct step_list *steps, struct fs_seat *seat,
		 int (*body)(void))
{
	struct err e = { 0 };
	int r = enter(t);

	if (r)
		return r;
	if (fs_seat_prepare(seat, true) < 0)
		return 103;
	if (steps_run_child(steps, STEP_CHILD, &e) == 0)
		return body();
	(void) !write(STDERR_FILENO, e.text, strlen(e.text));
	return 104;
}

/* Runs `body` as root of a context with the view that `s` declares; its status says what went
 * wrong. */
static void in_context(void **state, const struct spec *s, int (*body)(void))
{
	struct old *t = *state;
	struct fs_plan *p = NULL;
	struct arena arena;
	struct step_list steps;
	struct err e = { 0 };
	int status;

	if (!t->host) {
		print_message("needs root, loop devices, overlay above id-mapped layers\n");
		skip();
	}
	assert_int_equal(fs_plan_new(s, &t->facts, &p, &e), 0);
	assert_int_equal(arena_init(&arena, 1 << 20), 0);
	assert_int_equal(steps_init(&steps, &arena), 0);
	struct fs_seat *seat = arena_alloc(&arena, sizeof(*seat));
	struct fs_launch at = { seat, t->userns, IDS_FIRST, IDS_COUNT, -1 };
	if (fs_steps(p, t->host, &at, &steps, &e) < 0)
		fail_msg("%s", e.text);
	int given[STEP_FDS_MAX]; /* the child forgets them in the arena that we share */
	for (size_t i = 0; i < steps.fd_count; i++)
		given[i] = *steps.fd_slots[i];
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child(t, &steps, seat, body));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (size_t i = 0; i < steps.fd_count; i++)
		fd_close(given[i]);
	arena_done(&arena);
	fs_plan_free(p);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- as seen from inside --- */

static bool owned(const char *path, uid_t uid, gid_t gid)
{
	struct stat st;
	bool same = lstat(path, &st) == 0 && st.st_uid == uid && st.st_gid == gid;

	if (!same)
		print_message("%s is not owned by %u:%u\n", path, uid, gid);
	return same;
}

static bool all_roots(const char *const *paths)
{
	bool all = true;

	for (; *paths; paths++)
		all &= owned(*paths, 0, 0);
	return all;
}

static bool appends(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, "x\n", 2) == 2;

	fd_close(fd);
	return done;
}

static int look_at_copy_of_host(void)
{
	static const char *const roots[] = {
		"/",	    "/etc", "/etc/hostname", "/etc/passwd", "/usr",	  "/root",
		"/tmp",	    "/dev", "/run",	     "/dev/null",   "/dev/stdin", "/dev/shm",
		"/dev/pts", "/mnt", "/mnt/tmpfs",    NULL,
	};

	if (!all_roots(roots))
		return 1;
	/* Copied up from the image, removed, made anew, given away. */
	if (!appends("/etc/passwd") || !owned("/etc/passwd", 0, 0) || unlink("/etc/passwd") < 0 ||
	    access("/etc/passwd", F_OK) == 0)
		return 2;
	if (mkdir("/usr/new", 0755) < 0 || !owned("/usr/new", 0, 0) ||
	    chown("/usr/new", 12, 34) < 0 || !owned("/usr/new", 12, 34))
		return 3;
	if (!appends("/etc/hostname") || !appends("/dev/null") || mkdir("/mnt/tmpfs/x", 0755) < 0)
		return 4;
	if (mkdir("/dev/new", 0755) == 0 || errno != EROFS)
		return 5;
	return access("/lost+found/x", F_OK) < 0 && chmod("/dev/null", 0) < 0 ? 0 : 6;
}

static void a_copy_of_the_host_bears_the_ids_of_the_context(void **state)
{
	struct spec_tmpfs tmpfs = { (char[]){ "/mnt/tmpfs" }, 1 << 20 };
	struct spec s = plain();

	s.files.tmpfs = &tmpfs;
	s.files.tmpfs_count = 1;
	in_context(state, &s, look_at_copy_of_host);
}

static int look_at_read_only(void)
{
	static const char *const roots[] = { "/", "/etc", "/etc/hostname", "/etc/passwd", NULL };

	if (!all_roots(roots))
		return 1;
	return mkdir("/etc/new", 0755) < 0 && errno == EROFS ? 0 : 2;
}

static void so_does_one_that_cannot_be_written(void **state)
{
	struct spec s = plain();

	s.files.mode = SPEC_MODE_READ_ONLY;
	in_context(state, &s, look_at_read_only);
}

static int look_at_kept(void)
{
	static const char *const roots[] = { "/", "/etc/hostname", "/etc/passwd", NULL };

	if (!all_roots(roots) || !appends("/etc/passwd") || !owned("/etc/passwd", 0, 0))
		return 1;
	return mkdir("/opt/new", 0755) == 0 && owned("/opt/new", 0, 0) ? 0 : 2;
}

static void a_kept_upper_is_id_mapped(void **state)
{
	struct spec s = plain();

	s.files.upper = SPEC_UPPER_KEPT;
	in_context(state, &s, look_at_kept);
}

static int look_at_own_dev(void)
{
	static const char *const roots[] = { "/dev", "/dev/null", "/dev/pts", NULL };
	struct stat st;

	if (!all_roots(roots) || mkdir("/dev/new", 0755) < 0 || !owned("/dev/new", 0, 0))
		return 1;
	return lstat("/dev/loop-control", &st) == 0 && S_ISCHR(st.st_mode) ? 0 : 2;
}

static void a_dev_of_its_own_can_be_written(void **state)
{
	char *devices[] = { (char[]){ "/dev/loop-control" }, NULL };
	struct spec s = plain();

	s.files.devices = (struct strv){ devices, 1 };
	in_context(state, &s, look_at_own_dev);
}

/* What the context has no number for stays the host's root's, and never becomes another's. */
static void owners_move_into_the_range_or_nowhere(void **state)
{
	static const struct mnt_request request = { .type = "tmpfs" };
	const struct fs_plan p = { .idmap = true, .chown = true };
	const struct fs_launch at = { NULL, -1, IDS_FIRST, IDS_COUNT, -1 };
	struct old *t = *state;
	struct stat st;

	if (!t->host)
		skip();
	int fd = mnt_make(&request, NULL);
	assert_int_equal(mkdirat(fd, "a", 0755), 0);
	assert_int_equal(fchownat(fd, "a", 1000, IDS_COUNT, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", fd, "a/link"), 0);
	assert_int_equal(fchownat(fd, "a/link", IDS_FIRST, IDS_COUNT - 1, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(made_map(&p, &at, fd), 0);
	assert_int_equal(fstatat(fd, ".", &st, 0), 0);
	assert_true(st.st_uid == IDS_FIRST && st.st_gid == IDS_FIRST);
	assert_int_equal(fstatat(fd, "a", &st, 0), 0);
	assert_true(st.st_uid == IDS_FIRST + 1000 && st.st_gid == 0);
	assert_int_equal(fstatat(fd, "a/link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(st.st_uid == 0 && st.st_gid == IDS_FIRST + IDS_COUNT - 1);
	fd_close(fd);
}

static int look_at_directory(void)
{
	if (!owned("/", 1000, 65534) || !owned("/etc/hostname", 0, 0) || !owned("/dev", 0, 0))
		return 1;
	return access("/usr", F_OK) == 0 ? 2 : 0;
}

static void a_directory_keeps_its_owners(void **state)
{
	struct old *t = *state;
	struct spec s = plain();
	char path[80];

	(void) snprintf(path, sizeof(path), "%s/tree", t->path);
	s.files.root = SPEC_ROOT_DIRECTORY;
	s.files.root_path = path;
	for (enum spec_mode mode = 0; mode < SPEC_MODE_COUNT; mode++) {
		s.files.mode = mode;
		in_context(state, &s, look_at_directory);
	}
}

static void one_image_serves_all_and_goes_with_the_last(void **state)
{
	struct old *t = *state;

	if (!t->host)
		skip();
	assert_int_equal(count_loops(t->path), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_copy_of_the_host_bears_the_ids_of_the_context),
		TEST(so_does_one_that_cannot_be_written),
		TEST(a_kept_upper_is_id_mapped),
		TEST(a_dev_of_its_own_can_be_written),
		TEST(owners_move_into_the_range_or_nowhere),
		TEST(a_directory_keeps_its_owners),
		TEST(one_image_serves_all_and_goes_with_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
