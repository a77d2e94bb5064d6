/* The program, made here from the offsets that the running kernel's BTF tells. For each cgroup it
 * takes the next record of an array map and fills it by probe_read_kernel. Each hierarchy has one
 * of its own, which looks at nothing but what this hierarchy knows: what it costs is the memory
 * that it touches. */
#include "sched/bulk_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sched/btf.h"

static const struct {
	const char *subsystem; /* the enumerator of its place in cgroup.subsys */
	const char *member; /* or the pointer's name */
} bases[] = {
	[BULK_ANY] = { NULL, NULL }, /* the cgroup, in every hierarchy */
	[BULK_CGROUP] = { NULL, NULL }, /* the cgroup, in cgroup2 */
	[BULK_NODE] = { NULL, "kn" },
	[BULK_PRESSURE] = { NULL, "psi" },
	[BULK_MEMORY] = { "memory_cgrp_id", NULL },
	[BULK_TASKS] = { "pids_cgrp_id", NULL },
	[BULK_CPU] = { "cpu_cgrp_id", NULL },
};
_Static_assert(ARRAY_SIZE(bases) == BULK_BASE_COUNT, "one row for each base");

static const struct source {
	enum bulk_base base;
	const char *structure, *member;
	const char *enumeration, *index; /* of an array of u64: which one, or NULL */
	unsigned bytes;
	bool optional; /* stays 0 where the kernel has no such field */
} sources[] = {
#define PSI(i) BULK_PRESSURE, "psi_group", "total", "psi_states", i, 8, true
#define EVENT(i) BULK_MEMORY, "mem_cgroup", "memory_events", "memcg_memory_event", i, 8, true
	[BULK_LEVEL] = { BULK_ANY, "cgroup", "level", NULL, NULL, 4, false },
	[BULK_CPU_NS] = { BULK_CGROUP, "cgroup", "bstat.cputime.sum_exec_runtime", NULL, NULL, 8,
			  false },
	[BULK_USER_NS] = { BULK_CGROUP, "cgroup", "bstat.cputime.utime", NULL, NULL, 8, false },
	[BULK_SYSTEM_NS] = { BULK_CGROUP, "cgroup", "bstat.cputime.stime", NULL, NULL, 8, false },
	[BULK_IO_SOME_NS] = { PSI("PSI_IO_SOME") },
	[BULK_IO_FULL_NS] = { PSI("PSI_IO_FULL") },
	[BULK_MEMORY_SOME_NS] = { PSI("PSI_MEM_SOME") },
	[BULK_MEMORY_FULL_NS] = { PSI("PSI_MEM_FULL") },
	[BULK_CPU_SOME_NS] = { PSI("PSI_CPU_SOME") },
	[BULK_CPU_FULL_NS] = { PSI("PSI_CPU_FULL") },
	[BULK_MEMORY_PAGES] = { BULK_MEMORY, "mem_cgroup", "memory.usage", NULL, NULL, 8, false },
	[BULK_MEMORY_PEAK_PAGES] = { BULK_MEMORY, "mem_cgroup", "memory.watermark", NULL, NULL, 8,
				     false },
	[BULK_MEMORY_LIMIT_PAGES] = { BULK_MEMORY, "mem_cgroup", "memory.max", NULL, NULL, 8,
				      false },
	[BULK_MEMORY_FAILS] = { BULK_MEMORY, "mem_cgroup", "memory.failcnt", NULL, NULL, 8, true },
	[BULK_SWAP_PAGES] = { BULK_MEMORY, "mem_cgroup", "swap.usage", NULL, NULL, 8, true },
	[BULK_SWAP_FAILS] = { BULK_MEMORY, "mem_cgroup", "swap.failcnt", NULL, NULL, 8, true },
	[BULK_MAX_EVENTS] = { EVENT("MEMCG_MAX") },
	[BULK_OOM_KILLS] = { EVENT("MEMCG_OOM_KILL") },
	[BULK_PIDS] = { BULK_TASKS, "pids_cgroup", "counter", NULL, NULL, 8, false },
	[BULK_PIDS_PEAK] = { BULK_TASKS, "pids_cgroup", "watermark", NULL, NULL, 8, true },
	[BULK_PIDS_LIMIT] = { BULK_TASKS, "pids_cgroup", "limit", NULL, NULL, 8, false },
	/* The first of its events is PIDCG_MAX, in every version so far. */
	[BULK_PIDS_FAILS] = { BULK_TASKS, "pids_cgroup", "events", NULL, NULL, 8, true },
	[BULK_PERIODS] = { BULK_CPU, "task_group", "cfs_bandwidth.nr_periods", NULL, NULL, 4,
			   true },
	[BULK_THROTTLED] = { BULK_CPU, "task_group", "cfs_bandwidth.nr_throttled", NULL, NULL, 4,
			     true },
	[BULK_THROTTLED_NS] = { BULK_CPU, "task_group", "cfs_bandwidth.throttled_time", NULL, NULL,
				8, true },
#undef PSI
#undef EVENT
};
_Static_assert(ARRAY_SIZE(sources) == BULK_FIELD_COUNT, "one row for each field");

