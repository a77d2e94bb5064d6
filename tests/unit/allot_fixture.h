/* Random claims on a few places, small enough to look at every set of them; and when a rule is
 * broken, the least case that still breaks it, printed. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "sched/allot.h"

#define CASE_PLACES 7
#define CASE_SETS 5
#define CASE_CLAIMS 10

/** A whole case: what the functions are given. Set 0 is all places. */
struct allot_case {
	unsigned places, sets, claims;
	uint64_t capacity[CASE_PLACES];
	uint64_t masks[CASE_SETS];
	struct allot_claim claim[CASE_CLAIMS];
};

static inline uint64_t roll64(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/** 0 .. below - 1 */
static inline uint64_t roll(uint64_t *state, uint64_t below)
{
	return (roll64(state) >> 8) % below;
}

/** Mostly ordinary, often nothing, sometimes without end. */
static inline uint64_t case_amount(uint64_t *state, uint64_t size, uint64_t endless)
{
	switch (roll(state, 6)) {
	case 0:
		return 0;
	case 1:
		return endless;
	case 2:
		return roll(state, 4);
	default:
		return roll(state, size + 1);
	}
}

/** One of three sizes: a handful of units, CPUs, and as large as can be. */
static inline struct allot_case case_roll(uint64_t *state)
{
	static const uint64_t sizes[] = { 12, ALLOT_CPU, ALLOT_AMOUNT_MAX / CASE_PLACES };
	static const uint32_t shares[] = { 3, 10000, ALLOT_SHARE_MAX };
	uint64_t kind = roll(state, 3), size = sizes[kind];
	struct allot_case c = { .places = 1 + (unsigned) roll(state, CASE_PLACES),
				.sets = 1 + (unsigned) roll(state, CASE_SETS),
				.claims = 1 + (unsigned) roll(state, CASE_CLAIMS) };

	for (unsigned i = 0; i < c.places; i++)
		c.capacity[i] = roll(state, 3) == 0 ? roll(state, size + 1) : size;
	c.masks[0] = (UINT64_C(1) << c.places) - 1;
	for (unsigned i = 1; i < c.sets; i++)
		c.masks[i] = 1 + roll(state, c.masks[0]);
	for (unsigned i = 0; i < c.claims; i++) {
		struct allot_claim *k = &c.claim[i];

		k->limit =
			roll(state, 2) == 0 ? ALLOT_HUNGRY : case_amount(state, size, ALLOT_HUNGRY);
		k->demand = case_amount(state, size, ALLOT_HUNGRY);
		k->reserve = roll(state, 2) == 0 ? 0 : case_amount(state, size / 3 + 1, size);
		k->share = roll(state, 8) == 0 ? 0 : 1 + (uint32_t) roll(state, shares[kind]);
		k->set = (unsigned) roll(state, c.sets);
	}
	return c;
}

static inline void case_print(const struct allot_case *c)
{
	for (unsigned i = 0; i < c->places; i++)
		print_error("place %u: %ju\n", i, (uintmax_t) c->capacity[i]);
	for (unsigned i = 0; i < c->sets; i++)
		print_error("set %u: mask %#jx\n", i, (uintmax_t) c->masks[i]);
	for (unsigned i = 0; i < c->claims; i++)
		print_error("claim %u: reserve %ju limit %ju demand %ju share %u set %u\n", i,
			    (uintmax_t) c->claim[i].reserve, (uintmax_t) c->claim[i].limit,
			    (uintmax_t) c->claim[i].demand, c->claim[i].share, c->claim[i].set);
}

/** A pool for a case. @ret_set the pool's number of each set of the case (some may be equal). */
static inline struct allot_pool *case_pool(const struct allot_case *c, unsigned *ret_set)
{
	struct allot_pool *p;

	assert_int_equal(allot_pool_new(c->capacity, c->places, &p), 0);
	for (unsigned i = 0; i < c->sets; i++)
		assert_int_equal(allot_pool_add(p, &c->masks[i], &ret_set[i]), 0);
	return p;
}

/** The claims with the pool's numbers of sets. */
static inline void case_claims(const struct allot_case *c, const unsigned *set,
			       struct allot_claim *out)
{
	for (unsigned i = 0; i < c->claims; i++) {
		out[i] = c->claim[i];
		out[i].set = set[c->claim[i].set];
	}
}

static inline void case_allot(const struct allot_case *c, uint64_t *ret)
{
	struct allot_claim claims[CASE_CLAIMS];
	unsigned set[CASE_SETS] = { 0 };
	struct allot_pool *p = case_pool(c, set);

	case_claims(c, set, claims);
	assert_int_equal(allot(p, claims, c->claims, ret), 0);
	allot_pool_free(p);
}

/* --- Hall's way: every set of sets, by counting --- */

/** What the places of the sets in `chosen` (a mask) have together. */
static inline uint64_t case_reach(const struct allot_case *c, unsigned chosen)
{
	uint64_t places = 0, sum = 0;

	for (unsigned s = 0; s < c->sets; s++)
		if ((chosen >> s & 1) != 0)
			places |= c->masks[s];
	for (unsigned i = 0; i < c->places; i++)
		if ((places >> i & 1) != 0)
			sum += c->capacity[i];
	return sum;
}

/** The sum of one amount a claim over the claims of the sets in `chosen`. */
static inline uint64_t case_sum(const struct allot_case *c, const uint64_t *amount, unsigned chosen)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < c->claims; i++)
		if ((chosen >> c->claim[i].set & 1) != 0)
			sum += amount[i];
	return sum;
}

