/* Running hooks. The daemon waits for nothing: a pidfd tells the end, a pipe brings the output, a
 * timer bounds both. The output goes into the context's log; its last lines are kept for the
 * message of a hook that fails. */
#include "daemon/hooks.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/logs.h"

#define TAIL_MAX 400 /* bytes of output that a message may hold */
#define TIMER_SLACK_US 50000
#define DRAIN_MAX (256u << 10) /* bytes taken after its end: somebody else may go on writing */

struct hooks {
	struct context *context;
	/* the one that runs; HOOK_COUNT: none does */
	enum hook_kind kind;
	hooks_done done;
	int pidfd, out, log; /* -1 until it was begun; `out` and `log` also when that failed */
	unsigned slot;
	sd_event_source *begin, *exit, *output, *timer;
	bool late, killed;
	char tail[TAIL_MAX];
	size_t tail_len;
	/* of this life */
	unsigned finished; /* 1 << enum hook_kind */
	char *warning;
};

const char *hooks_name(enum hook_kind kind)
{
	static const char *const names[] = {
		[HOOK_BEFORE_START] = "before-start",
		[HOOK_AFTER_READY] = "after-ready",
		[HOOK_BEFORE_STOP] = "before-stop",
		[HOOK_AFTER_STOP] = "after-stop",
		[HOOK_COUNT] = "none",
	};

	return names[kind];
}

static const struct strv *argv_of(const struct spec *s, enum hook_kind kind)
{
	switch (kind) {
	case HOOK_BEFORE_START:
		return &s->hooks.before_start;
	case HOOK_AFTER_READY:
		return &s->hooks.after_ready;
	case HOOK_BEFORE_STOP:
		return &s->hooks.before_stop;
	case HOOK_AFTER_STOP:
	case HOOK_COUNT:
		break;
	}
	return &s->hooks.after_stop;
}

bool hooks_wanted(const struct context *c, enum hook_kind kind)
{
	return c->active && argv_of(c->active, kind)->count > 0 && !hooks_finished(c, kind);
}

bool hooks_finished(const struct context *c, enum hook_kind kind)
{
	return c->hooks && c->hooks->finished & 1u << kind;
}

bool hooks_running(const struct context *c, enum hook_kind kind)
{
	return c->hooks && c->hooks->kind == kind;
}

const char *hooks_warning(const struct context *c)
{
	return c->hooks ? c->hooks->warning : NULL;
}

/* --- the end --- */

/* Lets go of the process, dead or not, and of what it left. */
static void release(struct hooks *h)
{
	h->begin = sd_event_source_disable_unref(h->begin);
	h->exit = sd_event_source_disable_unref(h->exit);
	h->output = sd_event_source_disable_unref(h->output);
	h->timer = sd_event_source_disable_unref(h->timer);
	h->out = fd_close(h->out);
	h->log = fd_close(h->log);
	if (h->slot) {
		(void) sched_slot_kill(h->context->manager->sched, h->slot);
		ending_bury_process(h->context->manager, TAKE_FD(h->pidfd), h->slot);
	}
	h->slot = 0;
	h->kind = HOOK_COUNT;
}

void hooks_drop(struct context *c)
{
	if (c->hooks && c->hooks->kind != HOOK_COUNT) {
		release(c->hooks);
	}
}

void hooks_free(struct context *c)
{
	if (!c->hooks) {
		return;
	}
	release(c->hooks);
	free(c->hooks->warning);
	free(c->hooks);
	c->hooks = NULL;
}

static void kill_hook(struct hooks *h)
{
	h->killed = true;
	if (h->slot) { /* by both: it may not have entered its slot yet */
		(void) sched_slot_kill(h->context->manager->sched, h->slot);
		(void) proc_pidfd_signal(h->pidfd, SIGKILL);
	}
}

/* ": its last lines" as far as they are text. */
static void add_tail(const struct hooks *h, struct buf *out)
{
	size_t len = h->tail_len;
	bool gap = true;

	while (len > 0 && (h->tail[len - 1] == '\n' || h->tail[len - 1] == ' ')) {
		len--;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char ch = (unsigned char) h->tail[i];
		char shown[] = { (char) (ch < 0x20 || ch >= 0x7f ? '?' : ch), '\0' };

		if (gap) {
			buf_puts(out, i ? "; " : ": ");
		}
		gap = ch == '\n';
		if (!gap) {
			buf_puts(out, shown);
		}
	}
}

