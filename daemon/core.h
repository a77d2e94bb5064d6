/* Private to the daemon's core: the objects that manager.h hides, and who does what to them.
 *
 *   manager.c   opens and closes the rooms        registry.c  the contexts by name, INI files
 *   journal.c   what survives the daemon          recover.c   what a new daemon does with it
 *   seats.c     the pool of parked seats          launch.c    spec -> plans -> steps -> running
 *   ending.c    exit, cleanup                     stopping.c  stop, kill, freeze
 *   session.c   run and exec for a client         look.c      summaries, processes, plan
 *   change.c    set                               life.c      what each state permits
 *   logs.h      logs: bounded, indexed, read      service.h   readiness, health, restarts
 *   owner.c     who besides root may ask          tell.c      events told once, after any death
 *   why.c       explains a state                  watch_limits.c  throttled, limits hit
 *   numbers.c   what contexts use                 tally.c     what the daemon counts
 *   hooks.c     programs of the host around a life
 *   order.c     who is after whom: a graph        batch.c     start and stop of many along it
 *   autostart.c what starts with the machine
 *   budget.h    what is promised to whom */
#pragma once

#include <sys/queue.h>
#include <time.h>

#include "base/proc.h"
#include "context/context.h"
#include "daemon/hooks.h"
#include "daemon/life.h"
#include "daemon/manager.h"
#include "daemon/tally.h"
#include "fs/fs.h"
#include "netctl/netctl.h"
#include "spec/host.h"

/* --- seats.c --- */

/** A seat in the pool: the parked process and its cgroup slot, parked or on the way there. */
struct parked {
	LIST_ENTRY(parked) link;
	struct manager *manager;
	struct seat *seat;
	unsigned slot;
	struct proc_id id;
	bool ready;
	sd_event_source *source;
	struct context *claimed_by; /* waits for this one; NULL: belongs to the pool */
};
LIST_HEAD(parked_list, parked);

#define SEAT_KINDS_MAX 4

struct seat_pool {
	struct parked_list list;
	struct seat_kind kinds[SEAT_KINDS_MAX]; /* most recently wanted first */
	unsigned kind_count;
	unsigned target; /* seats to keep of kinds[0]; half of it of the others */
	sd_event_source *refill;
	uintptr_t heap_start; /* 0: not known */
};

void seats_init(struct manager *m);
void seats_done(struct manager *m);
/** Yields a ready seat of that kind, or starts one claimed by `c` (launch_parked() is called). */
[[nodiscard]] int seats_take(struct manager *m, const struct seat_kind *kind, struct context *c,
			     struct parked **ret, struct err *e);
/** Takes a seat that never became a context apart: process, slot, ids. */
void parked_free(struct parked *p);

/* --- contexts --- */

#define EXIT_REASON_MAX 12

struct exit_info {
	bool known; /* something ran and ended */
	int code, status; /* CLD_EXITED / CLD_KILLED / CLD_DUMPED, as waitid(2) */
	/* "exit", "signal", "oom", "start", "lost", "reboot", "poweroff", "unhealthy",
	 * "watchdog" */
	char reason[EXIT_REASON_MAX];
	char *text;
};

enum waiter_kind {
	WAITER_RUN, /* the command runs */
	WAITER_START, /* it is ready */
	WAITER_STOP /* it has ended */
};

struct waiter {
	STAILQ_ENTRY(waiter) link;
	enum waiter_kind kind;
	manager_started started;
	manager_done done;
	void *arg;
};
STAILQ_HEAD(waiter_list, waiter);

struct launch;
struct service;
struct log;
struct logs;

struct context {
	struct manager *manager;
	char name[SPEC_NAME_MAX + 1];
	/* Specs are shared and never changed: spec_share(). */
	const struct spec *declared; /* from NAME.ini; NULL: undeclared */
	struct timespec declared_mtime;
	const struct spec *active; /* what it was started with; NULL when stopped */
	const struct spec *kept; /* what it is promised while it waits to be started again */
	enum life_state state;
	bool throwaway; /* forgotten when it ends */
	bool broken; /* its file has errors now: it does not start */
	bool out_of_memory; /* it was ended for that, by us */
	bool status_written; /* by process 1 */
	bool stop_told, end_told; /* by an earlier daemon: its "stopping", its "exited" */
	bool ending; /* inside ending_finish(): not to be removed meanwhile */
	bool start_failed; /* the last start ended before the command ran */
	bool given_up; /* by its last end the limit of restarts was reached */
	struct service *service; /* service.h; NULL where nothing of that is used */

