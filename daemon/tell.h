/* Private to the daemon's core: events that belong to a fact that is also written elsewhere, told
 * once, whichever daemon comes to it.
 *
 * A fact of a running context goes to its journal with the number that its event is about to get:
 * a daemon that dies between the two leaves a number which the history does not have, and the next
 * one tells the event then. An end is told before the journal is closed, so here it is the next
 * daemon that looks whether the history has it: ends name their start. */
#pragma once

#include "daemon/core.h"

/** Notes a fact in the journal and tells it as the event of that kind. @detail consumed. */
void tell_fact(struct context *c, const char *kind, json_t *detail);
/** In recovery: tells the last fact of the record, unless it was told. */
void tell_fact_again(struct context *c, const struct journal_record *record);
/** Processes of a context that goes on died for want of memory, so many since the last time. */
void tell_out_of_memory(struct context *c, uint64_t kills);
/** The end of c (its exit is known): "oom" when that was why, then "exited" or "failed". */
void tell_end(struct context *c, bool failed);
/** In recovery, of one whose process still lives: an end may have been told when its command had
 * written its status, which is before the kernel has taken it apart. Then it is not told again. */
void tell_adopted(struct context *c);
/** In recovery: the same, unless an earlier daemon has told it. @return whether that one has also
 * told what follows, "restarting" or "gave-up". */
bool tell_end_again(struct context *c, bool failed);
