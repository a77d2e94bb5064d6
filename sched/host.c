/* Opens the hierarchies and makes the daemon's directory in each.
 *
 * On v1 it lies at ROOT/ward/INSTANCE. On v2 a daemon that runs in the leaf "supervisor" of a
 * delegated unit builds beside that leaf: a cgroup that hands controllers to its children may hold
 * no process. At the top of a container's namespace it moves itself there. Only hierarchies that
 * something needs are used: each costs a directory per slot and a write per attached process. With
 * cgroup2 mounted (even without controllers) freezing, killing, CPU time and devices need no v1
 * hierarchy. */
#include "sched/host.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"

#define SUPERVISOR "supervisor"

static bool instance_valid(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len >= sizeof(((struct sched_host *) NULL)->instance) || s[0] == '.')
		return false;
	return strcspn(s, "/\n") == len;
}

const struct cg_tree *host_tree(const struct sched_host *h, enum cg_controller c)
{
	return h->of[c] >= 0 ? &h->trees[h->of[c]] : NULL;
}

/* Systemd marks the cgroups it hands over. */
static bool is_delegated(int fd)
{
	char v[4];

	return (fgetxattr(fd, "trusted.delegate", v, sizeof(v)) == 1 ||
		fgetxattr(fd, "user.delegate", v, sizeof(v)) == 1) &&
	       v[0] == '1';
}