	/* while not stopped */
	unsigned slot;
	struct proc_id id;
	int pidfd;
	uint32_t ids_first, ids_count;
	bool ids_owned;
	uint64_t started_us; /* CLOCK_REALTIME */
	struct launch *launch; /* while starting */
	sd_event_source *exit_source, *status_source, *stop_timer;
	size_t stop_next; /* the next entry of the stop sequence */
	struct spec_stop *stop_sequence;
	size_t stop_count;
	uint64_t stop_timeout_us; /* a caller's bound on the waits; 0: the sequence's own */

	struct exit_info exit;
	uint64_t starts; /* since this daemon began */
	struct numbers *numbers; /* numbers.c: while somebody asks */
	struct waiter_list waiters;
	struct session *session; /* of `run`; NULL otherwise */
	struct memory_out *memory_out; /* memory_out.h; NULL: nothing tells of it */
	struct limit_watch *limits; /* watch_limits.h; NULL: none of them is watched */
	bool exec_failed; /* the start failed in the exec of the command itself */
	struct log *log; /* logs.h; NULL: not touched yet */
	bool autostarted; /* once since the machine was started: autostart.c */
	struct hooks *hooks; /* NULL: it never had one */
};

struct owners;
struct burial;
LIST_HEAD(burial_list, burial);
struct batch;
LIST_HEAD(batch_list, batch);

struct complaint;
SLIST_HEAD(complaint_list, complaint);
struct manager {
	sd_event *loop;
	char *config_dir, *state_dir, *run_dir;
	char *journal_stdout; /* the system journal's socket for streams */
	int config_dirfd, journal_dirfd, log_dirfd;
	int notify_dirfd, netns_fd; /* opened when first needed */
	int host_mounts_fd; /* borrowed; -1: none */
	struct facts facts;
	struct spec_host host_file; /* wardd.ini */
	struct fs_host *fs;
	struct sched_host *sched;
	struct context_host *host;
	struct netctl_host *net;
	sd_event_source *links; /* interfaces that come and go */
	struct events *events;
	struct timespec config_mtime; /* of the directory, when it was last read */
	void *by_name; /* tsearch(3) tree of struct context */
	struct complaint_list complaints; /* about files that declare nobody */
	size_t context_count;
	struct seat_pool pool;
	unsigned next_slot, next_run;
	unsigned dying_slots[64]; /* could not be removed yet */
	size_t dying_count;
	sd_event_source *status_watch; /* of RUN/contexts: a command has ended */
	struct batch_list batches; /* starts and stops of many under way */
	struct burial_list burials; /* of processes that have not died yet */
	sd_event_source *dying_timer, *host_watch, *host_settled;
	struct limits *limits;
	struct governor *governor; /* budget.h */
	struct journald *journald;
	struct tally tally;
	struct gathering *gathering; /* numbers.c; NULL: nobody has asked yet */
	struct owners *owners; /* owner.c; NULL until somebody else than root comes */
	struct logs *logs;
	struct tidy *tidy; /* tidy.c; NULL: nothing was left yet */
	bool closing;
};

/* --- registry.c --- */
struct context *registry_lookup(struct manager *m, const char *name);
/** @return a new stopped, undeclared context, or NULL when out of memory. */
struct context *registry_add(struct manager *m, const char *name);
/** Takes `s` over as what its file says. A context that runs with the same has it only once. */
void context_declare(struct context *c, const struct spec *s);
/** Frees a stopped context. */
void registry_remove(struct manager *m, struct context *c);
void registry_done(struct manager *m);
/** Forgets stopped contexts that no file declares. */
void registry_drop_undeclared(struct manager *m);
/** As manager_each(), without looking at the files first. */
void registry_each(struct manager *m, void (*each)(struct context *c, void *arg), void *arg);
/** Reads every *.ini; errors are logged, the rest is kept. */
void registry_read_config(struct manager *m);
/** Reads NAME.ini, as it is now. @return 0 with one owner's share; -EINVAL with lines, -errno. */
[[nodiscard]] int registry_read(struct manager *m, const char *name, const struct spec **ret,
				struct spec_errors *errors);
