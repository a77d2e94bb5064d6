/* The places of a resource and the sets of them that claims are confined to, as a flow network. It
 * is made when settings change, so that the calculations find everything in its place. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "sched/pool.h"

#define WORD_BITS 64u
#define MILLION UINT64_C(1000000)

static bool has(const uint64_t *mask, unsigned place)
{
	return (mask[place / WORD_BITS] >> (place % WORD_BITS) & 1) != 0;
}

static const uint64_t *mask_of(const struct allot_pool *p, unsigned set)
{
	return &p->masks[(size_t) set * p->words];
}

int allot_pool_new(const uint64_t *capacity, unsigned places, struct allot_pool **ret)
{
	struct allot_pool *p;
	uint64_t total = 0;
	unsigned all;
	int r = -ENOMEM;

	if (places == 0 || places > ALLOT_PLACES_MAX)
		return -ERANGE;
	for (unsigned i = 0; i < places; i++) {
		if (capacity[i] > ALLOT_AMOUNT_MAX - total)
			return -ERANGE;
		total += capacity[i];
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->places = places;
	p->words = (places + WORD_BITS - 1) / WORD_BITS;
	p->capacity = calloc(places, sizeof(*p->capacity));
	if (p->capacity != NULL) {
		_cleanup_free_ uint64_t *mask = malloc(p->words * sizeof(*mask));

		memcpy(p->capacity, capacity, places * sizeof(*capacity));
		if (mask != NULL) {
			memset(mask, 0xff, p->words * sizeof(*mask));
			r = allot_pool_add(p, mask, &all);
		}
	}
	if (r < 0)
		allot_pool_free(p);
	else
		*ret = p;
	return r;
}

void allot_pool_free(struct allot_pool *p)
{
	if (p == NULL)
		return;
	free(p->capacity);
	free(p->masks);
	free(p->cell_of);
	free(p->cell_capacity);
	free(p->edges);
	free(p->set_edges);
	free(p->by_cell);
	free(p->cell_edges);
	free(p->sets);
	free(p->cells);
	free(p->carried);
	free(p->queue);
	free(p->spare);
	free(p->set_list);
	free(p->cell_list);
	free(p->parts);
	free(p->sums);
	free(p->ratios);
	free(p->items);
	free(p->by_set);
	free(p->set_items);
	free(p);
}

/* Copies a mask without the bits beyond the last place. @return whether any is left. */
static bool mask_copy(const struct allot_pool *p, const uint64_t *mask, uint64_t *to)
{
	unsigned beyond = p->words * WORD_BITS - p->places;
	uint64_t any = 0;

	memcpy(to, mask, p->words * sizeof(*to));
	to[p->words - 1] &= UINT64_MAX >> beyond;
	for (unsigned i = 0; i < p->words; i++)
		any |= to[i];
	return any != 0;
}

static int masks_grow(struct allot_pool *p)
{
	unsigned room = p->set_room == 0 ? 4 : p->set_room * 2;
	uint64_t *masks = reallocarray(p->masks, room, p->words * sizeof(*masks));

	if (masks == NULL)
		return -ENOMEM;
	p->masks = masks;
	p->set_room = room;
	return 0;
}

int allot_pool_add(struct allot_pool *p, const uint64_t *mask, unsigned *ret_set)
{
	uint64_t *to;

	if (p->set_count == p->set_room) {
		int r = masks_grow(p);

		if (r < 0)
			return r;
	}
	to = &p->masks[(size_t) p->set_count * p->words];
	if (!mask_copy(p, mask, to))
		return -EINVAL;
	for (unsigned s = 0; s < p->set_count; s++) {
		if (memcmp(mask_of(p, s), to, p->words * sizeof(*to)) == 0) {
			*ret_set = s;
			return 0;
		}
	}
	if (p->set_count == ALLOT_SETS_MAX)
		return -E2BIG;
	*ret_set = p->set_count++;
	p->settled = false;
	return 0;
}

unsigned allot_pool_sets(const struct allot_pool *p)
{
	return p->set_count;
}

/* --- the network --- */

/* A fresh zeroed array in the place of an old one. */
static bool renew(void *at, size_t count, size_t size)
{
	void **old = at, *fresh = calloc(count, size);

	if (fresh == NULL)
		return false;
	free(*old);
	*old = fresh;
	return true;
}

/* Cells are numbered by their first place. */
static unsigned cells_number(struct allot_pool *p, unsigned *number)
{
	unsigned count = 0;

	memset(number, 0xff, 2 * (size_t) p->places * sizeof(*number));
	for (unsigned i = 0; i < p->places; i++) {
		unsigned *n = &number[p->cell_of[i]];

		if (*n == UINT32_MAX)
			*n = count++;
		p->cell_of[i] = *n;
	}
	return count;
}

/* Every set parts the cells it cuts in two. */
static int cells_make(struct allot_pool *p)
{
	_cleanup_free_ unsigned *number = calloc(2 * (size_t) p->places, sizeof(*number));

	if (number == NULL || !renew(&p->cell_of, p->places, sizeof(*p->cell_of)))
		return -ENOMEM;
	p->cell_count = 1;
	for (unsigned s = 1; s < p->set_count; s++) {
		for (unsigned i = 0; i < p->places; i++)
			if (has(mask_of(p, s), i))
				p->cell_of[i] += p->places;
		p->cell_count = cells_number(p, number);
	}
	if (!renew(&p->cell_capacity, p->cell_count, sizeof(*p->cell_capacity)))
		return -ENOMEM;
	for (unsigned i = 0; i < p->places; i++)
		p->cell_capacity[p->cell_of[i]] += p->capacity[i];
	return 0;
}

