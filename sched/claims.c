/* From specs to claims (allot.h), and what is due to each of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/units.h"
#include "sched/claims.h"

#define HOST_SHARE 100 /* what is left is for the host as for one more context */
#define SETS_MAX 256 /* of cpusets that came and went, until the pool is made anew */
#define SHARES_LEAST 200 /* shares keep this part of all, were everything reserved */

/* "0-2,5": calls `each` for every CPU below `places`. */
static int each_cpu(const char *text, unsigned places, void (*each)(unsigned cpu, void *arg),
		    void *arg)
{
	while (*text != '\0' && *text != '\n') {
		unsigned first, last;
		int n = 0;

		if (sscanf(text, "%u%n", &first, &n) != 1)
			return -EINVAL;
		text += n;
		last = first;
		if (*text == '-') {
			if (sscanf(text + 1, "%u%n", &last, &n) != 1)
				return -EINVAL;
			text += 1 + n;
		}
		for (unsigned i = first; i <= last && i < places; i++)
			each(i, arg);
		if (*text == ',')
			text++;
	}
	return 0;
}

static void set_capacity(unsigned cpu, void *arg)
{
	uint64_t *capacity = arg;

	capacity[cpu] = ALLOT_CPU;
}

static void set_bit(unsigned cpu, void *arg)
{
	uint64_t *mask = arg;

	mask[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

static int make_pool(struct engine *g, const char *online)
{
	long places = sysconf(_SC_NPROCESSORS_CONF);
	_cleanup_free_ uint64_t *capacity = NULL;
	struct allot_pool *pool = NULL;
	int r;

	if (places <= 0 || places > (long) ALLOT_PLACES_MAX)
		return -ERANGE;
	capacity = calloc((size_t) places, sizeof(*capacity));
	if (capacity == NULL)
		return -ENOMEM;
	r = each_cpu(online, (unsigned) places, set_capacity, capacity);
	if (r == 0)
		r = allot_pool_new(capacity, (unsigned) places, &pool);
	if (r < 0)
		return r;
	allot_pool_free(g->pool);
	g->pool = pool;
	g->places = (unsigned) places;
	g->capacity = 0;
	for (long i = 0; i < places; i++)
		g->capacity += capacity[i];
	(void) snprintf(g->online, sizeof(g->online), "%s", online);
	g->self = (struct allot_claim){ .reserve = g->capacity * g->host_ppm / 1000000,
					.limit = ALLOT_HUNGRY,
					.share = HOST_SHARE };
	return 0;
}

/* In a new pool sets have other numbers. */
static int add_sets(struct engine *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];
		int r = m->mask != NULL ? allot_pool_add(g->pool, m->mask, &m->claim.set) : 0;

		if (r == -EINVAL) /* none of its CPUs is there */
			m->claim.set = 0;
		else if (r < 0)
			return r;
	}
	return 0;
}

int claims_renew_pool(struct engine *g)
{
	char online[CPUS_TEXT] = "0";
	int r;

	(void) cg_read(AT_FDCWD, "/sys/devices/system/cpu/online", online, sizeof(online));
	if (g->pool != NULL && strcmp(online, g->online) == 0 &&
	    allot_pool_sets(g->pool) < SETS_MAX)
		return 0;
	r = make_pool(g, online);
	if (r < 0)
		return r;
	g->unsettled = true;
	return add_sets(g);
}

static int make_mask(const struct engine *g, const char *cpus, uint64_t **ret)
{
	uint64_t *mask;
	int r;

	*ret = NULL;
	if (cpus == NULL || *cpus == '\0')
		return 0;
	mask = calloc((g->places + 63) / 64, sizeof(*mask));
	if (mask == NULL)
		return -ENOMEM;
	r = each_cpu(cpus, g->places, set_bit, mask);
	if (r < 0) {
		free(mask);
		return r;
	}
	*ret = mask;
	return 0;
}

static uint64_t amount(uint64_t millicpu)
{
	uint64_t v;

	if (millicpu == UNITS_NONE)
		return ALLOT_HUNGRY;
	if (__builtin_mul_overflow(millicpu, ALLOT_CPU / 1000, &v) || v > ALLOT_AMOUNT_MAX)
		return ALLOT_AMOUNT_MAX;
	return v;
}

int claims_fill(struct engine *g, struct member *m, const struct spec *spec)
{
	uint64_t *mask = NULL;
	unsigned set = 0;
	int r = make_mask(g, spec->cpu.cpus, &mask);

	if (r == 0 && mask != NULL)
		r = allot_pool_add(g->pool, mask, &set);
	if (r < 0) {
		free(mask);
		return r;
	}
	free(m->mask);
	m->mask = mask;
	m->claim = (struct allot_claim){ .reserve = amount(spec->cpu.reserve_millicpu),
					 .limit = amount(spec->cpu.limit_millicpu),
					 .demand = ALLOT_HUNGRY,
					 .share = (uint32_t) spec->cpu.share,
					 .set = set };
	return 0;
}

/* The host has a share and no limit: what it gets above its reserve is what shares are worth. With
 * all reserved there is a rest all the same, or whoever has only shares would stand still. */
static void set_level(struct engine *g)
{
	uint64_t least = SHARES_LEAST * (g->shares + g->self.share);

	g->level_up = g->self_due - (g->self.reserve < g->self_due ? g->self.reserve : g->self_due);
	g->level_down = g->self.share;
	if (g->level_up * least < g->capacity * g->level_down) {
		g->level_up = g->capacity;
		g->level_down = least;
	}
}

int claims_set_dues(struct engine *g)
{
	int r;

	for (size_t i = 0; i < g->count; i++) {
		g->claims[i] = g->members[i].claim;
		g->claims[i].demand = ALLOT_HUNGRY;
	}
	g->claims[g->count] = g->self;
	g->claims[g->count].demand = ALLOT_HUNGRY;
	r = allot(g->pool, g->claims, g->count + 1, g->amounts);
	if (r < 0)
		return r;
	for (size_t i = 0; i < g->count; i++)
		g->members[i].due = g->amounts[i];
	g->self_due = g->amounts[g->count];
	set_level(g);
	return 0;
}

uint64_t claims_worth(const struct engine *g, const struct allot_claim *c)
{
	return c->reserve + c->share * g->level_up / g->level_down;
}
