/* The graph of who is after whom. The sort takes away, wave by wave, what is after nobody that is
 * left; whatever cannot be taken away is on a cycle or after one. Each of those is after another
 * of them, so walking from one to the next must come back to where it was: that is a cycle. */
#include "daemon/order.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct order_node *) a)->name, ((const struct order_node *) b)->name);
}

static int list_add(struct order_list *l, struct order_node *n)
{
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 4;
		struct order_node **grown =
			reallocarray(l->items, cap, sizeof(struct order_node *));

		if (!grown) {
			return -ENOMEM;
		}
		l->items = grown;
		l->cap = cap;
	}
	l->items[l->count++] = n;
	return 0;
}

static void node_free(struct order_node *n)
{
	free(n->name);
	free(n->before.items);
	free(n->next.items);
	free(n);
}

static void keep_node(void *node)
{
	(void) node; /* the tree owns nothing */
}

void order_done(struct order *o)
{
	tdestroy(o->by_name, keep_node);
	for (size_t i = 0; i < o->nodes.count; i++) {
		node_free(o->nodes.items[i]);
	}
	free(o->nodes.items);
	strv_done(&o->cycles);
	*o = (struct order){};
}

struct order_node *order_find(const struct order *o, const char *name)
{
	const struct order_node key = { .name = (char *) name };
	void *found = tfind(&key, &o->by_name, by_name);

	return found ? *(struct order_node **) found : NULL;
}

struct order_node *order_add(struct order *o, const char *name)
{
	struct order_node *n = order_find(o, name);

	if (n) {
		return n;
	}
	n = calloc(1, sizeof(*n));
	if (!n) {
		return NULL;
	}
	n->name = strdup(name);
	if (!n->name || list_add(&o->nodes, n) < 0) {
		node_free(n);
		return NULL;
	}
	if (!tsearch(n, &o->by_name, by_name)) {
		o->nodes.count--;
		node_free(n);
		return NULL;
	}
	return n;
}

int order_edge(struct order_node *node, struct order_node *before)
{
	int r;

	for (size_t i = 0; i < node->before.count; i++) {
		if (node->before.items[i] == before) {
			return 0;
		}
	}
	r = list_add(&node->before, before);
	if (r >= 0) {
		r = list_add(&before->next, node);
		node->before.count -= r < 0;
	}
	return r;
}

/* Gives `n` its wave and its successors theirs, as far as nothing else is in their way. */
static void release(struct order_node *n, struct order_list *queue)
{
	for (size_t i = 0; i < n->next.count; i++) {
		struct order_node *after = n->next.items[i];

		if (after->wave == ORDER_NEVER || after->wave < n->wave + 1) {
			after->wave = n->wave + 1;
		}
		if (--after->pending == 0) {
			queue->items[queue->count++] = after;
		}
	}
}

/* The cycle that the last of the walk closes: from its first occurrence on, written with the
 * smallest name in front so that the same cycle always reads the same. */
static int tell_cycle(struct order *o, struct order_node **walk, size_t n)
{
	struct buf text = {};
	size_t smallest = 0;
	int r;

	for (size_t i = 1; i < n; i++) {
		if (strcmp(walk[i]->name, walk[smallest]->name) < 0) {
			smallest = i;
		}
	}
	for (size_t i = 0; i <= n; i++) {
		buf_puts(&text, i ? " after " : "");
		buf_puts(&text, walk[(smallest + i) % n]->name);
	}
	r = text.error ? text.error : strv_add(&o->cycles, text.data);
	for (size_t i = 0; r == 0 && i < n; i++) {
		walk[i]->cycle = o->cycles.items[o->cycles.count - 1];
	}
	buf_done(&text);
	return r;
}

/* One that it is after and that is stuck as well: there is one, or it would not be. */
static struct order_node *stuck_before(const struct order_node *n)
{
	for (size_t i = 0; i < n->before.count; i++) {
		if (n->before.items[i]->pending) {
			return n->before.items[i];
		}
	}
	return NULL;
}

static int find_cycles(struct order *o, struct order_node **walk)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->nodes.count; i++) {
		struct order_node *n = o->nodes.items[i];
		size_t len = 0;

		/* a walk ends at a node of its own, or of an earlier one, which found its cycle */
		while (n && n->pending && n->wave == ORDER_NEVER) {
			n->wave = 0; /* walked */
			walk[len++] = n;
			n = stuck_before(n);
		}
		for (size_t k = 0; k < len; k++) {
			if (walk[k] == n) {
				r = tell_cycle(o, walk + k, len - k);
				break;
			}
		}
	}
	return r;
}

int order_sort(struct order *o)
{
	struct order_list queue = {
		.items = calloc(o->nodes.count + 1, sizeof(struct order_node *)),
	};
	int stuck = 0, r = 0;

	if (!queue.items) {
		return -ENOMEM;
	}
	strv_done(&o->cycles);
	for (size_t i = 0; i < o->nodes.count; i++) {
		struct order_node *n = o->nodes.items[i];

		n->pending = n->before.count;
		n->wave = n->pending ? ORDER_NEVER : 0;
		n->cycle = NULL;
		if (!n->pending) {
			queue.items[queue.count++] = n;
		}
	}
	for (size_t i = 0; i < queue.count; i++) {
		release(queue.items[i], &queue);
	}
	for (size_t i = 0; i < o->nodes.count; i++) {
		struct order_node *n = o->nodes.items[i];

		if (n->pending) { /* what was said of it on the way does not hold */
			n->wave = ORDER_NEVER;
			stuck++;
		}
	}
	if (stuck) {
		r = find_cycles(o, queue.items);
	}
	for (size_t i = 0; i < o->nodes.count; i++) {
		if (o->nodes.items[i]->pending) {
			o->nodes.items[i]->wave = ORDER_NEVER;
		}
	}
	free(queue.items);
	return r < 0 ? r : stuck;
}
