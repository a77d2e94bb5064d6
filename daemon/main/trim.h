/* Gives back memory that is no longer needed. */
#pragma once

#include <systemd/sd-event.h>

struct events;
struct trim;

/** Now: free parts of the heap, and pages of libraries. */
void trim_now(void);
/** Again and again from now on: a few seconds after the last event. @return 0 or -errno. */
[[nodiscard]] int trim_begin(sd_event *loop, struct events *events, struct trim **ret);
void trim_end(struct trim *t);
