/* THE table of verbs: the command line, --help, wardctl(1) and completion all walk it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ctl/ctl.h"

enum verb_family { VERB_LIFE, VERB_INSIDE, VERB_LOOK, VERB_CHANGE, VERB_HOST, VERB_FAMILY_COUNT };

struct verb {
	const char *name;
	/* Words in order: NAME a context, KEY, KEY=VALUE, FILE, SHELL, VERB; [x] may be left out,
	 * x... may repeat; what follows "--" or "[--" is a command. */
	const char *operands;
	uint64_t options; /* mask of OPT() */
	enum verb_family family;
	int (*run)(const struct ctl *c); /* @return the exit status */
	const char *brief; /* one line, no full stop */
	const char *help; /* paragraphs; lines that begin with two spaces are examples */
};

extern const struct verb verbs_table[];
extern const size_t verbs_count;
extern const char *const verb_family_titles[VERB_FAMILY_COUNT];

/** @return NULL when there is none. */
const struct verb *verb_find(const char *name);
/** Refuses a word that is no verb, with the nearest one. @return -EINVAL. */
int verb_unknown(const char *word, struct err *e);

/* --- the handlers, by file --- */

int verb_start(const struct ctl *c); /* verbs_life.c */
int verb_stop(const struct ctl *c);
int verb_restart(const struct ctl *c);
int verb_kill(const struct ctl *c);
int verb_freeze(const struct ctl *c);
int verb_thaw(const struct ctl *c);
int verb_status(const struct ctl *c);

/** Letters of a kind of event. */
#define KIND_LETTERS "abcdefghijklmnopqrstuvwxyz-"
int verb_wait(const struct ctl *c); /* verbs_wait.c */
int verb_why(const struct ctl *c); /* verbs_why.c */

int verb_run(const struct ctl *c); /* verbs_run.c */
int verb_exec(const struct ctl *c);
int verb_enter(const struct ctl *c);

int verb_list(const struct ctl *c); /* verbs_look.c */
int verb_show(const struct ctl *c);
int verb_ps(const struct ctl *c);

int verb_stats(const struct ctl *c); /* verbs_stats.c */
int verb_top(const struct ctl *c); /* verbs_top.c */

int verb_logs(const struct ctl *c); /* verbs_logs.c */

int verb_events(const struct ctl *c); /* verbs_follow.c */

int verb_budget(const struct ctl *c); /* verbs_budget.c */
int verb_what_if(const struct ctl *c); /* of plan */
int verb_plan(const struct ctl *c); /* verbs_spec.c */
int verb_check(const struct ctl *c);
int verb_create(const struct ctl *c);
int verb_delete(const struct ctl *c);
int verb_set(const struct ctl *c);
int verb_reload(const struct ctl *c); /* verbs_reload.c */
int verb_get(const struct ctl *c);

int verb_doctor(const struct ctl *c); /* verbs_host.c */
int verb_version(const struct ctl *c);

int verb_help(const struct ctl *c); /* help.c */
/** The help of one verb, or with NULL the overview, on standard output. */
int help_print(const struct ctl *c, const struct verb *v);

int verb_completion(const struct ctl *c); /* completion.c */

int verb_manual(const struct ctl *c); /* manual.c */
/** The whole of wardctl(1). */
void manual_write(struct buf *out);
/** The script for "bash", "zsh" or "fish". @return 0 or -EINVAL. */
[[nodiscard]] int completion_write(const char *shell, struct buf *out);
