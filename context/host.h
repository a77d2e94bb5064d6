/* What the daemon keeps for all contexts. Private to context/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "context/ids.h"
#include "context/seccomp.h"

struct context_host {
	int init_fd; /* ward-init in a sealed memfd that nobody may read, only execute */
	int self_pidfd; /* to come back with from another pid namespace, see context/exec.c */
	bool pid_ns_away; /* coming back has not worked yet */
	struct ids ids;
	struct filter_cache filters;
};
