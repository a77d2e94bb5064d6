/* Each window is a ring of parts, a tenth of it long; it is those that ended in it, and the one
 * that is being filled. */
#include "sched/delivery.h"

static const uint64_t part_us[DELIVERY_WINDOWS] = {
	[DELIVERY_SECOND] = UINT64_C(1000000) / DELIVERY_PARTS,
	[DELIVERY_MINUTE] = UINT64_C(60000000) / DELIVERY_PARTS,
	[DELIVERY_HOUR] = UINT64_C(3600000000) / DELIVERY_PARTS,
};

#define RING (DELIVERY_PARTS + 1)

static void sum_up(struct delivery_sum *to, const struct delivery_sum *s)
{
	to->entitled_us += s->entitled_us;
	to->wanted_us += s->wanted_us;
	to->promised_us += s->promised_us;
	to->used_us += s->used_us;
	to->over_us += s->over_us;
}

static uint64_t scaled(uint64_t amount, uint64_t part, uint64_t whole)
{
	return (uint64_t) ((__uint128_t) amount * part / whole);
}

/* So much time of it: it happened evenly. */
static struct delivery_sum cut(const struct delivery_sum *s, uint64_t span)
{
	return (struct delivery_sum){
		.entitled_us = scaled(s->entitled_us, span, s->over_us),
		.wanted_us = scaled(s->wanted_us, span, s->over_us),
		.promised_us = scaled(s->promised_us, span, s->over_us),
		.used_us = scaled(s->used_us, span, s->over_us),
		.over_us = span,
	};
}

static void add_to(struct delivery_ring *ring, uint64_t length, uint64_t now_us,
		   const struct delivery_sum *s)
{
	uint64_t latest = now_us / length, gone = latest - ring->latest, end = now_us;
	uint64_t begin = now_us > s->over_us ? now_us - s->over_us : 0;

	for (uint64_t i = 0; i < gone && i < RING; i++)
		ring->parts[(latest - i) % RING] = (struct delivery_sum){ 0 };
	ring->latest = latest;
	for (uint64_t i = 0; i < RING && end > begin; i++) {
		uint64_t edge = (latest - i) * length, from = edge > begin ? edge : begin;
		struct delivery_sum c = cut(s, end - from);

		sum_up(&ring->parts[(latest - i) % RING], &c);
		end = from;
	}
}

void delivery_add(struct delivery *d, uint64_t now_us, const struct delivery_sum *s)
{
	if (s->over_us == 0)
		return;
	for (unsigned w = 0; w < DELIVERY_WINDOWS; w++)
		add_to(&d->windows[w], part_us[w], now_us, s);
}

struct delivery_sum delivery_over(const struct delivery *d, uint64_t now_us,
				  enum delivery_window window)
{
	const struct delivery_ring *ring = &d->windows[window];
	uint64_t now = now_us / part_us[window], latest = ring->latest;
	struct delivery_sum sum = { 0 };

	for (uint64_t i = 0; i < RING && i <= latest; i++)
		if (now - (latest - i) < RING)
			sum_up(&sum, &ring->parts[(latest - i) % RING]);
	return sum;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

uint64_t delivery_missed(const struct delivery_sum *s)
{
	return less(s->wanted_us, s->used_us);
}

uint64_t delivery_broken(const struct delivery_sum *s)
{
	return less(s->promised_us, s->used_us);
}
