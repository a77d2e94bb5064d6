/* Out of memory ends the whole context, not one process of it at random: cgroup v2 has
 * memory.oom.group for that. On v1 the daemon is told through an eventfd (cgroups(7),
 * Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control") and kills the rest. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "sched/host.h"

int sched_slot_oom_open(struct sched_host *h, unsigned slot)
{
	const struct cg_tree *t = host_tree(h, CG_MEMORY);
	_cleanup_close_ int control = -1, event = -1;
	char text[32];
	int r;

	if (!t || t->unified) {
		return -EOPNOTSUPP;
	}
	control = slot_openat(t, slot, "memory.oom_control", O_RDONLY);
	if (control < 0) {
		return control;
	}
	event = sys(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (event < 0) {
		return event;
	}
	(void) snprintf(text, sizeof(text), "%d %d", event, control);
	r = slot_write(t, slot, "cgroup.event_control", text);
	return r < 0 ? r : TAKE_FD(event);
}
