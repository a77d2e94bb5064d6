/* Attacks through mounts: file systems that open the host, masks that come off, and what a new
 * user namespace brings back. */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/src/attack.h"

/* Mounts a fresh TYPE on a new directory and asks whether one of the files opens for writing. */
static bool fresh(const char *type, const char *options, const char *const *files)
{
	char dir[] = "/tmp/fresh-XXXXXX", path[PATH_MAX];
	if (mkdtemp(dir) == NULL) {
		return got(-1, "mkdtemp") && false;
	}
	if (mount("none", dir, type, 0, options) < 0) {
		(void) got(-1, type);
		(void) rmdir(dir);
		return false;
	}
	bool through = false;
	say("%s mounts, but none of its files opens for writing", type);
	for (; *files != NULL && !through; files++) {
		snprintf(path, sizeof(path), "%s/%s", dir, *files);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			say("%s of a fresh %s %s opens for writing", *files, type, options);
			close(fd);
			through = true;
		}
	}
	(void) umount2(dir, MNT_DETACH);
	(void) rmdir(dir);
	return through;
}

static const char *const proc_files[] = { "sysrq-trigger", "sys/kernel/core_pattern",
					  "sys/kernel/modprobe", "sys/vm/drop_caches", NULL };
static const char *const sys_files[] = { "kernel/uevent_helper", "power/state", "kernel/mm/ksm/run",
					 NULL };
static const char *const cgroup_files[] = { "release_agent", "memory.limit_in_bytes",
					    "pids.max",	     "cpu.cfs_quota_us",
					    "memory.max",    "devices.allow",
					    "cpuset.cpus",   NULL };

static bool mount_proc(void)
{
	return fresh("proc", "", proc_files);
}

static bool mount_sysfs(void)
{
	return fresh("sysfs", "", sys_files);
}

static bool mount_cgroup(void)
{
	static const char *const controllers[] = {
		"memory", "pids",   "cpu",  "devices",		 "freezer",
		"blkio",  "cpuset", "rdma", "none,name=systemd", "none,name=attack"
	};
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		if (fresh("cgroup", controllers[i], cgroup_files)) {
			return true;
		}
	}
	return fresh("cgroup2", "", cgroup_files);
}

static bool mount_disk(void)
{
	static const char *const types[] = { "ext4", "xfs", "btrfs" };
	char node[] = "/tmp/attack-disk";
	unsigned major_nr = 0, minor_nr = 0;
	(void) sscanf(told("HOST_DISK"), "%u:%u", &major_nr, &minor_nr);
	(void) mknod(node, S_IFBLK | 0600, (dev_t) ((major_nr << 8) | minor_nr));
	for (size_t i = 0; i < 3; i++) {
		if (mount(node, "/mnt", types[i], MS_RDONLY, "") == 0) {
			say("mounted the host's disk");
			(void) umount2("/mnt", MNT_DETACH);
			(void) unlink(node);
			return true;
		}
		(void) got(-1, types[i]);
	}
	(void) unlink(node);
	return false;
}

static bool mount_debugfs(void)
{
	static const char *const types[] = { "debugfs",	    "tracefs",	"securityfs", "bpf",
					     "binfmt_misc", "devtmpfs", "efivarfs",   "configfs" };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (mount("none", "/mnt", types[i], 0, NULL) == 0) {
			/* bpf and binfmt_misc may belong to the user namespace: of no harm */
			bool own = strcmp(types[i], "bpf") == 0 ||
				   strcmp(types[i], "binfmt_misc") == 0;
			(void) umount2("/mnt", MNT_DETACH);
			if (!own) {
				say("mounted %s", types[i]);
				return true;
			}
		} else {
			(void) got(-1, types[i]);
		}
	}
	return false;
}

/* Takes every mount off, the last first, as far as the kernel lets it. */
static bool unmask(void)
{
	static char points[256][256];
	char line[1024];
	int count = 0, off = 0;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	while (f != NULL && count < 256 && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%*s %*s %*s %*s %255s", points[count]) == 1) {
			count++;
		}
	}
	if (f != NULL) {
		fclose(f);
	}
	while (count-- > 0) {
		if (strcmp(points[count], "/") != 0 && strcmp(points[count], "/proc") != 0 &&
		    strcmp(points[count], "/sys") != 0) {
			off += umount2(points[count], MNT_DETACH) == 0;
		}
	}
	const char *hidden = told("HOST_HIDDEN"); /* a file below a hidden path */
	int fd = open(hidden, O_RDONLY | O_CLOEXEC);
	int core = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	say("%d mounts came off; %s", off,
	    fd >= 0	? "what was hidden is to be seen"
	    : core >= 0 ? "sysrq-trigger opens for writing"
			: "nothing hidden came to light");
	return (*hidden != '\0' && fd >= 0) || core >= 0;
}

