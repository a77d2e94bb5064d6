/* The weight of the group of all contexts, and the quota that makes a great one harmless.
 *
 * Beside it the host's processes count for themselves (on v1; each session, with autogroups), and
 * nobody knows how many will be awake. No weight alone is right for all numbers: with one it must
 * be small or that one has next to nothing, with a hundred it must be great. So the host's reserve
 * has two keepers: up to `most` it is the weight itself, which leaves one process as much; beyond,
 * all contexts together have a quota, everything but the reserve. A greater weight is never in
 * force without it, at no moment: quota first, then weight, and back the other way round. Hence
 * whatever a daemon that was killed left here keeps the host's reserve; and the greatest weight,
 * with the quota, keeps contexts' reserves as well beside any number of processes that the
 * kernel's range allows for (256 times those awake is what contexts weigh).
 *
 * "ward" is shared with other daemons: each notes what it needs as the weight of its own
 * directory, and writes the greatest of all. Whoever runs no context any more needs nothing. */
#include "sched/top.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "sched/allot.h"
#include "sched/host.h"
#include "sched/instances.h"

#define V2_DEFAULT 100
#define V1_DEFAULT 1024
#define V2_GREATEST 10000
#define V1_GREATEST 262144
#define GIVEN_WAY (19 * V1_DEFAULT) /* beside one process that has a twentieth */

static const char *file_of(const struct top *t)
{
	return t->unified ? "cpu.weight" : "cpu.shares";
}

uint32_t top_default(const struct top *t)
{
	return t->unified ? V2_DEFAULT : V1_DEFAULT;
}

uint32_t top_greatest(const struct top *t)
{
	return t->unified ? V2_GREATEST : V1_GREATEST;
}

struct top top_of(const struct sched_host *h, uint64_t capacity, uint64_t reserve)
{
	const struct cg_tree *cpu = host_tree(h, CG_CPU), *core = host_tree(h, CG_CORE);
	struct top t = { .dir = cpu->top,
			 .core = core != NULL ? core->top : -1,
			 .unified = cpu->unified,
			 .instance = h->instance };
	uint64_t most;

	t.most = top_greatest(&t);
	if (reserve == 0 || reserve >= capacity)
		return t;
	most = top_default(&t) * (capacity - reserve) / reserve;
	if (most < t.most)
		t.most = (uint32_t) (most > 2 ? most : 2);
	t.rest_us = (capacity - reserve) * TOP_PERIOD_US / ALLOT_CPU;
	return t;
}

/* --- one file --- */

static uint32_t read_weight(int dir, const char *path)
{
	uint64_t weight;
	char text[32];

	if (cg_read(dir, path, text, sizeof(text)) <= 0 || sscanf(text, "%" SCNu64, &weight) != 1 ||
	    weight > UINT32_MAX)
		return 0;
	return (uint32_t) weight;
}

static void write_weight(const struct top *t, const char *dir, uint32_t weight)
{
	char path[NAME_MAX + 32], text[16];

	(void) snprintf(path, sizeof(path), "%s/%s", dir, file_of(t));
	(void) snprintf(text, sizeof(text), "%u", weight);
	(void) !file_write_at(t->dir, path, text);
}

uint32_t top_read_instance(const struct top *t)
{
	char path[NAME_MAX + 32];

	(void) snprintf(path, sizeof(path), "ward/%s/%s", t->instance, file_of(t));
	return read_weight(t->dir, path);
}

static bool is_held(int dir, bool unified)
{
	const char *file = unified ? "ward/cpu.max" : "ward/cpu.cfs_quota_us";
	char text[64];

	return cg_read(dir, file, text, sizeof(text)) > 0 && text[0] != '-' && text[0] != 'm';
}

uint32_t top_read(const struct top *t, bool *ret_held)
{
	char path[32];

	(void) snprintf(path, sizeof(path), "ward/%s", file_of(t));
	*ret_held = is_held(t->dir, t->unified);
	return read_weight(t->dir, path);
}

/* --- the quota --- */

static int lift(int dir, bool unified)
{
	if (unified)
		return file_write_at(dir, "ward/cpu.max", "max");
	return file_write_at(dir, "ward/cpu.cfs_quota_us", "-1");
}

/* @return 0, -EINVAL where on v1 somebody below has a greater limit, -errno. */
static int hold(const struct top *t)
{
	char text[64];
	int r;

	(void) snprintf(text, sizeof(text), "%" PRIu64 " %u", t->rest_us, TOP_PERIOD_US);
	if (t->unified)
		return file_write_at(t->dir, "ward/cpu.max", text);
	*strchr(text, ' ') = '\0';
	if (file_write_at(t->dir, "ward/cpu.cfs_quota_us", text) < 0 ||
	    read_weight(t->dir, "ward/cpu.cfs_period_us") != TOP_PERIOD_US) {
		char period[16];

		(void) snprintf(period, sizeof(period), "%u", TOP_PERIOD_US);
		r = lift(t->dir, false);
		if (r == 0)
			r = file_write_at(t->dir, "ward/cpu.cfs_period_us", period);
		return r == 0 ? file_write_at(t->dir, "ward/cpu.cfs_quota_us", text) : r;
	}
	return 0;
}

bool top_give_way(const struct cg_tree *t)
{
	const struct top v1 = { .dir = t->top };

	if (t->unified || !is_held(t->top, false))
		return false;
	if (read_weight(t->top, "ward/cpu.shares") > GIVEN_WAY)
		write_weight(&v1, "ward", GIVEN_WAY);
	return lift(t->top, false) == 0;
}

/* --- among daemons --- */

static uint32_t read_other(int ward, const char *path, const void *arg)
{
	(void) arg;
	return read_weight(ward, path);
}

uint32_t top_write(const struct top *t, uint32_t weight)
{
	char dir[NAME_MAX + 8];
	bool held;

	(void) snprintf(dir, sizeof(dir), "ward/%s", t->instance);
	write_weight(t, dir, weight);
	weight = instances_greatest(t->dir, t->core, t->instance, weight, file_of(t), read_other,
				    NULL);
	held = weight > t->most && hold(t) == 0;
	if (!held && weight > t->most)
		weight = t->most;
	write_weight(t, "ward", weight);
	if (!held && is_held(t->dir, t->unified))
		(void) !lift(t->dir, t->unified);
	return weight;
}
