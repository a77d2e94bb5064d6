/* Opening and closing the manager: the directories, the rooms in their order, then recovery of what
 * an earlier daemon left running, then the declared contexts. */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/budget.h"
#include "daemon/doctor.h"
#include "daemon/journald.h"
#include "daemon/logs.h"
#include "daemon/tidy.h"
#include "daemon/watch_limits.h"

static int open_directories(struct manager *m, const struct manager_config *config, struct err *e)
{
	_cleanup_free_ char *journal = NULL, *logs = NULL;

	m->config_dir = strdup(config->config_dir);
	m->state_dir = strdup(config->state_dir);
	m->run_dir = strdup(config->run_dir);
	m->journal_stdout = strdup(config->journal_stdout);
	if (!m->config_dir || !m->state_dir || !m->run_dir || !m->journal_stdout ||
	    asprintf(&journal, "%s/contexts", m->run_dir) < 0 ||
	    asprintf(&logs, "%s/logs", m->state_dir) < 0) {
		return err_set(e, -ENOMEM, "opening the daemon's directories: out of memory");
	}
	m->config_dirfd = dir_make_open(m->config_dir, 0755);
	if (m->config_dirfd < 0) {
		return err_set_errno(e, m->config_dirfd, "opening %s", m->config_dir);
	}
	m->journal_dirfd = dir_make_open(journal, 0700);
	if (m->journal_dirfd < 0) {
		return err_set_errno(e, m->journal_dirfd, "opening %s", journal);
	}
	m->log_dirfd = dir_make_open(logs, 0700);
	if (m->log_dirfd < 0) {
		return err_set_errno(e, m->log_dirfd, "opening %s", logs);
	}
	return logs_open(m, e);
}

static void probe(struct manager *m)
{
	doctor_probe(&m->facts);
	context_probe(&m->facts);
	fs_probe(&m->facts, m->state_dir);
	netctl_probe(&m->facts);
	sched_probe(&m->facts);
}

static int open_events(struct manager *m, const struct manager_config *config, struct err *e)
{
	_cleanup_free_ char *directory = NULL, *boot = NULL;
	uint64_t segments = config->history_bytes / HISTORY_SEGMENT_BYTES;
	struct history_config c = { .segment_bytes = HISTORY_SEGMENT_BYTES,
				    .segments = (unsigned) segments };
	struct history *history = NULL;
	int r;

	if (segments < 2) {
		c.segments = 2;
		c.segment_bytes = config->history_bytes / 2;
	}
	if (file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &boot, NULL) >= 0) {
		boot[strcspn(boot, "\n")] = '\0';
	}
	if (asprintf(&directory, "%s/events", m->state_dir) < 0) {
		return err_set(e, -ENOMEM, "opening the events' history: out of memory");
	}
	c.directory = directory;
	c.boot = boot ? boot : "";
	r = history_open(&c, &history, e);
	if (r < 0) {
		return r;
	}
	r = events_new(history, &m->events);
	if (r < 0) {
		history_close(history);
		return err_set_errno(e, r, "making the event ring");
	}
	if (config->journal &&
	    journald_new(m->events, m->loop, config->journal, &m->journald, e) < 0) {
		log_warning("%s", e->text);
		*e = (struct err){};
	}
	return limits_init(m, e);
}

static int open_network(struct manager *m, const char *instance, struct err *e)
{
	unsigned level = 0;
	int cgroup = sched_host_cgroup2(m->sched, &level);

	return netctl_host_new(instance, cgroup, level, &m->net, e);
}

/* Interfaces came or went. */
static int on_links(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;
	struct err e = {};

	(void) source;
	(void) fd;
	(void) revents;
	if (netctl_watch(m->net, &e) < 0) {
		log_warning("%s", e.text);
	}
	return 0;
}

static int watch_links(struct manager *m, struct err *e)
{
	int fd = netctl_watch_fd(m->net);
	int r = fd < 0 ? 0 : sd_event_add_io(m->loop, &m->links, fd, EPOLLIN, on_links, m);

	return r < 0 ? err_set_errno(e, r, "watching the host's interfaces") : 0;
}

static int open_rooms(struct manager *m, const struct manager_config *config, struct err *e)
{
	int r = open_events(m, config, e);

	if (r < 0) {
		return r;
	}
	r = sched_host_new(config->instance, &m->facts, &m->sched, e);
	if (r < 0) {
		return r;
	}
	r = open_network(m, config->instance, e);
	if (r >= 0) {
		r = netctl_links(m->net, config->instance, &m->host_file, e);
	}
	if (r < 0) {
		return r;
	}
	r = context_host_new(config->init_path, config->profile_dir, config->ids_first,
			     config->ids_total, &m->host, e);
	if (r < 0) {
		return r;
	}
	return fs_host_new(m->state_dir, m->run_dir, &m->facts, &m->fs, e);
}

/* The host's files changed. What is masked of them is worked out a moment later, not at the next
 * start; a package manager at work changes many, and each time costs a walk. */
#define SETTLE_US (500ull * 1000)

