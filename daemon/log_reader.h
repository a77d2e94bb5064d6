/* Reading a context's log: all of it, a part of it, or on and on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct manager;
struct context;
struct log_reader;

#define LOG_PIECE_MIN 96 /* room that log_reader_read() needs */

struct log_query {
	uint64_t lines; /* the last ones of what is asked for; UINT64_MAX: all */
	uint64_t since_us, until_us; /* of CLOCK_REALTIME; 0: not said */
	uint64_t start; /* the n-th last run, 1 the last; 0: not said */
	bool follow; /* go on until the context ends */
	bool frames; /* with what the text alone cannot say: docs/api.md */
};

/**
 * Opens the log. @wake is called when there may be more after log_reader_read() returned 0.
 * @return 0; -EBUSY when its output goes elsewhere; -ENOENT when there was no such run; -errno.
 */
[[nodiscard]] int log_reader_new(struct manager *m, struct context *c, const struct log_query *q,
				 void (*wake)(void *arg), void *arg, struct log_reader **ret,
				 struct err *e);
/** @size at least LOG_PIECE_MIN. @return how much was put into `out`; 0: nothing now; -1: end. */
ssize_t log_reader_read(struct log_reader *r, char *out, size_t size);
void log_reader_free(struct log_reader *r);
