/* Inside of the arithmetic of sched/allot.h: sets of places as a flow network, and its filling.
 *
 * Places that belong to the same sets are one cell. Sets are sources, cells are sinks, and an edge
 * joins a set with each cell it contains; so the network is as large as the settings are various,
 * not as the machine or the number of contexts is. */
#pragma once

#include "sched/allot.h"

typedef unsigned __int128 pool_wide; /* amounts times sums of weights: below 2^108 */

struct pool_edge {
	unsigned set, cell;
};

/** A set or a cell during a flow. */
struct pool_node {
	pool_wide left; /* of a set: what is not routed yet; of a cell: what it can still take */
	unsigned flow; /* the number of the last flow it took part in */
	unsigned level, cursor;
};
#define POOL_UNREACHED UINT32_MAX

/** A claim as the filling sees it: it gets base + min(want, level * weight). */
struct pool_item {
	uint64_t base, weight, want;
	uint64_t got; /* the answer */
	unsigned set, claim; /* which claim it is: the caller's */
};

/** A fraction; `down` is 0 where there is none. */
struct pool_ratio {
	uint64_t up, down;
};

/** Some sets and some cells: ranges of set_list and cell_list. */
struct pool_part {
	unsigned set_first, set_count, cell_first, cell_count;
};

struct allot_pool {
	unsigned places, words;
	uint64_t *capacity; /* by place */
	uint64_t *masks; /* `words` a set */
	unsigned set_count, set_room;

	/* The network, made anew when a set has come. */
	bool settled, refused;
	unsigned *cell_of; /* by place */
	unsigned cell_count;
	uint64_t *cell_capacity;
	struct pool_edge *edges; /* by set, then cell */
	unsigned *set_edges; /* where a set's begin; one more for the end */
	unsigned *by_cell; /* indices of edges, by cell */
	unsigned *cell_edges; /* where a cell's begin in it; one more for the end */

	/* Room to calculate in. */
	unsigned flow_count;
	struct pool_node *sets, *cells;
	pool_wide *carried; /* by edge */
	unsigned *queue, *spare; /* for sets and cells together */
	unsigned *set_list, *cell_list;
	struct pool_part *parts;
	uint64_t *sums; /* by set */
	struct pool_ratio *ratios; /* by set */
	struct pool_item *items;
	unsigned *by_set; /* indices of items, by set */
	unsigned *set_items; /* where a set's begin in it; one more for the end */
	size_t item_room;
};

/** Makes the network when sets have come, and room for `items` items. @return 0, -ERANGE when that
 * is more than claims and sets can be, -ENOMEM. */
[[nodiscard]] int pool_settle(struct allot_pool *p, size_t items);

/** Every set and every cell, each cell with `keep_ppm` millionths of its places taken away. */
struct pool_part pool_whole(struct allot_pool *p, uint32_t keep_ppm);
/**
 * Routes what the sets of a part have `left` to its cells.
 * @return whether all of it could be; if not, pool_reached() is true of the least set of sets that
 * have too much, and of all their cells, which are full.
 */
[[nodiscard]] bool pool_route(struct allot_pool *p, const struct pool_part *part);
bool pool_reached(const struct pool_node *n);

/** Whether the bases of all items fit together. */
[[nodiscard]] bool pool_bases_fit(struct allot_pool *p, size_t count);
/** Gives every item what it gets; the bases must fit. */
void pool_fill(struct allot_pool *p, size_t count);
