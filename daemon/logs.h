/* Private to the daemon's core: the logs of contexts, STATE/logs/NAME.log.
 *
 *   logs.c        bounded, indexed as they grow    log_index.c   what was where, and when
 *   log_open.c    where a start's output goes      log_worker.c  shortens files beside the loop
 *   log_reader.c  reading and following
 *
 * A context writes its log itself, by a descriptor that is open for appending; nothing of it passes
 * through the daemon. All positions here are logical: bytes since the log began. The file's own are
 * those less `base`. */
#pragma once

#include <sys/queue.h>

#include "daemon/core.h"
#include "daemon/log_index.h"

struct log_reader;
LIST_HEAD(log_reader_list, log_reader);

/** A log that was touched in this daemon's life. */
struct log {
	struct manager *manager;
	struct context *context; /* NULL: forgotten, only readers are left */
	unsigned refs;
	unsigned round; /* of the last look */
	uint64_t base; /* where the file begins */
	uint64_t floor; /* what lies before is gone, or going */
	uint64_t seen_end, seen_us; /* as of the last look */
	struct log_mark last; /* of the index */
	unsigned marks; /* grows with every start and exit in the index */
	/* what the worker was asked to do; id 0: nothing */
	uint64_t order_id, order_end;
	unsigned order_kind;
	uint64_t spare_tried; /* bytes on disk when that was last tried */
	bool unmovable; /* its file system cannot cut a file's front */
	bool warned;
	LIST_ENTRY(log) busy; /* with an order */
	struct log_reader_list readers;
};
LIST_HEAD(log_list, log);

/** Before any context is there. @return 0 or -errno. */
[[nodiscard]] int logs_open(struct manager *m, struct err *e);
/** Begins to watch the logs' growth. @return 0 or -errno. */
[[nodiscard]] int logs_watch(struct manager *m, struct err *e);
/** While contexts are still there. */
void logs_close(struct manager *m);
/** Notes that a run begins or has ended. @value log_exit(). */
void logs_mark(struct context *c, enum log_mark_kind kind, uint32_t value);
/** Waits until a file that is near its file system's end, where nobody could write another line, is
 * shorter: only ever where somebody else made it so long. */
void logs_make_room(const struct context *c);
/** Removes the log and the index of a name: no context of that name runs. */
void logs_remove(struct manager *m, const char *name);
/** The context goes: readers keep what they have. */
void logs_drop(struct context *c);

/** Opens what the output of a start without a client goes to, as the spec says.
 * @return context_stdio via ret. */
[[nodiscard]] int log_open_stdio(struct context *c, const struct spec *spec,
				 struct context_stdio *ret, struct err *e);
/** Opens the same for something the daemon has to add; a write may fall short. @return descriptor,
 * -ENODEV when the output goes nowhere, -errno. */
int log_open_remark(struct context *c, const struct spec *spec, struct err *e);

/** A context's log, with one reference more; made when there is none. @return NULL when out of
 * memory. */
struct log *log_get(struct context *c);
void log_unref(struct log *l);
/** Looks at the file now: its length, and whether it is too large. */
void log_look(struct log *l);
/** Whether the file may be read: its front is not being cut off just now. */
bool log_is_still(const struct log *l);
[[nodiscard]] int log_marks(struct log *l, struct log_marks *ret);
int log_file_open(struct manager *m, const char *name, int flags);
/** While somebody follows, growth is looked at sooner. @count 1 or -1. */
void logs_followed(struct manager *m, int count);
/** A reader's file has grown, or may be read again (log_reader.c). */
void log_readers_wake(struct log *l);
