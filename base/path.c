/* Paths come from admins and from inside contexts. As text they are checked once; on disk they
 * are resolved by the kernel within a root (openat2(2)), so that neither "..", symbolic links nor
 * a rename at the wrong moment lead out of it. */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

#define RACES_MAX 64 /* openat2 says EAGAIN when a rename crossed its way */

bool path_is_clean(const char *path)
{
	size_t len = strnlen(path, PATH_MAX);

	if (path[0] != '/' || len >= PATH_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char) path[i] < ' ' || path[i] == 0x7f)
			return false;
	}
	for (const char *p = path; *p && strcmp(path, "/") != 0;) {
		const char *name = p + 1;
		size_t n = strcspn(name, "/");

		if (n == 0 || (n == 2 && memcmp(name, "..", 2) == 0))
			return false;
		p = name + n;
	}
	return true;
}

static int open_how(int dirfd, const char *path, const struct open_how *how)
{
	int r = -EAGAIN;

	for (int i = 0; i < RACES_MAX && (r == -EAGAIN || r == -EINTR); i++)
		r = (int) sys(syscall(SYS_openat2, dirfd, path, how, sizeof(*how)));
	return r;
}

int path_open_in_root(int rootfd, const char *path, uint64_t flags)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return open_how(rootfd, path, &how);
}

int path_open_beneath(int dirfd, const char *path, uint64_t flags, mode_t mode)
{
	bool creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
	const struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = creates ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return open_how(dirfd, path, &how);
}

/* @return fd if it is of the kind asked for; else closes it. */
static int check_kind(int fd, bool directory)
{
	_cleanup_close_ int owned = fd;
	struct stat st;

	int r = sys(fstat(owned, &st));
	if (r < 0)
		return r;
	if (directory != (bool) S_ISDIR(st.st_mode))
		return directory ? -ENOTDIR : -EISDIR;
	return TAKE_FD(owned);
}

/* Makes one missing component below an open directory. Somebody else may be faster. */
static int make_one(int parent, const char *name, bool directory)
{
	int r;

	if (directory) {
		r = sys(mkdirat(parent, name, 0755));
	} else {
		int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

		r = sys(openat(parent, name, flags, 0644));
		if (r >= 0) {
			fd_close(r);
			r = 0;
		}
	}
	return r == -EEXIST ? 0 : r;
}

/* Opens text[0..end) in the root, having made its last component when it was missing. */
static int open_or_make(int rootfd, int parent, char *text, size_t begin, size_t end,
			bool directory)
{
	char saved = text[end];

	text[end] = '\0';
	int fd = path_open_in_root(rootfd, text, O_PATH);
	if (fd == -ENOENT) {
		fd = make_one(parent, text + begin, directory);
		if (fd == 0)
			fd = path_open_in_root(rootfd, text, O_PATH);
	}
	text[end] = saved;
	return fd < 0 ? fd : check_kind(fd, directory);
}

int path_make_in_root(int rootfd, const char *path, bool directory)
{
	char text[PATH_MAX];
	size_t len = strnlen(path, PATH_MAX);

	if (len == 0 || len >= PATH_MAX)
		return len ? -ENAMETOOLONG : -ENOENT;
	memcpy(text, path, len + 1);

	_cleanup_close_ int at = path_open_in_root(rootfd, "/", O_PATH | O_DIRECTORY);
	if (at < 0)
		return at;
	bool made = false;
	for (size_t begin = 0; text[begin];) {
		size_t n = strcspn(text + begin, "/");
		size_t next = begin + n + strspn(text + begin + n, "/");

		if (n == 2 && memcmp(text + begin, "..", 2) == 0)
			return -EINVAL;
		if (n > 0) {
			bool last = text[next] == '\0';
			int fd = open_or_make(rootfd, at, text, begin, begin + n,
					      last ? directory : true);
			if (fd < 0)
				return fd;
			fd_close(at);
			at = fd;
			made = last;
		}
		begin = next;
	}
	if (!made && !directory) /* "/" */
		return -EISDIR;
	return TAKE_FD(at);
}
