/* Kept uppers: STATE_DIR/uppers/NAME.img, a sparse ext4 image of the size the spec allows.
 *
 * An image bounds bytes and inodes on every file system, quota or not, so it is the only way here:
 * project quota would need the state directory's file system to be set up for it, and root inside
 * an id-mapped quota directory could fill it through ids without a limit. The image is built
 * without a name (O_TMPFILE) and linked when it is whole: a crash leaves nothing half-made. A lock
 * on the open file, which the loop device shares, keeps it from being mounted twice.
 *
 * NAME.host notes what the host's software was when the upper was made: overlay does not define
 * what shows when the layer below changes later. */

#include "fs/kept.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "fs/image.h"

#define IMAGE_BYTES_MIN (UINT64_C(16) << 20)

struct file_name {
	char text[SPEC_NAME_MAX + 8];
};

static struct file_name named(const char *name, const char *suffix)
{
	struct file_name n;

	(void) snprintf(n.text, sizeof(n.text), "%s%s", name, suffix);
	return n;
}

/* --- the host's state --- */

static const struct {
	const char *what, *path;
} watched[] = {
	{ "packages", "var/lib/dpkg/status" },
	{ "packages", "var/lib/rpm/rpmdb.sqlite" },
	{ "packages", "usr/lib/sysimage/rpm/rpmdb.sqlite" },
	{ "packages", "lib/apk/db/installed" },
	{ "release", "usr/lib/os-release" },
	{ "/usr", "usr" },
	{ "/usr/bin", "usr/bin" },
	{ "/usr/lib", "usr/lib" },
	{ "/usr/sbin", "usr/sbin" },
};

