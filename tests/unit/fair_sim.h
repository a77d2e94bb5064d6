/* A weighted-fair scheduler in discrete time, as a kernel's is in the ideal: every CPU runs whom it
 * may that had least for its weight, a slot of a millisecond at a time. Who wakes begins where its
 * CPUs are: no credit for sleep. It knows weights and nothing of reserves or shares. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAIR_TASKS 8
#define FAIR_CPUS 4
#define FAIR_LATE 16 /* ticks */
#define FAIR_SLOT UINT64_C(1000000) /* a millisecond of a CPU, in millionths */
#define FAIR_SAVED (8 * FAIR_SLOT) /* work that waits; what comes on top of it is not done */

struct fair_task {
	uint64_t weight, cpus; /* cpus: a mask */
	uint64_t demand; /* millionths of a CPU */
	bool awake;
	uint64_t work, virtual_time;
	uint64_t slots; /* what it got */
};
struct fair {
	unsigned cpus, tasks, tick;
	uint64_t now[FAIR_CPUS]; /* the virtual time of whom each CPU ran last */
	uint64_t level[FAIR_CPUS]; /* the greatest that was */
	unsigned idle[FAIR_CPUS]; /* when it was idle last */
	struct fair_task task[FAIR_TASKS];
};

static inline bool fair_can_run(const struct fair_task *t)
{
	return t->awake && t->work >= FAIR_SLOT;
}

static inline uint64_t fair_stride(const struct fair_task *t)
{
	return (UINT64_C(1) << 44) / t->weight;
}

static inline void fair_wake(const struct fair *f, struct fair_task *t)
{
	uint64_t least = UINT64_MAX;

	for (unsigned c = 0; c < f->cpus; c++)
		if ((t->cpus >> c & 1) != 0 && f->now[c] < least)
			least = f->now[c];
	if (t->virtual_time < least)
		t->virtual_time = least;
}

/** From here on all are even. A kernel keeps time by CPU: who was served where its rivals cannot go
 * is not held off for it elsewhere. Here it would be, so begin so where a measurement does. */
static inline void fair_even(struct fair *f)
{
	for (unsigned i = 0; i < f->tasks; i++)
		f->task[i].virtual_time = 0;
	for (unsigned c = 0; c < f->cpus; c++)
		f->now[c] = f->level[c] = 0;
}

static inline void fair_work_comes(struct fair *f)
{
	for (unsigned i = 0; i < f->tasks; i++) {
		struct fair_task *t = &f->task[i];
		bool could = fair_can_run(t);

		if (!t->awake)
			continue;
		t->work = t->demand > FAIR_SAVED || t->work + t->demand > FAIR_SAVED
				  ? FAIR_SAVED
				  : t->work + t->demand;
		if (!could && fair_can_run(t))
			fair_wake(f, t);
	}
}

static inline void fair_run_one(struct fair *f, unsigned cpu)
{
	struct fair_task *best = NULL;

	for (unsigned i = 0; i < f->tasks; i++) {
		struct fair_task *t = &f->task[i];

		if (fair_can_run(t) && (t->cpus >> cpu & 1) != 0 &&
		    (best == NULL || t->virtual_time < best->virtual_time))
			best = t;
	}
	if (best == NULL) {
		f->idle[cpu] = f->tick;
		return;
	}
	f->now[cpu] = best->virtual_time;
	if (best->virtual_time > f->level[cpu])
		f->level[cpu] = best->virtual_time;
	best->virtual_time += fair_stride(best);
	best->work -= best->demand == UINT64_MAX ? 0 : FAIR_SLOT;
	best->slots++;
}

/** Who is served where there is most is not in the way where there is little: as a kernel moves
 * what runs to where more is left. CPUs that were idle of late, then where time goes furthest. */
static inline bool fair_richer(const struct fair *f, unsigned a, unsigned b)
{
	bool idle_a = f->idle[a] + FAIR_LATE > f->tick, idle_b = f->idle[b] + FAIR_LATE > f->tick;

	return idle_a != idle_b ? idle_a : f->level[a] > f->level[b];
}

static inline void fair_tick(struct fair *f)
{
	for (unsigned left = (1u << f->cpus) - 1; left != 0;) {
		unsigned best = FAIR_CPUS;

		for (unsigned i = 0; i < f->cpus; i++) {
			unsigned c = (i + f->tick) % f->cpus;

			if ((left >> c & 1) != 0 && (best == FAIR_CPUS || fair_richer(f, c, best)))
				best = c;
		}
		fair_run_one(f, best);
		left &= ~(1u << best);
	}
}

/** Runs for some milliseconds; slots[] counts these alone. */
static inline void fair_run(struct fair *f, unsigned ticks)
{
	for (unsigned i = 0; i < f->tasks; i++)
		f->task[i].slots = 0;
	for (unsigned end = f->tick + ticks; f->tick < end; f->tick++) {
		fair_work_comes(f);
		fair_tick(f);
	}
}
