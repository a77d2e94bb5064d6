/* The end of a context: process 1 is gone, so everything in its pid namespace is. Its exit is read,
 * told to whoever waits, and then its cgroup slot, journal and ids are given back. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "daemon/budget.h"
#include "daemon/launch.h"
#include "daemon/logs.h"
#include "daemon/memory_out.h"
#include "daemon/service.h"
#include "daemon/tell.h"
#include "daemon/tidy.h"
#include "daemon/watch_limits.h"

/* linux/pidfd.h of 6.15; older headers lack it */
#define PIDFD_INFO_EXIT_BIT (1ull << 3)
struct pidfd_exit_info {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_GET_EXIT_INFO _IOWR(0xFF, 11, struct pidfd_exit_info)

/* --- waiters --- */

int waiter_add(struct context *c, const struct waiter *w)
{
	struct waiter *copy = malloc(sizeof(*copy));

	if (!copy) {
		return -ENOMEM;
	}
	*copy = *w;
	STAILQ_INSERT_TAIL(&c->waiters, copy, link);
	return 0;
}

void waiters_call(struct context *c, enum waiter_kind kind, const struct err *e)
{
	struct waiter_list due = STAILQ_HEAD_INITIALIZER(due);
	struct waiter *w, *next;

	for (w = STAILQ_FIRST(&c->waiters); w; w = next) {
		next = STAILQ_NEXT(w, link);
		if (w->kind == kind) {
			STAILQ_REMOVE(&c->waiters, w, waiter, link);
			STAILQ_INSERT_TAIL(&due, w, link);
		}
	}
	while ((w = STAILQ_FIRST(&due))) {
		STAILQ_REMOVE_HEAD(&due, link);
		if (w->started) {
			w->started(w->arg, c, e);
		} else {
			w->done(w->arg, e);
		}
		free(w);
	}
}

struct cancel {
	struct manager *manager;
	void *arg;
};

static void cancel_one(struct context *c, void *arg)
{
	struct waiter *w, *next;

	for (w = STAILQ_FIRST(&c->waiters); w; w = next) {
		next = STAILQ_NEXT(w, link);
		if (w->arg == ((struct cancel *) arg)->arg) {
			STAILQ_REMOVE(&c->waiters, w, waiter, link);
			free(w);
		}
	}
}

void manager_cancel(struct manager *m, void *arg)
{
	registry_each(m, cancel_one, &(struct cancel){ m, arg });
}

/* --- slots --- */

static bool try_remove(struct manager *m, unsigned slot)
{
	int r = sched_slot_remove(m->sched, slot);

	if (r < 0 && r != -EBUSY) {
		log_warning("removing cgroup slot %u: %s", slot, strerror(-r));
	}
	if (r == 0) {
		netctl_gone(m->net, slot); /* not before: who lives without rules is unconfined */
		tidy_soon(m);
	}
	return r != -EBUSY;
}

static int on_dying(sd_event_source *source, uint64_t now, void *userdata)
{
	struct manager *m = userdata;
	size_t kept = 0;

	(void) source;
	(void) now;
	for (size_t i = 0; i < m->dying_count; i++) {
		if (!try_remove(m, m->dying_slots[i])) {
			(void) sched_slot_kill(m->sched, m->dying_slots[i]);
			m->dying_slots[kept++] = m->dying_slots[i];
		}
	}
	m->dying_count = kept;
	if (kept) {
		(void) sd_event_source_set_time_relative(m->dying_timer, 20000);
		(void) sd_event_source_set_enabled(m->dying_timer, SD_EVENT_ONESHOT);
	}
	return 0;
}

/* A process that was exec'ed from outside the pid namespace may die a moment after process 1. */
void ending_remove_slot(struct manager *m, unsigned slot)
{
	int r = 0;

	if (try_remove(m, slot)) {
		return;
	}
	(void) sched_slot_kill(m->sched, slot);
	if (m->dying_count == ARRAY_SIZE(m->dying_slots)) {
		log_warning("cgroup slot %u: too many slots are dying; the next start of the "
			    "daemon removes it",
			    slot);
		return;
	}
	m->dying_slots[m->dying_count++] = slot;
	if (!m->dying_timer) {
		r = sd_event_add_time_relative(m->loop, &m->dying_timer, CLOCK_MONOTONIC, 2000,
					       1000, on_dying, m);
	} else {
		(void) sd_event_source_set_time_relative(m->dying_timer, 2000);
		r = sd_event_source_set_enabled(m->dying_timer, SD_EVENT_ONESHOT);
	}
	if (r < 0) {
		log_warning("cgroup slot %u: arming the timer: %s", slot, strerror(-r));
	}
}

/* --- processes on their way out --- */

/* A seat that never became a context, or process 1 of a context that has ended already. */
struct burial {
	LIST_ENTRY(burial) link;
	struct manager *manager;
	struct seat *seat; /* or NULL: then the next three */
	int pidfd;
	uint32_t ids_first, ids_count; /* to be given back; count 0: none */
	unsigned slot;
	sd_event_source *source;
};

#define DEATH_WAIT_MS 1000 /* at most, where there is no loop to wait in */

static bool is_dead(int pidfd, int wait_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return pidfd < 0 || poll(&p, 1, wait_ms) == 1;
}

static void settle(const struct burial *b)
{
	if (b->seat) {
		seat_free(b->manager->host, b->seat); /* reaps it and gives its ids back */
	} else if (is_dead(b->pidfd, DEATH_WAIT_MS)) {
		(void) waitid(P_PIDFD, (id_t) b->pidfd, &(siginfo_t){}, WEXITED | WNOHANG);
	}
	fd_close(b->pidfd);
	if (b->ids_count) {
		context_ids_release(b->manager->host, b->ids_first, b->ids_count);
	}
	ending_remove_slot(b->manager, b->slot);
}

static void end_burial(struct burial *b)
{
	LIST_REMOVE(b, link);
	sd_event_source_disable_unref(b->source);
	settle(b);
	free(b);
}

static int on_buried(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void) source;
	(void) fd;
	(void) revents;
	end_burial(userdata);
	return 0;
}

