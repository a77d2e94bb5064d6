/* A slot's life: its directories, how a process gets in, who is in it, how it goes away.
 *
 * Everything is one *at() call below the instance's directory; slots are named by their number. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "sched/attribute.h"
#include "sched/host.h"

#define NESTED_MAX 16 /* cgroups below cgroups, more than systemd makes */
#define PROCS_TEXT 4096

ssize_t cg_read(int dirfd, const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

int slot_openat(const struct cg_tree *t, unsigned slot, const char *file, int flags)
{
	char path[96];

	(void) snprintf(path, sizeof(path), "%u/%s", slot, file);
	return sys(openat(t->fd, path, flags | O_CLOEXEC));
}

ssize_t slot_read(const struct cg_tree *t, unsigned slot, const char *file, char *buf, size_t size)
{
	char path[96];

	(void) snprintf(path, sizeof(path), "%u/%s", slot, file);
	return cg_read(t->fd, path, buf, size);
}

int slot_write(const struct cg_tree *t, unsigned slot, const char *file, const char *value)
{
	char path[96];

	(void) snprintf(path, sizeof(path), "%u/%s", slot, file);
	return file_write_at(t->fd, path, value);
}

static void remove_made(const struct sched_host *h, size_t made, const char *name)
{
	for (size_t i = 0; i < made; i++)
		(void) unlinkat(h->trees[i].fd, name, AT_REMOVEDIR);
}

static int make_directories(struct sched_host *h, unsigned slot, struct err *e)
{
	char name[16];

	(void) snprintf(name, sizeof(name), "%u", slot);
	for (size_t i = 0; i < h->count; i++) {
		int r = sys(mkdirat(h->trees[i].fd, name, 0755));

		if (r == 0)
			continue;
		remove_made(h, i, name);
		return err_set_errno(e, r, "making the cgroup \"%s/ward/%s/%s\"", h->trees[i].path,
				     h->instance, name);
	}
	return 0;
}

/* The slot's devices are settled, or it is not made. */
static int settle_devices(struct sched_host *h, unsigned slot, int r, struct err *e)
{
	char name[16];

	if (r >= 0)
		return 0;
	(void) snprintf(name, sizeof(name), "%u", slot);
	remove_made(h, h->count, name);
	return err_set_errno(e, r, "cgroup %s/%s: setting its devices", h->instance, name);
}

int sched_slot_create(struct sched_host *h, unsigned slot, struct err *e)
{
	int r = make_directories(h, slot, e);

	if (r < 0 || h->devices != CG_DEVICES_V1)
		return r;
	return settle_devices(h, slot, devices_confine_slot(h, slot), e);
}

int sched_slot_create_free(struct sched_host *h, unsigned slot, struct err *e)
{
	int r = make_directories(h, slot, e);

	return r < 0 ? r : settle_devices(h, slot, devices_free(h, slot), e);
}

int sched_slot_open(struct sched_host *h, unsigned slot, struct sched_attach *ret, struct err *e)
{
	struct sched_attach a = { .clone_into = -1 };

	for (size_t i = 0; i < h->count; i++) {
		const struct cg_tree *t = &h->trees[i];
		int fd = slot_openat(t, slot, t->unified ? "" : "cgroup.procs",
				     t->unified ? O_RDONLY | O_DIRECTORY : O_WRONLY);

		if (fd < 0) {
			sched_attach_done(&a);
			return err_set_errno(e, fd, "opening the cgroup \"%s/ward/%s/%u\"", t->path,
					     h->instance, slot);
		}
		if (t->unified)
			a.clone_into = fd;
		else
			a.procs[a.count++] = fd;
	}
	*ret = a;
	return 0;
}

void sched_attach_done(struct sched_attach *a)
{
	for (unsigned i = 0; i < a->count; i++)
		(void) fd_close(a->procs[i]);
	a->count = 0;
	a->clone_into = fd_close(a->clone_into);
}

int sched_attach_self(const struct sched_attach *a)
{
	for (unsigned i = 0; i < a->count; i++)
		if (write(a->procs[i], "0", 1) < 0)
			return -errno;
	return 0;
}

/* Removes a cgroup and those its processes made in it, deepest first. */
static int tree_remove(int dirfd, const char *name, unsigned depth)
{
	DIR *d;
	int fd;

	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY || depth == 0)
		return -errno;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		(void) fd_close(fd);
		return -EBUSY;
	}
	for (struct dirent *x; (x = readdir(d)) != NULL;)
		if (x->d_type == DT_DIR && x->d_name[0] != '.')
			(void) tree_remove(fd, x->d_name, depth - 1);
	(void) closedir(d);
	return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

