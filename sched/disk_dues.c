/* Who weighs what on which disk. See disk_dues.h.
 *
 * Weights are in a scale in which a bare share is its own number, as sched_plan() writes it. So who
 * has nothing reserved is not rewritten because others come; those with a reserve are, when what a
 * share is worth has moved by a hundredth. Where that does not fit the kernel's range, all weights
 * are halved until it does: reserves are rounded up, shares down, but nobody weighs nothing. */
#include "sched/disk_dues.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "sched/allot.h"
#include "sched/disk_weight.h"

#define PPM UINT64_C(1000000) /* the unit of amounts: a millionth of a millionth of a disk */
#define NOTICED 100 /* a weight is written when it differs by one part of so many */
#define SHIFT_MAX 16

/** What one slot has of one disk. */
struct part {
	unsigned major, minor;
	uint64_t reserve; /* an amount */
	uint32_t share; /* 0: it has said nothing */
	uint32_t written; /* its weight as the kernel has it; 0: not known */
};

struct member {
	unsigned slot;
	bool born; /* here: where it has no part it has the default */
	struct part *parts; /* owned: those its spec names, and those that were written */
	size_t count;
};

/** A disk on which something is reserved, or was until now. */
struct due_disk {
	struct sched_disk disk;
	bool held; /* weights here are ours */
	uint32_t top; /* what all contexts weigh; 0: not known */
	unsigned shift; /* how far weights are below those of bare shares */
	uint64_t level_up, level_down; /* what one share is worth: an amount, as a fraction */
};

struct disk_dues {
	struct sched_host *host; /* borrowed */
	const struct cg_tree *tree; /* of the io controller; NULL: there is none */
	uint32_t host_ppm;
	struct allot_pool *pool;
	struct member *members;
	size_t count, room;
	struct due_disk *disks;
	size_t disk_count;
	bool unsettled;
	bool gathers; /* what an earlier daemon has left, until all are known that still run */
	struct allot_claim *claims; /* room to calculate in, one a member */
	uint64_t *amounts;
};

/* --- who there is --- */

static struct part *part_of(const struct member *m, const struct sched_disk *disk)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->parts[i].major == disk->major && m->parts[i].minor == disk->minor)
			return &m->parts[i];
	return NULL;
}

static struct part *add_part(struct member *m, const struct sched_disk *disk)
{
	struct part *p = part_of(m, disk), *more;

	if (p != NULL)
		return p;
	more = reallocarray(m->parts, m->count + 1, sizeof(*more));
	if (more == NULL)
		return NULL;
	m->parts = more;
	more[m->count] = (struct part){ .major = disk->major,
					.minor = disk->minor,
					.written = m->born ? DISK_WEIGHT_DEFAULT : 0 };
	return &more[m->count++];
}

static struct due_disk *disk_of(const struct disk_dues *d, const struct sched_disk *disk)
{
	for (size_t i = 0; i < d->disk_count; i++)
		if (d->disks[i].disk.major == disk->major && d->disks[i].disk.minor == disk->minor)
			return &d->disks[i];
	return NULL;
}

static int add_disk(struct disk_dues *d, const struct sched_disk *disk, bool held)
{
	struct due_disk *more;

	if (disk_of(d, disk) != NULL)
		return 0;
	more = reallocarray(d->disks, d->disk_count + 1, sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	d->disks = more;
	more[d->disk_count++] = (struct due_disk){ .disk = *disk, .held = held };
	return 0;
}

static struct member *find(const struct disk_dues *d, unsigned slot)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->members[i].slot == slot)
			return &d->members[i];
	return NULL;
}

static struct member *insert(struct disk_dues *d, unsigned slot)
{
	size_t room = d->room != 0 ? 2 * d->room : 32;

	if (d->count == d->room) {
		if (!mem_resize(&d->members, room, sizeof(*d->members)) ||
		    !mem_resize(&d->claims, room, sizeof(*d->claims)) ||
		    !mem_resize(&d->amounts, room, sizeof(*d->amounts)))
			return NULL;
		d->room = room;
	}
	d->members[d->count] = (struct member){ .slot = slot };
	return &d->members[d->count++];
}

