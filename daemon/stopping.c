/* What is done to a running context from outside: stop sequence, signals, freezing. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/service.h"
#include "daemon/tell.h"

#define FAKE_WAIT_US (10ull * 1000000)
#define INIT_WAIT_US (30ull * 1000000)
#define KILL_AGAIN_US (2ull * 1000000)

int context_permit(const struct context *c, enum life_event event, struct err *e)
{
	const struct life_cell *cell = life_look(c->state, event);

	if (!cell->refusal) {
		return 0;
	}
	return err_set(e, -EBUSY, "%s %s: %s", life_event_name(event), c->name, cell->refusal);
}

void context_enter(struct context *c, enum life_event event)
{
	const struct life_cell *cell = life_look(c->state, event);

	if (cell->refusal) {
		log_error("%s: %s while it is %s: %s", c->name, life_event_name(event),
			  life_state_name(c->state), cell->refusal);
		return;
	}
	c->state = cell->next;
}

/* systemd halts on RTMIN+3 (systemd(1), SIGNALS); the others take INT for Ctrl-Alt-Del and shut
 * down in order (init(8)). */
static int init_signal(const struct context *c)
{
	_cleanup_free_ char *name = NULL;
	char path[32];

	(void) snprintf(path, sizeof(path), "/proc/%d/comm", (int) c->id.pid);
	if (file_read_at(AT_FDCWD, path, 64, &name, NULL) < 0) {
		return SIGINT;
	}
	return strncmp(name, "systemd", 7) == 0 ? SIGRTMIN + 3 : SIGINT;
}

/* The spec's, or what the kind of process 1 calls for: ward-init passes TERM on to the command. */
static int make_sequence(struct context *c)
{
	const struct spec *s = c->active;
	bool full_init = s->context.init == SPEC_INIT_PATH;
	size_t n = s->context.stop_count ? s->context.stop_count : 2;
	struct spec_stop *sequence = calloc(n, sizeof(*sequence));

	if (!sequence) {
		return -ENOMEM;
	}
	if (s->context.stop_count) {
		memcpy(sequence, s->context.stop, n * sizeof(*sequence));
	} else {
		sequence[0] = (struct spec_stop){ full_init ? init_signal(c) : SIGTERM,
						  full_init ? INIT_WAIT_US : FAKE_WAIT_US };
		sequence[1] = (struct spec_stop){ SIGKILL, 0 };
	}
	free(c->stop_sequence);
	c->stop_sequence = sequence;
	c->stop_count = n;
	c->stop_next = 0;
	return 0;
}

static int on_stop_timer(sd_event_source *source, uint64_t now, void *userdata);

static void arm(struct context *c, uint64_t wait_us)
{
	int r;

	if (c->stop_timer) {
		(void) sd_event_source_set_time_relative(c->stop_timer, wait_us);
		r = sd_event_source_set_enabled(c->stop_timer, SD_EVENT_ONESHOT);
	} else {
		r = sd_event_add_time_relative(c->manager->loop, &c->stop_timer, CLOCK_MONOTONIC,
					       wait_us, 1000, on_stop_timer, c);
	}
	if (r < 0) { /* nobody would come back to it */
		log_warning("%s: arming the stop timer: %s; killing it", c->name, strerror(-r));
		(void) sched_slot_kill(c->manager->sched, c->slot);
	}
}

static void advance(struct context *c)
{
	struct spec_stop step = { SIGKILL, 0 };

	if (c->stop_next < c->stop_count) {
		step = c->stop_sequence[c->stop_next++];
	}
	if (step.signal == SIGKILL) {
		(void) fault_point("stop-kill", NULL);
		(void) sched_slot_kill(c->manager->sched, c->slot);
		arm(c, KILL_AGAIN_US);
		return;
	}
	(void) proc_pidfd_signal(c->pidfd, step.signal);
	(void) fault_point("stop-signalled", NULL);
	if (c->stop_next == c->stop_count && step.wait_us == 0) {
		step.wait_us = FAKE_WAIT_US;
	}
	arm(c, c->stop_timeout_us && c->stop_timeout_us < step.wait_us ? c->stop_timeout_us
								       : step.wait_us);
}

static int on_stop_timer(sd_event_source *source, uint64_t now, void *userdata)
{
	(void) source;
	(void) now;
	advance(userdata);
	return 0;
}

static void after_before_stop(struct context *c, const struct err *e)
{
	(void) e; /* told; the stop goes on */
	journal_note(c, hooks_name(HOOK_BEFORE_STOP));
	(void) sd_event_source_set_enabled(c->exit_source, SD_EVENT_ON);
	advance(c);
}

