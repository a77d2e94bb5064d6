/* Private to batch.c and batch_select.c: what a batch is made of. */
#pragma once

#include "daemon/batch.h"
#include "daemon/core.h"
#include "daemon/order.h"

struct item {
	STAILQ_ENTRY(item) queued_link;
	struct batch *batch;
	struct order_node *node;
	const char *wanted_by; /* a node's name */
	bool queued, launching, over;
	int code; /* of its failure */
	char *text;
	const struct item *culprit; /* it is after this one, which failed */
};

STAILQ_HEAD(item_queue, item);

struct batch {
	LIST_ENTRY(batch) link;
	struct manager *manager;
	const struct batch_events *events; /* NULL: forgotten */
	void *arg;
	struct order order;
	struct item_queue queue; /* may begin */
	size_t left, launching;
	uint64_t timeout_us;
	bool stop, all, autostart, named, no_wait;
	bool force; /* the time is over: kill */
	sd_event_source *pump, *timer;
};

/** It may begin, or has failed already. */
void batch_enqueue(struct item *it);
/** @return 0 or -ENOMEM: then only the text is lost. */
[[nodiscard]] int batch_set_failure(struct item *it, const struct err *e);
/** Adds the contexts that a request means. @return 0 or -ENOMEM. */
[[nodiscard]] int batch_select(struct batch *b, const struct batch_request *q);
/** Adds those they are after, finds the order, and enqueues what waits for nobody. */
[[nodiscard]] int batch_make_order(struct batch *b);
