/* Spec and facts to a plan: pure, so that it can be printed, compared and tested without root.
 *
 * The order of the operations is the order of the mounts: the root, the kernel's file systems,
 * then what the spec asks for sorted by target, so that a parent is there before its child, and
 * hidden paths last, over everything else. */

#include "fs/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

#define CAP_SYS_ADMIN_BIT (UINT64_C(1) << 21)

/* A user namespace's root does not own what is root's in /proc, and no capability of its helps:
 * what is not world-accessible there needs no mount of ours. The rest is masked for everyone. */
const struct fs_proc_rule fs_proc_rules[] = {
	{ "kcore", FS_OP_MASK, false, false },
	{ "keys", FS_OP_MASK, false, true },
	{ "key-users", FS_OP_MASK, false, false },
	{ "acpi", FS_OP_MASK, true, false },
	{ "scsi", FS_OP_MASK, true, true },
	{ "asound", FS_OP_MASK, true, true },
	{ "interrupts", FS_OP_MASK, false, false },
	{ "kallsyms", FS_OP_MASK, false, false },
	{ "kpagecount", FS_OP_MASK, false, false },
	{ "kpageflags", FS_OP_MASK, false, false },
	{ "kpagecgroup", FS_OP_MASK, false, false },
	{ "latency_stats", FS_OP_MASK, false, true },
	{ "sched_debug", FS_OP_MASK, false, true },
	{ "slabinfo", FS_OP_MASK, false, false },
	{ "sysrq-trigger", FS_OP_MASK, false, false },
	{ "timer_list", FS_OP_MASK, false, false },
	{ "timer_stats", FS_OP_MASK, false, false },
	{ "vmallocinfo", FS_OP_MASK, false, false },
	{ "sys", FS_OP_LOCK, true, true },
	{ "irq", FS_OP_LOCK, true, false },
	{ "bus", FS_OP_LOCK, true, false },
	{ "fs", FS_OP_LOCK, true, false },
	{ "driver", FS_OP_LOCK, true, false },
	{ NULL, FS_OP_MASK, false, false },
};

/* Grows by doubling: most plans are short, and a start must not touch memory it does not need. */
static int make_room(struct fs_plan *p)
{
	size_t max = p->max ? 2 * p->max : 64;

	if (p->count < p->max)
		return 0;
	if (p->count >= FS_OPS_MAX)
		return -E2BIG;
	struct fs_op *ops = reallocarray(p->ops, max, sizeof(*ops));
	if (!ops)
		return -ENOMEM;
	p->ops = ops;
	p->max = max;
	return 0;
}

static struct fs_op *add(struct fs_plan *p, enum fs_op_kind kind, const char *target)
{
	if (make_room(p) < 0)
		return NULL;
	struct fs_op *o = &p->ops[p->count];
	*o = (struct fs_op){ .kind = kind };
	if (target && !(o->target = strdup(target)))
		return NULL;
	p->count++;
	return o;
}

static int add_flags(struct fs_plan *p, enum fs_op_kind kind, const char *target, unsigned flags)
{
	struct fs_op *o = add(p, kind, target);

	if (!o)
		return -ENOMEM;
	o->flags = flags;
	return 0;
}

__attribute__((format(printf, 4, 5))) static int add_text(struct fs_plan *p, enum fs_op_kind kind,
							  const char *target, const char *fmt, ...)
{
	struct fs_op *o = add(p, kind, target);
	va_list args;

	if (!o)
		return -ENOMEM;
	va_start(args, fmt);
	int n = vasprintf(&o->text, fmt, args);
	va_end(args);
	if (n < 0)
		o->text = NULL;
	return n < 0 ? -ENOMEM : 0;
}

/* --- what the host must offer --- */

static int lacks(struct err *e, const char *feature, const char *instead)
{
	return err_set(e, -EOPNOTSUPP, "files: this kernel lacks %s%s%s", feature,
		       instead ? "; " : "", instead ?: "");
}