/* Should it exit by itself while the hook runs, this is looked at when the hook is over. */
static void begin_sequence(struct context *c)
{
	hooks_drop(c);
	if (!hooks_wanted(c, HOOK_BEFORE_STOP) ||
	    hooks_run(c, HOOK_BEFORE_STOP, after_before_stop) < 0) {
		advance(c);
		return;
	}
	(void) sd_event_source_set_enabled(c->exit_source, SD_EVENT_OFF);
	if (c->stop_timeout_us) {
		hooks_hurry(c, c->stop_timeout_us);
	}
}

/* A second caller who is more impatient than the first. */
static void hurry(struct context *c, uint64_t timeout_us)
{
	c->stop_timeout_us = timeout_us;
	if (hooks_running(c, HOOK_BEFORE_STOP)) {
		hooks_hurry(c, timeout_us);
	} else {
		arm(c, timeout_us);
	}
}

/* There is no command yet that could hear a signal, or nothing at all. */
static void stop_start(struct context *c)
{
	context_enter(c, LIFE_STOP);
	c->stop_next = c->stop_count;
	hooks_hurry(c, 0);
	if (c->slot) {
		(void) sched_slot_kill(c->manager->sched, c->slot);
	}
}

static int answer_later(struct context *c, manager_done done, void *arg)
{
	return waiter_add(c, &(struct waiter){ .kind = WAITER_STOP, .done = done, .arg = arg });
}

struct answer {
	manager_done done;
	void *arg;
	sd_event_source *source;
};

static int on_answer(sd_event_source *source, void *userdata)
{
	struct answer *a = userdata;

	(void) source;
	a->done(a->arg, &(struct err){});
	sd_event_source_disable_unref(a->source);
	free(a);
	return 0;
}

/* Calls back from the loop, so that a caller never sees its callback before its own return. */
static int answer_now(struct manager *m, manager_done done, void *arg)
{
	struct answer *a = calloc(1, sizeof(*a));
	int r;

	if (!a) {
		return -ENOMEM;
	}
	*a = (struct answer){ .done = done, .arg = arg };
	r = sd_event_add_defer(m->loop, &a->source, on_answer, a);
	if (r < 0) {
		free(a);
	}
	return r;
}

/* It is in a state from which it can be stopped, and its sequence is made. */
static void begin(struct context *c, uint64_t timeout_us)
{
	struct manager *m = c->manager;
	bool thaw = c->state == LIFE_FROZEN, begun = c->state == LIFE_STOPPING;

	if (c->state == LIFE_STARTING) {
		stop_start(c);
		return;
	}
	context_enter(c, LIFE_STOP);
	if (thaw) {
		(void) sched_slot_freeze(m->sched, c->slot, false);
	}
	if (!begun) {
		if (!c->stop_told && !c->end_told) {
			tell_fact(c, EVENT_STOPPING, NULL);
		}
		c->stop_timeout_us = timeout_us;
		begin_sequence(c);
	} else if (timeout_us && c->pidfd >= 0) {
		hurry(c, timeout_us);
	}
}

/* It has ended: it is not to come back, and its after-stop hook may have less time. */
static void stop_end(struct context *c, uint64_t timeout_us)
{
	if (again_cancel(c)) {
		journal_end(c);
	}
	if (timeout_us) {
		hooks_hurry(c, timeout_us);
	}
}

int manager_stop(struct manager *m, struct context *c, uint64_t timeout_us, manager_done done,
		 void *arg, struct err *e)
{
	bool begun = c->state == LIFE_STOPPING;
	int r = context_permit(c, LIFE_STOP, e);

	if (r < 0) {
		return r;
	}
	if (c->state == LIFE_STOPPED) {
		if (again_cancel(c)) {
			journal_end(c);
		}
		return done ? answer_now(m, done, arg) : 0;
	}
	r = done ? answer_later(c, done, arg) : 0;
	if (r >= 0 && c->state == LIFE_ENDING) {
		stop_end(c, timeout_us);
		return 0;
	}
	if (r >= 0 && !begun) {
		r = make_sequence(c);
	}
	if (r < 0) {
		return err_set_errno(e, r, "stopping %s", c->name);
	}
	service_stopping(c, true);
	if (begun && c->service) {
		journal_note(c, "asked"); /* it may have been a restart until now */
	}
	begin(c, timeout_us);
	return 0;
}

void context_stop(struct context *c)
{
	if (c->state == LIFE_STOPPED || c->state == LIFE_STOPPING || c->state == LIFE_ENDING) {
		return;
	}
	service_stopping(c, false);
	if (make_sequence(c) < 0) {
		log_warning("%s: stopping it: out of memory; killing it", c->name);
		(void) sched_slot_kill(c->manager->sched, c->slot);
		return;
	}
	begin(c, 0);
}

