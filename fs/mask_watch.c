/* Freshness: the directories that were walked are watched with inotify, so that a start asks one
 * descriptor whether anything happened. An event dirties the layer only where it disagrees with
 * what the layer holds: packages and caches may churn readable files without a rebuild. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "fs/mask_build.h"

#define WATCHED (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR)
/* Of a copied directory every change counts. */
#define WATCHED_COPY (WATCHED | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE)

void watches_init(struct watches *w)
{
	*w = (struct watches){ .inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };
	w->incomplete = w->inotify_fd < 0;
}

void watches_done(struct watches *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->paths[i]);
	free(w->paths);
	w->inotify_fd = fd_close(w->inotify_fd);
}

static bool grow(struct watches *w, size_t need)
{
	size_t cap = w->cap ? w->cap : 256;

	while (cap < need)
		cap *= 2;
	if (cap == w->cap)
		return true;
	char **paths = realloc(w->paths, cap * sizeof(*paths));
	if (!paths)
		return false;
	memset(paths + w->cap, 0, (cap - w->cap) * sizeof(*paths));
	w->paths = paths;
	w->cap = cap;
	return true;
}

static bool is_copied(const char *dir)
{
	return strcmp(dir, "/etc") == 0 || strncmp(dir, "/etc/", 5) == 0;
}

void watches_add(struct watches *w, int fd, const char *path)
{
	char name[32];

	if (w->inotify_fd < 0 || w->count >= MASK_WATCHES_MAX) {
		w->incomplete = true;
		return;
	}
	(void) snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	int wd = inotify_add_watch(w->inotify_fd, name, is_copied(path) ? WATCHED_COPY : WATCHED);
	/* A descriptor is handed out anew each time: a second hit of one directory is a bind. */
	if (wd < 1 || !grow(w, (size_t) wd)) {
		w->incomplete = true;
		return;
	}
	free(w->paths[wd - 1]);
	w->paths[wd - 1] = strdup(path);
	if ((size_t) wd > w->count)
		w->count = (size_t) wd;
}

/* Whether the layer holds something at `path`: a whiteout or an emptied directory. */
static bool masked(const struct mask *m, const char *path)
{
	struct stat st;

	return fstatat(m->fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A directory that strangers may enter: whether something in it must be hidden. The layer is
 * frozen by now, so the walk only says so, and watches what it meets. */
static bool new_directory(struct mask *m, const char *path)
{
	return mask_walk(m, path) < 0 || m->watches.changed;
}

static bool disagrees(struct mask *m, const char *dir, const struct inotify_event *event)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/%s", dir[1] ? dir : "", event->name);

	if (n < 0 || (size_t) n >= sizeof(path))
		return true;
	if (mask_is_place(path) || mask_shown(m, path) || mask_hidden(m, path))
		return false;
	if (fstatat(m->root_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false; /* gone: a whiteout more does no harm */
	if (S_ISDIR(st.st_mode) && mask_permits(&st) && !masked(m, path))
		return event->mask & (IN_CREATE | IN_MOVED_TO) && new_directory(m, path);
	if (S_ISDIR(st.st_mode) && mask_permits(&st))
		return false; /* emptied, or a parent of something hidden */
	return mask_permits(&st) == masked(m, path);
}

static bool matters(struct mask *m, const struct inotify_event *event)
{
	size_t i = (size_t) event->wd - 1;

	if (event->mask & (IN_Q_OVERFLOW | IN_UNMOUNT))
		return true;
	if (event->wd < 1 || i >= m->watches.count || !m->watches.paths[i])
		return false;

	const char *dir = m->watches.paths[i];
	if (is_copied(dir))
		return true;
	return event->len > 0 && disagrees(m, dir, event);
}

bool watches_changed(struct mask *m)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct watches *w = &m->watches;

	for (;;) {
		ssize_t n = w->inotify_fd < 0 ? 0 : read(w->inotify_fd, buffer, sizeof(buffer));

		if (n <= 0)
			return w->changed;
		for (ssize_t at = 0; at < n && !w->changed;) {
			const struct inotify_event *event = (const void *) (buffer + at);

			w->changed = matters(m, event);
			at += (ssize_t) (sizeof(*event) + event->len);
		}
	}
}
