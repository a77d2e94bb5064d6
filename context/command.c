/* The daemon's side of a command: everything its process will need goes into the arena, so that
 * the process itself only makes system calls. */
#include "context/command.h"
#include "context/profile.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "context/host.h"

#define ENV_OWN 5 /* PATH, container, TERM, NOTIFY_SOCKET, WATCHDOG_USEC */
#define ENV_LATER 5 /* HOME, USER, LOGNAME, SHELL, WATCHDOG_PID */
#define ENV_MAX 4096

/* --- steps that are one call --- */

static int set_keyring(void *arg, struct err *e)
{
	int r = (int) sys(syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL));

	(void) arg;
	return r < 0 ? err_set_errno(e, r, "joining a session keyring") : 0;
}

static int keep_hard(struct command_rlimit *l)
{
	struct rlimit now;
	int r;

	if (!l->keep_hard) {
		return 0;
	}
	r = sys(getrlimit((__rlimit_resource_t) l->resource, &now));
	if (r == 0) {
		l->value.rlim_max = now.rlim_max;
		if (l->value.rlim_cur > now.rlim_max) {
			l->value.rlim_cur = now.rlim_max;
		}
	}
	return r;
}

static int set_limits(void *arg, struct err *e)
{
	const struct command *c = arg;

	(void) umask(c->umask);
	for (size_t i = 0; i < c->rlimit_count; i++) {
		struct command_rlimit *l = &c->rlimits[i];
		int r = keep_hard(l);

		if (r == 0) {
			r = sys(setrlimit((__rlimit_resource_t) l->resource, &l->value));
		}

		if (r == -EPERM) {
			return err_set(e, r,
				       "rlimit %d: the hard limit %llu is above the daemon's own, "
				       "and raising it takes CAP_SYS_RESOURCE",
				       l->resource, (unsigned long long) l->value.rlim_max);
		}
		if (r < 0) {
			return err_set_errno(e, r, "setting rlimit %d", l->resource);
		}
	}
	return 0;
}

static int set_filter(void *arg, struct err *e)
{
	const struct command *c = arg;
	int r = (int) sys(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &c->filter));

	return r < 0 ? err_set_errno(e, r, "loading a filter of %u instructions", c->filter.len)
		     : 0;
}

/* --- into the arena --- */

/** Whether NAME of "NAME=VALUE" is set again by one of the later entries. */
static bool overridden(const char *entry, char *const *later, size_t count)
{
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < count; i++) {
		if (strncmp(entry, later[i], len) == 0 && later[i][len] == '=') {
			return true;
		}
	}
	return false;
}

/** The later of two entries with one name wins. */
static int fill_environment(struct command *c, const struct context_plan *p,
			    const struct command_request *q, struct arena *arena)
{
	char watchdog[48];
	bool notify = q->service && p->notify;
	const char *own[ENV_OWN] = {
		("PATH=" PLAN_PATH),
		"container=ward",
		q->io->terminal ? "TERM=xterm-256color" : NULL,
		notify ? "NOTIFY_SOCKET=" SPEC_NOTIFY_SOCKET : NULL,
		notify && p->watchdog_us ? watchdog : NULL,
	};
	static const struct strv none = { 0 };
	const struct strv *extra = q->extra ? q->extra : &none;
	const char *entry;
	size_t total, n = 0;

	(void) snprintf(watchdog, sizeof(watchdog), "WATCHDOG_USEC=%llu",
			(unsigned long long) p->watchdog_us);
	c->watchdog = own[ENV_OWN - 1] != NULL;
	total = ENV_OWN + p->environment.count + extra->count;
	if (total > ENV_MAX) {
		return -E2BIG;
	}
	c->env_max = total + ENV_LATER;
	c->envp = arena_alloc(arena, (c->env_max + 1) * sizeof(char *));
	if (!c->envp) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < total; i++) {
		size_t spec = i - ENV_OWN, last = spec - p->environment.count;

		if (i < ENV_OWN) {
			entry = own[i];
			if (!entry ||
			    overridden(entry, p->environment.items, p->environment.count)) {
				continue;
			}
		} else {
			entry = spec < p->environment.count ? p->environment.items[spec]
							    : extra->items[last];
		}
		if (i < ENV_OWN + p->environment.count &&
		    overridden(entry, extra->items, extra->count)) {
			continue;
		}
		c->envp[n] = arena_strdup(arena, entry);
		if (!c->envp[n++]) {
			return -ENOMEM;
		}
	}
	c->env_count = n;
	return 0;
}

static rlim_t limit_of(uint64_t v)
{
	return v == UNITS_NONE ? RLIM_INFINITY : (rlim_t) v;
}

