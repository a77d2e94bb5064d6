/* A plan to steps: what the daemon must make is made here, as detached mounts; the rest becomes
 * CHILD steps whose arguments lie in the arena. A failure half-way closes descriptors, and with
 * them everything that was made. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/fd.h"
#include "fs/child.h"
#include "fs/host.h"
#include "fs/mnt.h"

struct build {
	const struct fs_plan *p;
	struct fs_host *h;
	const struct fs_launch *at;
	struct step_list *steps;
	struct view *v;
	int files_fd; /* tmpfs with the made files, where the root has no layers; -1 */
	struct err *e;
};

static int no_room(struct build *b)
{
	return err_set(b->e, -ENOMEM, "preparing the view: the seat's arena is full");
}

/* @return the step's argument, or NULL when the arena is full. */
static struct view_step *add_step(struct build *b, const char *name, const char *object,
				  int (*run)(void *, struct err *))
{
	struct view_step *s = arena_alloc(b->steps->arena, sizeof(*s));
	char *copy = object ? arena_strdup(b->steps->arena, object) : NULL;

	if (!s || (object && !copy))
		return NULL;
	*s = (struct view_step){ .v = b->v, .fd = -1, .target = copy };
	struct step step = {
		.name = name, .object = copy, .phase = STEP_CHILD, .run = run, .arg = s
	};
	return steps_add(b->steps, step) < 0 ? NULL : s;
}

/* Gives fd (or the error it is) to the child. */
static int give(struct build *b, int *slot, int fd)
{
	if (fd < 0)
		return fd;
	int r = steps_give_fd(b->steps, slot, fd);
	return r < 0 ? err_set(b->e, r, "preparing the view: too many mounts") : 0;
}

static int step_for(struct build *b, const char *name, const struct fs_op *o,
		    int (*run)(void *, struct err *))
{
	struct view_step *s = add_step(b, name, o->target, run);

	if (!s)
		return no_room(b);
	s->flags = o->flags;
	return 0;
}

/* Closing the last descriptor of a detached mount waits for RCU, some 40 us each. So the layers,
 * of which overlay has its own clones by now, go to the child, which loses them in its exec. */
static int step_root(struct build *b)
{
	_cleanup_(root_done) struct root layers;
	int fd = root_make(b->p, b->h, b->at, &layers, b->e);
	int r = give(b, &b->v->root_fd, fd);

	if (r == 0 && layers.mask >= 0)
		r = give(b, &b->v->layers[0], TAKE_FD(layers.mask));
	if (r == 0 && layers.lower >= 0)
		r = give(b, &b->v->layers[1], TAKE_FD(layers.lower));
	if (r == 0 && layers.upper >= 0)
		r = give(b, &b->v->layers[2], TAKE_FD(layers.upper));
	if (r == 0 && !add_step(b, "attach-root", NULL, view_attach_root))
		r = no_room(b);
	return r;
}

static int step_dev(struct build *b, const struct fs_op *o)
{
	struct view_step *s = add_step(b, "attach-dev", o->target, view_attach);
	if (!s)
		return no_room(b);
	s->flags = FS_OP_DIRECTORY;

	_cleanup_close_ int fd = -1;
	int r;
	if (o->flags & FS_OP_PRIVATE) {
		fd = dev_make(b->p, b->e);
		if (fd < 0)
			return fd;
		r = made_map(b->p, b->at, fd);
		if (r == 0 && o->flags & FS_OP_READ_ONLY)
			r = mnt_change(fd, MOUNT_ATTR_RDONLY, -1);
	} else {
		fd = clone_kept(b->h, b->h->dev_fd, "", MOUNT_ATTR_RDONLY, b->at->userns_fd);
		r = fd < 0 ? fd : 0;
	}
	if (r < 0)
		return err_set_errno(b->e, r, "id-mapping /dev");
	return give(b, &s->fd, TAKE_FD(fd));
}

static int step_sys(struct build *b, const struct fs_op *o)
{
	struct view_step *s = add_step(b, "mount-sys", o->target, view_sys);
	if (!s)
		return no_room(b);
	s->flags = o->flags;
	if (o->flags & FS_OP_PRIVATE)
		return 0;

	_cleanup_close_ int fd = mnt_clone(AT_FDCWD, "/sys");
	int r = fd < 0 ? fd
		       : mnt_change(fd,
				    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					    MOUNT_ATTR_NOEXEC,
				    -1);
	if (r < 0)
		return err_set_errno(b->e, r, "cloning /sys");
	return give(b, &s->fd, TAKE_FD(fd));
}

