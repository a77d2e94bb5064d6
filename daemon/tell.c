/* Events of facts and ends, each told once. */
#include "daemon/tell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"

#define KERNEL_LOG_BYTES (64u << 10)
#define SYSLOG_ACTION_READ_ALL 3 /* the newest, not taken away: syslog(2) */
#define SEARCHED 256 /* an end that was told without its journal closed is one of the last */

static json_t *started_detail(const struct context *c)
{
	return json_pack("{s:i, s:I}", "pid", (int) c->id.pid, "start", (json_int_t) c->started_us);
}

void tell_fact(struct context *c, const char *kind, json_t *detail)
{
	struct events *events = c->manager->events;

	journal_note_event(c, kind, events_last(events) + 1);
	(void) events_add(events, kind, c->name,
			  str_equal(kind, EVENT_STARTED) ? started_detail(c) : detail);
}

void tell_fact_again(struct context *c, const struct journal_record *record)
{
	bool started = str_equal(record->fact, EVENT_STARTED);
	struct events *events = c->manager->events;

	if (record->event > events_last(events))
		(void) events_add(events, record->fact, c->name,
				  started ? started_detail(c) : NULL);
	/* service_ready(), where readiness needs no condition */
	if (started && !c->throwaway && !context_says_ready(c) &&
	    record->event + 1 > events_last(events))
		(void) events_add(events, EVENT_READY, c->name, NULL);
}

/* --- the victim --- */

/* "oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=/ward/main/7,...,task=tail,pid=123,uid=0" */
static json_t *read_victim(const char *line)
{
	const char *task = strstr(line, ",task="), *end = strchr(line, '\n');
	const char *comma = task ? strstr(task, ",pid=") : NULL;
	char name[32];
	int pid;

	if (!comma || (end && comma > end) || sscanf(comma, ",pid=%d", &pid) != 1)
		return NULL;
	task += strlen(",task=");
	(void) snprintf(name, sizeof(name), "%.*s", (int) (comma - task), task);
	for (char *p = name; *p; p++) /* it comes from inside */
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
	return json_pack("{s:i, s:s%}", "pid", pid, "command", name, strlen(name));
}

/* Slots' numbers come again with the next daemon: is the line that `at` is in, "<6>[ 4091.07] ..",
 * younger than the start? */
static bool is_since(const char *log, const char *at, uint64_t started_us)
{
	struct timespec real, mono;
	unsigned long long s, us;

	(void) clock_gettime(CLOCK_REALTIME, &real);
	(void) clock_gettime(CLOCK_MONOTONIC, &mono);
	while (at > log && at[-1] != '\n')
		at--;
	if (sscanf(at, "<%*d>[%llu.%6llu]", &s, &us) != 2)
		return true; /* a kernel that does not say when */
	s += (unsigned long long) (real.tv_sec - mono.tv_sec) + 1;
	return s * 1000000 + us >= started_us;
}

/* The last process that the kernel says it killed in the slot. */
static json_t *find_victim(const struct context *c)
{
	_cleanup_free_ char *log = malloc(KERNEL_LOG_BYTES + 1);
	char path[256] = "", sought[320];
	const char *found = NULL;
	int n = log ? klogctl(SYSLOG_ACTION_READ_ALL, log, KERNEL_LOG_BYTES) : -1;

	if (n <= 0)
		return NULL;
	log[n] = '\0';
	sched_slot_path(c->manager->sched, c->slot, path, sizeof(path));
	(void) snprintf(sought, sizeof(sought), "oom_memcg=%s,", path);
	for (const char *p = log; (p = strstr(p, sought)); p++)
		if (is_since(log, p, c->started_us))
			found = p;
	return found ? read_victim(found) : NULL;
}

/* @kills 0: of no interest, all are dead */
static void tell_oom(struct context *c, uint64_t kills)
{
	bool process = c->active && c->active->memory.oom == SPEC_OOM_PROCESS;
	json_t *o = json_pack("{s:I, s:s}", "start", (json_int_t) c->started_us, "choice",
			      process ? "process" : "context");
	json_t *victim;
	struct sched_stats s;

	if (kills)
		(void) json_object_set_new(o, "kills", json_integer((json_int_t) kills));
	if (c->slot && sched_slot_stats(c->manager->sched, c->slot, &s) >= 0) {
		if (s.memory_limit_bytes <= INT64_MAX)
			(void) json_object_set_new(o, "limit_bytes",
						   json_integer((json_int_t) s.memory_limit_bytes));
		(void) json_object_set_new(o, "peak_bytes",
					   json_integer((json_int_t) s.memory_peak_bytes));
	}
	victim = c->slot ? find_victim(c) : NULL;
	if (victim)
		(void) json_object_set_new(o, "victim", victim);
	(void) events_add(c->manager->events, EVENT_OOM, c->name, o);
}

void tell_out_of_memory(struct context *c, uint64_t kills)
{
	tell_oom(c, kills);
}

/* --- the end --- */

static void add_end(struct context *c, bool failed)
{
	json_t *o = json_pack("{s:o}", "exit", exit_to_json(&c->exit));

	if (o && c->started_us)
		(void) json_object_set_new(o, "start", json_integer((json_int_t) c->started_us));
	(void) events_add(c->manager->events, failed ? EVENT_FAILED : EVENT_EXITED, c->name, o);
}

void tell_end(struct context *c, bool failed)
{
	if (c->end_told)
		return;
	if (str_equal(c->exit.reason, "oom"))
		tell_oom(c, 0);
	add_end(c, failed);
}

struct search {
	const struct context *context;
	char start[48];
	bool oom, end, plan;
};

/* Inside a JSON string every quote has a backslash before it, so nobody forges the match. */
static bool is_told(void *arg, const struct event *ev)
{
	struct search *s = arg;

	if (ev->lost || !event_of(ev, s->context->name))
		return true;
	s->plan |= s->end && (event_is(ev, EVENT_RESTARTING) || event_is(ev, EVENT_GAVE_UP));
	if (memmem(ev->line, ev->len, s->start, strlen(s->start))) {
		s->oom |= event_is(ev, EVENT_OOM);
		s->end |= event_is(ev, EVENT_EXITED) || event_is(ev, EVENT_FAILED);
	}
	return true;
}

static void search(const struct context *c, struct search *s)
{
	uint64_t last = events_last(c->manager->events);
	struct events_cursor at = { .seq = last > SEARCHED ? last - SEARCHED : 0 };

	*s = (struct search){ .context = c };
	(void) snprintf(s->start, sizeof(s->start), "\"start\": %" PRIu64, c->started_us);
	while (events_walk(c->manager->events, &at, NULL, is_told, s))
		;
}

void tell_adopted(struct context *c)
{
	struct search s;
	int code, status;

	if (journal_status_read(c, &code, &status) < 0)
		return;
	search(c, &s);
	c->end_told = s.end;
}

bool tell_end_again(struct context *c, bool failed)
{
	struct search s;

	search(c, &s);
	if (s.end)
		return s.plan;
	if (!s.oom && str_equal(c->exit.reason, "oom"))
		tell_oom(c, 0);
	add_end(c, failed);
	return false;
}
