/* What is made once: a clone of the host's root, the masking layers, the shared /dev. A start then
 * only clones mounts. All of it hangs on descriptors: a daemon that dies leaves nothing mounted. */

#include "fs/host.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "fs/kept.h"
#include "fs/mnt.h"

#ifndef OVERLAYFS_SUPER_MAGIC
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#endif

static int build_mask(struct fs_host *h, const struct strv *show, struct mask **ret, struct err *e)
{
	const char *const hidden[] = { h->state_dir, h->run_dir, "/etc/ward", NULL };
	const struct mask_input in = { h->root_fd, hidden, show, h->image };

	int r = mask_new(&in, ret, e);

	if (r == 0 && (r = shop_keep(h->shop, mask_fd(*ret))) < 0) {
		mask_free(*ret);
		return err_set_errno(e, r, "keeping the masking layer");
	}
	return r;
}

static void free_mask(struct fs_host *h, struct mask *m)
{
	shop_drop(h->shop, mask_fd(m));
	mask_free(m);
}

/* --- holes --- */

static void drop_mask(struct fs_host *h, size_t i)
{
	free_mask(h, h->masks[i]);
	h->mask_count--;
	memmove(&h->masks[i], &h->masks[i + 1], (h->mask_count - i) * sizeof(*h->masks));
}

const struct mask *host_mask(struct fs_host *h, const struct strv *show, struct err *e)
{
	struct mask *m;

	for (size_t i = 0; i < h->mask_count; i++)
		if (strv_equal(mask_show(h->masks[i]), show))
			return h->masks[i];
	for (size_t i = 0; i < show->count; i++)
		if (!path_is_clean(show->items[i]) || !show->items[i][1]) {
			(void) err_set(e, -EINVAL, "files.show \"%s\": not a plain path below /",
				       show->items[i]);
			return NULL;
		}
	if (build_mask(h, show, &m, e) < 0)
		return NULL;
	if (h->mask_count == HOST_VARIANTS_MAX)
		drop_mask(h, 1);
	h->masks[h->mask_count++] = m;
	return m;
}

int fs_host_refresh(struct fs_host *h, struct err *e)
{
	/* Variants are rebuilt when they are next asked for. */
	for (size_t i = h->mask_count; i-- > 1;)
		if (mask_stale(h->masks[i]))
			drop_mask(h, i);
	if (h->mask_count == 0 || !mask_stale(h->masks[0]))
		return 0;

	struct mask *fresh;
	int r = build_mask(h, &(struct strv){}, &fresh, e);
	if (r < 0)
		return r;
	free_mask(h, h->masks[0]);
	h->masks[0] = fresh;
	return 0;
}

int fs_host_watch_fd(const struct fs_host *h)
{
	return h->mask_count ? mask_watch_fd(h->masks[0]) : -1;
}

/* --- made once --- */

/* As the kernel names it, so that the walk of the host's tree meets the same path. */
static int resolved(const char *path, char **ret, struct err *e)
{
	*ret = realpath(path, NULL);
	return *ret ? 0 : err_set_errno(e, -errno, "resolving \"%s\"", path);
}

static int open_directories(struct fs_host *h, const char *state_dir, const char *run_dir,
			    struct err *e)
{
	int r = dir_make(state_dir, 0700);

	if (r == 0)
		r = dir_make(run_dir, 0755);
	if (r < 0)
		return err_set_errno(e, r, "making \"%s\" and \"%s\"", state_dir, run_dir);
	r = resolved(state_dir, &h->state_dir, e);
	if (r == 0)
		r = resolved(run_dir, &h->run_dir, e);
	if (r < 0)
		return r;

	_cleanup_close_ int state = sys(open(h->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (state < 0)
		return err_set_errno(e, state, "opening \"%s\"", h->state_dir);
	r = sys(mkdirat(state, "uppers", 0700));
	h->uppers_fd = r < 0 && r != -EEXIST
			       ? r
			       : sys(openat(state, "uppers",
					    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	return h->uppers_fd < 0
		       ? err_set_errno(e, h->uppers_fd, "opening \"%s/uppers\"", h->state_dir)
		       : 0;
}

static int make_mounts(struct fs_host *h, const struct facts *facts, struct err *e)
{
	if (!facts->fs.mount_api)
		return 0; /* every plan is refused with that reason */
	int r = facts->fs.detached ? 0 : shop_new(&h->shop, e);
	if (r < 0)
		return r;
	h->root_fd = mnt_clone(AT_FDCWD, "/");
	if (h->root_fd < 0)
		return err_set_errno(e, h->root_fd, "cloning the host's root");
	h->dev_fd = dev_make(NULL, e);
	if (h->dev_fd < 0)
		return h->dev_fd;
	h->void_fd = void_make(e);
	if (h->void_fd < 0)
		return h->void_fd;
	if ((r = shop_keep(h->shop, h->root_fd)) < 0 || (r = shop_keep(h->shop, h->dev_fd)) < 0 ||
	    (r = shop_keep(h->shop, h->void_fd)) < 0)
		return err_set_errno(e, r, "keeping the host's root and /dev");
	bool image = facts->fs.idmap_mask && !facts->fs.idmap_tmpfs;
	if (image && asprintf(&h->image, "%s/mask", h->run_dir) < 0)
		return err_set_errno(e, -ENOMEM, "preparing the views");
	r = build_mask(h, &(struct strv){}, &h->masks[0], e);
	h->mask_count = r == 0;
	return r;
}

int fs_host_new(const char *state_dir, const char *run_dir, const struct facts *facts,
		struct fs_host **ret, struct err *e)
{
	struct fs_host *h = calloc(1, sizeof(*h));
	if (!h)
		return err_set_errno(e, -ENOMEM, "preparing the views");

	h->root_fd = h->dev_fd = h->void_fd = h->uppers_fd = -1;
	int r = open_directories(h, state_dir, run_dir, e);
	if (r == 0)
		r = make_mounts(h, facts, e);
	if (r < 0) {
		fs_host_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void fs_host_free(struct fs_host *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->mask_count; i++)
		mask_free(h->masks[i]);
	fd_close(h->root_fd);
	fd_close(h->dev_fd);
	fd_close(h->void_fd);
	fd_close(h->uppers_fd);
	shop_free(h->shop);
	free(h->state_dir);
	free(h->run_dir);
	free(h->image);
	free(h);
}

/* --- asked of a running context --- */

int fs_usage(struct fs_host *, const char *, pid_t init, uint64_t *ret_used, uint64_t *ret_limit)
{
	char path[48];
	struct statfs st;

	(void) snprintf(path, sizeof(path), "/proc/%d/root", init);
	int fd = sys(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	int r = sys(fstatfs(fd, &st));
	fd_close(fd);
	if (r < 0)
		return r;

	/* An overlay tells of its upper layer; one without is read-only, and any other root is a
	 * tree of the host's. */
	bool upper = (unsigned) st.f_type == OVERLAYFS_SUPER_MAGIC && !(st.f_flags & ST_RDONLY);
	uint64_t size = (uint64_t) st.f_bsize;
	*ret_limit = upper ? st.f_blocks * size : 0;
	*ret_used = upper ? (st.f_blocks - st.f_bfree) * size : 0;
	return 0;
}
