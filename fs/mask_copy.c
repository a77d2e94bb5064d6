/* The copy of /etc that contexts see, and its stand-ins for what they may not.
 *
 * The account files keep their names and lose their passwords: login, su and useradd need the file
 * and its fields, nobody needs the hashes. An identity of the machine is not one of the context. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "fs/mask_build.h"

#define FILE_BYTES_MAX (16 << 20)
#define SHADOW_BYTES_MAX (4 << 20)

int mask_copy_file(struct mask *m, int host_dir, int layer_dir, const char *name,
		   const struct stat *st)
{
	(void) m;
	_cleanup_close_ int from =
		sys(openat(host_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
	if (from < 0)
		return from == -ENOENT ? 0 : from;
	_cleanup_close_ int to =
		sys(openat(layer_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			   0600));
	if (to < 0)
		return to;

	for (size_t total = 0; total < FILE_BYTES_MAX;) {
		ssize_t n = sys(sendfile(to, from, NULL, FILE_BYTES_MAX - total));

		if (n < 0)
			return (int) n;
		if (n == 0)
			break;
		total += (size_t) n;
	}
	return mask_attributes(layer_dir, name, st);
}

static int write_new(int dir, const char *name, const char *text, size_t len, const struct stat *st)
{
	_cleanup_close_ int fd =
		sys(openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	int r = fd < 0 ? fd : write_all(fd, text, len);

	return r < 0 ? r : mask_attributes(dir, name, st);
}

/* "name:HASH:rest" becomes "name:*:rest". */
static void lock_accounts(const char *text, struct buf *out)
{
	while (*text) {
		size_t line = strcspn(text, "\n");
		const char *first = memchr(text, ':', line);
		const char *second =
			first ? memchr(first + 1, ':', line - (size_t) (first + 1 - text)) : NULL;

		if (second) {
			buf_add(out, text, (size_t) (first + 1 - text));
			buf_puts(out, "*");
			buf_add(out, second, line - (size_t) (second - text));
			buf_puts(out, "\n");
		}
		text += line + (text[line] == '\n');
	}
}

static int locked_accounts(int host_dir, int layer_dir, const char *name, const struct stat *st)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_(buf_done) struct buf out = {};
	int r = file_read_at(host_dir, name, SHADOW_BYTES_MAX, &text, NULL);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	lock_accounts(text, &out);
	explicit_bzero(text, strlen(text));
	return out.error ? out.error : write_new(layer_dir, name, out.data ?: "", out.len, st);
}

static int copy_dir(struct mask *m, int host_at, int layer_at, const char *path, int depth);

static int copy_below(struct mask *m, int host, int layer, const char *path, const char *name,
		      const struct stat *st, int depth)
{
	bool show = mask_shown(m, path) || mask_show_below(m, path);
	int r = sys(mkdirat(layer, name, 0700));

	if (r < 0 && r != -EEXIST) /* one of Ward's own is there already, and empty */
		return r;
	if ((mask_permits(st) || show) && depth < MASK_DEPTH_MAX && !mask_hidden(m, path)) {
		_cleanup_close_ int from = path_open_beneath(host, name, O_RDONLY, 0);
		_cleanup_close_ int to = path_open_beneath(layer, name, O_RDONLY, 0);

		if (from >= 0 && to >= 0)
			r = copy_dir(m, from, to, path, depth + 1);
	}
	return r < 0 && r != -EEXIST ? r : mask_attributes(layer, name, st);
}

static int copy_link(int host, int layer, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(host, name, target, sizeof(target) - 1);

	if (n < 0)
		return 0;
	target[n] = '\0';
	int r = sys(symlinkat(target, layer, name));
	return r < 0 ? r : mask_attributes(layer, name, st);
}

/* One file that cannot be read, or is too large, must not cost the others. */
static int copy_or_drop(struct mask *m, int host, int layer, const char *path,
			const struct stat *st)
{
	const char *name = strrchr(path, '/') + 1;
	int r = mask_copy_file(m, host, layer, name, st);

	if (r < 0) {
		log_debug("%s does not show in views: %s", path, strerror(-r));
		(void) unlinkat(layer, name, 0);
	}
	return 0;
}

static int copy_entry(struct mask *m, int host, int layer, const char *path, int depth)
{
	const char *name = strrchr(path, '/') + 1;
	struct stat st;

	if (fstatat(host, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	m->entries++;
	if (S_ISDIR(st.st_mode))
		return copy_below(m, host, layer, path, name, &st, depth);
	if (S_ISLNK(st.st_mode))
		return copy_link(host, layer, name, &st);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (mask_shown(m, path))
		return copy_or_drop(m, host, layer, path, &st);
	if (strcmp(path, "/etc/shadow") == 0 || strcmp(path, "/etc/gshadow") == 0)
		return locked_accounts(host, layer, name, &st);
	if (strcmp(path, "/etc/machine-id") == 0)
		return write_new(layer, name, "", 0, &st);
	return mask_permits(&st) ? copy_or_drop(m, host, layer, path, &st) : 0;
}

static int copy_dir(struct mask *m, int host_at, int layer_at, const char *path, int depth)
{
	DIR *d = NULL;
	struct dirent *entry;
	int fd = sys(openat(host_at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int r = 0;

	if (fd < 0 || !(d = fdopendir(fd))) {
		fd_close(fd);
		return 0;
	}
	watches_add(&m->watches, fd, path);
	while (r == 0 && (entry = readdir(d))) {
		_cleanup_free_ char *below = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&below, "%s/%s", path, entry->d_name) < 0) {
			below = NULL;
			r = -ENOMEM;
			break;
		}
		r = copy_entry(m, fd, layer_at, below, depth);
	}
	closedir(d);
	return r;
}

int mask_copy_tree(struct mask *m, const char *path)
{
	_cleanup_close_ int host = path_open_beneath(m->root_fd, path + 1, O_RDONLY, 0);
	if (host < 0)
		return host == -ENOENT ? 0 : host;
	_cleanup_close_ int layer = mask_dir(m, path);
	int r = layer < 0 ? layer : mask_opaque(layer);
	return r < 0 ? r : copy_dir(m, host, layer, path, 0);
}
