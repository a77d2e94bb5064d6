/* Private to sched/: what one context was entitled to, wanted and got, over the last second, minute
 * and hour. Pure arithmetic; times are microseconds of a monotonic clock, amounts microseconds of
 * CPU time. */
#pragma once

#include <stdint.h>

/** Sums over some time. What was wanted counts up to what it was entitled to, what was promised up
 * to what was wanted: so `wanted - used` was not given, `promised - used` was a broken promise. */
struct delivery_sum {
	uint64_t entitled_us, wanted_us, promised_us, used_us;
	uint64_t over_us; /* how much time that is */
};

enum delivery_window { DELIVERY_SECOND, DELIVERY_MINUTE, DELIVERY_HOUR, DELIVERY_WINDOWS };

#define DELIVERY_PARTS 10 /* of each window; the part that is being filled comes on top */

struct delivery {
	struct delivery_ring {
		struct delivery_sum parts[DELIVERY_PARTS + 1];
		uint64_t latest; /* the number, since the clock's zero, of the part being filled */
	} windows[DELIVERY_WINDOWS];
};

/** Adds what happened, evenly, in the `s->over_us` until `now_us`. */
void delivery_add(struct delivery *d, uint64_t now_us, const struct delivery_sum *s);
/** @return the sums over one window that ends now; `over_us` less than its length where less is
 * known. */
struct delivery_sum delivery_over(const struct delivery *d, uint64_t now_us,
				  enum delivery_window window);
/** @return how much of what it wanted it did not get: 0 where it got all. */
uint64_t delivery_missed(const struct delivery_sum *s);
/** @return how much less it got than it was promised and wanted. */
uint64_t delivery_broken(const struct delivery_sum *s);