static void explain(const struct hooks *h, const siginfo_t *info, struct err *e)
{
	const struct context *c = h->context;
	const char *program = argv_of(c->active, h->kind)->items[0];
	char time[UNITS_TEXT_MAX];
	struct buf tail = {};

	add_tail(h, &tail);
	if (h->late) {
		(void) err_set(e, -ETIMEDOUT, "hook %s, %s: killed after %s%s", hooks_name(h->kind),
			       program, units_print_duration(c->active->hooks.timeout_us, time),
			       tail.data ?: "");
	} else if (h->killed) {
		(void) err_set(e, -EINTR, "hook %s, %s: killed: it was in the way of a stop",
			       hooks_name(h->kind), program);
	} else if (info->si_code == CLD_EXITED && info->si_status) {
		(void) err_set(e, -EIO, "hook %s, %s: failed with status %d%s", hooks_name(h->kind),
			       program, info->si_status, tail.data ?: "");
	} else if (info->si_code != CLD_EXITED) {
		(void) err_set(e, -EIO, "hook %s, %s: killed by signal %s%s", hooks_name(h->kind),
			       program, units_print_signal(info->si_status), tail.data ?: "");
	}
	buf_done(&tail);
}

/* It is over: this is noted, failures are told, and its owner goes on. May free the context. */
static void finish(struct hooks *h, const struct err *e)
{
	struct context *c = h->context;
	enum hook_kind kind = h->kind;
	hooks_done done = h->done;

	release(h);
	h->finished |= 1u << kind;
	(void) fault_point("hook-finished", NULL);
	if (e->code && kind != HOOK_BEFORE_START) {
		log_warning("%s: %s", c->name, e->text);
		(void) str_replace(&h->warning, e->text);
		events_add(c->manager->events, "hook", c->name,
			   json_pack("{s:s, s:s}", "hook", hooks_name(kind), "text", e->text));
	}
	if (done) {
		done(c, e);
	}
}

/* --- while it runs --- */

static void keep_tail(struct hooks *h, const char *data, size_t len)
{
	if (len >= TAIL_MAX) {
		memcpy(h->tail, data + len - TAIL_MAX, TAIL_MAX);
		h->tail_len = TAIL_MAX;
		return;
	}
	if (h->tail_len + len > TAIL_MAX) {
		size_t drop = h->tail_len + len - TAIL_MAX;

		memmove(h->tail, h->tail + drop, h->tail_len - drop);
		h->tail_len -= drop;
	}
	memcpy(h->tail + h->tail_len, data, len);
	h->tail_len += len;
}

/* @return how much was there, 0 at the end or when nothing is there now. */
static size_t take_output(struct hooks *h)
{
	char data[4096];
	ssize_t n = read(h->out, data, sizeof(data));

	if (n <= 0) {
		return 0;
	}
	keep_tail(h, data, (size_t) n);
	if (h->log >= 0) {
		(void) write_all(h->log, data, (size_t) n);
	}
	return (size_t) n;
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void) fd;
	if (take_output(userdata) == 0 && revents & EPOLLHUP) {
		(void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	return 0;
}

static int on_exit_of_hook(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct hooks *h = userdata;
	siginfo_t info = {};
	struct err e = {};

	(void) source;
	(void) revents;
	if (waitid(P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0) {
		info.si_code = CLD_KILLED;
		info.si_status = SIGKILL;
	}
	for (size_t n, total = 0; total < DRAIN_MAX && (n = take_output(h)) > 0;) {
		total += n;
	}
	explain(h, &info, &e);
	finish(h, &e);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t now, void *userdata)
{
	struct hooks *h = userdata;

	(void) source;
	(void) now;
	h->late = true;
	kill_hook(h);
	return 0;
}

void hooks_hurry(struct context *c, uint64_t timeout_us)
{
	struct hooks *h = c->hooks;
	uint64_t now, due;

	if (!h || h->kind == HOOK_COUNT) {
		return;
	}
	if (timeout_us == 0 || !h->timer ||
	    sd_event_now(c->manager->loop, CLOCK_MONOTONIC, &now) < 0 ||
	    sd_event_source_get_time(h->timer, &due) < 0) {
		kill_hook(h);
	} else if (now + timeout_us < due) {
		(void) sd_event_source_set_time(h->timer, now + timeout_us);
	}
}

/* --- the start --- */

/* Summary, spec and which hook it is, as a file in memory. */
static int make_input(struct hooks *h, struct err *e)
{
	struct context *c = h->context;
	json_t *o = context_summary(c->manager, c);
	char *text = NULL;
	int fd, r;

	if (o) {
		(void) json_object_set_new(o, "hook", json_string(hooks_name(h->kind)));
		(void) json_object_set_new(o, "spec", spec_write_json(c->active, false));
		text = json_dumps(o, JSON_COMPACT);
		json_decref(o);
	}
	fd = text ? sys(memfd_create("ward-hook", MFD_CLOEXEC)) : -ENOMEM;
	r = fd < 0 ? fd : write_all(fd, text, strlen(text));
	if (r >= 0) {
		r = sys((int) lseek(fd, 0, SEEK_SET));
	}
	free(text);
	if (r < 0) {
		fd_close(fd);
		return err_set_errno(e, r, "hook %s: making its input", hooks_name(h->kind));
	}
	return fd;
}

static int make_output(struct hooks *h, int *ret_write, struct err *e)
{
	struct context *c = h->context;
	int fds[2], r;

	h->log = log_open_remark(c, c->active, e);
	if (h->log < 0 && h->log != -ENODEV) {
		return h->log;
	}
	r = sys(pipe2(fds, O_CLOEXEC));
	if (r >= 0) {
		h->out = fds[0];
		*ret_write = fds[1];
		r = sys(fcntl(h->out, F_SETFL, O_NONBLOCK));
	}
	return r < 0 ? err_set_errno(e, r, "hook %s: making its output", hooks_name(h->kind)) : 0;
}

static int clone_hook(struct hooks *h, int in, int out, struct err *e)
{
	struct context *c = h->context;
	struct manager *m = c->manager;
	struct sched_attach attach = { .clone_into = -1 };
	struct hook_child child = {
		.attach = &attach,
		.argv = argv_of(c->active, h->kind)->items,
		.name = c->name,
		.kind = hooks_name(h->kind),
		.in = in,
		.out = out,
		.mounts = m->host_mounts_fd,
	};
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t) (uintptr_t) &h->pidfd,
		.exit_signal = SIGCHLD,
	};
	int r = context_host_home(m->host, e);

	if (r >= 0) {
		r = sched_slot_open(m->sched, h->slot, &attach, e);
	}
	if (r < 0) {
		return r;
	}
	if (attach.clone_into >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t) attach.clone_into;
	}
	r = proc_clone3(&args);
	if (r == 0) {
		hook_child_run(&child);
	}
	sched_attach_done(&attach);
	return r < 0 ? err_set_errno(e, r, "hook %s: cloning it", child.kind) : 0;
}

