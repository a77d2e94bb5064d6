/* /dev and the stock of empty things.
 *
 * Device nodes cannot be made in a user namespace, so the daemon makes them once, in a tmpfs whose
 * superblock is then frozen read-only: every context gets a clone of that one mount, and not even
 * one with mount rights can change a node's mode or leave a message for its neighbours in it. A
 * context that must add to its /dev (an init, a `device =`) gets a tmpfs of its own. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "fs/host.h"
#include "fs/mnt.h"

static const struct {
	const char *name;
	unsigned major, minor;
} nodes[] = {
	{ "null", 1, 3 }, { "zero", 1, 5 },   { "full", 1, 7 },
	{ "tty", 5, 0 },  { "random", 1, 8 }, { "urandom", 1, 9 },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "ptmx", "pts/ptmx" },
};

/* Mount points; the last one for those who want a notify socket. */
static const char *const directories[] = { "pts", "shm", "mqueue", "ward" };

/* Modes as said, whatever the daemon's umask is. */
static int make_node(int dir, const char *name, mode_t mode, dev_t dev)
{
	int r = sys(mknodat(dir, name, mode, dev));

	return r < 0 ? r : sys(fchmodat(dir, name, mode & 07777, 0));
}

static int fill(int dir)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(nodes); i++)
		r = make_node(dir, nodes[i].name, S_IFCHR | 0666,
			      makedev(nodes[i].major, nodes[i].minor));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(links); i++)
		r = sys(symlinkat(links[i].target, dir, links[i].name));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directories); i++)
		r = sys(mkdirat(dir, directories[i], 0755));
	return r;
}

/* The host's node is looked at once; what the context gets is a node of its own. */
static int add_device(int dir, const char *path, struct err *e)
{
	_cleanup_close_ int host = host_open("device", path, 0, e);
	struct stat st;

	if (host < 0)
		return host;
	if (fstat(host, &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return err_set(e, -EINVAL, "files.device \"%s\": not a device node", path);

	const char *below = path + strlen("/dev/");
	_cleanup_close_ int place = path_make_in_root(dir, below, false);
	char name[32];
	if (place < 0)
		return err_set_errno(e, place, "files.device \"%s\": making its node", path);
	(void) snprintf(name, sizeof(name), ".new-%d", place);
	int r = make_node(dir, name, st.st_mode, st.st_rdev);
	if (r == 0)
		r = sys(fchownat(dir, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW));
	if (r == 0)
		r = sys(renameat(dir, name, dir, below));
	return r < 0 ? err_set_errno(e, r, "files.device \"%s\": making its node", path) : 0;
}

static int add_devices(const struct fs_plan *p, int dir, struct err *e)
{
	int r = 0;

	for (size_t i = 0; p && r == 0 && i < p->count; i++)
		if (p->ops[i].kind == FS_OP_DEVICE)
			r = add_device(dir, p->ops[i].target, e);
	return r;
}

int dev_make(const struct fs_plan *p, struct err *e)
{
	struct mnt_request request = { .type = "tmpfs", .attrs = MOUNT_ATTR_NOSUID };

	mnt_option_add(&request, "mode", "0755");
	mnt_option_add(&request, "size", "1M");
	mnt_option_add(&request, "nr_inodes", "1024");
	_cleanup_close_ int fd = mnt_make(&request, e);
	if (fd < 0)
		return fd;

	int r = fill(fd);
	if (r < 0)
		return err_set_errno(e, r, "filling /dev");
	r = add_devices(p, fd, e);
	if (r < 0)
		return r;
	if (!p && (r = mnt_freeze(fd)) < 0)
		return err_set_errno(e, r, "freezing the shared /dev");
	return TAKE_FD(fd);
}

int void_make(struct err *e)
{
	struct mnt_request request = {
		.type = "tmpfs",
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
	};

	mnt_option_add(&request, "mode", "0755");
	mnt_option_add(&request, "nr_inodes", "16");
	_cleanup_close_ int fd = mnt_make(&request, e);
	if (fd < 0)
		return fd;

	int r = make_node(fd, "file", S_IFREG | 0444, 0);
	if (r == 0)
		r = sys(mkdirat(fd, "dir", 0));
	if (r == 0)
		r = sys(mkdirat(fd, "empty", 0555));
	if (r == 0)
		r = mnt_freeze(fd);
	return r < 0 ? err_set_errno(e, r, "making the empty stand-ins") : TAKE_FD(fd);
}
