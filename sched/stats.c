/* Reads a slot's use back: one open and one read a file, no allocation. On hybrid hosts the CPU
 * time comes from cgroup2's cpu.stat, which counts without any controller. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "sched/host.h"

/* v1 shows "no limit" as the largest multiple of a page. */
#define V1_MEMORY_NONE (INT64_MAX - 0xffff)

static bool parse_u64(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (unsigned) (*s - '0'), &v))
			return false;
	*ret = v;
	return true;
}

bool cg_find_u64(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	for (const char *line = text; line != NULL && *line != '\0';) {
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return parse_u64(line + len + 1, ret);
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	return false;
}

int slot_read_u64(const struct cg_tree *t, unsigned slot, const char *file, uint64_t *ret)
{
	char text[64];
	ssize_t n = slot_read(t, slot, file, text, sizeof(text));
	uint64_t v;

	if (n < 0)
		return (int) n;
	if (strncmp(text, "max", 3) == 0)
		v = UNITS_NONE;
	else if (!parse_u64(text, &v))
		return -EBADMSG;
	*ret = v >= (uint64_t) V1_MEMORY_NONE ? UNITS_NONE : v;
	return 0;
}

/* What cannot be read stays 0: an older kernel lacks a file, not the context its numbers. */
static void number(const struct cg_tree *t, unsigned slot, const char *file, uint64_t *ret)
{
	if (slot_read_u64(t, slot, file, ret) < 0)
		*ret = 0;
}

struct field {
	const char *key;
	uint64_t *ret;
	unsigned divide; /* 0: as it is */
};

static void fields(const struct cg_tree *t, unsigned slot, const char *file,
		   const struct field *list, size_t n)
{
	char text[8192]; /* memory.stat is the longest */

	if (slot_read(t, slot, file, text, sizeof(text)) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (cg_find_u64(text, list[i].key, list[i].ret) && list[i].divide != 0)
			*list[i].ret /= list[i].divide;
}

#define FIELDS(tree, slot, file, ...)                                                              \
	fields(tree, slot, file, (const struct field[]){ __VA_ARGS__ },                            \
	       sizeof((const struct field[]){ __VA_ARGS__ }) / sizeof(struct field))

static void read_cpu(const struct sched_host *h, unsigned slot, struct sched_stats *s)
{
	const struct cg_tree *core = host_tree(h, CG_CORE), *acct = host_tree(h, CG_CPUACCT);
	const struct cg_tree *cpu = host_tree(h, CG_CPU);

	if (core != NULL) {
		FIELDS(core, slot, "cpu.stat", { "usage_usec", &s->cpu_us, 0 },
		       { "user_usec", &s->cpu_user_us, 0 }, { "system_usec", &s->cpu_system_us, 0 },
		       { "nr_periods", &s->periods, 0 },
		       { "nr_throttled", &s->throttled_periods, 0 },
		       { "throttled_usec", &s->throttled_us, 0 });
	} else if (acct != NULL) {
		number(acct, slot, "cpuacct.usage", &s->cpu_us);
		number(acct, slot, "cpuacct.usage_user", &s->cpu_user_us);
		number(acct, slot, "cpuacct.usage_sys", &s->cpu_system_us);
		s->cpu_us /= 1000;
		s->cpu_user_us /= 1000;
		s->cpu_system_us /= 1000;
	}
	if (cpu != NULL && !cpu->unified)
		FIELDS(cpu, slot, "cpu.stat", { "nr_periods", &s->periods, 0 },
		       { "nr_throttled", &s->throttled_periods, 0 },
		       { "throttled_time", &s->throttled_us, 1000 });
}

static void read_memory_v1(const struct cg_tree *t, unsigned slot, struct sched_stats *s)
{
	uint64_t swap_hits;

	number(t, slot, "memory.usage_in_bytes", &s->memory_bytes);
	number(t, slot, "memory.max_usage_in_bytes", &s->memory_peak_bytes);
	number(t, slot, "memory.limit_in_bytes", &s->memory_limit_bytes);
	/* With little or no swap allowed it is memory+swap that is hit first. */
	number(t, slot, "memory.failcnt", &s->memory_limit_hits);
	number(t, slot, "memory.memsw.failcnt", &swap_hits);
	s->memory_limit_hits += swap_hits;
	FIELDS(t, slot, "memory.oom_control", { "oom_kill", &s->oom_kills, 0 });
}

static void read_memory_v2(const struct cg_tree *t, unsigned slot, struct sched_stats *s)
{
	number(t, slot, "memory.current", &s->memory_bytes);
	number(t, slot, "memory.peak", &s->memory_peak_bytes);
	number(t, slot, "memory.max", &s->memory_limit_bytes);
	number(t, slot, "memory.swap.current", &s->swap_bytes);
	FIELDS(t, slot, "memory.events", { "oom_kill", &s->oom_kills, 0 },
	       { "max", &s->memory_limit_hits, 0 });
}

static void read_pids(const struct cg_tree *t, unsigned slot, struct sched_stats *s)
{
	number(t, slot, "pids.current", &s->pids);
	number(t, slot, "pids.peak", &s->pids_peak); /* since 6.1 */
	number(t, slot, "pids.max", &s->pids_limit);
	FIELDS(t, slot, "pids.events", { "max", &s->pids_limit_hits, 0 });
}

const char *sched_resource_name(enum sched_resource r)
{
	static const char *const resources[SCHED_RESOURCE_COUNT] = {
		[SCHED_CPU] = "cpu", [SCHED_MEMORY] = "memory", [SCHED_IO] = "io"
	};

	return resources[r];
}

/* Cgroup2 counts it without any controller, so hybrid hosts have it too. */
static void read_pressure(struct sched_host *h, unsigned slot, struct sched_stats *s)
{
	struct sched_pressure_now p;

	for (unsigned i = 0; i < SCHED_RESOURCE_COUNT; i++) {
		if (sched_slot_pressure(h, slot, sched_resource_name(i), &p) < 0)
			return;
		s->pressure[i] = (struct sched_pressure){ p.some.total_us, p.full.total_us };
	}
	s->has_pressure = true;
}

/* The entry of a device, added if it is new; NULL when there is no room. */
static struct sched_io_stat *io_entry(struct sched_stats *s, unsigned major, unsigned minor)
{
	for (size_t i = 0; i < s->io_count; i++)
		if (s->io[i].major == major && s->io[i].minor == minor)
			return &s->io[i];
	if (s->io_count == SCHED_IO_MAX)
		return NULL;
	s->io[s->io_count] = (struct sched_io_stat){ .major = major, .minor = minor };
	return &s->io[s->io_count++];
}

/* "254:0 Read 4096" lines. */
static void read_io_v1(const struct cg_tree *t, unsigned slot, const char *file, bool operations,
		       struct sched_stats *s)
{
	char text[8192], *p = text, *line;

	if (slot_read(t, slot, file, text, sizeof(text)) < 0)
		return;
	while ((line = strsep(&p, "\n")) != NULL) {
		unsigned major, minor;
		char what[16];
		uint64_t v;
		struct sched_io_stat *io;

		if (sscanf(line, "%u:%u %15s %" SCNu64, &major, &minor, what, &v) != 4)
			continue;
		io = io_entry(s, major, minor);
		if (io == NULL)
			return;
		if (strcmp(what, "Read") == 0)
			*(operations ? &io->read_ops : &io->read_bytes) = v;
		else if (strcmp(what, "Write") == 0)
			*(operations ? &io->write_ops : &io->write_bytes) = v;
	}
}

/* "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" lines. */
static void read_io_v2(const struct cg_tree *t, unsigned slot, struct sched_stats *s)
{
	char text[8192], *p = text, *line;

	if (slot_read(t, slot, "io.stat", text, sizeof(text)) < 0)
		return;
	while ((line = strsep(&p, "\n")) != NULL) {
		struct sched_io_stat v, *io;

		if (sscanf(line,
			   "%u:%u rbytes=%" SCNu64 " wbytes=%" SCNu64 " rios=%" SCNu64
			   " wios=%" SCNu64,
			   &v.major, &v.minor, &v.read_bytes, &v.write_bytes, &v.read_ops,
			   &v.write_ops) != 6)
			continue;
		io = io_entry(s, v.major, v.minor);
		if (io == NULL)
			return;
		*io = v;
	}
}

void sched_slot_io(struct sched_host *h, unsigned slot, struct sched_stats *s)
{
	const struct cg_tree *t = host_tree(h, CG_IO);

	s->io_count = 0;
	if (t == NULL)
		return;
	if (t->unified) {
		read_io_v2(t, slot, s);
		return;
	}
	read_io_v1(t, slot, "blkio.throttle.io_service_bytes_recursive", false, s);
	read_io_v1(t, slot, "blkio.throttle.io_serviced_recursive", true, s);
}

static bool read_frozen(const struct sched_host *h, unsigned slot)
{
	const struct cg_tree *freezer = host_tree(h, CG_FREEZER);
	char text[128];
	uint64_t v = 0;

	if (h->freeze)
		return slot_read(host_tree(h, CG_CORE), slot, "cgroup.events", text, sizeof(text)) >
			       0 &&
		       cg_find_u64(text, "frozen", &v) && v != 0;
	return freezer != NULL &&
	       slot_read(freezer, slot, "freezer.state", text, sizeof(text)) > 0 &&
	       strncmp(text, "FROZEN", 6) == 0;
}

int sched_slot_usage(struct sched_host *h, unsigned slot, uint64_t *ret_memory, uint64_t *ret_pids)
{
	const struct cg_tree *memory = host_tree(h, CG_MEMORY), *pids = host_tree(h, CG_PIDS);
	uint64_t bytes = 0, count = 0;

	if (memory != NULL)
		number(memory, slot, memory->unified ? "memory.current" : "memory.usage_in_bytes",
		       &bytes);
	if (pids != NULL)
		number(pids, slot, "pids.current", &count);
	*ret_memory = bytes;
	*ret_pids = count;
	return 0;
}

void stats_read_light(struct sched_host *h, unsigned slot, struct sched_stats *s)
{
	const struct cg_tree *memory = host_tree(h, CG_MEMORY), *pids = host_tree(h, CG_PIDS);

	read_cpu(h, slot, s);
	if (memory != NULL)
		memory->unified ? read_memory_v2(memory, slot, s) : read_memory_v1(memory, slot, s);
	if (pids != NULL)
		read_pids(pids, slot, s);
	read_pressure(h, slot, s);
}

void stats_read_cpu(struct sched_host *h, unsigned slot, struct sched_stats *s)
{
	read_cpu(h, slot, s);
}

static void read_breakdown(const struct cg_tree *t, unsigned slot, struct sched_stats *s)
{
	if (t->unified)
		FIELDS(t, slot, "memory.stat", { "anon", &s->memory_anon_bytes, 0 },
		       { "file", &s->memory_file_bytes, 0 });
	else
		FIELDS(t, slot, "memory.stat", { "total_rss", &s->memory_anon_bytes, 0 },
		       { "total_cache", &s->memory_file_bytes, 0 },
		       { "total_swap", &s->swap_bytes, 0 });
}

bool stats_slot_exists(const struct sched_host *h, unsigned slot)
{
	char name[16];

	(void) snprintf(name, sizeof(name), "%u", slot);
	return h->count > 0 && faccessat(h->trees[0].fd, name, F_OK, 0) == 0;
}

int sched_slot_stats(struct sched_host *h, unsigned slot, struct sched_stats *ret)
{
	struct sched_stats s = { .memory_limit_bytes = UNITS_NONE, .pids_limit = UNITS_NONE };

	if (!stats_slot_exists(h, slot))
		return -ENOENT;
	stats_read_light(h, slot, &s);
	if (host_tree(h, CG_MEMORY) != NULL)
		read_breakdown(host_tree(h, CG_MEMORY), slot, &s);
	sched_slot_io(h, slot, &s);
	s.frozen = read_frozen(h, slot);
	*ret = s;
	return 0;
}
