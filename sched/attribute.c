/* One table: v2 attribute, controller, default, and how v1 says the same: file, unit, and order
 * of writes where v1 spreads one value over files that constrain each other. */
#include "sched/attribute.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "sched/disk.h"
#include "sched/top.h"

#define V1_NONE "-1"

/* --- conversions of one value into one file --- */

static int copy(const char *value, char out[static SCHED_VALUE_MAX])
{
	int n = snprintf(out, SCHED_VALUE_MAX, "%s", value);

	return n < SCHED_VALUE_MAX ? 0 : -E2BIG;
}

static int max_to_minus_one(const char *value, char out[static SCHED_VALUE_MAX])
{
	return copy(strcmp(value, "max") == 0 ? V1_NONE : value, out);
}

/* 100 is 1024 and both are linear, so that the defaults and all ratios are the same. */
static int weight_to_shares(const char *value, char out[static SCHED_VALUE_MAX])
{
	uint64_t w;

	if (units_parse_u64(value, 1, 10000, &w) < 0)
		return -EINVAL;
	w = w * 1024 / 100;
	(void) snprintf(out, SCHED_VALUE_MAX, "%" PRIu64, w < 2 ? 2 : w);
	return 0;
}

/* --- several files --- */

/* "max 100000" or "50000 100000". */
static int write_cpu_max(const struct cg_tree *t, unsigned slot, const char *value)
{
	char quota[SCHED_VALUE_MAX];
	const char *space = strchr(value, ' ');
	int r;

	if (space == NULL || space == value || space - value > 20)
		return -EINVAL;
	(void) snprintf(quota, sizeof(quota), "%.*s", (int) (space - value), value);
	if (strcmp(quota, "max") == 0)
		(void) copy(V1_NONE, quota);
	/* An old quota would be measured against the new period: lift it first. */
	r = slot_write(t, slot, "cpu.cfs_quota_us", V1_NONE);
	if (r == 0)
		r = slot_write(t, slot, "cpu.cfs_period_us", space + 1);
	if (r < 0 || strcmp(quota, V1_NONE) == 0)
		return r;
	r = slot_write(t, slot, "cpu.cfs_quota_us", quota);
	if (r == -EINVAL && top_give_way(t))
		r = slot_write(t, slot, "cpu.cfs_quota_us", quota);
	return r;
}

/* "" gives back what the instance has. */
static int write_cpuset(const struct cg_tree *t, unsigned slot, const char *file, const char *value)
{
	char inherited[1024];
	ssize_t n;

	if (*value != '\0')
		return slot_write(t, slot, file, value);
	n = cg_read(t->fd, file, inherited, sizeof(inherited));
	return n < 0 ? (int) n : slot_write(t, slot, file, inherited);
}

static int write_cpus(const struct cg_tree *t, unsigned slot, const char *value)
{
	return write_cpuset(t, slot, "cpuset.cpus", value);
}

static int write_mems(const struct cg_tree *t, unsigned slot, const char *value)
{
	return write_cpuset(t, slot, "cpuset.mems", value);
}

/* v2 takes an empty line; a write of no bytes would never arrive. */
static int write_cpus_v2(const struct cg_tree *t, unsigned slot, const char *value)
{
	return slot_write(t, slot, "cpuset.cpus", *value != '\0' ? value : "\n");
}

static int write_mems_v2(const struct cg_tree *t, unsigned slot, const char *value)
{
	return slot_write(t, slot, "cpuset.mems", *value != '\0' ? value : "\n");
}

/* memory+swap may never be below memory: when it would be, it goes up first. */
static int write_memory_max(const struct cg_tree *t, unsigned slot, const char *value)
{
	const char *v = strcmp(value, "max") == 0 ? V1_NONE : value;
	int r = slot_write(t, slot, "memory.limit_in_bytes", v);

	if (r != -EINVAL)
		return r;
	r = slot_write(t, slot, "memory.memsw.limit_in_bytes", v);
	return r < 0 ? r : slot_write(t, slot, "memory.limit_in_bytes", v);
}

/* v1 counts memory and swap together. */
static int write_swap_max(const struct cg_tree *t, unsigned slot, const char *value)
{
	char text[SCHED_VALUE_MAX];
	uint64_t swap, memory;
	int r;

	if (strcmp(value, "max") == 0)
		return slot_write(t, slot, "memory.memsw.limit_in_bytes", V1_NONE);
	r = slot_read_u64(t, slot, "memory.limit_in_bytes", &memory);
	if (r < 0)
		return r;
	if (memory == UNITS_NONE || units_parse_u64(value, 0, INT64_MAX, &swap) < 0 ||
	    __builtin_add_overflow(swap, memory, &swap) || swap > INT64_MAX)
		return -EINVAL;
	(void) snprintf(text, sizeof(text), "%" PRIu64, swap);
	return slot_write(t, slot, "memory.memsw.limit_in_bytes", text);
}

/* --- v2's memory.min counts only as far as every parent has as much --- */

