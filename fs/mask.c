/* The masking layer: `root = host` shows software, not secrets.
 *
 * One file system in memory, built by the daemon, lies as the topmost lower layer of every view of
 * the host: a tmpfs or, where that cannot be id-mapped, an image (fs/image.h). Where the host has
 * something that a stranger may not read, it holds a whiteout, or an empty opaque directory of the
 * same owner and mode (so that programs which expect their directory find it). Places that hold
 * data rather than software are emptied whatever their mode. /etc is copied as far as it is
 * world-readable: so neither a file added later nor the short-lived copies that passwd(1) makes of
 * /etc/shadow can ever be seen by a context that runs already.
 *
 * The host's id 0 is the context's id 0, so permission bits alone would not protect a thing. */

#include "fs/mask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "fs/image.h"
#include "fs/mask_build.h"
#include "fs/mnt.h"

/* Emptied whatever their mode; `mode` is for those the host may lack. */
static const struct {
	const char *path;
	mode_t mode; /* 0: only where the host has it, with its own */
	int depth;
} places[] = {
	{ "/dev", 0755, 0 },
	{ "/proc", 0555, 0 },
	{ "/sys", 0555, 0 },
	{ "/run", 0755, 0 },
	{ "/tmp", 01777, 0 },
	{ "/var/tmp", 01777, 0 },
	{ "/root", 0700, 0 },
	{ "/home", 0, 1 },
	{ "/boot", 0, 0 },
	{ "/mnt", 0, 0 },
	{ "/media", 0, 0 },
	{ "/lost+found", 0, 0 },
	{ "/var/log", 0, 3 },
	{ "/var/mail", 0, 0 },
	{ "/var/spool", 0, 3 },
	{ "/var/backups", 0, 0 },
	{ "/var/crash", 0, 0 },
	{ "/var/lib/private", 0, 0 },
	{ "/var/lib/systemd", 0, 2 },
	{ "/var/lib/docker", 0, 0 },
	{ "/var/lib/containers", 0, 0 },
	{ "/var/lib/lxc", 0, 0 },
	{ "/var/lib/machines", 0, 0 },
	{ "/var/lib/containerd", 0, 0 },
};

/* Walked entry by entry. Not walked: /usr but for /usr/local, which packages fill. */
static const char *const unwalked[] = { "/usr", "/etc",	  "/bin",   "/sbin",
					"/lib", "/lib32", "/lib64", "/libx32" };

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

static void mask_freep(struct mask **m)
{
	mask_free(*m);
}

bool mask_permits(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFLNK:
		return true;
	case S_IFREG:
		return st->st_mode & S_IROTH;
	case S_IFDIR:
		return (st->st_mode & (S_IROTH | S_IXOTH)) == (S_IROTH | S_IXOTH);
	default:
		return false;
	}
}

/* Whether `path` is `top` or lies below it. */
static bool within(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '/' || !path[n]);
}

bool mask_shown(const struct mask *m, const char *path)
{
	for (size_t i = 0; i < m->show.count; i++)
		if (within(path, m->show.items[i]))
			return true;
	return false;
}

bool mask_show_below(const struct mask *m, const char *path)
{
	for (size_t i = 0; i < m->show.count; i++)
		if (within(m->show.items[i], path))
			return true;
	return false;
}

bool mask_hidden(const struct mask *m, const char *path)
{
	return strv_contains(&m->hidden, path);
}

int mask_opaque(int fd)
{
	return sys(fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0));
}

int mask_attributes(int dir_fd, const char *name, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	int r = sys(fchownat(dir_fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW));

	if (r == 0 && !S_ISLNK(st->st_mode))
		r = sys(fchmodat(dir_fd, name, st->st_mode & 07777, 0));
	if (r == 0)
		r = sys(utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW));
	return r;
}

