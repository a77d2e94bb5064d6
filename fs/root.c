/* The root of a view, made by the daemon as one detached mount.
 *
 * Overlay is mounted here and not in the child: in the initial user namespace it may use
 * trusted.* attributes (opaque directories, redirected renames), copies up whatever the host's
 * files carry, and the masking layer need not exist twice. Its layers are id-mapped with the
 * context's user namespace, so a file of host root is the context's root's, and what the context
 * writes lands on disk as ids 0...: a kept upper never holds ids of the pool. A tmpfs upper does,
 * where it cannot be id-mapped (made.c), and is gone with its context.
 *
 * Layers are named by /proc/self/fd/N: no path is looked up, so none can be swapped. */

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "fs/host.h"
#include "fs/mnt.h"

int clone_mapped(int dirfd, const char *path, uint64_t attrs, int userns_fd)
{
	_cleanup_close_ int fd = mnt_clone(dirfd, path);
	int r = fd < 0 ? fd : mnt_change(fd, attrs, userns_fd);

	return r < 0 ? r : TAKE_FD(fd);
}

int clone_kept(struct fs_host *h, int dirfd, const char *path, uint64_t attrs, int userns_fd)
{
	int r = shop_enter(h->shop);
	if (r < 0)
		return r;

	r = clone_mapped(dirfd, path, attrs, userns_fd);
	shop_leave(h->shop);
	return r;
}

const char *clone_hint(int fd, int code)
{
	struct statfs st;

	if (code != -EINVAL || fstatfs(fd, &st) < 0)
		return "";
	return st.f_type == TMPFS_MAGIC ? " (this kernel lacks id-mapped tmpfs (6.3); "
					  "process.ids = none does without)"
					: " (its file system may not allow that; "
					  "process.ids = none does without)";
}

/* What a layer on top must look like, before ids are mapped. */
static int look(int dirfd, struct root *l)
{
	if (fstatat(dirfd, "etc", &l->etc, AT_SYMLINK_NOFOLLOW) < 0)
		l->etc.st_mode = 0;
	return sys(fstatat(dirfd, "", &l->top, AT_EMPTY_PATH));
}

static int host_layers(const struct fs_plan *p, struct fs_host *h, const struct fs_launch *at,
		       struct root *l, struct err *e)
{
	const struct mask *m = host_mask(h, &p->show, e);

	if (!m)
		return e && e->code ? e->code : -EIO;
	l->mask = clone_kept(h, mask_fd(m), "", 0, at->userns_fd);
	if (l->mask < 0)
		return err_set_errno(e, l->mask, "id-mapping the masking layer");
	l->lower = clone_kept(h, h->root_fd, "", 0, at->userns_fd);
	if (l->lower < 0)
		return err_set_errno(e, l->lower, "id-mapping the host's root");
	int r = look(mask_fd(m), l);
	return r < 0 ? err_set_errno(e, r, "looking at the masking layer") : 0;
}

int host_open(const char *key, const char *path, uint64_t flags, struct err *e)
{
	_cleanup_close_ int slash = sys(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
	int fd = slash < 0 ? slash : path_open_in_root(slash, path, O_PATH | flags);

	return fd < 0 ? err_set_errno(e, fd, "files.%s \"%s\": opening", key, path) : fd;
}

static int directory_layer(const struct fs_plan *p, const struct fs_launch *at, uint64_t attrs,
			   struct root *l, struct err *e)
{
	_cleanup_close_ int dir = host_open("root", p->root_path, O_DIRECTORY, e);
	if (dir < 0)
		return dir;

	int r = look(dir, l);
	if (r < 0)
		return err_set_errno(e, r, "files.root \"%s\": looking at it", p->root_path);
	l->lower = clone_mapped(dir, "", attrs, at->userns_fd);
	return l->lower < 0
		       ? err_set_errno(e, l->lower, "files.root \"%s\": id-mapping its mount%s",
				       p->root_path, clone_hint(dir, l->lower))
		       : 0;
}

#define BYTES_PER_INODE 4096
#define INODES_MIN 1024

static int make_tmpfs(uint64_t bytes, struct err *e)
{
	struct mnt_request request = { .type = "tmpfs", .attrs = MOUNT_ATTR_NODEV };
	uint64_t inodes = bytes / BYTES_PER_INODE;
	char size[24], nr_inodes[24];

	(void) snprintf(size, sizeof(size), "%llu", (unsigned long long) bytes);
	(void) snprintf(nr_inodes, sizeof(nr_inodes), "%llu",
			(unsigned long long) (inodes < INODES_MIN ? INODES_MIN : inodes));
	mnt_option_add(&request, "size", size);
	mnt_option_add(&request, "nr_inodes", nr_inodes);
	return mnt_make(&request, e);
}

/* The topmost directory gives a view's root its owner and mode: those of the layer below. A kept
 * one that exists already has them, or what the context made of them. */
static int make_top(const struct root *l)
{
	int r = sys(mkdirat(l->upper, "upper", 0755));

	if (r < 0)
		return r == -EEXIST ? 0 : r;
	r = sys(fchmodat(l->upper, "upper", l->top.st_mode & 07777, 0));
	if (r == 0 && (l->top.st_uid || l->top.st_gid))
		r = sys(fchownat(l->upper, "upper", l->top.st_uid, l->top.st_gid, 0));
	return r;
}

static int make_work(const struct root *l)
{
	int r = sys(mkdirat(l->upper, "work", 0700));

	return r == -EEXIST ? 0 : r;
}

static int create(int dir_fd, const char *name)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

	return sys(openat(dir_fd, name, flags, 0644));
}

