/* Private to sched/: the map from v2's attribute names to what this host's hierarchies have. */
#pragma once

#include "sched/host.h"

typedef int cg_write_fn(const struct cg_tree *t, unsigned slot, const char *value);

struct attribute {
	const char *name; /* v2's */
	const char *key; /* of a context's file, for messages */
	enum cg_controller controller;
	const char *fallback; /* what a fresh slot has; "" for the parent's own */
	/** v1: one file of another unit or name ... */
	const char *v1_file;
	int (*v1_convert)(const char *value, char out[static SCHED_VALUE_MAX]);
	/** ... or several writes in a certain order. Neither: v1 has nothing like it. */
	cg_write_fn *v1_write;
	/** v2, where writing the value alone is not enough. */
	cg_write_fn *v2_write;
};

/** @return the row, or NULL for a name that is not in the table. */
const struct attribute *attribute_find(const char *name);
const struct attribute *attribute_at(size_t i); /* NULL past the end */
/** Whether v1 can express it at all. */
bool attribute_in_v1(const struct attribute *a);

/**
 * Writes one attribute of a slot. @value as v2 takes it; io.max may name the device by its path.
 * @return 0, -EOPNOTSUPP when the host has no such controller or attribute, -errno.
 */
[[nodiscard]] int attribute_write(const struct sched_host *h, unsigned slot, const char *name,
				  const char *value, struct err *e);

/** Gives back what a slot about to be removed had reserved (v2's memory.min of the parents). */
void attribute_unreserve(const struct sched_host *h, unsigned slot);
