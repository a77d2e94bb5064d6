/* Batches: a graph of contexts (order.c), each item of which is begun when nothing it has to wait
 * for is left. The loop is never held for long: one context is begun at a time, and only so many
 * are on their way at once. A batch belongs to the manager, not to its client, who may leave. */
#include "daemon/batch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "daemon/batch_items.h"
#include "daemon/service.h"

/* Starts between the request and the running command; waiting to be ready does not count. More
 * than there are seats only makes a queue somewhere else. */
#define STARTING_MAX 16

static void batch_free(struct batch *b)
{
	LIST_REMOVE(b, link);
	sd_event_source_disable_unref(b->pump);
	sd_event_source_disable_unref(b->timer);
	for (size_t i = 0; i < b->order.nodes.count; i++) {
		struct item *it = b->order.nodes.items[i]->data;

		if (it) {
			free(it->text);
			free(it);
		}
	}
	order_done(&b->order);
	free(b);
}

void batch_forget(struct batch *b)
{
	b->events = NULL;
}

void batches_done(struct manager *m)
{
	struct batch *b;

	while ((b = LIST_FIRST(&m->batches))) {
		batch_free(b);
	}
}

/* --- items --- */

static struct item *item_of(const struct order_node *n)
{
	return n->data;
}

static void kick(struct batch *b)
{
	(void) sd_event_source_set_enabled(b->pump, SD_EVENT_ONESHOT);
}

void batch_enqueue(struct item *it)
{
	if (!it->queued) {
		it->queued = true;
		STAILQ_INSERT_TAIL(&it->batch->queue, it, queued_link);
		kick(it->batch);
	}
}

int batch_set_failure(struct item *it, const struct err *e)
{
	it->code = e->code;
	return str_replace(&it->text, e->text);
}

/* Those that waited for it may begin, or have failed with it. */
static void release(struct item *it)
{
	const struct order_list *waiting = it->batch->stop ? &it->node->before : &it->node->next;

	for (size_t i = 0; i < waiting->count; i++) {
		struct order_node *n = waiting->items[i];
		struct item *after = item_of(n);

		if (after->queued) {
			continue; /* it has failed before */
		}
		if (it->code && !it->batch->stop) {
			after->culprit = it;
			batch_enqueue(after);
		} else if (n->pending && --n->pending == 0) {
			batch_enqueue(after);
		}
	}
}

static void finish(struct item *it, const char *result, const struct err *e)
{
	struct batch *b = it->batch;
	const struct batch_result r = {
		.name = it->node->name,
		.result = e->code ? "failed" : result,
		.wanted_by = it->wanted_by,
		.error = e,
	};

	if (it->over) {
		return;
	}
	it->over = true;
	(void) fault_point("batch-item", NULL);
	if (e->code && batch_set_failure(it, e) < 0) {
		it->text = NULL; /* those after it say less */
	}
	b->left--;
	if (b->autostart) {
		autostart_note(b->manager, it->node->name);
	}
	if (b->events && b->events->result) {
		b->events->result(b->arg, &r);
	}
	release(it);
	kick(b);
}

static void fail(struct item *it, const struct err *e)
{
	finish(it, "", e);
}

static void fail_with_culprit(struct item *it)
{
	const struct item *first = it->culprit;
	struct err e;

	while (first->culprit) {
		first = first->culprit;
	}
	if (first == it->culprit) {
		(void) err_set(&e, first->code, "not started: it is after %s, which failed: %s",
			       first->node->name, first->text ?: "");
	} else {
		(void) err_set(&e, first->code, "not started: it is after %s; %s failed: %s",
			       it->culprit->node->name, first->node->name, first->text ?: "");
	}
	fail(it, &e);
}

/* Its name says nothing, or its file has errors. */
static void fail_unknown(struct item *it)
{
	struct spec_errors errors = {};
	struct err e = {};

	if (manager_explain(it->batch->manager, it->node->name, &errors) == -EINVAL) {
		(void) spec_errors_to_err(&errors, &e);
	}
	if (e.code == 0) {
		(void) err_set(&e, -ENOENT, "no such context");
	}
	spec_errors_done(&errors);
	fail(it, &e);
}

/* --- start --- */

static void on_run(void *arg, struct context *c, const struct err *e)
{
	struct item *it = arg;

	(void) c;
	(void) e;
	it->launching = false;
	it->batch->launching--;
	kick(it->batch);
}

static void on_started(void *arg, struct context *c, const struct err *e)
{
	(void) c;
	finish(arg, "started", e);
}

/* Nobody waits for it to be ready. */
static void on_launched(void *arg, struct context *c, const struct err *e)
{
	on_run(arg, c, e);
	finish(arg, "started", e);
}

/* Somebody has it started already: its news are ours. */
static int join(struct item *it, struct context *c)
{
	return waiter_add(c, &(struct waiter){
				     .kind = WAITER_START, .started = on_started, .arg = it });
}

static int start(struct item *it, struct context *c, struct err *e)
{
	struct batch *b = it->batch;
	bool leaf = b->no_wait && it->node->next.count == 0;
	int r = leaf ? manager_launch(b->manager, c, on_launched, it, e)
		     : manager_start(b->manager, c, on_started, it, e);

	if (r < 0) {
		return r;
	}
	if (leaf) {
		it->launching = true;
		b->launching++;
		return 0;
	}
	it->launching =
		waiter_add(c, &(struct waiter){
				      .kind = WAITER_RUN, .started = on_run, .arg = it }) >= 0;
	b->launching += it->launching;
	return 0;
}

