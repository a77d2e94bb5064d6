/* Token buckets for refusals. */
#include "daemon/api/bound.h"

#include <string.h>

static void fill(struct bound_bucket *b, unsigned burst, uint64_t every_us, uint64_t now_us)
{
	uint64_t n = now_us > b->since_us ? (now_us - b->since_us) / every_us : 0;

	b->since_us += n * every_us;
	b->left = n >= burst - b->left ? burst : b->left + (unsigned) n;
	if (b->left == burst)
		b->since_us = now_us;
}

void bound_init(struct bound *b, uint64_t now_us)
{
	*b = (struct bound){ .all = { BOUND_ALL_BURST, now_us } };
}

/* The uid's row, or that of whoever has been quiet the longest. */
static struct bound_uid *find(struct bound *b, uid_t uid, uint64_t now_us)
{
	struct bound_uid *oldest = &b->uids[0];

	for (size_t i = 0; i < BOUND_UIDS; i++) {
		struct bound_uid *u = &b->uids[i];

		if (u->used && u->uid == uid)
			return u;
		if (oldest->used && (!u->used || u->seen_us < oldest->seen_us))
			oldest = u;
	}
	b->suppressed += oldest->suppressed;
	*oldest = (struct bound_uid){ .uid = uid,
				      .used = true,
				      .bucket = { BOUND_UID_BURST, now_us } };
	return oldest;
}

bool bound_pass(struct bound *b, uid_t uid, uint64_t now_us, uint64_t *ret_suppressed)
{
	struct bound_uid *u = find(b, uid, now_us);

	u->seen_us = now_us;
	fill(&u->bucket, BOUND_UID_BURST, BOUND_UID_EVERY_US, now_us);
	fill(&b->all, BOUND_ALL_BURST, BOUND_ALL_EVERY_US, now_us);
	if (!u->bucket.left || !b->all.left) {
		u->suppressed++;
		return false;
	}
	u->bucket.left--;
	b->all.left--;
	*ret_suppressed = u->suppressed;
	u->suppressed = 0;
	return true;
}

uint64_t bound_drain(struct bound *b, uid_t *ret_uid)
{
	uint64_t n = b->suppressed;

	*ret_uid = (uid_t) -1;
	b->suppressed = 0;
	for (size_t i = 0; i < BOUND_UIDS && n == 0; i++) {
		n = b->uids[i].suppressed;
		*ret_uid = n ? b->uids[i].uid : *ret_uid;
		b->uids[i].suppressed = 0;
	}
	return n;
}
