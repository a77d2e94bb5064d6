/* Private to the daemon's core: contexts as services. Readiness, health, watchdog and restarts of
 * one context, in a struct that only contexts which use any of it have.
 *
 *   service.c   what follows from what: started, ready, unhealthy, ended
 *   service_kept.c  what outlives the daemon, what is shown
 *   ready.c     waiting until it is ready           health.c   whether it still works
 *   again.c     starting it again                   restart.c  when, and when no more
 *   probe.c     one look inside                     notify.c   what it says itself
 *
 * Waiting for readiness is no state of its own (life.c): everything that may be done to a running
 * context may be done to one that is not ready yet. Neither is waiting for a restart: the context
 * is stopped, a start starts it at once, a stop calls the restart off. */
#pragma once

#include "daemon/core.h"
#include "daemon/notify.h"
#include "daemon/probe.h"
#include "daemon/restart.h"

enum service_health { HEALTH_UNKNOWN, HEALTH_GOOD, HEALTH_BAD };

struct service {
	struct context *context;
	/* restarts (again.c): kept while it is stopped */
	struct restarts *restarts; /* NULL: never restarted */
	sd_event_source *restart_timer;
	bool automatic; /* the start under way is a restart */
	/* of the running context */
	bool ready;
	bool leaving; /* it said STOPPING=1: neither watchdog nor health are asked any more */
	bool asked; /* somebody wants it stopped: not to be restarted */
	bool again; /* Ward stops it to start it again */
	char reason[EXIT_REASON_MAX]; /* why Ward stops it; "": it does not */
	char *why; /* the sentence to that */
	struct notify *notify;
	char *status; /* the last STATUS= */
	uint64_t status_told_us; /* when there was an event of it */
	sd_event_source *status_timer;
	struct probe *look; /* of readiness, then of health */
	sd_event_source *look_timer;
	char *look_text; /* what was wrong with the last one; NULL */
	sd_event_source *deadline; /* of readiness */
	uint64_t gap_us; /* between two looks for readiness */
	enum service_health health;
	unsigned failures; /* in a row */
	sd_event_source *watchdog;
	uint64_t watchdog_us; /* 0: off */
	uint64_t watchdog_told_us; /* when there was an event of its silence */
	bool watchdog_heard; /* it knows our socket: silence means something */
};

/* --- what the core tells --- */

/** About to start: makes what its spec needs. @return 0 or -errno with `e`, nothing made. */
[[nodiscard]] int service_prepare(struct context *c, struct err *e);
/** The command runs: ready at once, or waited for. */
void service_started(struct context *c);
/** THE moment at which it is ready: everything that follows from that happens here. */
void service_ready(struct context *c);
/** It is being stopped. @asked by somebody, not by Ward itself. */
void service_stopping(struct context *c, bool asked);
void service_frozen(struct context *c, bool frozen);
/** Keys that may change while it runs have changed. */
void service_changed(struct context *c);
/** It has ended, or its start failed; c->exit says how so far. Says more where more is known, and
 * plans a restart where one is due. @asked it was stopped on purpose. */
void service_ended(struct context *c, bool asked);
/** After the news of the end: that it will be started again, or that it will not. */
void service_tell_plan(struct context *c);
/** What whoever waited for its readiness is told after it ended without. */
const struct err *service_unready(const struct context *c, struct err *e);
/** Lets go of all that belongs to a running context. @gone it has ended. */
void service_close(struct context *c, bool gone);
void service_free(struct context *c);

/* --- journal and recovery --- */

/** Adds what a new daemon needs. @ended the record of one that does not run. */
void service_to_journal(const struct context *c, json_t *head, bool ended);
/** Takes back what it was like; a pending restart goes on. */
void service_from_journal(struct context *c, const struct journal_record *record);
/** Whether the stop that was under way was somebody's wish. */
bool service_was_asked(const struct journal_record *record);
/** Goes on with a stop of Ward's own. */
void service_stop_on(struct context *c, const struct journal_record *record);
/** Goes on where the old daemon was; c->state is set. @return 0 or -errno. */
[[nodiscard]] int service_adopt(struct context *c, const struct journal_record *record);

/* --- look --- */
/** "ready", "status", "health" ...: docs/api.md. */
void service_summary(const struct context *c, json_t *o);

/* --- between the files of this part --- */

/** @return NULL when out of memory. */
struct service *service_need(struct context *c);
/** Whether a spec needs anything of this while it runs. */
bool service_is_wanted(const struct spec *s);
/** Whether ward-init holds its notify socket until it is ready. */
bool service_is_kept(const struct context *c);
/** What comes through the notify socket. */
void service_heard(void *arg, const struct notify_message *m);
/** Stops looking, waiting and watching, until service_go_on(). */
void service_pause(struct service *s);
void service_go_on(struct service *s);
/** Ward stops it: @reason for c->exit, @why one sentence. @again it is started again. */
void service_give_up(struct service *s, const char *reason, const char *why, bool again);
uint64_t service_now_us(void); /* CLOCK_MONOTONIC */
/** Notes what was wrong with a look; NULL: nothing. */
void service_note_look(struct service *s, const char *why);

/** Waits until it is ready, at most so long (0: as the spec says). */
void ready_wait(struct service *s, uint64_t timeout_us);
/** EXTEND_TIMEOUT_USEC=. */
void ready_extend(struct service *s, uint64_t us);
/** What is waited for: "tcp:80". */
void ready_print(const struct service *s, struct buf *out);

/** It is ready and runs: begins to ask. */
void health_begin(struct service *s);
/** WATCHDOG=1, or the moment it became ready: from now on it must be heard of again in time. */
void health_sign_of_life(struct service *s);
/** WATCHDOG_USEC=, WATCHDOG=trigger. */
void health_watchdog_set(struct service *s, uint64_t us);
void health_watchdog_failed(struct service *s, const char *why);
const char *health_name(enum service_health h);

/** Plans a restart after an end where one is due; notes in c->exit when it is given up. */
void again_plan(struct context *c, const struct spec *spec, bool asked);
/** Arms the timer of what is planned. */
void again_arm(struct context *c);
/** Somebody starts it: what was before counts no more. */
void again_forget(struct context *c);
/** @return whether a restart was pending; it is not any more. */
bool again_cancel(struct context *c);
/** When the next restart comes. @return false when none does. */
bool again_in(const struct context *c, uint64_t *ret_us);
