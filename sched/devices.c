/* Which device nodes a context may open, whatever nodes its view shows.
 *
 * With cgroup2 it is a small BPF program on the instance's directory, which slots inherit for
 * free; a slot with devices of its own gets a program of its own in its place. Without BPF it is
 * v1's devices.allow, and then per slot: a v1 cgroup can never be allowed more than its parent. */
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "sched/host.h"

/* null zero full random urandom, tty ptmx, and the slaves of Unix 98 terminals. */
static const struct cg_device standard[] = {
	{ 'c', 1, 3, false }, { 'c', 1, 5, false }, { 'c', 1, 7, false }, { 'c', 1, 8, false },
	{ 'c', 1, 9, false }, { 'c', 5, 0, false }, { 'c', 5, 2, false }, { 'c', 136, 0, true },
};
_Static_assert(ARRAY_SIZE(standard) <= 16, "DEVICES_PROGRAM_MAX leaves room for 16");

int device_resolve(const char *path, struct cg_device *ret)
{
	struct stat s;

	if (stat(path, &s) < 0)
		return -errno;
	if (!S_ISCHR(s.st_mode) && !S_ISBLK(s.st_mode))
		return -ENODEV;
	*ret = (struct cg_device){ S_ISCHR(s.st_mode) ? 'c' : 'b', major(s.st_rdev),
				   minor(s.st_rdev), false };
	return 0;
}

/* --- v1 --- */

static int allow_v1(int fd, const struct cg_device *d)
{
	char text[64], number[16];

	(void) snprintf(number, sizeof(number), "%u", d->minor);
	(void) snprintf(text, sizeof(text), "%c %u:%s rw", d->type, d->major,
			d->any_minor ? "*" : number);
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int allow_all_v1(const struct sched_host *h, unsigned slot, const struct cg_device *list,
			size_t n)
{
	_cleanup_close_ int fd =
		slot_openat(host_tree(h, CG_DEVICES), slot, "devices.allow", O_WRONLY);
	int r = fd < 0 ? fd : 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = allow_v1(fd, &list[i]);
	return r;
}

int devices_confine_slot(const struct sched_host *h, unsigned slot)
{
	int r = slot_write(host_tree(h, CG_DEVICES), slot, "devices.deny", "a");

	return r < 0 ? r : allow_all_v1(h, slot, standard, ARRAY_SIZE(standard));
}

/* --- BPF --- */

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

/* Registers: 2 type, 3 access, 4 major, 5 minor. A rule that does not match jumps to the next. */
static size_t emit_rule(const struct cg_device *d, struct bpf_insn *out)
{
	int type = d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	short skip = d->any_minor ? 3 : 4;
	size_t n = 0;

	out[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 2, 0, skip--, type);
	out[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, skip--, (int) d->major);
	if (!d->any_minor)
		out[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 5, 0, skip--, (int) d->minor);
	out[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
	out[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return n;
}

size_t devices_program(const struct cg_device *extra, size_t count, struct bpf_insn *out)
{
	size_t n = 0;

	/* access_type holds the type in its lower and the access in its upper half. */
	out[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);
	out[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0);
	out[n++] = INSN(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	out[n++] = INSN(BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 0, 16);
	out[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
	out[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
	out[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	/* mknod is for nobody: straight to the last instruction. */
	out[n++] = INSN(BPF_JMP | BPF_JSET | BPF_K, 3, 0, 0, BPF_DEVCG_ACC_MKNOD);
	for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
		n += emit_rule(&standard[i], out + n);
	for (size_t i = 0; i < count; i++)
		n += emit_rule(&extra[i], out + n);
	out[7].off = (short) (n - 8);
	out[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	out[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return n;
}

static int instructions_load(const struct bpf_insn *insns, size_t count)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insn_cnt = (unsigned) count;
	attr.insns = (uintptr_t) insns;
	attr.license = (uintptr_t) "GPL";
	memcpy(attr.prog_name, "ward_devices", sizeof("ward_devices"));
	return cg_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* @map counts what is denied; -1: nothing does. */
static int program_load_with(const struct cg_device *extra, size_t count, int map)
{
	struct bpf_insn insns[DEVICES_PROGRAM_MAX + 2 + DENIALS_PROGRAM_MAX];
	size_t n = devices_program(extra, count, insns);

	if (map >= 0)
		n = n - 2 + denials_program(map, insns + n - 2); /* before it says 0 */
	return instructions_load(insns, n);
}

static int program_load(const struct cg_device *extra, size_t count, int map)
{
	int fd = program_load_with(extra, count, map);

	return fd < 0 && map >= 0 ? program_load_with(extra, count, -1) : fd;
}

bool devices_bpf_loads(void)
{
	_cleanup_close_ int fd = program_load(NULL, 0, -1);

	return fd >= 0;
}

/* The cgroup keeps the program; OVERRIDE lets a slot's program stand in its place. */
static int program_attach(int cgroup, int program)
{
	union bpf_attr attr;

	if (program < 0)
		return program;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (unsigned) cgroup;
	attr.attach_bpf_fd = (unsigned) program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_OVERRIDE;
	return cg_bpf(BPF_PROG_ATTACH, &attr, sizeof(attr));
}

int devices_confine(struct sched_host *h, struct err *e)
{
	_cleanup_close_ int program = -1;
	int r;

	h->denials = denials_map_new();
	program = program_load(NULL, 0, h->denials);
	r = program_attach(host_tree(h, CG_CORE)->fd, program);
	return r < 0 ? err_set_errno(e, r, "cgroup %s: attaching the device filter", h->instance)
		     : 0;
}

int devices_allow(const struct sched_host *h, unsigned slot, const struct cg_device *extra,
		  size_t n, struct err *e)
{
	_cleanup_close_ int dir = -1, program = -1;
	int r = -EOPNOTSUPP;

	if (h->devices == CG_DEVICES_V1)
		r = allow_all_v1(h, slot, extra, n);
	if (h->devices == CG_DEVICES_BPF) {
		dir = slot_openat(host_tree(h, CG_CORE), slot, "", O_RDONLY | O_DIRECTORY);
		program = program_load(extra, n, h->denials);
		r = dir < 0 ? dir : program_attach(dir, program);
	}
	return r < 0 ? err_set_errno(e, r, "cgroup %s/%u: allowing devices", h->instance, slot) : 0;
}

int devices_free(const struct sched_host *h, unsigned slot)
{
	static const struct bpf_insn yes[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	_cleanup_close_ int dir = -1, program = -1;

	if (h->devices != CG_DEVICES_BPF)
		return 0; /* of v1 no slot is confined but by devices_confine_slot() */
	dir = slot_openat(host_tree(h, CG_CORE), slot, "", O_RDONLY | O_DIRECTORY);
	program = instructions_load(yes, ARRAY_SIZE(yes));
	return dir < 0 ? dir : program_attach(dir, program);
}
