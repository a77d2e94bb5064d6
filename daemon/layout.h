/* Which versions of its directories a wardd knows. STATE (kept uppers, logs, events) and RUN
 * (journals and status files of what runs) each hold a file `version` that says how to read the
 * rest, and which Ward wrote it last; a directory without one is Ward 0.1's.
 *
 * A version is that of everything in the directory together. It grows when an older wardd would
 * misread what a newer one writes; what may be ignored (a field, a word, a file more) needs no new
 * one. Each step from a version to the next stands in a table in layout.c, can be cut off anywhere
 * and taken again, and ends with the new number in the file. */
#pragma once

#include <stdint.h>

#include "base/err.h"

#define LAYOUT_VERSION 2

/* Of single files, which have said so since 0.1; what does not know a number refuses it. */
#define LAYOUT_JOURNAL_VERSION 1 /* RUN/contexts/NAME.journal */
#define LAYOUT_EVENTS_VERSION 1 /* STATE/events/state */

/**
 * Takes both directories over from whichever Ward had them: looks at all versions first, changes
 * nothing when one is not known, else brings the directories to LAYOUT_VERSION. Both are locked by
 * the caller.
 * @return 0; -EPROTONOSUPPORT: a newer Ward's, with what to do in `e`; -EBADMSG: a damaged file;
 * another -errno.
 */
[[nodiscard]] int layout_open(const char *run_dir, const char *state_dir, struct err *e);

/** The refusal of a file, which can be "DIR/a file". @ward who wrote it, "" when not known.
 * @return -EPROTONOSUPPORT. */
int layout_refuse(struct err *e, const char *file, int64_t version, int known, const char *ward);
