/* Who is entitled to what: pure arithmetic over one resource that many claim. No kernel, no clock.
 *
 * A resource is made of places that a claim may be confined to: a CPU of a cpuset. A disk or a link
 * is one place. Amounts are integers in a unit of the caller's; for CPU it is a millionth of a CPU
 * (ALLOT_CPU), so an amount of 1,000,000 is 1,000 tokens of one millisecond in a second. For disk
 * and link it is bytes a second.
 *
 * The rule. First everyone gets the lesser of reserve, demand and limit. What is then left, unused
 * reserves included, goes to those that want more in proportion to their shares, up to their
 * demand and limit; within what their places can carry, a claim has a smaller multiple of its share
 * than another only where giving it more would take from nobody who has a larger one (weighted
 * max-min). The result is exact but for being rounded down to a whole unit in each claim, does not
 * depend on any order, and equal claims get equal amounts. All sums are checked or bounded: within
 * the maxima below nothing can overflow. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALLOT_CPU UINT64_C(1000000) /* one CPU */
#define ALLOT_AMOUNT_MAX ((UINT64_C(1) << 44) - 1) /* of a claim, and of a whole resource */
#define ALLOT_SHARE_MAX ((1u << 20) - 1)
#define ALLOT_CLAIMS_MAX (1u << 20)
#define ALLOT_PLACES_MAX 8192u
#define ALLOT_SETS_MAX 1024u
#define ALLOT_HUNGRY UINT64_MAX /* a demand without end; also a limit: none */

/** The places of a resource and the distinct sets of them that claims are confined to. It keeps
 * the room to calculate in, so nothing is allocated per call; not for two threads at once. */
struct allot_pool;

/** @capacity of each place. Set 0 is there: all places.
 * @return 0, -ERANGE beyond the maxima (or no place), -ENOMEM. */
[[nodiscard]] int allot_pool_new(const uint64_t *capacity, unsigned places,
				 struct allot_pool **ret);
void allot_pool_free(struct allot_pool *p);
/**
 * The number of a set of places, new or known. Sets stay for the pool's life: whoever sees cpusets
 * come and go makes a new pool now and then.
 * @mask bit n % 64 of word n / 64 is place n; bits beyond the last place do not count.
 * @return 0, -EINVAL for an empty set, -E2BIG, -ENOMEM.
 */
[[nodiscard]] int allot_pool_add(struct allot_pool *p, const uint64_t *mask, unsigned *ret_set);
/** How many sets there are. */
unsigned allot_pool_sets(const struct allot_pool *p);

/** What somebody, a context or the host itself, wants of a resource and was promised of it. */
struct allot_claim {
	uint64_t reserve; /* promised whenever wanted; at most ALLOT_AMOUNT_MAX */
	uint64_t limit; /* never more; ALLOT_HUNGRY: none */
	uint64_t demand; /* what it would use if it could; 0: idle, which costs nothing */
	uint32_t share; /* of what is left; 0: nothing of that */
	unsigned set; /* of allot_pool_add() */
};

/**
 * What each claim is entitled to. Idle ones need not be named: they change nothing. Reserves that
 * do not fit (a CPU went away) shrink in proportion where they do not.
 * @ret one amount a claim. @return 0, -EINVAL for an unknown set, -ERANGE beyond the maxima,
 * -ENOMEM (only when there are more claims or sets than ever before).
 */
[[nodiscard]] int allot(struct allot_pool *p, const struct allot_claim *claims, size_t count,
			uint64_t *ret);

/* --- admission: which reserves can be promised at all --- */

/** Why reserves do not fit: some claims can use nothing but `places` places, and hold more. */
struct allot_refusal {
	uint64_t reserved; /* by the claims that allot_refused_claim() names */
	uint64_t available; /* of the places that allot_refused_place() names */
	unsigned places;
};
/**
 * Whether all reserves (of idle claims, too) can be had at once: for every set of places, what is
 * confined to it fits into it. Exact, by a maximal flow.
 * @keep_ppm millionths of every place that nobody may reserve: the host's.
 * @return 0; -ENOSPC with the smallest set of places that is overcommitted in *ret; -EINVAL,
 * -ERANGE, -ENOMEM as above.
 */
[[nodiscard]] int allot_admit(struct allot_pool *p, const struct allot_claim *claims, size_t count,
			      uint32_t keep_ppm, struct allot_refusal *ret);
/** After a refusal, until the pool is used again: whether the claims of a set are among those that
 * hold what is short. */
bool allot_refused_set(const struct allot_pool *p, unsigned set);
/** The same of a place: whether it is one of those that are short. */
bool allot_refused_place(const struct allot_pool *p, unsigned place);
/** The most that one more claim, confined to `set`, could reserve beside these: 0 where these do
 * not fit already. @return as above. */
[[nodiscard]] int allot_admissible(struct allot_pool *p, const struct allot_claim *claims,
				   size_t count, uint32_t keep_ppm, unsigned set, uint64_t *ret);

/* --- weights: entitlements for a scheduler that knows only those --- */

/** A claim that is awake. Its `due` is what allot() gives when every claim there is, asleep or
 * awake, is hungry: it changes with the settings only. */
struct allot_standing {
	uint64_t due;
	uint64_t entitled; /* what allot() gives now */
	uint64_t most; /* what it can use now: the lesser of demand and limit */
	uint64_t floor; /* its weight never falls below, whatever else wakes; at most due counts */
	unsigned set;
};
/**
 * Weights, in the unit of the resource, that make a weighted-fair scheduler give what everyone is
 * entitled to. A claim asleep has `due` for its weight, always: nothing is written for it while it
 * sleeps, whatever the others do. Those awake share their own dues in proportion to what they are
 * entitled to. So with one asleep, its weight is f / (1 - f) of all the others', f being its due;
 * and whoever wakes, alone or with any others, has at least its due, hence its reserve, at once,
 * before anybody looks. Those that were awake keep their `floor` then. Where a floor and the
 * proportion cannot both be had, the floor holds: give 0 for whom a moment below is no harm.
 * @due_by_set the sum of `due` over all claims of each set, asleep or awake.
 * @return 0, -EINVAL (unknown set, or more due awake than in all), -ERANGE, -ENOMEM.
 */
[[nodiscard]] int allot_weights(struct allot_pool *p, const struct allot_standing *awake,
				size_t count, const uint64_t *due_by_set, uint64_t *ret);
/**
 * A weight in a scheduler's own range, at least 1, rounded up: no floor is lost by rounding of its
 * own, and others' rounding costs at most one unit of the range each.
 * @full the amount that is `max`: the whole resource, or the largest weight there will be.
 * @max 10000 for cpu.weight, 262144 for cpu.shares (where @min is 2).
 */
uint32_t allot_weight_scaled(uint64_t weight, uint64_t full, uint32_t min, uint32_t max);
/**
 * The weight of a group that holds all contexts, beside processes of the host that stay outside of
 * it: both sides get what they are entitled to, and with the host's reserve for `host` it has that
 * however many contexts are hungry.
 * @host_weight the sum of the weights of what runs outside, in the scheduler's range.
 */
uint32_t allot_weight_beside(uint64_t contexts, uint64_t host, uint32_t host_weight, uint32_t min,
			     uint32_t max);
