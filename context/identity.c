/* Who the command is and where it stands: steps over the parser in user.c. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "context/command.h"

static bool environment_has(const struct command *c, const char *name, size_t len)
{
	for (size_t i = 0; i < c->env_count; i++) {
		if (strncmp(c->envp[i], name, len) == 0 && c->envp[i][len] == '=') {
			return true;
		}
	}
	return false;
}

/** Fills one of the slots that were left behind the environment's end. */
static void environment_default(struct command *c, char *slot, size_t size, const char *name,
				const char *value)
{
	if (*value == '\0' || c->env_count >= c->env_max ||
	    environment_has(c, name, strlen(name))) {
		return;
	}
	(void) snprintf(slot, size, "%s=%s", name, value);
	c->envp[c->env_count++] = slot;
	c->envp[c->env_count] = NULL;
}

int command_user(void *arg, struct err *e)
{
	struct command *c = arg;
	struct user_identity *u = &c->identity;
	_cleanup_close_ int passwd = user_open("/etc/passwd");
	/* Root, when nobody was asked for, has no other groups. */
	_cleanup_close_ int group = c->user ? user_open("/etc/group") : -ENOENT;
	int r;

	/* A bare tree has neither, and that is fine. */
	if ((passwd < 0 && passwd != -ENOENT) || (group < 0 && group != -ENOENT)) {
		r = passwd < 0 && passwd != -ENOENT ? passwd : group;
		return err_set_errno(e, r, "opening the view's /etc/passwd and /etc/group");
	}
	r = user_find(c->user, passwd, group, u, e);
	if (r < 0) {
		return r;
	}
	environment_default(c, c->env_home, sizeof(c->env_home), "HOME", u->home);
	environment_default(c, c->env_user, sizeof(c->env_user), "USER", u->name);
	environment_default(c, c->env_logname, sizeof(c->env_logname), "LOGNAME", u->name);
	environment_default(c, c->env_shell, sizeof(c->env_shell), "SHELL", u->shell);
	return 0;
}

/* sd_watchdog_enabled(3): whose pid it is not takes no part. */
int command_watchdog(void *arg, struct err *)
{
	struct command *c = arg;
	char pid[16];

	(void) snprintf(pid, sizeof(pid), "%d", (int) getpid());
	environment_default(c, c->env_watchdog, sizeof(c->env_watchdog), "WATCHDOG_PID", pid);
	return 0;
}

int command_directory(void *arg, struct err *e)
{
	const struct command *c = arg;
	const char *directory = c->directory ? c->directory : "/";
	char now[PATH_MAX];
	int r = sys(chdir(directory));

	if (r < 0) {
		return err_set_errno(e, r, "entering %s", directory);
	}
	/* "(unreachable)" would mean that a descriptor of the host led us out. */
	if (getcwd(now, sizeof(now)) == NULL || now[0] != '/') {
		return err_set(e, -EXDEV, "entering %s: it is outside of the view", directory);
	}
	return 0;
}
