/* What the verbs that print tables share. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "ctl/ctl.h"
#include "ctl/table.h"

/** Columns of the terminal on standard output, 0 when it is none. */
size_t look_width(const struct ctl *c);
/** Prints the table and lets go of it. @return the exit status. */
int look_print(const struct ctl *c, struct table *t);
/** GETs a route. @return the reply, never NULL on success, else NULL with the exit status set and
 * the error told. */
json_t *look_get(const struct ctl *c, const char *path, const char *name, int *ret_status);

/** "web: running, process 4711, for 2s" as a line, made harmless. */
void look_state_line(struct buf *b, const char *name, const json_t *summary);
/** "17 2026-11-21 10:04:05 started web pid=4711" of an event, as it came. */
void look_event_text(struct buf *b, const json_t *event);

/** The next cell from a number of the object: "-" when it is null or not there. */
void look_add_bytes(struct table *t, const json_t *o, const char *key);
void look_add_number(struct table *t, const json_t *o, const char *key);
void look_add_age(struct table *t, const json_t *o, const char *key);