static int check_facts(const struct spec *s, const struct facts *f, struct err *e)
{
	static const char use_none[] = "process.ids = none does without";
	bool idmap = s->process.ids != SPEC_IDS_NONE;
	bool overlay = s->files.mode != SPEC_MODE_READ_WRITE;

	if (!f->fs.mount_api)
		return lacks(e, "the new mount API (5.2)", NULL);
	if (overlay && !f->fs.overlay)
		return lacks(e, "overlayfs",
			     "files.mode = read-write with a DIRECTORY does without");
	if (idmap && !f->fs.idmap)
		return lacks(e, "id-mapped mounts on the host's root file system (5.12)", use_none);
	if (idmap && overlay && !f->fs.idmap_overlay)
		return lacks(e, "overlayfs above id-mapped layers (5.19)", use_none);
	if (idmap && s->files.root == SPEC_ROOT_HOST && !f->fs.idmap_mask)
		return lacks(e, "id-mapped tmpfs (6.3) and, in its place, mke2fs and loop devices",
			     use_none);
	if (s->files.mode == SPEC_MODE_COW && s->files.upper == SPEC_UPPER_KEPT && !f->fs.loop)
		return lacks(e, "loop devices", "files.upper = tmpfs:SIZE does without");
	return 0;
}

static int check_target(const char *key, const char *path, struct err *e)
{
	static const char *const reserved[] = { "/proc", "/sys", SPEC_NOTIFY_DIR };

	if (!path || !path_is_clean(path) || strcmp(path, "/") == 0)
		return err_set(e, -EINVAL, "files.%s \"%s\": not an absolute, plain path below /",
			       key, path ?: "");
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		size_t n = strlen(reserved[i]);

		if (strncmp(path, reserved[i], n) == 0 && (path[n] == '/' || !path[n]))
			return err_set(e, -EINVAL, "files.%s \"%s\": %s is made by Ward", key, path,
				       reserved[i]);
	}
	return 0;
}

static int check_spec(const struct spec *s, struct err *e)
{
	int r = 0;

	if (s->files.root == SPEC_ROOT_HOST && s->files.mode == SPEC_MODE_READ_WRITE)
		return err_set(e, -EINVAL,
			       "files.mode = read-write: would give the host's root away; "
			       "allowed with root = host: cow, read-only");
	if (s->files.root == SPEC_ROOT_DIRECTORY &&
	    (!s->files.root_path || !path_is_clean(s->files.root_path)))
		return err_set(e, -EINVAL, "files.root \"%s\": not an absolute, plain path",
			       s->files.root_path ?: "");
	if (s->files.bind_count > FS_ATTACHED_MAX)
		return err_set(e, -E2BIG, "files.bind: %zu entries; at most %d are possible",
			       s->files.bind_count, FS_ATTACHED_MAX);
	for (size_t i = 0; r == 0 && i < s->files.bind_count; i++)
		r = check_target("bind", s->files.binds[i].target, e);
	for (size_t i = 0; r == 0 && i < s->files.tmpfs_count; i++)
		r = check_target("tmpfs", s->files.tmpfs[i].target, e);
	for (size_t i = 0; r == 0 && i < s->files.hide.count; i++)
		r = check_target("hide", s->files.hide.items[i], e);
	for (size_t i = 0; r == 0 && i < s->files.devices.count; i++)
		if (strncmp(s->files.devices.items[i], "/dev/", 5) != 0 ||
		    !path_is_clean(s->files.devices.items[i]))
			r = err_set(e, -EINVAL, "files.device \"%s\": not a path below /dev",
				    s->files.devices.items[i]);
	return r;
}

/* --- the operations --- */

static bool own_network(const struct spec *s)
{
	return s->network.mode == SPEC_NETWORK_NONE || s->network.mode == SPEC_NETWORK_PRIVATE;
}

/* Whom it asks for names: nobody, the servers that are declared, or whom the host asks. */
static int add_resolver(struct fs_plan *p, const struct spec *s)
{
	const struct strv *dns = &s->network.dns;
	bool alone = own_network(s) && s->network.addresses.count == 0;
	struct buf text = { 0 };
	int r;

	if (!alone && dns->count == 0)
		return add_flags(p, FS_OP_FILE, "/etc/resolv.conf", 0);
	for (size_t i = 0; !alone && i < dns->count; i++)
		buf_printf(&text, "nameserver %s\n", dns->items[i]);
	r = text.error;
	if (r == 0)
		r = add_text(p, FS_OP_FILE, "/etc/resolv.conf", "%s", text.data ? text.data : "");
	buf_done(&text);
	return r;
}

