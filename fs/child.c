/* The child's half of a view. It is root of its own user namespace and no more.
 *
 * Every target is resolved by openat2(2) inside the view's root, so neither ".." nor a symbolic
 * link planted there leads anywhere else; mounts are attached to the descriptor found, not to a
 * name. proc and sysfs are made while the host's are still in sight: the kernel lets a user
 * namespace mount them only where it could see them whole already. That and leaving the host's
 * tree is done while the child is parked (fs_seat_prepare). */

#include "fs/child.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "fs/mnt.h"

#define ATTRS_KERNEL (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* On top of the empty root that fs_seat_prepare() left us on. */
int view_attach_root(void *arg, struct err *)
{
	struct view_step *s = arg;
	int r = sys(move_mount(s->v->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));

	return r < 0 ? r : sys(fchdir(s->v->root_fd));
}

static int attach_at(struct view *v, int fd, const char *target, bool directory, struct err *e)
{
	_cleanup_close_ int at =
		path_open_in_root(v->root_fd, target, O_PATH | (directory ? O_DIRECTORY : 0));

	if (at == -ENOENT)
		at = path_make_in_root(v->root_fd, target, directory);
	if (at == -EROFS)
		return err_set(e, at, "%s is missing, and the root is read-only", target);
	return at < 0 ? at : mnt_attach(fd, at);
}

/* Attaches what was made ahead, or makes it now. @return the mount, to be closed, or -errno. */
static int attach_new(struct view *v, int *ready, const struct mnt_request *r, const char *target,
		      struct err *e)
{
	int fd = ready && *ready >= 0 ? TAKE_FD(*ready) : mnt_make(r, e);
	if (fd < 0)
		return fd;

	int k = attach_at(v, fd, target, true, e);
	if (k == 0)
		return fd;
	fd_close(fd);
	return k;
}

int view_attach(void *arg, struct err *e)
{
	struct view_step *s = arg;

	return attach_at(s->v, s->fd, s->target, s->flags & FS_OP_DIRECTORY, e);
}

/* Over what is there: a root that lacks the file, and is not ours to change, does without. */
int view_attach_file(void *arg, struct err *)
{
	struct view_step *s = arg;

	_cleanup_close_ int at = path_open_in_root(s->v->root_fd, s->target, O_PATH);
	int r = at < 0 ? at : mnt_attach(s->fd, at);
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? 0 : r;
}

/* Mounts and forgets. */
static int mount_new(struct view_step *s, int *ready, const struct mnt_request *r, struct err *e)
{
	int fd = attach_new(s->v, ready, r, s->target, e);

	if (fd >= 0)
		fd_close(fd);
	return fd < 0 ? fd : 0;
}

static const struct mnt_request proc_request = { .type = "proc", .attrs = ATTRS_KERNEL };
static const struct mnt_request mqueue_request = { .type = "mqueue", .attrs = ATTRS_KERNEL };
static const struct mnt_request sys_request = {
	.type = "sysfs",
	.attrs = ATTRS_KERNEL | MOUNT_ATTR_RDONLY,
};

static struct mnt_request devpts_request(bool tty_group)
{
	struct mnt_request r = { .type = "devpts", .attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };

	mnt_option_add(&r, "newinstance", NULL);
	mnt_option_add(&r, "ptmxmode", "0666");
	mnt_option_add(&r, "mode", "0620");
	if (tty_group)
		mnt_option_add(&r, "gid", "5");
	return r;
}

int view_devpts(void *arg, struct err *e)
{
	struct view_step *s = arg;
	struct mnt_request r = devpts_request(s->v->tty_group);

	return mount_new(s, &s->v->seat->devpts_fd, &r, e);
}

int view_mqueue(void *arg, struct err *e)
{
	struct view_step *s = arg;

	return mount_new(s, &s->v->seat->mqueue_fd, &mqueue_request, e);
}

int view_cgroup(void *arg, struct err *e)
{
	static const struct mnt_request r = { .type = "cgroup2", .attrs = ATTRS_KERNEL };

	return mount_new(arg, NULL, &r, e);
}

int view_tmpfs(void *arg, struct err *e)
{
	struct view_step *s = arg;
	struct mnt_request r = { .type = "tmpfs", .attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };

	mnt_option_add(&r, "mode", "1777");
	mnt_option_add(&r, "uid", "0");
	mnt_option_add(&r, "gid", "0");
	mnt_option_add(&r, "size", s->size);
	return mount_new(s, NULL, &r, e);
}

int view_proc(void *arg, struct err *e)
{
	struct view_step *s = arg;

	s->v->proc_fd = attach_new(s->v, &s->v->seat->proc_fd, &proc_request, s->target, e);
	return s->v->proc_fd < 0 ? s->v->proc_fd : 0;
}

int view_sys(void *arg, struct err *e)
{
	struct view_step *s = arg;

	if (s->flags & FS_OP_PRIVATE) {
		s->v->sys_fd = attach_new(s->v, &s->v->seat->sys_fd, &sys_request, s->target, e);
		return s->v->sys_fd < 0 ? s->v->sys_fd : 0;
	}
	s->v->sys_fd = s->fd;
	return attach_at(s->v, s->fd, s->target, true, e);
}

