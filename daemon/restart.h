/* Restarts: how long to wait for the next one, and when to give up. Pure, but for the JSON that
 * the journal keeps of it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "spec/spec.h"

#define RESTART_SETTLED_US (10ull * 1000000) /* having run for less is never "long enough" */

/** All times are CLOCK_MONOTONIC, so that they mean the same to the next daemon. */
struct restarts {
	unsigned count; /* since somebody started it */
	uint64_t delay_us; /* the last one; 0: the next is the first */
	uint64_t at_us; /* when the next one is due; 0: none is */
	size_t recent; /* entries of times[], oldest first: those within the limit's interval */
	uint64_t times[SPEC_RESTARTS_MAX];
};

/**
 * Plans the next restart of a context that ended at `now_us` after it had run for `ran_us`.
 * @steady the delay is the first one and does not grow (a reboot).
 * @return false when the spec's limit is reached: then nothing is planned.
 */
[[nodiscard]] bool restarts_plan(struct restarts *r, const struct spec *spec, uint64_t now_us,
				 uint64_t ran_us, bool steady);
/** @return new reference or NULL. */
json_t *restarts_to_json(const struct restarts *r);
/** Takes what an earlier daemon kept; what is damaged is taken for less. */
void restarts_from_json(struct restarts *r, const json_t *o, uint64_t now_us);