/* A disk that is not there (any more) can be neither reserved nor shared out. */
static int add_said(struct disk_dues *d, struct member *m, const char *device, uint64_t permille,
		    uint64_t share)
{
	struct sched_disk disk;
	struct err e = { 0 };
	struct part *p;

	if (sched_disk_find("io", device, &disk, &e) < 0) {
		log_debug("cgroup %s/%u: %s", d->host->instance, m->slot, e.text);
		return 0;
	}
	p = add_part(m, &disk);
	if (p == NULL)
		return -ENOMEM;
	if (share != 0) {
		p->share = (uint32_t) share;
		p->written = m->born ? p->share : 0;
	}
	p->reserve += permille * 1000 * PPM;
	return permille > 0 ? add_disk(d, &disk, false) : 0;
}

static int read_spec(struct disk_dues *d, struct member *m, const struct spec *spec)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->io.share_count; i++)
		r = add_said(d, m, spec->io.shares[i].device, 0, spec->io.shares[i].amount);
	for (size_t i = 0; r == 0 && i < spec->io.reserve_count; i++)
		r = add_said(d, m, spec->io.reserves[i].device, spec->io.reserves[i].amount, 0);
	return r;
}

/* --- weights --- */

/* @return how many have a reserve on the disk. */
static size_t fill_claims(struct disk_dues *d, const struct due_disk *k)
{
	size_t reserved = 0;

	for (size_t i = 0; i < d->count; i++) {
		const struct part *p = part_of(&d->members[i], &k->disk);

		d->claims[i] = (struct allot_claim){
			.reserve = p != NULL ? p->reserve : 0,
			.limit = ALLOT_HUNGRY,
			.demand = ALLOT_HUNGRY,
			.share = p != NULL && p->share != 0 ? p->share : SPEC_IO_SHARE,
		};
		reserved += d->claims[i].reserve > 0;
	}
	return reserved;
}

/* The greatest share tells most exactly what one is worth. */
static void set_level(const struct disk_dues *d, struct due_disk *k)
{
	k->level_up = 0;
	k->level_down = 1;
	for (size_t i = 0; i < d->count; i++) {
		const struct allot_claim *c = &d->claims[i];

		if (c->share > k->level_down && d->amounts[i] > c->reserve) {
			k->level_up = d->amounts[i] - c->reserve;
			k->level_down = c->share;
		}
	}
}

/* The amount that is the greatest weight. */
static uint64_t full(const struct due_disk *k, uint32_t max, uint64_t most)
{
	__uint128_t v = (__uint128_t) k->level_up * max << k->shift;

	v /= k->level_down;
	if (v == 0)
		return most;
	return v < UINT64_MAX ? (uint64_t) v : UINT64_MAX;
}

/* Keeps the scale unless weights do not fit, or would fit into a quarter of it. */
static uint64_t set_shift(const struct disk_dues *d, struct due_disk *k, uint32_t max)
{
	uint64_t most = 1;

	for (size_t i = 0; i < d->count; i++)
		if (d->amounts[i] > most)
			most = d->amounts[i];
	while (k->shift > 0 && most < full(k, max, most) / 4)
		k->shift--;
	while (k->shift < SHIFT_MAX && most > full(k, max, most))
		k->shift++;
	return full(k, max, most);
}

static uint32_t weight_of(const struct due_disk *k, const struct allot_claim *c, uint64_t amount,
			  uint64_t all, uint32_t max)
{
	uint32_t plain = c->share >> k->shift;

	if (c->reserve > 0 || k->level_up == 0)
		return allot_weight_scaled(amount, all, 1, max);
	return plain > 0 ? plain : 1;
}

