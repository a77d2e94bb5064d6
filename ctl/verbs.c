/* The table itself. A verb that is not here does not exist; what its row says is what the parser
 * accepts and what people read. "manual" alone is left out of what people read: the build uses
 * it to make wardctl(1). */
#include "ctl/verbs.h"

#include <string.h>

#include "base/mem.h"
#include "ctl/text.h"

#define MANY "NAME..."

const char *const verb_family_titles[VERB_FAMILY_COUNT] = {
	[VERB_LIFE] = "Life",	  [VERB_INSIDE] = "Inside", [VERB_LOOK] = "Look",
	[VERB_CHANGE] = "Change", [VERB_HOST] = "Host",
};

const struct verb verbs_table[] = {
	{ "run", "[-- COMMAND...]",
	  OPT(NAME) | OPT(FILE) | OPT(SET) | OPT(TTY) | OPT(NO_TTY) | OPT(DETACH) | OPT(USER) |
		  OPT(DIRECTORY) | OPT(ENV) | OPT(JSON),
	  VERB_LIFE, verb_run, "run a command in a context made for it",
	  "Makes a context, runs the command in it, and removes the context when the command ends. "
	  "Without more said the context sees this machine's files copy-on-write, has no network, "
	  "and what it changes is gone afterwards. --file takes the spec from a file, --set "
	  "changes "
	  "single keys of it (ward.ini(5) lists them); a command given here replaces the one in "
	  "the "
	  "file.\n\n"
	  "The command has wardctl's own standard input, output and error, so data moves as fast "
	  "as "
	  "through a pipe; with a terminal it gets a terminal of its own. The exit status is the "
	  "command's: 128+N when signal N ended it, 127 when it was not found, 126 when it is not "
	  "executable, 125 when Ward failed. Signals that wardctl gets are passed on. When wardctl "
	  "goes away the command is ended.\n\n"
	  "  wardctl run -- make check\n"
	  "  tar c . | wardctl run --set memory.limit=256M -- tar x -C /tmp\n"
	  "  wardctl run --detach --name job -- ./nightly.sh" },
	{ "start", MANY, OPT(ALL) | OPT(MARK) | OPT(AUTOSTART) | OPT(NO_WAIT) | OPT(JSON),
	  VERB_LIFE, verb_start, "start contexts",
	  "Starts declared contexts and waits until they are ready (key context.ready), or with "
	  "--no-wait until their commands run. One that is not ready in time "
	  "(context.ready-timeout) is stopped again. Those that a context is after (key "
	  "context.after) are started before it, where they do not run, and this is told. With "
	  "several names, --all or --mark all start in parallel as far as that order permits; one "
	  "that fails fails those after it, the others go on. With --all: every context that is "
	  "stopped; one that waits for its restart is started now. With --autostart: those with "
	  "autostart = yes that were not started since the machine was, or since the last stop "
	  "--all.\n\n"
	  "  wardctl start --mark web" },
	{ "stop", MANY, OPT(ALL) | OPT(MARK) | OPT(TIMEOUT) | OPT(JSON), VERB_LIFE, verb_stop,
	  "stop contexts",
	  "Runs the stop sequence of each context (key context.stop) and waits until it is "
	  "stopped; a restart that was pending is called off. Several contexts stop in the reverse "
	  "order of their start, in parallel where none is after the other; --timeout then bounds "
	  "the whole. A context that does not run is no error.\n\n"
	  "  wardctl stop --all --timeout 80s" },
	{ "restart", MANY, OPT(MARK) | OPT(TIMEOUT) | OPT(NO_WAIT), VERB_LIFE, verb_restart,
	  "stop contexts, then start them",
	  "Stops each context, if it runs, and starts it with its spec as it is declared now." },
	{ "kill", MANY, OPT(ALL) | OPT(MARK) | OPT(SIGNAL) | OPT(PROCESSES) | OPT(JSON), VERB_LIFE,
	  verb_kill, "send a signal to contexts",
	  "Sends a signal (TERM, or --signal) to the first process of each context, which passes "
	  "it "
	  "to the command; with --processes to every process. KILL always goes to every "
	  "process.\n\n"
	  "  wardctl kill -s HUP web" },
	{ "freeze", MANY, OPT(ALL) | OPT(MARK) | OPT(JSON), VERB_LIFE, verb_freeze,
	  "suspend every process of contexts",
	  "The processes get no CPU until thaw. They keep their memory and connections." },
	{ "thaw", MANY, OPT(ALL) | OPT(MARK) | OPT(JSON), VERB_LIFE, verb_thaw,
	  "let frozen contexts go on", "" },
	{ "status", MANY, OPT(MARK) | OPT(JSON) | OPT(QUIET), VERB_LIFE, verb_status,
	  "say whether contexts run",
	  "One line each. The exit status is 0 when all of them run (a frozen one does), 3 when "
	  "one "
	  "does not, 1 when one does not exist." },
	{ "wait", MANY,
	  OPT(READY) | OPT(EXIT) | OPT(EVENT) | OPT(AFTER) | OPT(TIMEOUT) | OPT(JSON) | OPT(QUIET),
	  VERB_LIFE, verb_wait, "wait until contexts stop, are ready, end, or something happens",
	  "Without more said until they are stopped; prints how each of them ended, in the order "
	  "given.\n\n"
	  "With --ready until they are ready for their work (key context.ready; without that key "
	  "until their command runs), which they may be already. With --exit until the command "
	  "ends, also when it is then started again; a context that is stopped has ended. With "
	  "--event until there is an event of that kind (\"events\" shows them).\n\n"
	  "Every reply to something done has the number of the latest event so far (\"seq\", with "
	  "--json). --after takes such a number: what happened since then counts, so nothing is "
	  "missed between two calls, also when the daemon was restarted or the context is gone "
	  "by now.\n\n"
	  "The exit status is 0; 124 when --timeout passed; 3 when one ended before it was ready; "
	  "with --exit it is that of the command (128+N when signal N ended it), of several the "
	  "first that is not 0.\n\n"
	  "  wardctl wait web --ready --timeout 30s\n"
	  "  seq=$(wardctl start job --json | jq '.[0].seq')\n"
	  "  wardctl wait job --exit --after $seq" },
	{ "exec", "NAME -- COMMAND...",
	  OPT(TTY) | OPT(NO_TTY) | OPT(USER) | OPT(DIRECTORY) | OPT(ENV), VERB_INSIDE, verb_exec,
	  "run a command in a running context",
	  "Streams, terminal, signals and exit status are as for run.\n\n"
	  "  wardctl exec db -- psql -c 'select 1'\n"
	  "  wardctl exec -u nobody web id" },
	{ "enter", "NAME", OPT(USER) | OPT(DIRECTORY) | OPT(ENV), VERB_INSIDE, verb_enter,
	  "open a shell in a running context",
	  "The login shell of the user (root, or --user), /bin/sh when there is none, on a "
	  "terminal "
	  "of its own." },
	{ "ps", "NAME", OPT(JSON), VERB_INSIDE, verb_ps, "list the processes of a context",
	  "PID is the number on this host, INNER the one that the context sees." },
	{ "logs", MANY, OPT(FOLLOW) | OPT(LINES) | OPT(SINCE) | OPT(UNTIL) | OPT(START),
	  VERB_INSIDE, verb_logs, "print what contexts wrote",
	  "Standard output and error of contexts that were started or run detached. With --follow "
	  "it goes on until the context ends. On a terminal starts and ends are marked and control "
	  "characters are not let through; into a file or pipe every byte is, and nothing else. "
	  "With several names each line bears its context's.\n\n"
	  "TIME is how long ago, as in 10m, 36h, 7d; a moment as in \"2026-11-21 10:04:05\", "
	  "2026-11-21, 10:04; today, yesterday; or @SECONDS since 1970. Contexts write their logs "
	  "themselves, so lines bear no time: the daemon notes about once a second how far a log "
	  "has come, and what was written in the second around TIME may be printed too. The older "
	  "the part of a log that is written all the time, the coarser are the notes.\n\n"
	  "A log holds the newest lines up to its size (key context.log). Whoever follows too "
	  "slowly is told how many bytes were removed before they were read.\n\n"
	  "  wardctl logs -f web db\n"
	  "  wardctl logs web --since 10m\n"
	  "  wardctl logs web --start 2" },
	{ "list", "", OPT(MARK) | OPT(JSON) | OPT(QUIET), VERB_LOOK, verb_list, "list the contexts",
	  "With --quiet only the names, one a line." },
	{ "show", "NAME", OPT(JSON) | OPT(FULL), VERB_LOOK, verb_show,
	  "print the state and the spec of a context",
	  "The spec as an INI file, the state before it as comments. Of a running context it is "
	  "the "
	  "spec it was started with." },
	{ "stats", "[NAME...]", OPT(JSON) | OPT(FOLLOW) | OPT(INTERVAL) | OPT(COLUMNS) | OPT(SORT),
	  VERB_LOOK, verb_stats, "print what contexts use",
	  "CPU time, throttling, memory, processes, disk and network of the named contexts or of "
	  "all that run, since they were started. With --follow again and again: what they use a "
	  "second, and how near their limits they are. --columns and --sort take the names that "
	  "the help of top lists. With --json: the exact numbers.\n\n"
	  "  wardctl stats -f -i 1s --columns name,cpu-promised,memory-promised,wait-cpu\n"
	  "  wardctl stats --sort memory" },
	{ "top", "", OPT(BATCH) | OPT(INTERVAL) | OPT(COLUMNS) | OPT(SORT), VERB_LOOK, verb_top,
	  "watch what contexts use, and act on them",
	  "A table on the whole terminal, of the contexts that run, renewed every two seconds: "
	  "what "
	  "they use a second, what of their limits that is (C/LIM, M/LIM), how long they were "
	  "throttled "
	  "(THR) or waited for a resource (W-CPU, W-MEM, W-IO). Keys freeze and thaw, stop, "
	  "restart, kill and enter the context on which the cursor is, show its log, sort by each "
	  "column and filter by name; h lists them, and the columns. Where the terminal is narrow "
	  "the rightmost columns are left out, but for the one sorted by. When the daemon goes "
	  "away top waits for the next "
	  "one.\n\n"
	  "With --batch it prints N tables as text.\n\n"
	  "  wardctl top --sort memory\n"
	  "  wardctl top -b 1 --columns name,cpu,memory" },
	{ "events", "[NAME...]",
	  OPT(FOLLOW) | OPT(AFTER) | OPT(SINCE) | OPT(LINES) | OPT(KIND) | OPT(JSON), VERB_LOOK,
	  verb_events, "print what happened, to all or to the named contexts",
	  "Events are numbered, and kept on disk within a bound (wardd --history): --after resumes "
	  "where one stopped reading, also over restarts of the daemon. Numbers are never used "
	  "twice; those that are no longer kept are told as \"lost\". With --json each event is a "
	  "JSON object on a line of its own.\n\n"
	  "  wardctl events -f -n 10\n"
	  "  wardctl events web -k exited -k oom --since 1h" },
	{ "why", "NAME", OPT(JSON), VERB_LOOK, verb_why, "explain the state of a context",
	  "What it is doing and since when, how it ended the last time and why, what it waits for, "
	  "what of its file is not in force, where it is held back (CPU quota, pressure, limits "
	  "of memory and processes), and what was denied to it, all read back from the host." },
	{ "plan", "[NAME]", OPT(FILE) | OPT(SET) | OPT(WHAT_IF) | OPT(JSON), VERB_LOOK, verb_plan,
	  "print the steps that a start would take, or say whether it could be made",
	  "Of a declared context, or of a file; --set tries a change. Nothing is done.\n\n"
	  "With --what-if it says whether contexts, by name or by file (what has a / in it or ends "
	  "in .ini), could be started now, in that order, beside all that runs: whether this host "
	  "has what they need, and whether what they reserve is free; a refusal says who holds it. "
	  "What follows is the budget as it would be. Of a context that runs already its change is "
	  "meant. The exit status is 1 when one of them could not.\n\n"
	  "  wardctl plan --what-if web.ini db.ini\n"
	  "  wardctl plan --what-if web --set cpu.reserve=80%" },
	{ "budget", "", OPT(JSON), VERB_LOOK, verb_budget,
	  "print what is reserved, by whom, and what is free",
	  "For all CPUs, and for each set of them that a context is confined to: what they are, "
	  "what the host keeps of them (wardd.ini), what is reserved by contexts that have no "
	  "other "
	  "CPUs, the most that one more such context could reserve, and the sum of their shares. "
	  "Memory: all of it, what the host keeps, what is guaranteed, what is free to be, the sum "
	  "of all limits and how many contexts have none. Then the contexts: those that run, and "
	  "those that wait to be started again. Owners see their own there, and all in the "
	  "sums." },
	{ "set", "NAME KEY=VALUE...", OPT(RUNTIME) | OPT(JSON), VERB_CHANGE, verb_set,
	  "change keys of a context",
	  "All or nothing, at once where the context runs and the key can change then, and kept in "
	  "its file unless --runtime. A key that repeats is given once for each entry; an empty "
	  "value empties it.\n\n"
	  "  wardctl set web memory.limit=1G cpu.limit=150%" },
	{ "reload", "[NAME...]", OPT(DRY_RUN) | OPT(JSON) | OPT(QUIET), VERB_CHANGE, verb_reload,
	  "apply what changed in the files of contexts",
	  "Reads the files again, all or those of the contexts named, and prints what changed. "
	  "Keys that may change while a context runs are applied at once, each context as one "
	  "step; others hold with the next start. New and removed files and those with errors "
	  "are named; a context whose file is gone or broken runs on as it is. What set "
	  "--runtime changed is as in the file again. The exit status is 1 when a file has "
	  "errors or something could not be applied. Nothing is written.\n\n"
	  "  wardctl reload --dry-run\n"
	  "  wardctl reload web" },
	{ "get", "NAME [KEY]", OPT(JSON), VERB_CHANGE, verb_get, "print keys of a context",
	  "One key's value, or every key as KEY = VALUE." },
	{ "check", "FILE...", OPT(JSON), VERB_CHANGE, verb_check, "check context files",
	  "Prints every error with file and line; needs no daemon." },
	{ "create", "FILE", OPT(NAME) | OPT(SET) | OPT(REPLACE) | OPT(JSON), VERB_CHANGE,
	  verb_create, "declare a context from a file",
	  "The name is that of the file, less .ini, unless --name says another." },
	{ "delete", MANY, 0, VERB_CHANGE, verb_delete, "remove contexts and what they keep on disk",
	  "Only contexts that are stopped." },
	{ "doctor", "", OPT(JSON), VERB_HOST, verb_doctor,
	  "say what this host offers and what is lost without it",
	  "Kernel features, controllers and libraries that Ward can use." },
	{ "version", "", OPT(JSON), VERB_HOST, verb_version, "print the versions",
	  "Of wardctl and, when it runs, of the daemon. They work together when they are at most "
	  "one minor version apart; more is warned of. What a daemon does not have is told with "
	  "both versions when it is asked for." },
	{ "completion", "SHELL", 0, VERB_HOST, verb_completion,
	  "print the completion script for bash, zsh or fish", "  . <(wardctl completion bash)" },
	{ "help", "[VERB]", 0, VERB_HOST, verb_help, "explain wardctl or a verb", "" },
	{ "manual", "", 0, VERB_FAMILY_COUNT, verb_manual, "print wardctl(1)", "" },
};

const size_t verbs_count = ARRAY_SIZE(verbs_table);

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < verbs_count; i++)
		if (!strcmp(verbs_table[i].name, name))
			return &verbs_table[i];
	return NULL;
}

int verb_unknown(const char *word, struct err *e)
{
	size_t nearest = 3;
	const char *name = NULL;

	for (size_t i = 0; i < verbs_count; i++) {
		size_t d = text_distance(word, verbs_table[i].name);

		if (d < nearest) {
			nearest = d;
			name = verbs_table[i].name;
		}
	}
	if (name)
		return err_set(e, -EINVAL, "there is no verb \"%.64s\"; is \"%s\" meant?", word,
			       name);
	return err_set(e, -EINVAL, "there is no verb \"%.64s\"", word);
}