static int open_dir(int dirfd, const char *path)
{
	return sys(openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

/* Only the root of the whole hierarchy has no cgroup.type. */
static bool is_true_root(int fd)
{
	return faccessat(fd, "cgroup.type", F_OK, 0) < 0;
}

/* The cgroup below which contexts are made: that of our unit if it was delegated and we were put
 * into its leaf (systemd 254's DelegateSubgroup=), else the mount's top. An older systemd puts a
 * unit's process into the unit's own cgroup; with controllers handed on to contexts that live
 * there the kernel refuses this, and a daemon could not be started again beside them. */
static int open_unified_top(struct sched_host *h, const struct cg_hierarchy *c, int mount)
{
	_cleanup_close_ int fd = -1;
	char own[CG_PATH_MAX];
	char *slash;

	(void) snprintf(own, sizeof(own), "%s", c->own);
	slash = strrchr(own, '/');
	if (slash != NULL && strcmp(slash + 1, SUPERVISOR) == 0) {
		*slash = '\0';
		fd = own[0] != '\0' ? open_dir(mount, own + 1) : -1;
	}
	if (fd < 0 || !is_delegated(fd))
		return sys(fcntl(mount, F_DUPFD_CLOEXEC, 3));
	(void) snprintf(h->below, sizeof(h->below), "%s", own);
	return TAKE_FD(fd);
}

static int open_mount(const struct cg_hierarchy *c)
{
	int fd = sys(open(c->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct statfs s;

	if (fd < 0)
		return fd;
	/* Something else may be mounted over it. */
	if (fstatfs(fd, &s) < 0 ||
	    s.f_type != (c->unified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC)) {
		(void) fd_close(fd);
		return -ENODEV;
	}
	return fd;
}

static int open_top(struct sched_host *h, const struct cg_hierarchy *c, bool pure_v2)
{
	int mount = open_mount(c);
	int top;

	if (mount < 0 || !pure_v2)
		return mount;
	top = open_unified_top(h, c, mount);
	(void) fd_close(mount);
	return top;
}

/* v1 cpusets start empty, and an empty one takes no process. */
static int cpuset_fill(int dirfd, const char *dir, const char *parent)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	char path[160], value[1024];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void) snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		if (cg_read(dirfd, path, value, sizeof(value)) > 1)
			continue;
		(void) snprintf(path, sizeof(path), "%s/%s", parent, files[i]);
		if (cg_read(dirfd, path, value, sizeof(value)) < 0)
			return -EIO;
		(void) snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		r = file_write_at(dirfd, path, value);
		if (r < 0)
			return r;
	}
	/* Makes every slot inherit both by itself. */
	(void) snprintf(path, sizeof(path), "%s/cgroup.clone_children", dir);
	return file_write_at(dirfd, path, "1");
}

/* One controller at a time: what one cannot have must not cost the others. */
static void enable_controllers(int fd, unsigned controllers)
{
	char text[32];

	for (unsigned c = 0; c < CG_CORE; c++) {
		if ((controllers & 1u << c) == 0)
			continue;
		(void) snprintf(text, sizeof(text), "+%s", cg_controller_name(c));
		(void) file_write_at(fd, "cgroup.subtree_control", text);
	}
}

static int move_self(int top)
{
	if (mkdirat(top, SUPERVISOR, 0755) < 0 && errno != EEXIST)
		return -errno;
	return file_write_at(top, SUPERVISOR "/cgroup.procs", "0");
}

/* Makes TOP/ward and TOP/ward/INSTANCE. Another daemon may be removing an empty "ward". */
static int make_directories(const struct cg_tree *t, const char *dir)
{
	for (int tries = 0; tries < 8; tries++) {
		if (mkdirat(t->top, "ward", 0755) < 0 && errno != EEXIST)
			return -errno;
		if (t->unified) {
			_cleanup_close_ int ward = open_dir(t->top, "ward");

			if (ward >= 0)
				enable_controllers(ward, t->controllers);
		}
		if (mkdirat(t->top, dir, 0755) == 0 || errno == EEXIST)
			return 0;
		if (errno != ENOENT)
			return -errno;
	}
	return -EAGAIN;
}

static int tree_prepare(struct sched_host *h, struct cg_tree *t, bool pure_v2)
{
	char dir[96];
	int r;

	(void) snprintf(dir, sizeof(dir), "ward/%s", h->instance);
	if (pure_v2) {
		if (!is_true_root(t->top) && (r = move_self(t->top)) < 0)
			return r;
		enable_controllers(t->top, t->controllers);
	}
	r = make_directories(t, dir);
	if (r < 0)
		return r;
	if (!t->unified && (t->controllers & 1u << CG_CPUSET) != 0 &&
	    ((r = cpuset_fill(t->top, "ward", ".")) < 0 ||
	     (r = cpuset_fill(t->top, dir, "ward")) < 0))
		return r;
	t->fd = open_dir(t->top, dir);
	if (t->fd < 0)
		return t->fd;
	if (t->unified)
		enable_controllers(t->fd, t->controllers);
	return 0;
}

static int tree_add(struct sched_host *h, const struct cg_hierarchy *c, bool pure_v2, struct err *e)
{
	struct cg_tree *t = &h->trees[h->count++];
	char text[256];
	int r;

	*t = (struct cg_tree){
		.top = -1, .fd = -1, .unified = c->unified, .controllers = c->controllers
	};
	t->top = open_top(h, c, pure_v2);
	if (t->top < 0)
		return err_set_errno(e, t->top, "opening the cgroup hierarchy \"%s\"", c->mount);
	r = snprintf(t->path, sizeof(t->path), "%s%s", c->mount, c->unified ? h->below : "");
	if (r < 0 || (size_t) r >= sizeof(t->path))
		return err_set(e, -ENAMETOOLONG, "cgroup \"%s\": its path is too long", c->mount);
	r = tree_prepare(h, t, pure_v2);
	if (r < 0)
		return err_set_errno(e, r, "making the cgroup \"%s/ward/%s\"", t->path,
				     h->instance);
	if (t->unified && cg_read(t->fd, "cgroup.subtree_control", text, sizeof(text)) >= 0) {
		struct cg_layout enabled = { .count = 1, .list = { { .unified = true } } };

		cg_layout_add_unified(&enabled, text);
		t->controllers = enabled.list[0].controllers;
	}
	return 0;
}

/* Since 6.10 a kernel counts a disk's I/O per v1 cgroup only once anything was ever said about
 * that disk; "no limit" for the instance is enough. Where it fails, statistics stay without it. */
static void start_io_accounting(const struct cg_tree *t)
{
	DIR *d = opendir("/sys/block");
	char path[300], device[32];

	for (struct dirent *x; d != NULL && (x = readdir(d)) != NULL;) {
		if (x->d_name[0] == '.' || strncmp(x->d_name, "loop", 4) == 0 ||
		    strncmp(x->d_name, "ram", 3) == 0)
			continue;
		(void) snprintf(path, sizeof(path), "/sys/block/%s/dev", x->d_name);
		if (cg_read(AT_FDCWD, path, device, sizeof(device) - 2) <= 0)
			continue;
		device[strcspn(device, "\n")] = '\0';
		(void) snprintf(path, sizeof(path), "%s 0", device);
		(void) file_write_at(t->fd, "blkio.throttle.read_bps_device", path);
	}
	if (d != NULL)
		(void) closedir(d);
}

/* Which controllers must be there for what, given what cgroup2 does without any. */
static unsigned wanted_controllers(const struct sched_host *h)
{
	unsigned w = 1u << CG_CPU | 1u << CG_CPUSET | 1u << CG_MEMORY | 1u << CG_IO | 1u << CG_PIDS;

	if (!h->freeze)
		w |= 1u << CG_FREEZER | 1u << CG_CPUACCT;
	if (h->devices == CG_DEVICES_V1)
		w |= 1u << CG_DEVICES;
	return w;
}

static int trees_add(struct sched_host *h, const struct cg_layout *l, struct err *e)
{
	bool pure_v2 = l->kind == FACTS_CGROUP_V2;
	int r;

	if (l->of[CG_CORE] >= 0) {
		r = tree_add(h, &l->list[l->of[CG_CORE]], pure_v2, e);
		if (r < 0)
			return r;
		h->freeze = faccessat(h->trees[0].fd, "cgroup.freeze", F_OK, 0) == 0;
		h->kill = faccessat(h->trees[0].fd, "cgroup.kill", F_OK, 0) == 0;
		if (devices_bpf_loads())
			h->devices = CG_DEVICES_BPF;
	}
	if (h->devices == CG_DEVICES_NONE && l->of[CG_DEVICES] >= 0)
		h->devices = CG_DEVICES_V1;
	for (size_t i = 0; i < l->count; i++) {
		if (l->list[i].unified || (l->list[i].controllers & wanted_controllers(h)) == 0)
			continue;
		r = tree_add(h, &l->list[i], false, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void trees_index(struct sched_host *h)
{
	for (unsigned c = 0; c < CG_CONTROLLER_COUNT; c++)
		h->of[c] = -1;
	for (size_t i = 0; i < h->count; i++) {
		if (h->trees[i].unified)
			h->of[CG_CORE] = (int) i;
		for (unsigned c = 0; c < CG_CORE; c++)
			if ((h->trees[i].controllers & 1u << c) != 0 && h->of[c] < 0)
				h->of[c] = (int) i;
	}
}

static int host_open(struct sched_host *h, const struct cg_layout *l, struct err *e)
{
	int r = trees_add(h, l, e);

	if (r < 0)
		return r;
	trees_index(h);
	if (h->of[CG_IO] >= 0 && !h->trees[h->of[CG_IO]].unified)
		start_io_accounting(&h->trees[h->of[CG_IO]]);
	return h->devices == CG_DEVICES_BPF ? devices_confine(h, e) : 0;
}

int host_new_in(const char *instance, const struct cg_layout *l, struct sched_host **ret,
		struct err *e)
{
	struct sched_host *h;
	int r;

	if (!instance_valid(instance))
		return err_set(e, -EINVAL, "cgroup name \"%s\": not a file name", instance);
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	h->denials = -1;
	(void) snprintf(h->instance, sizeof(h->instance), "%s", instance);
	r = host_open(h, l, e);
	if (r < 0) {
		sched_host_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

int sched_host_new(const char *instance, const struct facts *facts, struct sched_host **ret,
		   struct err *e)
{
	struct cg_layout l;
	int r;

	if (facts->sched.layout == FACTS_CGROUP_NONE)
		return err_set(e, -ENODEV, "this host has no cgroup hierarchy mounted");
	r = cg_layout_read(&l);
	if (r < 0)
		return err_set_errno(e, r, "looking for mounted cgroup hierarchies");
	return host_new_in(instance, &l, ret, e);
}

void sched_host_free(struct sched_host *h)
{
	char dir[96];

	if (h == NULL)
		return;
	(void) snprintf(dir, sizeof(dir), "ward/%s", h->instance);
	for (size_t i = h->count; i-- > 0;) {
		struct cg_tree *t = &h->trees[i];

		if (t->top >= 0) {
			(void) unlinkat(t->top, dir, AT_REMOVEDIR);
			(void) unlinkat(t->top, "ward", AT_REMOVEDIR);
		}
		t->fd = fd_close(t->fd);
		t->top = fd_close(t->top);
	}
	(void) fd_close(h->denials);
	free(h);
}

#define CGROUP_NS_FIRST 0xEFFFFFFBu /* include/linux/proc_ns.h: the inode of the first one */

int sched_host_cgroup2(const struct sched_host *h, unsigned *ret_level)
{
	const struct cg_tree *t = host_tree(h, CG_CORE);
	struct stat s;
	unsigned level = 3; /* ward/INSTANCE/SLOT */

	if (t == NULL || stat("/proc/self/ns/cgroup", &s) < 0 || s.st_ino != CGROUP_NS_FIRST)
		return -1;
	for (const char *p = h->below; *p != '\0'; p++)
		level += *p == '/' && p[1] != '\0';
	*ret_level = level;
	return t->fd;
}