/* Never id-mapped: the socket's directory is the host root's, and nobody's inside. Who may send is
 * said by the socket's mode; a read-only mount does not stop that. */
static int step_notify(struct build *b, const struct fs_op *o)
{
	struct view_step *s = add_step(b, "attach-notify", o->target, view_attach);
	if (!s)
		return no_room(b);
	s->flags = FS_OP_DIRECTORY;
	int fd = clone_mapped(b->at->notify_fd, "",
			      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				      MOUNT_ATTR_NOEXEC,
			      -1);
	if (fd < 0)
		return err_set_errno(b->e, fd, "cloning the notify socket's directory");
	return give(b, &s->fd, fd);
}

static int step_tmpfs(struct build *b, const struct fs_op *o)
{
	struct view_step *s = add_step(b, "mount-tmpfs", o->target, view_tmpfs);
	char size[24];

	(void) snprintf(size, sizeof(size), "%llu", (unsigned long long) o->bytes);
	if (!s || !(s->size = arena_strdup(b->steps->arena, size)))
		return no_room(b);
	return 0;
}

static int step_bind(struct build *b, const struct fs_op *o)
{
	struct view_step *s = add_step(b, "attach-bind", o->target, view_attach);
	uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	struct stat st;

	if (!s)
		return no_room(b);
	_cleanup_close_ int source = host_open("bind", o->source, 0, b->e);
	if (source < 0)
		return source;
	if (fstat(source, &st) < 0)
		return err_set_errno(b->e, -errno, "files.bind \"%s\": looking at it", o->source);
	s->flags = S_ISDIR(st.st_mode) ? FS_OP_DIRECTORY : 0;
	if (o->flags & FS_OP_READ_ONLY)
		attrs |= MOUNT_ATTR_RDONLY;
	int fd = clone_mapped(source, "", attrs, b->at->userns_fd);
	if (fd < 0)
		return err_set_errno(b->e, fd, "files.bind \"%s\": id-mapping its mount%s",
				     o->source, clone_hint(source, fd));
	return give(b, &s->fd, fd);
}

/* One step for all the rules of a kind below one mount: the list starts at ops[i].
 * @return how many operations it takes, or -errno. */
static int step_rules(struct build *b, size_t i, const char *name, const char *under,
		      int (*run)(void *, struct err *))
{
	const struct fs_op *first = &b->p->ops[i];
	struct view_step *s = add_step(b, name, NULL, run);
	size_t skip = strlen(under), n = 0;

	while (i + n < b->p->count && first[n].kind == first->kind &&
	       strncmp(first[n].target, under, skip) == 0)
		n++;
	if (!s || !(s->list = arena_alloc(b->steps->arena, n * sizeof(*s->list))))
		return no_room(b);
	for (; s->count < n; s->count++) {
		const struct fs_op *o = &first[s->count];
		char path[128];

		(void) snprintf(path, sizeof(path), "%s%s", o->target + skip,
				o->kind == FS_OP_MASK && o->flags & FS_OP_DIRECTORY ? "/" : "");
		s->list[s->count] = arena_strdup(b->steps->arena, path);
		if (!s->list[s->count])
			return no_room(b);
	}
	return (int) n;
}

static int step_file(struct build *b, const struct fs_op *o)
{
	if (b->files_fd < 0)
		return 0; /* it lies in the upper layer */
	struct view_step *s = add_step(b, "attach-file", o->target, view_attach_file);
	if (!s)
		return no_room(b);

	int fd = clone_kept(b->h, b->files_fd, o->target + 1, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
			    -1);
	if (fd < 0)
		return err_set_errno(b->e, fd, "cloning the made %s", o->target);
	return give(b, &s->fd, fd);
}