/** Writes NAME.ini. @return 0 or -errno. */
[[nodiscard]] int registry_write(struct manager *m, const struct spec *spec, struct err *e);
/** Whether a context may have this name, which is one. @return 0, -EINVAL for the daemon's own. */
[[nodiscard]] int registry_check_free(const char *name, struct err *e);
/** Makes a name that is not taken: "run-N". */
void registry_make_name(struct manager *m, char out[static SPEC_NAME_MAX + 1]);

/* --- spec_ref.c: specs that several have and nobody changes --- */
/** A new one of defaults, to be filled and then left alone. @return NULL when out of memory. */
struct spec *spec_new(const char *name);
/** A copy, likewise. */
struct spec *spec_dup(const struct spec *s);
/** One more owner of what spec_new() or spec_dup() made. */
const struct spec *spec_share(const struct spec *s);
/** One owner less; the last one frees it. */
void spec_freep(const struct spec **s);
void spec_discard(struct spec *s);

/* --- journal.c: RUN/contexts/NAME.journal and NAME.status --- */
/** Writes the intent to start: everything a new daemon needs. */
[[nodiscard]] int journal_begin(struct context *c, struct err *e);
/** Adds one fact ("started", "ready", "frozen", "stopping" ...). Failure is logged, not fatal. */
void journal_note(struct context *c, const char *fact);
/** The same for a fact that is told as an event: with the number it will have (tell.h). */
void journal_note_event(struct context *c, const char *fact, uint64_t seq);
/** Notes that the limits are about to become those of `wanted`; a rewrite completes the change. */
[[nodiscard]] int journal_intend(struct context *c, const struct spec *wanted, struct err *e);
/** Rewrites the record with the present spec; what has become true since it was begun stays. */
[[nodiscard]] int journal_rewrite(struct context *c, struct err *e);
/** Replaces the record by how it ended last; without any end that is known, and for a throwaway,
 * removes it. A throwaway's log goes as well: the record is the last that is left of it. While the
 * after-stop hook is still to run, the record says so. */
void journal_end(struct context *c);
/** Removes NAME.status, which a daemon that died at the end of a context may have left. */
void journal_drop_status(struct manager *m, const char *name);
/** Removes everything about a name. */
void journal_remove(struct manager *m, const char *name);
/** Opens NAME.status to be watched. @return descriptor or -errno. */
int journal_status_watch(struct context *c, bool *ret_written);
/** Makes NAME.status, empty. @return descriptor or -errno. */
int journal_status_open(struct context *c);
/** Reads NAME.status. @return 0 with code and status, -ENODATA when nothing was written. */
[[nodiscard]] int journal_status_read(struct context *c, int *ret_code, int *ret_status);

struct journal_record {
	json_t *head; /* the first line */
	json_t *intent; /* the spec of a change that was not completed; or NULL */
	bool started, ready, frozen, stopping, throttled, ended;
	bool asked, again, failed; /* of a stop: service_give_up() */
	char fact[32]; /* the last one that is told as an event, "" when there is none ... */
	uint64_t event; /* ... and that event's number */
	unsigned hooks; /* 1 << enum hook_kind: those that ran to their end */
};
/** @return 0, -ENOENT, -EBADMSG (torn or damaged). */
[[nodiscard]] int journal_read(struct manager *m, const char *name, struct journal_record *ret);
void journal_record_done(struct journal_record *r);
/** Calls `each` with every name that has a journal. */
[[nodiscard]] int journal_each(struct manager *m,
			       void (*each)(struct manager *m, const char *name));
json_t *exit_to_json(const struct exit_info *x);
void exit_from_json(struct exit_info *x, const json_t *o);

/* --- owner.c --- */
void owners_free(struct owners *o);

