/* All contexts together, beside the host's own processes: those have a reserve as well, and what a
 * fork storm of theirs must not take is promised to contexts.
 *
 * Outside of our group weights are not ours to know. So they are told from what they do: where both
 * sides are hungry, the time that the host used and the time that contexts used stand to each other
 * as their weights. Until somebody has looked, and when nobody looks any more, contexts have the
 * greatest weight under a quota (top.c): that keeps both sides' reserves whoever wakes, and costs
 * nothing but shares and, while the host wants less than its reserve, the rest of that.
 *
 * A delegated subtree has its weight from its owner (systemd: CPUWeight=), who decides. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "sched/claims.h"

#define LOOK_US 250000
#define V2_GROUPS 2 /* what systemd has at the top beside us: system and user */
#define V1_GROUPS 1 /* a session, where the kernel groups by them (sched(7), autogroup) */
#define HOST_TIMES 512 /* as heavy as the host may look, against that */
#define FORGET 64 /* looks, in which what the host once weighed is forgotten by half or so */
#define STEP_UP 16 /* it moves by at most these factors in one look */
#define STEP_DOWN 8
#define NOTICED 8 /* it is written when it differs by one part of so many */
#define CHECKED 4 /* times it would not be written, until it is made sure that it is still so */

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static struct top top_here(const struct engine *g)
{
	return top_of(g->host, g->capacity, g->self.reserve);
}

static uint64_t least_host(const struct engine *g)
{
	return g->tree->unified ? V2_GROUPS * 100 : V1_GROUPS * 1024;
}

static bool is_ours(const struct engine *g)
{
	return g->host->below[0] == '\0';
}

/* Whether somebody else has written: another daemon, or a limit that the quota gave way to. */
static bool is_changed(struct engine *g, const struct top *t)
{
	bool held;

	if (g->beside.puts++ % CHECKED != 0)
		return false;
	return top_read(t, &held) != g->beside.top || held != (g->beside.top > t->most);
}

static void put(struct engine *g, uint32_t w)
{
	const struct top t = top_here(g);
	uint32_t before = g->beside.written;

	if (!is_ours(g) || ((uint64_t) (w > before ? w - before : before - w) * NOTICED <= before &&
			    !is_changed(g, &t)))
		return;
	g->beside.top = top_write(&t, w);
	g->beside.written = w;
}

bool beside_begin(struct engine *g)
{
	const struct top t = top_here(g);
	uint32_t plain = top_default(&t);
	bool held = false;

	g->beside.written = g->beside.top = plain;
	if (!is_ours(g) ||
	    (top_read(&t, &held) == plain && !held && top_read_instance(&t) == plain))
		return false;
	g->beside.written = g->beside.top = 0; /* whatever it is, it is written anew */
	return true;
}

struct top beside_top(const struct engine *g)
{
	struct top t = top_here(g);

	if (!is_ours(g))
		t.most = 0;
	return t;
}

void beside_settle(struct engine *g)
{
	const struct top t = top_here(g);

	g->beside.looked_us = 0;
	put(g, top_greatest(&t));
}

void beside_guard(struct engine *g)
{
	const struct top t = top_here(g);

	if (g->beside.written != top_greatest(&t))
		beside_settle(g);
}

void beside_reset(struct engine *g)
{
	const struct top t = top_here(g);

	put(g, top_default(&t));
}

