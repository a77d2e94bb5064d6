/* Removing trees that somebody hostile may have filled, and may still be changing: symbolic links
 * are removed, never followed, mounts are not entered, and a tree deeper than our descriptors
 * reach is flattened: its deep directories are moved to the top and removed from there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

#define TREE_DEPTH_MAX 64

struct removal {
	int top; /* the directory that deep ones are moved into */
	unsigned moved; /* names given so far */
	bool again; /* something was moved: the top is to be read once more */
	int error; /* the first */
};

static void note(struct removal *m, int r)
{
	if (r < 0 && r != -ENOENT && m->error == 0)
		m->error = r;
}

static int open_dir(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};

	return (int) sys(syscall(SYS_openat2, dirfd, name, &how, sizeof(how)));
}

/* Moves directory `name` to the top under a new name. */
static void flatten(struct removal *m, int dirfd, const char *name)
{
	char to[32];
	int r;

	do {
		(void) snprintf(to, sizeof(to), ".ward-deep-%u", m->moved++);
		r = sys(renameat2(dirfd, name, m->top, to, RENAME_NOREPLACE));
	} while (r == -EEXIST && m->moved < 1000000);
	if (r == 0)
		m->again = true;
	note(m, r);
}

static void remove_entry(struct removal *m, int dirfd, const char *name, unsigned depth);

static void empty_dir(struct removal *m, int fd, unsigned depth)
{
	DIR *dir = fdopendir(fd); /* takes fd */

	if (!dir) {
		note(m, -errno);
		fd_close(fd);
		return;
	}
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry) {
			note(m, -errno);
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_entry(m, dirfd(dir), entry->d_name, depth);
	}
	(void) closedir(dir);
}

static void remove_entry(struct removal *m, int dirfd, const char *name, unsigned depth)
{
	int r = sys(unlinkat(dirfd, name, 0));
	if (r != -EISDIR && r != -EPERM) {
		note(m, r);
		return;
	}
	if (depth >= TREE_DEPTH_MAX) {
		flatten(m, dirfd, name);
		return;
	}

	int fd = open_dir(dirfd, name);
	if (fd < 0) { /* not a directory: what unlink said counts */
		note(m, fd == -ENOTDIR ? r : fd);
		return;
	}
	empty_dir(m, fd, depth + 1);
	note(m, sys(unlinkat(dirfd, name, AT_REMOVEDIR)));
}

/* `name` is one component, so that nothing between it and `parent` is resolved. */
static int remove_below(int parent, const char *name)
{
	int r = sys(unlinkat(parent, name, 0));
	if (r == 0 || r == -ENOENT)
		return 0;
	if (r != -EISDIR && r != -EPERM)
		return r;

	_cleanup_close_ int top = open_dir(parent, name);
	if (top < 0)
		return top == -ENOTDIR || top == -ELOOP ? r : top;

	struct removal m = { .top = top };
	do {
		int fd = sys(openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		if (fd < 0)
			return fd;
		m.again = false;
		empty_dir(&m, fd, 1);
	} while (m.again);
	note(&m, sys(unlinkat(parent, name, AT_REMOVEDIR)));
	return m.error;
}

int tree_remove_at(int dirfd, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *last = slash ? slash + 1 : name;
	char parent[PATH_MAX];

	if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return -EINVAL;
	if (!slash)
		return remove_below(dirfd, name);
	if ((size_t) (last - name) >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, name, (size_t) (last - name));
	parent[last - name] = '\0';

	_cleanup_close_ int fd = sys(openat(dirfd, parent, O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return remove_below(fd, last);
}