/* --- recover.c --- */
[[nodiscard]] int recover(struct manager *m, struct err *e);

/* --- launch.c --- */
struct launch_request {
	const struct spec *spec; /* c->declared is shared, another copied */
	struct context_stdio io; /* given away */
	bool log; /* instead: its output goes to its log */
	bool throwaway;
};
/** c is stopped. On success launch_parked()/ending report by waiters and session. On failure
 * everything is undone and c is stopped again. */
[[nodiscard]] int launch_begin(struct context *c, struct launch_request *request, struct err *e);
/** The seat a context waited for is ready, or failed (`p` NULL). */
void launch_parked(struct context *c, struct parked *p, const struct err *e);
/** It is ready: its after-ready hook runs, where there is one. */
void launch_ready(struct context *c);
/** Abandons a launch that has not finished, freeing its seat. */
void launch_free(struct launch *l);
/** Plans of all rooms as text. */
[[nodiscard]] int launch_print(struct manager *m, const struct spec *spec, struct buf *out,
			       struct err *e);

/* --- ending.c --- */
/** Watches process 1. @return 0 or -errno. */
[[nodiscard]] int ending_watch(struct context *c);
/** Finds out why it ended: sets x->reason and x->text, with the slot's numbers. */
void ending_explain(struct context *c, struct exit_info *x);
/** Process 1 is gone (or never was): reads how, cleans up, tells everyone. Where there is an
 * after-stop hook it runs then, and the rest is told after it. May free `c`. */
void ending_finish(struct context *c, const struct err *start_error);
/** Watches for commands that end. @return 0 or -errno. */
[[nodiscard]] int ending_init(struct manager *m);
/** Waits for processes that are dying; nothing may end any more. */
void ending_done(struct manager *m);
/** What ended before this daemon began: all that is left is its after-stop hook. May free `c`. */
void ending_resume(struct context *c);
/** Kills a process of ours that is in no context, reaps it and removes its slot. @pidfd taken. */
void ending_bury_process(struct manager *m, int pidfd, unsigned slot);
/** Removes a slot, now or as soon as what is in it has died. */
void ending_remove_slot(struct manager *m, unsigned slot);

/* --- waiters (ending.c) --- */
[[nodiscard]] int waiter_add(struct context *c, const struct waiter *w);
/** Calls and removes all waiters of one kind. */
void waiters_call(struct context *c, enum waiter_kind kind, const struct err *e);

/* --- batch.c, autostart.c --- */
/** Abandons the batches under way. */
void batches_done(struct manager *m);
/** Starts what starts with the machine, unless that was done since it was started. */
void autostart_begin(struct manager *m);
/** This one was started with the machine, or failed to. */
void autostart_note(struct manager *m, const char *name);
/** All were stopped: whoever asks for an autostart now means all of it. */
void autostart_forget(struct manager *m);

/* --- session.c --- */
/** The launch of a `run` reports. */
void session_launch_started(struct session *s, struct context *c);
void session_launch_terminal(struct session *s, int master_fd);
void session_context_ended(struct session *s, struct context *c, const struct err *start_error,
			   bool exec_failed);
/** The name a `run` gets: the spec's, checked and free, or a made one. */
[[nodiscard]] int session_name(struct manager *m, const struct spec *spec,
			       char out[static SPEC_NAME_MAX + 1], struct err *e);

/* --- stopping.c --- */
/** Starts a declared, stopped context; @done (may be NULL) hears as @kind says. */
[[nodiscard]] int context_start(struct context *c, manager_started done, enum waiter_kind kind,
				void *arg, struct err *e);
/** Begins to stop it for a reason of Ward's own (service.c knows which). */
void context_stop(struct context *c);
/** One that is being stopped gets no more time. */
void stopping_force(struct context *c);
/** Checks the table; -EBUSY with "NAME: <refusal>" when the state forbids the event. */
[[nodiscard]] int context_permit(const struct context *c, enum life_event event, struct err *e);
void context_enter(struct context *c, enum life_event event);
/** Journals and tells that it was frozen or thawed. */
void context_note_frozen(struct context *c, bool frozen);