static int add_files(struct fs_plan *p, const struct spec *s)
{
	const char *host = s->context.hostname ?: s->name;
	int r = add_text(p, FS_OP_FILE, "/etc/hostname", "%s\n", host);

	if (r == 0)
		r = add_text(p, FS_OP_FILE, "/etc/hosts",
			     "127.0.0.1\tlocalhost\n127.0.1.1\t%s\n"
			     "::1\tlocalhost ip6-localhost ip6-loopback\n",
			     host);
	return r < 0 ? r : add_resolver(p, s);
}

#define SHM_BYTES (UINT64_C(64) << 20)

static bool below_dev(const char *path)
{
	return strncmp(path, "/dev/", 5) == 0 && strcmp(path, "/dev/shm") != 0;
}

static int add_tmpfs(struct fs_plan *p, const char *target, uint64_t bytes)
{
	struct fs_op *o = add(p, FS_OP_TMPFS, target);

	if (!o)
		return -ENOMEM;
	o->bytes = bytes;
	return 0;
}

/* Unless the spec says how large. */
static int add_shm(struct fs_plan *p, const struct spec *s)
{
	for (size_t i = 0; i < s->files.tmpfs_count; i++)
		if (strcmp(s->files.tmpfs[i].target, "/dev/shm") == 0)
			return 0;
	return add_tmpfs(p, "/dev/shm", SHM_BYTES);
}

/* The shared /dev is frozen: whoever adds to it gets one of its own. */
static bool needs_own_dev(const struct spec *s)
{
	bool own = s->context.init == SPEC_INIT_PATH || s->files.devices.count > 0;

	for (size_t i = 0; i < s->files.bind_count; i++)
		own |= below_dev(s->files.binds[i].target);
	for (size_t i = 0; i < s->files.tmpfs_count; i++)
		own |= below_dev(s->files.tmpfs[i].target);
	return own;
}

static int add_dev(struct fs_plan *p, const struct spec *s)
{
	bool own = needs_own_dev(s);
	unsigned flags = (own ? 0 : FS_OP_READ_ONLY) | (own || p->chown ? FS_OP_PRIVATE : 0);
	int r = add_flags(p, FS_OP_DEV, "/dev", flags);

	for (size_t i = 0; r == 0 && i < s->files.devices.count; i++)
		r = add_flags(p, FS_OP_DEVICE, s->files.devices.items[i], 0);
	if (r == 0)
		r = add_flags(p, FS_OP_DEVPTS, "/dev/pts", 0);
	if (r == 0)
		r = add_shm(p, s);
	if (r == 0)
		r = add_flags(p, FS_OP_MQUEUE, "/dev/mqueue", 0);
	if (r == 0 && spec_wants_notify(s))
		r = add_flags(p, FS_OP_NOTIFY, SPEC_NOTIFY_DIR, FS_OP_DIRECTORY);
	return r;
}

static int add_kernel(struct fs_plan *p, const struct spec *s)
{
	bool own_net = own_network(s);
	int r = add_flags(p, FS_OP_PROC, "/proc", 0);

	for (const struct fs_proc_rule *m = fs_proc_rules; r == 0 && m->path; m++) {
		char path[64];

		if (!m->always && p->idmap)
			continue;
		(void) snprintf(path, sizeof(path), "/proc/%s", m->path);
		r = add_flags(p, m->kind, path, m->directory ? FS_OP_DIRECTORY : 0);
	}
	if (r == 0)
		r = add_flags(p, FS_OP_SYS, "/sys",
			      FS_OP_READ_ONLY | (own_net ? FS_OP_PRIVATE : 0));
	if (r == 0)
		r = add_flags(p, FS_OP_MASK, "/sys/firmware", FS_OP_DIRECTORY);
	if (r == 0 && !p->idmap)
		r = add_flags(p, FS_OP_MASK, "/sys/devices/virtual/powercap", FS_OP_DIRECTORY);
	if (r == 0 && s->context.init == SPEC_INIT_PATH)
		r = add_flags(p, FS_OP_CGROUP, "/sys/fs/cgroup", 0);
	return r;
}

static int by_target(const void *a, const void *b)
{
	const struct fs_op *x = a, *y = b;
	int r = strcmp(x->target, y->target);

	return r ? r : (x->kind > y->kind) - (x->kind < y->kind);
}

