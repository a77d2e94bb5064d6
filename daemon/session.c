/* Sessions: a command that a client waits for, as a context of its own (run) or inside one (exec).
 * The client's descriptors or a pty's master go straight between client and command; the session
 * only tells what became of the command, and hangs it up when the client goes away. */
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "daemon/launch.h"

#define HANGUP_WAIT_US (2ull * 1000000)

struct session {
	struct manager *manager;
	struct context *context; /* of `run`; NULL for exec and after the end */
	const struct session_events *events; /* NULL: the client is gone */
	void *arg;
	bool started, ended;
	/* exec only */
	struct seat *seat;
	int pidfd;
	sd_event_source *source, *timer;
};

int session_name(struct manager *m, const struct spec *spec, char out[static SPEC_NAME_MAX + 1],
		 struct err *e)
{
	if (spec->name[0] == '\0') {
		registry_make_name(m, out);
		return 0;
	}
	if (!spec_name_valid(spec->name)) {
		return err_set(e, -EINVAL,
			       "running \"%s\": not a name; allowed: [a-z0-9][a-z0-9._-]{0,62}",
			       spec->name);
	}
	if (registry_check_free(spec->name, e) < 0) {
		return err_prefix(e, "running %s", spec->name);
	}
	if (manager_find(m, spec->name)) {
		return err_set(e, -EEXIST, "running %s: a context of that name exists", spec->name);
	}
	(void) snprintf(out, SPEC_NAME_MAX + 1, "%s", spec->name);
	return 0;
}

static void close_fds(const struct session_request *request)
{
	for (size_t i = 0; i < ARRAY_SIZE(request->fds); i++) {
		fd_close(request->fds[i]);
	}
}

static struct context_stdio stdio_of(const struct session_request *request)
{
	return (struct context_stdio){
		.in = request->fds[0],
		.out = request->fds[1],
		.err = request->fds[2],
		.terminal = request->terminal,
		.rows = request->rows,
		.cols = request->cols,
	};
}

static struct session *session_new(struct manager *m, const struct session_request *request)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s) {
		s->manager = m;
		s->events = request->events;
		s->arg = request->arg;
		s->pidfd = -1;
	}
	return s;
}

static void session_free(struct session *s)
{
	sd_event_source_disable_unref(s->source);
	sd_event_source_disable_unref(s->timer);
	if (s->seat) {
		seat_free(s->manager->host, s->seat);
	}
	fd_close(s->pidfd);
	free(s);
}

static void tell_started(struct session *s, struct context *c, pid_t pid, bool exec_failed,
			 const struct err *e)
{
	s->started = true;
	if (s->events) {
		s->events->started(s->arg, c, pid, exec_failed, e);
	}
}

/* The last word; a session whose client is gone has nobody left to free it. */
static void tell_ended(struct session *s, int code, int status, const char *text)
{
	s->ended = true;
	if (s->events) {
		s->events->ended(s->arg, code, status, text);
	} else {
		session_free(s);
	}
}

/* --- run --- */

int manager_run(struct manager *m, const struct spec *spec, const struct session_request *request,
		struct session **ret, struct err *e)
{
	struct launch_request launch = { .spec = spec, .throwaway = true };
	char name[SPEC_NAME_MAX + 1];
	struct session *s = NULL;
	struct context *c = NULL;
	int r = session_name(m, spec, name, e);