/* One more directory below `parent`; closes it. */
static int dir_below(struct mask *m, int parent, const char *path, const char *name)
{
	_cleanup_close_ int owned = parent;
	struct stat st;
	int r = sys(mkdirat(owned, name, 0755));

	if (r == 0 && fstatat(m->root_fd, path + 1, &st, 0) == 0 && S_ISDIR(st.st_mode))
		r = mask_attributes(owned, name, &st);
	if (r < 0 && r != -EEXIST)
		return r;
	return sys(openat(owned, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

int mask_dir(struct mask *m, const char *path)
{
	char text[PATH_MAX];
	size_t len = strlen(path);
	int fd = sys(openat(m->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (len >= sizeof(text)) {
		fd_close(fd);
		return -ENAMETOOLONG;
	}
	memcpy(text, path, len + 1);
	for (size_t i = 1; fd >= 0 && i < len;) {
		size_t n = strcspn(text + i, "/");
		char after = text[i + n];

		text[i + n] = '\0';
		fd = dir_below(m, fd, text, text + i);
		text[i + n] = after;
		i += n + 1;
	}
	return fd;
}

/* Once the layer is frozen, a walk can only find out that it must be made anew. */
static bool only_noted(struct mask *m)
{
	m->watches.changed |= m->frozen;
	return m->frozen;
}

int mask_empty(struct mask *m, const char *path, int depth)
{
	if (only_noted(m))
		return 0;
	_cleanup_close_ int fd = mask_dir(m, path);
	int r = fd < 0 ? fd : mask_opaque(fd);

	return r < 0 || depth == 0 ? r : mask_skeleton(m, path, depth);
}

int mask_whiteout(struct mask *m, const char *path)
{
	char parent[PATH_MAX];
	const char *name = strrchr(path, '/') + 1;

	if (only_noted(m))
		return 0;
	memcpy(parent, path, (size_t) (name - path));
	parent[name - path - 1] = '\0';
	_cleanup_close_ int fd = mask_dir(m, parent);
	int r = fd < 0 ? fd : sys(mknodat(fd, name, S_IFCHR, 0));
	return r == -EEXIST ? 0 : r;
}

/* --- what is built --- */

/* Whether a directory above `path` is opaque in the layer. */
static bool cut_off(const struct mask *m, const char *path)
{
	char parent[PATH_MAX];
	char yes;

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		memcpy(parent, path + 1, (size_t) (p - path - 1));
		parent[p - path - 1] = '\0';
		_cleanup_close_ int fd = path_open_beneath(m->fd, parent, O_RDONLY, 0);
		if (fd < 0)
			return false;
		if (fgetxattr(fd, "trusted.overlay.opaque", &yes, 1) > 0)
			return true;
	}
	return false;
}

/* A path that `show` names, inside a directory that was emptied: a directory leads back to the
 * host's by an overlay redirect, a file is copied. */
static int reopen(struct mask *m, const char *path, struct err *e)
{
	char parent[PATH_MAX];
	const char *name = strrchr(path, '/') + 1;
	struct stat st;
	int r;

	_cleanup_close_ int host = path_open_in_root(m->root_fd, path, O_PATH);
	if (host < 0 || fstat(host, &st) < 0)
		return err_set_errno(e, host < 0 ? host : -errno, "files.show \"%s\": opening",
				     path);
	memcpy(parent, path, (size_t) (name - path));
	parent[name - path - (name - path > 1)] = '\0';
	_cleanup_close_ int host_dir =
		path_open_in_root(m->root_fd, parent, O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int layer = mask_dir(m, S_ISDIR(st.st_mode) ? path : parent);
	if (host_dir < 0 || layer < 0)
		return err_set_errno(e, layer < 0 ? layer : host_dir, "files.show \"%s\"", path);
	if (S_ISDIR(st.st_mode))
		r = sys(fsetxattr(layer, "trusted.overlay.redirect", path, strlen(path), 0));
	else
		r = mask_copy_file(m, host_dir, layer, name, &st);
	return r < 0 && r != -EEXIST ? err_set_errno(e, r, "files.show \"%s\"", path) : 0;
}

static int show_all(struct mask *m, struct err *e)
{
	for (size_t i = 0; i < m->show.count; i++) {
		const char *path = m->show.items[i];
		int r = cut_off(m, path) ? reopen(m, path, e) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int empty_places(struct mask *m)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(places); i++) {
		const char *path = places[i].path;
		struct stat st;

		if (mask_shown(m, path))
			continue;
		bool there = fstatat(m->root_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) == 0;
		if (there ? !S_ISDIR(st.st_mode) : !places[i].mode)
			continue;
		r = mask_empty(m, path, places[i].depth);
		if (r == 0 && places[i].mode && (!there || places[i].mode == 01777))
			r = sys(fchmodat(m->fd, path + 1, places[i].mode, 0));
	}
	if (r == 0 && !mask_shown(m, "/run"))
		r = sys(mkdirat(m->fd, "run/lock", 0755));
	if (r == 0 && !mask_shown(m, "/run"))
		r = sys(fchmodat(m->fd, "run/lock", 01777, 0));
	return r;
}

static int empty_hidden(struct mask *m)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->hidden.count; i++) {
		const char *path = m->hidden.items[i];
		struct stat st;

		if (!cut_off(m, path) &&
		    fstatat(m->root_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			r = mask_empty(m, path, 0);
	}
	return r;
}

bool mask_is_place(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strcmp(path, places[i].path) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(unwalked); i++)
		if (strcmp(path, unwalked[i]) == 0)
			return true;
	return false;
}

/* The root itself, every directory below it that is not a place, and what admins put in /usr. */
static int fill(struct mask *m, struct err *e)
{
	int r = empty_places(m);

	if (r == 0)
		r = empty_hidden(m);
	if (r == 0)
		r = mask_copy_tree(m, "/etc");
	if (r == 0)
		r = mask_walk(m, "/");
	if (r == 0 && !mask_shown(m, "/usr/local"))
		r = mask_walk(m, "/usr/local");
	if (r < 0)
		return err_set_errno(e, r, "building the layer that masks the host's secrets");
	r = show_all(m, e);
	if (r == 0)
		r = mnt_freeze(m->fd);
	m->frozen = r == 0;
	return r;
}

static int make_tmpfs(struct err *e)
{
	struct mnt_request request = { .type = "tmpfs", .attrs = MOUNT_ATTR_NODEV };

	mnt_option_add(&request, "size", "128M");
	mnt_option_add(&request, "nr_inodes", "200000");
	return mnt_make(&request, e);
}

/* The root of an overlay is that of its topmost layer: it must look like the host's. */
static int make_layer(struct mask *m, const char *image, struct err *e)
{
	struct stat st;

	m->fd = image ? image_in_memory(image, e) : make_tmpfs(e);
	if (m->fd < 0)
		return m->fd;
	if (fstatat(m->root_fd, "", &st, AT_EMPTY_PATH) < 0 ||
	    fchmodat(m->fd, ".", st.st_mode & 07777, 0) < 0)
		return err_set_errno(e, -errno, "looking at the host's root");
	return 0;
}

int mask_new(const struct mask_input *in, struct mask **ret, struct err *e)
{
	_cleanup_(mask_freep) struct mask *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->fd = -1;
	m->root_fd = in->root_fd;
	m->built_us = now_us();
	watches_init(&m->watches);

	int r = strv_copy(&m->show, in->show);
	for (size_t i = 0; r == 0 && in->hidden[i]; i++)
		r = strv_add(&m->hidden, in->hidden[i]);
	if (r == 0)
		r = make_layer(m, in->image, e);
	if (r == 0)
		r = fill(m, e);
	if (r < 0)
		return r;
	m->cost_us = now_us() - m->built_us;
	log_debug("masking layer: %zu entries seen, %zu directories watched, %llu us", m->entries,
		  m->watches.count, (unsigned long long) m->cost_us);
	*ret = TAKE_PTR(m);
	return 0;
}

void mask_free(struct mask *m)
{
	if (!m)
		return;
	fd_close(m->fd);
	watches_done(&m->watches);
	strv_done(&m->show);
	strv_done(&m->hidden);
	free(m);
}

int mask_fd(const struct mask *m)
{
	return m->fd;
}

int mask_watch_fd(const struct mask *m)
{
	return m->watches.inotify_fd;
}

const struct strv *mask_show(const struct mask *m)
{
	return &m->show;
}

#define UNWATCHED_MAX_US (60 * UINT64_C(1000000))

bool mask_stale(struct mask *m)
{
	if (m->watches.incomplete && now_us() - m->built_us > UNWATCHED_MAX_US)
		return true;
	return watches_changed(m);
}
