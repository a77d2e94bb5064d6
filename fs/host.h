/* What the daemon keeps for all views: detached mounts and open directories. Private to fs/. */
#pragma once

#include <sys/stat.h>

#include "fs/fs.h"
#include "fs/mask.h"
#include "fs/plan.h"
#include "fs/shop.h"

#define HOST_VARIANTS_MAX 16 /* masking layers with holes (`show`), the oldest goes first */

struct fs_host {
	int root_fd; /* detached clone of "/", without what is mounted below it */
	int dev_fd; /* the /dev that contexts share: frozen tmpfs with nodes */
	int void_fd; /* frozen tmpfs: "file" and "dir" for hides, "empty" for masks */
	int uppers_fd; /* O_PATH directory STATE_DIR/uppers */
	struct shop *shop; /* NULL: this kernel needs none */
	char *state_dir, *run_dir;
	char *image; /* what the images of masking layers are called; NULL: they are tmpfs */
	struct mask *masks[HOST_VARIANTS_MAX]; /* [0] is the one without holes */
	size_t mask_count;
};

/** The masking layer for a set of shown paths: kept, or built now. Borrowed, NULL with `e`. */
const struct mask *host_mask(struct fs_host *h, const struct strv *show, struct err *e);

/** Opens a path of the host (O_PATH | flags) for the key `files.KEY`: links are the admin's
 * to use, magic ones are refused. @return descriptor or -errno. */
int host_open(const char *key, const char *path, uint64_t flags, struct err *e);
/** A detached clone with attributes and (userns_fd >= 0) the context's ids. */
int clone_mapped(int dirfd, const char *path, uint64_t attrs, int userns_fd);
/** The same of a mount that h keeps. */
int clone_kept(struct fs_host *h, int dirfd, const char *path, uint64_t attrs, int userns_fd);
/** Why either failed with `code`, to end a sentence with: "" or " (...)". @fd what was cloned. */
const char *clone_hint(int fd, int code);

/** What a root is made of: detached mounts, -1 where there is none. */
struct root {
	int mask, lower, upper;
	struct stat top, etc; /* the lower / and /etc as they will show; etc.st_mode 0: none */
};

/** The root of a view as a detached mount. @ret owned by the caller either way: root_done().
 * @return descriptor or -errno. */
int root_make(const struct fs_plan *p, struct fs_host *h, const struct fs_launch *at,
	      struct root *ret, struct err *e);
void root_done(struct root *l);

/** Makes the files of the plan (hostname ...) below dir_fd's "etc". Never follows a link. */
[[nodiscard]] int root_write_files(const struct fs_plan *p, int dir_fd, const struct stat *etc,
				   struct err *e);

/** Gives what was just made on a tmpfs the context's ids: by mapping its mount or, if the plan says
 * so (p->chown), by changing its owners. @return 0 or -errno. */
[[nodiscard]] int made_map(const struct fs_plan *p, const struct fs_launch *at, int mount_fd);

/** A tmpfs with the nodes of a minimal /dev; `p` (may be NULL) adds its devices.
 * @return detached mount or -errno. */
int dev_make(const struct fs_plan *p, struct err *e);
/** The tmpfs behind fs_host.void_fd. */
int void_make(struct err *e);

/** The plan's kept upper, made if missing, as a detached mount.
 * @return descriptor or -errno (-EBUSY: it is mounted already). */
int kept_open(struct fs_host *h, const struct fs_plan *p, struct err *e);
