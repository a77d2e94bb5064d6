/* Filling items to the highest level that the places can carry: weighted max-min, exactly.
 *
 * By division (Groenevelt): suppose that all sets of a part could use all its cells; then its level
 * follows from sums alone. If what the sets need at that level can be routed, that is the answer
 * for the part. If not, the least cut has sets with too much for their cells, which are theirs
 * alone: those sets with those cells, and the other sets with the other cells, are two parts that
 * know nothing of each other; the first will have a lower level, the second a higher. A level is a
 * fraction, and all is multiplied by its denominator, so nothing is rounded until the end. */
#include <string.h>

#include "sched/pool.h"

/* `up / down`; when down is 0 it is beyond every item's want. */
struct level {
	pool_wide up, down;
};

/* What a set or a part has at a level: those with all they want, and the weights of the others. */
struct load {
	pool_wide fixed, weight;
};

/* Whether an item has all it wants. */
static bool is_full(const struct pool_item *item, struct level l)
{
	return item->want * l.down <= item->weight * l.up;
}

static void load_add(const struct allot_pool *p, unsigned set, struct level l, struct load *sum)
{
	for (unsigned i = p->set_items[set]; i < p->set_items[set + 1]; i++) {
		const struct pool_item *item = &p->items[p->by_set[i]];

		sum->fixed += item->base;
		if (is_full(item, l))
			sum->fixed += item->want;
		else
			sum->weight += item->weight;
	}
}

/* Newton's method from below: whoever is full at a level leaves more for the others, so the next is
 * higher. It ends when nobody else becomes full; the number of rounds is logarithmic (Radzik). */
static struct level level_of(const struct allot_pool *p, const struct pool_part *part)
{
	struct level l = { .up = 0, .down = 1 };
	pool_wide total = 0;

	for (unsigned i = 0; i < part->cell_count; i++)
		total += p->cell_capacity[p->cell_list[part->cell_first + i]];
	for (;;) {
		struct load sum = { 0 };
		struct level next;

		for (unsigned i = 0; i < part->set_count; i++)
			load_add(p, p->set_list[part->set_first + i], l, &sum);
		if (sum.weight == 0)
			return (struct level){ .up = 1, .down = 0 };
		next = (struct level){ .up = total - sum.fixed, .down = sum.weight };
		if (next.up == l.up && next.down == l.down)
			return l;
		l = next;
	}
}

/* @return whether the places can carry this level. */
static bool can_carry(struct allot_pool *p, const struct pool_part *part, struct level l)
{
	pool_wide scale = l.down > 0 ? l.down : 1;

	for (unsigned i = 0; i < part->set_count; i++) {
		unsigned set = p->set_list[part->set_first + i];
		struct load sum = { 0 };

		load_add(p, set, l, &sum);
		p->sets[set].left = sum.fixed * scale + sum.weight * l.up;
	}
	for (unsigned i = 0; i < part->cell_count; i++) {
		unsigned cell = p->cell_list[part->cell_first + i];

		p->cells[cell].left = p->cell_capacity[cell] * scale;
	}
	return pool_route(p, part);
}

static void give(struct allot_pool *p, const struct pool_part *part, struct level l)
{
	for (unsigned s = 0; s < part->set_count; s++) {
		unsigned set = p->set_list[part->set_first + s];

		for (unsigned i = p->set_items[set]; i < p->set_items[set + 1]; i++) {
			struct pool_item *item = &p->items[p->by_set[i]];
			pool_wide more = item->want;

			if (!is_full(item, l))
				more = item->weight * l.up / l.down;
			item->got = item->base + (uint64_t) more;
		}
	}
}

/* Moves what was reached to the front. @return how many that are. */
static unsigned divide(const struct pool_node *nodes, unsigned *list, unsigned count,
		       unsigned *spare)
{
	unsigned front = 0, rest = 0;

	for (unsigned i = 0; i < count; i++) {
		if (pool_reached(&nodes[list[i]]))
			list[front++] = list[i];
		else
			spare[rest++] = list[i];
	}
	memcpy(&list[front], spare, rest * sizeof(*list));
	return front;
}

/* Items by set: a counting sort. */
static void group(struct allot_pool *p, size_t count)
{
	memset(p->set_items, 0, (p->set_count + 1) * sizeof(*p->set_items));
	for (size_t i = 0; i < count; i++)
		p->set_items[p->items[i].set + 1]++;
	for (unsigned s = 0; s < p->set_count; s++)
		p->set_items[s + 1] += p->set_items[s];
	for (size_t i = 0; i < count; i++)
		p->by_set[p->set_items[p->items[i].set]++] = (unsigned) i;
	for (unsigned s = p->set_count; s > 0; s--)
		p->set_items[s] = p->set_items[s - 1];
	p->set_items[0] = 0;
}

/* The sets that have items, and the cells that these can use. */
static struct pool_part part_of_items(struct allot_pool *p)
{
	struct pool_part part = { 0 };

	for (unsigned c = 0; c < p->cell_count; c++)
		p->cells[c].level = POOL_UNREACHED;
	for (unsigned s = 0; s < p->set_count; s++) {
		if (p->set_items[s] == p->set_items[s + 1])
			continue;
		p->set_list[part.set_count++] = s;
		for (unsigned e = p->set_edges[s]; e < p->set_edges[s + 1]; e++)
			p->cells[p->edges[e].cell].level = 0;
	}
	for (unsigned c = 0; c < p->cell_count; c++)
		if (pool_reached(&p->cells[c]))
			p->cell_list[part.cell_count++] = c;
	return part;
}

void pool_fill(struct allot_pool *p, size_t count)
{
	unsigned parts = 1;

	group(p, count);
	p->parts[0] = part_of_items(p);
	while (parts > 0) {
		struct pool_part *part = &p->parts[--parts], low = *part, high = *part;
		struct level l = level_of(p, part);

		if (can_carry(p, part, l)) {
			give(p, part, l);
			continue;
		}
		low.set_count =
			divide(p->sets, &p->set_list[low.set_first], low.set_count, p->spare);
		low.cell_count =
			divide(p->cells, &p->cell_list[low.cell_first], low.cell_count, p->spare);
		high.set_first += low.set_count;
		high.set_count -= low.set_count;
		high.cell_first += low.cell_count;
		high.cell_count -= low.cell_count;
		p->parts[parts++] = low;
		if (high.set_count > 0)
			p->parts[parts++] = high;
	}
}

bool pool_bases_fit(struct allot_pool *p, size_t count)
{
	struct pool_part whole = pool_whole(p, 0);

	for (unsigned s = 0; s < p->set_count; s++)
		p->sets[s].left = 0;
	for (size_t i = 0; i < count; i++)
		p->sets[p->items[i].set].left += p->items[i].base;
	return pool_route(p, &whole);
}
