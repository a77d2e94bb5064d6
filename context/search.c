/* The last step: find the program in the view's PATH and become it. */
#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "context/command.h"

static const char *find_path(char *const *envp)
{
	for (; *envp; envp++) {
		if (strncmp(*envp, "PATH=", 5) == 0) {
			return *envp + 5;
		}
	}
	return PLAN_PATH;
}

/** Tries DIRECTORY/PROGRAM. @return -errno; does not return when it worked. */
static int try_in(const struct command *c, const char *directory, size_t len)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%.*s/%s", (int) len, len ? directory : ".",
			 c->program);

	if (n < 0 || (size_t) n >= sizeof(path)) {
		return -ENAMETOOLONG;
	}
	(void) execve(path, c->argv, c->envp);
	return -errno;
}

/** As execvpe(3), without running a shell when the format is unknown. */
static int search(const struct command *c)
{
	const char *path = find_path(c->envp);
	int result = -ENOENT;

	for (;;) {
		size_t len = strcspn(path, ":");
		int r = try_in(c, path, len > PATH_MAX ? PATH_MAX : len);

		if (r == -EACCES) {
			result = r; /* as the shell: say so unless another one works */
		} else if (r != -ENOENT && r != -ENOTDIR && r != -ENAMETOOLONG) {
			return r;
		}
		if (path[len] == '\0') {
			return result;
		}
		path += len + 1;
	}
}

int command_exec(void *arg, struct err *e)
{
	struct command *c = arg;
	int r;

	/* All are close-on-exec from birth; this is the second lock (CVE-2024-21626). */
	r = sys(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
	if (r < 0) {
		return err_set_errno(e, r, "closing descriptors");
	}
	c->shared->command_exec = true;
	if (strchr(c->program, '/')) {
		(void) execve(c->program, c->argv, c->envp);
		r = -errno;
	} else {
		r = *c->program ? search(c) : -ENOENT;
	}
	c->shared->command_exec = false;
	c->shared->exec_failed = true;
	if (r == -ENOENT && strchr(c->program, '/') && access(c->program, F_OK) == 0) {
		return err_set(e, r, "%s: it is there, but its interpreter is not", c->program);
	}
	return err_set_errno(e, r, "%s", c->program);
}