/* Settles it now if `pidfd` is dead, else from the loop: dying takes a moment. */
static void bury(const struct burial *what, int pidfd)
{
	struct manager *m = what->manager;
	struct burial *b = m->closing || is_dead(pidfd, 0) ? NULL : malloc(sizeof(*b));

	if (!b) {
		settle(what);
		return;
	}
	*b = *what;
	LIST_INSERT_HEAD(&m->burials, b, link);
	if (sd_event_add_io(m->loop, &b->source, pidfd, EPOLLIN, on_buried, b) < 0) {
		end_burial(b);
	}
}

void ending_bury(struct manager *m, struct seat *s, unsigned slot)
{
	(void) proc_pidfd_signal(s->pidfd, SIGKILL);
	bury(&(struct burial){ .manager = m, .seat = s, .pidfd = -1, .slot = slot }, s->pidfd);
}

void ending_bury_process(struct manager *m, int pidfd, unsigned slot)
{
	(void) proc_pidfd_signal(pidfd, SIGKILL);
	bury(&(struct burial){ .manager = m, .pidfd = pidfd, .slot = slot }, pidfd);
}

void ending_done(struct manager *m)
{
	m->status_watch = sd_event_source_disable_unref(m->status_watch);
	while (!LIST_EMPTY(&m->burials)) {
		end_burial(LIST_FIRST(&m->burials));
	}
}

/* --- contexts --- */

/* How process 1 ended, from the best witness: its status file (written by ward-init about the
 * command), wait(2), or, for a child of an earlier daemon, what the kernel keeps with the pidfd. */