/* pivot_root(".", ".") puts the old root on top of the new one, and we drop it at once. That waits
 * for RCU and takes the whole copy of the host's mounts apart, some 100 us. */
static int enter_empty_root(void)
{
	struct mnt_request r = {
		.type = "tmpfs",
		.attrs = ATTRS_KERNEL | MOUNT_ATTR_RDONLY,
	};

	mnt_option_add(&r, "mode", "0555");
	mnt_option_add(&r, "size", "4096");
	mnt_option_add(&r, "nr_inodes", "2");
	_cleanup_close_ int fd = mnt_make(&r, NULL);
	int k = fd < 0 ? fd : sys(move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));

	if (k == 0)
		k = sys(fchdir(fd));
	if (k == 0)
		k = sys((int) syscall(SYS_pivot_root, ".", "."));
	if (k == 0)
		k = sys(umount2(".", MNT_DETACH));
	return k < 0 ? k : sys(chdir("/"));
}

int fs_seat_prepare(void *arg, bool own_network)
{
	struct mnt_request devpts = devpts_request(true), devpts_plain = devpts_request(false);
	struct fs_seat *s = arg;

	/* What cannot be made is tried again, and complained of, by the launch that wants it. */
	s->proc_fd = mnt_make(&proc_request, NULL);
	s->sys_fd = own_network ? mnt_make(&sys_request, NULL) : -1;
	s->mqueue_fd = mnt_make(&mqueue_request, NULL);
	s->devpts_fd = mnt_make(&devpts, NULL);
	if (s->devpts_fd < 0)
		s->devpts_fd = mnt_make(&devpts_plain, NULL);
	return enter_empty_root();
}

/* Puts a stand-in on top of target_fd: the given mount itself the first time, a clone of it (now
 * that it is in our namespace, we may clone it) after that. */
static int cover(int fd, bool *placed, int target_fd)
{
	if (!*placed) {
		int r = mnt_attach(fd, target_fd);

		*placed = r == 0;
		return r;
	}
	_cleanup_close_ int again = mnt_clone(fd, "");
	return again < 0 ? again : mnt_attach(again, target_fd);
}

static int mask_one(struct view *v, int dir, const char *path)
{
	_cleanup_close_ int at = path_open_beneath(dir, path, O_PATH, 0);

	if (at == -ENOENT)
		return 0;
	if (at < 0)
		return at;
	if (path[strlen(path) - 1] == '/')
		return cover(v->empty_fd, &v->empty_placed, at);
	return cover(v->empty_file_fd, &v->empty_file_placed, at);
}

static int mask(const struct view_step *s, int dir, const char *under, struct err *e)
{
	for (size_t i = 0; i < s->count; i++) {
		int r = mask_one(s->v, dir, s->list[i]);

		if (r < 0)
			return err_set_errno(e, r, "masking %s/%s", under, s->list[i]);
	}
	return 0;
}

int view_mask_proc(void *arg, struct err *e)
{
	struct view_step *s = arg;

	return mask(s, s->v->proc_fd, "/proc", e);
}

int view_mask_sys(void *arg, struct err *e)
{
	struct view_step *s = arg;

	return mask(s, s->v->sys_fd, "/sys", e);
}

static int lock_one(int proc_fd, const char *path)
{
	_cleanup_close_ int at = path_open_beneath(proc_fd, path, O_PATH, 0);
	if (at < 0)
		return at == -ENOENT ? 0 : at;

	_cleanup_close_ int again = mnt_clone(at, "");
	int r = again < 0 ? again : mnt_change(again, MOUNT_ATTR_RDONLY | ATTRS_KERNEL, -1);
	return r < 0 ? r : mnt_attach(again, at);
}

int view_lock_proc(void *arg, struct err *e)
{
	struct view_step *s = arg;

	for (size_t i = 0; i < s->count; i++) {
		int r = lock_one(s->v->proc_fd, s->list[i]);

		if (r < 0)
			return err_set_errno(e, r, "making /proc/%s read-only", s->list[i]);
	}
	return 0;
}

/* What is not there needs no hiding. */
int view_hide(void *arg, struct err *)
{
	struct view_step *s = arg;
	struct view *v = s->v;
	struct stat st;

	_cleanup_close_ int at = path_open_in_root(v->root_fd, s->target, O_PATH);
	if (at < 0)
		return at == -ENOENT || at == -ENOTDIR ? 0 : at;
	int r = sys(fstat(at, &st));
	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return cover(v->hide_fd, &v->hide_placed, at);
	return cover(v->hide_file_fd, &v->hide_file_placed, at);
}

/* The view lies on top of the empty root: no pivot is needed, as below it there is nothing. It is
 * the namespace's root for whoever enters it, and so for the kernel no jail inside another root. */
int view_pivot(void *arg, struct err *e)
{
	struct view_step *s = arg;
	int r = sys(fchdir(s->v->root_fd));

	if (r == 0)
		r = sys(chroot("."));
	if (r < 0)
		return err_set_errno(e, r, "entering the view");
	s->v->root_fd = fd_close(s->v->root_fd);
	s->v->proc_fd = fd_close(s->v->proc_fd);
	s->v->sys_fd = fd_close(s->v->sys_fd);
	return sys(chdir("/"));
}
