/* Logs stay within bounds, and their index is kept.
 *
 * A context writes its log itself, so a talkative one could fill the host's disk. When a log has
 * grown beyond its bound its older half is given back to the file system by punching a hole
 * (fallocate(2)): the writer's descriptor, offset and data in flight stay as they are, no line is
 * copied or lost in between, and readers begin at the first line behind the hole. The file's size
 * goes on growing then; before it reaches what a file system can bear the hole is cut off the
 * front (FALLOC_FL_COLLAPSE_RANGE; whoever appends goes on at the new end). Both may wait for the
 * disk and are left to a worker. What is about to be cut off stands in the index first, so that a
 * new daemon knows which byte is which.
 *
 * inotify says which logs grow; idle logs cost nothing. */
#include "daemon/logs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/log_worker.h"

#define LIMIT_DEFAULT (16ull << 20) /* of a log whose context says file no more */
#define SIZE_MAX_BYTES (4ull << 30) /* of a file, its hole included */
#define SIZE_CRITICAL (1ull << 40) /* ext3's end is at 2 TiB, ext4's at 16 */
#define SPARE_BYTES (64ull << 20) /* on disk beyond what is kept: file systems allocate ahead */
#define BLOCK_DEFAULT 4096u
#define MARK_EVERY_US 1000000ull
#define LOOK_AFTER_US (20ull * 1000) /* how long growth goes unseen */
#define FOLLOWED_AFTER_US (2ull * 1000) /* the same while somebody follows */
#define READS_MAX 16 /* of events, in one look */
#define ROOM_MS 1000 /* a start waits for an order at most, where there would be no room */
#define ROOM_ORDERS 3 /* to punch, to cut off, once more */

struct logs {
	int inotify, index_dirfd;
	sd_event_source *grow, *look;
	struct log_worker *worker;
	struct log_list busy;
	uint64_t orders;
	unsigned round, followers;
};