/* In ticks: all that was neither idle nor taken from this machine by another. */
static bool read_busy(struct beside *b, uint64_t *ret)
{
	uint64_t user, nice, system, idle, wait, irq, softirq;
	char text[256];
	ssize_t n;

	if (b->stat < 0)
		b->stat = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	n = pread(b->stat, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	if (sscanf(text,
		   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64,
		   &user, &nice, &system, &idle, &wait, &irq, &softirq) != 7)
		return false;
	*ret = user + nice + system + irq + softirq;
	return true;
}

bool beside_look(struct engine *g, uint64_t now_us, uint64_t ward_ns, uint64_t *ret_host,
		 uint64_t *ret_ward, uint64_t *ret_dt_us)
{
	struct beside *b = &g->beside;
	uint64_t ticks, dt = now_us - b->looked_us, all, ward;
	bool first = b->looked_us == 0 || dt > 10 * (uint64_t) LOOK_US;

	if ((!first && dt < LOOK_US) || !read_busy(b, &ticks))
		return false;
	if (!first) {
		all = (ticks - b->busy_ticks) * ALLOT_CPU * 1000000 /
		      (uint64_t) sysconf(_SC_CLK_TCK) / dt;
		ward = ward_ns > b->ward_ns ? (ward_ns - b->ward_ns) * 1000 / dt : 0;
		*ret_ward = ward;
		*ret_host = all > ward ? all - ward : 0;
		*ret_dt_us = dt;
	}
	b->busy_ticks = ticks;
	b->looked_us = now_us;
	b->ward_ns = ward_ns;
	return !first;
}

/* What it is entitled to, unless the weight in force leaves it less: with the greatest one a hungry
 * host looks like one that wants little. */
uint64_t beside_given(const struct engine *g)
{
	uint64_t entitled = g->self_demand.rate != 0 ? g->self_entitled : g->self_due;
	uint64_t host = g->beside.host_weight, left;

	if (host < least_host(g))
		host = least_host(g);
	left = (uint64_t) ((__uint128_t) g->capacity * host / (host + g->beside.top));
	if (left < g->self.reserve)
		left = g->self.reserve;
	return left < entitled ? left : entitled;
}

/* Under the quota the host has its reserve whatever it weighs. */
static bool is_left_by_quota(const struct engine *g, uint64_t host_used)
{
	const struct top t = top_here(g);

	return g->beside.top > t.most && host_used <= g->self.reserve + g->self.reserve / 4;
}

/* What the host seems to weigh: only where all CPUs were in use do times tell weights. */
static uint64_t seen_weight(const struct engine *g, uint64_t host_used, uint64_t ward_used)
{
	uint64_t least = least_host(g), before = g->beside.host_weight, seen;

	if (before < least)
		before = least;
	if (!g->self_demand.hungry || host_used + ward_used < g->capacity - g->capacity / 8)
		return before - (before - least) / FORGET; /* it may come back when nobody looks */
	if (ward_used == 0 || is_left_by_quota(g, host_used))
		return before;
	seen = (uint64_t) ((__uint128_t) host_used * g->beside.top / ward_used);
	if (seen > STEP_UP * before)
		seen = STEP_UP * before;
	if (seen < before / STEP_DOWN)
		seen = before / STEP_DOWN;
	if (seen < least)
		seen = least;
	return seen < HOST_TIMES * least ? seen : HOST_TIMES * least;
}

/* A host that wants less than it is due weighs what is due to it, as contexts do that sleep: else
 * each step of an admin's shell would wait its turn. And whatever it seems to want, contexts keep
 * their reserves with the weights that they have among each other now. */
static uint64_t contexts_part(const struct engine *g, uint64_t contexts, uint64_t needed)
{
	uint64_t most = g->capacity - g->self.reserve;

	if (!g->self_demand.hungry) {
		contexts = lesser(contexts, g->capacity - g->self_due);
		needed += needed / NOTICED;
	}
	return lesser(contexts > needed ? contexts : needed, most);
}

/* With a host that wants less than it is due the quota would waste what it leaves. */
void beside_correct(struct engine *g, uint64_t contexts, uint64_t needed, uint64_t host_used,
		    uint64_t ward_used)
{
	const struct top t = top_here(g);
	uint32_t w;

	contexts = contexts_part(g, contexts, needed);
	g->beside.host_weight = seen_weight(g, host_used, ward_used);
	w = allot_weight_beside(contexts, g->capacity - contexts, (uint32_t) g->beside.host_weight,
				top_default(&t) / 32, top_greatest(&t));
	if (!g->self_demand.hungry && w > t.most)
		w = t.most;
	put(g, w);
}