/** Whether such amounts can be had at once. */
static inline bool case_fits(const struct allot_case *c, const uint64_t *amount)
{
	for (unsigned chosen = 1; chosen < 1u << c->sets; chosen++)
		if (case_sum(c, amount, chosen) > case_reach(c, chosen))
			return false;
	return true;
}

/* --- the least case that breaks a rule --- */

/** @return whether the rule holds. */
typedef bool case_rule(const struct allot_case *c);

static inline bool case_try(struct allot_case *c, const struct allot_case *smaller, case_rule *rule)
{
	if (memcmp(c, smaller, sizeof(*c)) == 0 || rule(smaller))
		return false;
	*c = *smaller;
	return true;
}

static inline bool case_drop_claim(struct allot_case *c, case_rule *rule)
{
	for (unsigned i = 0; c->claims > 1 && i < c->claims; i++) {
		struct allot_case s = *c;

		s.claim[i] = s.claim[--s.claims];
		memset(&s.claim[s.claims], 0, sizeof(s.claim[0]));
		if (case_try(c, &s, rule))
			return true;
	}
	return false;
}

static inline bool case_drop_set(struct allot_case *c, case_rule *rule)
{
	struct allot_case s = *c;

	if (c->sets <= 1)
		return false;
	s.masks[--s.sets] = 0;
	for (unsigned i = 0; i < s.claims; i++)
		if (s.claim[i].set == s.sets)
			s.claim[i].set = 0;
	return case_try(c, &s, rule);
}

/** Each number halved, or made nothing. */
static inline bool case_lessen(struct allot_case *c, case_rule *rule)
{
	for (unsigned i = 0; i < c->places + 3 * c->claims; i++) {
		for (unsigned how = 1; how < 64; how *= 8) {
			struct allot_case s = *c;
			struct allot_claim *k = &s.claim[(i - c->places) / 3 % CASE_CLAIMS];
			uint64_t *fields[] = { &k->reserve, &k->limit, &k->demand };
			uint64_t *n = i < c->places ? &s.capacity[i] : fields[(i - c->places) % 3];

			if (*n != ALLOT_HUNGRY)
				*n >>= how;
			if (case_try(c, &s, rule))
				return true;
		}
	}
	for (unsigned i = 0; i < c->claims; i++) {
		struct allot_case s = *c;

		s.claim[i].share = (s.claim[i].share + 1) / 2;
		if (case_try(c, &s, rule))
			return true;
	}
	return false;
}

/** Tries a rule on many cases; of a broken one the least is printed. */
static inline void case_check(case_rule *rule, uint64_t seed, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		struct allot_case c = case_roll(&seed);

		if (rule(&c))
			continue;
		while (case_drop_claim(&c, rule) || case_drop_set(&c, rule) ||
		       case_lessen(&c, rule))
			;
		case_print(&c);
		fail_msg("the rule is broken in round %u; the least such case is above", i);
	}
}
