/* Private to sched/: other daemons whose contexts are in the same group "ward". */
#pragma once

#include <stdint.h>

/** What one of them needs, by the file FILE in its directory of `ward`. @return 0: nothing. */
typedef uint32_t (*instances_read)(int ward, const char *file, const void *arg);
/**
 * The greatest of what all need that run contexts.
 * @top,@core descriptors of tops: of the hierarchy in question, and of cgroup2 (-1: none; then it
 * is taken for granted that they run some). @own what this instance needs, whose name is `self`.
 * @file of an instance's directory, for @read, which is given @arg.
 */
uint32_t instances_greatest(int top, int core, const char *self, uint32_t own, const char *file,
			    instances_read read, const void *arg);
