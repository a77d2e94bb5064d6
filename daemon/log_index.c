/* Marks on disk, and what can be learnt of them. */
#include "daemon/log_index.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"

#define BYTES_MAX ((size_t) LOG_MARKS_MAX * 2 * sizeof(struct log_mark))
#define KEPT_MARKS (LOG_MARKS_MAX / 4 * 3)
#define SPACING (LOG_MARKS_MAX / 2)
#define MOVE_MARKS_MAX 64 /* so far back a move is looked for */

static_assert(sizeof(struct log_mark) == 32, "the file's format");

static bool follows(const struct log_mark *m, const struct log_mark *before)
{
	return m->kind < LOG_MARK_KIND_COUNT && m->base <= m->end &&
	       (!before || (m->time_us >= before->time_us && m->end >= before->end));
}

int log_index_read(int dirfd, const char *name, struct log_marks *ret)
{
	struct log_mark *items;
	size_t len, count = 0;
	char *data;
	int r = file_read_at(dirfd, name, BYTES_MAX, &data, &len);

	*ret = (struct log_marks){};
	if (r < 0) {
		return r == -ENOENT ? 0 : r;
	}
	items = (struct log_mark *) (void *) data;
	for (size_t i = 0; i < len / sizeof(*items); i++) { /* what is damaged is passed over */
		if (follows(&items[i], count ? &items[count - 1] : NULL)) {
			items[count++] = items[i];
		}
	}
	*ret = (struct log_marks){ items, count };
	return 0;
}

void log_marks_done(struct log_marks *m)
{
	free(m->items);
	*m = (struct log_marks){};
}

int log_index_last(int dirfd, const char *name, struct log_mark ret[static 2])
{
	_cleanup_close_ int fd = sys(openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), count = size / (off_t) sizeof(*ret);
	size_t want = count < 2 ? (size_t) count : 2;

	if (fd < 0) {
		return fd == -ENOENT ? 0 : fd;
	}
	if (want == 0) {
		return 0;
	}
	if (pread(fd, &ret[2 - want], want * sizeof(*ret),
		  (count - (off_t) want) * (off_t) sizeof(*ret)) !=
	    (ssize_t) (want * sizeof(*ret))) {
		return -EIO;
	}
	if (!follows(&ret[1], want == 2 ? &ret[0] : NULL)) {
		return -EBADMSG;
	}
	return (int) want;
}