static int write_weight(struct disk_dues *d, struct member *m, const struct due_disk *k,
			uint32_t weight)
{
	struct part *p = add_part(m, &k->disk);
	uint64_t off;
	int r;

	if (p == NULL)
		return -ENOMEM;
	off = weight > p->written ? weight - p->written : p->written - weight;
	if (p->written != 0 && off * NOTICED <= p->written)
		return 0;
	r = disk_weight_write(d->tree, m->slot, &k->disk, weight);
	p->written = r == 0 ? weight : 0;
	return r == -ENOENT || r == -ENODEV ? 0 : r; /* it is ending */
}

static void write_top(struct disk_dues *d, struct due_disk *k, uint32_t weight)
{
	if (k->top != weight)
		disk_top_write(d->host, &k->disk, weight);
	k->top = weight;
}

/* A disk that was given another scheduler, and this one again, has forgotten all weights. */
static void check_memory(struct disk_dues *d, struct due_disk *k)
{
	if (k->top == 0 || disk_top_read(d->host, &k->disk) == k->top)
		return;
	k->top = 0;
	for (size_t i = 0; i < d->count; i++) {
		struct part *p = part_of(&d->members[i], &k->disk);

		if (p != NULL)
			p->written = 0;
	}
}

static int hold(struct disk_dues *d, struct due_disk *k)
{
	uint32_t max = disk_scale_of(d->tree, &k->disk).max;
	int r = allot(d->pool, d->claims, d->count, d->amounts);
	uint64_t all;

	if (r < 0)
		return r;
	k->held = true;
	check_memory(d, k);
	set_level(d, k);
	all = set_shift(d, k, max);
	for (size_t i = 0; i < d->count; i++) {
		uint32_t w = weight_of(k, &d->claims[i], d->amounts[i], all, max);
		int wrote = write_weight(d, &d->members[i], k, w);

		r = r < 0 ? r : wrote;
	}
	write_top(d, k, disk_top_due(d->host, &k->disk, d->host_ppm));
	return r;
}

/* --- what was there before --- */

static void forget_parts(struct member *m, const struct sched_disk *disk)
{
	struct part *p = part_of(m, disk);

	if (p != NULL && p->share == 0)
		*p = m->parts[--m->count];
}

/* Nothing is reserved there any more: shares, as the plan has them. */
static void give_back(struct disk_dues *d, struct due_disk *k)
{
	for (size_t i = 0; i < d->count; i++) {
		int r = write_weight(d, &d->members[i], k, d->claims[i].share);

		if (r < 0 && r != -EOPNOTSUPP) /* the disk may have another scheduler now */
			log_debug("cgroup %s/%u: giving its share of %s back: %s",
				  d->host->instance, d->members[i].slot, k->disk.name,
				  strerror(-r));
		d->members[i].born |= r == 0;
		forget_parts(&d->members[i], &k->disk);
	}
	write_top(d, k, DISK_WEIGHT_DEFAULT);
	k->held = false;
}

int disk_dues_settle(struct disk_dues *d)
{
	size_t kept = 0;
	int r = 0;

	d->unsettled = d->gathers = false;
	for (size_t i = 0; i < d->disk_count; i++) {
		struct due_disk *k = &d->disks[i];
		int held = 0;

		if (fill_claims(d, k) > 0)
			held = hold(d, k);
		else if (k->held)
			give_back(d, k);
		r = r < 0 ? r : held;
		if (k->held)
			d->disks[kept++] = *k;
	}
	d->disk_count = kept;
	return r;
}

/* --- coming and going --- */

static void drop(struct disk_dues *d, struct member *m)
{
	free(m->parts);
	*m = d->members[--d->count];
	d->unsettled |= d->disk_count > 0;
}

int disk_dues_set(struct disk_dues *d, unsigned slot, const struct spec *spec, bool fresh)
{
	struct member *m = find(d, slot);
	int r;

	if (d->tree == NULL)
		return 0;
	if (m == NULL)
		m = insert(d, slot);
	if (m == NULL)
		return -ENOMEM;
	free(m->parts);
	*m = (struct member){ .slot = slot, .born = fresh };
	r = read_spec(d, m, spec);
	if (r < 0) {
		drop(d, m);
		return r;
	}
	return d->disk_count > 0 && !d->gathers ? disk_dues_settle(d) : 0;
}

