/* A reader holds a position and a descriptor, nothing of the text: one that is slow costs nothing,
 * and is told how much was removed before it came by. */
#include "daemon/log_reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "daemon/logs.h"

#define BLOCK 65536
#define LAST_BYTES_MAX (64ull << 20) /* how far back the last N lines are looked for */
#define LINE_MAX_BYTES (1ull << 20) /* how far the end of a line that was cut is looked for */
#define HEAD_MAX 32 /* "data 65536\n" */

struct log_reader {
	LIST_ENTRY(log_reader) link;
	struct log *log; /* a reference */
	void (*wake)(void *arg);
	void *arg;
	int fd; /* -1: nothing was written yet */
	struct log_query query;
	uint64_t at, end; /* logical; no end: UINT64_MAX */
	uint64_t missed; /* removed before it was read, and not told yet */
	struct log_marks marks; /* starts and exits */
	size_t next_mark;
	unsigned marks_known; /* log->marks when they were read */
	uint64_t mark_us,
		last_us; /* marks before or at the one, and from the other on, are none of ours */
	bool placed; /* `at` begins a line */
	bool cut; /* `at` may lie within a line */
	bool inside; /* the last byte given ended no line */
	bool ended; /* the context has */
};

/* --- the file --- */

static ssize_t get(const struct log_reader *r, char *out, size_t size, uint64_t at)
{
	return at < r->log->base ? 0 : pread(r->fd, out, size, (off_t) (at - r->log->base));
}

/* @return the position behind the first newline at or after `at`, or `at` when it is too far. */
static uint64_t next_line(const struct log_reader *r, uint64_t at)
{
	char block[BLOCK];

	for (uint64_t p = at; p < at + LINE_MAX_BYTES;) {
		ssize_t n = get(r, block, sizeof(block), p);
		const char *newline = n > 0 ? memchr(block, '\n', (size_t) n) : NULL;

		if (newline) {
			return p + (uint64_t) (newline - block) + 1;
		}
		if (n <= 0) {
			break;
		}
		p += (uint64_t) n;
	}
	return at;
}

static bool begins_line(const struct log_reader *r, uint64_t at)
{
	char before;

	return at > r->log->floor && get(r, &before, 1, at - 1) == 1 && before == '\n';
}

/* Where the last `lines` lines before `end` begin. The newline that ends them begins no line. */
static uint64_t find_last(const struct log_reader *r, uint64_t first, uint64_t end, uint64_t lines)
{
	uint64_t floor = end > first + LAST_BYTES_MAX ? end - LAST_BYTES_MAX : first;
	uint64_t at = end;
	char block[BLOCK];

	if (lines == 0) {
		return end;
	}
	while (at > floor) {
		size_t want = at - floor < BLOCK ? (size_t) (at - floor) : BLOCK;

		if (get(r, block, want, at - want) != (ssize_t) want) {
			return at;
		}
		for (size_t i = want; i-- > 0;) {
			if (block[i] == '\n' && at - want + i + 1 < end && --lines == 0) {
				return at - want + i + 1;
			}
		}
		at -= want;
	}
	return floor;
}

/* --- what was asked for --- */

static int choose_run(struct log_reader *r, const struct log_marks *all, const char *name,
		      struct err *e)
{
	const struct log_mark *next, *start = log_marks_run(all, r->query.start, &next);

	if (!start) {
		return err_set(e, -ENOENT, "%s: its log knows of fewer than %llu starts", name,
			       (unsigned long long) r->query.start);
	}
	r->mark_us = start->time_us - 1;
	r->cut = start->end < r->at && r->cut;
	r->at = start->end > r->at ? start->end : r->at;
	if (next) {
		r->end = next->end;
		r->last_us = next->time_us;
	}
	return 0;
}

static void choose_times(struct log_reader *r, const struct log_marks *all)
{
	const struct log *l = r->log;
	uint64_t begin = 0, end = UINT64_MAX;

	if (r->query.since_us) {
		begin = l->seen_us <= r->query.since_us && l->seen_us
				? l->seen_end
				: log_marks_since(all, r->query.since_us);
	}
	if (r->query.until_us) {
		end = log_marks_until(all, r->query.until_us);
	}
	if (begin > r->at) {
		r->at = begin;
		r->cut = true;
	}
	r->end = end < r->end ? end : r->end;
}