/* --- where things are --- */

static long locate(const struct btf *btf, const struct source *s)
{
	long at = btf_offset(btf, s->structure, s->member);
	long index = s->index != NULL ? btf_enumerator(btf, s->enumeration, s->index) : 0;

	return at < 0 ? at : index < 0 ? index : at + index * (long) sizeof(uint64_t);
}

static int locate_bases(const struct btf *btf, struct bulk_layout *at)
{
	long subsys = btf_offset(btf, "cgroup", "subsys");

	for (unsigned i = 0; i < BULK_BASE_COUNT; i++) {
		long id = 0;

		if (bases[i].member != NULL) {
			at->base[i] = btf_offset(btf, "cgroup", bases[i].member);
		} else if (bases[i].subsystem != NULL) {
			id = btf_enumerator(btf, "cgroup_subsys_id", bases[i].subsystem);
			at->base[i] = id < 0 ? id : subsys + id * (long) sizeof(void *);
		}
		if (at->base[i] < 0 && i != BULK_PRESSURE) /* PSI can be left out of a kernel */
			return -EOPNOTSUPP;
	}
	/* A controller's state is taken for the whole of its structure. */
	return subsys < 0 || btf_offset(btf, "mem_cgroup", "css") != 0 ||
			       btf_offset(btf, "pids_cgroup", "css") != 0 ||
			       btf_offset(btf, "task_group", "css") != 0
		       ? -EOPNOTSUPP
		       : 0;
}

int bulk_locate(struct bulk_layout *at)
{
	struct btf btf;
	int r = btf_open(&btf);

	if (r < 0)
		return r;
	r = locate_bases(&btf, at);
	for (unsigned i = 0; i < BULK_FIELD_COUNT && r == 0; i++) {
		at->field[i] = locate(&btf, &sources[i]);
		if (at->field[i] < 0 && !sources[i].optional)
			r = -EOPNOTSUPP;
	}
	at->name = btf_offset(&btf, "kernfs_node", "name");
	at->cgroup = btf_offset(&btf, "bpf_iter__cgroup", "cgroup");
	at->iterator = btf_function(&btf, "bpf_iter_cgroup");
	btf_done(&btf);
	if (at->name < 0 || at->cgroup < 0 || at->iterator < 0)
		return -EOPNOTSUPP;
	return r;
}

/* --- the program --- */

#define PROGRAM_MAX 512
struct program {
	struct bpf_insn insns[PROGRAM_MAX];
	unsigned count;
};

static void emit(struct program *p, int code, int dst, int src, long off, long imm)
{
	if (p->count < PROGRAM_MAX)
		p->insns[p->count++] = (struct bpf_insn){ .code = (__u8) code,
							  .dst_reg = (__u8) (dst & 15),
							  .src_reg = (__u8) (src & 15),
							  .off = (__s16) off,
							  .imm = (__s32) imm };
}

#define MOV_REG (BPF_ALU64 | BPF_MOV | BPF_X)
#define MOV_IMM (BPF_ALU64 | BPF_MOV | BPF_K)
#define ADD_IMM (BPF_ALU64 | BPF_ADD | BPF_K)
#define LOAD (BPF_LDX | BPF_MEM | BPF_DW)
#define CALL (BPF_JMP | BPF_CALL)
enum { R0, R1, R2, R3, R6 = 6, R7, R8, R9, FP }; /* 6: context, 7: cgroup, 8: record, 9: base */
#define POINTER_AT (-16) /* on the stack */
#define INDEX_AT (-8)

/* Copies `bytes` from (from + from_off) to (to + to_off); zeros where that is no memory. */
static void emit_read(struct program *p, int to, long to_off, unsigned bytes, int from,
		      long from_off)
{
	emit(p, MOV_REG, R1, to, 0, 0);
	emit(p, ADD_IMM, R1, 0, 0, to_off);
	emit(p, MOV_IMM, R2, 0, 0, bytes);
	emit(p, MOV_REG, R3, from, 0, 0);
	emit(p, ADD_IMM, R3, 0, 0, from_off);
	emit(p, CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel);
}

