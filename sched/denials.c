/* Counting device nodes that were not opened. The filter of devices.c notes each denial in a map,
 * by the cgroup of the process; there is one map a daemon, bounded, and the oldest go. It is found
 * through the program that is attached, so counts of an earlier daemon's slots are read too. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sched/host.h"

#define ENTRIES 4096
#define NESTED_MAX 8 /* cgroups below cgroups that are looked into */

struct denial {
	uint64_t count;
	uint32_t type, access, major, minor; /* of the last one */
};

int cg_bpf(int command, union bpf_attr *attr, size_t size)
{
	return (int) sys(syscall(SYS_bpf, command, attr, size));
}

int denials_map_new(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_LRU_HASH;
	attr.key_size = sizeof(uint64_t);
	attr.value_size = sizeof(struct denial);
	attr.max_entries = ENTRIES;
	memcpy(attr.map_name, "ward_denials", sizeof("ward_denials"));
	return cg_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define STORE(size, off, reg) INSN(BPF_STX | BPF_MEM | (size), 10, reg, off, 0)
#define CALL(function) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function)
#define POINT(reg, off)                                                                            \
	INSN(BPF_ALU64 | BPF_MOV | BPF_X, reg, 10, 0, 0),                                          \
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, off)
#define MAP(reg, fd)                                                                               \
	INSN(BPF_LD | BPF_DW | BPF_IMM, reg, BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)

enum { KEY = -32, VALUE = -24 }; /* on the program's stack */

size_t denials_program(int map, struct bpf_insn *out)
{
	const struct bpf_insn program[] = {
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, VALUE, 1),
		STORE(BPF_W, VALUE + 8, 2),
		STORE(BPF_W, VALUE + 12, 3),
		STORE(BPF_W, VALUE + 16, 4),
		STORE(BPF_W, VALUE + 20, 5),
		CALL(BPF_FUNC_get_current_cgroup_id),
		STORE(BPF_DW, KEY, 0),
		MAP(1, map),
		POINT(2, KEY),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 7, 0), /* the first of its kind */
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, 1, 10, VALUE + 8, 0),
		INSN(BPF_STX | BPF_MEM | BPF_DW, 0, 1, 8, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, 1, 10, VALUE + 16, 0),
		INSN(BPF_STX | BPF_MEM | BPF_DW, 0, 1, 16, 0),
		INSN(BPF_JMP | BPF_JA, 0, 0, 8, 0),
		MAP(1, map),
		POINT(2, KEY),
		POINT(3, VALUE),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, BPF_ANY),
		CALL(BPF_FUNC_map_update_elem),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	_Static_assert(ARRAY_SIZE(program) <= DENIALS_PROGRAM_MAX, "too long");
	memcpy(out, program, sizeof(program));
	return ARRAY_SIZE(program);
}

/* --- reading --- */

/* The program that decides for this cgroup. */
static int program_of(int cgroup)
{
	union bpf_attr attr;
	uint32_t ids[4];
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (unsigned) cgroup;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.query_flags = BPF_F_QUERY_EFFECTIVE;
	attr.query.prog_ids = (uintptr_t) ids;
	attr.query.prog_cnt = ARRAY_SIZE(ids);
	r = cg_bpf(BPF_PROG_QUERY, &attr, sizeof(attr));
	if (r < 0 || attr.query.prog_cnt == 0)
		return r < 0 ? r : -EOPNOTSUPP;
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = ids[0]; /* the nearest comes first, and is ours */
	return cg_bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
}

static int map_of(int program)
{
	struct bpf_prog_info info = {};
	uint32_t map = 0;
	union bpf_attr attr;
	int r;

	info.nr_map_ids = 1;
	info.map_ids = (uintptr_t) &map;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (unsigned) program;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t) &info;
	r = cg_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
	if (r < 0 || info.nr_map_ids == 0 || memcmp(info.name, "ward_devices", 12) != 0)
		return r < 0 ? r : -EOPNOTSUPP;
	memset(&attr, 0, sizeof(attr));
	attr.map_id = map;
	return cg_bpf(BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr));
}

static void add(int map, uint64_t cgroup, struct sched_denials *sum)
{
	union bpf_attr attr;
	struct denial d;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (unsigned) map;
	attr.key = (uintptr_t) &cgroup;
	attr.value = (uintptr_t) &d;
	if (cg_bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) < 0)
		return;
	sum->count += d.count;
	sum->type = d.type == BPF_DEVCG_DEV_BLOCK ? 'b' : 'c';
	sum->major = d.major;
	sum->minor = d.minor;
	sum->read = d.access & BPF_DEVCG_ACC_READ;
	sum->write = d.access & BPF_DEVCG_ACC_WRITE;
	sum->mknod = d.access & BPF_DEVCG_ACC_MKNOD;
}

/* A cgroup's number is that of its directory; those its processes made count as well. */
static void add_tree(int map, int fd, unsigned depth, struct sched_denials *sum)
{
	int copy = sys(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct stat st;

	if (fstat(fd, &st) == 0)
		add(map, st.st_ino, sum);
	if (!d) {
		(void) fd_close(copy);
		return;
	}
	for (struct dirent *x; depth > 0 && (x = readdir(d)) != NULL;) {
		_cleanup_close_ int sub = -1;

		if (x->d_type != DT_DIR || x->d_name[0] == '.')
			continue;
		sub = openat(copy, x->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub >= 0)
			add_tree(map, sub, depth - 1, sum);
	}
	(void) closedir(d);
}

int sched_slot_denials(struct sched_host *h, unsigned slot, struct sched_denials *ret)
{
	_cleanup_close_ int cgroup = -1, program = -1, map = -1;
	struct sched_denials sum = {};

	if (h->devices != CG_DEVICES_BPF)
		return -EOPNOTSUPP;
	cgroup = slot_openat(host_tree(h, CG_CORE), slot, "", O_RDONLY | O_DIRECTORY);
	if (cgroup < 0)
		return cgroup;
	program = program_of(cgroup);
	if (program < 0)
		return program;
	map = map_of(program);
	if (map < 0)
		return map;
	add_tree(map, cgroup, NESTED_MAX, &sum);
	*ret = sum;
	return 0;
}