int log_file_open(struct manager *m, const char *name, int flags)
{
	char file[SPEC_NAME_MAX + 8];

	(void) snprintf(file, sizeof(file), "%s.log", name);
	return sys(openat(m->log_dirfd, file,
			  flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
}

static uint64_t realtime_us(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* --- the index --- */

static int add_mark(struct log *l, enum log_mark_kind kind, uint64_t time_us, uint64_t end,
		    uint64_t base, uint32_t value)
{
	struct log_mark mark = { .time_us = time_us > l->last.time_us ? time_us : l->last.time_us,
				 .end = end > l->last.end ? end : l->last.end,
				 .base = base,
				 .kind = kind,
				 .value = value };
	int r = log_index_add(l->manager->logs->index_dirfd, l->context->name, &mark, l->floor);

	if (r < 0 && !l->warned) {
		log_warning("%s: the index of its log: %s", l->context->name, strerror(-r));
	}
	l->warned = r < 0;
	l->last = mark;
	return r;
}

int log_marks(struct log *l, struct log_marks *ret)
{
	*ret = (struct log_marks){};
	return l->context ? log_index_read(l->manager->logs->index_dirfd, l->context->name, ret)
			  : 0;
}

/* Notes the length as of the last look that was not noted then, and that of now, a second apart. */
static void note_growth(struct log *l, uint64_t time_us, uint64_t end)
{
	if (end == l->seen_end) {
		return;
	}
	if (time_us >= l->last.time_us + MARK_EVERY_US && l->seen_end > l->last.end) {
		(void) add_mark(l, LOG_MARK_TIME, l->seen_us, l->seen_end, l->base, 0);
	}
	if (time_us >= l->last.time_us + MARK_EVERY_US) {
		(void) add_mark(l, LOG_MARK_TIME, time_us, end, l->base, 0);
	}
	l->seen_end = end;
	l->seen_us = time_us;
}

/* Positions go on behind what was there before. */
static void move_base(struct log *l, uint64_t base, uint32_t why)
{
	l->base = l->floor = base;
	if (l->seen_end < base) {
		l->seen_end = base;
	}
	(void) add_mark(l, LOG_MARK_MOVED, realtime_us(), l->seen_end, base, why);
}

static void note(struct log *l, const struct stat *st)
{
	uint64_t size = st->st_size > 0 ? (uint64_t) st->st_size : 0;

	if (l->base + size < l->seen_end) { /* somebody has cut it */
		move_base(l, l->seen_end, LOG_CUT_BY_OTHERS);
	}
	note_growth(l,
		    (uint64_t) st->st_mtim.tv_sec * 1000000 + (uint64_t) st->st_mtim.tv_nsec / 1000,
		    l->base + size);
}

/* --- orders to the worker --- */

bool log_is_still(const struct log *l)
{
	return l->order_id == 0 || l->order_kind != LOG_ORDER_COLLAPSE;
}

static void order(struct log *l, enum log_order_kind kind, uint64_t length, int fd)
{
	struct logs *logs = l->manager->logs;
	struct log_order o = { .id = ++logs->orders, .kind = kind, .length = length };
	_cleanup_close_ int lock = -1;
	int r = 0;

	if (kind == LOG_ORDER_COLLAPSE) {
		lock = log_index_lock(logs->index_dirfd, l->context->name);
		r = lock < 0 ? lock
			     : add_mark(l, LOG_MARK_MOVING, realtime_us(), l->seen_end,
					l->base + length, 0);
		(void) fault_point("log-moving", NULL);
	}
	if (r >= 0) {
		r = log_worker_order(logs->worker, &o, fd, lock);
	}
	if (r < 0) { /* it is tried again when the log grows */
		log_debug("%s: shortening its log: %s", l->context->name, strerror(-r));
		return;
	}
	l->order_id = o.id;
	l->order_kind = kind;
	l->order_end = l->base + length;
	l->refs++;
	LIST_INSERT_HEAD(&logs->busy, l, busy);
	if (kind == LOG_ORDER_PUNCH) {
		l->floor = l->order_end;
	}
}

static uint64_t limit_of(const struct log *l)
{
	const struct spec *s = l->context ? context_spec(l->context) : NULL;

	return s && s->context.log == SPEC_LOG_FILE ? s->context.log_bytes : LIMIT_DEFAULT;
}

/* Orders what the file needs most, if anything. */
static void bound(struct log *l, int fd, const struct stat *st)
{
	uint64_t limit = limit_of(l), size = (uint64_t) st->st_size;
	uint64_t block = (uint64_t) st->st_blksize, disk = (uint64_t) st->st_blocks * 512;
	uint64_t hole = l->floor - l->base, kept = size > hole ? size - hole : 0;
	uint64_t most = 4 * limit > SIZE_MAX_BYTES ? 4 * limit : SIZE_MAX_BYTES;

	if (disk <= kept + limit / 4 + SPARE_BYTES) {
		l->spare_tried = 0;
	}
	if (block & (block - 1) || block < 512 || block > 16u << 20) {
		block = BLOCK_DEFAULT;
	}
	if (kept > limit && (size - limit / 2) / block * block > hole) {
		order(l, LOG_ORDER_PUNCH, (size - limit / 2) / block * block, fd);
	} else if (disk > kept + limit / 4 + SPARE_BYTES && disk > l->spare_tried + SPARE_BYTES) {
		l->spare_tried = disk;
		order(l, LOG_ORDER_SPARE, hole / block * block, fd);
	} else if (size > most && hole >= block && !l->unmovable) {
		order(l, LOG_ORDER_COLLAPSE, (hole < size ? hole : size - 1) / block * block, fd);
	} else if (size > SIZE_CRITICAL && size > most && l->unmovable && log_worker_on_ext(fd)) {
		order(l, LOG_ORDER_EMPTY, 0, fd);
	}
}

void log_look(struct log *l)
{
	_cleanup_close_ int fd = -1;
	uint64_t end = l->seen_end;
	struct stat st;

	if (!l->context || !log_is_still(l)) {
		return;
	}
	fd = log_file_open(l->manager, l->context->name, O_RDWR);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		return;
	}
	note(l, &st);
	if (l->order_id == 0 && l->manager->logs->worker) { /* recovery: logs_watch() comes */
		bound(l, fd, &st);
	}
	if (end != l->seen_end) {
		log_readers_wake(l);
	}
}

/* Whether the front of `length` bytes is still there: a hole, before the first data. */
static bool has_front(int fd, uint64_t length)
{
	off_t data = lseek(fd, 0, SEEK_DATA);

	if (data < 0) {
		data = lseek(fd, 0, SEEK_END);
	}
	return data >= 0 && (uint64_t) data > length / 2;
}

/* A collapse whose answer nobody heard. */
static void settle_move(struct log *l, uint64_t old_base, uint64_t new_base)
{
	_cleanup_close_ int fd = log_file_open(l->manager, l->context->name, O_RDONLY);
	bool done = fd < 0 || !has_front(fd, new_base - old_base);

	l->base = done ? new_base : old_base;
	(void) add_mark(l, LOG_MARK_MOVED, realtime_us(), l->last.end, l->base, 0);
}

static void moved(struct log *l, int64_t result)
{
	if (result < 0) {
		log_debug("%s: cutting the front of its log: %s", l->context->name,
			  strerror((int) -result));
		l->unmovable = true;
	} else {
		l->base = l->order_end;
		(void) fault_point("log-moved", NULL);
	}
	(void) add_mark(l, LOG_MARK_MOVED, realtime_us(), l->seen_end, l->base, 0);
}

/* @a NULL: the worker died before it answered. */
static void settle(struct log *l, const struct log_answer *a)
{
	LIST_REMOVE(l, busy);
	l->order_id = 0;
	if (!l->context) {
		return;
	}
	if (l->order_kind == LOG_ORDER_COLLAPSE && a) {
		moved(l, a->result);
	} else if (l->order_kind == LOG_ORDER_COLLAPSE) {
		settle_move(l, l->base, l->order_end);
	} else if (l->order_kind == LOG_ORDER_EMPTY && a && a->result >= 0) {
		move_base(l, l->base + a->size, 0);
	} else if (l->order_kind == LOG_ORDER_PUNCH && a && a->result < 0) {
		/* a file system without holes: better an empty log than a full disk */
		_cleanup_close_ int fd = log_file_open(l->manager, l->context->name, O_RDWR);

		log_warning("%s: bounding its log: %s", l->context->name,
			    strerror((int) -a->result));
		if (fd >= 0) {
			order(l, LOG_ORDER_EMPTY, 0, fd);
		}
		return;
	}
	log_look(l);
	log_readers_wake(l);
}

static void on_answer(const struct log_answer *a, void *arg)
{
	struct manager *m = arg;
	struct log *l, *next;

	for (l = LIST_FIRST(&m->logs->busy); l; l = next) {
		next = LIST_NEXT(l, busy);
		if (a->id == 0 || a->id == l->order_id) {
			settle(l, a->id ? a : NULL);
			log_unref(l);
		}
	}
}

/* --- one log --- */

/* What an earlier daemon knew of it. */
static void load(struct log *l)
{
	struct logs *logs = l->manager->logs;
	_cleanup_close_ int fd = log_file_open(l->manager, l->context->name, O_RDONLY);
	struct log_mark last[2] = {}, move[2];
	int n = log_index_last(logs->index_dirfd, l->context->name, last);
	struct stat st;
	off_t data;

	if (n < 0) {
		log_warning("%s: the index of its log: %s; it begins anew", l->context->name,
			    strerror(-n));
		(void) unlinkat(logs->index_dirfd, l->context->name, 0);
	}
	l->last = last[1];
	l->base = last[1].base;
	l->seen_end = last[1].end;
	l->seen_us = last[1].time_us;
	if (n > 0 && log_index_move(logs->index_dirfd, l->context->name, move)) {
		/* a worker of a daemon that died may be at it: it holds the lock */
		fd_close(log_index_lock(logs->index_dirfd, l->context->name));
		settle_move(l, move[0].base, move[1].base);
	}
	l->floor = l->base;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
		data = lseek(fd, 0, SEEK_DATA);
		l->floor += (uint64_t) (data < 0 ? st.st_size : data);
	}
}

struct log *log_get(struct context *c)
{
	struct log *l = c->log;

	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l) {
			return NULL;
		}
		l->manager = c->manager;
		l->context = c;
		l->refs = 1;
		LIST_INIT(&l->readers);
		load(l);
		c->log = l;
	}
	l->refs++;
	return l;
}

