/* Bounded logs. A context writes its log itself, so a talkative one could fill the host's disk.
 * When a log has grown beyond its bound its oldest part is given back to the file system by
 * punching a hole (fallocate(2)): the writer's descriptor, offset and data in flight stay as they
 * are, no line is copied or lost in between, and readers begin at the first data. inotify says
 * which logs grow; idle logs cost nothing. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "daemon/core.h"

#define LOG_MAX_BYTES (16ull << 20) /* on disk; beyond it, all but the newest is dropped */
#define LOG_KEPT_BYTES (8ull << 20)
#define LOG_BLOCK 4096ull
#define LOOK_AFTER_US (20ull * 1000) /* how long growth goes unseen */
#define FLOOD_LOOK_AFTER_US (3ull * 1000) /* the same after a log was found too large */
#define READS_MAX 16 /* of events, in one look */

static void trim(struct manager *m, const char *file)
{
	_cleanup_close_ int fd =
		sys(openat(m->log_dirfd, file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
	uint64_t end;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t) st.st_blocks * 512 <= LOG_MAX_BYTES) {
		return;
	}
	end = ((uint64_t) st.st_size - LOG_KEPT_BYTES) / LOG_BLOCK * LOG_BLOCK;
	r = sys(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t) end));
	m->logs_flood = true;
	if (r < 0) { /* a file system without holes: better an empty log than a full disk */
		r = sys(ftruncate(fd, 0));
	}
	if (r < 0) {
		log_warning("bounding %s/logs/%s: %s", m->state_dir, file, strerror(-r));
	}
}

void logs_trim(struct manager *m, const char *name)
{
	char file[SPEC_NAME_MAX + 8];

	(void) snprintf(file, sizeof(file), "%s.log", name);
	trim(m, file);
}

void logs_remove(struct manager *m, const char *name)
{
	char file[SPEC_NAME_MAX + 8];

	(void) snprintf(file, sizeof(file), "%s.log", name);
	(void) unlinkat(m->log_dirfd, file, 0);
}

static void trim_one(struct context *c, void *arg)
{
	logs_trim(arg, c->name);
}

static int on_look(sd_event_source *source, uint64_t now, void *userdata)
{
	_Alignas(struct inotify_event) char block[16384];
	struct manager *m = userdata;
	char last[SPEC_NAME_MAX + 8] = "";

	(void) source;
	(void) now;
	m->logs_flood = false;
	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = read(m->logs_fd, block, sizeof(block));

		for (ssize_t at = 0; at + (ssize_t) sizeof(struct inotify_event) <= n;) {
			const struct inotify_event *ev = (const void *) (block + at);

			if (ev->mask & IN_Q_OVERFLOW) {
				registry_each(m, trim_one, m);
			} else if (ev->len && strncmp(ev->name, last, sizeof(last)) != 0) {
				(void) snprintf(last, sizeof(last), "%s", ev->name);
				trim(m, ev->name);
			}
			at += (ssize_t) (sizeof(*ev) + ev->len);
		}
		if (n <= 0) {
			break;
		}
	}
	return sd_event_source_set_enabled(m->logs_grow, SD_EVENT_ON);
}

/* Something grew: look at it in a moment, together with what grows until then. */
static int on_growth(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;
	int r = sd_event_source_set_enabled(source, SD_EVENT_OFF);

	(void) fd;
	(void) revents;
	if (r >= 0) {
		r = sd_event_source_set_time_relative(m->logs_look, m->logs_flood
									    ? FLOOD_LOOK_AFTER_US
									    : LOOK_AFTER_US);
	}
	return r < 0 ? r : sd_event_source_set_enabled(m->logs_look, SD_EVENT_ONESHOT);
}

int logs_watch(struct manager *m, struct err *e)
{
	char path[32];
	int r;

	m->logs_fd = sys(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	r = m->logs_fd;
	if (r >= 0) {
		(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", m->log_dirfd);
		r = sys(inotify_add_watch(m->logs_fd, path, IN_MODIFY));
	}
	if (r >= 0) {
		r = sd_event_add_io(m->loop, &m->logs_grow, m->logs_fd, EPOLLIN, on_growth, m);
	}
	if (r >= 0) {
		r = sd_event_add_time_relative(m->loop, &m->logs_look, CLOCK_MONOTONIC, 0, 0,
					       on_look, m);
	}
	return r < 0 ? err_set_errno(e, r, "watching %s/logs", m->state_dir) : 0;
}

void logs_unwatch(struct manager *m)
{
	m->logs_grow = sd_event_source_disable_unref(m->logs_grow);
	m->logs_look = sd_event_source_disable_unref(m->logs_look);
	m->logs_fd = fd_close(m->logs_fd);
}
