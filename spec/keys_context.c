/* The keys of [context] and [hooks]: what runs, when, for whom. */
#include <string.h>
#include <sys/stat.h>

#include "spec/choices.h"
#include "spec/row.h"
#include "spec/shorthand.h"
#include "spec/values.h"

static const struct row context[] = {
	{
		.section = "context",
		.name = "description",
		TEXT(context.description),
		.fallback = "",
		.allowed = "one line of text",
		.help = "What the context is for, shown by list and show.",
	},
	{
		.section = "context",
		.name = "owner",
		WORDS(context.owners),
		.check = value_check_owner,
		.live = true,
		.fallback = "",
		.allowed = "users of the host, names in its /etc/passwd or numbers below "
			   "1879048192",
		.help = "Who besides root may see, start, stop, signal, freeze and enter this "
			"context, read its log and change what is granted; several may stand on "
			"one line.",
	},
	{
		.section = "context",
		.name = "grant",
		LIST(row_grant, context.grants, context.grant_count, struct spec_grant),
		.live = true,
		.fallback = "",
		.allowed = "limits that can be changed live, with bounds or without: cpu.limit <= "
			   "200% memory.limit",
		.help = "What owners may change, and within which bounds (<= and >=); several may "
			"stand on one line.",
	},
	{
		.section = "context",
		.name = "command",
		ARGV(context.command),
		.fallback = "",
		.allowed = "words as in a shell, without any expansion",
		.help = "The program that runs and its arguments. Needed unless init is a path.",
	},
	{
		.section = "context",
		.name = "init",
		WORD_OR_PATH(context.init, enum spec_init, context.init_path, choice_init),
		.fallback = "fake",
		.allowed = "fake, none or the absolute PATH of a program in the view",
		.help = "Process 1: a small reaper that starts the command (fake), the command "
			"itself (none), or a full init such as /sbin/init.",
	},
	{
		.section = "context",
		.name = "user",
		TEXT(context.user),
		.check = value_check_user,
		.fallback = "",
		.allowed = "USER or USER:GROUP, names or numbers",
		.help = "Who runs the command, looked up in the view's own passwd and group. "
			"Empty: root.",
	},
	{
		.section = "context",
		.name = "hostname",
		TEXT(context.hostname),
		.check = value_check_hostname,
		.fallback = "",
		.allowed = "letters, digits, '-' and '.', at most 64",
		.help = "The host name inside. Empty: the context's name.",
	},
	{
		.section = "context",
		.name = "directory",
		TEXT(context.directory),
		.check = value_check_path,
		.fallback = "",
		.allowed = "an absolute path, no . or .. in it",
		.help = "The working directory of the command, in the view. Empty: /.",
	},
	{
		.section = "context",
		.name = "environment",
		WORDS(context.environment),
		.check = value_check_variable,
		.fallback = "",
		.allowed = "NAME=VALUE, quoted as in a shell where VALUE has blanks",
		.help = "Variables added to the environment of the command; several may stand on "
			"one line.",
	},
	{
		.section = "context",
		.name = "stop",
		LIST(row_stop, context.stop, context.stop_count, struct spec_stop),
		.fallback = "default",
		.allowed = "default, or signals with waits between them: TERM 10s KILL",
		.help = "How the context is stopped: each signal is sent to process 1, then its "
			"end is awaited that long.",
	},
	{
		.section = "context",
		.name = "ready",
		.type = &row_ready,
		.at = { ROW_FIELD(context.ready, struct spec_probe) },
		.choice = &choice_ready,
		.fallback = "started",
		.allowed = "started, notify, tcp:PORT or exec:COMMAND",
		.help = "When the context counts as ready, which is what start waits for: as soon "
			"as the command runs; when it says READY=1 through its socket "
			"(sd_notify(3)); when a connection to the port is accepted on 127.0.0.1 "
			"or ::1 inside; when a command run inside ends with status 0.",
	},
	{
		.section = "context",
		.name = "ready-timeout",
		NUMBER(row_duration, context.ready_timeout_us),
		.min = SECOND / 10,
		.max = 24 * HOUR,
		.fallback = "1m",
		.allowed = "100ms..24h",
		.help = "How long a start waits for the context to be ready. Then the start "
			"fails and the context is stopped.",
	},
	{
		.section = "context",
		.name = "restart",
		WORD(context.restart, enum spec_restart, choice_restart),
		.live = true,
		.fallback = "no",
		.allowed = "no, on-failure, always",
		.help = "Whether the context is started again when it ended by itself: after any "
			"end but exit status 0 (on-failure), or also after that (always). Never "
			"after a stop or a poweroff inside; always after a reboot inside. A "
			"context made by run ends with its command.",
	},
	{
		.section = "context",
		.name = "restart-delay",
		.type = &row_delay,
		.at = { ROW_FIELD(context.restart_first_us, uint64_t),
			ROW_FIELD(context.restart_max_us, uint64_t) },
		.min = SECOND / 100,
		.max = 24 * HOUR,
		.live = true,
		.fallback = "100ms..10s",
		.allowed = "DURATION or FIRST..MAX, 10ms..24h",
		.help = "How long a restart is waited for. It doubles from FIRST to MAX with "
			"every failure in a row, and is FIRST again once the context has run for "
			"as long as MAX, at least 10s.",
	},
	{
		.section = "context",
		.name = "restart-limit",
		.type = &row_rate,
		.at = { ROW_FIELD(context.restart_limit, uint64_t),
			ROW_FIELD(context.restart_limit_us, uint64_t) },
		.min = SECOND,
		.max = 24 * HOUR,
		.live = true,
		.fallback = "10 in 5m",
		.allowed = "none or COUNT in DURATION, 1..100 in 1s..24h",
		.help = "After so many restarts in so long the context is given up and stays "
			"stopped.",
	},
	{
		.section = "context",
		.name = "watchdog",
		.type = &row_timer,
		.at = { ROW_FIELD(context.watchdog_us, uint64_t) },
		.min = SECOND / 10,
		.max = 24 * HOUR,
		.fallback = "off",
		.allowed = "off or 100ms..24h",
		.help = "The command must say WATCHDOG=1 through its socket at least this often "
			"once it is ready, as told by sd_watchdog_enabled(3); on-unhealthy says "
			"what happens when it does not.",
	},
	{
		.section = "context",
		.name = "health",
		.type = &row_health,
		.at = { ROW_FIELD(context.health, struct spec_probe) },
		.choice = &choice_health,
		.min = SECOND / 10,
		.max = 24 * HOUR,
		.live = true,
		.fallback = "none",
		.allowed = "none, tcp:PORT or exec:COMMAND, each with every DURATION (10s when "
			   "left out), 100ms..24h",
		.help = "How it is found out again and again whether the context, once ready, does "
			"its work: as for ready.",
	},
	{
		.section = "context",
		.name = "health-timeout",
		NUMBER(row_duration, context.health_timeout_us),
		.min = SECOND / 100,
		.max = HOUR,
		.live = true,
		.fallback = "5s",
		.allowed = "10ms..1h",
		.help = "How long one probe of ready or health may take. A command is killed then.",
	},
	{
		.section = "context",
		.name = "health-retries",
		NUMBER(row_number, context.health_retries),
		.min = 1,
		.max = 1000,
		.live = true,
		.fallback = "3",
		.allowed = "1..1000",
		.help = "So many failures of health in a row make the context unhealthy.",
	},
	{
		.section = "context",
		.name = "on-unhealthy",
		WORD(context.on_unhealthy, enum spec_unhealthy, choice_unhealthy),
		.live = true,
		.fallback = "restart",
		.allowed = "restart, stop, none",
		.help = "What happens when health or watchdog say that the context does not "
			"work: it is stopped and, whatever restart says, started again; it is "
			"stopped; only an event tells.",
	},
	{
		.section = "context",
		.name = "log",
		.type = &row_log,
		.at = { ROW_FIELD(context.log, enum spec_log),
			ROW_FIELD(context.log_bytes, uint64_t) },
		.choice = &choice_log,
		.min = 64 * KIB,
		.max = TIB,
		.fallback = "file:16M",
		.allowed = "file, file:SIZE (64K..1T), journal or none",
		.help = "Where standard output and error go without a client: to a file that holds "
			"the newest SIZE at most (16M), to the system's journal with the context's "
			"name as identifier, or nowhere.",
	},
	{
		.section = "context",
		.name = "autostart",
		WORD(context.autostart, enum spec_answer, choice_answer),
		.live = true,
		.fallback = "no",
		.allowed = "no, yes",
		.help = "Whether the daemon starts the context when it is started for the first "
			"time since the machine was.",
	},
	{
		.section = "context",
		.name = "after",
		WORDS(context.after),
		.check = value_check_name,
		.live = true,
		.fallback = "",
		.allowed = "names of contexts",
		.help = "Contexts that must be ready before this one starts; they are started "
			"with it where they do not run. What stops together stops in the reverse "
			"order.",
	},
	{
		.section = "context",
		.name = "mark",
		WORDS(context.marks),
		.check = value_check_name,
		.live = true,
		.fallback = "",
		.allowed = "names of groups, in the letters of a context's name",
		.help = "Groups the context belongs to: `wardctl start --mark web` starts all of "
			"one.",
	},
};
const struct row_section keys_context = { context, ARRAY_SIZE(context) };

static const struct row hooks[] = {
	HOOK("before-start", hooks.before_start,
	     "Runs on the host, as root, before anything of the context exists. Its standard input "
	     "is the context as JSON, what it prints goes to the context's log. When it fails, the "
	     "start fails."),
	HOOK("after-ready", hooks.after_ready,
	     "Runs likewise once the context is ready. When it fails this is told, and the context "
	     "goes on, as with those below."),
	HOOK("before-stop", hooks.before_stop,
	     "Runs when the context is to stop, before the first signal."),
	HOOK("after-stop", hooks.after_stop,
	     "Runs after every start that was begun, when nothing is left of the context, however "
	     "it ended. The next start waits for it."),
	{
		.section = "hooks",
		.name = "timeout",
		NUMBER(row_duration, hooks.timeout_us),
		.min = 1000,
		.max = 3600 * SECOND,
		.fallback = "30s",
		.allowed = "1ms..1h",
		.help = "How long each of them may take; then it is killed with all it started, "
			"and has failed.",
	},
};
const struct row_section keys_hooks = { hooks, ARRAY_SIZE(hooks) };
