/* The filters that were compiled, by file and capabilities: a start copies one, nothing more. */
#include "context/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "context/profile.h"

int filters_init(struct filter_cache *c, const char *dir, struct err *e)
{
	int r;

	c->dirfd = sys(open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC));
	r = c->dirfd;
	return r < 0 ? err_set_errno(e, r, "opening the profile directory %s", dir) : 0;
}

static void entry_done(struct filter *f)
{
	free(f->file);
	free(f->code);
	*f = (struct filter){ 0 };
}

void filters_done(struct filter_cache *c)
{
	for (size_t i = 0; i < FILTER_CACHE_MAX; i++) {
		entry_done(&c->entries[i]);
	}
	c->dirfd = fd_close(c->dirfd);
}

/** Takes the identity and state of the file. */
static int entry_stat(struct filter *f, int dirfd, const char *path)
{
	struct stat st;
	int r = sys(fstatat(dirfd, path, &st, 0));

	if (r < 0) {
		return r;
	}
	if (!S_ISREG(st.st_mode)) {
		return -EINVAL;
	}
	f->mtime_ns = (uint64_t) st.st_mtim.tv_sec * 1000000000u + (uint64_t) st.st_mtim.tv_nsec;
	f->size = (uint64_t) st.st_size;
	f->inode = st.st_ino;
	return 0;
}

static int entry_compile(struct filter *f, int dirfd, const char *path, struct err *e)
{
	_cleanup_free_ struct profile *profile = malloc(sizeof(*profile));
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = file_read_at(dirfd, path, PROFILE_BYTES_MAX, &text, &len);

	if (r < 0) {
		return err_set_errno(e, r, "process.seccomp: reading %s", path);
	}
	f->code = calloc(PROFILE_CODE_MAX, sizeof(*f->code));
	f->file = strdup(path);
	if (!profile || !f->code || !f->file) {
		return err_set(e, -ENOMEM, "process.seccomp: out of memory");
	}
	r = profile_parse(text, len, path, f->caps, profile, e);
	if (r < 0) {
		return err_prefix(e, "process.seccomp");
	}
	r = profile_compile(profile, f->code);
	if (r < 0) {
		return err_set_errno(e, r, "process.seccomp: compiling %s", path);
	}
	f->len = (unsigned short) r;
	struct sock_filter *fit = realloc(f->code, f->len * sizeof(*f->code));
	if (fit) {
		f->code = fit;
	}
	return 0;
}

static struct filter *find(struct filter_cache *c, const struct filter *like, const char *path)
{
	for (size_t i = 0; i < FILTER_CACHE_MAX; i++) {
		struct filter *f = &c->entries[i];

		if (f->code && f->caps == like->caps && f->mtime_ns == like->mtime_ns &&
		    f->size == like->size && f->inode == like->inode && str_equal(f->file, path)) {
			return f;
		}
	}
	return NULL;
}

static struct filter *oldest(struct filter_cache *c)
{
	struct filter *f = &c->entries[0];

	for (size_t i = 1; i < FILTER_CACHE_MAX; i++) {
		if (c->entries[i].used < f->used) {
			f = &c->entries[i];
		}
	}
	return f;
}

int filters_get(struct filter_cache *c, const char *file, uint64_t caps, struct sock_fprog *ret,
		struct err *e)
{
	struct filter fresh = { .caps = caps };
	struct filter *f;
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s%s", file, strchr(file, '/') ? "" : ".seccomp");
	int r;

	if (n < 0 || (size_t) n >= sizeof(path)) {
		return err_set(e, -ENAMETOOLONG, "process.seccomp: the path is too long");
	}
	r = entry_stat(&fresh, c->dirfd, path);
	if (r < 0) {
		return err_set_errno(e, r, "process.seccomp: %s", path);
	}
	f = find(c, &fresh, path);
	if (!f) {
		r = entry_compile(&fresh, c->dirfd, path, e);
		if (r < 0) {
			entry_done(&fresh);
			return r;
		}
		f = oldest(c);
		entry_done(f);
		*f = fresh;
	}
	f->used = ++c->clock;
	*ret = (struct sock_fprog){ .len = f->len, .filter = f->code };
	return 0;
}