static int watch(struct hooks *h, struct err *e)
{
	sd_event *loop = h->context->manager->loop;
	int r = sd_event_add_io(loop, &h->exit, h->pidfd, EPOLLIN, on_exit_of_hook, h);

	if (r >= 0) {
		r = sd_event_add_io(loop, &h->output, h->out, EPOLLIN, on_output, h);
	}
	if (r >= 0) {
		r = sd_event_add_time_relative(loop, &h->timer, CLOCK_MONOTONIC,
					       h->context->active->hooks.timeout_us, TIMER_SLACK_US,
					       on_late, h);
	}
	return r < 0 ? err_set_errno(e, r, "hook %s: watching it", hooks_name(h->kind)) : 0;
}

static int begin(struct hooks *h, struct err *e)
{
	struct manager *m = h->context->manager;
	_cleanup_close_ int in = -1, out = -1;
	int r;

	in = make_input(h, e);
	r = in < 0 ? in : make_output(h, &out, e);
	if (r >= 0) {
		r = sched_slot_create_free(m->sched, m->next_slot, e);
	}
	if (r >= 0) {
		h->slot = m->next_slot++;
		r = fault_point("hook-slot-made", e);
	}
	if (r >= 0) {
		r = clone_hook(h, in, out, e);
	}
	if (r >= 0) {
		r = watch(h, e);
	}
	(void) fault_point("hook-begun", NULL);
	return r;
}

static int on_begin(sd_event_source *source, void *userdata)
{
	struct hooks *h = userdata;
	struct err e = {};

	(void) source;
	h->begin = sd_event_source_disable_unref(h->begin);
	if (h->killed) {
		explain(h, &(siginfo_t){}, &e);
	}
	if (h->killed || begin(h, &e) < 0) {
		finish(h, &e);
	}
	return 0;
}

static struct hooks *get(struct context *c)
{
	if (!c->hooks) {
		c->hooks = calloc(1, sizeof(*c->hooks));
		if (c->hooks) {
			*c->hooks = (struct hooks){
				.context = c, .kind = HOOK_COUNT, .pidfd = -1, .out = -1, .log = -1
			};
		}
	}
	return c->hooks;
}

/* From the loop, so that nobody hears of its end before this has returned, and that a new daemon
 * has swept what is left of the last one's. */
int hooks_run(struct context *c, enum hook_kind kind, hooks_done done)
{
	struct hooks *h = get(c);
	int r;

	if (!h) {
		return -ENOMEM;
	}
	hooks_drop(c);
	r = sd_event_add_defer(c->manager->loop, &h->begin, on_begin, h);
	if (r < 0) {
		return r;
	}
	h->kind = kind;
	h->done = done;
	h->late = h->killed = false;
	h->tail_len = 0;
	return 0;
}

void hooks_reset(struct context *c)
{
	if (c->hooks) {
		hooks_drop(c);
		c->hooks->finished = 0;
		free(TAKE_PTR(c->hooks->warning));
	}
}

void hooks_mark(struct context *c, enum hook_kind kind)
{
	struct hooks *h = get(c);

	if (h) {
		h->finished |= 1u << kind;
	}
}
