/* What is in force, read back in the words of a context's file, and where a slot is held back. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/units.h"
#include "sched/disk.h"

int sched_slot_throttle(struct sched_host *h, unsigned slot, struct sched_throttle *ret)
{
	const struct cg_tree *t = host_tree(h, CG_CPU);
	struct sched_throttle v = {};
	char text[512];
	ssize_t n;

	if (!t)
		return -EOPNOTSUPP;
	n = slot_read(t, slot, "cpu.stat", text, sizeof(text));
	if (n < 0)
		return (int) n;
	(void) cg_find_u64(text, "nr_periods", &v.periods);
	(void) cg_find_u64(text, "nr_throttled", &v.throttled_periods);
	if (!cg_find_u64(text, "throttled_usec", &v.throttled_us) &&
	    cg_find_u64(text, "throttled_time", &v.throttled_us))
		v.throttled_us /= 1000;
	*ret = v;
	return 0;
}

/* Where limits are counted: pids.events everywhere, memory.events on v2. */
static const struct cg_tree *events_tree(const struct sched_host *h, const char *what)
{
	const struct cg_tree *t;

	if (strcmp(what, "pids") == 0)
		return host_tree(h, CG_PIDS);
	t = host_tree(h, CG_MEMORY);
	return t && t->unified ? t : NULL;
}

int sched_slot_events_open(struct sched_host *h, unsigned slot, const char *what,
			   bool *ret_notifies)
{
	const struct cg_tree *t = events_tree(h, what);
	char file[32];

	if (!t)
		return -EOPNOTSUPP;
	*ret_notifies = t->unified;
	(void) snprintf(file, sizeof(file), "%s.events", what);
	return slot_openat(t, slot, file, O_RDONLY);
}

int sched_events_read(int fd, uint64_t *ret)
{
	char text[512];
	ssize_t n = sys(pread(fd, text, sizeof(text) - 1, 0));

	if (n < 0)
		return (int) n;
	text[n] = '\0';
	return cg_find_u64(text, "max", ret) ? 0 : -EBADMSG;
}

/* --- pressure --- */

static bool read_stall(const char *text, const char *kind, struct sched_stall *ret)
{
	const char *line = strstr(text, kind);
	unsigned whole[3], part[3];

	if (!line ||
	    sscanf(line + strlen(kind), " avg10=%u.%u avg60=%u.%u avg300=%u.%u total=%" SCNu64,
		   &whole[0], &part[0], &whole[1], &part[1], &whole[2], &part[2],
		   &ret->total_us) != 7)
		return false;
	ret->avg10 = whole[0] * 100 + part[0];
	ret->avg60 = whole[1] * 100 + part[1];
	ret->avg300 = whole[2] * 100 + part[2];
	return true;
}

static int parse_pressure(const char *text, struct sched_pressure_now *ret)
{
	struct sched_pressure_now p = {};

	if (!read_stall(text, "some", &p.some))
		return -EBADMSG;
	(void) read_stall(text, "full", &p.full);
	*ret = p;
	return 0;
}

int sched_host_pressure(const char *resource, struct sched_pressure_now *ret)
{
	char path[64], text[512];
	ssize_t n;

	(void) snprintf(path, sizeof(path), "/proc/pressure/%s", resource);
	n = cg_read(AT_FDCWD, path, text, sizeof(text));
	return n < 0 ? (int) n : parse_pressure(text, ret);
}

int sched_slot_pressure(struct sched_host *h, unsigned slot, const char *resource,
			struct sched_pressure_now *ret)
{
	const struct cg_tree *t = host_tree(h, CG_CORE);
	char file[32], text[512];
	ssize_t n;

	if (!t)
		return -EOPNOTSUPP;
	(void) snprintf(file, sizeof(file), "%s.pressure", resource);
	n = slot_read(t, slot, file, text, sizeof(text));
	if (n == -ENOENT)
		return -EOPNOTSUPP; /* no PSI in this kernel, or it is switched off */
	return n < 0 ? (int) n : parse_pressure(text, ret);
}

/* --- keys --- */

struct live {
	const struct cg_tree *tree;
	unsigned slot;
};

static void put_bytes(uint64_t v, struct buf *out)
{
	char text[UNITS_TEXT_MAX];

	buf_puts(out, units_print_bytes(v, text));
}

static int cpu_limit(const struct live *l, struct buf *out)
{
	uint64_t quota = UNITS_NONE, period = 100000;
	char text[64], percent[UNITS_TEXT_MAX];
	int64_t v1 = -1;
	int r;

	if (l->tree->unified) {
		ssize_t n = slot_read(l->tree, l->slot, "cpu.max", text, sizeof(text));

		if (n < 0)
			return (int) n;
		(void) sscanf(text, "%" SCNu64 " %" SCNu64, &quota, &period);
		if (strncmp(text, "max", 3) == 0)
			quota = UNITS_NONE;
	} else {
		ssize_t n = slot_read(l->tree, l->slot, "cpu.cfs_quota_us", text, sizeof(text));

		if (n < 0)
			return (int) n;
		(void) sscanf(text, "%" SCNd64, &v1);
		r = slot_read_u64(l->tree, l->slot, "cpu.cfs_period_us", &period);
		if (r < 0)
			return r;
		quota = v1 < 0 ? UNITS_NONE : (uint64_t) v1;
	}
	if (quota == UNITS_NONE || period == 0)
		buf_puts(out, "max");
	else
		buf_puts(out, units_print_cpu((quota * 1000 + period / 2) / period, percent));
	return 0;
}

