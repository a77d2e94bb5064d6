/* A look at those who contend, and the weights that follow from it.
 *
 * What a context used since the last look tells what it wants (demand.c); what all of them want
 * tells what each is entitled to (allot()); and that, with what those asleep are due, tells the
 * weights of those awake (allot_weights()).
 *
 * While others sleep whose reserves are great, no weights give both the right proportions now and
 * everyone's whole reserve in the moment those wake. Who wakes has its reserve at once in any case;
 * who was awake keeps half of it until the next look, and what it missed is paid back from shares,
 * so that over a second nobody has less than its reserve. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sched/claims.h"

#define STALE_US 400000 /* a longer pause says nothing about now */
#define REPAY_US 250000 /* in which what somebody missed is made up for */
#define FLOOR_PART 2
#define GRAIN_US 4000 /* as a tick of the scheduler, at 250 Hz */
#define OWED_SOON_US 5000
#define PRESSURE_EVERY 4 /* looks */
#define LOOK_US 50000
#define STEADY_LOOKS 10 /* after so many in which nothing moves they are fewer */
#define STEADY_US 90000
#define STARTLED_US 10000 /* what moved after a steady time is understood with the next look */
#define PRESSED_PART 20 /* contexts wait for a CPU for more than one part of so many */

/* The time that any context waited for a CPU while it could have run. */
static bool read_pressure(struct engine *g, uint64_t *ret)
{
	const struct cg_tree *core = host_tree(g->host, CG_CORE);
	char text[256];
	const char *total;
	ssize_t n;

	if (core == NULL)
		return false;
	if (g->pressure < 0)
		g->pressure = openat(core->fd, "cpu.pressure", O_RDONLY | O_CLOEXEC);
	n = pread(g->pressure, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	total = strstr(text, "total=");
	return total != NULL && sscanf(total, "total=%" SCNu64, ret) == 1;
}

/* While they do contend, whether they still do is asked now and then only. */
static bool is_pressed(struct engine *g, uint64_t now_us)
{
	uint64_t total, dt = now_us - g->pressed_us, waited;
	bool first = g->pressed_us == 0;

	if (g->looks++ % PRESSURE_EVERY != 0)
		return true;
	if (!read_pressure(g, &total))
		return true; /* nobody knows: look */
	waited = total - g->pressure_us;
	g->pressed_us = now_us;
	g->pressure_us = total;
	if (first || waited * PRESSED_PART > dt)
		return true;
	g->looks = 0;
	return false;
}

/* Reads what everyone used. @return all of it since their slots were made. */
static uint64_t measure(struct engine *g, uint64_t dt_us)
{
	uint64_t sum = 0;

	usage_round(g->usage);
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];
		uint64_t ns = m->used_ns;

		if (usage_read(g->usage, m->slot, &ns) < 0 || ns < m->used_ns)
			ns = m->used_ns;
		m->rate = m->used_ns != 0 && dt_us > 0 ? (ns - m->used_ns) * 1000 / dt_us : 0;
		m->used_ns = ns;
		sum += ns;
	}
	return sum;
}

/* What somebody could have had, where the host left less than was thought. */
static uint64_t given(const struct member *m, uint64_t used, uint64_t entitled)
{
	if (m->demand.rate == 0)
		return m->due;
	if (used >= entitled)
		return m->entitled;
	return (uint64_t) ((__uint128_t) m->entitled * used / entitled);
}

/* Who uses less than its reserve although it is hungry is owed the difference. */
static void owe(struct member *m, uint64_t dt_us)
{
	uint64_t right = m->claim.reserve < m->claim.limit ? m->claim.reserve : m->claim.limit;

	if (m->claim.demand != ALLOT_HUNGRY || m->demand.missed_us > 0)
		m->owed_us = 0;
	else
		m->owed_us = demand_owed(m->owed_us, right, m->rate, dt_us);
}

/* What is within the grain of a look moves no weight. */
static uint64_t owed_to(const struct member *m)
{
	return m->owed_us > GRAIN_US ? (uint64_t) m->owed_us - GRAIN_US : 0;
}

