/* Contexts come and go, and each has the weight that is due to it. See engine.h.
 *
 * Weights are written in a scale in which a bare share is what sched_plan() writes for it. So
 * whoever has nothing reserved is never rewritten because others come; those with a reserve are,
 * when what a share is worth has moved by a hundredth: a number of times that is logarithmic. */
#include "sched/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "sched/claims.h"

#define NOTICED 50 /* a weight is written when it differs by one part of so many */
#define SHIFT_MAX 16

/* --- the kernel's range --- */

static uint32_t range_max(const struct engine *g)
{
	return g->tree->unified ? 10000 : 262144;
}

static uint32_t range_min(const struct engine *g)
{
	return g->tree->unified ? 1 : 2;
}

/* What sched/attribute.c makes of cpu.weight = share. */
static uint64_t of_share(const struct engine *g, uint64_t share)
{
	return g->tree->unified ? share : share * 1024 / 100;
}

/* The amount that is the greatest weight: so many shares as make that weight. */
static uint64_t full(const struct engine *g)
{
	uint64_t hundred = of_share(g, 100);
	__uint128_t v = (__uint128_t) g->level_up * range_max(g) * 100 << g->shift;

	v /= (__uint128_t) g->level_down * hundred;
	return v > 0 ? (uint64_t) v : 1;
}

/* Rounding must not make shares alone look different from what they are. */
static uint32_t weight_of(const struct engine *g, const struct member *m, uint64_t amount,
			  uint64_t all)
{
	uint32_t w = allot_weight_scaled(amount, all, range_min(g), range_max(g));
	uint64_t plain = of_share(g, m->claim.share) >> g->shift;

	if (m->claim.reserve == 0 && (w > plain ? w - plain : plain - w) <= 1 + plain / 64 &&
	    plain >= range_min(g))
		return (uint32_t) plain;
	return w;
}

/* Keeps the scale unless weights do not fit, or would fit into a quarter of it. */
static void set_shift(struct engine *g, const uint64_t *amounts)
{
	uint64_t most = 0;

	for (size_t i = 0; i < g->count; i++)
		if (amounts[i] > most)
			most = amounts[i];
	while (g->shift > 0 && most < full(g) / 4)
		g->shift--;
	while (g->shift < SHIFT_MAX && most > full(g))
		g->shift++;
}

static void write_weight(struct engine *g, struct member *m, uint32_t w)
{
	const char *file = g->tree->unified ? "cpu.weight" : "cpu.shares";
	char text[16];
	int r;

	(void) snprintf(text, sizeof(text), "%u", w);
	r = slot_write(g->tree, m->slot, file, text);
	if (r < 0 && r != -ENOENT && r != -ENODEV)
		log_debug("cgroup %s/%u: setting %s to %s: %s", g->host->instance, m->slot, file,
			  text, strerror(-r));
	m->written = r == 0 ? w : 0;
	g->moved = true;
}

void engine_apply(struct engine *g, const uint64_t *amounts)
{
	uint64_t all;

	set_shift(g, amounts);
	all = full(g);
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];
		uint32_t w = weight_of(g, m, amounts[i], all);
		uint64_t off = w > m->written ? w - m->written : m->written - w;

		if (m->written == 0 || off * NOTICED > m->written)
			write_weight(g, m, w);
	}
}

/* --- who there is --- */

/* @return where it is, or belongs. */
static size_t place_of(const struct engine *g, unsigned slot)
{
	size_t low = 0, high = g->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (g->members[middle].slot < slot)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct member *find(const struct engine *g, unsigned slot)
{
	size_t i = place_of(g, slot);

	return i < g->count && g->members[i].slot == slot ? &g->members[i] : NULL;
}

static bool grow(struct engine *g)
{
	size_t room = g->room != 0 ? 2 * g->room : 32;

	if (!mem_resize(&g->members, room, sizeof(*g->members)) ||
	    !mem_resize(&g->claims, room + 1, sizeof(*g->claims)) ||
	    !mem_resize(&g->standings, room, sizeof(*g->standings)) ||
	    !mem_resize(&g->amounts, room + 1, sizeof(*g->amounts)) ||
	    !mem_resize(&g->weights, room, sizeof(*g->weights)) ||
	    !mem_resize(&g->awake, room, sizeof(*g->awake)))
		return false;
	g->room = room;
	return true;
}

static struct member *insert(struct engine *g, unsigned slot)
{
	size_t at = place_of(g, slot);

	if (g->count == g->room && !grow(g))
		return NULL;
	memmove(&g->members[at + 1], &g->members[at], (g->count - at) * sizeof(*g->members));
	g->members[at] = (struct member){ .slot = slot, .discount = EXCESS_NONE };
	g->count++;
	return &g->members[at];
}

static void remove_at(struct engine *g, size_t at)
{
	free(g->members[at].mask);
	free(g->members[at].account);
	g->count--;
	memmove(&g->members[at], &g->members[at + 1], (g->count - at) * sizeof(*g->members));
}

static void count_in(struct engine *g, const struct member *m)
{
	g->shares += m->claim.share;
	g->reserved += m->claim.reserve > 0;
}

static void count_out(struct engine *g, const struct member *m)
{
	g->shares -= m->claim.share;
	g->reserved -= m->claim.reserve > 0;
}

/* --- dues --- */

/* A limit is kept by its quota: below it a context competes as if it had none. */
uint64_t engine_weight_due(const struct engine *g, const struct member *m)
{
	uint64_t worth = claims_worth(g, &m->claim);
	bool limited = m->due >= m->claim.limit || m->due == 0;

	return limited && worth > m->due ? worth : m->due;
}

/* With nothing reserved, what the plan writes is right already, whoever comes. */
static void settle_plain(struct engine *g)
{
	g->shift = 0;
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];
		uint64_t plain = of_share(g, m->claim.share);
		uint32_t w = (uint32_t) (plain < range_min(g) ? range_min(g) : plain);

		if (m->written != w)
			write_weight(g, m, w);
		free(TAKE_PTR(m->account));
	}
	beside_reset(g);
	heir_free(TAKE_PTR(g->heir), false);
}