static void read_exit(struct context *c, struct exit_info *x)
{
	struct pidfd_exit_info kept = { .mask = PIDFD_INFO_EXIT_BIT };
	siginfo_t info = {};
	bool waited =
		waitid(P_PIDFD, (id_t) c->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid;

	x->known = true;
	if (journal_status_read(c, &x->code, &x->status) == 0) {
		return;
	}
	if (waited) {
		x->code = info.si_code;
		x->status = info.si_status;
	} else if (ioctl(c->pidfd, PIDFD_GET_EXIT_INFO, &kept) == 0 &&
		   (kept.mask & PIDFD_INFO_EXIT_BIT)) {
		x->code = WIFEXITED(kept.exit_code) ? CLD_EXITED : CLD_KILLED;
		x->status = WIFEXITED(kept.exit_code) ? WEXITSTATUS(kept.exit_code)
						      : WTERMSIG(kept.exit_code);
	} else {
		x->code = CLD_KILLED;
		x->status = SIGKILL;
		(void) snprintf(x->reason, sizeof(x->reason), "lost");
	}
	/* reboot(2) inside: process 1 of a pid namespace dies of these no other way
	 * (pid_namespaces(7)). */
	if (x->code != CLD_EXITED && (x->status == SIGHUP || x->status == SIGINT)) {
		(void) snprintf(x->reason, sizeof(x->reason), "%s",
				x->status == SIGHUP ? "reboot" : "poweroff");
	}
}

void ending_explain(struct context *c, struct exit_info *x)
{
	char limit[UNITS_TEXT_MAX], peak[UNITS_TEXT_MAX];
	struct sched_stats stats;

	if (x->reason[0] == '\0') {
		(void) snprintf(x->reason, sizeof(x->reason), "%s",
				x->code == CLD_EXITED ? "exit" : "signal");
	}
	if (x->code == CLD_EXITED && x->status == 0) {
		return;
	}
	if (sched_slot_stats(c->manager->sched, c->slot, &stats) < 0 ||
	    !memory_out_was_the_end(c, x, stats.oom_kills)) {
		return;
	}
	(void) snprintf(x->reason, sizeof(x->reason), "oom");
	free(x->text);
	x->text = NULL;
	if (asprintf(&x->text, "out of memory: limit %s, peak %s",
		     units_print_human(stats.memory_limit_bytes, limit),
		     units_print_human(stats.memory_peak_bytes, peak)) < 0) {
		x->text = NULL;
	}
}

static void forget_process(struct context *c)
{
	struct burial b = { .manager = c->manager, .slot = c->slot };

	sd_event_source_disable_unref(TAKE_PTR(c->exit_source));
	sd_event_source_disable_unref(TAKE_PTR(c->status_source));
	memory_out_unwatch(c);
	sd_event_source_disable_unref(TAKE_PTR(c->stop_timer));
	limits_unwatch(c);
	governor_end(c);
	free(TAKE_PTR(c->stop_sequence));
	numbers_forget(c);
	c->stop_count = c->stop_next = 0;
	netctl_leaving(c->manager->net, c->slot);
	b.pidfd = TAKE_FD(c->pidfd);
	if (c->ids_owned) {
		b.ids_first = c->ids_first;
		b.ids_count = c->ids_count;
	}
	if (c->slot) {
		bury(&b, b.pidfd);
	} else {
		fd_close(b.pidfd);
	}
	c->ids_owned = false;
	c->slot = 0;
	c->id = (struct proc_id){};
	service_close(c, true);
}

static void note_start_error(struct context *c, const struct err *e)
{
	tally_failed(c);
	c->exit = (struct exit_info){ .known = true, .code = CLD_EXITED, .status = 125 };
	(void) snprintf(c->exit.reason, sizeof(c->exit.reason), "start");
	(void) str_replace(&c->exit.text, e->text);
	c->start_failed = true;
	governor_end(c);
	/* the seat went back with its slot and ids: they are not the context's to give back */
	launch_free(TAKE_PTR(c->launch));
	c->slot = 0;
	c->ids_owned = false;
}

/* Those who wait for a start that did not come to its end. */
static void tell_starters(struct context *c, const struct err *start_error)
{
	struct err e = {};

	if (STAILQ_EMPTY(&c->waiters)) {
		return;
	}
	waiters_call(c, WAITER_RUN, start_error ? start_error : &e);
	waiters_call(c, WAITER_START, start_error ? start_error : service_unready(c, &e));
}

/* Nothing of this life is left: whoever waited for that is told. */
static void close_life(struct context *c)
{
	spec_freep(&c->active);
	c->ending = true;
	waiters_call(c, WAITER_STOP, &(struct err){}); /* last: a waiter may start it again */
	c->ending = false;
	if (!c->declared && c->state == LIFE_STOPPED) {
		registry_remove(c->manager, c);
	}
}

static void after_after_stop(struct context *c, const struct err *e)
{
	(void) e; /* told */
	context_enter(c, LIFE_EXITED);
	again_arm(c); /* a restart that is due had to wait for this */
	service_tell_plan(c);
	journal_end(c);
	close_life(c);
}

void ending_resume(struct context *c)
{
	c->ending = false;
	if (hooks_run(c, HOOK_AFTER_STOP, after_after_stop) < 0) {
		log_error("%s: running its after-stop hook: out of memory", c->name);
		after_after_stop(c, &(struct err){});
	}
}

void ending_finish(struct context *c, const struct err *start_error)
{
	struct session *session = TAKE_PTR(c->session);
	bool stopped = c->state == LIFE_STOPPING;

	c->ending = true;
	free(TAKE_PTR(c->exit.text));
	if (start_error) {
		note_start_error(c, start_error);
	} else {
		c->exit = (struct exit_info){};
		read_exit(c, &c->exit);
		ending_explain(c, &c->exit);
	}
	(void) fault_point("ending-read", NULL);
	limits_last_look(c);
	if (!session && c->active->context.log == SPEC_LOG_FILE) {
		logs_mark(c, LOG_MARK_EXIT, log_exit(c->exit.code != CLD_EXITED, c->exit.status));
	}
	hooks_drop(c);
	context_enter(c, hooks_wanted(c, HOOK_AFTER_STOP) ? LIFE_GONE : LIFE_EXITED);
	service_ended(c, stopped);
	tell_end(c, start_error != NULL);
	if (c->state == LIFE_STOPPED) {
		service_tell_plan(c);
	}
	if (session) {
		session_context_ended(session, c, start_error, c->exec_failed);
	}
	tell_starters(c, start_error);
	journal_end(c); /* soon: without a status file of its own the exit is known to us alone */
	(void) fault_point("ending-journaled", NULL);
	forget_process(c);
	(void) fault_point("ending-slot-removed", NULL);
	if (c->state == LIFE_ENDING) {
		ending_resume(c);
	} else {
		close_life(c);
	}
}

static int on_exit_of_one(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void) source;
	(void) fd;
	(void) revents;
	ending_finish(userdata, NULL);
	return 0;
}

