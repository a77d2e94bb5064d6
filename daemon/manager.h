/* The manager: the registry of contexts and everything that can be asked of one.
 *
 * It knows no HTTP. The API layer turns bytes into these calls; long ones answer through a
 * callback, always later from the event loop or, when refused at once, by the return value
 * (then the callback is never called). One thread; no call blocks. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/buf.h"
#include "base/err.h"
#include "daemon/events.h"
#include "spec/facts.h"
#include "spec/spec.h"

struct manager;
struct context; /* one context: declared, and perhaps running */

struct manager_config {
	const char *config_dir, *state_dir, *run_dir; /* absolute */
	const char *init_path, *profile_dir;
	const char *instance; /* cgroup directory below "ward/" */
	const char *journal_stdout; /* the system journal's socket for streams */
	unsigned seats; /* parked seats to keep; 0: none */
	uint64_t history_bytes; /* of events to keep on disk */
	const char *journal; /* the socket of the journal that gets them too; NULL: none */
	uint32_t ids_first, ids_total;
	int host_mounts_fd; /* the mount namespace that hooks run in, or -1: this one; borrowed */
};

/** Probes the host, opens the rooms, re-adopts what lives, sweeps what was half-made, reads the
 * config directory (files with errors are logged and kept out). */
[[nodiscard]] int manager_new(const struct manager_config *config, sd_event *loop,
			      struct manager **ret, struct err *e);
/** As sd_event_loop() of its loop, with the urgency that its promises call for. */
[[nodiscard]] int manager_loop(struct manager *m);
/** Lets go: contexts run on. Parked seats are removed. */
void manager_free(struct manager *m);

/**
 * Reads the files of contexts again (all, or those of `names`). A running context gets at once
 * what may change live, as one step; with `dry` nothing is applied. @ret [{"name", "what":
 * "unchanged", "changed", "new", "removed" or "broken", "state", "live": {"cpu.limit": ["50%",
 * "75%"]}, "restart": the same for what holds after the next start, "failed": why `live` is not in
 * force, "errors": lines}], new reference. @return 0, -ENOENT for a name that is none, -errno.
 */
[[nodiscard]] int manager_reload(struct manager *m, const struct strv *names, bool dry,
				 json_t **ret, struct err *e);
const struct facts *manager_facts(const struct manager *m);
struct events *manager_events(struct manager *m);

/* --- look --- */

/** @return NULL when there is no such context. Re-reads its INI file when that changed and the
 * context is not running. */
struct context *manager_find(struct manager *m, const char *name);
/** What is wrong with the file of a context that does not start or is not found.
 * @return -EINVAL with lines, -ENOENT when there is no such file, 0 when it is good. */
[[nodiscard]] int manager_explain(struct manager *m, const char *name, struct spec_errors *errors);
/** Calls `each` for every context in order of names, having looked for new and removed files. */
void manager_each(struct manager *m, void (*each)(struct context *c, void *arg), void *arg);

/** {"name","state","pid","uptime_us","exit":{..}|null,"description","init","throwaway","cgroup",
 *  "mark":[..] (if any), "warnings":[..],"ready", and what a service says: docs/api.md};
 *  state: stopped | starting | running | stopping | frozen | ending. exit: {"status":N} or
 *  {"signal":N,"name":"KILL"}, with "reason":
 *  "exit"|"signal"|"oom"|"start"|"lost"|"reboot"|"poweroff"|"unhealthy"|"watchdog", "text".
 *  New reference. */
json_t *context_summary(struct manager *m, struct context *c);
/** The spec a running context was started with, else the declared one. */
const struct spec *context_spec(const struct context *c);
const char *context_name(const struct context *c);
/** Whether it runs and its condition (key context.ready) is met. */
bool context_is_ready(const struct context *c);
/** Whether it is stopped and waits to be started again. */
bool context_will_restart(const struct context *c);
/** Whether it has such a condition: else it is ready with its start. */
bool context_says_ready(const struct context *c);
/** Whether it has, or is about to have, processes: any state but stopped. */
bool context_is_running(const struct context *c);
/** The two figures of a list: bytes of memory, processes and threads. @return 0 or -ESRCH. */
[[nodiscard]] int context_usage(struct manager *m, struct context *c, uint64_t *ret_memory,
				uint64_t *ret_pids);
/** [{"pid": host pid, "inner": pid inside, "user": uid inside, "state": "S", "cpu_us", "rss_bytes",
 *  "command"}]. @return new reference or NULL with `e`. */
json_t *context_processes(struct manager *m, struct context *c, struct err *e);
/** Why it is in the state it is in, from what is read back (docs/api.md). New reference, NULL. */
json_t *context_why(struct manager *m, struct context *c);
/** The same of a name that is no context but was one: NULL when no event tells of it. */
json_t *manager_why_gone(struct manager *m, const char *name);
/** The name of a context that is most like this one, or NULL. */
const char *manager_nearest(struct manager *m, const char *name);
/** The plan of a spec as text: namespaces, mounts, cgroup writes, in order. */
[[nodiscard]] int manager_plan(struct manager *m, const struct spec *spec, struct buf *out,
			       struct err *e);

/** What of CPUs and memory there is, is promised and is free, and by whom: docs/api.md. Contexts
 * that `sees` denies are in the sums only. @return 0 with a new reference, or -errno. */