/* Who woke, or was hungry and has used far less than it could: it may have fallen asleep. */
static bool has_moved(const struct member *m)
{
	if (m->demand.rate == 0)
		return m->rate > 0;
	return m->demand.hungry && m->rate < m->entitled / 2;
}

/* What it wants. Before it is taken for somebody who wants less than it did, it is asked whether it
 * starves; until that is known, what it wanted. */
static uint64_t find_demand(struct engine *g, struct member *m, uint64_t given, uint64_t now_us,
			    uint64_t dt_us)
{
	struct demand d = m->demand;
	uint64_t want = demand_look(&d, m->rate, given, dt_us);
	enum starved starves = STARVED_NO;

	if (starved_lately(m))
		starves = STARVED_YES;
	else if (m->demand.hungry && !d.hungry)
		starves = starved_look(g, m, now_us, dt_us);
	if (starves == STARVED_YES)
		return demand_starved(&m->demand, m->rate, dt_us);
	if (starves == STARVED_UNKNOWN) {
		g->startled |= want == 0;
		return m->claim.demand;
	}
	m->demand = d;
	return want;
}

/* @return how many are awake: g->awake says who, g->claims what they claim. */
static size_t find_awake(struct engine *g, uint64_t now_us, uint64_t dt_us)
{
	uint64_t used = 0, entitled = 0;
	size_t n = 0;

	for (size_t i = 0; i < g->count; i++) {
		if (g->members[i].demand.rate == 0)
			continue;
		used += g->members[i].rate;
		entitled += g->members[i].entitled;
	}
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];

		if (m->rate == 0 && m->demand.rate == 0)
			continue;
		g->moved |= has_moved(m);
		m->claim.demand = find_demand(g, m, given(m, used, entitled), now_us, dt_us);
		if (m->claim.demand == 0)
			continue;
		owe(m, dt_us);
		g->claims[n] = m->claim;
		g->claims[n].reserve += owed_to(m) * ALLOT_CPU / REPAY_US;
		g->awake[n++] = i;
	}
	return n;
}

/* The host's own processes: seldom, for they are counted by the tick. */
static bool look_at_host(struct engine *g, uint64_t now_us, uint64_t ward_ns, uint64_t *ret_used,
			 uint64_t *ret_ward)
{
	uint64_t dt = 0;

	if (!beside_look(g, now_us, ward_ns, ret_used, ret_ward, &dt))
		return false;
	g->self_want = demand_look(&g->self_demand, *ret_used, beside_given(g), dt);
	g->self_rate = g->self_rate == 0 ? *ret_used : (3 * g->self_rate + *ret_used) / 4;
	return true;
}

static bool entitle(struct engine *g, size_t n)
{
	g->claims[n] = g->self;
	g->claims[n].demand = g->self_rate;
	if (allot(g->pool, g->claims, n + 1, g->amounts) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct member *m = &g->members[g->awake[i]];

		m->entitled = g->amounts[i];
		g->standings[i] = (struct allot_standing){
			.due = m->due,
			.entitled = g->amounts[i],
			.most = m->claim.demand < m->claim.limit ? m->claim.demand : m->claim.limit,
			.floor = m->claim.reserve / FLOOR_PART,
			.set = m->claim.set,
		};
	}
	return true;
}

/* What all awake must have together, at the least, for each of them to have its reserve of it. */
static uint64_t needed_for_reserves(const struct engine *g, size_t n)
{
	uint64_t all = 0, needed = 0;

	for (size_t i = 0; i < n; i++)
		all += g->members[g->awake[i]].entitled;
	for (size_t i = 0; i < n; i++) {
		const struct member *m = &g->members[g->awake[i]];
		__uint128_t right = m->claim.reserve < m->entitled ? m->claim.reserve : m->entitled;

		if (right > 0 && right * all / m->entitled > needed)
			needed = (uint64_t) (right * all / m->entitled);
	}
	return needed;
}