void disk_dues_drop(struct disk_dues *d, unsigned slot)
{
	struct member *m = find(d, slot);

	if (m != NULL)
		drop(d, m);
}

bool disk_dues_unsettled(const struct disk_dues *d)
{
	return d->unsettled;
}

static int make_pool(struct disk_dues *d, uint32_t host_ppm)
{
	uint64_t capacity = (PPM - host_ppm) * PPM;
	struct allot_pool *pool = NULL;
	int r = allot_pool_new(&capacity, 1, &pool);

	if (r < 0)
		return r;
	allot_pool_free(d->pool);
	d->pool = pool;
	d->host_ppm = host_ppm;
	return 0;
}

void disk_dues_set_host(struct disk_dues *d, uint32_t host_ppm)
{
	if (d->host_ppm != host_ppm && make_pool(d, host_ppm) < 0)
		return;
	d->unsettled |= d->disk_count > 0;
}

/* --- what is told of it --- */

static unsigned said(const struct spec *spec, const struct sched_disk *disk)
{
	for (size_t i = 0; i < spec->io.share_count; i++) {
		const struct spec_io_part *s = &spec->io.shares[i];
		struct sched_disk x;

		if (sched_disk_find("", s->device, &x, NULL) == 0 && x.major == disk->major &&
		    x.minor == disk->minor)
			return (unsigned) s->amount;
	}
	return 0;
}

/* @return whether the weight is the share that was said, by whatever way; 100 is nobody's word. */
static bool stands_for(const struct disk_dues *d, const struct member *m,
		       const struct sched_disk *disk, unsigned weight, unsigned share)
{
	const struct due_disk *k = disk_of(d, disk);
	const struct part *p = m != NULL ? part_of(m, disk) : NULL;

	if (k != NULL && k->held && p != NULL && p->written == weight)
		return true;
	return weight == (share != 0 ? share : SPEC_IO_SHARE);
}

void disk_dues_tell(const struct disk_dues *d, unsigned slot, const struct spec *spec,
		    const char *live, struct buf *out)
{
	const struct member *m = find(d, slot);

	for (const char *p = live; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
		struct sched_disk disk;
		char path[128];
		unsigned weight;

		if (sscanf(p, "%127s %u", path, &weight) != 2)
			continue;
		if (sched_disk_find("", path, &disk, NULL) >= 0) {
			unsigned share = said(spec, &disk);

			if (stands_for(d, m, &disk, weight, share))
				weight = share;
		}
		if (weight != 0)
			buf_printf(out, "%s%s %u", out->len ? "\n" : "", path, weight);
	}
	buf_puts(out, "");
}

/* --- life --- */

static void take_up(void *arg, const struct sched_disk *disk)
{
	struct disk_dues *d = arg;

	if (add_disk(d, disk, true) == 0)
		d->unsettled = d->gathers = true;
}

int disk_dues_new(struct sched_host *h, uint32_t host_ppm, struct disk_dues **ret)
{
	struct disk_dues *d = calloc(1, sizeof(*d));
	int r;

	if (d == NULL)
		return -ENOMEM;
	d->host = h;
	d->tree = host_tree(h, CG_IO);
	r = make_pool(d, host_ppm);
	if (r < 0) {
		disk_dues_free(d);
		return r;
	}
	if (d->tree != NULL)
		disk_top_each(h, take_up, d);
	*ret = d;
	return 0;
}

void disk_dues_free(struct disk_dues *d)
{
	if (d == NULL)
		return;
	if (d->unsettled)
		(void) disk_dues_settle(d);
	for (size_t i = 0; i < d->count; i++)
		free(d->members[i].parts);
	allot_pool_free(d->pool);
	free(d->members);
	free(d->disks);
	free(d->claims);
	free(d->amounts);
	free(d);
}
