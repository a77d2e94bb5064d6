/* Keeps the account of what contexts are entitled to and get, while anything is promised.
 *
 * What one wanted is what it used and for how long it waited, by the kernel's account of pressure.
 * Who contends is gathered at each look and entered a few times a second; the time in which nobody
 * looks, in one piece, when it contends again or somebody asks. */
#include <stdlib.h>

#include "sched/claims.h"

#define BREACH_PART 20 /* of what was promised for a second: less missing is no breach */
#define BREACH_PAUSE_US UINT64_C(10000000) /* between two that are told of one context */
#define BREACH_OVER_US UINT64_C(900000)
#define ROUND_US UINT64_C(50000)
#define LATE_US UINT64_C(400000)
#define FLUSH_US UINT64_C(200000)

/* What is in `entered` goes until `until_us - pending_us`, what is pending from there. */
struct account {
	struct delivery entered[1];
	uint64_t until_us, used_ns; /* used_ns is as of what was entered */
	uint64_t pending_us, entitled_us;
	uint64_t pressure_us; /* its processes' waits, when last read */
};

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* An amount (allot.h) for so long, as CPU time. */
static uint64_t over(uint64_t amount, uint64_t us)
{
	return (uint64_t) ((__uint128_t) amount * us / ALLOT_CPU);
}

static uint64_t promised_to(const struct member *m)
{
	return lesser(m->claim.reserve, m->claim.limit);
}

/* @waited_us for how long somebody in it waited for a CPU: so much more it wanted, at least. */
static void enter(struct member *m, uint64_t now_us, uint64_t dt_us, uint64_t used_us,
		  uint64_t entitled_us, uint64_t waited_us)
{
	uint64_t wanted_us = used_us + waited_us;
	struct delivery_sum s = {
		.entitled_us = entitled_us,
		.wanted_us = lesser(entitled_us, wanted_us),
		.promised_us = lesser(over(promised_to(m), dt_us), wanted_us),
		.used_us = used_us,
		.over_us = dt_us,
	};

	delivery_add(m->account->entered, now_us, &s);
}

/* The kernel's own word; where it has none, whoever uses what it is given is taken to wait. */
static uint64_t waited(struct engine *g, struct member *m, uint64_t dt_us)
{
	struct account *a = m->account;
	struct sched_pressure_now p;
	uint64_t before = a->pressure_us;

	if (sched_slot_pressure(g->host, m->slot, "cpu", &p) < 0)
		return m->claim.demand == ALLOT_HUNGRY ? dt_us : 0;
	a->pressure_us = p.some.total_us;
	return lesser(a->pressure_us - before, dt_us);
}

/* Enters what was gathered of looks. */
static void flush(struct engine *g, struct member *m)
{
	struct account *a = m->account;
	uint64_t used_us = (m->used_ns - a->used_ns) / 1000, waited_us;

	if (a->pending_us == 0)
		return;
	waited_us = waited(g, m, a->pending_us);
	m->waits.lately = waited_us > a->pending_us / 2;
	enter(m, a->until_us, a->pending_us, used_us, a->entitled_us, waited_us);
	a->pending_us = a->entitled_us = 0;
	a->used_ns = m->used_ns;
}

/* Nobody looked until then. */
static void catch_up(struct engine *g, struct member *m, uint64_t until_us, uint64_t used_ns)
{
	struct account *a = m->account;
	uint64_t dt = until_us - a->until_us;

	if (until_us <= a->until_us)
		return;
	enter(m, until_us, dt, used_ns > a->used_ns ? (used_ns - a->used_ns) / 1000 : 0,
	      over(m->due, dt), waited(g, m, dt));
	a->until_us = until_us;
	a->used_ns = used_ns;
}

static bool open_account(struct engine *g, struct member *m, uint64_t now_us, uint64_t used_ns)
{
	if (m->account != NULL)
		return true;
	m->account = calloc(1, sizeof(*m->account));
	if (m->account == NULL)
		return false;
	m->account->until_us = now_us;
	m->account->used_ns = used_ns;
	(void) waited(g, m, 0);
	return true;
}

static void tell_breach(struct engine *g, struct member *m, uint64_t now_us)
{
	struct delivery_sum s = delivery_over(m->account->entered, now_us, DELIVERY_SECOND);

	if (g->breach.tell == NULL || s.over_us < BREACH_OVER_US ||
	    delivery_broken(&s) * BREACH_PART <= over(promised_to(m), s.over_us) ||
	    (m->breached_us != 0 && now_us - m->breached_us < BREACH_PAUSE_US))
		return;
	m->breached_us = now_us;
	g->breach.tell(g->breach.arg, m->slot, &s);
}

void deliver_look(struct engine *g, struct member *m, uint64_t now_us, uint64_t dt_us)
{
	uint64_t used_ns = m->rate * dt_us / 1000, from_us = now_us - dt_us;
	struct account *a;

	if (!open_account(g, m, from_us, m->used_ns - used_ns))
		return;
	a = m->account;
	if (from_us > a->until_us) {
		flush(g, m);
		catch_up(g, m, from_us, m->used_ns - used_ns);
	}
	a->pending_us += now_us - a->until_us;
	a->entitled_us += over(m->demand.rate != 0 ? m->entitled : m->due, now_us - a->until_us);
	a->until_us = now_us;
	if (a->pending_us < FLUSH_US)
		return;
	flush(g, m);
	if (m->claim.reserve > 0)
		tell_breach(g, m, now_us);
}

/* Nobody looks: so this reads for itself, at most every so often. */
static void read_now(struct engine *g, struct member *m, uint64_t now_us)
{
	if (g->usage == NULL && usage_new(g->host, &g->usage) < 0)
		return;
	if (now_us - g->asked_us > ROUND_US) {
		usage_round(g->usage);
		g->asked_us = now_us;
	}
	(void) !usage_read(g->usage, m->slot, &m->used_ns);
}

bool deliver_ask(struct engine *g, struct member *m, uint64_t now_us,
		 struct delivery_sum ret[static DELIVERY_WINDOWS])
{
	uint64_t until;

	if (now_us - g->looked_us > LATE_US) /* who should look may itself be starved */
		g->measured = false;
	if (!g->measured)
		read_now(g, m, now_us);
	until = g->measured ? g->looked_us : now_us;
	if (!open_account(g, m, until, m->used_ns))
		return false;
	flush(g, m);
	catch_up(g, m, until, m->used_ns);
	for (unsigned w = 0; w < DELIVERY_WINDOWS; w++)
		ret[w] = delivery_over(m->account->entered, now_us, w);
	return true;
}