static int write_file(int etc_fd, const struct fs_op *o)
{
	_cleanup_free_ char *host = NULL;
	const char *text = o->text;
	const char *name = strrchr(o->target, '/') + 1;

	/* What the host's resolver needs; a host without one has none to give. */
	if (!text && file_read_at(AT_FDCWD, o->target, 64 << 10, &host, NULL) == 0)
		text = host;
	_cleanup_close_ int fd = create(etc_fd, name);
	if (fd == -EEXIST && unlinkat(etc_fd, name, 0) == 0)
		fd = create(etc_fd, name);
	if (fd < 0)
		return fd == -EEXIST ? 0 : fd; /* a directory there: the context's own doing */
	int r = text ? write_all(fd, text, strlen(text)) : 0;
	return r < 0 ? r : sys(fchmod(fd, 0644));
}

int root_write_files(const struct fs_plan *p, int dir_fd, const struct stat *etc, struct err *e)
{
	if (etc->st_mode && !S_ISDIR(etc->st_mode))
		return 0; /* a link: only the context may say where it leads */

	mode_t mode = etc->st_mode ? etc->st_mode & 07777 : 0755;
	int r = sys(mkdirat(dir_fd, "etc", mode));
	if (r < 0 && r != -EEXIST)
		return err_set_errno(e, r, "making etc of the view");
	bool fresh = r == 0;
	/* A kept upper may hold anything of that name: only a true directory will do. */
	_cleanup_close_ int fd =
		sys(openat(dir_fd, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (fd < 0)
		return 0;
	if (fresh && (fchown(fd, etc->st_uid, etc->st_gid) < 0 || fchmod(fd, mode) < 0))
		return err_set_errno(e, -errno, "making etc of the view");

	for (size_t i = 0; i < p->count; i++) {
		if (p->ops[i].kind != FS_OP_FILE)
			continue;
		r = write_file(fd, &p->ops[i]);
		if (r < 0)
			return err_set_errno(e, r, "writing %s of the view", p->ops[i].target);
	}
	return 0;
}

/* A view that nobody writes to may lack the places where the kernel's file systems go. */
static int make_mount_points(int dir_fd)
{
	int r = 0;

	for (const char *const *name = (const char *const[]){ "dev", "proc", "sys", NULL };
	     *name && (r == 0 || r == -EEXIST); name++)
		r = sys(mkdirat(dir_fd, *name, 0755));
	return r == -EEXIST ? 0 : r;
}

#define FILES_BYTES (UINT64_C(1) << 20)

/* The layer on top: writable, or, read-only, no more than the made files. */
static int top_layer(const struct fs_plan *p, struct fs_host *h, const struct fs_launch *at,
		     struct root *l, struct err *e)
{
	bool cow = p->mode == SPEC_MODE_COW;
	bool kept = cow && p->upper == SPEC_UPPER_KEPT;

	if (kept)
		l->upper = kept_open(h, p, e);
	else
		l->upper = make_tmpfs(cow ? p->upper_bytes : FILES_BYTES, e);
	if (l->upper < 0)
		return l->upper;

	int r = make_top(l);
	if (r == 0 && cow)
		r = make_work(l);
	if (r < 0)
		return err_set_errno(e, r, "preparing the upper layer");
	_cleanup_close_ int dir = path_open_beneath(l->upper, "upper", O_PATH | O_DIRECTORY, 0);
	if (dir < 0)
		return err_set_errno(e, dir, "opening the upper layer");
	r = root_write_files(p, dir, &l->etc, e);
	if (r == 0 && !cow && (r = make_mount_points(dir)) < 0)
		return err_set_errno(e, r, "preparing the upper layer");
	if (r < 0)
		return r;
	r = kept ? mnt_change(l->upper, 0, at->userns_fd) : made_map(p, at, l->upper);
	return r < 0 ? err_set_errno(e, r, "id-mapping the upper layer") : 0;
}

/* Overlay works in its layers as whoever mounts it. In an id-mapped layer only the context's ids
 * exist, so the mounter must bear one of them; changing the fs ids takes the capabilities over
 * files away and the kernel marks us undumpable, both of which are put right. */
static int act_as(uint32_t id)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];
	int r = sys((int) syscall(SYS_capget, &header, caps));
	if (r < 0)
		return r;

	(void) setfsgid(id);
	(void) setfsuid(id);
	return sys((int) syscall(SYS_capset, &header, caps));
}