int sched_slot_remove(struct sched_host *h, unsigned slot)
{
	char name[16];
	int first = 0;

	(void) snprintf(name, sizeof(name), "%u", slot);
	attribute_unreserve(h, slot);
	for (size_t i = 0; i < h->count; i++) {
		int r = tree_remove(h->trees[i].fd, name, NESTED_MAX);

		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

struct pid_list {
	pid_t *pids;
	size_t max, count;
};

/* Reads a cgroup.procs file of any length. */
static int procs_read(int dirfd, struct pid_list *l)
{
	_cleanup_close_ int fd = openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	char buf[PROCS_TEXT];
	pid_t pid = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = pid * 10 + (buf[i] - '0');
				continue;
			}
			/* 0 stands for a process outside our pid namespace. */
			if (pid > 0 && l->count++ < l->max)
				l->pids[l->count - 1] = pid;
			pid = 0;
		}
	return n < 0 ? -errno : 0;
}

static int pids_walk(int fd, struct pid_list *l, unsigned depth)
{
	int r = procs_read(fd, l), copy;
	DIR *d;

	if (r < 0 || depth == 0)
		return r;
	copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = copy >= 0 ? fdopendir(copy) : NULL;
	if (d == NULL) {
		r = -errno;
		(void) fd_close(copy);
		return r;
	}
	for (struct dirent *x; (x = readdir(d)) != NULL;) {
		_cleanup_close_ int sub = -1;

		if (x->d_type != DT_DIR || x->d_name[0] == '.')
			continue;
		sub = openat(copy, x->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub >= 0)
			(void) pids_walk(sub, l, depth - 1);
	}
	(void) closedir(d);
	return 0;
}

ssize_t tree_pids(const struct cg_tree *t, unsigned slot, pid_t *pids, size_t max)
{
	struct pid_list l = { .pids = pids, .max = max };
	_cleanup_close_ int fd = slot_openat(t, slot, "", O_RDONLY | O_DIRECTORY);
	int r;

	if (fd < 0)
		return fd;
	r = pids_walk(fd, &l, NESTED_MAX);
	return r < 0 ? r : (ssize_t) l.count;
}

const struct cg_tree *host_process_tree(const struct sched_host *h)
{
	static const enum cg_controller order[] = { CG_CORE, CG_FREEZER, CG_PIDS, CG_MEMORY };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (h->of[order[i]] >= 0)
			return &h->trees[h->of[order[i]]];
	return &h->trees[0];
}

ssize_t sched_slot_pids(struct sched_host *h, unsigned slot, pid_t *pids, size_t max)
{
	return tree_pids(host_process_tree(h), slot, pids, max);
}

bool sched_slot_populated(struct sched_host *h, unsigned slot)
{
	const struct cg_tree *core = host_tree(h, CG_CORE);
	uint64_t v;
	char text[128];

	if (core != NULL && slot_read(core, slot, "cgroup.events", text, sizeof(text)) >= 0 &&
	    cg_find_u64(text, "populated", &v))
		return v != 0;
	return sched_slot_pids(h, slot, NULL, 0) > 0;
}

/* On 64-bit machines the inode's number is the cgroup's id (cgroup_id() of the kernel). */
int sched_slot_id(const struct sched_host *h, unsigned slot, uint64_t *ret)
{
	const struct cg_tree *t = host_tree(h, CG_CORE);
	char name[16];
	struct stat s;

	if (t == NULL)
		return -ENODEV;
	(void) snprintf(name, sizeof(name), "%u", slot);
	if (fstatat(t->fd, name, &s, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret = s.st_ino;
	return 0;
}

void sched_slot_path(struct sched_host *h, unsigned slot, char *out, size_t size)
{
	(void) snprintf(out, size, "%s/ward/%s/%u", h->below, h->instance, slot);
}
