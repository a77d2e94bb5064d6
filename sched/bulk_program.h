/* Private to sched/bulk.c: the program that runs once for each cgroup, and what it fills in. */
#pragma once

#include "sched/bulk.h"

#define BULK_NAME_SIZE 16

struct bulk_record {
	char name[BULK_NAME_SIZE]; /* of the directory */
	uint64_t of[BULK_FIELD_COUNT];
};

/* What a field is read from: the cgroup itself, or what one of its pointers shows. */
enum bulk_base {
	BULK_ANY, /* the cgroup, in every hierarchy */
	BULK_CGROUP, /* the cgroup, in cgroup2 */
	BULK_NODE, /* its directory */
	BULK_PRESSURE,
	BULK_MEMORY,
	BULK_TASKS, /* the controller "pids" */
	BULK_CPU,
	BULK_BASE_COUNT
};

/** Where the running kernel keeps things, in bytes; below 0: it has no such thing. */
struct bulk_layout {
	long base[BULK_BASE_COUNT]; /* from the cgroup to the pointer */
	long field[BULK_FIELD_COUNT];
	long name, cgroup, iterator;
};
/** Asks the kernel's BTF. @return 0, -EOPNOTSUPP when something is not as this program knows it. */
[[nodiscard]] int bulk_locate(struct bulk_layout *ret);

/**
 * Loads the program that fills the records of an array map: number 0 counts, the others follow.
 * @wanted a mask of bases; the rest is not looked at. @return its descriptor or -errno.
 */
int bulk_program_load(const struct bulk_layout *at, unsigned wanted, int map);
