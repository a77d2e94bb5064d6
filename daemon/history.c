/* Segments of events. The newest one is open for appending and is never longer than its bound;
 * older ones are opened for the moment of a read, so that a reader who sleeps holds no disk. */
#include "daemon/history.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "daemon/events.h"
#include "daemon/layout.h"

#define STATE_BYTES 512 /* one sector, written in place: a full disk cannot refuse it */
#define SUFFIX ".jsonl"
#define NAME_DIGITS 20
#define NAME_BYTES (NAME_DIGITS + sizeof(SUFFIX))

enum leaving { LEAVING_OPEN, LEAVING_CLEAN, LEAVING_UNSAVED, LEAVING_COUNT };
static const char *const leaving_names[] = { "open", "clean", "unsaved" };

struct history {
	int dirfd, fd, state_fd; /* fd: the newest segment; -1 before the first event */
	size_t size; /* of the newest */
	size_t segment_bytes;
	unsigned segments_max;
	uint64_t *firsts; /* of every segment, ascending */
	size_t count;
	uint64_t last;
	char boot[64];
	bool failing; /* the last append was refused: told once */
};

static void segment_name(uint64_t first, char out[static NAME_BYTES])
{
	(void) snprintf(out, NAME_BYTES, "%0*" PRIu64 SUFFIX, NAME_DIGITS, first);
}

/* --- how a daemon leaves the directory --- */

static int state_write(struct history *h, enum leaving how)
{
	char text[STATE_BYTES + 1];
	int n = snprintf(text, sizeof(text),
			 "{\"version\": %d, \"state\": \"%s\", \"newest\": %" PRIu64
			 ", \"last\": %" PRIu64 ", \"boot\": \"%s\"}",
			 LAYOUT_EVENTS_VERSION, leaving_names[how],
			 h->count ? h->firsts[h->count - 1] : 0, h->last, h->boot);

	memset(text + n, ' ', STATE_BYTES - (size_t) n);
	text[STATE_BYTES - 1] = '\n';
	return pwrite(h->state_fd, text, STATE_BYTES, 0) == STATE_BYTES ? 0 : -EIO;
}

