/* How many refusals of one uid become events. Pure: the time is an argument.
 *
 * Each uid, and all of them together, may cause a few at once and then one every so often; what is
 * beyond is counted, and the next event that passes tells how many there were. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BOUND_UIDS 32 /* remembered apart; the longest quiet makes room */
#define BOUND_UID_BURST 10
#define BOUND_UID_EVERY_US (6 * UINT64_C(1000000)) /* then: ten a minute */
#define BOUND_ALL_BURST 50
#define BOUND_ALL_EVERY_US UINT64_C(1000000)

struct bound_bucket {
	unsigned left;
	uint64_t since_us; /* when `left` was right */
};

struct bound {
	struct bound_bucket all;
	struct bound_uid {
		uid_t uid;
		bool used;
		struct bound_bucket bucket;
		uint64_t seen_us;
		uint64_t suppressed;
	} uids[BOUND_UIDS];
	uint64_t suppressed; /* of uids that were forgotten */
};

void bound_init(struct bound *b, uint64_t now_us);
/** @return whether an event may be made; then *ret_suppressed has not been told before. */
bool bound_pass(struct bound *b, uid_t uid, uint64_t now_us, uint64_t *ret_suppressed);
/**
 * Gives up what nothing was told of since: one uid a call.
 * @ret_uid (uid_t) -1 when it is of many. @return the number, or 0 when there is nothing left.
 */
uint64_t bound_drain(struct bound *b, uid_t *ret_uid);