static int on_host_changed(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;
	int r = sd_event_source_set_enabled(source, SD_EVENT_OFF);

	(void) fd;
	(void) revents;
	if (r >= 0) {
		r = sd_event_source_set_time_relative(m->host_settled, SETTLE_US);
	}
	return r < 0 ? r : sd_event_source_set_enabled(m->host_settled, SD_EVENT_ONESHOT);
}

static int watch_host(struct manager *m)
{
	int fd = fs_host_watch_fd(m->fs);

	m->host_watch = sd_event_source_disable_unref(m->host_watch);
	if (fd < 0) {
		return 0;
	}
	return sd_event_add_io(m->loop, &m->host_watch, fd, EPOLLIN, on_host_changed, m);
}

static int on_host_settled(sd_event_source *source, uint64_t now, void *userdata)
{
	struct manager *m = userdata;
	struct err e = {};

	(void) source;
	(void) now;
	if (fs_host_refresh(m->fs, &e) < 0) {
		log_warning("looking at the host's files again: %s", e.text);
	}
	if (watch_host(m) < 0) {
		log_warning("watching the host's files: the next start looks at them");
	}
	return 0;
}

static int watch_host_first(struct manager *m, struct err *e)
{
	int r = sd_event_add_time_relative(m->loop, &m->host_settled, CLOCK_MONOTONIC, 0, 0,
					   on_host_settled, m);

	if (r >= 0) {
		r = sd_event_source_set_enabled(m->host_settled, SD_EVENT_OFF);
	}
	if (r >= 0) {
		r = watch_host(m);
	}
	return r < 0 ? err_set_errno(e, r, "watching the host's files") : 0;
}

/* A declared context with addresses: its start is not to wait for the filter, or what counts. */
static void warm_network(struct context *c, void *arg)
{
	struct manager *m = arg;

	if (c->declared && c->declared->network.addresses.count) {
		netctl_warm(m->net, c->declared->network.mode == SPEC_NETWORK_PRIVATE);
	}
}

int manager_new(const struct manager_config *config, sd_event *loop, struct manager **ret,
		struct err *e)
{
	struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		return err_set(e, -ENOMEM, "starting: out of memory");
	}
	m->config_dirfd = m->journal_dirfd = m->log_dirfd = -1;
	m->notify_dirfd = m->netns_fd = -1;
	m->host_mounts_fd = config->host_mounts_fd;
	m->loop = sd_event_ref(loop);
	m->pool.target = config->seats;
	m->next_slot = 1;
	seats_init(m);
	tally_init(m);
	r = open_directories(m, config, e);
	if (r >= 0) {
		host_file_read(m);
		probe(m);
		r = open_rooms(m, config, e);
	}
	if (r >= 0) {
		r = governor_new(m, e);
	}
	if (r >= 0) {
		r = ending_init(m);
		if (r < 0) {
			(void) err_set_errno(e, r, "watching %s/contexts", m->run_dir);
		}
	}
	if (r >= 0) {
		r = recover(m, e);
	}
	if (r >= 0) {
		r = watch_links(m, e);
	}
	if (r >= 0) {
		r = watch_host_first(m, e);
	}
	if (r >= 0) {
		r = logs_watch(m, e);
	}
	if (r < 0) {
		manager_free(m);
		return r;
	}
	registry_read_config(m);
	registry_drop_undeclared(m);
	registry_each(m, warm_network, m);
	autostart_begin(m);
	*ret = m;
	return 0;
}

int manager_loop(struct manager *m)
{
	int r = 0, code = 0;

	while (r >= 0 && sd_event_get_state(m->loop) != SD_EVENT_FINISHED) {
		r = sd_event_prepare(m->loop);
		if (r == 0) {
			governor_sleeps(m);
			r = sd_event_wait(m->loop, UINT64_MAX);
		}
		governor_wakes(m);
		if (r > 0) {
			r = sd_event_dispatch(m->loop);
		}
	}
	if (r >= 0) {
		r = sd_event_get_exit_code(m->loop, &code);
	}
	return r < 0 ? r : code;
}

void manager_free(struct manager *m)
{
	if (!m) {
		return;
	}
	m->closing = true;
	batches_done(m);
	logs_close(m);
	registry_done(m); /* launches under way give their seats back */
	limits_done(m);
	seats_done(m);
	ending_done(m);
	numbers_done(m);
	governor_free(m);
	sd_event_source_disable_unref(m->dying_timer);
	sd_event_source_disable_unref(m->links);
	sd_event_source_disable_unref(m->host_watch);
	sd_event_source_disable_unref(m->host_settled);
	fs_host_free(m->fs);
	context_host_free(m->host);
	tidy_done(m);
	netctl_host_free(m->net);
	sched_host_free(m->sched);
	journald_free(m->journald);
	events_free(m->events);
	owners_free(m->owners);
	fd_close(m->config_dirfd);
	fd_close(m->journal_dirfd);
	fd_close(m->log_dirfd);
	fd_close(m->notify_dirfd);
	fd_close(m->netns_fd);
	sd_event_unref(m->loop);
	free(m->config_dir);
	free(m->state_dir);
	free(m->run_dir);
	free(m->journal_stdout);
	free(m);
}

const struct facts *manager_facts(const struct manager *m)
{
	return &m->facts;
}

struct events *manager_events(struct manager *m)
{
	return m->events;
}