bool log_index_move(int dirfd, const char *name, struct log_mark ret[static 2])
{
	_cleanup_close_ int fd = sys(openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
	struct log_mark tail[MOVE_MARKS_MAX] = {};
	off_t count = fd < 0 ? 0 : lseek(fd, 0, SEEK_END) / (off_t) sizeof(*tail);
	off_t first = count < MOVE_MARKS_MAX ? 0 : count - MOVE_MARKS_MAX;
	ssize_t n = fd < 0 ? 0 : pread(fd, tail, sizeof(tail), first * (off_t) sizeof(*tail));
	ssize_t i = n / (ssize_t) sizeof(*tail) - 1;

	while (i >= 0 && (tail[i].kind == LOG_MARK_START || tail[i].kind == LOG_MARK_EXIT))
		i--;
	if (i < 0 || tail[i].kind != LOG_MARK_MOVING)
		return false;
	ret[0] = i > 0 ? tail[i - 1] : (struct log_mark){};
	ret[1] = tail[i];
	return true;
}

/* Rewrites it with fewer marks. */
static int compact(int dirfd, const char *name, uint64_t floor)
{
	struct log_marks all;
	int r = log_index_read(dirfd, name, &all);

	if (r < 0) {
		return r;
	}
	log_marks_thin(&all, floor);
	r = file_replace_at(dirfd, name, all.items ? (const void *) all.items : "",
			    all.count * sizeof(*all.items), 0600);
	log_marks_done(&all);
	return r;
}

int log_index_add(int dirfd, const char *name, const struct log_mark *mark, uint64_t floor)
{
	_cleanup_close_ int fd = sys(
		openat(dirfd, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
	struct stat st;
	int r = fd < 0 ? fd : sys(fstat(fd, &st));

	if (r < 0) {
		return r;
	}
	if ((size_t) st.st_size >= BYTES_MAX) {
		return -EFBIG;
	}
	if (st.st_size % (off_t) sizeof(*mark)) {
		r = sys(ftruncate(fd, st.st_size - st.st_size % (off_t) sizeof(*mark)));
	}
	if (r >= 0) {
		r = write_all(fd, mark, sizeof(*mark));
	}
	if (r >= 0 && (size_t) st.st_size / sizeof(*mark) + 1 >= LOG_MARKS_MAX &&
	    mark->kind != LOG_MARK_MOVING) {
		r = compact(dirfd, name, floor);
	}
	return r;
}

int log_index_lock(int dirfd, const char *name)
{
	int fd = sys(openat(dirfd, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
	int r = fd < 0 ? fd : sys(flock(fd, LOCK_EX));

	if (r < 0) {
		fd_close(fd);
		return r;
	}
	return fd;
}

/* --- questions --- */

static size_t last_start_before(const struct log_marks *m, uint64_t floor)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < m->count && m->items[i].end <= floor; i++) {
		if (m->items[i].kind == LOG_MARK_START) {
			found = i;
		}
	}
	return found;
}

/* Keeps what `keep` says, and always the last. */
static void filter(struct log_marks *m,
		   bool (*keep)(const struct log_mark *mark, size_t i, void *arg), void *arg)
{
	size_t count = 0;

	for (size_t i = 0; i < m->count; i++) {
		if (i + 1 == m->count || keep(&m->items[i], i, arg)) {
			m->items[count++] = m->items[i];
		}
	}
	m->count = count;
}

struct front {
	uint64_t floor;
	size_t start;
};

static bool is_kept_part(const struct log_mark *mark, size_t i, void *arg)
{
	const struct front *f = arg;

	return mark->end > f->floor || i == f->start;
}

/* The older a mark is, the further it may be from the one before. */
struct spacing {
	uint64_t newest_us, before_us; /* the last mark of all, the last one kept */
	uint64_t share; /* of a mark's age */
};

static bool is_spaced(const struct log_mark *mark, size_t i, void *arg)
{
	bool plain = mark->kind == LOG_MARK_TIME || mark->kind == LOG_MARK_MOVED;
	struct spacing *s = arg;

	if (i > 0 && plain &&
	    mark->time_us - s->before_us < (s->newest_us - mark->time_us) / s->share) {
		return false;
	}
	s->before_us = mark->time_us;
	return true;
}

static bool is_recent(const struct log_mark *mark, size_t i, void *arg)
{
	(void) mark;
	return i >= *(const size_t *) arg;
}

void log_marks_thin(struct log_marks *m, uint64_t floor)
{
	struct front front = { floor, last_start_before(m, floor) };
	size_t first;

	filter(m, is_kept_part, &front);
	for (uint64_t share = SPACING; share > 1 && m->count > KEPT_MARKS; share /= 2) {
		struct spacing s = { m->items[m->count - 1].time_us, 0, share };

		filter(m, is_spaced, &s);
	}
	if (m->count > KEPT_MARKS) { /* nothing but starts and exits */
		first = m->count - KEPT_MARKS;
		filter(m, is_recent, &first);
	}
}

uint64_t log_marks_since(const struct log_marks *m, uint64_t time_us)
{
	uint64_t begin = 0;

	for (size_t i = 0; i < m->count && m->items[i].time_us <= time_us; i++) {
		begin = m->items[i].end;
	}
	return begin;
}

uint64_t log_marks_until(const struct log_marks *m, uint64_t time_us)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->items[i].time_us > time_us) {
			return m->items[i].end;
		}
	}
	return UINT64_MAX;
}

const struct log_mark *log_marks_run(const struct log_marks *m, uint64_t n,
				     const struct log_mark **ret_next)
{
	*ret_next = NULL;
	for (size_t i = m->count; i-- > 0;) {
		if (m->items[i].kind != LOG_MARK_START) {
			continue;
		}
		if (--n == 0) {
			return &m->items[i];
		}
		*ret_next = &m->items[i];
	}
	return NULL;
}
