/* The order of contexts: who is after whom, as a graph. Pure data: no context, no daemon. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define ORDER_NEVER SIZE_MAX

struct order_node;

struct order_list {
	struct order_node **items;
	size_t count, cap;
};

struct order_node {
	char *name;
	struct order_list before; /* those it is after */
	struct order_list next; /* those after it */
	/* by order_sort() */
	size_t wave; /* 0: after nobody; else one more than the last it is after; ORDER_NEVER */
	const char *cycle; /* "a after b after a" when it is on one; the order's */
	/* of whoever uses the graph */
	size_t pending;
	void *data;
};

/** Zero-initialise; free with order_done(). */
struct order {
	struct order_list nodes; /* as they were added */
	struct strv cycles;
	void *by_name; /* tsearch(3) tree of struct order_node */
};

void order_done(struct order *o);
/** @return the node of that name, made when there is none, or NULL when out of memory. */
struct order_node *order_add(struct order *o, const char *name);
/** @return NULL when there is none. */
struct order_node *order_find(const struct order *o, const char *name);
/** Says that `node` is after `before`; again is harmless. @return 0 or -ENOMEM. */
[[nodiscard]] int order_edge(struct order_node *node, struct order_node *before);
/**
 * Finds the waves and the cycles: nodes of one wave are independent of each other. What is on a
 * cycle or after one has no wave; of each cycle found its nodes bear the text.
 * @return how many have no wave, or -ENOMEM.
 */
[[nodiscard]] int order_sort(struct order *o);