int kept_fingerprint(struct fs_host *h, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
		struct stat st;

		if (fstatat(h->root_fd, watched[i].path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		buf_printf(out, "%s %s %lld.%09ld %lld\n", watched[i].what, watched[i].path,
			   (long long) st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			   S_ISREG(st.st_mode) ? (long long) st.st_size : 0);
	}
	return out->error;
}

/* The first word of the first line that is not in the other text. */
static void first_difference(const char *now, const char *then, char *ret, size_t size)
{
	while (*now) {
		size_t line = strcspn(now, "\n");
		bool same = false;

		for (const char *t = then; *t && !same;) {
			size_t n = strcspn(t, "\n");

			same = n == line && memcmp(t, now, n) == 0;
			t += n + (t[n] == '\n');
		}
		if (!same) {
			(void) snprintf(ret, size, "%.*s", (int) strcspn(now, " \n"), now);
			return;
		}
		now += line + (now[line] == '\n');
	}
	(void) snprintf(ret, size, "files");
}

int fs_kept_changed(struct fs_host *h, const char *name, char *ret_text, size_t size)
{
	struct file_name note = named(name, ".host");
	_cleanup_free_ char *then = NULL;
	_cleanup_(buf_done) struct buf now = {};
	char what[64];

	(void) snprintf(ret_text, size, "%s", "");
	int r = file_read_at(h->uppers_fd, note.text, 64 << 10, &then, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = kept_fingerprint(h, &now);
	if (r < 0 || str_equal(now.data ?: "", then))
		return r;
	first_difference(now.data ?: "", then, what, sizeof(what));
	(void) snprintf(ret_text, size,
			"the host has changed (%s) under the kept upper since it was made", what);
	return 0;
}

/* --- making an image --- */

static int note_host(struct fs_host *h, const struct fs_plan *p)
{
	struct file_name note = named(p->name, ".host");
	_cleanup_(buf_done) struct buf text = {};

	if (p->root != SPEC_ROOT_HOST) {
		(void) unlinkat(h->uppers_fd, note.text, 0);
		return 0;
	}
	int r = kept_fingerprint(h, &text);
	return r < 0 ? r
		     : file_replace_at(h->uppers_fd, note.text, text.data ?: "", text.len, 0600);
}

static int make_image(struct fs_host *h, const struct fs_plan *p, struct err *e)
{
	struct file_name image = named(p->name, ".img");
	char self[32];

	if (p->upper_bytes < IMAGE_BYTES_MIN)
		return err_set(e, -EINVAL, "files.upper: kept:SIZE is at least 16M");
	_cleanup_close_ int fd =
		sys(openat(h->uppers_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	if (fd < 0)
		return err_set_errno(e, fd, "making \"%s/uppers/%s\"", h->state_dir, image.text);
	int r = sys(ftruncate(fd, (off_t) p->upper_bytes));
	if (r == 0)
		r = image_format(fd, NULL);
	if (r < 0)
		return err_set_errno(e, r, "mke2fs on \"%s/uppers/%s\"", h->state_dir, image.text);
	r = note_host(h, p);
	(void) snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (r == 0)
		r = fault_point("image-made", NULL);
	if (r == 0)
		r = sys(linkat(AT_FDCWD, self, h->uppers_fd, image.text, AT_SYMLINK_FOLLOW));
	return r < 0 ? err_set_errno(e, r, "keeping \"%s/uppers/%s\"", h->state_dir, image.text)
		     : TAKE_FD(fd);
}

static int open_image(struct fs_host *h, const struct fs_plan *p, struct err *e)
{
	struct file_name image = named(p->name, ".img");
	struct stat st;
	int fd = sys(openat(h->uppers_fd, image.text, O_RDWR | O_NOFOLLOW | O_CLOEXEC));

	if (fd == -ENOENT)
		return make_image(h, p, e);
	if (fd < 0)
		return err_set_errno(e, fd, "opening \"%s/uppers/%s\"", h->state_dir, image.text);
	if (fstat(fd, &st) < 0 || (uint64_t) st.st_size == p->upper_bytes)
		return fd;
	fd_close(fd);
	return err_set(e, -EINVAL,
		       "files.upper: the kept upper of %s was made with %llu bytes, not %llu; set "
		       "that size or delete the context",
		       p->name, (unsigned long long) st.st_size,
		       (unsigned long long) p->upper_bytes);
}

int kept_open(struct fs_host *h, const struct fs_plan *p, struct err *e)
{
	_cleanup_close_ int image = open_image(h, p, e);
	if (image < 0)
		return image;
	if (flock(image, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY, "the kept upper of %s is still mounted", p->name);

	return image_mount(image, e);
}

/* --- forgetting --- */

int fs_forget(struct fs_host *h, const char *name, struct err *e)
{
	struct file_name image = named(name, ".img"), note = named(name, ".host");

	_cleanup_close_ int fd =
		sys(openat(h->uppers_fd, image.text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY, "the kept upper of %s is still mounted", name);
	int r = sys(unlinkat(h->uppers_fd, image.text, 0));
	if (r == 0 || r == -ENOENT)
		r = sys(unlinkat(h->uppers_fd, note.text, 0));
	return r < 0 && r != -ENOENT ? err_set_errno(e, r, "deleting the kept upper of %s", name)
				     : 0;
}

/* A note without its image: its daemon died before it linked the image. */
static void sweep_note(struct fs_host *h, const char *file)
{
	size_t len = strlen(file);

	if (len <= 5 || len > SPEC_NAME_MAX + 5 || strcmp(file + len - 5, ".host") != 0)
		return;
	struct file_name image;
	(void) snprintf(image.text, sizeof(image.text), "%.*s.img", (int) (len - 5), file);
	if (faccessat(h->uppers_fd, image.text, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		(void) unlinkat(h->uppers_fd, file, 0);
}

void fs_sweep(struct fs_host *h)
{
	_cleanup_free_ char *directory = NULL;
	int fd = sys(openat(h->uppers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		sweep_note(h, entry->d_name);
	if (d)
		closedir(d);
	else
		fd_close(fd);
	(void) file_sweep_at(h->uppers_fd, ".");
	if (asprintf(&directory, "%s/uppers", h->state_dir) >= 0)
		loop_sweep(directory);
	else
		directory = NULL;
}
