/* Private to sched/: which cgroup hierarchies are mounted, from the text of two /proc files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "spec/facts.h"

/** The controllers Ward uses, and the cgroup2 core, which is there without any controller. */
enum cg_controller {
	CG_CPU,
	CG_CPUACCT,
	CG_CPUSET,
	CG_MEMORY,
	CG_IO, /* v1 calls it blkio */
	CG_PIDS,
	CG_DEVICES, /* v1 only */
	CG_FREEZER, /* v1 only */
	CG_CORE, /* the cgroup2 hierarchy itself */
	CG_CONTROLLER_COUNT
};

#define CG_PATH_MAX 512
#define CG_HIERARCHIES_MAX 10

struct cg_hierarchy {
	bool unified;
	unsigned controllers; /* bits by enum cg_controller */
	char mount[CG_PATH_MAX];
	char own[CG_PATH_MAX]; /* cgroup2: where this process is below `mount`, "/" at its top */
};

struct cg_layout {
	enum facts_cgroup_layout kind;
	struct cg_hierarchy list[CG_HIERARCHIES_MAX];
	size_t count;
	int of[CG_CONTROLLER_COUNT]; /* index in list, or -1 */
};

/** v2's name ("io"), for messages. */
const char *cg_controller_name(enum cg_controller c);
/** The v1 name ("blkio"). */
const char *cg_controller_name_v1(enum cg_controller c);

/**
 * Reads the texts of /proc/self/mountinfo and /proc/self/cgroup. Named hierarchies and
 * controllers Ward does not use are left out. @return 0, or -ENODEV without any hierarchy.
 */
[[nodiscard]] int cg_layout_parse(const char *mountinfo, const char *cgroup, struct cg_layout *ret);
/** Adds the controllers of cgroup2 (text of a cgroup.controllers file) and settles the kind. */
void cg_layout_add_unified(struct cg_layout *l, const char *controllers);
/** All of it, from this process's /proc. */
[[nodiscard]] int cg_layout_read(struct cg_layout *ret);