	if (r >= 0) {
		s = session_new(m, request);
		c = s ? registry_add(m, name) : NULL;
		r = c ? 0 : err_set(e, -ENOMEM, "running: out of memory");
	}
	if (r < 0) {
		close_fds(request);
		free(s);
		return r;
	}
	launch.io = stdio_of(request);
	s->context = c;
	c->session = s;
	r = launch_begin(c, &launch, e);
	if (r < 0) {
		registry_remove(m, c);
		session_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void session_launch_started(struct session *s, struct context *c)
{
	tell_started(s, c, c->id.pid, false, &(struct err){});
}

void session_launch_terminal(struct session *s, int master_fd)
{
	if (s->events) {
		s->events->terminal(s->arg, master_fd);
	} else {
		fd_close(master_fd);
	}
}

void session_context_ended(struct session *s, struct context *c, const struct err *start_error,
			   bool exec_failed)
{
	const struct exit_info *x = &c->exit;

	s->context = NULL;
	if (start_error && !s->started) {
		s->ended = true;
		tell_started(s, c, 0, exec_failed, start_error);
		return;
	}
	tell_ended(s, x->code, x->status, x->text ? x->text : "");
}

/* The client of a `run` is gone: hang up, wait a little, kill. */
static void hang_up_context(struct context *c)
{
	struct err e = {};

	c->session = NULL;
	if (c->state == LIFE_RUNNING) {
		(void) proc_pidfd_signal(c->pidfd, SIGHUP);
	}
	if (manager_stop(c->manager, c, HANGUP_WAIT_US, NULL, NULL, &e) < 0) {
		log_warning("%s", e.text);
	}
}

/* --- exec --- */

static int on_hangup_timer(sd_event_source *source, uint64_t now, void *userdata)
{
	const struct session *s = userdata;

	(void) source;
	(void) now;
	(void) proc_pidfd_signal(s->pidfd, SIGKILL);
	return 0;
}

static void hang_up_exec(struct session *s)
{
	int r;

	s->events = NULL;
	(void) proc_pidfd_signal(s->pidfd, SIGHUP);
	(void) proc_pidfd_signal(s->pidfd, SIGCONT);
	r = sd_event_add_time_relative(s->manager->loop, &s->timer, CLOCK_MONOTONIC, HANGUP_WAIT_US,
				       0, on_hangup_timer, s);
	if (r < 0) {
		(void) proc_pidfd_signal(s->pidfd, SIGKILL);
	}
}

static int on_exec_exit(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct session *s = userdata;
	siginfo_t info = {};

	(void) source;
	(void) revents;
	if (waitid(P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0) {
		info.si_code = CLD_KILLED;
		info.si_status = SIGKILL;
	}
	s->source = sd_event_source_disable_unref(s->source);
	tell_ended(s, info.si_code, info.si_status, "");
	return 0;
}

static void exec_started(struct session *s)
{
	int r;

	s->source = sd_event_source_disable_unref(s->source);
	s->pidfd = TAKE_FD(s->seat->pidfd);
	tell_started(s, NULL, s->seat->pid, false, &(struct err){});
	seat_free(s->manager->host, TAKE_PTR(s->seat));
	r = sd_event_add_io(s->manager->loop, &s->source, s->pidfd, EPOLLIN, on_exec_exit, s);
	if (r < 0) {
		(void) proc_pidfd_signal(s->pidfd, SIGKILL);
		tell_ended(s, CLD_KILLED, SIGKILL, "the daemon could not watch it");
	}
}

static void exec_failed(struct session *s, const struct err *e)
{
	s->source = sd_event_source_disable_unref(s->source);
	s->ended = true;
	if (s->events) {
		tell_started(s, NULL, 0, seat_exec_failed(s->seat), e);
	} else {
		session_free(s);
	}
}

static int on_exec(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct session *s = userdata;
	struct err e = {};
	int master = -1;

	(void) source;
	(void) fd;
	(void) revents;
	switch (seat_read(s->seat, &master, &e)) {
	case SEAT_TERMINAL:
		session_launch_terminal(s, master);
		break;
	case SEAT_STARTED:
		exec_started(s);
		break;
	case SEAT_FAILED:
		exec_failed(s, &e);
		break;
	case SEAT_WAIT:
	case SEAT_PARKED:
		break;
	}
	return 0;
}

static int enter_slot(void *arg)
{
	return sched_attach_self(arg);
}

static int exec_seat(struct manager *m, struct context *c, struct context_exec *x,
		     struct seat **ret, struct err *e)
{
	struct sched_attach attach = {};
	struct seat_enter enter = { .enter = enter_slot, .arg = &attach };
	struct launch_plans plans = {};
	int r = launch_plan(c->active, &m->facts, &plans, e);

	if (r >= 0) {
		r = sched_slot_open(m->sched, c->slot, &attach, e);
	}
	if (r >= 0) {
		enter.clone_into = attach.clone_into;
		x->enter = &enter;
		r = context_exec(m->host, plans.context, x, ret, e);
		x->enter = NULL;
		sched_attach_done(&attach);
	}
	launch_plans_done(&plans);
	return r;
}

int manager_exec(struct manager *m, struct context *c, const struct exec_request *x,
		 const struct session_request *request, struct session **ret, struct err *e)
{
	const struct context_streams streams = {
		.sock = request->streams_sock,
		.bytes = request->streams_bytes,
		.uid = request->streams_uid,
	};
	struct context_exec exec = {
		.target = c->id.pid,
		.target_pidfd = c->pidfd,
		.ids_first = c->ids_first,
		.command = x->command, /* borrowed for the call */
		.environment = x->environment,
		.user = (char *) x->user,
		.directory = (char *) x->directory,
		.io = stdio_of(request),
		.streams = request->streams_bytes ? &streams : NULL,
	};
	struct session *s = NULL;
	int r = context_permit(c, LIFE_ENTER, e);

	if (r >= 0) {
		s = session_new(m, request);
		r = s ? 0 : err_set(e, -ENOMEM, "exec in %s: out of memory", c->name);
	}
	if (r >= 0) {
		r = exec_seat(m, c, &exec, &s->seat, e);
	}
	if (r >= 0) {
		r = fault_point("exec-begun", e);
	}
	close_fds(request); /* the child has its own copies */
	if (r >= 0) {
		r = sd_event_add_io(m->loop, &s->source, s->seat->sock, EPOLLIN, on_exec, s);
		if (r < 0) {
			(void) err_set_errno(e, r, "exec in %s: watching it", c->name);
		}
	}
	if (r < 0) {
		if (s) {
			session_free(s);
		}
		return r;
	}
	*ret = s;
	return 0;
}

/* --- both --- */

int session_signal(struct session *s, int sig)
{
	if (s->ended) {
		return -ESRCH;
	}
	if (s->context) {
		if (sig == SIGKILL) {
			return sched_slot_kill(s->manager->sched, s->context->slot);
		}
		return s->context->pidfd >= 0 ? proc_pidfd_signal(s->context->pidfd, sig) : -ESRCH;
	}
	return s->pidfd >= 0 ? proc_pidfd_signal(s->pidfd, sig) : -ESRCH;
}

void session_close(struct session *s)
{
	if (s->ended) {
		session_free(s);
	} else if (s->context) {
		hang_up_context(s->context);
		session_free(s);
	} else if (s->pidfd >= 0) {
		hang_up_exec(s);
	} else { /* exec still on its way in */
		s->events = NULL;
		(void) proc_pidfd_signal(s->seat->pidfd, SIGKILL);
	}
}
