/* Rates, shares and bursts as classes of HTB.
 *
 * HTB gives each class its rate first, and what is left in turns of a quantum. A quantum below one
 * packet is one packet, and packets are up to 64 KiB and their headers long before a device cuts
 * them: so the least share has a quantum of that much, and the others in proportion. But who has
 * reached its limit waits for the turns of others, and loses what its bucket cannot hold meanwhile.
 * A bucket holds less than a hundredth of a second therefore, so that no second has more than that
 * above the limit, except where turns are longer: on slow links, up to 32 ms. */
#include <string.h>

#include "netctl/shape.h"

#define PACKET 73728u /* 64 KiB and 45 headers, rounded up */
#define FLOOR_RATE 1000u /* of who reserves nothing: HTB wants a rate */
#define LEAST_BURST 3200u /* bytes: two packets on the wire */
#define RATE_BURST_NS 10000000u /* what a class may catch up after it was kept from sending */
#define CEIL_BURST_NS 8000000u
#define CEIL_BURST_MAX_NS 32000000u
#define QUEUE_NS 50000000u
#define QUEUE_MIN (192u << 10)
#define QUEUE_MAX (8u << 20)
#define SECOND_NS UINT64_C(1000000000)

#define MAJOR_FIRST 0x5000u /* tc(8) gives out 0x8000 and above, people small ones */
#define MAJOR_COUNT 0x2000u

static uint64_t ticks_of(uint64_t bytes, uint64_t rate)
{
	__extension__ typedef unsigned __int128 wide;
	wide ticks = (wide) bytes * (SECOND_NS / SHAPE_TICK_NS) / rate;

	return ticks > UINT32_MAX ? UINT32_MAX : (uint64_t) ticks;
}

static uint32_t bucket(uint64_t rate, uint64_t least_ns, uint64_t bytes)
{
	uint64_t ticks = ticks_of(bytes > LEAST_BURST ? bytes : LEAST_BURST, rate);
	uint64_t least = least_ns / SHAPE_TICK_NS;

	return (uint32_t) (ticks > least ? ticks : least);
}

static uint32_t queue_of(uint64_t rate)
{
	uint64_t bytes = rate / (SECOND_NS / QUEUE_NS);

	return (uint32_t) (bytes < QUEUE_MIN ? QUEUE_MIN : bytes > QUEUE_MAX ? QUEUE_MAX : bytes);
}

static uint64_t capacity_of(const struct shape_link *l)
{
	return l->capacity == UNITS_NONE ? SHAPE_UNKNOWN : l->capacity;
}

static uint64_t host_part(const struct shape_link *l)
{
	return l->capacity == UNITS_NONE ? 0
					 : l->capacity / 1000000 * l->host_ppm +
						   l->capacity % 1000000 * l->host_ppm / 1000000;
}

uint64_t shape_reservable(const struct shape_link *l)
{
	return l->capacity == UNITS_NONE ? UNITS_NONE : l->capacity - host_part(l);
}

bool shape_wished(const struct netctl_shape *s)
{
	return s->reserve > 0 || s->limit != UNITS_NONE || s->share != SPEC_NETWORK_SHARE;
}

/* pfifo_fast and its like take the low four bits of a priority for urgency: 8 to 15 are not. */
uint32_t shape_minor(uint32_t n)
{
	return (n >> 3) << 4 | 8 | (n & 7);
}

bool shape_number(uint32_t minor, uint32_t *ret)
{
	*ret = minor >> 4 << 3 | (minor & 7);
	return minor <= 0xffff && (minor & 8) && *ret < SHAPE_CONTEXTS;
}

static struct shape_class link_class(const struct shape_link *l)
{
	uint64_t all = capacity_of(l);
	uint32_t burst = bucket(all, RATE_BURST_NS, 0);

	return (struct shape_class){ .minor = SHAPE_LINK,
				     .quantum = PACKET,
				     .rate = all,
				     .ceil = all,
				     .burst = burst,
				     .cburst = burst };
}

/* How long it may take until a class has its turn again, in few steps: one context more is not to
 * change all others. */
static uint32_t wait_of(const struct shape_link *l, uint64_t shares, uint32_t least)
{
	__extension__ typedef unsigned __int128 wide;
	wide turns = (wide) PACKET * shares * SECOND_NS / least / capacity_of(l);
	uint32_t ns = CEIL_BURST_NS;

	while (ns < CEIL_BURST_MAX_NS && ns < turns)
		ns *= 2;
	return ns;
}

/** Of all who are on a link. */
struct others {
	uint32_t least_share, wait_ns;
};

static struct shape_class class_of(const struct shape_link *l, uint32_t minor,
				   const struct netctl_shape *w, const struct others *o)
{
	uint64_t all = capacity_of(l);
	struct shape_class c = { .minor = minor };

	c.quantum = (uint32_t) ((uint64_t) PACKET * w->share / o->least_share);
	c.rate = w->reserve > FLOOR_RATE ? w->reserve : FLOOR_RATE;
	c.ceil = w->limit < all ? w->limit : all;
	if (c.rate > c.ceil)
		c.rate = c.ceil;
	c.burst = bucket(c.rate, RATE_BURST_NS, 0);
	c.cburst = bucket(c.ceil, o->wait_ns, w->limit < all ? w->burst : 0);
	c.queue = queue_of(c.ceil);
	return c;
}

void shape_classes(const struct shape_link *l, const struct shape_member *m, size_t count,
		   struct shape_class *ret)
{
	const struct netctl_shape host = { .reserve = host_part(l),
					   .limit = UNITS_NONE,
					   .share = SPEC_NETWORK_SHARE };
	struct others o = { .least_share = SPEC_NETWORK_SHARE };
	uint64_t shares = SPEC_NETWORK_SHARE;

	for (size_t i = 0; i < count; i++) {
		shares += m[i].want.share;
		if (m[i].want.share < o.least_share)
			o.least_share = m[i].want.share;
	}
	o.wait_ns = wait_of(l, shares, o.least_share);
	ret[0] = link_class(l);
	ret[1] = class_of(l, SHAPE_HOST, &host, &o);
	for (size_t i = 0; i < count; i++)
		ret[i + 2] = class_of(l, m[i].minor, &m[i].want, &o);
}

void shape_classes_alone(const struct shape_link *l, const struct netctl_shape *want,
			 struct shape_class ret[static 2])
{
	const struct others nobody = { want->share, CEIL_BURST_NS };

	ret[0] = link_class(l);
	ret[1] = class_of(l, SHAPE_HOST, want, &nobody);
}

bool shape_class_equal(const struct shape_class *a, const struct shape_class *b)
{
	return a->minor == b->minor && a->quantum == b->quantum && a->rate == b->rate &&
	       a->ceil == b->ceil && a->burst == b->burst && a->cburst == b->cburst;
}

uint16_t shape_major(const char *instance)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *instance; instance++)
		h = (h ^ (unsigned char) *instance) * 16777619u;
	return (uint16_t) (MAJOR_FIRST + (h ^ h >> 13) % MAJOR_COUNT);
}

bool shape_is_ward(uint32_t handle)
{
	uint32_t major = handle >> 16;

	return major >= MAJOR_FIRST && major < MAJOR_FIRST + MAJOR_COUNT;
}
