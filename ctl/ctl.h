/* The door of ctl/: what every verb is handed, and how it speaks to the user. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "ctl/options.h"

#define CTL_SOCKET "/run/ward/control.sock"

enum ctl_exit {
	CTL_DONE = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NOT_RUNNING = 3,
	CTL_TIMED_OUT = 124, /* wait: as timeout(1) */
	CTL_WARD_FAILED = 125 /* run and exec: it was not the command that failed */
};

struct ctl {
	struct args args;
	const struct verb *verb;
	const char *socket;
	bool terminal; /* standard output is one */
	bool color;
};

/**
 * Prints "wardctl: VERB OBJECT: text" on standard error, further lines indented, nothing in it
 * that could steer a terminal. `object` may be NULL. @return CTL_FAILED.
 */
int ctl_error(const struct ctl *c, const char *object, const struct err *e);
/** The same for wrong use, with where to read on. @return CTL_USAGE. */
int ctl_usage(const struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** A remark on standard error. */
void ctl_warn(const struct ctl *c, const char *object, const char *text);

/** Writes to standard output. @return CTL_DONE or CTL_FAILED (said on standard error). */
int ctl_print(const struct ctl *c, const struct buf *text);
/** Prints JSON for people and programs: indented, order kept. */
int ctl_print_json(const struct ctl *c, const json_t *value);

/** Checks a context's name before it becomes part of a route. @return 0 or -EINVAL. */
[[nodiscard]] int ctl_check_name(const char *name, struct err *e);
