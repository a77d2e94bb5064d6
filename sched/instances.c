/* Other daemons: each notes in its own directory what it needs, and whoever writes for "ward"
 * writes the greatest of all. Whoever runs no context any more needs nothing. */
#include "sched/instances.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "sched/host.h"

static bool is_populated(int core, const char *instance)
{
	char path[NAME_MAX + 32], text[128];

	if (core < 0)
		return true;
	(void) snprintf(path, sizeof(path), "ward/%s/cgroup.events", instance);
	return cg_read(core, path, text, sizeof(text)) <= 0 || strstr(text, "populated 1") != NULL;
}

uint32_t instances_greatest(int top, int core, const char *self, uint32_t own, const char *file,
			    instances_read read, const void *arg)
{
	int fd = openat(top, "ward", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	char path[NAME_MAX + 64];

	if (d == NULL) {
		(void) fd_close(fd);
		return own;
	}
	for (struct dirent *x; (x = readdir(d)) != NULL;) {
		uint32_t needed;

		if (x->d_type != DT_DIR || x->d_name[0] == '.' || strcmp(x->d_name, self) == 0)
			continue;
		(void) snprintf(path, sizeof(path), "%s/%s", x->d_name, file);
		needed = read(fd, path, arg);
		if (needed > own && is_populated(core, x->d_name))
			own = needed;
	}
	(void) closedir(d);
	return own;
}