void stopping_force(struct context *c)
{
	c->stop_next = c->stop_count;
	if (c->state == LIFE_STOPPING && c->pidfd >= 0 && !hooks_running(c, HOOK_BEFORE_STOP)) {
		advance(c);
	} else {
		hooks_hurry(c, 0); /* what comes after it is the kill */
	}
}

int manager_wait(struct manager *m, struct context *c, manager_done done, void *arg, struct err *e)
{
	int r = c->state == LIFE_STOPPED ? answer_now(m, done, arg) : answer_later(c, done, arg);

	return r < 0 ? err_set_errno(e, r, "waiting for %s", c->name) : 0;
}

int manager_kill(struct manager *m, struct context *c, int sig, bool all, struct err *e)
{
	int r = context_permit(c, LIFE_SIGNAL, e);

	if (r < 0) {
		return r;
	}
	if (sig == SIGKILL) {
		r = sched_slot_kill(m->sched, c->slot);
	} else if (all) {
		r = sched_slot_signal(m->sched, c->slot, sig);
	} else {
		r = proc_pidfd_signal(c->pidfd, sig);
	}
	return r < 0 ? err_set_errno(e, r, "sending %s to %s", units_print_signal(sig), c->name)
		     : 0;
}

void context_note_frozen(struct context *c, bool frozen)
{
	tell_fact(c, frozen ? EVENT_FROZEN : EVENT_THAWED, NULL);
}

int manager_freeze(struct manager *m, struct context *c, bool frozen, struct err *e)
{
	enum life_event event = frozen ? LIFE_FREEZE : LIFE_THAW;
	enum life_state before = c->state;
	int r = context_permit(c, event, e);

	if (r < 0) {
		return r;
	}
	r = sched_slot_freeze(m->sched, c->slot, frozen);
	if (r < 0) {
		return err_set_errno(e, r, "%s %s", life_event_name(event), c->name);
	}
	(void) fault_point("freeze-done", NULL);
	context_enter(c, event);
	if (c->state != before) {
		context_note_frozen(c, frozen);
		service_frozen(c, frozen);
	}
	return 0;
}

static int start(struct context *c, const struct spec *spec, bool throwaway, manager_started done,
		 enum waiter_kind kind, void *arg, struct err *e)
{
	struct launch_request request = { .spec = spec,
					  .io = { .in = -1, .out = -1, .err = -1 },
					  .log = true,
					  .throwaway = throwaway };
	int r = launch_begin(c, &request, e);

	if (r >= 0 && done) {
		(void) waiter_add(c,
				  &(struct waiter){ .kind = kind, .started = done, .arg = arg });
	}
	return r;
}

int context_start(struct context *c, manager_started done, enum waiter_kind kind, void *arg,
		  struct err *e)
{
	if (!c->declared) {
		return err_set(e, -EBUSY, "starting %s: it is not declared", c->name);
	}
	if (c->broken) {
		struct spec_errors errors = {};
		int r = manager_explain(c->manager, c->name, &errors);

		if (r < 0) {
			(void) spec_errors_to_err(&errors, e);
		}
		spec_errors_done(&errors);
		if (r < 0) {
			return r;
		}
	}
	return start(c, c->declared, false, done, kind, arg, e);
}

/* By somebody, not by a restart. */
static int start_afresh(struct context *c, manager_started done, enum waiter_kind kind, void *arg,
			struct err *e)
{
	int r = context_permit(c, LIFE_START, e);

	if (r >= 0) {
		again_forget(c);
		r = context_start(c, done, kind, arg, e);
	}
	return r;
}

int manager_start(struct manager *m, struct context *c, manager_started done, void *arg,
		  struct err *e)
{
	(void) m;
	return start_afresh(c, done, WAITER_START, arg, e);
}

int manager_launch(struct manager *m, struct context *c, manager_started done, void *arg,
		   struct err *e)
{
	(void) m;
	return start_afresh(c, done, WAITER_RUN, arg, e);
}

int manager_run_detached(struct manager *m, const struct spec *spec, manager_started done,
			 void *arg, struct err *e)
{
	char name[SPEC_NAME_MAX + 1];
	struct context *c;
	int r;

	r = session_name(m, spec, name, e);
	if (r < 0) {
		return r;
	}
	c = registry_add(m, name);
	if (!c) {
		return err_set(e, -ENOMEM, "running: out of memory");
	}
	r = start(c, spec, true, done, WAITER_START, arg, e);
	if (r < 0) {
		registry_remove(m, c);
	}
	return r;
}