/* Whether what is left of a log that was cut by somebody begins with a line. */
static bool is_clean_cut(const struct log_marks *all, uint64_t floor)
{
	for (size_t i = all->count; i-- > 0;) {
		if (all->items[i].kind == LOG_MARK_MOVED && all->items[i].base == floor) {
			return all->items[i].value == LOG_CUT_BY_OTHERS;
		}
	}
	return false;
}

static int choose(struct log_reader *r, const char *name, struct err *e)
{
	struct log_marks all;
	int code = log_marks(r->log, &all);

	if (code < 0) { /* then there are no times; the text is there */
		all = (struct log_marks){};
	}
	r->at = r->log->floor;
	r->cut = r->at > 0 && !is_clean_cut(&all, r->at);
	r->end = r->query.follow ? UINT64_MAX : r->log->seen_end;
	code = r->query.start ? choose_run(r, &all, name, e) : 0;
	if (code >= 0) {
		choose_times(r, &all);
	}
	log_marks_done(&all);
	return code;
}

/* The rest of choosing a place, once the file may be read. */
static void place(struct log_reader *r)
{
	uint64_t end;

	r->placed = true;
	if (r->at < r->log->floor) {
		r->at = r->log->floor;
		r->cut = true;
	}
	if (r->cut && !begins_line(r, r->at)) {
		r->at = next_line(r, r->at);
	}
	r->cut = false;
	if (r->end != UINT64_MAX && r->end > r->at && !begins_line(r, r->end)) {
		r->end = next_line(r, r->end);
	}
	if (r->query.lines != UINT64_MAX) {
		end = r->end != UINT64_MAX ? r->end : r->log->seen_end;
		r->at = find_last(r, r->at, end > r->at ? end : r->at, r->query.lines);
	}
}

/* --- pieces --- */

/* Starts and exits from `at` on. */
static void read_marks(struct log_reader *r)
{
	size_t count = 0;

	log_marks_done(&r->marks);
	r->next_mark = 0;
	r->marks_known = r->log->marks;
	if (log_marks(r->log, &r->marks) < 0) {
		return;
	}
	for (size_t i = 0; i < r->marks.count; i++) {
		const struct log_mark *m = &r->marks.items[i];

		if ((m->kind == LOG_MARK_START || m->kind == LOG_MARK_EXIT) && m->end >= r->at &&
		    m->time_us > r->mark_us && m->time_us < r->last_us) {
			r->marks.items[count++] = *m;
		}
	}
	r->marks.count = count;
}

static ssize_t give_mark(struct log_reader *r, char *out, size_t size)
{
	const struct log_mark *m = &r->marks.items[r->next_mark++];
	unsigned long long us = m->time_us;

	r->mark_us = us;
	if (m->kind == LOG_MARK_START) {
		return snprintf(out, size, "start %llu\n", us);
	}
	return snprintf(out, size, "exit %llu %s %u\n", us, m->value > 255 ? "signal" : "status",
			m->value & 255u);
}

static ssize_t give_missed(struct log_reader *r, char *out, size_t size)
{
	unsigned long long n = r->missed;
	const char *newline = r->inside ? "\n" : "";

	r->missed = 0;
	r->inside = false;
	return r->query.frames
		       ? snprintf(out, size, "missed %llu\n", n)
		       : snprintf(out, size, "%s[%llu bytes were removed before they were read]\n",
				  newline, n);
}

static ssize_t give_text(struct log_reader *r, char *out, size_t size, uint64_t end)
{
	size_t head = r->query.frames ? HEAD_MAX : 0, want = size - head;
	char line[HEAD_MAX];
	ssize_t n;
	int len;

	if (end - r->at < want) {
		want = (size_t) (end - r->at);
	}
	n = get(r, out + head, want, r->at);
	if (n <= 0) {
		return 0;
	}
	r->at += (uint64_t) n;
	r->inside = out[head + (size_t) n - 1] != '\n';
	if (head) {
		len = snprintf(line, sizeof(line), "data %zd\n", n);
		memmove(out + len, out + head, (size_t) n);
		memcpy(out, line, (size_t) len);
		n += len;
	}
	return n;
}

