/* The numbers of all contexts, for /v1/stats and /metrics, and those of the daemon itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netctl/netctl.h"
#include "sched/delivery.h"
#include "sched/sched.h"

struct manager;
struct context;

/** What a running context used, as of the last round. */
struct numbers {
	unsigned slot; /* what the rest is about: a context that starts again begins anew */
	struct sched_stats use; /* but for the breakdown of memory */
	bool own_network; /* else its traffic is the host's */
	bool shared_network; /* with own_network: addresses of its own on the host's stack */
	struct netctl_traffic *traffic; /* owned */
	size_t traffic_count;
	uint64_t refused[NETCTL_REFUSALS]; /* with shared_network: by netctl_refusal_name() */
	uint64_t looked_us, looked_cpu_us; /* when io and network were read, and the CPU then */
};

/** What it was promised: the file's budgets. UNITS_NONE: no limit; 0: no reserve. */
struct numbers_promise {
	uint64_t cpu_limit_millicpu, cpu_share, cpu_reserve_millicpu;
	uint64_t memory_limit_bytes, memory_reserve_bytes, memory_soft_bytes, memory_swap_bytes;
	uint64_t pids_limit;
};

struct numbers_row {
	struct context *context;
	const char *name, *state, *init, *root, *network; /* borrowed; the last three may be "" */
	const struct numbers *now; /* NULL: it does not run */
	struct numbers_promise promise;
	bool accounted; /* else nobody keeps an account, for nothing is promised to anybody */
	struct delivery_sum delivered[DELIVERY_WINDOWS]; /* CPU time */
	uint64_t started_us, uptime_us; /* since the epoch; 0: it does not run */
	uint64_t starts; /* since this daemon began */
	uint64_t restarts; /* by Ward itself, since somebody started it */
	int ready, healthy; /* 1 or 0; -1: it does not run, nobody asks for its health */
	int last_status; /* of its last end, 128+N for signal N; -1: never ended */
	bool throwaway;
};
/**
 * Calls `each` for every context in order of names. The figures are new, or younger than a tenth
 * of a second: who asks more often hears the same again.
 */
void numbers_each(struct manager *m, void (*each)(const struct numbers_row *row, void *arg),
		  void *arg);
/** The same for one, read anew from its files, with the breakdown of memory. */
void numbers_one(struct manager *m, struct context *c,
		 void (*each)(const struct numbers_row *row, void *arg), void *arg);

/* Upper bounds of the buckets of start latencies, in microseconds. */
#define NUMBERS_BUCKETS                                                                            \
	{                                                                                          \
		500, 1000, 2000, 3000, 5000, 7500, 10000, 20000, 50000, 100000, 250000, 500000,    \
			1000000, 5000000, 30000000                                                 \
	}
#define NUMBERS_BUCKET_COUNT 15

struct numbers_daemon {
	uint64_t started_us; /* since the epoch */
	uint64_t cpu_us, resident_bytes;
	uint64_t descriptors; /* 0: not known */
	uint64_t events, seats_ready;
	uint64_t starts_failed;
	uint64_t start_buckets[NUMBERS_BUCKET_COUNT + 1]; /* not summed up; the last: above all */
	uint64_t start_sum_us;
	bool bulk; /* figures come from the kernel in one go */
};
extern const uint64_t numbers_buckets[NUMBERS_BUCKET_COUNT];
void numbers_of_daemon(struct manager *m, struct numbers_daemon *ret);
