/* Tables of what contexts use, once or again and again: what `stats` and `top --batch` share. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "ctl/columns.h"
#include "ctl/ctl.h"

struct watch {
	struct columns_chosen columns;
	const struct column *sort; /* NULL: by name */
	uint64_t interval_us;
	uint64_t times; /* 0: for ever */
	bool json;
	/** @return an array as GET /v1/stats gives it, or NULL with the exit status set. */
	json_t *(*get)(const struct ctl *c, int *ret_status);
};

#define WATCH_INTERVAL_US UINT64_C(2000000)

/** From the options --columns, --sort and --interval. @return 0 or -EINVAL, told. */
[[nodiscard]] int watch_options(const struct ctl *c, const char *columns, struct watch *ret);
/** @return the exit status. */
int watch_run(const struct ctl *c, const struct watch *w);
/** CLOCK_MONOTONIC in microseconds. */
uint64_t watch_now_us(void);
