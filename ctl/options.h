/* The command line: one table of options, and words parsed by the pattern of a verb. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum opt {
	OPT_ALL,
	OPT_MARK,
	OPT_AUTOSTART,
	OPT_JSON,
	OPT_QUIET,
	OPT_FOLLOW,
	OPT_LINES,
	OPT_AFTER,
	OPT_UNTIL,
	OPT_DRY_RUN,
	OPT_START,
	OPT_NAME,
	OPT_FILE,
	OPT_SET,
	OPT_TTY,
	OPT_NO_TTY,
	OPT_DETACH,
	OPT_USER,
	OPT_DIRECTORY,
	OPT_ENV,
	OPT_SIGNAL,
	OPT_PROCESSES,
	OPT_TIMEOUT,
	OPT_RUNTIME,
	OPT_FULL,
	OPT_REPLACE,
	OPT_NO_WAIT,
	OPT_KIND,
	OPT_SINCE,
	OPT_READY,
	OPT_EXIT,
	OPT_EVENT,
	OPT_COLUMNS,
	OPT_SORT,
	OPT_INTERVAL,
	OPT_BATCH,
	OPT_WHAT_IF,
	/* Global ones: every verb takes them. */
	OPT_SOCKET,
	OPT_NO_COLOR,
	OPT_HELP,
	OPT_COUNT
};

#define OPT(x) (UINT64_C(1) << OPT_##x)
#define OPT_GLOBAL (OPT(SOCKET) | OPT(NO_COLOR) | OPT(HELP))

struct option {
	const char *name; /* without the dashes */
	char letter; /* or 0 */
	const char *value; /* what its value is called, or NULL: it takes none */
	const char *help;
	bool repeats;
};

/** Indexed by enum opt. */
extern const struct option options_table[OPT_COUNT];

struct verb;

struct option_given {
	enum opt opt;
	const char *value;
};

/** Borrows argv throughout. */
struct args {
	const struct verb *verb;
	uint64_t given; /* mask of OPT() */
	const char *value[OPT_COUNT]; /* the last one given */
	struct option_given *all; /* in the order given, for those that repeat */
	size_t all_count;
	char **operands; /* argv-shaped */
	size_t operand_count;
	char **command; /* the words of the command, NULL-terminated, or NULL */
};

/** How many operands a verb takes, read from its pattern: "NAME [KEY]", "NAME -- COMMAND...". */
struct shape {
	size_t min, max;
	bool command, command_optional;
};

struct shape options_shape(const char *pattern);

/** @return 0, -EINVAL with a sentence about the wrong use, -ENOMEM. args_done() either way. */
[[nodiscard]] int args_parse(int argc, char **argv, struct args *ret, struct err *e);
void args_done(struct args *a);

static inline bool args_has(const struct args *a, enum opt o)
{
	return a->given & (UINT64_C(1) << o);
}