/* What lies before the floor is gone, or going: on to the next line behind it. */
static void catch_up(struct log_reader *r)
{
	uint64_t from = r->at;

	if (from >= r->log->floor) {
		return;
	}
	r->at = next_line(r, r->log->floor);
	r->missed += r->at - from;
}

static bool open_file(struct log_reader *r)
{
	if (r->fd < 0 && r->log->context) {
		r->fd = log_file_open(r->log->manager, r->log->context->name, O_RDONLY);
	}
	return r->fd >= 0;
}

ssize_t log_reader_read(struct log_reader *r, char *out, size_t size)
{
	uint64_t end = r->end;
	ssize_t n;

	if (!log_is_still(r->log)) {
		return 0;
	}
	if (open_file(r)) {
		if (!r->placed) {
			place(r);
			read_marks(r);
		} else if (r->query.frames && r->marks_known != r->log->marks) {
			read_marks(r);
		}
		catch_up(r);
	}
	if (r->missed) {
		return give_missed(r, out, size);
	}
	if (r->query.frames && r->next_mark < r->marks.count) {
		const struct log_mark *m = &r->marks.items[r->next_mark];

		if (m->end <= r->at) {
			return give_mark(r, out, size);
		}
		end = m->end < end ? m->end : end;
	}
	n = r->fd >= 0 && r->at < end ? give_text(r, out, size, end) : 0;
	if (n > 0) {
		return n;
	}
	return r->query.follow && !r->ended ? 0 : -1;
}

/* --- its life --- */

void log_readers_wake(struct log *l)
{
	struct log_reader *r, *next;

	for (r = LIST_FIRST(&l->readers); r; r = next) {
		next = LIST_NEXT(r, link);
		r->wake(r->arg);
	}
}

static void on_ended(void *arg, const struct err *e)
{
	struct log_reader *r = arg;

	(void) e;
	r->ended = true;
	r->wake(r->arg);
}

static int refuse_elsewhere(const struct context *c, struct err *e)
{
	const struct spec *s = context_spec(c);

	if (!s || s->context.log == SPEC_LOG_FILE) {
		return 0;
	}
	if (s->context.log == SPEC_LOG_NONE) {
		return err_set(e, -EBUSY, "%s: its output is not kept (context.log = none)",
			       c->name);
	}
	return err_set(e, -EBUSY, "%s: its output is in the journal: journalctl -t %s", c->name,
		       c->name);
}

int log_reader_new(struct manager *m, struct context *c, const struct log_query *q,
		   void (*wake)(void *arg), void *arg, struct log_reader **ret, struct err *e)
{
	struct log_reader *r;
	int code = refuse_elsewhere(c, e);

	if (code < 0) {
		return code;
	}
	r = calloc(1, sizeof(*r));
	if (r) {
		*r = (struct log_reader){
			.fd = -1, .wake = wake, .arg = arg, .query = *q, .last_us = UINT64_MAX
		};
		r->log = log_get(c);
	}
	if (!r || !r->log) {
		free(r);
		return err_set(e, -ENOMEM, "%s: reading its log: out of memory", c->name);
	}
	LIST_INSERT_HEAD(&r->log->readers, r, link);
	logs_followed(m, q->follow);
	log_look(r->log);
	code = choose(r, c->name, e);
	if (code >= 0 && q->follow) {
		code = manager_wait(m, c, on_ended, r, e);
	}
	if (code < 0) {
		log_reader_free(r);
		return code;
	}
	*ret = r;
	return 0;
}

void log_reader_free(struct log_reader *r)
{
	if (!r) {
		return;
	}
	logs_followed(r->log->manager, -r->query.follow);
	manager_cancel(r->log->manager, r);
	LIST_REMOVE(r, link);
	log_unref(r->log);
	log_marks_done(&r->marks);
	fd_close(r->fd);
	free(r);
}
