/* All slots at once, by a BPF iterator over cgroups (Linux 6.1): in each hierarchy a program
 * (bulk_program.c) copies the counters of every cgroup into an array that is mapped into our
 * memory and cleared while it is read. What a hierarchy does not know stays 0, so the records of
 * one slot are simply added up. */
#include "sched/bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sched/bulk_program.h"

#define RECORDS_FIRST 512u
#define RECORDS_MAX (1u << 18)

struct bulk {
	const struct sched_host *host; /* borrowed */
	bool pressure;
	unsigned bases; /* what is read at all */
	struct bulk_layout at;
	int flush; /* a file that is asked for all CPU time */
	int map, links[CG_HIERARCHIES_MAX]; /* by tree of the host; -1: none there */
	struct bulk_record *records; /* mapped */
	uint32_t record_count; /* a power of two */
	struct bulk_slot *slots; /* what was found */
	uint32_t used, room;
	uint32_t *table; /* by slot, open addressing: 1 + index in slots; twice the records */
};

/* Loads and links the program of one hierarchy; the link keeps it. */
static int link_tree(const struct bulk *b, unsigned wanted, int cgroup)
{
	_cleanup_close_ int program = bulk_program_load(&b->at, wanted, b->map);
	union bpf_iter_link_info info;
	union bpf_attr attr;

	if (program < 0)
		return program;
	memset(&info, 0, sizeof(info));
	info.cgroup.order = BPF_CGROUP_ITER_DESCENDANTS_PRE;
	info.cgroup.cgroup_fd = (__u32) cgroup;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (__u32) program;
	attr.link_create.attach_type = BPF_TRACE_ITER;
	attr.link_create.iter_info = (uintptr_t) &info;
	attr.link_create.iter_info_len = sizeof(info);
	return cg_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* --- putting it up, larger when it was too small --- */

static size_t mapped_size(const struct bulk *b)
{
	size_t page = (size_t) sysconf(_SC_PAGESIZE);

	return (b->record_count * sizeof(struct bulk_record) + page - 1) / page * page;
}

static void take_down(struct bulk *b)
{
	if (b->records != NULL)
		(void) munmap(b->records, mapped_size(b));
	b->records = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(b->links); i++)
		b->links[i] = fd_close(b->links[i]);
	b->map = fd_close(b->map);
}

static int make_map(struct bulk *b)
{
	union bpf_attr attr;
	void *p;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(struct bulk_record);
	attr.max_entries = b->record_count;
	attr.map_flags = BPF_F_MMAPABLE;
	memcpy(attr.map_name, "ward_numbers", sizeof("ward_numbers"));
	b->map = cg_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	if (b->map < 0)
		return b->map;
	p = mmap(NULL, mapped_size(b), PROT_READ | PROT_WRITE, MAP_SHARED, b->map, 0);
	if (p == MAP_FAILED)
		return -errno;
	b->records = p;
	return 0;
}

/* What is worth reading in a hierarchy: a mask of bases, 0 for none. */
static unsigned wanted_of(const struct bulk *b, const struct cg_tree *t)
{
	static const enum bulk_base of[] = { /* the rest: BULK_ANY */
					     [CG_MEMORY] = BULK_MEMORY,
					     [CG_PIDS] = BULK_TASKS,
					     [CG_CPU] = BULK_CPU
	};
	unsigned wanted = t->unified ? 1u << BULK_CGROUP | 1u << BULK_PRESSURE : 0;

	for (unsigned c = 0; c < ARRAY_SIZE(of); c++)
		if ((t->controllers & 1u << c) != 0 && of[c] != BULK_ANY)
			wanted |= 1u << of[c];
	wanted &= b->bases;
	return wanted != 0 ? wanted | 1u << BULK_NODE : 0;
}

static int put_up(struct bulk *b, uint32_t records)
{
	int r;

	take_down(b);
	b->record_count = records;
	r = make_map(b);
	for (size_t i = 0; i < b->host->count && r >= 0; i++) {
		unsigned wanted = wanted_of(b, &b->host->trees[i]);

		if (wanted != 0)
			r = b->links[i] = link_tree(b, wanted, b->host->trees[i].fd);
	}
	if (r < 0)
		take_down(b);
	return r < 0 ? r : 0;
}

