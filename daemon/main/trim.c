/* Gives memory back: what only the start of the program needed (the dynamic linker and the
 * constructors touch some 3 MB of code that a daemon at work never comes back to), and, some
 * seconds after anything has happened to contexts, what that has left.
 *
 * Of libraries only mappings without a page of our own (Anonymous: 0 in smaps, proc_pid_smaps(5))
 * are let go: their pages are the file's, and come back from the page cache when touched. */
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/events.h"
#include "daemon/main/trim.h"

#define SMAPS_MAX (1u << 20)
#define QUIET_US UINT64_C(2000000)
#define SLACK_US (QUIET_US / 8)

struct mapping {
	uintptr_t begin, end;
	char access[5]; /* "r-xp" */
	uint64_t inode;
};

/* The first line of a mapping; those that tell about it ("Rss: 4 kB") do not look like it. */
static bool parse_mapping(const char *line, struct mapping *ret)
{
	struct mapping m;

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*s %" SCNu64, &m.begin, &m.end,
		   m.access, &m.inode) != 4)
		return false;
	*ret = m;
	return true;
}

static void trim_libraries(void)
{
	_cleanup_free_ char *text = NULL;
	struct mapping m = {};
	char *line, *rest;

	if (file_read_at(AT_FDCWD, "/proc/self/smaps", SMAPS_MAX, &text, NULL) < 0)
		return;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		uint64_t own;

		if (parse_mapping(line, &m) || sscanf(line, "Anonymous: %" SCNu64, &own) != 1)
			continue;
		if (own == 0 && m.inode && m.access[1] != 'w' && m.access[3] == 'p')
			(void) madvise((void *) m.begin, m.end - m.begin, MADV_DONTNEED);
	}
}

void trim_now(void)
{
	(void) malloc_trim(0);
	trim_libraries();
}

/* --- later --- */

struct trim {
	struct events *events;
	sd_event_source *timer; /* enabled since the first event after a quiet time */
	uint64_t seen; /* the latest event when the timer was set */
};

static void arm(struct trim *t)
{
	t->seen = events_last(t->events);
	(void) sd_event_source_set_time_relative(t->timer, QUIET_US);
	(void) sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

/* Events come in the midst of starts: all but the first of them find it armed. */
static void on_event(void *arg)
{
	struct trim *t = arg;

	if (sd_event_source_get_enabled(t->timer, NULL) == 0)
		arm(t);
}

static int on_quiet(sd_event_source *source, uint64_t now, void *arg)
{
	struct trim *t = arg;

	(void) source;
	(void) now;
	if (t->seen != events_last(t->events))
		arm(t);
	else
		trim_now();
	return 0;
}

int trim_begin(sd_event *loop, struct events *events, struct trim **ret)
{
	struct trim *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->events = events;
	t->seen = events_last(events);
	r = sd_event_add_time_relative(loop, &t->timer, CLOCK_MONOTONIC, QUIET_US, SLACK_US,
				       on_quiet, t);
	if (r >= 0)
		r = events_watch(events, NULL, on_event, t);
	if (r < 0) {
		trim_end(t);
		return r;
	}
	*ret = t;
	return 0;
}

void trim_end(struct trim *t)
{
	if (!t)
		return;
	events_unwatch(t->events, on_event, t);
	sd_event_source_disable_unref(t->timer);
	free(t);
}