[[nodiscard]] int manager_budget(struct manager *m,
				 bool (*sees)(const struct context *c, void *arg), void *arg,
				 json_t **ret, struct err *e);
/** Whether these could be started now, one after the other, and what the budget would be then; the
 * spec of one that runs stands for its change. Nothing is done. @return as above. */
[[nodiscard]] int manager_what_if(struct manager *m, const struct spec *specs, size_t count,
				  json_t **ret, struct err *e);

/* --- declare --- */

/** Declares a context: writes NAME.ini. @replace or -EEXIST. */
[[nodiscard]] int manager_declare(struct manager *m, const struct spec *spec, bool replace,
				  struct err *e);
/** Removes the declaration and what it keeps on disk. -EBUSY while it runs. */
[[nodiscard]] int manager_delete(struct manager *m, struct context *c, struct err *e);
/** Changes keys, all or nothing: {"cpu.limit": "50%", ...} checked, applied live where it runs,
 *  written to the INI file unless `runtime`. A key that cannot change live on a running context
 *  is refused (-EBUSY) unless it is written for the next start: then the reply says so.
 *  @ret_restart true when something waits for a restart. */
[[nodiscard]] int manager_set(struct manager *m, struct context *c, const json_t *keys,
			      bool runtime, bool *ret_restart, struct err *e);

/* --- act --- */

/** How a start ended up: e->code == 0 means it is ready (or runs, where that was asked). */
typedef void (*manager_started)(void *arg, struct context *c, const struct err *e);
/** e->code == 0 means done. */
typedef void (*manager_done)(void *arg, const struct err *e);

/** Calls back when the context is ready, or will not be. A restart that was pending is done now. */
[[nodiscard]] int manager_start(struct manager *m, struct context *c, manager_started done,
				void *arg, struct err *e);
/** As manager_start(), but calls back as soon as the command runs. */
[[nodiscard]] int manager_launch(struct manager *m, struct context *c, manager_started done,
				 void *arg, struct err *e);
/** Runs the stop sequence; succeeds at once when it does not run, and calls off a restart that was
 * pending. @timeout_us 0: the spec's. */
[[nodiscard]] int manager_stop(struct manager *m, struct context *c, uint64_t timeout_us,
			       manager_done done, void *arg, struct err *e);
/** @sig to process 1 (which forwards it), or with `all` to every process; SIGKILL always to all. */
[[nodiscard]] int manager_kill(struct manager *m, struct context *c, int sig, bool all,
			       struct err *e);
[[nodiscard]] int manager_freeze(struct manager *m, struct context *c, bool frozen, struct err *e);
/** Calls back with context_summary()'s "exit" known, at once (from the loop) when it is stopped. */
[[nodiscard]] int manager_wait(struct manager *m, struct context *c, manager_done done, void *arg,
			       struct err *e);
/** Forgets every pending callback with this arg (its client went away). */
void manager_cancel(struct manager *m, void *arg);

/* --- sessions: run and exec, tied to a client --- */

struct session; /* a command a client waits for */

struct session_events {
	/** The pty's master, owned by the callee; only with terminal. */
	void (*terminal)(void *arg, int master_fd);
	/** e->code == 0: the command runs as process `pid`. Else it never ran and this is the last
	 * call. Errors: -ENOENT "not found", -EACCES/-ENOEXEC "not executable" come with
	 * exec_failed = true (exit 127, 126); anything else is Ward's own (125). */
	void (*started)(void *arg, struct context *c, pid_t pid, bool exec_failed,
			const struct err *e);
	/** The last call: waitid(2)'s si_code (CLD_EXITED, CLD_KILLED, CLD_DUMPED) and si_status,
	 * and a sentence when something else than the command ended it (oom), or "". */
	void (*ended)(void *arg, int code, int status, const char *text);
};

struct session_request {
	int fds[3]; /* stdin, stdout, stderr: taken over; -1 for /dev/null; unused with terminal */
	bool terminal;
	unsigned short rows, cols;
	/* exec, when not 0: in place of `fds` the command's process takes three descriptors from
	 * this socket, with the next so many bytes there, which its peer `uid` has sent. */
	size_t streams_bytes;
	int streams_sock; /* borrowed for the call */
	uid_t streams_uid;
	const struct session_events *events;
	void *arg;
};

/** Starts a context for one command (throwaway unless `keep`: then it is an ordinary undeclared
 * context that ends with it). spec->name may be "": one is made ("run-1"). */
[[nodiscard]] int manager_run(struct manager *m, const struct spec *spec,
			      const struct session_request *request, struct session **ret,
			      struct err *e);
/** Starts a detached throwaway: no client waits, output goes to its log. */
[[nodiscard]] int manager_run_detached(struct manager *m, const struct spec *spec,
				       manager_started done, void *arg, struct err *e);
struct exec_request {
	struct strv command, environment;
	const char *user, *directory; /* NULL: the context's */
};
[[nodiscard]] int manager_exec(struct manager *m, struct context *c, const struct exec_request *x,
			       const struct session_request *request, struct session **ret,
			       struct err *e);
/** Sends a signal to the command. */
[[nodiscard]] int session_signal(struct session *s, int sig);
/** The client went away: no further callback; an exec'ed command and a throwaway are hung up and
 * then killed. Also after `ended`, to free it. */
void session_close(struct session *s);