static int mount_as(const struct mnt_request *request, uint32_t id, struct err *e)
{
	int dumpable = prctl(PR_GET_DUMPABLE);
	int r = act_as(id);
	int fd =
		r < 0 ? err_set_errno(e, r, "mounting overlay as id %u", id) : mnt_make(request, e);

	r = act_as(0);
	(void) prctl(PR_SET_DUMPABLE, dumpable == 1);
	if (r < 0 && fd >= 0) {
		fd_close(fd);
		return err_set_errno(e, r, "becoming root again");
	}
	return fd;
}

static int mount_overlay(struct mnt_request *request, const struct fs_launch *at, struct err *e)
{
	mnt_option_add(request, "uuid", "off");
	mnt_option_add(request, "index", "off");
	mnt_option_add(request, "metacopy", "off");
	return at->userns_fd < 0 ? mnt_make(request, e) : mount_as(request, at->ids_first, e);
}

#define LAYERS_TEXT_MAX 192 /* of "/proc/self/fd/N/upper:"; fsconfig(2) takes 255 */

/* Appends a layer below those that are there. */
static void add_layer(char *text, int fd, const char *below)
{
	size_t n = strlen(text);

	if (fd >= 0)
		(void) snprintf(text + n, LAYERS_TEXT_MAX - n, "%s/proc/self/fd/%d%s", n ? ":" : "",
				fd, below);
}

static int overlay(const struct fs_plan *p, const struct root *l, const struct fs_launch *at,
		   struct err *e)
{
	struct mnt_request request = { .type = "overlay", .attrs = MOUNT_ATTR_NODEV };
	bool cow = p->mode == SPEC_MODE_COW;
	char lower[LAYERS_TEXT_MAX] = "", top[48], work[48];

	(void) snprintf(top, sizeof(top), "/proc/self/fd/%d/upper", l->upper);
	(void) snprintf(work, sizeof(work), "/proc/self/fd/%d/work", l->upper);
	if (!cow)
		add_layer(lower, l->upper, "/upper");
	add_layer(lower, l->mask, "");
	add_layer(lower, l->lower, "");

	mnt_option_add(&request, "source", "ward");
	mnt_option_add(&request, "lowerdir", lower);
	if (cow) {
		mnt_option_add(&request, "upperdir", top);
		mnt_option_add(&request, "workdir", work);
	} else {
		request.attrs |= MOUNT_ATTR_RDONLY;
	}
	mnt_option_add(&request, "redirect_dir", cow ? "on" : "follow");
	return mount_overlay(&request, at, e);
}

/* Where layers must be attached to be layers, they are for the moment. */
static int overlay_in_shop(const struct fs_plan *p, struct fs_host *h, const struct root *l,
			   const struct fs_launch *at, struct err *e)
{
	const int layers[] = { l->mask, l->lower, l->upper };
	static const char *const names[] = { "mask", "lower", "upper" };
	int r = shop_enter(h->shop);
	if (r < 0)
		return err_set_errno(e, r, "entering the mount namespace for layers");

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(layers); i++)
		r = shop_place(h->shop, layers[i], names[i]);
	if (r < 0)
		r = err_set_errno(e, r, "attaching the layers");
	else
		r = overlay(p, l, at, e);
	for (size_t i = 0; i < ARRAY_SIZE(layers); i++)
		shop_remove(h->shop, layers[i]);
	shop_leave(h->shop);
	return r;
}

int root_make(const struct fs_plan *p, struct fs_host *h, const struct fs_launch *at,
	      struct root *l, struct err *e)
{
	bool plain = p->mode == SPEC_MODE_READ_WRITE;

	*l = (struct root){ .mask = -1, .lower = -1, .upper = -1 };
	int r = p->root == SPEC_ROOT_HOST
			? host_layers(p, h, at, l, e)
			: directory_layer(p, at, plain ? MOUNT_ATTR_NODEV : 0, l, e);
	if (r < 0 || plain)
		return r < 0 ? r : TAKE_FD(l->lower);
	r = top_layer(p, h, at, l, e);
	return r < 0 ? r : overlay_in_shop(p, h, l, at, e);
}

void root_done(struct root *l)
{
	l->mask = fd_close(l->mask);
	l->lower = fd_close(l->lower);
	l->upper = fd_close(l->upper);
}