/* Contexts share what the host leaves in fact; between the two sides counts what it would like. */
static void weigh_host(struct engine *g, size_t n, uint64_t host, uint64_t ward)
{
	uint64_t needed = needed_for_reserves(g, n), contexts = 0;

	g->claims[n].demand = g->self_want;
	if (allot(g->pool, g->claims, n + 1, g->amounts) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		contexts += g->amounts[i];
	g->self_entitled = g->amounts[n];
	beside_correct(g, contexts, needed, host, ward);
}

/* Who has less than its reserve while contexts together have not what the host leaves by right: the
 * host wakes faster than it is looked at. It is told what it weighs afterwards. */
static bool is_overrun(const struct engine *g, size_t n)
{
	uint64_t used = 0, owed = 0;

	for (size_t i = 0; i < n; i++) {
		const struct member *m = &g->members[g->awake[i]];

		used += m->rate;
		if (owed_to(m) > owed)
			owed = owed_to(m);
	}
	return owed >= OWED_SOON_US && used + g->self.reserve + g->capacity / 20 < g->capacity;
}

/* @return 0 or -errno, with g->weights[i] for the i-th that is awake. */
static int weigh(struct engine *g, size_t n)
{
	unsigned sets = allot_pool_sets(g->pool);
	uint64_t due_by_set[ALLOT_SETS_MAX];

	memset(due_by_set, 0, sets * sizeof(*due_by_set));
	for (size_t i = 0; i < g->count; i++)
		due_by_set[g->members[i].claim.set] += g->members[i].due;
	return allot_weights(g->pool, g->standings, n, due_by_set, g->weights);
}

/* Those asleep have what is due to them. */
static void apply(struct engine *g, size_t n)
{
	for (size_t i = 0; i < g->count; i++)
		g->amounts[i] = engine_weight_due(g, &g->members[i]);
	for (size_t i = 0; i < n; i++) {
		const struct member *m = &g->members[g->awake[i]];

		if (g->weights[i] != m->due)
			g->amounts[g->awake[i]] = g->weights[i];
		g->amounts[g->awake[i]] = excess_less(m, g->amounts[g->awake[i]]);
	}
	engine_apply(g, g->amounts);
}

static void correct(struct engine *g, uint64_t now_us, uint64_t ward_ns, size_t n)
{
	uint64_t host = 0, ward = 0;
	bool looked = look_at_host(g, now_us, ward_ns, &host, &ward);

	excess_look(g);
	if (n == 0 || !entitle(g, n))
		return;
	if (looked)
		weigh_host(g, n, host, ward);
	if (is_overrun(g, n))
		beside_guard(g);
	if (weigh(g, n) == 0)
		apply(g, n);
}

/* Also those with a reserve that use little: it may be all they get. */
static void account(struct engine *g, uint64_t now_us, uint64_t dt_us)
{
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];

		if (m->demand.rate != 0 || (m->claim.reserve > 0 && m->rate != 0))
			deliver_look(g, m, now_us, dt_us);
	}
}

bool engine_look(struct engine *g, uint64_t now_us)
{
	uint64_t dt = now_us - g->looked_us, ward_ns;
	bool measured = g->measured && dt > 0 && dt < STALE_US;

	if (g->tree == NULL || g->reserved == 0)
		return false;
	if (g->usage == NULL && usage_new(g->host, &g->usage) < 0)
		return false;
	if (g->unsettled)
		engine_settle(g);
	if (!is_pressed(g, now_us)) {
		g->measured = false;
		return false;
	}
	ward_ns = measure(g, dt);
	g->looked_us = now_us;
	g->measured = true;
	g->moved = !measured;
	g->startled = false;
	if (measured) {
		correct(g, now_us, ward_ns, find_awake(g, now_us, dt));
		account(g, now_us, dt);
	}
	g->startled |= g->moved && g->steady >= STEADY_LOOKS;
	g->steady = g->moved ? 0 : g->steady + 1;
	return true;
}

uint64_t engine_pause_us(const struct engine *g)
{
	if (g->startled)
		return STARTLED_US;
	return g->steady >= STEADY_LOOKS ? STEADY_US : LOOK_US;
}
