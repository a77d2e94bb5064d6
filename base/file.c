/* Whole small files. Bounds are the caller's, so that a file somebody else wrote cannot make us
 * allocate without end; nothing here waits for a disk (no fsync). */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"

#define READ_FIRST 4096u
#define TEMPORARY_DIGITS 8

/* Reads until the end or until `max` bytes are passed. */
static int read_all(int fd, size_t max, char **data, size_t *len)
{
	size_t cap = 0;

	for (;;) {
		if (*len + 1 >= cap) {
			cap = cap ? cap * 2 : READ_FIRST;
			char *bigger = realloc(*data, cap);
			if (!bigger)
				return -ENOMEM;
			*data = bigger;
		}
		ssize_t n = sys(read(fd, *data + *len, cap - *len - 1));
		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int) n;
		if (n == 0)
			return 0;
		*len += (size_t) n;
		if (*len > max)
			return -EFBIG;
	}
}

int file_read_at(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_len)
{
	_cleanup_free_ char *data = NULL;
	size_t len = 0;

	if (max > SIZE_MAX / 4)
		return -EINVAL;
	_cleanup_close_ int fd = sys(openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
	if (fd < 0)
		return fd;
	int r = read_all(fd, max, &data, &len);
	if (r < 0)
		return r;

	data[len] = '\0';
	*ret_data = TAKE_PTR(data);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int file_write_at(int dirfd, const char *path, const char *text)
{
	_cleanup_close_ int fd = sys(openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY));
	if (fd < 0)
		return fd;

	size_t len = strlen(text);
	ssize_t n;
	do
		n = sys(write(fd, text, len));
	while (n == -EINTR);
	if (n < 0)
		return (int) n;
	return (size_t) n == len ? 0 : -EIO;
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = sys(write(fd, p, len));
		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int) n;
		p += n;
		len -= (size_t) n;
	}
	return 0;
}

/* A name beside `path` that nobody else uses: ".NAME.XXXXXXXX". */
static int temporary_name(const char *path, char out[static PATH_MAX])
{
	uint32_t random;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	int n = snprintf(out, PATH_MAX, "%.*s.%s.%0*x", (int) (name - path), path, name,
			 TEMPORARY_DIGITS, random);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int file_replace_at(int dirfd, const char *path, const void *data, size_t len, mode_t mode)
{
	char temporary[PATH_MAX];

	int r = temporary_name(path, temporary);
	if (r < 0)
		return r;
	_cleanup_close_ int fd =
		sys(openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			   0600));
	if (fd < 0)
		return fd;

	r = write_all(fd, data, len);
	if (r == 0)
		r = sys(fchmod(fd, mode)); /* the mode asked for, whatever the umask */
	if (r == 0)
		r = fault_point("file-written", NULL);
	if (r == 0)
		r = sys(renameat(dirfd, temporary, dirfd, path));
	if (r < 0)
		(void) unlinkat(dirfd, temporary, 0);
	else
		(void) fault_point("file-replaced", NULL);
	return r;
}

static bool is_temporary(const char *name)
{
	const char *end = strrchr(name, '.');

	return name[0] == '.' && end > name + 1 && strlen(end + 1) == TEMPORARY_DIGITS &&
	       strspn(end + 1, "0123456789abcdef") == TEMPORARY_DIGITS;
}

int file_sweep_at(int dirfd, const char *path)
{
	int fd = sys(openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		int r = fd < 0 ? fd : -errno;

		fd_close(fd);
		return r;
	}
	while ((entry = readdir(dir)))
		if (is_temporary(entry->d_name))
			(void) unlinkat(fd, entry->d_name, 0);
	(void) closedir(dir);
	return 0;
}

int dir_make(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(part))
		return len ? -ENAMETOOLONG : -ENOENT;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		int r = sys(mkdir(part, mode));
		/* An existing parent on a read-only file system answers EROFS or EACCES. */
		if (r < 0 && r != -EEXIST && access(part, F_OK) < 0)
			return r;
	}

	struct stat st;
	int r = sys(stat(path, &st));
	if (r < 0)
		return r;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int dir_make_open(const char *path, mode_t mode)
{
	int r = dir_make(path, mode);
	if (r < 0)
		return r;
	return sys(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
}
