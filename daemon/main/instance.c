/* Any number of daemons may share a host: each locks its run directory, is named after it, and
 * claims a block of ids. A block is a file that is locked while its daemon lives and names the
 * run directory beyond that: contexts outlive a daemon, so its block is left alone until nothing
 * of it is recorded any more, and the same directory gets the same block again. A daemon that
 * ends in good order with nothing running takes its file away. */
#include "daemon/main/instance.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"

#define MAIN_RUN_DIR "/run/ward"
#define CLAIMS_DIR "/run/ward-ids"

/* Above what Debian and systemd give out (to 0x6fffffff) and below systemd's foreign range. */
#define MAIN_FIRST 0x70000000u
#define MAIN_TOTAL 0x0ffe0000u
#define BLOCK_FIRST 0x80000000u
#define BLOCK_TOTAL 0x08000000u /* 2048 contexts */
#define BLOCK_COUNT 15u /* the last one would reach (uid_t) -1 */

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *s; s++)
		h = (h ^ (unsigned char) *s) * 16777619u;
	return h;
}

/* A file that was removed while we waited for nobody's lock is not the one others will lock. */
static int lock_file(int dirfd, const char *name)
{
	int fd = sys(openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
	/* A record lock: flock(2)'s is inherited, and dying seats would hold it on. */
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int r = fd < 0 ? fd : sys(fcntl(fd, F_SETLK, &whole));
	struct stat st;

	if (r >= 0 && (fstat(fd, &st) < 0 || st.st_nlink == 0))
		r = -EWOULDBLOCK;
	if (r < 0)
		(void) fd_close(fd);
	return r < 0 ? r : fd;
}

/* Whether the daemon of that directory has left anything that may still run. */
static bool in_use(const char *run_dir)
{
	char path[PATH_MAX];
	bool used = false;
	DIR *d;

	if (snprintf(path, sizeof(path), "%s/contexts", run_dir) >= (int) sizeof(path))
		return false;
	d = opendir(path);
	for (const struct dirent *i = d ? readdir(d) : NULL; i && !used; i = readdir(d))
		used = i->d_name[0] != '.';
	if (d)
		(void) closedir(d);
	return used;
}

enum pass { PASS_MINE, PASS_FREE, PASS_ANY, PASS_COUNT };

/* @return the claimed file, -EBUSY when it is not for this pass, -errno. */
static int try_block(int dirfd, unsigned block, const char *run_dir, enum pass pass)
{
	char name[16];
	_cleanup_free_ char *owner = NULL;
	int fd, r;

	(void) snprintf(name, sizeof(name), "%u", block);
	r = file_read_at(dirfd, name, PATH_MAX, &owner, NULL);
	if (r < 0 && r != -ENOENT)
		return r;
	if (pass == PASS_MINE && !str_equal(owner, run_dir))
		return -EBUSY;
	if (pass == PASS_FREE && owner && owner[0] && in_use(owner))
		return -EBUSY;
	fd = lock_file(dirfd, name);
	if (fd < 0)
		return fd == -EWOULDBLOCK ? -EBUSY : fd;
	r = sys(ftruncate(fd, 0));
	if (r == 0)
		r = write_all(fd, run_dir, strlen(run_dir));
	if (r < 0)
		(void) fd_close(fd);
	return r < 0 ? r : fd;
}

/* Removes the claims of daemons that were killed and whose run directory is gone since. */
static void sweep(int dirfd)
{
	for (unsigned block = 0; block < BLOCK_COUNT; block++) {
		_cleanup_close_ int fd = -1;
		_cleanup_free_ char *owner = NULL;
		char name[16];

		(void) snprintf(name, sizeof(name), "%u", block);
		if (file_read_at(dirfd, name, PATH_MAX, &owner, NULL) < 0 || !owner[0] ||
		    access(owner, F_OK) == 0 || errno != ENOENT)
			continue;
		fd = lock_file(dirfd, name);
		if (fd >= 0)
			(void) unlinkat(dirfd, name, 0);
	}
}

static int claim_block(const char *run_dir, struct instance *ret, struct err *e)
{
	_cleanup_close_ int dirfd = dir_make_open(CLAIMS_DIR, 0700);
	_cleanup_close_ int readable = -1;
	unsigned start = hash(run_dir) % BLOCK_COUNT;

	if (dirfd < 0)
		return err_set_errno(e, dirfd, "making " CLAIMS_DIR);
	readable = sys(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (readable < 0)
		return err_set_errno(e, readable, "opening " CLAIMS_DIR);
	sweep(readable);
	for (int pass = PASS_MINE; pass < PASS_COUNT; pass++)
		for (unsigned i = 0; i < BLOCK_COUNT; i++) {
			unsigned block = (start + i) % BLOCK_COUNT;
			int fd = try_block(readable, block, run_dir, (enum pass) pass);

			if (fd == -EBUSY)
				continue;
			if (fd < 0)
				return err_set_errno(e, fd, "claiming " CLAIMS_DIR "/%u", block);
			ret->ids_first = BLOCK_FIRST + block * BLOCK_TOTAL;
			ret->ids_total = BLOCK_TOTAL;
			ret->ids_lock = fd;
			ret->block = block;
			return 0;
		}
	return err_set(e, -EBUSY, "claiming ids: %u daemons run already", BLOCK_COUNT);
}

/* 0.1 locks a file "lock"; since then it is a directory (daemon/layout.c), or will be one. */
static int lock_run(const char *run_dir, struct instance *i, struct err *e)
{
	_cleanup_close_ int dirfd = sys(open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int r = dirfd;

	if (r >= 0)
		r = i->lock = lock_file(dirfd, "wardd.lock");
	if (r >= 0)
		r = i->old_lock = lock_file(dirfd, "lock");
	if (r == -EWOULDBLOCK)
		return err_set(e, -EBUSY, "locking %s: another wardd serves it", run_dir);
	return r < 0 && r != -EISDIR ? err_set_errno(e, r, "locking %s", run_dir) : 0;
}

static int lock_state(const char *state_dir, struct instance *i, struct err *e)
{
	_cleanup_close_ int dirfd = sys(open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	i->state_lock = dirfd < 0 ? dirfd : lock_file(dirfd, "lock");
	if (i->state_lock == -EWOULDBLOCK)
		return err_set(e, -EBUSY,
			       "%s belongs to another wardd that runs: give each a --state-dir of "
			       "its own",
			       state_dir);
	return i->state_lock < 0 ? err_set_errno(e, i->state_lock, "locking %s", state_dir) : 0;
}

static void unlock(struct instance *i)
{
	i->ids_lock = fd_close(i->ids_lock);
	i->state_lock = fd_close(i->state_lock);
	i->old_lock = fd_close(i->old_lock);
	i->lock = fd_close(i->lock);
}

int instance_claim(const char *run_dir, const char *state_dir, struct instance *ret, struct err *e)
{
	struct instance i = INSTANCE_INIT;
	int r = lock_run(run_dir, &i, e);

	i.ids_first = MAIN_FIRST;
	i.ids_total = MAIN_TOTAL;
	(void) snprintf(i.name, sizeof(i.name), "main");
	if (r == 0)
		r = lock_state(state_dir, &i, e);
	if (r == 0 && !str_equal(run_dir, MAIN_RUN_DIR)) {
		(void) snprintf(i.name, sizeof(i.name), "w-%08x", hash(run_dir));
		r = claim_block(run_dir, &i, e);
	}
	if (r < 0) {
		unlock(&i);
		return r;
	}
	*ret = i;
	return 0;
}

void instance_release(struct instance *i, bool contexts_run)
{
	char path[sizeof(CLAIMS_DIR) + 16];

	if (i->ids_lock >= 0 && !contexts_run) {
		(void) snprintf(path, sizeof(path), CLAIMS_DIR "/%u", i->block);
		(void) unlink(path); /* locked: it is still ours */
		(void) rmdir(CLAIMS_DIR); /* only when it was the last */
	}
	unlock(i);
}