static void begin_start(struct item *it)
{
	const struct batch *b = it->batch;
	struct context *c = manager_find(b->manager, it->node->name);
	bool asked = b->named && !it->wanted_by; /* then it must not run yet */
	bool runs;
	struct err e = {};
	int r;

	if (!c) {
		fail_unknown(it);
		return;
	}
	runs = c->state == LIFE_RUNNING || c->state == LIFE_FROZEN;
	if (!asked && runs && context_is_ready(c)) {
		finish(it, "running", &e);
		return;
	}
	if (b->autostart && c->autostarted && c->state == LIFE_STOPPED && !it->wanted_by) {
		finish(it, "started", &e); /* meanwhile, and it has ended since */
		return;
	}
	if (!asked && (runs || c->state == LIFE_STARTING)) {
		r = join(it, c);
		if (r < 0) {
			(void) err_set_errno(&e, r, "waiting for %s", c->name);
		}
	} else {
		r = start(it, c, &e);
	}
	if (r < 0) {
		fail(it, &e);
	}
}

/* --- stop --- */

static void on_stopped(void *arg, const struct err *e)
{
	finish(arg, "stopped", e);
}

static void begin_stop(struct item *it)
{
	const struct batch *b = it->batch;
	struct context *c = manager_find(b->manager, it->node->name);
	struct err e = {};

	if (!c) {
		if (b->named) {
			fail_unknown(it);
		} else {
			finish(it, "stopped", &e); /* a throwaway that has ended meanwhile */
		}
		return;
	}
	if (manager_stop(b->manager, c, b->timeout_us, on_stopped, it, &e) < 0) {
		fail(it, &e);
	} else if (b->force) {
		stopping_force(c);
	}
}

/* The time for the whole is over: no order, no signals, no hooks any more. */
static int on_timeout(sd_event_source *source, uint64_t now, void *userdata)
{
	struct batch *b = userdata;

	(void) source;
	(void) now;
	b->force = true;
	for (size_t i = 0; i < b->order.nodes.count; i++) {
		struct item *it = item_of(b->order.nodes.items[i]);
		struct context *c = registry_lookup(b->manager, it->node->name);

		if (!it->queued) {
			batch_enqueue(it);
		} else if (!it->over && c) {
			stopping_force(c);
		}
	}
	return 0;
}

/* --- the pump --- */

static void step(struct batch *b)
{
	struct item *it = STAILQ_FIRST(&b->queue);

	if (!it || (!b->stop && b->launching >= STARTING_MAX && !it->culprit && !it->code)) {
		return;
	}
	STAILQ_REMOVE_HEAD(&b->queue, queued_link);
	kick(b);
	if (it->code) { /* known when the graph was made */
		struct err e = { .code = it->code };

		(void) snprintf(e.text, sizeof(e.text), "%s", it->text);
		fail(it, &e);
	} else if (it->culprit) {
		fail_with_culprit(it);
	} else if (b->stop) {
		begin_stop(it);
	} else {
		begin_start(it);
	}
}

static int on_pump(sd_event_source *source, void *userdata)
{
	struct batch *b = userdata;

	(void) source;
	step(b);
	if (b->left > 0) {
		return 0;
	}
	if (b->stop && b->all) {
		autostart_forget(b->manager);
	}
	if (b->events) {
		b->events->done(b->arg);
	}
	batch_free(b);
	return 0;
}

static int begin(struct batch *b, const struct batch_request *q)
{
	sd_event *loop = b->manager->loop;
	int r = sd_event_add_defer(loop, &b->pump, on_pump, b);

	if (r >= 0) {
		r = batch_select(b, q);
	}
	if (r >= 0) {
		r = batch_make_order(b);
	}
	if (r >= 0 && b->stop && b->timeout_us) {
		r = sd_event_add_time_relative(loop, &b->timer, CLOCK_MONOTONIC, b->timeout_us,
					       1000, on_timeout, b);
	}
	return r;
}

static int batch_new(struct manager *m, bool stop, const struct batch_request *q,
		     const struct batch_events *events, void *arg, struct batch **ret,
		     struct err *e)
{
	struct batch *b = calloc(1, sizeof(*b));
	int r;

	if (!b) {
		return err_set(e, -ENOMEM, "%s many: out of memory",
			       stop ? "stopping" : "starting");
	}
	*b = (struct batch){
		.manager = m,
		.events = events,
		.arg = arg,
		.timeout_us = q->timeout_us,
		.stop = stop,
		.all = q->all && !q->owner,
		.no_wait = q->no_wait,
		.autostart = q->autostart,
		.named = q->names != NULL,
	};
	STAILQ_INIT(&b->queue);
	LIST_INSERT_HEAD(&m->batches, b, link);
	r = begin(b, q);
	if (r < 0) {
		batch_free(b);
		return err_set_errno(e, r, "%s many", stop ? "stopping" : "starting");
	}
	*ret = b;
	return 0;
}

int manager_start_many(struct manager *m, const struct batch_request *q,
		       const struct batch_events *events, void *arg, struct batch **ret,
		       struct err *e)
{
	return batch_new(m, false, q, events, arg, ret, e);
}

int manager_stop_many(struct manager *m, const struct batch_request *q,
		      const struct batch_events *events, void *arg, struct batch **ret,
		      struct err *e)
{
	return batch_new(m, true, q, events, arg, ret, e);
}
