/* A context's processes as resolved data. Private to context/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "context/context.h"

struct context_plan {
	unsigned namespaces; /* enum context_ns */
	bool enter_time; /* process 1 must enter its time namespace by itself */
	uint32_t ids_first, ids_count; /* 0, 0: a range is handed out */
	char *hostname;
	enum spec_init init;
	char *init_path;
	struct strv command, environment;
	char *user, *directory;
	mode_t umask;
	uint64_t bounding; /* what the context may ever have */
	uint64_t ambient; /* what a user other than root keeps across an exec */
	unsigned last_cap;
	bool no_new_privs;
	bool shared; /* the host's network stack, of which only a part is its own */
	bool scope_abstract; /* Landlock: abstract Unix sockets of the host are out of reach */
	bool keyring;
	bool notify; /* the command is told of its notify socket */
	uint64_t watchdog_us; /* ... and how often it must be heard of; 0: it need not */
	enum spec_seccomp seccomp;
	char *seccomp_file; /* absolute, or a name below the profile directory */
	struct spec_rlimit *rlimits;
	size_t rlimit_count;
};

#define PLAN_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PLAN_LANDLOCK_SCOPES 6 /* the Landlock ABI that has them */
#define PLAN_KEEP_HARD (UINT64_MAX - 1) /* spec_rlimit.hard: leave the hard limit as it is */
