/* Which contexts a batch is about, and in which order: what was asked for, what that is after, and
 * the cycles and unknown names on the way. */
#include <stdio.h>
#include <string.h>

#include "daemon/batch_items.h"
#include "daemon/owner.h"
#include "daemon/service.h"

static struct item *item_of(const struct order_node *n)
{
	return n->data;
}

static struct item *add(struct batch *b, const char *name, const char *wanted_by)
{
	struct order_node *n = order_add(&b->order, name);
	struct item *it;

	if (!n || n->data) {
		return n ? n->data : NULL;
	}
	it = calloc(1, sizeof(*it));
	if (it) {
		*it = (struct item){ .batch = b, .node = n, .wanted_by = wanted_by };
		n->data = it;
	}
	return it;
}

struct selection {
	struct batch *batch;
	const struct batch_request *request;
	int error;
};

/* Also what would come back by itself. */
static bool is_to_be_stopped(const struct context *c)
{
	uint64_t in_us;

	return c->state != LIFE_STOPPED || again_in(c, &in_us);
}

static bool suits(const struct context *c, const struct batch *b, const struct batch_request *q)
{
	const struct spec *s = context_spec(c);

	if (b->stop ? !is_to_be_stopped(c) : !c->declared) {
		return false;
	}
	if (q->owner && !context_has_owner(b->manager, c, q->owner)) {
		return false;
	}
	if (b->autostart) {
		return s->context.autostart == SPEC_YES &&
		       (c->state == LIFE_STARTING || (c->state == LIFE_STOPPED && !c->autostarted));
	}
	if (!b->stop && c->state != LIFE_STOPPED) {
		return false;
	}
	return q->all || (s && strv_contains(&s->context.marks, q->mark));
}

static void select_one(struct context *c, void *arg)
{
	struct selection *s = arg;

	if (suits(c, s->batch, s->request) && !add(s->batch, c->name, NULL)) {
		s->error = -ENOMEM;
	}
}

int batch_select(struct batch *b, const struct batch_request *q)
{
	struct selection s = { b, q, 0 };

	for (size_t i = 0; q->names && i < q->names->count; i++) {
		if (!add(b, q->names->items[i], NULL)) {
			return -ENOMEM;
		}
	}
	if (!q->names) {
		manager_each(b->manager, select_one, &s);
	}
	return s.error;
}

static bool exists(struct manager *m, const char *name)
{
	struct spec_errors errors = {};
	const struct context *c = manager_find(m, name);
	bool there = c && (c->declared || c->state != LIFE_STOPPED);

	there = there || manager_explain(m, name, &errors) != -ENOENT; /* a file with errors */
	spec_errors_done(&errors);
	return there;
}

static int connect_one(struct item *it, const char *name)
{
	struct manager *m = it->batch->manager;
	const struct item *before;
	struct err e;

	if (!exists(m, name)) {
		(void) err_set(&e, -EINVAL, "%s/%s.ini: context.after: there is no context \"%s\"",
			       m->config_dir, it->node->name, name);
		return batch_set_failure(it, &e);
	}
	before = add(it->batch, name, it->node->name);
	return before ? order_edge(it->node, before->node) : -ENOMEM;
}

/* Brings in what it is after, and theirs in their turn. What runs needs nobody any more. */
static int connect_start(struct item *it)
{
	const struct context *c = manager_find(it->batch->manager, it->node->name);
	const struct spec *s;
	int r = 0;

	if (!c || !c->declared || (c->state != LIFE_STOPPED && c->state != LIFE_ENDING)) {
		return 0;
	}
	s = spec_share(c->declared); /* files are read again meanwhile */
	for (size_t i = 0; r >= 0 && it->code == 0 && i < s->context.after.count; i++) {
		r = connect_one(it, s->context.after.items[i]);
	}
	spec_freep(&s);
	return r;
}

/* Only those that stop together have an order; one that was started with an older spec has that. */
static int connect_stop(struct item *it)
{
	const struct context *c = registry_lookup(it->batch->manager, it->node->name);
	const struct spec *s = c ? context_spec(c) : NULL;
	int r = 0;

	for (size_t i = 0; s && r >= 0 && i < s->context.after.count; i++) {
		struct order_node *before =
			order_find(&it->batch->order, s->context.after.items[i]);

		if (before && before != it->node) {
			r = order_edge(it->node, before);
		}
	}
	return r;
}

/* A cycle is refused where it would be started; what runs all the same is stopped at once. */
static void settle(struct item *it)
{
	const struct batch *b = it->batch;
	struct order_node *n = it->node;
	struct err e;

	n->pending = b->stop ? n->next.count : n->before.count;
	if (n->wave == ORDER_NEVER && b->stop) {
		n->pending = 0;
	} else if (n->cycle && it->code == 0) {
		(void) err_set(&e, -ELOOP, "context.after makes a cycle: %s", n->cycle);
		it->code = e.code;
		it->text = strdup(e.text);
	}
	if (n->pending == 0 || it->code) {
		batch_enqueue(it);
	}
}

int batch_make_order(struct batch *b)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < b->order.nodes.count; i++) { /* it grows meanwhile */
		struct item *it = item_of(b->order.nodes.items[i]);

		r = b->stop ? connect_stop(it) : connect_start(it);
	}
	if (r >= 0) {
		r = order_sort(&b->order);
	}
	for (size_t i = 0; r >= 0 && i < b->order.nodes.count; i++) {
		settle(item_of(b->order.nodes.items[i]));
	}
	b->left = b->order.nodes.count;
	return r;
}