/* Locked as a process, which the children of a daemon that was killed do not inherit. */
static int state_open(struct history *h)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	h->state_fd =
		sys(openat(h->dirfd, "state", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
	return h->state_fd < 0 ? h->state_fd : sys(fcntl(h->state_fd, F_SETLK, &lock));
}

struct state {
	bool known;
	enum leaving how;
	uint64_t newest, last;
	bool same_boot;
};

static int state_read(const struct history *h, struct state *ret, struct err *e)
{
	char text[STATE_BYTES + 1] = "";
	ssize_t n = pread(h->state_fd, text, STATE_BYTES, 0);
	json_t *o = n > 0 ? json_loadb(text, (size_t) n, 0, NULL) : NULL;
	const char *how = json_string_value(json_object_get(o, "state"));
	const char *boot = json_string_value(json_object_get(o, "boot"));
	json_int_t version = json_integer_value(json_object_get(o, "version"));

	*ret = (struct state){ .how = LEAVING_UNSAVED };
	if (version > LAYOUT_EVENTS_VERSION) {
		json_decref(o);
		return layout_refuse(e, "the events' history", version, LAYOUT_EVENTS_VERSION, "");
	}
	if (how && boot) {
		ret->known = true;
		ret->newest = (uint64_t) json_integer_value(json_object_get(o, "newest"));
		ret->last = (uint64_t) json_integer_value(json_object_get(o, "last"));
		ret->same_boot = strcmp(boot, h->boot) == 0;
		for (enum leaving i = 0; i < LEAVING_COUNT; i++)
			if (strcmp(how, leaving_names[i]) == 0)
				ret->how = i;
	}
	json_decref(o);
	return 0;
}

/* --- what there is --- */

static int add_segment(struct history *h, uint64_t first)
{
	uint64_t *more = reallocarray(h->firsts, h->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	more[h->count++] = first;
	h->firsts = more;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

static int list_segments(struct history *h)
{
	int fd = sys(openat(h->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), r = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *x;

	if (!d) {
		r = fd < 0 ? fd : -errno;
		(void) fd_close(fd);
		return r;
	}
	while (r == 0 && (x = readdir(d))) {
		char digits[NAME_DIGITS + 1];
		uint64_t first;

		if (strlen(x->d_name) != NAME_BYTES - 1 ||
		    strcmp(x->d_name + NAME_DIGITS, SUFFIX) != 0)
			continue;
		memcpy(digits, x->d_name, NAME_DIGITS);
		digits[NAME_DIGITS] = '\0';
		if (units_parse_u64(digits, 1, INT64_MAX, &first) == 0)
			r = add_segment(h, first);
	}
	(void) closedir(d);
	if (h->count)
		qsort(h->firsts, h->count, sizeof(*h->firsts), by_number);
	return r;
}

/* Where the last whole event ends, and its number. What follows it is torn, or was never written
 * (a file system may show zeros after a power cut). */
static size_t sound_part(const char *text, size_t len, uint64_t *last)
{
	size_t end = 0;

	for (size_t at = 0; at < len;) {
		const char *newline = memchr(text + at, '\n', len - at);
		size_t n = newline ? (size_t) (newline - text) - at + 1 : len - at;
		struct event ev;

		if (newline && event_parse(text + at, n, &ev) && ev.seq > *last) {
			*last = ev.seq;
			end = at + n;
		}
		at += n;
	}
	return end;
}

/* Opens the newest segment for appending, without what is torn in it. @ret_doubt: not ours. */
static int open_newest(struct history *h, bool *ret_doubt)
{
	uint64_t first = h->firsts[h->count - 1], last = first - 1;
	_cleanup_free_ char *text = NULL;
	char name[NAME_BYTES];
	size_t len, end;
	int r;

	segment_name(first, name);
	h->fd = sys(openat(h->dirfd, name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
	if (h->fd < 0)
		return h->fd;
	r = file_read_at(h->dirfd, name, 2 * (size_t) HISTORY_SEGMENT_BYTES, &text, &len);
	if (r == -EFBIG) {
		*ret_doubt = true;
		return 0;
	}
	if (r < 0)
		return r;
	end = sound_part(text, len, &last);
	if (end < len) {
		log_warning("the events' history: %zu bytes at the end of %s are torn: cut",
			    len - end, name);
		r = sys(ftruncate(h->fd, (off_t) end));
	}
	h->size = end;
	h->last = last;
	return r;
}

static void jump(struct history *h)
{
	h->last = (h->last / HISTORY_JUMP + 1) * HISTORY_JUMP;
	h->fd = fd_close(h->fd); /* names tell where numbers are: a new segment begins */
	h->size = 0;
}

static int find_last(struct history *h, struct err *e)
{
	uint64_t newest;
	bool doubt = false;
	struct state s;
	int r = state_read(h, &s, e);

	if (r < 0)
		return r;
	r = list_segments(h);
	if (r == 0 && h->count)
		r = open_newest(h, &doubt);
	if (r < 0)
		return err_set_errno(e, r, "reading the events' history");
	newest = h->count ? h->firsts[h->count - 1] : 0;
	doubt |= !s.known ? h->count > 0
			  : s.newest > newest || s.how == LEAVING_UNSAVED ||
				    (s.how == LEAVING_OPEN && !s.same_boot);
	if (s.last > h->last)
		h->last = s.last;
	if (s.newest > h->last)
		h->last = s.newest;
	if (doubt)
		jump(h);
	return 0;
}

int history_open(const struct history_config *config, struct history **ret, struct err *e)
{
	struct history *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return err_set(e, -ENOMEM, "opening the events' history: out of memory");
	h->fd = h->state_fd = -1;
	h->segment_bytes = config->segment_bytes;
	h->segments_max = config->segments;
	(void) snprintf(h->boot, sizeof(h->boot), "%s", config->boot);
	h->dirfd = dir_make_open(config->directory, 0700);
	r = h->dirfd < 0 ? h->dirfd : state_open(h);
	if (r == -EAGAIN || r == -EACCES)
		(void) err_set(e, r,
			       "%s belongs to another wardd that runs: give each a "
			       "--state-dir of its own",
			       config->directory);
	else if (r < 0)
		(void) err_set_errno(e, r, "opening %s", config->directory);
	else
		r = find_last(h, e);
	if (r >= 0 && (r = state_write(h, LEAVING_OPEN)) < 0)
		(void) err_set_errno(e, r, "writing %s/state", config->directory);
	if (r < 0) {
		h->state_fd = fd_close(h->state_fd); /* the state stays as it was */
		history_close(h);
		return r;
	}
	*ret = h;
	return 0;
}

void history_close(struct history *h)
{
	if (!h)
		return;
	if (h->state_fd >= 0)
		(void) state_write(h, h->failing ? LEAVING_UNSAVED : LEAVING_CLEAN);
	(void) fd_close(h->state_fd);
	(void) fd_close(h->fd);
	(void) fd_close(h->dirfd);
	free(h->firsts);
	free(h);
}

uint64_t history_last(const struct history *h)
{
	return h->last;
}

uint64_t history_first(const struct history *h)
{
	return h->count ? h->firsts[0] : h->last + 1;
}

/* --- append --- */

static void drop_oldest(struct history *h)
{
	char name[NAME_BYTES];

	segment_name(h->firsts[0], name);
	(void) unlinkat(h->dirfd, name, 0);
	h->count--;
	memmove(h->firsts, h->firsts + 1, h->count * sizeof(*h->firsts));
}

static int begin_segment(struct history *h, uint64_t first)
{
	char name[NAME_BYTES];
	int fd, r;

	segment_name(first, name);
	fd = sys(openat(h->dirfd, name,
			O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
	if (fd < 0)
		return fd;
	/* empty after a refused write: the same name again */
	r = h->count && h->firsts[h->count - 1] == first ? 0 : add_segment(h, first);
	if (r < 0) {
		(void) fd_close(fd);
		return r;
	}
	(void) fault_point("segment-begun", NULL);
	(void) fd_close(h->fd);
	h->fd = fd;
	h->size = 0;
	while (h->count > h->segments_max)
		drop_oldest(h);
	(void) state_write(h, LEAVING_OPEN); /* after the file: a name that is missing is a loss */
	return 0;
}

static int put(struct history *h, uint64_t seq, const char *line, size_t len)
{
	ssize_t n;
	int r = 0;

	if (h->fd < 0 || (h->size && h->size + len > h->segment_bytes))
		r = begin_segment(h, seq);
	if (r < 0)
		return r;
	n = sys(write(h->fd, line, len));
	if (n == (ssize_t) len) {
		h->size += len;
		return 0;
	}
	if (n > 0 && ftruncate(h->fd, (off_t) h->size) < 0)
		h->fd = fd_close(h->fd); /* leave the torn line behind in a segment of its own */
	return n < 0 ? (int) n : -ENOSPC;
}

int history_append(struct history *h, uint64_t seq, const char *line, size_t len)
{
	int r = put(h, seq, line, len);

	h->last = seq;
	if ((r < 0) == h->failing)
		return r;
	h->failing = r < 0;
	if (r < 0)
		log_warning("event %" PRIu64 " and those that follow cannot be kept: %s", seq,
			    strerror(-r));
	else
		log_info("events are kept again from %" PRIu64 " on", seq);
	(void) state_write(h, r < 0 ? LEAVING_UNSAVED : LEAVING_OPEN);
	return r;
}

/* --- read --- */

/* The segment in which `seq` is, or the oldest. */
static size_t segment_of(const struct history *h, uint64_t seq)
{
	size_t i = h->count;

	while (i > 1 && h->firsts[i - 1] > seq)
		i--;
	return i - 1;
}

/* @return its index, or that of the one behind it when it is gone. */
static size_t segment_at(const struct history *h, struct history_cursor *c)
{
	size_t i = 0;

	while (i < h->count && h->firsts[i] < c->segment)
		i++;
	if (i < h->count && h->firsts[i] != c->segment)
		*c = (struct history_cursor){ h->firsts[i], 0 };
	return i;
}

static ssize_t read_at(const struct history *h, const struct history_cursor *c, char *out,
		       size_t size)
{
	_cleanup_close_ int fd = -1;
	char name[NAME_BYTES];

	segment_name(c->segment, name);
	fd = sys(openat(h->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
	if (fd == -ENOENT) /* somebody removed it: as if it were empty */
		return 0;
	return fd < 0 ? fd : sys(pread(fd, out, size, (off_t) c->offset));
}

ssize_t history_read(const struct history *h, struct history_cursor *c, uint64_t after, char *out,
		     size_t size)
{
	size_t i;

	if (!h->count)
		return 0;
	if (!c->segment)
		*c = (struct history_cursor){ h->firsts[segment_of(h, after + 1)], 0 };
	for (i = segment_at(h, c); i < h->count; i++) {
		ssize_t n;

		if (h->firsts[i] != c->segment)
			*c = (struct history_cursor){ h->firsts[i], 0 };
		n = read_at(h, c, out, size);
		if (n < 0)
			return n;
		while (n > 0 && out[n - 1] != '\n' && (size_t) n < size)
			n--; /* the end of an older segment may be torn */
		if (n > 0) {
			const char *end = memrchr(out, '\n', (size_t) n);

			return end ? end - out + 1 : n; /* no line at all: let it be skipped */
		}
	}
	return 0;
}
