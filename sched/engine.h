/* The engine "weights": keeps promises of CPU time on any kernel with cgroups.
 *
 * A scheduler that knows nothing but weights gives what allot.h says if somebody tells it weights
 * that follow who is entitled to what. Two layers do that. What is *due* to a context (its part
 * when all are hungry) is its weight from its first moment, and again whenever it sleeps: so a
 * reserve is there at once when it is wanted, with nobody looking, a dead daemon included. Only
 * while contexts contend somebody has to look (engine_look()) and moves what those asleep leave
 * from where bare weights would put it to where shares say.
 *
 * With nothing reserved weights are the shares themselves, and nothing here writes at all. */
#pragma once

#include "sched/delivery.h"
#include "sched/sched.h"

struct engine;

/** @host_ppm millionths of all CPUs that the host's own processes have reserved. */
[[nodiscard]] int engine_new(struct sched_host *h, uint32_t host_ppm, struct engine **ret);
/** The host keeps another part from now on. */
void engine_set_host(struct engine *g, uint32_t host_ppm);
/** What the kernel was told stays in force for slots that are still there. */
void engine_free(struct engine *g);

/**
 * A slot has this spec from now on. Whoever has a reserve has a weight for it when this returns.
 * @fresh the slot is new and has what sched_plan() says; else its weight is not known.
 * @return 0 or -errno; then it has the weight of its share.
 */
[[nodiscard]] int engine_set(struct engine *g, unsigned slot, const struct spec *spec, bool fresh);
/** A slot is no more. */
void engine_drop(struct engine *g, unsigned slot);

/** Whether anything is reserved: else there is nothing to be kept. */
bool engine_promises(const struct engine *g);
/** Whether contexts came, went or changed in a way that engine_settle() still has to follow. */
bool engine_unsettled(const struct engine *g);
/** Everybody's weight is what is due to it; only what differs noticeably is written. */
void engine_settle(struct engine *g);

/**
 * Looks at who contends and corrects the weights of those awake. The first look after a rest, or
 * after a long pause, only measures.
 * @now_us of a monotonic clock. @return whether contexts wait for CPU time.
 */
bool engine_look(struct engine *g, uint64_t now_us);
/** In how long the next look should be: later while nothing moves, sooner when something did. */
uint64_t engine_pause_us(const struct engine *g);
/** Nothing contends any more: as engine_settle(). */
void engine_rest(struct engine *g);

/* --- what was delivered of what was promised --- */

/**
 * What a slot was entitled to, wanted and got over the last second, minute and hour.
 * @now_us of the clock that engine_look() is told. @return false while nothing is promised to
 * anybody, and for slots that are not known: then there is no account.
 */
bool engine_delivered(struct engine *g, unsigned slot, uint64_t now_us,
		      struct delivery_sum ret[static DELIVERY_WINDOWS]);
/** Tells that over a second a slot got noticeably less than it was promised and wanted. */
typedef void (*engine_breach)(void *arg, unsigned slot, const struct delivery_sum *over_a_second);
/** Breaches are told from now on, within engine_look(). */
void engine_on_breach(struct engine *g, engine_breach tell, void *arg);

/* --- alarm.c: what wakes who looks --- */

struct sched_alarm;
/** @return 0, -EOPNOTSUPP where the kernel tells nothing, -errno. */
[[nodiscard]] int sched_alarm_new(struct sched_host *h, struct sched_alarm **ret);
void sched_alarm_free(struct sched_alarm *a);
/** To be polled for reading. */
int sched_alarm_fd(const struct sched_alarm *a);
/** Rings once contexts have used a few milliseconds of CPU time from now on; costs nothing while
 * they use none. */
void sched_alarm_arm(struct sched_alarm *a);
/** Silent until it is armed again. */
void sched_alarm_quiet(struct sched_alarm *a);
