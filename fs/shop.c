/* See shop.h. Made by a child: it leaves the host's tree behind, so that the workshop keeps no
 * file system of the host busy. */

#include "fs/shop.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"
#include "fs/mnt.h"

struct shop {
	int home_fd, ns_fd; /* mount namespaces: ours, and the workshop */
	unsigned placed; /* names of mount points are numbers, never used twice */
};

/* In the child: an empty tmpfs with /proc becomes the root. */
static int furnish(void)
{
	static const struct mnt_request tmpfs = { .type = "tmpfs", .attrs = MOUNT_ATTR_NODEV };
	static const struct mnt_request proc = { .type = "proc", .attrs = MOUNT_ATTR_NOSUID };
	struct mount_attr private = { .propagation = MS_PRIVATE };
	int r = sys(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof(private)));
	int root = r < 0 ? r : mnt_make(&tmpfs, NULL);

	if (root < 0)
		return root;
	r = sys(move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
	if (r == 0)
		r = sys(fchdir(root));
	if (r == 0)
		r = sys(mkdir("proc", 0555));
	_cleanup_close_ int proc_fd = r < 0 ? r : mnt_make(&proc, NULL);
	if (proc_fd < 0)
		return proc_fd;
	r = sys(move_mount(proc_fd, "", AT_FDCWD, "proc", MOVE_MOUNT_F_EMPTY_PATH));
	if (r == 0)
		r = sys((int) syscall(SYS_pivot_root, ".", "."));
	return r < 0 ? r : sys(umount2(".", MNT_DETACH));
}

/* @return the namespace of a child that furnished it and waits, or -errno. */
static int open_namespace(pid_t pid, int told)
{
	char path[48];
	int r = -ECHILD;

	if (read(told, &r, sizeof(r)) != sizeof(r))
		return -ECHILD;
	(void) snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	return r < 0 ? r : sys(open(path, O_RDONLY | O_CLOEXEC));
}

static int make_namespace(void)
{
	struct clone_args args = { .flags = CLONE_NEWNS, .exit_signal = SIGCHLD };
	int told[2];

	if (pipe2(told, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = proc_clone3(&args);
	if (pid == 0) {
		int r = furnish();

		(void) !write(told[1], &r, sizeof(r));
		for (;;)
			(void) pause();
	}
	fd_close(told[1]);
	int fd = pid < 0 ? pid : open_namespace(pid, told[0]);
	fd_close(told[0]);
	if (pid > 0) {
		(void) kill(pid, SIGKILL);
		(void) waitpid(pid, NULL, 0);
	}
	return fd;
}

int shop_new(struct shop **ret, struct err *e)
{
	struct shop *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set_errno(e, -ENOMEM, "making a mount namespace for layers");

	s->home_fd = sys(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	s->ns_fd = s->home_fd < 0 ? s->home_fd : make_namespace();
	if (s->ns_fd < 0) {
		int r = s->ns_fd;

		shop_free(s);
		return err_set_errno(e, r, "making a mount namespace for layers");
	}
	*ret = s;
	return 0;
}

void shop_free(struct shop *s)
{
	if (!s)
		return;
	fd_close(s->home_fd);
	fd_close(s->ns_fd);
	free(s);
}

int shop_enter(struct shop *s)
{
	return s ? sys(setns(s->ns_fd, CLONE_NEWNS)) : 0;
}

void shop_leave(struct shop *s)
{
	/* Every path would mean something else from here on. */
	if (s && setns(s->home_fd, CLONE_NEWNS) < 0)
		abort();
}

int shop_place(struct shop *s, int mount_fd, const char *name)
{
	char own[24];

	if (!s || mount_fd < 0)
		return 0;
	(void) snprintf(own, sizeof(own), "%u", s->placed);
	if (!name) {
		s->placed++;
		name = own;
	}
	int r = sys(mkdir(name, 0700)); /* inside, we stand at the root */
	return r < 0 && r != -EEXIST
		       ? r
		       : sys(move_mount(mount_fd, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH));
}

void shop_remove(struct shop *s, int mount_fd)
{
	char path[48];

	if (!s || mount_fd < 0)
		return;
	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", mount_fd);
	(void) umount2(path, MNT_DETACH);
}

int shop_keep(struct shop *s, int mount_fd)
{
	int r = shop_enter(s);

	if (r < 0)
		return r;
	r = shop_place(s, mount_fd, NULL);
	shop_leave(s);
	return r;
}

void shop_drop(struct shop *s, int mount_fd)
{
	if (!s || mount_fd < 0 || shop_enter(s) < 0)
		return;
	shop_remove(s, mount_fd);
	shop_leave(s);
}
