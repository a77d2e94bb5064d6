/* The page of GET /metrics. Private to daemon/api/ and its tests: nothing here asks the manager. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/api/page.h"
#include "daemon/numbers.h"

struct metrics {
	const struct numbers_row *rows; /* in order of names */
	size_t count;
	struct numbers_daemon daemon;
	unsigned connections;
	bool open; /* OpenMetrics 1.0; else the older text format of Prometheus */
};
/** Writes all families. */
void metrics_write(const struct metrics *m, struct page *out);
/** The Content-Type of what metrics_write() makes. */
const char *metrics_type(bool open);
/** Whether whoever sends this Accept header (NULL: none) wants OpenMetrics: only who names it. */
bool metrics_wants_open(const char *accept);