static int cpu_share(const struct live *l, struct buf *out)
{
	const char *file = l->tree->unified ? "cpu.weight" : "cpu.shares";
	uint64_t v;
	int r = slot_read_u64(l->tree, l->slot, file, &v);

	if (r < 0)
		return r;
	if (!l->tree->unified) /* 100 is 1024; what was rounded down is rounded up */
		v = (v * 100 + 1023) / 1024;
	buf_printf(out, "%" PRIu64, v);
	return 0;
}

static int list(const struct live *l, const char *file, struct buf *out)
{
	char text[256];
	ssize_t n = slot_read(l->tree, l->slot, file, text, sizeof(text));

	if (n < 0)
		return (int) n;
	text[strcspn(text, "\n")] = '\0';
	buf_puts(out, text);
	return 0;
}

static int cpus(const struct live *l, struct buf *out)
{
	return list(l, "cpuset.cpus", out);
}

static int mems(const struct live *l, struct buf *out)
{
	return list(l, "cpuset.mems", out);
}

static int number(const struct live *l, const char *v2, const char *v1, struct buf *out)
{
	uint64_t v;
	int r = -EOPNOTSUPP;

	if (l->tree->unified || v1)
		r = slot_read_u64(l->tree, l->slot, l->tree->unified ? v2 : v1, &v);
	if (r == 0)
		put_bytes(v, out);
	return r;
}

static int memory_limit(const struct live *l, struct buf *out)
{
	return number(l, "memory.max", "memory.limit_in_bytes", out);
}

static int memory_reserve(const struct live *l, struct buf *out)
{
	return number(l, "memory.min", NULL, out);
}

static int memory_soft(const struct live *l, struct buf *out)
{
	return number(l, "memory.high", NULL, out);
}

/* Without a limit nothing dies of it, and nothing is written. On v1 it is the daemon that acts. */
static int memory_oom(const struct live *l, struct buf *out)
{
	uint64_t limit, group;
	int r = l->tree->unified ? slot_read_u64(l->tree, l->slot, "memory.max", &limit)
				 : -EOPNOTSUPP;

	if (r == 0 && limit == UNITS_NONE)
		r = -EOPNOTSUPP;
	if (r == 0)
		r = slot_read_u64(l->tree, l->slot, "memory.oom.group", &group);
	if (r == 0)
		buf_puts(out, group ? "context" : "process");
	return r;
}

/* v1 counts memory and swap together. */
static int memory_swap(const struct live *l, struct buf *out)
{
	uint64_t both, memory;
	int r;

	if (l->tree->unified)
		return number(l, "memory.swap.max", NULL, out);
	r = slot_read_u64(l->tree, l->slot, "memory.memsw.limit_in_bytes", &both);
	if (r == 0)
		r = slot_read_u64(l->tree, l->slot, "memory.limit_in_bytes", &memory);
	if (r == 0)
		put_bytes(both == UNITS_NONE ? both : both - memory, out);
	return r == -ENOENT ? -EOPNOTSUPP : r;
}

static int process_limit(const struct live *l, struct buf *out)
{
	uint64_t v;
	int r = slot_read_u64(l->tree, l->slot, "pids.max", &v);

	if (r == 0 && v == UNITS_NONE)
		buf_puts(out, "max");
	else if (r == 0)
		buf_printf(out, "%" PRIu64, v);
	return r;
}

static int io_limit(const struct live *l, struct buf *out)
{
	return disk_live_limits(l->tree, l->slot, out);
}

static int io_share(const struct live *l, struct buf *out)
{
	return disk_live_shares(l->tree, l->slot, out);
}

int sched_slot_live(struct sched_host *h, unsigned slot, const char *key, struct buf *out)
{
	static const struct {
		const char *key;
		enum cg_controller controller;
		int (*read)(const struct live *l, struct buf *out);
	} rows[] = {
		{ "cpu.limit", CG_CPU, cpu_limit },
		{ "cpu.share", CG_CPU, cpu_share },
		{ "cpu.cpus", CG_CPUSET, cpus },
		{ "cpu.mems", CG_CPUSET, mems },
		{ "memory.limit", CG_MEMORY, memory_limit },
		{ "memory.reserve", CG_MEMORY, memory_reserve },
		{ "memory.soft", CG_MEMORY, memory_soft },
		{ "memory.swap", CG_MEMORY, memory_swap },
		{ "memory.oom", CG_MEMORY, memory_oom },
		{ "io.limit", CG_IO, io_limit },
		{ "io.share", CG_IO, io_share },
		{ "process.limit", CG_PIDS, process_limit },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct live l = { host_tree(h, rows[i].controller), slot };

		if (strcmp(key, rows[i].key) != 0)
			continue;
		return l.tree ? rows[i].read(&l, out) : -EOPNOTSUPP;
	}
	return -EOPNOTSUPP;
}
