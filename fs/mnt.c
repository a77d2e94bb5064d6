/* Thin wrappers of fsopen(2), fsmount(2), open_tree(2), mount_setattr(2) and move_mount(2).
 *
 * They are system calls only, so the child may use them between clone and exec. The kernel tells
 * in the fs context's own log why it refuses an option; that text is worth more than EINVAL. */

#include "fs/mnt.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"

void mnt_option_add(struct mnt_request *r, const char *key, const char *value)
{
	if (r->count < MNT_OPTIONS_MAX)
		r->options[r->count++] = (struct mnt_option){ key, value };
}

int mnt_clone(int dirfd, const char *path)
{
	return sys(open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
}

/* The log's lines read "e overlay: text": keep what follows the severity. */
static int fail(int fs_fd, const char *type, const char *what, int code, struct err *e)
{
	char line[256];
	ssize_t n = read(fs_fd, line, sizeof(line) - 1);

	if (n <= 2)
		return err_set_errno(e, code, "mounting %s (%s)", type, what);
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return err_set_errno(e, code, "mounting %s (%s: %s)", type, what, line + 2);
}

int mnt_make(const struct mnt_request *r, struct err *e)
{
	_cleanup_close_ int fs_fd = sys(fsopen(r->type, FSOPEN_CLOEXEC));
	if (fs_fd < 0)
		return err_set_errno(e, fs_fd, "mounting %s: fsopen", r->type);

	for (size_t i = 0; i < r->count; i++) {
		const struct mnt_option *o = &r->options[i];
		unsigned cmd = o->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
		int k = sys(fsconfig(fs_fd, cmd, o->key, o->value, 0));

		if (k < 0)
			return fail(fs_fd, r->type, o->key, k, e);
	}
	int k = sys(fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	if (k < 0)
		return fail(fs_fd, r->type, "create", k, e);
	k = sys(fsmount(fs_fd, FSMOUNT_CLOEXEC, r->attrs));
	return k < 0 ? fail(fs_fd, r->type, "fsmount", k, e) : k;
}

int mnt_change(int mount_fd, uint64_t attrs, int userns_fd)
{
	struct mount_attr a = { .attr_set = attrs };

	if (userns_fd >= 0) {
		a.attr_set |= MOUNT_ATTR_IDMAP;
		a.userns_fd = (uint64_t) userns_fd;
	}
	if (!a.attr_set)
		return 0;
	return sys(mount_setattr(mount_fd, "", AT_EMPTY_PATH, &a, sizeof(a)));
}

int mnt_attach(int mount_fd, int target_fd)
{
	return sys(move_mount(mount_fd, "", target_fd, "",
			      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

int mnt_freeze(int mount_fd)
{
	_cleanup_close_ int fs_fd = sys(fspick(mount_fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
	if (fs_fd < 0)
		return fs_fd;

	int k = sys(fsconfig(fs_fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	return k < 0 ? k : sys(fsconfig(fs_fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
}
