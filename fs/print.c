/* The plan as text: one line an operation, for `wardctl plan` and the golden tests. */

#include "fs/plan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
	[FS_OP_WARNING] = "warning", [FS_OP_ROOT] = "root",	[FS_OP_FILE] = "file",
	[FS_OP_DEV] = "dev",	     [FS_OP_DEVICE] = "device", [FS_OP_DEVPTS] = "devpts",
	[FS_OP_MQUEUE] = "mqueue",   [FS_OP_PROC] = "proc",	[FS_OP_SYS] = "sysfs",
	[FS_OP_CGROUP] = "cgroup2",  [FS_OP_MASK] = "mask",	[FS_OP_LOCK] = "read-only",
	[FS_OP_TMPFS] = "tmpfs",     [FS_OP_BIND] = "bind",	[FS_OP_HIDE] = "hide",
	[FS_OP_PIVOT] = "pivot",    [FS_OP_NOTIFY] = "notify",
};
static_assert(ARRAY_SIZE(kind_names) == FS_OP_KIND_COUNT, "a name for each kind");

const char *fs_op_kind_name(enum fs_op_kind k)
{
	return kind_names[k];
}

static void print_root(const struct fs_plan *p, struct buf *out)
{
	bool host = p->root == SPEC_ROOT_HOST;
	const char *lower = host ? "/" : p->root_path;
	const char *mapped = p->idmap ? " idmapped" : "";

	if (p->mode == SPEC_MODE_READ_WRITE) {
		buf_printf(out, "bind %s rw%s nodev", lower, mapped);
		return;
	}
	buf_printf(out, "overlay lower=%s%s%s", host ? "secrets-mask:" : "", lower, mapped);
	for (size_t i = 0; i < p->show.count; i++)
		buf_printf(out, " show=%s", p->show.items[i]);
	if (p->mode != SPEC_MODE_COW)
		buf_puts(out, " ro");
	else if (p->upper == SPEC_UPPER_TMPFS)
		buf_printf(out, " upper=tmpfs:%llu%s", (unsigned long long) p->upper_bytes,
			   p->chown ? " chowned" : "");
	else
		buf_printf(out, " upper=uppers/%s.img:%llu", p->name,
			   (unsigned long long) p->upper_bytes);
	buf_puts(out, " nodev");
}

/* A file's content on one line. */
static void print_text(const char *text, struct buf *out)
{
	buf_puts(out, " \"");
	for (; *text; text++) {
		if (*text == '\n')
			buf_puts(out, "\\n");
		else if (*text == '\t')
			buf_puts(out, "\\t");
		else
			buf_add(out, text, 1);
	}
	buf_puts(out, "\"");
}

static void print_details(const struct fs_plan *p, const struct fs_op *o, struct buf *out)
{
	const char *ro = o->flags & FS_OP_READ_ONLY ? " ro" : " rw";

	switch (o->kind) {
	case FS_OP_ROOT:
		buf_puts(out, " ");
		print_root(p, out);
		break;
	case FS_OP_WARNING:
		buf_printf(out, " %s", o->text);
		break;
	case FS_OP_FILE:
		if (o->text)
			print_text(o->text, out);
		else
			buf_puts(out, " from the host");
		break;
	case FS_OP_DEV:
		buf_printf(out, " %s%s nosuid", o->flags & FS_OP_PRIVATE ? "own" : "shared", ro);
		break;
	case FS_OP_SYS:
		buf_printf(out, "%s nosuid nodev noexec%s", ro,
			   o->flags & FS_OP_PRIVATE ? " own" : " of the host");
		break;
	case FS_OP_PROC:
	case FS_OP_CGROUP:
	case FS_OP_MQUEUE:
		buf_puts(out, " rw nosuid nodev noexec");
		break;
	case FS_OP_NOTIFY:
		buf_puts(out, " ro nosuid nodev noexec");
		break;
	case FS_OP_DEVPTS:
		buf_puts(out, " newinstance ptmxmode=0666 mode=0620 nosuid noexec");
		break;
	case FS_OP_TMPFS:
		buf_printf(out, " size=%llu rw nosuid nodev", (unsigned long long) o->bytes);
		break;
	case FS_OP_BIND:
		buf_printf(out, " from %s%s nosuid nodev%s", o->source, ro,
			   p->idmap ? " idmapped" : "");
		break;
	case FS_OP_HIDE:
	case FS_OP_DEVICE:
	case FS_OP_MASK:
	case FS_OP_LOCK:
	case FS_OP_PIVOT:
	case FS_OP_KIND_COUNT:
		break;
	}
}

void fs_print(const struct fs_plan *p, struct buf *out)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct fs_op *o = &p->ops[i];

		buf_puts(out, kind_names[o->kind]);
		if (o->target)
			buf_printf(out, " %s", o->target);
		print_details(p, o, out);
		buf_puts(out, "\n");
	}
}
