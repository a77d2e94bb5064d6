/* The worker that shortens log files. Removing part of a file may write what is left of it to disk
 * and wait for that, so it is not done in the loop: a forked child takes one order after the other
 * over a socket; it ends when it has had nothing to do for a while, or when the daemon has. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"

enum log_order_kind {
	LOG_ORDER_PUNCH, /* give back the blocks of the first `length` bytes: the size stays */
	LOG_ORDER_COLLAPSE, /* cut the first `length` bytes off the front */
	LOG_ORDER_SPARE, /* the same, and what was allocated behind the end */
	LOG_ORDER_EMPTY, /* cut it to nothing: where nothing else is possible */
};

struct log_order {
	uint64_t id;
	uint64_t kind, length; /* a multiple of the file system's block */
};

struct log_answer {
	uint64_t id;
	int64_t result; /* 0 or -errno */
	uint64_t size; /* of the file just before LOG_ORDER_EMPTY */
};

/** Whether the file is on ext2, ext3 or ext4. */
bool log_worker_on_ext(int fd);

struct log_worker;
/** @done hears every answer; one with id 0 when the worker is gone: what was ordered may or may not
 * have been done. */
[[nodiscard]] int log_worker_new(sd_event *loop,
				 void (*done)(const struct log_answer *a, void *arg), void *arg,
				 struct log_worker **ret);
/** What was ordered is still done. NULL is fine. */
void log_worker_free(struct log_worker *w);
/** Orders something done to a file open for writing. @lock a descriptor that the worker holds until
 * it is done, or -1. Both stay the caller's. @return 0, or -errno: nothing was ordered. */
[[nodiscard]] int log_worker_order(struct log_worker *w, const struct log_order *order, int fd,
				   int lock);
/** Waits for the next answers, at most `timeout_ms`, and has them heard. */
void log_worker_wait(struct log_worker *w, int timeout_ms);
