/* A masking layer being built: shared by mask.c, mask_walk.c, mask_copy.c, mask_watch.c. */
#pragma once

#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fs/mask.h"

#define MASK_WATCHES_MAX 8192
#define MASK_DEPTH_MAX 40

struct watches {
	int inotify_fd;
	char **paths; /* by position of the watch descriptor less 1; NULL where unused */
	size_t count, cap;
	bool incomplete; /* not every directory could be watched */
	bool changed; /* seen, and not forgotten till the layer is rebuilt */
};

struct mask {
	int fd; /* the frozen layer, detached */
	int root_fd; /* the host's root; borrowed */
	bool frozen;
	struct strv show, hidden;
	struct watches watches;
	uint64_t built_us, cost_us;
	size_t entries; /* seen by the walk */
};

/** Whether a stranger may read it: what is shown. Neither sockets nor devices ever are. */
bool mask_permits(const struct stat *st);
/** Whether `path` is, or lies below, one that `show` names. */
bool mask_shown(const struct mask *m, const char *path);
/** Whether `path` is one of Ward's own directories. */
bool mask_hidden(const struct mask *m, const char *path);
/** Whether something that `show` names lies below `path`. */
bool mask_show_below(const struct mask *m, const char *path);

/** Makes `path` and its parents in the layer with the attributes they have on the host.
 * @return O_RDONLY descriptor of the layer's directory or -errno. */
int mask_dir(struct mask *m, const char *path);
/** Replaces a directory by an empty opaque one, keeping `depth` levels of empty subdirectories. */
[[nodiscard]] int mask_empty(struct mask *m, const char *path, int depth);
/** Keeps `depth` levels of empty subdirectories, as the host has them. */
[[nodiscard]] int mask_skeleton(struct mask *m, const char *path, int depth);
/** Whether `path` is dealt with as a whole, so that a walk passes it by. */
bool mask_is_place(const char *path);
/** Hides one entry of a directory that otherwise shows. */
[[nodiscard]] int mask_whiteout(struct mask *m, const char *path);
/** Gives a new node the owner, the mode and the times of what it stands for. */
[[nodiscard]] int mask_attributes(int dir_fd, const char *name, const struct stat *st);
[[nodiscard]] int mask_opaque(int fd);

/** Walks below `path` and hides what strangers may not read. */
[[nodiscard]] int mask_walk(struct mask *m, const char *path);
/** Copies a directory as far as strangers may read it: what comes later is not in it. */
[[nodiscard]] int mask_copy_tree(struct mask *m, const char *path);
/** Copies one regular file into the layer. */
[[nodiscard]] int mask_copy_file(struct mask *m, int host_dir, int layer_dir, const char *name,
				 const struct stat *st);

void watches_init(struct watches *w);
/** Whether anything was reported that the layer does not reflect. */
bool watches_changed(struct mask *m);
void watches_done(struct watches *w);
/** Watches a directory of the host. @fd O_RDONLY or O_PATH. */
void watches_add(struct watches *w, int fd, const char *path);