static int step_op(struct build *b, size_t i)
{
	const struct fs_op *o = &b->p->ops[i];

	switch (o->kind) {
	case FS_OP_ROOT:
		return step_root(b);
	case FS_OP_FILE:
		return step_file(b, o);
	case FS_OP_DEV:
		return step_dev(b, o);
	case FS_OP_DEVPTS:
		return step_for(b, "mount-devpts", o, view_devpts);
	case FS_OP_MQUEUE:
		return step_for(b, "mount-mqueue", o, view_mqueue);
	case FS_OP_NOTIFY:
		return step_notify(b, o);
	case FS_OP_PROC:
		return step_for(b, "mount-proc", o, view_proc);
	case FS_OP_SYS:
		return step_sys(b, o);
	case FS_OP_CGROUP:
		return step_for(b, "mount-cgroup", o, view_cgroup);
	case FS_OP_MASK:
		return strncmp(o->target, "/proc/", 6) == 0
			       ? step_rules(b, i, "mask-proc", "/proc/", view_mask_proc)
			       : step_rules(b, i, "mask-sys", "/sys/", view_mask_sys);
	case FS_OP_LOCK:
		return step_rules(b, i, "lock-proc", "/proc/", view_lock_proc);
	case FS_OP_TMPFS:
		return step_tmpfs(b, o);
	case FS_OP_BIND:
		return step_bind(b, o);
	case FS_OP_HIDE:
		return step_for(b, "hide", o, view_hide);
	case FS_OP_PIVOT:
		return step_for(b, "pivot", o, view_pivot);
	case FS_OP_WARNING:
	case FS_OP_DEVICE: /* made with its /dev */
	case FS_OP_KIND_COUNT:
		break;
	}
	return 0;
}

/* What the child covers things with: never id-mapped, so that not even its root may open them. */
static int give_void(struct build *b)
{
	struct view *v = b->v;
	bool hides = false;

	for (size_t i = 0; i < b->p->count; i++)
		hides |= b->p->ops[i].kind == FS_OP_HIDE;
	int r = give(b, &v->empty_fd, clone_kept(b->h, b->h->void_fd, "empty", 0, -1));
	if (r == 0)
		r = give(b, &v->empty_file_fd, clone_kept(b->h, b->h->void_fd, "file", 0, -1));
	if (r == 0 && hides)
		r = give(b, &v->hide_fd, clone_kept(b->h, b->h->void_fd, "dir", 0, -1));
	if (r == 0 && hides)
		r = give(b, &v->hide_file_fd, clone_kept(b->h, b->h->void_fd, "file", 0, -1));
	return r < 0 ? err_set_errno(b->e, r, "cloning the empty stand-ins") : 0;
}

/* A root that is the directory itself must not get our files: they are bound over its own. */
static int make_files(struct build *b)
{
	struct mnt_request request = { .type = "tmpfs", .attrs = MOUNT_ATTR_NODEV };
	struct stat etc = {};

	if (b->p->mode != SPEC_MODE_READ_WRITE)
		return 0;
	mnt_option_add(&request, "mode", "0755");
	mnt_option_add(&request, "size", "1M");
	mnt_option_add(&request, "nr_inodes", "16");
	b->files_fd = mnt_make(&request, b->e);
	int r = b->files_fd < 0 ? b->files_fd : root_write_files(b->p, b->files_fd, &etc, b->e);
	if (r == 0 && (r = made_map(b->p, b->at, b->files_fd)) < 0)
		r = err_set_errno(b->e, r, "id-mapping the made files");
	if (r == 0 && (r = shop_keep(b->h->shop, b->files_fd)) < 0)
		r = err_set_errno(b->e, r, "keeping the made files");
	return r;
}

static int build(struct build *b)
{
	int r = give_void(b);

	if (r == 0)
		r = make_files(b);
	for (size_t i = 0; r >= 0 && i < b->p->count;) {
		r = step_op(b, i);
		i += r > 0 ? (size_t) r : 1;
	}
	return r < 0 ? r : 0;
}

int fs_steps(const struct fs_plan *p, struct fs_host *h, const struct fs_launch *at,
	     struct step_list *steps, struct err *e)
{
	struct view *v = arena_alloc(steps->arena, sizeof(*v));
	struct build b = { p, h, at, steps, v, -1, e };

	if (!v)
		return no_room(&b);
	*v = (struct view){
		.seat = at->seat,
		.root_fd = -1,
		.layers = { -1, -1, -1 },
		.proc_fd = -1,
		.sys_fd = -1,
		.empty_fd = -1,
		.empty_file_fd = -1,
		.hide_fd = -1,
		.hide_file_fd = -1,
		.tty_group = at->userns_fd < 0 || at->ids_count > 5,
	};
	int r = fault_point("make-view", e);
	if (r < 0)
		return r;
	r = build(&b);
	shop_drop(h->shop, b.files_fd);
	b.files_fd = fd_close(b.files_fd);
	return r;
}
