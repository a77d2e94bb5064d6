/* The index of a log, STATE/logs/index/NAME: what was where, and when.
 *
 * A log is written by its context alone, so no line bears a time. Instead the daemon notes now and
 * then how long the log was at a certain moment. Positions are logical: bytes written since the log
 * began; what was removed from the front of the file is the mark's base. Marks are of one size,
 * appended by one write(2) each: a torn one at the end is not there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_MARKS_MAX 8192 /* older ones are thinned out then */

enum log_mark_kind {
	LOG_MARK_TIME, /* at `time_us` all before `end` had been written */
	LOG_MARK_START, /* the same, and a context began to run */
	LOG_MARK_EXIT, /* the same, and it ended: `value` is log_exit() */
	LOG_MARK_MOVED, /* the file's front was removed, or somebody cut it: LOG_CUT_BY_OTHERS */
	LOG_MARK_MOVING, /* the front is about to be removed; `base` is that afterwards */
	LOG_MARK_KIND_COUNT
};

#define LOG_CUT_BY_OTHERS 1u /* what is left begins with a line */

struct log_mark {
	uint64_t time_us; /* CLOCK_REALTIME; never less than the one before */
	uint64_t end; /* logical; likewise */
	uint64_t base; /* the logical position of the file's first byte */
	uint32_t kind, value;
};

/** How something ended, as a mark keeps it: 0..255 a status, 256 + N a signal. */
static inline uint32_t log_exit(bool signaled, int number)
{
	return (signaled ? 256u : 0u) + ((uint32_t) number & 255u);
}

struct log_marks {
	struct log_mark *items;
	size_t count;
};

/** Reads all marks. @return 0 (none: no file), -errno. Free with log_marks_done(). */
[[nodiscard]] int log_index_read(int dirfd, const char *name, struct log_marks *ret);
void log_marks_done(struct log_marks *m);
/** Reads the last two: `ret[1]` the last, `ret[0]` the one before. @return how many, or -errno. */
int log_index_last(int dirfd, const char *name, struct log_mark ret[static 2]);
/** Whether the last move was begun and not noted as done: `ret[1]` its mark, `ret[0]` the one
 * before (zeros: none). Starts and exits may have been noted since. */
bool log_index_move(int dirfd, const char *name, struct log_mark ret[static 2]);
/** Appends one mark. When there are too many, those before `floor` go and older ones are thinned.
 * @return 0 or -errno. */
[[nodiscard]] int log_index_add(int dirfd, const char *name, const struct log_mark *mark,
				uint64_t floor);
/** Waits until nobody else, of a daemon that died, works on the log; see log_worker.h.
 * @return a descriptor that holds the lock, or -errno. */
int log_index_lock(int dirfd, const char *name);

/* --- questions (pure) --- */

/** Drops and thins marks until they are at most three quarters of LOG_MARKS_MAX. The last one, and
 * the last start before `floor`, stay. */
void log_marks_thin(struct log_marks *m, uint64_t floor);
/** Where what was written after `time_us` begins; what was written just before may be there too. */
uint64_t log_marks_since(const struct log_marks *m, uint64_t time_us);
/** Where what was written until `time_us` ends; some of what came after may be there too.
 * @return UINT64_MAX when it goes on to the end. */
uint64_t log_marks_until(const struct log_marks *m, uint64_t time_us);
/** The n-th last start (1: the last), and in `ret_next` the one after it or NULL. @return NULL when
 * there were fewer. */
const struct log_mark *log_marks_run(const struct log_marks *m, uint64_t n,
				     const struct log_mark **ret_next);
