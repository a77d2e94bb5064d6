/* The walk: what shows of the host's data directories, entry by entry.
 *
 * Bounded, and when the bound is reached it hides rather than shows: a host with millions of files
 * in /srv gets the directories not looked at emptied; `show =` opens them by name. */

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "fs/mask_build.h"

#define ENTRIES_SOFT 100000 /* no further directory is entered */
#define ENTRIES_HARD 200000 /* the directory being read is emptied */

struct walk {
	struct mask *m;
	char path[PATH_MAX];
	size_t entries;
};

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static DIR *open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !d)
		fd_close(fd);
	return d;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Appends "/name". @return the length before, or 0 when it does not fit (no path is 0 long). */
static size_t push(struct walk *w, const char *name)
{
	size_t len = strlen(w->path), n = strlen(name);
	bool slash = len > 1;

	if (len + n + 2 > sizeof(w->path))
		return 0;
	if (slash)
		w->path[len] = '/';
	memcpy(w->path + len + slash, name, n + 1);
	return len;
}

static int walk_dir(struct walk *w, int at, const char *name, int depth);

static int visit_dir(struct walk *w, int at, const char *name, const struct stat *st, int depth)
{
	if (mask_hidden(w->m, w->path) || mask_is_place(w->path))
		return 0;
	if (!mask_permits(st) || depth >= MASK_DEPTH_MAX || w->entries > ENTRIES_SOFT)
		return mask_empty(w->m, w->path, 0);
	return walk_dir(w, at, name, depth + 1);
}

static int visit(struct walk *w, int at, const char *name, int depth)
{
	struct stat st;
	size_t len = push(w, name);
	int r = 0;

	if (!len)
		return -ENAMETOOLONG;
	w->entries++;
	if (mask_shown(w->m, w->path) || fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = 0; /* asked for, or gone meanwhile */
	else if (S_ISDIR(st.st_mode))
		r = visit_dir(w, at, name, &st, depth);
	else if (!mask_permits(&st))
		r = mask_whiteout(w->m, w->path);
	w->path[len] = '\0';
	return r;
}

static int walk_dir(struct walk *w, int at, const char *name, int depth)
{
	_cleanup_(closedirp) DIR *d = open_dir(at, name);
	struct dirent *entry;
	int r = 0;

	if (!d)
		return 0; /* gone meanwhile */
	watches_add(&w->m->watches, dirfd(d), w->path);
	while (r == 0 && (entry = readdir(d))) {
		if (is_dot(entry->d_name))
			continue;
		if (w->entries > ENTRIES_HARD && depth > 1)
			return mask_empty(w->m, w->path, 0);
		r = visit(w, dirfd(d), entry->d_name, depth);
	}
	return r;
}

int mask_walk(struct mask *m, const char *path)
{
	struct walk *w = calloc(1, sizeof(*w));
	struct stat st;
	const char *below = path[1] ? path + 1 : ".";

	if (!w)
		return -ENOMEM;
	w->m = m;
	memcpy(w->path, path, strlen(path) + 1);
	int r = fstatat(m->root_fd, below, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)
			? 0
			: walk_dir(w, m->root_fd, below, path[1] ? 1 : 0);
	m->entries += w->entries;
	free(w);
	return r;
}

/* Below an opaque directory only the layer counts, so it is made with plain mkdir. */
static int skeleton(struct mask *m, int host_at, int layer_at, int depth)
{
	_cleanup_(closedirp) DIR *d = open_dir(host_at, ".");
	struct dirent *entry;
	int r = 0;

	while (d && r == 0 && (entry = readdir(d))) {
		const char *name = entry->d_name;
		struct stat st;

		if (is_dot(name) || fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		if (++m->entries > ENTRIES_SOFT)
			return 0;
		r = sys(mkdirat(layer_at, name, 0755));
		if (r == 0)
			r = mask_attributes(layer_at, name, &st);
		if (r < 0 || depth <= 1)
			continue;
		_cleanup_close_ int host = path_open_beneath(dirfd(d), name, O_PATH, 0);
		_cleanup_close_ int layer = path_open_beneath(layer_at, name, O_PATH, 0);
		if (host >= 0 && layer >= 0)
			r = skeleton(m, host, layer, depth - 1);
	}
	return r;
}

int mask_skeleton(struct mask *m, const char *path, int depth)
{
	_cleanup_close_ int host = path_open_beneath(m->root_fd, path + 1, O_PATH, 0);
	_cleanup_close_ int layer = path_open_beneath(m->fd, path + 1, O_PATH, 0);

	return host < 0 || layer < 0 ? 0 : skeleton(m, host, layer, depth);
}
