/* What this host's file systems can do, found by doing it to detached mounts that nobody sees. */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "fs/fs.h"
#include "fs/image.h"
#include "fs/mnt.h"
#include "fs/shop.h"

static int map_ids(pid_t pid)
{
	char path[48];

	(void) snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	int r = file_write_at(AT_FDCWD, path, "0 100000 65536\n");
	(void) snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	return r < 0 ? r : file_write_at(AT_FDCWD, path, "0 100000 65536\n");
}

/* A user namespace with a mapping, of a child that is gone when we return. */
static int make_userns(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	char path[48];
	int fd = -1;
	pid_t pid = proc_clone3(&args);

	if (pid == 0) {
		for (;;)
			(void) pause();
	}
	if (pid < 0)
		return pid;
	int r = map_ids(pid);
	if (r == 0) {
		(void) snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
		fd = sys(open(path, O_RDONLY | O_CLOEXEC));
	}
	(void) kill(pid, SIGKILL);
	(void) waitpid(pid, NULL, 0);
	return r < 0 ? r : fd;
}

static int make_tmpfs(void)
{
	static const struct mnt_request request = { .type = "tmpfs" };
	_cleanup_close_ int fd = mnt_make(&request, NULL);
	if (fd < 0)
		return fd;

	for (const char *const *name = (const char *const[]){ "l", "u", "w", NULL }; *name; name++)
		if (mkdirat(fd, *name, 0755) < 0)
			return -errno;
	return TAKE_FD(fd);
}

static bool mounts_overlay(int lower_fd, const char *below, int upper_fd)
{
	struct mnt_request request = { .type = "overlay" };
	char lower[48], upper[48], work[48];

	(void) snprintf(lower, sizeof(lower), "/proc/self/fd/%d%s", lower_fd, below);
	(void) snprintf(upper, sizeof(upper), "/proc/self/fd/%d/u", upper_fd);
	(void) snprintf(work, sizeof(work), "/proc/self/fd/%d/w", upper_fd);
	mnt_option_add(&request, "lowerdir", lower);
	mnt_option_add(&request, "upperdir", upper);
	mnt_option_add(&request, "workdir", work);
	_cleanup_close_ int overlay = mnt_make(&request, NULL);
	return overlay >= 0;
}

/* As root_make() does, in the workshop if there is one; above a mapped layer if userns >= 0. */
static bool try_overlay(struct shop *shop, int userns)
{
	_cleanup_close_ int lower = mnt_clone(AT_FDCWD, "/");
	_cleanup_close_ int upper = make_tmpfs();

	if (lower < 0 || upper < 0 || mnt_change(lower, 0, userns) < 0 || shop_enter(shop) < 0)
		return false;
	bool works = shop_place(shop, lower, "lower") == 0 &&
		     shop_place(shop, upper, "upper") == 0 && mounts_overlay(lower, "", upper);
	shop_remove(shop, lower);
	shop_remove(shop, upper);
	shop_leave(shop);
	return works;
}

/* Whether mounts that hang nowhere may be layers, and be cloned (6.15). */
static bool try_detached(void)
{
	_cleanup_close_ int fd = make_tmpfs();
	_cleanup_close_ int clone = fd < 0 ? fd : mnt_clone(fd, "l");

	return !fault_lack("detached") && clone >= 0 && mounts_overlay(fd, "/l", fd);
}

static bool try_idmap(int userns)
{
	_cleanup_close_ int fd = mnt_clone(AT_FDCWD, "/");

	return fd >= 0 && mnt_change(fd, 0, userns) == 0;
}

static bool try_idmap_tmpfs(int userns)
{
	_cleanup_close_ int fd = make_tmpfs();

	return !fault_lack("idmap-tmpfs") && fd >= 0 && mnt_change(fd, 0, userns) == 0;
}

static bool try_idmap_image(int userns)
{
	struct err e = {};
	_cleanup_close_ int fd = image_in_memory("ward-probe", &e);

	if (fd < 0)
		log_debug("masks cannot be id-mapped: %s", e.text);
	return fd >= 0 && mnt_change(fd, 0, userns) == 0;
}

/* The quota files of the file system are on and it keeps project ids. */
static bool has_project_quota(const char *path)
{
#ifdef SYS_quotactl_fd
	_cleanup_close_ int fd = sys(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	unsigned format;

	/* QCMD(Q_GETFMT, PRJQUOTA) */
	return fd >= 0 && syscall(SYS_quotactl_fd, fd, 0x800004u << 8 | 2u, 0, &format) == 0;
#else
	(void) path;
	return false;
#endif
}

/* Views hide these anyway. */
static bool emptied(const char *point)
{
	static const char *const places[] = { "/home", "/root", "/mnt",	    "/media",	"/boot",
					      "/run",  "/tmp",	"/var/tmp", "/var/log", "/dev",
					      "/proc", "/sys",	"/snap" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		size_t n = strlen(places[i]);

		if (strncmp(point, places[i], n) == 0 && (point[n] == '/' || !point[n]))
			return true;
	}
	return strcmp(point, "/") == 0;
}

/* One line of proc_pid_mountinfo(5): a disk's file system, wherever it counts. */
static void note_apart(char *line, char *ret, size_t size)
{
	char point[128], type[32], source[128];
	char *rest = strstr(line, " - ");
	size_t len = strlen(ret);

	if (!rest || sscanf(line, "%*s %*s %*s %*s %127s", point) != 1 ||
	    sscanf(rest, " - %31s %127s", type, source) != 2)
		return;
	if (strncmp(source, "/dev/", 5) != 0 && strcmp(type, "zfs") != 0)
		return;
	if (!emptied(point) && len + strlen(point) + 2 < size)
		(void) snprintf(ret + len, size - len, "%s%s", len ? " " : "", point);
}

static void find_apart(char *ret, size_t size)
{
	_cleanup_free_ char *text = NULL;

	if (file_read_at(AT_FDCWD, "/proc/self/mountinfo", 4 << 20, &text, NULL) < 0)
		return;
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));)
		note_apart(line, ret, size);
}

void fs_probe(struct facts *facts, const char *state_dir)
{
	memset(&facts->fs, 0, sizeof(facts->fs));

	_cleanup_close_ int clone = mnt_clone(AT_FDCWD, "/");
	_cleanup_close_ int userns = make_userns();
	facts->fs.mount_api = clone >= 0;
	find_apart(facts->fs.apart, sizeof(facts->fs.apart));
	facts->fs.detached = try_detached();
	struct shop *shop = NULL;
	if (!facts->fs.detached && shop_new(&shop, NULL) < 0)
		return;
	facts->fs.overlay = try_overlay(shop, -1);
	facts->fs.loop = access("/dev/loop-control", R_OK | W_OK) == 0;
	facts->fs.project_quota = has_project_quota(state_dir);
	if (userns >= 0) {
		facts->fs.idmap = try_idmap(userns);
		facts->fs.idmap_tmpfs = try_idmap_tmpfs(userns);
		facts->fs.idmap_overlay = try_overlay(shop, userns);
		facts->fs.idmap_mask = facts->fs.idmap_overlay &&
				       (facts->fs.idmap_tmpfs || try_idmap_image(userns));
	}
	shop_free(shop);
}
