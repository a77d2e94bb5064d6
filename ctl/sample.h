/* What GET /v1/stats said, as numbers, and what two of its replies say about the time between. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/units.h"
#include "spec/spec.h"

#define SAMPLE_UNKNOWN UNITS_NONE /* not told, or no limit */

struct sample_row {
	char name[SPEC_NAME_MAX + 1], state[16];
	uint64_t uptime_us;
	uint64_t cpu_us, cpu_user_us, cpu_system_us, throttled_us, throttled_periods;
	uint64_t memory_bytes, memory_limit_bytes, memory_peak_bytes, swap_bytes;
	uint64_t memory_anon_bytes, memory_file_bytes;
	uint64_t oom_kills, pids, pids_peak, pids_limit;
	uint64_t read_bytes, write_bytes, read_ops, write_ops; /* of all devices */
	/* Of all devices but "lo", unless there is no other; unknown where it is the host's. */
	uint64_t received_bytes, sent_bytes, received_packets, sent_packets;
	uint64_t waited_cpu_us, waited_memory_us, waited_io_us; /* pressure, some */
	/* promised */
	uint64_t cpu_limit_millicpu, cpu_share, cpu_reserve_millicpu;
	uint64_t cpu_entitled_millicpu, cpu_missed_millicpu; /* over a second */
	uint64_t memory_reserve_bytes;
};

struct sample {
	struct sample_row *rows; /* in order of names */
	size_t count;
	uint64_t at_us; /* any clock that does not jump */
};
/** @return 0, -EPROTO when it is no such reply, -ENOMEM. */
[[nodiscard]] int sample_read(const json_t *list, uint64_t at_us, struct sample *ret);
void sample_done(struct sample *s);
/** @return the row of a name or NULL. */
const struct sample_row *sample_find(const struct sample *s, const char *name);

/** A second's worth; below 0: not known. */
struct sample_rates {
	double cpu, throttled; /* 1: one CPU, all the time */
	double read, write, received, sent; /* bytes */
	double waited_cpu, waited_memory, waited_io; /* 1: all the time */
};
/** @before the same context earlier, or NULL: then since its start. */
void sample_rates(const struct sample_row *now, const struct sample_row *before,
		  uint64_t elapsed_us, struct sample_rates *ret);