/* A command that somebody waits for has ended when its status is written, not when the kernel has
 * taken all of its context apart; the rest is buried. Not so where what is left may be in the way
 * of the next start, or of whoever wants it stopped. */
static bool ends_with_command(const struct context *c)
{
	const struct spec *s = c->active;

	return c->session && c->throwaway && c->state == LIFE_RUNNING &&
	       !(s->files.mode == SPEC_MODE_COW && s->files.upper == SPEC_UPPER_KEPT);
}

static int on_status_there(sd_event_source *source, void *userdata)
{
	struct context *c = userdata;
	int code, status;

	(void) source;
	if (ends_with_command(c) && journal_status_read(c, &code, &status) == 0) {
		ending_finish(c, NULL);
	}
	return 0;
}

/* A file in RUN/contexts was written to; our own journals are there as well. */
static int on_written(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	char name[SPEC_NAME_MAX + 16];
	const char *suffix = event->len ? strrchr(event->name, '.') : NULL;
	struct context *c;

	if (!suffix || !str_equal(suffix, ".status")) {
		return 0;
	}
	(void) snprintf(name, sizeof(name), "%.*s", (int) (suffix - event->name), event->name);
	c = registry_lookup(userdata, name);
	if (!c) {
		return 0;
	}
	c->status_written = true;
	return c->exit_source ? on_status_there(source, c) : 0;
}

int ending_init(struct manager *m)
{
	/* One watch for all: the last one that goes takes the inotify instance with it, and that
	 * takes the kernel some 10 ms. */
	return sd_event_add_inotify_fd(m->loop, &m->status_watch, m->journal_dirfd, IN_MODIFY,
				       on_written, m);
}

int ending_watch(struct context *c)
{
	sd_event *loop = c->manager->loop;
	int r = sd_event_add_io(loop, &c->exit_source, c->pidfd, EPOLLIN, on_exit_of_one, c);

	if (r >= 0 && c->status_written) { /* it was faster than the news of its start */
		r = sd_event_add_defer(loop, &c->status_source, on_status_there, c);
	}
	return r;
}