/* What holds when nobody looks any more. */
static void bequeath(struct engine *g)
{
	uint64_t all;

	if (g->heir != NULL && !heir_lives(g->heir))
		heir_free(TAKE_PTR(g->heir), false);
	if (g->heir == NULL && heir_new(g, &g->heir) < 0)
		return;
	all = full(g);
	heir_begin(g->heir);
	for (size_t i = 0; i < g->count; i++) {
		const struct member *m = &g->members[i];

		heir_note(g->heir, i, m->slot, weight_of(g, m, engine_weight_due(g, m), all));
	}
	heir_end(g->heir, g->count, beside_top(g));
}

void engine_settle(struct engine *g)
{
	if (g->tree == NULL)
		return;
	g->unsettled = false;
	g->settled_shares = g->shares;
	if (g->reserved == 0) {
		settle_plain(g);
		return;
	}
	if (claims_set_dues(g) < 0)
		return;
	for (size_t i = 0; i < g->count; i++) {
		g->members[i].entitled = g->members[i].due;
		g->weights[i] = engine_weight_due(g, &g->members[i]);
	}
	engine_apply(g, g->weights);
	bequeath(g);
	if (!g->measured) /* else somebody looks, and knows better */
		beside_settle(g);
}

void engine_rest(struct engine *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];

		m->demand = (struct demand){};
		m->discount = EXCESS_NONE;
	}
	g->self_demand = (struct demand){};
	g->self_rate = 0;
	g->measured = false;
	g->looks = 0;
	(void) !claims_renew_pool(g); /* CPUs come and go seldom */
	engine_settle(g);
}

/* Whoever has only a share has its weight from the plan; many of them take from what a share is
 * worth, and so from those with a reserve. */
static bool is_urgent(const struct engine *g, const struct member *m)
{
	if (g->reserved == 0)
		return false;
	return m->claim.reserve > 0 || m->written == 0 || g->shift > 0 || m->mask != NULL ||
	       g->shares > g->settled_shares + g->settled_shares / NOTICED;
}

int engine_set(struct engine *g, unsigned slot, const struct spec *spec, bool fresh)
{
	struct member *m = find(g, slot);
	bool known = m != NULL;
	int r;

	if (g->tree == NULL)
		return 0;
	if (!known)
		m = insert(g, slot);
	if (m == NULL)
		return -ENOMEM;
	if (known)
		count_out(g, m);
	r = claims_fill(g, m, spec);
	if (r < 0) {
		if (known)
			count_in(g, m);
		else
			remove_at(g, place_of(g, slot));
		return r;
	}
	count_in(g, m);
	m->written = fresh ? (uint32_t) of_share(g, m->claim.share) : 0;
	if (m->claim.reserve > 0 || (fresh && m->written < range_min(g)))
		m->written = fresh ? (uint32_t) of_share(g, 100) : 0;
	g->unsettled = true;
	if (is_urgent(g, m))
		engine_settle(g);
	return 0;
}

void engine_drop(struct engine *g, unsigned slot)
{
	struct member *m = find(g, slot);

	if (m == NULL)
		return;
	count_out(g, m);
	remove_at(g, (size_t) (m - g->members));
	g->unsettled = true;
}

bool engine_promises(const struct engine *g)
{
	return g->reserved > 0;
}

bool engine_unsettled(const struct engine *g)
{
	return g->unsettled;
}

void engine_set_host(struct engine *g, uint32_t host_ppm)
{
	g->unsettled |= g->host_ppm != host_ppm;
	g->host_ppm = host_ppm;
	g->self.reserve = g->capacity * host_ppm / 1000000;
}

bool engine_delivered(struct engine *g, unsigned slot, uint64_t now_us,
		      struct delivery_sum ret[static DELIVERY_WINDOWS])
{
	struct member *m = g->reserved > 0 ? find(g, slot) : NULL;

	return m != NULL && deliver_ask(g, m, now_us, ret);
}

void engine_on_breach(struct engine *g, engine_breach tell, void *arg)
{
	g->breach.tell = tell;
	g->breach.arg = arg;
}

int engine_new(struct sched_host *h, uint32_t host_ppm, struct engine **ret)
{
	struct engine *g = calloc(1, sizeof(*g));
	int r;

	if (g == NULL)
		return -ENOMEM;
	g->host = h;
	g->tree = host_tree(h, CG_CPU);
	g->host_ppm = host_ppm;
	g->beside.stat = g->pressure = -1;
	r = grow(g) ? claims_renew_pool(g) : -ENOMEM;
	g->unsettled = r >= 0 && g->tree != NULL && beside_begin(g);
	if (r < 0) {
		engine_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void engine_free(struct engine *g)
{
	if (g == NULL)
		return;
	if (g->tree != NULL && g->count == 0)
		beside_reset(g);
	else if (g->tree != NULL && g->reserved > 0)
		beside_settle(g);
	heir_free(g->heir, g->count > 0);
	for (size_t i = 0; i < g->count; i++) {
		free(g->members[i].mask);
		free(g->members[i].account);
	}
	(void) fd_close(g->pressure);
	(void) fd_close(g->beside.stat);
	usage_free(g->usage);
	allot_pool_free(g->pool);
	free(g->members);
	free(g->claims);
	free(g->standings);
	free(g->amounts);
	free(g->weights);
	free(g->awake);
	free(g);
}