static void parent_reserve(int dirfd, const char *file, uint64_t from, uint64_t to)
{
	char text[64];
	uint64_t sum = 0;

	if (cg_read(dirfd, file, text, sizeof(text)) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (units_parse_u64(text, 0, INT64_MAX, &sum) < 0)
		return;
	sum = sum > from ? sum - from : 0;
	(void) snprintf(text, sizeof(text), "%" PRIu64, sum + to);
	(void) file_write_at(dirfd, file, text);
}

/* The delegated top itself stays as its owner (systemd: MemoryMin=) has set it. */
static int write_memory_min(const struct cg_tree *t, unsigned slot, const char *value)
{
	uint64_t from = 0, to = 0;
	int r;

	if (units_parse_u64(value, 0, INT64_MAX / 2, &to) < 0)
		return -EINVAL;
	r = slot_read_u64(t, slot, "memory.min", &from);
	if (r < 0 || from == to)
		return r;
	r = slot_write(t, slot, "memory.min", value);
	if (r < 0)
		return r;
	parent_reserve(t->fd, "memory.min", from, to);
	parent_reserve(t->top, "ward/memory.min", from, to);
	return 0;
}

void attribute_unreserve(const struct sched_host *h, unsigned slot)
{
	const struct cg_tree *t = host_tree(h, CG_MEMORY);

	if (t != NULL && t->unified)
		(void) write_memory_min(t, slot, "0");
}

/* --- the table --- */

static const struct attribute table[] = {
	{ .name = "cpu.weight",
	  .key = "cpu.share",
	  .controller = CG_CPU,
	  .fallback = "100",
	  .v1_file = "cpu.shares",
	  .v1_convert = weight_to_shares },
	{ .name = "cpu.max",
	  .key = "cpu.limit",
	  .controller = CG_CPU,
	  .fallback = "max 100000",
	  .v1_write = write_cpu_max },
	{ .name = "cpu.max.burst",
	  .key = "cpu.burst",
	  .controller = CG_CPU,
	  .fallback = "0",
	  .v1_file = "cpu.cfs_burst_us",
	  .v1_convert = copy },
	{ .name = "cpuset.cpus",
	  .key = "cpu.cpus",
	  .controller = CG_CPUSET,
	  .fallback = "",
	  .v1_write = write_cpus,
	  .v2_write = write_cpus_v2 },
	{ .name = "cpuset.mems",
	  .key = "cpu.mems",
	  .controller = CG_CPUSET,
	  .fallback = "",
	  .v1_write = write_mems,
	  .v2_write = write_mems_v2 },
	{ .name = "memory.max",
	  .key = "memory.limit",
	  .controller = CG_MEMORY,
	  .fallback = "max",
	  .v1_write = write_memory_max },
	{ .name = "memory.swap.max",
	  .key = "memory.swap",
	  .controller = CG_MEMORY,
	  .fallback = "max",
	  .v1_write = write_swap_max },
	{ .name = "memory.min",
	  .key = "memory.reserve",
	  .controller = CG_MEMORY,
	  .fallback = "0",
	  .v2_write = write_memory_min },
	{ .name = "memory.low",
	  .key = "memory.reserve",
	  .controller = CG_MEMORY,
	  .fallback = "0",
	  .v1_file = "memory.soft_limit_in_bytes",
	  .v1_convert = max_to_minus_one },
	{ .name = "memory.high", .key = "memory.soft", .controller = CG_MEMORY, .fallback = "max" },
	{ .name = "memory.oom.group",
	  .key = "memory.oom",
	  .controller = CG_MEMORY,
	  .fallback = "0" },
	{ .name = "io.max",
	  .key = "io.limit",
	  .controller = CG_IO,
	  .fallback = "",
	  .v1_write = disk_write_max_v1 },
	{ .name = "io.weight",
	  .key = "io.share",
	  .controller = CG_IO,
	  .fallback = "",
	  .v1_write = disk_write_weight_v1,
	  .v2_write = disk_write_weight_v2 },
	{ .name = "pids.max",
	  .key = "process.limit",
	  .controller = CG_PIDS,
	  .fallback = "max",
	  .v1_file = "pids.max",
	  .v1_convert = copy },
};

const struct attribute *attribute_at(size_t i)
{
	return i < ARRAY_SIZE(table) ? &table[i] : NULL;
}

const struct attribute *attribute_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

bool attribute_in_v1(const struct attribute *a)
{
	return a->v1_file != NULL || a->v1_write != NULL;
}

static int write_v1(const struct attribute *a, const struct cg_tree *t, unsigned slot,
		    const char *value)
{
	char converted[SCHED_VALUE_MAX];
	int r;

	if (a->v1_write != NULL)
		return a->v1_write(t, slot, value);
	if (a->v1_file == NULL)
		return -EOPNOTSUPP;
	r = a->v1_convert(value, converted);
	return r < 0 ? r : slot_write(t, slot, a->v1_file, converted);
}

static int write_v2(const struct attribute *a, const struct cg_tree *t, unsigned slot,
		    const char *value)
{
	return a->v2_write != NULL ? a->v2_write(t, slot, value)
				   : slot_write(t, slot, a->name, value);
}

int attribute_write(const struct sched_host *h, unsigned slot, const char *name, const char *value,
		    struct err *e)
{
	const struct attribute *a = attribute_find(name);
	const struct cg_tree *t = a != NULL ? host_tree(h, a->controller) : NULL;
	char resolved[SCHED_VALUE_MAX];
	int r;

	if (a == NULL)
		return err_set(e, -EINVAL, "%s: there is no such cgroup attribute", name);
	if (t == NULL)
		return err_set(e, -EOPNOTSUPP, "%s: this daemon has no %s controller", name,
			       cg_controller_name(a->controller));
	if (a->controller == CG_IO && (r = disk_resolve(a->key, value, resolved, e)) < 0)
		return r;
	if (a->controller == CG_IO)
		value = resolved;
	if (strcmp(name, "io.weight") == 0 && !disk_is_default(value) &&
	    (r = disk_has_shares(a->key, value, e)) < 0)
		return r;
	r = t->unified ? write_v2(a, t, slot, value) : write_v1(a, t, slot, value);
	if (r == -ENOENT)
		r = -EOPNOTSUPP;
	if (r < 0)
		return err_set_errno(e, r, "cgroup %s/%u: setting %s to \"%s\"", h->instance, slot,
				     name, value);
	return 0;
}
