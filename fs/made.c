/* The ids of what Ward itself makes for a context on a tmpfs: an upper layer, a /dev, files.
 *
 * Made as the host's ids, it becomes the context's by an id mapping of its mount. Kernels before
 * 6.3 cannot do that to a tmpfs; there the few objects are given their owners one by one, before
 * the context sees them. What the context then makes bears its ids by itself. */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "fs/host.h"
#include "fs/mnt.h"

/* What the mapping does not have stays the host's root's, who is nobody inside. */
static uint32_t mapped(const struct fs_launch *at, uint32_t id)
{
	return id < at->ids_count ? at->ids_first + id : 0;
}

static int give(const struct fs_launch *at, int dir, const char *name, struct stat *ret)
{
	if (fstatat(dir, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return sys(fchownat(dir, name, mapped(at, ret->st_uid), mapped(at, ret->st_gid),
			    AT_SYMLINK_NOFOLLOW));
}

/* Nobody else has the tree yet, and we made it: it is small and its names are true. */
static int give_below(const struct fs_launch *at, int parent, const char *name)
{
	int fd = sys(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (fd < 0)
		return fd;
	DIR *d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return -ENOMEM;
	}

	struct dirent *entry;
	struct stat st;
	int r = 0;
	while (r == 0 && (entry = readdir(d))) {
		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
			continue;
		r = give(at, fd, entry->d_name, &st);
		if (r == 0 && S_ISDIR(st.st_mode))
			r = give_below(at, fd, entry->d_name);
	}
	closedir(d);
	return r;
}

int made_map(const struct fs_plan *p, const struct fs_launch *at, int mount_fd)
{
	struct stat st;

	if (!p->chown)
		return mnt_change(mount_fd, 0, at->userns_fd);
	int r = give(at, mount_fd, ".", &st);
	return r < 0 ? r : give_below(at, mount_fd, ".");
}