void log_unref(struct log *l)
{
	if (l && --l->refs == 0) {
		free(l);
	}
}

void logs_drop(struct context *c)
{
	struct log *l = TAKE_PTR(c->log);

	if (!l) {
		return;
	}
	l->context = NULL;
	log_readers_wake(l);
	log_unref(l);
}

void logs_mark(struct context *c, enum log_mark_kind kind, uint32_t value)
{
	struct log *l = log_get(c);

	if (!l) {
		return;
	}
	log_look(l);
	(void) add_mark(l, kind, realtime_us(), l->seen_end, l->base, value);
	l->marks++;
	log_readers_wake(l);
	log_unref(l);
}

void logs_make_room(const struct context *c)
{
	const struct log *l = c->log;

	for (int i = 0;
	     l && l->order_id && l->seen_end - l->base > SIZE_CRITICAL && i < ROOM_ORDERS; i++) {
		log_worker_wait(c->manager->logs->worker, ROOM_MS);
	}
}

void logs_remove(struct manager *m, const char *name)
{
	char file[SPEC_NAME_MAX + 8];
	struct context *c = registry_lookup(m, name);

	if (c) {
		logs_drop(c);
	}
	(void) snprintf(file, sizeof(file), "%s.log", name);
	(void) unlinkat(m->log_dirfd, file, 0);
	(void) unlinkat(m->logs->index_dirfd, name, 0);
}

/* --- all of them --- */

static void look_at(struct context *c, void *arg)
{
	struct log *l = log_get(c);

	(void) arg;
	if (l && l->round != c->manager->logs->round) {
		l->round = c->manager->logs->round;
		log_look(l);
	}
	log_unref(l);
}