/* Whether the next field lies right behind this one, there as here. */
static bool follows(const struct bulk_layout *at, unsigned i)
{
	return i + 1 < BULK_FIELD_COUNT && sources[i + 1].base == sources[i].base &&
	       sources[i].bytes == sizeof(uint64_t) && sources[i + 1].bytes == sizeof(uint64_t) &&
	       at->field[i + 1] == at->field[i] + (long) sizeof(uint64_t);
}

static void emit_fields(const struct bulk_layout *at, enum bulk_base base, int from,
			struct program *p)
{
	for (unsigned i = 0; i < BULK_FIELD_COUNT; i++) {
		long to = (long) (offsetof(struct bulk_record, of) + i * sizeof(uint64_t));
		unsigned bytes = sources[i].bytes, first = i;

		if (sources[i].base != base || at->field[i] < 0)
			continue;
		while (follows(at, i)) {
			i++;
			bytes += sources[i].bytes;
		}
		emit_read(p, R8, to, bytes, from, at->field[first]);
	}
}

/* Follows the base's pointer into r9 and reads its fields, or nothing where it is NULL. */
static void emit_base(const struct bulk_layout *at, enum bulk_base base, struct program *p)
{
	unsigned skip;

	if (at->base[base] < 0)
		return;
	emit_read(p, FP, POINTER_AT, 8, R7, at->base[base]);
	emit(p, LOAD, R9, FP, POINTER_AT, 0);
	skip = p->count;
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, R9, 0, 0, 0);
	if (base == BULK_NODE) {
		emit_read(p, FP, POINTER_AT, 8, R9, at->name);
		emit(p, LOAD, R9, FP, POINTER_AT, 0);
		emit_read(p, R8, offsetof(struct bulk_record, name), BULK_NAME_SIZE, R9, 0);
	} else {
		emit_fields(at, base, R9, p);
	}
	p->insns[skip].off = (__s16) (p->count - skip - 1);
}

static void emit_exit(struct program *p)
{
	emit(p, MOV_IMM, R0, 0, 0, 0);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* r0 = the record whose number stands on the stack; without one the program ends. */
static void emit_lookup(int map, struct program *p)
{
	emit(p, BPF_LD | BPF_IMM | BPF_DW, R1, BPF_PSEUDO_MAP_FD, 0, map);
	emit(p, 0, 0, 0, 0, 0);
	emit(p, MOV_REG, R2, FP, 0, 0);
	emit(p, ADD_IMM, R2, 0, 0, INDEX_AT);
	emit(p, CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	emit(p, BPF_JMP | BPF_JNE | BPF_K, R0, 0, 2, 0);
	emit_exit(p);
}

static void make_program(const struct bulk_layout *at, unsigned wanted, int map, struct program *p)
{
	emit(p, MOV_REG, R6, R1, 0, 0);
	emit(p, LOAD, R7, R6, at->cgroup, 0);
	emit(p, BPF_JMP | BPF_JNE | BPF_K, R7, 0, 2, 0); /* the last call comes without one */
	emit_exit(p);
	emit(p, BPF_ST | BPF_MEM | BPF_W, FP, 0, INDEX_AT, 0);
	emit_lookup(map, p);
	emit(p, LOAD, R1, R0, offsetof(struct bulk_record, of), 0);
	emit(p, ADD_IMM, R1, 0, 0, 1);
	emit(p, BPF_STX | BPF_MEM | BPF_DW, R0, R1, offsetof(struct bulk_record, of), 0);
	emit(p, BPF_STX | BPF_MEM | BPF_W, FP, R1, INDEX_AT, 0);
	emit_lookup(map, p);
	emit(p, MOV_REG, R8, R0, 0, 0);
	emit_fields(at, BULK_ANY, R7, p);
	if ((wanted & 1u << BULK_CGROUP) != 0)
		emit_fields(at, BULK_CGROUP, R7, p);
	for (enum bulk_base i = BULK_CGROUP + 1; i < BULK_BASE_COUNT; i++)
		if ((wanted & 1u << i) != 0)
			emit_base(at, i, p);
	emit_exit(p);
}

int bulk_program_load(const struct bulk_layout *at, unsigned wanted, int map)
{
	_cleanup_free_ struct program *p = calloc(1, sizeof(*p));
	union bpf_attr attr;

	if (p == NULL)
		return -ENOMEM;
	make_program(at, wanted, map, p);
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_TRACING;
	attr.expected_attach_type = BPF_TRACE_ITER;
	attr.attach_btf_id = (__u32) at->iterator;
	attr.insn_cnt = p->count;
	attr.insns = (uintptr_t) p->insns;
	attr.license = (uintptr_t) "GPL";
	memcpy(attr.prog_name, "ward_numbers", sizeof("ward_numbers"));
	return cg_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}