static int add_mounts(struct fs_plan *p, const struct spec *s)
{
	size_t first = p->count;

	for (size_t i = 0; i < s->files.tmpfs_count; i++)
		if (add_tmpfs(p, s->files.tmpfs[i].target, s->files.tmpfs[i].size_bytes) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < s->files.bind_count; i++) {
		struct fs_op *o = add(p, FS_OP_BIND, s->files.binds[i].target);

		if (!o || !(o->source = strdup(s->files.binds[i].source)))
			return -ENOMEM;
		o->flags = s->files.binds[i].writable ? 0 : FS_OP_READ_ONLY;
		p->binds++;
	}
	qsort(p->ops + first, p->count - first, sizeof(*p->ops), by_target);
	for (size_t i = 0; i < s->files.hide.count; i++)
		if (!add(p, FS_OP_HIDE, s->files.hide.items[i]))
			return -ENOMEM;
	return 0;
}

static int add_warnings(struct fs_plan *p, const struct spec *s, const struct facts *f)
{
	if (p->root == SPEC_ROOT_HOST && f->fs.apart[0]) {
		int r = add_text(p, FS_OP_WARNING, NULL,
				 "file systems of the host that are mounted below / are empty in "
				 "the view, bind what is needed: %s",
				 f->fs.apart);
		if (r < 0)
			return r;
	}
	bool written = p->mode == SPEC_MODE_READ_WRITE;
	for (size_t i = 0; i < s->files.bind_count; i++)
		written |= s->files.binds[i].writable;
	if (written && add_text(p, FS_OP_WARNING, NULL, "%s",
				"what the context writes to the host's directories belongs to the "
				"host's ids, root's too: keep them where only root may enter, or a "
				"setuid file made inside is one for the host's users") < 0)
		return -ENOMEM;
	/* Elsewhere the mounts are locked (context/namespaces.c). */
	if (p->idmap || !(s->process.capabilities & CAP_SYS_ADMIN_BIT))
		return 0;
	return add_text(p, FS_OP_WARNING, NULL, "%s",
			"with the capability sys-admin and the host's own ids the context may undo "
			"every mount of its view: masks, read-only binds and hidden paths are then "
			"no wall");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static int fill(struct fs_plan *p, const struct spec *s, const struct facts *f)
{
	p->root = s->files.root;
	p->mode = s->files.mode;
	p->upper = s->files.upper;
	p->upper_bytes = s->files.upper_bytes;
	p->idmap = s->process.ids != SPEC_IDS_NONE;
	p->chown = p->idmap && !f->fs.idmap_tmpfs;
	memcpy(p->name, s->name, sizeof(p->name));
	if (strv_copy(&p->show, &s->files.show) < 0)
		return -ENOMEM;
	if (p->show.count)
		qsort(p->show.items, p->show.count, sizeof(char *), by_text);
	if (s->files.root_path && !(p->root_path = strdup(s->files.root_path)))
		return -ENOMEM;

	int r = add_warnings(p, s, f);
	if (r == 0)
		r = add_flags(p, FS_OP_ROOT, "/", 0);
	if (r == 0)
		r = add_files(p, s);
	if (r == 0)
		r = add_dev(p, s);
	if (r == 0)
		r = add_kernel(p, s);
	if (r == 0)
		r = add_mounts(p, s);
	return r < 0 ? r : add_flags(p, FS_OP_PIVOT, NULL, 0);
}

int fs_plan_new(const struct spec *spec, const struct facts *facts, struct fs_plan **ret,
		struct err *e)
{
	int r = check_spec(spec, e);

	if (r == 0)
		r = check_facts(spec, facts, e);
	if (r < 0)
		return r;

	struct fs_plan *p = calloc(1, sizeof(*p));
	r = p ? fill(p, spec, facts) : -ENOMEM;
	if (r < 0) {
		fs_plan_free(p);
		return err_set_errno(e, r, "planning the view of %s", spec->name);
	}
	*ret = p;
	return 0;
}

void fs_plan_free(struct fs_plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++) {
		free(p->ops[i].source);
		free(p->ops[i].target);
		free(p->ops[i].text);
	}
	free(p->ops);
	free(p->root_path);
	strv_done(&p->show);
	free(p);
}