static int new_of(const struct sched_host *h, unsigned bases, struct bulk **ret)
{
	struct bulk *b;
	char text[256];
	int r;

	if (host_tree(h, CG_CORE) == NULL) /* CPU time and pressure would be missing */
		return -EOPNOTSUPP;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return -ENOMEM;
	b->host = h;
	b->bases = bases;
	b->map = -1;
	b->flush = openat(host_tree(h, CG_CORE)->fd, "cpu.stat", O_RDONLY | O_CLOEXEC);
	memset(b->links, -1, sizeof(b->links));
	r = bulk_locate(&b->at);
	b->pressure = b->at.base[BULK_PRESSURE] >= 0 &&
		      cg_read(host_tree(h, CG_CORE)->fd, "cpu.pressure", text, sizeof(text)) > 0;
	if (r == 0)
		r = put_up(b, RECORDS_FIRST);
	if (r == 0)
		r = bulk_round(b, true); /* some kernels load what they then do not run */
	if (r < 0) {
		bulk_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

int bulk_new(const struct sched_host *h, struct bulk **ret)
{
	return new_of(h, ~0u, ret);
}

int bulk_new_cpu(const struct sched_host *h, struct bulk **ret)
{
	return new_of(h, 1u << BULK_CGROUP, ret);
}

void bulk_free(struct bulk *b)
{
	if (b == NULL)
		return;
	take_down(b);
	(void) fd_close(b->flush);
	free(b->slots);
	free(b->table);
	free(b);
}

/* --- a round --- */

/* Where the table says, or would say, which entry a slot has. */
static uint32_t *place(const struct bulk *b, unsigned slot)
{
	uint32_t mask = 2 * b->record_count - 1, i = slot * 2654435761u & mask;

	while (b->table[i] != 0 && b->slots[b->table[i] - 1].slot != slot)
		i = (i + 1) & mask;
	return &b->table[i];
}

const struct bulk_slot *bulk_find(const struct bulk *b, unsigned slot)
{
	uint32_t at = b->table != NULL ? *place(b, slot) : 0;

	return at != 0 ? &b->slots[at - 1] : NULL;
}

static bool grow_slots(struct bulk *b)
{
	uint32_t room = b->room != 0 ? 2 * b->room : 64;
	struct bulk_slot *slots = reallocarray(b->slots, room, sizeof(*slots));

	if (slots == NULL)
		return false;
	b->slots = slots;
	b->room = room;
	return true;
}

/* @return the entry of a slot, a new one of zeros if need be; NULL when there is no room: the same
 * slots are in every hierarchy, so there are no more than records. */
static struct bulk_slot *entry(struct bulk *b, unsigned slot)
{
	uint32_t *at = place(b, slot);

	if (*at != 0)
		return &b->slots[*at - 1];
	if (b->used >= b->record_count)
		return NULL;
	if ((b->slots == NULL || b->used == b->room) && !grow_slots(b))
		return NULL;
	b->slots[b->used] = (struct bulk_slot){ .slot = slot };
	*at = ++b->used;
	return &b->slots[*at - 1];
}

/* @return the number that a directory's name is, or 0. */
static unsigned slot_number(const char *name)
{
	unsigned n = 0;

	for (size_t i = 0; i < BULK_NAME_SIZE && name[i] != '\0'; i++) {
		if (name[i] < '0' || name[i] > '9' || __builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (unsigned) (name[i] - '0'), &n))
			return 0;
	}
	return n;
}

/* Adds the records of one hierarchy and clears them. Record 0 counts those that were wanted, 1 is
 * the instance's own directory: slots lie right below it, what is deeper was made by a context.
 * @return whether all fitted. */
static bool harvest(struct bulk *b)
{
	uint64_t wanted = b->records[0].of[0], level = 0;

	b->records[0].of[0] = 0;
	for (uint32_t i = 1; i <= wanted && i < b->record_count; i++) {
		struct bulk_record *r = &b->records[i];
		unsigned slot = slot_number(r->name);

		struct bulk_slot *to = NULL;

		if (level == 0)
			level = r->of[BULK_LEVEL] + 1;
		else if (slot != 0 && r->of[BULK_LEVEL] == level)
			to = entry(b, slot);
		for (unsigned f = BULK_LEVEL + 1; to != NULL && f < BULK_FIELD_COUNT; f++)
			to->of[f] += r->of[f];
		memset(r, 0, sizeof(*r));
	}
	return wanted < b->record_count;
}

static int walk_tree(int link)
{
	_cleanup_close_ int fd = -1;
	union bpf_attr attr;
	char none[64];

	memset(&attr, 0, sizeof(attr));
	attr.iter_create.link_fd = (__u32) link;
	fd = cg_bpf(BPF_ITER_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return fd;
	/* The program prints nothing, so one read walks all. */
	return read(fd, none, sizeof(none)) < 0 ? -errno : 0;
}

/* A table suits the number of records it was made for. */
static int clear_table(struct bulk *b, bool anew)
{
	b->used = 0;
	if (anew) {
		free(b->table);
		b->table = calloc(2 * (size_t) b->record_count, sizeof(*b->table));
		return b->table != NULL ? 0 : -ENOMEM;
	}
	memset(b->table, 0, 2 * (size_t) b->record_count * sizeof(*b->table));
	return 0;
}

/* CPU time is kept per CPU until somebody asks; asking for the whole brings all up to date. */
static void flush(const struct bulk *b)
{
	char text[16];

	(void) !pread(b->flush, text, sizeof(text), 0);
}

/* @return 0, 1 when there were more cgroups than records, -errno. */
static int try_round(struct bulk *b, bool throttled, bool anew)
{
	bool fits = true;
	int r = clear_table(b, anew);

	flush(b);
	for (size_t i = 0; i < b->host->count && r == 0; i++) {
		const struct cg_tree *t = &b->host->trees[i];
		bool rest = (wanted_of(b, t) & ~(1u << BULK_NODE | 1u << BULK_CPU)) != 0;

		if (b->links[i] < 0 || (!throttled && !rest))
			continue;
		r = walk_tree(b->links[i]);
		fits = harvest(b) && fits;
	}
	return r < 0 ? r : !fits;
}

int bulk_round(struct bulk *b, bool throttled)
{
	int r = b->records != NULL ? try_round(b, throttled, b->table == NULL) : -EOPNOTSUPP;

	while (r > 0) {
		uint32_t more = 2 * b->record_count;

		r = more <= RECORDS_MAX ? put_up(b, more) : -ENOSPC;
		if (r == 0)
			r = try_round(b, throttled, true);
	}
	if (r < 0) {
		free(b->table);
		b->table = NULL;
	}
	return r;
}

bool bulk_has_pressure(const struct bulk *b)
{
	return b->pressure;
}
