/* The maximal flow from sets to cells (Dinic), and the least cut. Exact, in wide integers.
 *
 * In rounds: the levels of what can be reached, in breadth, from sets that have something left (of
 * a set its cells, of a cell the sets that use it and might use others); then along
 * rising levels everything that goes. When no cell that has room is reached, all that was reached
 * is the cut: those sets have more than their cells can take. */
#include <string.h>

#include "sched/pool.h"

bool pool_reached(const struct pool_node *n)
{
	return n->level != POOL_UNREACHED;
}

static void begin(struct allot_pool *p, const struct pool_part *part)
{
	unsigned flow = ++p->flow_count;

	for (unsigned i = 0; i < part->set_count; i++) {
		unsigned s = p->set_list[part->set_first + i];

		p->sets[s].flow = flow;
		for (unsigned e = p->set_edges[s]; e < p->set_edges[s + 1]; e++)
			p->carried[e] = 0;
	}
	for (unsigned i = 0; i < part->cell_count; i++)
		p->cells[p->cell_list[part->cell_first + i]].flow = flow;
}

/* The sets with something left begin the queue. @return its length. */
static unsigned levels_begin(struct allot_pool *p, const struct pool_part *part)
{
	unsigned length = 0;

	for (unsigned i = 0; i < part->set_count; i++) {
		unsigned s = p->set_list[part->set_first + i];
		struct pool_node *n = &p->sets[s];

		n->cursor = p->set_edges[s];
		n->level = n->left > 0 ? 0 : POOL_UNREACHED;
		if (n->left > 0)
			p->queue[length++] = s;
	}
	for (unsigned i = 0; i < part->cell_count; i++) {
		unsigned c = p->cell_list[part->cell_first + i];

		p->cells[c].cursor = p->cell_edges[c];
		p->cells[c].level = POOL_UNREACHED;
	}
	return length;
}

/* @return whether the node was reached just now. */
static bool reach(const struct allot_pool *p, struct pool_node *n, unsigned level)
{
	if (n->flow != p->flow_count || n->level != POOL_UNREACHED)
		return false;
	n->level = level;
	return true;
}

/* In the queue cells are numbered after the sets. @return whether one that has room was reached. */
static bool levels_of_set(struct allot_pool *p, unsigned set, unsigned *length)
{
	bool room = false;

	for (unsigned e = p->set_edges[set]; e < p->set_edges[set + 1]; e++) {
		struct pool_node *to = &p->cells[p->edges[e].cell];

		if (!reach(p, to, p->sets[set].level + 1))
			continue;
		room = room || to->left > 0;
		p->queue[(*length)++] = p->edges[e].cell + p->set_count;
	}
	return room;
}

static void levels_of_cell(struct allot_pool *p, unsigned cell, unsigned *length)
{
	for (unsigned i = p->cell_edges[cell]; i < p->cell_edges[cell + 1]; i++) {
		unsigned e = p->by_cell[i], set = p->edges[e].set;

		if (p->carried[e] > 0 && reach(p, &p->sets[set], p->cells[cell].level + 1))
			p->queue[(*length)++] = set;
	}
}

/* @return whether a cell with room was reached. */
static bool levels(struct allot_pool *p, const struct pool_part *part)
{
	unsigned length = levels_begin(p, part);
	bool room = false;

	for (unsigned head = 0; head < length; head++) {
		unsigned n = p->queue[head];

		if (n >= p->set_count)
			levels_of_cell(p, n - p->set_count, &length);
		else if (levels_of_set(p, n, &length))
			room = true;
	}
	return room;
}

static pool_wide least(pool_wide a, pool_wide b)
{
	return a < b ? a : b;
}

static bool follows(const struct allot_pool *p, const struct pool_node *n, unsigned level)
{
	return n->flow == p->flow_count && n->level == level + 1;
}

static pool_wide push_set(struct allot_pool *p, unsigned set, pool_wide want);

/* Takes what there is room for; the rest by making others move elsewhere. @return how much. */
static pool_wide push_cell(struct allot_pool *p, unsigned cell, pool_wide want)
{
	struct pool_node *n = &p->cells[cell];
	pool_wide done = least(n->left, want);

	n->left -= done;
	for (; done < want && n->cursor < p->cell_edges[cell + 1]; n->cursor++) {
		unsigned e = p->by_cell[n->cursor], set = p->edges[e].set;
		pool_wide moved;

		if (p->carried[e] == 0 || !follows(p, &p->sets[set], n->level))
			continue;
		moved = push_set(p, set, least(p->carried[e], want - done));
		p->carried[e] -= moved;
		done += moved;
		if (done == want)
			break;
	}
	return done;
}

/* As deep as there are levels: at most two for each set. */
static pool_wide push_set(struct allot_pool *p, unsigned set, pool_wide want)
{
	struct pool_node *n = &p->sets[set];
	pool_wide done = 0;

	for (; n->cursor < p->set_edges[set + 1]; n->cursor++) {
		unsigned e = n->cursor, cell = p->edges[e].cell;
		pool_wide pushed;

		if (!follows(p, &p->cells[cell], n->level))
			continue;
		pushed = push_cell(p, cell, want - done);
		p->carried[e] += pushed;
		done += pushed;
		if (done == want)
			break;
	}
	return done;
}

bool pool_route(struct allot_pool *p, const struct pool_part *part)
{
	pool_wide left = 0;

	begin(p, part);
	while (levels(p, part)) {
		for (unsigned i = 0; i < part->set_count; i++) {
			unsigned s = p->set_list[part->set_first + i];

			if (p->sets[s].left > 0)
				p->sets[s].left -= push_set(p, s, p->sets[s].left);
		}
	}
	for (unsigned i = 0; i < part->set_count; i++)
		left += p->sets[p->set_list[part->set_first + i]].left;
	return left == 0;
}
