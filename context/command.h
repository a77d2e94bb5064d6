/* The process that becomes the command: everything it needs, in the arena. Private to context/. */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "base/step.h"
#include "context/plan.h"
#include "context/seat.h"
#include "context/user.h"

struct command_rlimit {
	int resource;
	bool keep_hard; /* value.rlim_max is whatever it is */
	struct rlimit value;
};

struct command {
	struct seat_shared *shared;
	int streams[3]; /* -1: /dev/null of the view */
	bool terminal;
	unsigned short rows, cols;
	mode_t umask;
	struct command_rlimit *rlimits;
	size_t rlimit_count;
	const char *user; /* as written; NULL: root */
	struct user_identity identity; /* found in the view */
	uint64_t bounding, ambient;
	unsigned last_cap;
	bool no_new_privs;
	struct sock_fprog filter; /* len 0: none */
	const char *directory; /* NULL: "/" */
	const char *program; /* what is executed, argv[0] unless init = PATH */
	char **argv, **envp;
	size_t env_count, env_max; /* those the user's entry adds go behind env_count */
	char env_home[1040], env_shell[1040];
	char env_user[USER_NAME_MAX + 16], env_logname[USER_NAME_MAX + 16];
	bool watchdog;
	char env_watchdog[32];
};

/** What differs between a launch and an exec. */
struct command_request {
	const struct strv *argv;
	const struct strv *extra; /* environment on top of the plan's; or NULL */
	const char *program; /* NULL: argv[0] */
	const char *user, *directory;
	const struct context_stdio *io;
	bool service; /* it is told of the notify socket */
};

/**
 * Fills `c` (in the arena), all but its streams, and appends its COMMAND steps.
 */
[[nodiscard]] int command_prepare(struct command *c, const struct context_plan *p,
				  struct context_host *h, struct seat_shared *shared,
				  const struct command_request *request, struct step_list *steps,
				  struct err *e);
/** Runs the COMMAND steps; does not return. */
_Noreturn void command_run(struct command *c);

/** Gives an anonymous pipe of `from` to `uid` (not 0), so that /dev/stdout can be opened anew. */
void command_own_pipe(int fd, uid_t from, uid_t uid, gid_t gid);

/* --- the steps, by topic --- */
int command_streams(void *arg, struct err *e); /* tty.c */
int command_terminal(void *arg, struct err *e); /* tty.c */
int command_user(void *arg, struct err *e); /* identity.c */
int command_watchdog(void *arg, struct err *e); /* identity.c */
int command_directory(void *arg, struct err *e); /* identity.c */
int command_privileges(void *arg, struct err *e); /* caps.c */
int command_landlock(void *arg, struct err *e); /* landlock.c */
int command_exec(void *arg, struct err *e); /* search.c */

/** Process 1's own privileges: CAP_KILL and nothing else. */
[[nodiscard]] int caps_keep_kill(void);
