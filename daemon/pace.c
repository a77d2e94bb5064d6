/* Pace: sched_setattr(2), and sched(7), "The autogroup feature". */
#include "daemon/pace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define NICE (-15)
#define RESET_ON_FORK 1

struct attributes { /* sched_attr, its first version */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* Where the kernel groups what runs by sessions, being nice counts within one only. A session that
 * others belong to as well is not ours to raise. */
static void raise_session(bool on)
{
	char text[8];

	if (getsid(0) != getpid()) {
		return;
	}
	(void) snprintf(text, sizeof(text), "%d", on ? NICE : 0);
	(void) !file_write_at(AT_FDCWD, "/proc/self/autogroup", text);
}

enum pace pace_set(enum pace from, enum pace to)
{
	struct attributes a = {
		.size = sizeof(a),
		.policy = to == PACE_URGENT ? SCHED_FIFO : SCHED_OTHER,
		.flags = to == PACE_PLAIN ? 0 : RESET_ON_FORK,
		.nice = to == PACE_NICE ? NICE : 0,
		.priority = to == PACE_URGENT ? 1 : 0,
	};

	if (from == to || (from == PACE_PLAIN && getpriority(PRIO_PROCESS, 0) != 0)) {
		return from; /* somebody has chosen another */
	}
	if (syscall(SYS_sched_setattr, 0, &a, 0) < 0) {
		log_debug("the governor keeps its pace: %s", strerror(errno));
		return from;
	}
	if (from == PACE_PLAIN || to == PACE_PLAIN) {
		raise_session(to != PACE_PLAIN);
	}
	return to;
}
