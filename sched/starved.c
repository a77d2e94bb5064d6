/* Whoever waits and gets nothing uses as little as who sleeps. Weights do not keep everybody from
 * that (excess.c), and were it taken for asleep, all that is its own would go to who starves it. So
 * where somebody seems to want less the kernel's account of pressure is asked first whether it
 * waited all the time: twice, once for each end of that time. */
#include "sched/claims.h"

#define IDLE_PART 4 /* less than one part of so many without running or waiting: it has no rest */

bool starved_lately(const struct member *m)
{
	return !m->demand.hungry && m->waits.lately && m->rate < m->due / 2;
}

enum starved starved_look(struct engine *g, struct member *m, uint64_t now_us, uint64_t dt_us)
{
	uint64_t since_us = m->waits.until_us, before_us = m->waits.total_us, busy_us;
	struct sched_pressure_now p;

	if (sched_slot_pressure(g->host, m->slot, "cpu", &p) < 0)
		return STARVED_NO;
	m->waits.until_us = now_us;
	m->waits.total_us = p.some.total_us;
	if (since_us + dt_us != now_us)
		return STARVED_UNKNOWN;
	busy_us = p.some.total_us - before_us + m->rate * dt_us / ALLOT_CPU;
	return busy_us + dt_us / IDLE_PART >= dt_us ? STARVED_YES : STARVED_NO;
}
