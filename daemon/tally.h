/* Private to the daemon's core: what is counted as it happens, and what numbers.c keeps. */
#pragma once

#include <stdint.h>
#include <time.h>

#include "daemon/numbers.h"

struct tally {
	uint64_t began_us; /* since the epoch */
	uint64_t starts_failed;
	uint64_t start_buckets[NUMBERS_BUCKET_COUNT + 1], start_sum_us;
};

uint64_t tally_clock_us(clockid_t clock);
void tally_init(struct manager *m);
/** A start begins. @return what tally_started() is to be given. */
uint64_t tally_begin(void);
void tally_started(struct context *c, uint64_t begun_us);
void tally_failed(struct context *c);

/** The context's process is gone: so are its numbers. */
void numbers_forget(struct context *c);
void numbers_done(struct manager *m);
bool numbers_are_bulk(const struct manager *m);