/* @place one of each cell. @edges NULL: only counts them. @return how many. */
static unsigned edges_list(const struct allot_pool *p, const unsigned *place, unsigned *set_edges,
			   struct pool_edge *edges)
{
	unsigned n = 0;

	for (unsigned s = 0; s < p->set_count; s++) {
		set_edges[s] = n;
		for (unsigned c = 0; c < p->cell_count; c++) {
			if (!has(mask_of(p, s), place[c]))
				continue;
			if (edges != NULL)
				edges[n] = (struct pool_edge){ .set = s, .cell = c };
			n++;
		}
	}
	set_edges[p->set_count] = n;
	return n;
}

/* The same edges by cell: a counting sort. */
static void edges_by_cell(struct allot_pool *p, unsigned count)
{
	for (unsigned e = 0; e < count; e++)
		p->cell_edges[p->edges[e].cell + 1]++;
	for (unsigned c = 0; c < p->cell_count; c++)
		p->cell_edges[c + 1] += p->cell_edges[c];
	for (unsigned e = 0; e < count; e++)
		p->by_cell[p->cell_edges[p->edges[e].cell]++] = e;
	for (unsigned c = p->cell_count; c > 0; c--)
		p->cell_edges[c] = p->cell_edges[c - 1];
	p->cell_edges[0] = 0;
}

static int edges_make(struct allot_pool *p)
{
	_cleanup_free_ unsigned *place = calloc(p->cell_count, sizeof(*place));
	unsigned count;

	if (place == NULL || !renew(&p->set_edges, p->set_count + 1, sizeof(*p->set_edges)) ||
	    !renew(&p->cell_edges, p->cell_count + 1, sizeof(*p->cell_edges)))
		return -ENOMEM;
	for (unsigned i = p->places; i > 0; i--)
		place[p->cell_of[i - 1]] = i - 1;
	count = edges_list(p, place, p->set_edges, NULL);
	if (!renew(&p->edges, count, sizeof(*p->edges)) ||
	    !renew(&p->by_cell, count, sizeof(*p->by_cell)) ||
	    !renew(&p->carried, count, sizeof(*p->carried)))
		return -ENOMEM;
	(void) edges_list(p, place, p->set_edges, p->edges);
	edges_by_cell(p, count);
	return 0;
}

static int network_make(struct allot_pool *p)
{
	size_t both;
	int r = cells_make(p);

	if (r == 0)
		r = edges_make(p);
	if (r < 0)
		return r;
	both = (size_t) p->set_count + p->cell_count;
	if (!renew(&p->sets, p->set_count, sizeof(*p->sets)) ||
	    !renew(&p->cells, p->cell_count, sizeof(*p->cells)) ||
	    !renew(&p->queue, both, sizeof(*p->queue)) ||
	    !renew(&p->spare, both, sizeof(*p->spare)) ||
	    !renew(&p->set_list, p->set_count, sizeof(*p->set_list)) ||
	    !renew(&p->cell_list, p->cell_count, sizeof(*p->cell_list)) ||
	    !renew(&p->parts, p->set_count + 1, sizeof(*p->parts)) ||
	    !renew(&p->sums, p->set_count, sizeof(*p->sums)) ||
	    !renew(&p->ratios, p->set_count, sizeof(*p->ratios)) ||
	    !renew(&p->set_items, p->set_count + 1, sizeof(*p->set_items)))
		return -ENOMEM;
	p->settled = true;
	return 0;
}

static int items_grow(struct allot_pool *p, size_t items)
{
	size_t room = p->item_room == 0 ? 64 : p->item_room;

	while (room < items)
		room *= 2;
	p->item_room = 0;
	if (!renew(&p->items, room, sizeof(*p->items)) ||
	    !renew(&p->by_set, room, sizeof(*p->by_set)))
		return -ENOMEM;
	p->item_room = room;
	return 0;
}

int pool_settle(struct allot_pool *p, size_t items)
{
	int r = 0;

	p->refused = false;
	if (items > ALLOT_CLAIMS_MAX + ALLOT_SETS_MAX)
		return -ERANGE;
	if (!p->settled)
		r = network_make(p);
	if (r == 0 && items > p->item_room)
		r = items_grow(p, items);
	return r;
}

struct pool_part pool_whole(struct allot_pool *p, uint32_t keep_ppm)
{
	for (unsigned s = 0; s < p->set_count; s++)
		p->set_list[s] = s;
	for (unsigned c = 0; c < p->cell_count; c++) {
		p->cell_list[c] = c;
		p->cells[c].left = p->cell_capacity[c];
	}
	for (unsigned i = 0; keep_ppm != 0 && i < p->places; i++)
		p->cells[p->cell_of[i]].left -= (p->capacity[i] * keep_ppm + MILLION - 1) / MILLION;
	return (struct pool_part){ .set_count = p->set_count, .cell_count = p->cell_count };
}