static void look_at_name(struct manager *m, const char *file)
{
	const char *end = strrchr(file, '.');
	char name[SPEC_NAME_MAX + 1];
	struct context *c;

	if (!end || !str_equal(end, ".log") || end - file > SPEC_NAME_MAX) {
		return;
	}
	(void) snprintf(name, sizeof(name), "%.*s", (int) (end - file), file);
	c = registry_lookup(m, name);
	if (c) {
		look_at(c, NULL);
	}
}

static int on_look(sd_event_source *source, uint64_t now, void *userdata)
{
	_Alignas(struct inotify_event) char block[16384];
	struct manager *m = userdata;

	(void) source;
	(void) now;
	m->logs->round++;
	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = read(m->logs->inotify, block, sizeof(block));

		for (ssize_t at = 0; at + (ssize_t) sizeof(struct inotify_event) <= n;) {
			const struct inotify_event *ev = (const void *) (block + at);

			if (ev->mask & IN_Q_OVERFLOW) {
				registry_each(m, look_at, NULL);
			} else if (ev->len) {
				look_at_name(m, ev->name);
			}
			at += (ssize_t) (sizeof(*ev) + ev->len);
		}
		if (n <= 0) {
			break;
		}
	}
	return sd_event_source_set_enabled(m->logs->grow, SD_EVENT_ON);
}

void logs_followed(struct manager *m, int count)
{
	m->logs->followers += (unsigned) count;
}

/* Something grew: look at it in a moment, together with what grows until then. */
static int on_growth(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;
	int r = sd_event_source_set_enabled(source, SD_EVENT_OFF);

	(void) fd;
	(void) revents;
	if (r >= 0) {
		r = sd_event_source_set_time_relative(m->logs->look, m->logs->followers
									     ? FOLLOWED_AFTER_US
									     : LOOK_AFTER_US);
	}
	return r < 0 ? r : sd_event_source_set_enabled(m->logs->look, SD_EVENT_ONESHOT);
}

static int watch(struct manager *m)
{
	struct logs *logs = m->logs;
	char path[32];
	int r;

	logs->inotify = sys(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	r = logs->inotify;
	if (r >= 0) {
		(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", m->log_dirfd);
		r = sys(inotify_add_watch(logs->inotify, path, IN_MODIFY));
	}
	if (r >= 0) {
		r = sd_event_add_io(m->loop, &logs->grow, logs->inotify, EPOLLIN, on_growth, m);
	}
	if (r >= 0) {
		r = sd_event_add_time_relative(m->loop, &logs->look, CLOCK_MONOTONIC, 0, 0, on_look,
					       m);
	}
	return r < 0 ? r : log_worker_new(m->loop, on_answer, m, &logs->worker);
}

int logs_open(struct manager *m, struct err *e)
{
	struct logs *logs = calloc(1, sizeof(*logs));
	_cleanup_free_ char *path = NULL;

	if (!logs || asprintf(&path, "%s/logs/index", m->state_dir) < 0) {
		free(logs);
		path = NULL;
		return err_set(e, -ENOMEM, "opening the logs: out of memory");
	}
	logs->inotify = -1;
	logs->round = 1;
	LIST_INIT(&logs->busy);
	m->logs = logs;
	logs->index_dirfd = dir_make_open(path, 0700);
	if (logs->index_dirfd < 0) {
		return err_set_errno(e, logs->index_dirfd, "opening %s", path);
	}
	(void) file_sweep_at(logs->index_dirfd, ".");
	return 0;
}

static void look_at_running(struct context *c, void *arg)
{
	if (c->state != LIFE_STOPPED || c->log) {
		look_at(c, arg);
	}
}

int logs_watch(struct manager *m, struct err *e)
{
	int r = watch(m);

	if (r < 0) {
		return err_set_errno(e, r, "watching %s/logs", m->state_dir);
	}
	registry_each(m, look_at_running, NULL); /* they wrote while no daemon looked */
	return 0;
}

static void note_last(struct context *c, void *arg)
{
	struct log *l = c->log;

	(void) arg;
	if (l && log_is_still(l) && l->seen_end > l->last.end) {
		(void) add_mark(l, LOG_MARK_TIME, l->seen_us, l->seen_end, l->base, 0);
	}
}

void logs_close(struct manager *m)
{
	struct logs *logs = m->logs;

	if (!logs) {
		return;
	}
	registry_each(m, note_last, NULL);
	for (struct log *l; (l = LIST_FIRST(&logs->busy));) {
		LIST_REMOVE(l, busy);
		l->order_id = 0;
		log_unref(l);
	}
	sd_event_source_disable_unref(logs->grow);
	sd_event_source_disable_unref(logs->look);
	log_worker_free(logs->worker);
	fd_close(logs->inotify);
	fd_close(logs->index_dirfd);
	free(logs);
	m->logs = NULL;
}
