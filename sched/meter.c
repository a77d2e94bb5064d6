/* Many slots in one round: from the kernel's own structures where that works (bulk.c), else from
 * files. A file costs some 10 us, so of a slot that has not run since the last round only the
 * memory is read again, and all of it every RESTED rounds: what changes without a process running
 * (reclaim, pressure of one that waits) is late there, not lost. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "sched/bulk.h"

#define RESTED 16u

struct sched_meter {
	struct sched_host *host; /* borrowed */
	struct bulk *bulk; /* NULL: files */
	unsigned round;
};

int sched_meter_new(struct sched_host *h, struct sched_meter **ret)
{
	struct sched_meter *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	m->host = h;
	if (bulk_new(h, &m->bulk) < 0)
		m->bulk = NULL;
	*ret = m;
	return 0;
}

void sched_meter_free(struct sched_meter *m)
{
	if (m == NULL)
		return;
	bulk_free(m->bulk);
	free(m);
}

bool sched_meter_is_bulk(const struct sched_meter *m)
{
	return m->bulk != NULL;
}

void sched_meter_round(struct sched_meter *m, bool throttled)
{
	m->round++;
	if (m->bulk == NULL || bulk_round(m->bulk, throttled) == 0)
		return;
	bulk_free(m->bulk);
	m->bulk = NULL;
}

/* User and system time are counted by ticks, the sum exactly: the sum is split in their relation,
 * and, as the kernel does for its files, so that neither part ever shrinks. */
static void split_cpu(const struct bulk_slot *b, struct sched_stats *s)
{
	uint64_t ticks = b->of[BULK_USER_NS] + b->of[BULK_SYSTEM_NS], system = 0;
	uint64_t sum = b->of[BULK_CPU_NS] / 1000;

	if (ticks > 0)
		system = (uint64_t) ((__uint128_t) sum * b->of[BULK_SYSTEM_NS] / ticks);
	if (sum < s->cpu_us)
		sum = s->cpu_us;
	if (system < s->cpu_system_us)
		system = s->cpu_system_us;
	if (sum - system < s->cpu_user_us)
		system = sum - s->cpu_user_us;
	s->cpu_us = sum;
	s->cpu_system_us = system;
	s->cpu_user_us = sum - system;
}

static uint64_t bytes(uint64_t pages)
{
	uint64_t size = (uint64_t) sysconf(_SC_PAGESIZE), v;

	return __builtin_mul_overflow(pages, size, &v) || v > INT64_MAX - 0xffff ? UNITS_NONE : v;
}

static void take_memory(const struct sched_host *h, const struct bulk_slot *b,
			struct sched_stats *s)
{
	const struct cg_tree *t = host_tree(h, CG_MEMORY);
	uint64_t swap = b->of[BULK_SWAP_PAGES], used = b->of[BULK_MEMORY_PAGES];

	s->memory_limit_bytes = UNITS_NONE;
	if (t == NULL)
		return;
	s->memory_bytes = bytes(used);
	s->memory_peak_bytes = bytes(b->of[BULK_MEMORY_PEAK_PAGES]);
	s->memory_limit_bytes = bytes(b->of[BULK_MEMORY_LIMIT_PAGES]);
	s->oom_kills = b->of[BULK_OOM_KILLS];
	if (t->unified) {
		s->swap_bytes = bytes(swap);
		s->memory_limit_hits = b->of[BULK_MAX_EVENTS];
	} else { /* there it is counted with the memory, or not at all */
		s->swap_bytes = bytes(swap > used ? swap - used : 0);
		s->memory_limit_hits = b->of[BULK_MEMORY_FAILS] + b->of[BULK_SWAP_FAILS];
	}
}

static void take_pids(const struct sched_host *h, const struct bulk_slot *b, struct sched_stats *s)
{
	uint64_t limit = b->of[BULK_PIDS_LIMIT];

	s->pids = b->of[BULK_PIDS];
	s->pids_peak = b->of[BULK_PIDS_PEAK];
	s->pids_limit_hits = b->of[BULK_PIDS_FAILS];
	/* "max" is one more than there can be pids: 2^22. */
	s->pids_limit = host_tree(h, CG_PIDS) == NULL || limit > 1u << 22 ? UNITS_NONE : limit;
}

static void take_pressure(const struct bulk_slot *b, struct sched_stats *s)
{
	static const enum bulk_field some[SCHED_RESOURCE_COUNT] = {
		[SCHED_CPU] = BULK_CPU_SOME_NS,
		[SCHED_MEMORY] = BULK_MEMORY_SOME_NS,
		[SCHED_IO] = BULK_IO_SOME_NS,
	};

	for (unsigned i = 0; i < SCHED_RESOURCE_COUNT; i++) {
		s->pressure[i].some_us = b->of[some[i]] / 1000;
		s->pressure[i].full_us = b->of[some[i] + 1] / 1000;
	}
}

static void take(const struct sched_meter *m, const struct bulk_slot *b, struct sched_stats *s)
{
	split_cpu(b, s);
	take_memory(m->host, b, s);
	take_pids(m->host, b, s);
	take_pressure(b, s);
	s->has_pressure = bulk_has_pressure(m->bulk);
	/* Left out of a round in which nothing has a limit: what was counted before stays. */
	if (b->of[BULK_PERIODS] >= s->periods) {
		s->periods = b->of[BULK_PERIODS];
		s->throttled_periods = b->of[BULK_THROTTLED];
		s->throttled_us = b->of[BULK_THROTTLED_NS] / 1000;
	}
}

int sched_meter_read(struct sched_meter *m, unsigned slot, struct sched_stats *s)
{
	const struct bulk_slot *b = m->bulk != NULL ? bulk_find(m->bulk, slot) : NULL;
	uint64_t before = s->cpu_us, pids;
	bool rested = (m->round + slot) % RESTED == 0;

	if (b != NULL) {
		take(m, b, s);
		return 0;
	}
	stats_read_cpu(m->host, slot, s);
	if (before == s->cpu_us && before != 0 && !rested)
		return sched_slot_usage(m->host, slot, &s->memory_bytes, &pids);
	if (!stats_slot_exists(m->host, slot))
		return -ENOENT;
	s->memory_limit_bytes = s->pids_limit = UNITS_NONE;
	stats_read_light(m->host, slot, s);
	return 0;
}
