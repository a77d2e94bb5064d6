/* Events to the system's journal, where there is one: a reader of events like any other, so a journal
 * that is slow or gone holds nothing up. */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"
#include "daemon/events.h"

#define JOURNALD_SOCKET "/run/systemd/journal/socket"

struct journald;

/** Whether standard error goes to the journal (systemd.exec(5), $JOURNAL_STREAM). */
bool journald_is_stderr(void);
/** Sends what is added from now on to a socket that speaks the journal's native protocol, with the
 * fields WARD_SEQ, WARD_KIND, WARD_CONTEXT and WARD_EVENT (the line). @return 0 or -errno. */
[[nodiscard]] int journald_new(struct events *events, sd_event *loop, const char *socket,
			       struct journald **ret, struct err *e);
void journald_free(struct journald *j);