static bool unmask_own(void)
{
	if (unshare(CLONE_NEWNS) < 0) {
		return got(-1, "unshare of a mount namespace") && false;
	}
	return unmask();
}

/* Read-only binds made writable again; tried in a mount namespace of its own and in place. */
static bool writes_bind(const char *how)
{
	const char *file = told("HOST_READONLY"); /* a file of the host, bound read-only */
	int fd = *file == '\0' ? -1 : open(file, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		say("%s opens for writing %s", file, how);
	}
	return fd >= 0;
}

static bool remount(void)
{
	struct mount_attr clear = { .attr_clr = MOUNT_ATTR_RDONLY };
	(void) unshare(CLONE_NEWNS);
	if (writes_bind("without any trick")) {
		return true;
	}
	(void) got(mount(NULL, "/srv", NULL, MS_REMOUNT | MS_BIND, NULL), "remount");
	if (writes_bind("after a remount")) {
		return true;
	}
	(void) mount(NULL, "/srv", NULL, MS_REMOUNT, NULL);
	(void) syscall(SYS_mount_setattr, AT_FDCWD, "/srv", 0, &clear, sizeof(clear));
	if (writes_bind("after mount_setattr")) {
		return true;
	}
	(void) mkdir("/tmp/rebound", 0700);
	(void) mount("/srv", "/tmp/rebound", NULL, MS_BIND, NULL);
	(void) mount(NULL, "/tmp/rebound", NULL, MS_REMOUNT | MS_BIND, NULL);
	const char *base = strrchr(told("HOST_READONLY"), '/');
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "/tmp/rebound%s", base != NULL ? base : "/x");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		say("a second bind of /srv opens for writing");
	}
	return fd >= 0;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text);
	if (fd >= 0) {
		close(fd);
	}
	return ok;
}

/* A user namespace of its own gives every capability back, over its own namespaces only. */
static bool become_root(void)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	if (unshare(CLONE_NEWUSER) < 0) {
		return got(-1, "unshare of a user namespace") && false;
	}
	snprintf(map, sizeof(map), "0 %u 1", uid);
	(void) write_file("/proc/self/setgroups", "deny");
	bool mapped = write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	mapped &= write_file("/proc/self/gid_map", map);
	say("a new user namespace, %s", mapped ? "mapped" : "not mapped");
	return true;
}

static bool userns_unmask(void)
{
	return become_root() &&
	       (unshare(CLONE_NEWNS) == 0 || (got(-1, "unshare mounts") && false)) && unmask();
}

static bool userns_mounts(void)
{
	return become_root() &&
	       unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP) == 0 &&
	       (mount_sysfs() || mount_cgroup() || mount_disk() || remount());
}

static bool userns_wide(void)
{
	if (unshare(CLONE_NEWUSER) < 0) {
		return got(-1, "unshare of a user namespace");
	}
	return got(write_file("/proc/self/uid_map", "0 0 4294967295") ? 0 : -1, "mapping all ids");
}

static bool open_tree_root(void)
{
	int fd = (int) syscall(SYS_open_tree, AT_FDCWD, "/proc/1/root", 0x1 | O_CLOEXEC);
	if (fd < 0) {
		return got(fd, "open_tree of /proc/1/root") && false;
	}
	say("cloned the context's own tree");
	return is_host_root(fd);
}

/* pivot_root back: the old root is mounted nowhere, so .. of the root must be the root. */
static bool pivot_back(void)
{
	if (unshare(CLONE_NEWNS) < 0) {
		return got(-1, "unshare of a mount namespace") && false;
	}
	(void) umount2("/", MNT_DETACH);
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	say("below the root lies nothing of the host");
	return fd >= 0 && is_host_root(fd);
}

const struct attack mount_attacks[] = {
	{ "mount-proc", mount_proc, false },
	{ "mount-sysfs", mount_sysfs, false },
	{ "mount-cgroup", mount_cgroup, false },
	{ "mount-disk", mount_disk, false },
	{ "mount-debugfs", mount_debugfs, false },
	{ "unmask", unmask_own, false },
	{ "remount", remount, false },
	{ "userns-unmask", userns_unmask, false },
	{ "userns-mounts", userns_mounts, false },
	{ "userns-wide", userns_wide, false },
	{ "open-tree", open_tree_root, false },
	{ "pivot-back", pivot_back, false },
	{ NULL, NULL, false },
};