static int fill_limits(struct command *c, const struct context_plan *p, struct arena *arena)
{
	c->umask = p->umask;
	c->rlimit_count = p->rlimit_count;
	c->rlimits = arena_alloc(arena, p->rlimit_count * sizeof(*c->rlimits));
	if (!c->rlimits) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < p->rlimit_count; i++) {
		c->rlimits[i].resource = p->rlimits[i].resource;
		c->rlimits[i].value.rlim_cur = limit_of(p->rlimits[i].soft);
		c->rlimits[i].value.rlim_max = limit_of(p->rlimits[i].hard);
		c->rlimits[i].keep_hard = p->rlimits[i].hard == PLAN_KEEP_HARD;
	}
	return 0;
}

static int fill_filter(struct command *c, const struct context_plan *p, struct context_host *h,
		       struct arena *arena, struct err *e)
{
	struct sock_fprog program;
	int r;

	if (p->seccomp == SPEC_SECCOMP_NONE) {
		return 0;
	}
	r = filters_get(&h->filters, p->seccomp_file,
			p->bounding | (p->shared ? PROFILE_SHARED : 0), &program, e);
	if (r < 0) {
		return r;
	}
	c->filter.filter = arena_alloc(arena, program.len * sizeof(*program.filter));
	if (!c->filter.filter) {
		return err_set(e, -ENOMEM, "process.seccomp: the arena is full");
	}
	memcpy(c->filter.filter, program.filter, program.len * sizeof(*program.filter));
	c->filter.len = program.len;
	return 0;
}

static int fill_words(struct command *c, const struct command_request *q, struct arena *arena)
{
	c->argv = arena_strv(arena, q->argv->items, q->argv->count);
	c->program = q->program ? arena_strdup(arena, q->program) : NULL;
	c->user = q->user ? arena_strdup(arena, q->user) : NULL;
	c->directory = q->directory ? arena_strdup(arena, q->directory) : NULL;
	if (!c->argv || (q->program && !c->program) || (q->user && !c->user) ||
	    (q->directory && !c->directory)) {
		return -ENOMEM;
	}
	if (!c->program) {
		c->program = c->argv[0];
	}
	return c->program ? 0 : -EINVAL;
}

/* --- the order of the steps --- */

struct row {
	const char *name;
	int (*run)(void *arg, struct err *e);
	bool wanted;
	const char *object;
};

static int add_rows(struct step_list *steps, const struct row *rows, size_t n, struct command *c)
{
	for (size_t i = 0; i < n; i++) {
		int r = 0;

		if (rows[i].wanted) {
			r = steps_add(steps, (struct step){ .name = rows[i].name,
							    .object = rows[i].object,
							    .phase = STEP_COMMAND,
							    .run = rows[i].run,
							    .arg = c });
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/**
 * The filter comes last where it can. A program that may gain privileges (init = PATH) cannot
 * load one without CAP_SYS_ADMIN, so there it comes before these go.
 */
static int add_steps(struct step_list *steps, struct command *c, const struct context_plan *p)
{
	bool late = p->no_new_privs, filter = c->filter.len > 0, scope = p->scope_abstract;
	const struct row rows[] = {
		{ "user", command_user, true, c->user ? c->user : "root" },
		{ "watchdog", command_watchdog, c->watchdog, NULL },
		{ "terminal", command_terminal, c->terminal, NULL },
		{ "streams", command_streams, !c->terminal, NULL },
		{ "keyring", set_keyring, p->keyring, NULL },
		{ "limits", set_limits, true, NULL },
		{ "landlock-early", command_landlock, scope && !late, NULL },
		{ "seccomp-early", set_filter, filter && !late, NULL },
		{ "privileges", command_privileges, true, NULL },
		{ "directory", command_directory, true, c->directory },
		{ "landlock", command_landlock, scope && late, NULL },
		{ "seccomp", set_filter, filter && late, NULL },
		{ "exec", command_exec, true, c->program },
	};

	return add_rows(steps, rows, ARRAY_SIZE(rows), c);
}

int command_prepare(struct command *c, const struct context_plan *p, struct context_host *h,
		    struct seat_shared *shared, const struct command_request *q,
		    struct step_list *steps, struct err *e)
{
	struct arena *arena = steps->arena;
	int r;

	c->shared = shared;
	c->terminal = q->io->terminal;
	c->rows = q->io->rows;
	c->cols = q->io->cols;
	c->bounding = p->bounding;
	c->ambient = p->ambient;
	c->last_cap = p->last_cap;
	c->no_new_privs = p->no_new_privs;
	r = fill_words(c, q, arena);
	if (r == 0) {
		r = fill_environment(c, p, q, arena);
	}
	if (r == 0) {
		r = fill_limits(c, p, arena);
	}
	if (r < 0) {
		return err_set_errno(e, r, "preparing the command");
	}
	r = fill_filter(c, p, h, arena, e);
	if (r < 0) {
		return r;
	}
	r = add_steps(steps, c, p);
	return r < 0 ? err_set_errno(e, r, "preparing the command's steps") : 0;
}
