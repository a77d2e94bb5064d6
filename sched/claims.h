/* Private to sched/: what the engine "weights" knows of its contexts and of the host. */
#pragma once

#include "sched/allot.h"
#include "sched/delivery.h"
#include "sched/demand.h"
#include "sched/engine.h"
#include "sched/host.h"
#include "sched/top.h"
#include "sched/usage.h"

#define CPUS_TEXT 1024

/** One slot. Amounts are as in allot.h. */
struct member {
	unsigned slot;
	struct allot_claim claim; /* its demand is what it is now */
	uint64_t *mask; /* owned: its CPUs; NULL: all */
	uint64_t due; /* when all are hungry */
	uint64_t entitled; /* by the last look; due while it sleeps */
	uint64_t used_ns; /* by the last look */
	uint64_t rate; /* from the look before to that */
	struct demand demand;
	int64_t owed_us; /* CPU time of its reserve that it wanted and did not get; below 0: had */
	uint32_t discount; /* of its weight, in parts of EXCESS_NONE: excess.c */
	unsigned excess; /* looks in a row in which it had far more than its own */
	struct {
		uint64_t until_us, total_us; /* of its processes, when last asked */
		bool lately; /* most of the time, by its account */
	} waits;
	uint32_t written; /* its weight as the kernel has it; 0: not known */
	struct account *account; /* deliver.c; owned; NULL: it never contended, nobody has asked */
	uint64_t breached_us; /* when a breach was told of it; 0: never */
};

/** The weight of the group of all contexts, beside what runs outside of it: beside.c. */
struct beside {
	uint32_t written, top; /* what this instance was given; what "ward" weighs by that */
	uint64_t host_weight; /* of all that runs outside, as far as it is known */
	int stat; /* /proc/stat, owned; -1: not open */
	uint64_t busy_ticks, looked_us, ward_ns; /* when the host was last looked at */
	unsigned puts; /* since it was last made sure that nobody else has written */
};

struct engine {
	struct sched_host *host; /* borrowed */
	const struct cg_tree *tree; /* of the cpu controller; NULL: there is none */
	struct allot_pool *pool;
	char online[CPUS_TEXT]; /* the CPUs that the pool was made for */
	unsigned places;
	uint64_t capacity, host_ppm;

	struct member *members; /* by slot */
	size_t count, room, reserved;
	uint64_t shares, settled_shares; /* the sum of all; what it was when dues were set */
	bool unsettled;
	uint64_t level_up, level_down; /* what one share is worth: an amount, as a fraction */
	unsigned shift; /* how far weights are below those of bare shares, to fit their range */

	struct allot_claim self; /* the host's own processes, a claim like others */
	struct demand self_demand;
	uint64_t self_due, self_entitled;
	uint64_t self_rate; /* what it uses, smoothed: what of all is not for contexts now */
	uint64_t self_want; /* what it would like to use, by the last look */
	struct beside beside;

	struct heir *heir; /* NULL: nothing is promised */
	struct usage *usage; /* NULL until it is looked at */
	int pressure; /* of all contexts, owned; -1: the kernel does not tell */
	unsigned looks; /* since contexts began to contend */
	uint64_t looked_us, pressed_us, pressure_us;
	bool measured; /* the last look has measured */
	unsigned steady; /* looks since anything moved: a weight, or somebody's use */
	bool moved, startled; /* in this look; after a steady time */
	uint64_t asked_us; /* when usage was read because somebody asked */
	struct {
		engine_breach tell;
		void *arg;
	} breach;

	/* Room to calculate in, for `room` and the host. */
	struct allot_claim *claims;
	struct allot_standing *standings;
	uint64_t *amounts, *weights;
	size_t *awake;
};

/* --- claims.c --- */

/** Makes the pool for the CPUs that are there now, if they are others. @return 0 or -errno. */
[[nodiscard]] int claims_renew_pool(struct engine *g);
/** Fills everything of `m` that follows from a spec. @return 0 or -errno. */
[[nodiscard]] int claims_fill(struct engine *g, struct member *m, const struct spec *spec);
/** What everyone is due, and what a share is worth. @return 0 or -errno. */
[[nodiscard]] int claims_set_dues(struct engine *g);
/** The least that a claim weighs: what its reserve and its share are worth. */
uint64_t claims_worth(const struct engine *g, const struct allot_claim *c);

/* --- engine.c --- */

/** Writes weights for amounts, one a member; only what differs noticeably. */
void engine_apply(struct engine *g, const uint64_t *amounts);
/** What a member weighs while it sleeps. */
uint64_t engine_weight_due(const struct engine *g, const struct member *m);

/* --- excess.c --- */

#define EXCESS_NONE 65536
/** Who has more than weights say while others lack it; before anybody is entitled anew. */
void excess_look(struct engine *g);
/** A weight less the discount. */
uint64_t excess_less(const struct member *m, uint64_t weight);

/* --- starved.c --- */

enum starved { STARVED_NO, STARVED_UNKNOWN, STARVED_YES };
/** Whether one that never looked hungry waited most of the time lately, for more than it gets. */
bool starved_lately(const struct member *m);
/** Whether a member that seems to want less than it did could run all the time since the last look,
 * `dt_us` ago. @return STARVED_UNKNOWN: the next look will tell. */
enum starved starved_look(struct engine *g, struct member *m, uint64_t now_us, uint64_t dt_us);

/* --- deliver.c --- */

/** Notes what one used in the `dt_us` before this look, and was entitled to. */
void deliver_look(struct engine *g, struct member *m, uint64_t now_us, uint64_t dt_us);
/** As engine_delivered(). */
bool deliver_ask(struct engine *g, struct member *m, uint64_t now_us,
		 struct delivery_sum ret[static DELIVERY_WINDOWS]);

/* --- beside.c --- */

/** What an earlier daemon has left. @return whether that must be put right. */
bool beside_begin(struct engine *g);
/** For the heir; `most` 0: it is not ours to write. */
struct top beside_top(const struct engine *g);
/** What is valid whoever wakes, as long as nobody looks. */
void beside_settle(struct engine *g);
/** As beside_settle(), unless that holds already; what the host weighs is found out anew. */
void beside_guard(struct engine *g);
/** Nothing is promised any more: as the kernel made it. */
void beside_reset(struct engine *g);
/** How much CPU time the host's own processes use, smoothed; looks at most every so often.
 * @ward_ns that of all contexts so far. @return whether it was looked at. */
bool beside_look(struct engine *g, uint64_t now_us, uint64_t ward_ns, uint64_t *ret_host,
		 uint64_t *ret_ward, uint64_t *ret_dt_us);
/** What the host's own processes could have used since the last look. */
uint64_t beside_given(const struct engine *g);
/** Corrects by what both used, where both are hungry.
 * @contexts what all of them are entitled to, @needed what they must have for their reserves. */
void beside_correct(struct engine *g, uint64_t contexts, uint64_t needed, uint64_t host_used,
		    uint64_t ward_used);

/* --- heir.c: what outlives the daemon --- */

struct heir;
/** A process that writes the noted weights when this one dies. @return 0 or -errno. */
[[nodiscard]] int heir_new(const struct engine *g, struct heir **ret);
/** @inherits he writes them now; else never. */
void heir_free(struct heir *h, bool inherits);
/** Weights are noted anew. */
void heir_begin(struct heir *h);
void heir_note(struct heir *h, size_t i, unsigned slot, uint32_t weight);
/** All are noted; only from here on they hold. */
void heir_end(struct heir *h, size_t count, struct top top);
/** Whether he is still there. */
bool heir_lives(const struct heir *h);
