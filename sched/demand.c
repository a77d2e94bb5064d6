/* Hungry is who uses what it is given. Whoever leaves a fifth of that for a while wants no more
 * than it uses, plus some room to grow; whoever touches nothing for some milliseconds that were its
 * own is asleep, at once: what it leaves is for the others within two looks. */
#include "sched/demand.h"

#include "sched/allot.h"

#define SMOOTH_US UINT64_C(100000)
#define LOW_US UINT64_C(150000)
#define MISSED_US UINT64_C(5000)
#define TOUCHED (ALLOT_CPU / 500) /* less is as good as nothing */
#define ROOM (ALLOT_CPU / 50)
#define OWED_MAX_US 100000
#define CREDIT_MAX_US 30000

static bool sleeps(struct demand *d, uint64_t used, uint64_t given, uint64_t dt_us)
{
	if (used >= TOUCHED) {
		d->missed_us = 0;
		return false;
	}
	if (d->rate == 0)
		return true;
	d->missed_us += given * dt_us / ALLOT_CPU;
	return d->missed_us >= MISSED_US;
}

static void smooth(struct demand *d, uint64_t used, uint64_t dt_us)
{
	if (d->rate == 0)
		d->rate = used;
	else
		d->rate = (d->rate * SMOOTH_US + used * dt_us) / (SMOOTH_US + dt_us);
}

uint64_t demand_look(struct demand *d, uint64_t used, uint64_t given, uint64_t dt_us)
{
	if (dt_us > 10 * SMOOTH_US)
		dt_us = 10 * SMOOTH_US;
	if (sleeps(d, used, given, dt_us)) {
		*d = (struct demand){};
		return 0;
	}
	smooth(d, used, dt_us);
	if (d->rate >= given - given / 5)
		d->low_us = 0;
	else
		d->low_us += dt_us;
	if (d->hungry && d->low_us >= LOW_US)
		d->hungry = false;
	else if (!d->hungry && d->rate >= given - given / 10)
		d->hungry = true;
	return d->hungry ? ALLOT_HUNGRY : d->rate + d->rate / 4 + ROOM;
}

uint64_t demand_starved(struct demand *d, uint64_t used, uint64_t dt_us)
{
	smooth(d, used, dt_us);
	if (d->rate == 0)
		d->rate = 1; /* awake nevertheless */
	d->missed_us = d->low_us = 0;
	d->hungry = true;
	return ALLOT_HUNGRY;
}

/* Looks are short: what one has too little, the next has too much. Were only the former counted,
 * whoever has a great reserve would always be owed something, and get it from shares. */
int64_t demand_owed(int64_t owed_us, uint64_t right, uint64_t used, uint64_t dt_us)
{
	owed_us += ((int64_t) right - (int64_t) used) * (int64_t) dt_us / (int64_t) ALLOT_CPU;
	if (owed_us > OWED_MAX_US)
		return OWED_MAX_US;
	return owed_us < -CREDIT_MAX_US ? -CREDIT_MAX_US : owed_us;
}
