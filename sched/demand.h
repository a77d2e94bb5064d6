/* Private to sched/: what a context would use if it could, told from what it uses. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** What is remembered of one context; zeros: asleep. Amounts are as in allot.h. */
struct demand {
	uint64_t rate; /* used, smoothed */
	uint64_t missed_us; /* CPU time that it could have had lately and did not touch */
	uint64_t low_us; /* for how long it has used less than it was given */
	bool hungry; /* uses whatever it is given */
};

/**
 * @used since the last look, `dt_us` ago. @given what it could have had.
 * @return what it wants now: 0 asleep, ALLOT_HUNGRY, or some more than it uses.
 */
uint64_t demand_look(struct demand *d, uint64_t used, uint64_t given, uint64_t dt_us);

/** The same of one that is known to want more than the `used` it got. */
uint64_t demand_starved(struct demand *d, uint64_t used, uint64_t dt_us);

/**
 * CPU time, in microseconds, of a reserve that was wanted and not given; below 0: what was had
 * above it, as far as that counts.
 * @owed_us by the look before. @right what it is promised, @used since then: amounts as above.
 */
int64_t demand_owed(int64_t owed_us, uint64_t right, uint64_t used, uint64_t dt_us);
