/* Looking at contexts: summaries, processes, logs, plans. Nothing here changes anything. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "daemon/service.h"
#include "daemon/owner.h"

#define PROCESSES_MAX 4096
#define CMDLINE_SHOWN 256

const char *context_name(const struct context *c)
{
	return c->name;
}

const struct spec *context_spec(const struct context *c)
{
	return c->active ? c->active : c->declared;
}

static uint64_t uptime_us(const struct context *c)
{
	struct timespec ts;
	uint64_t now;

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	now = (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
	return now > c->started_us ? now - c->started_us : 0;
}

/* Names in `after` that a start would stumble over. */
static void add_unknown(json_t *list, struct manager *m, const struct context *c)
{
	const struct strv *after = c->declared ? &c->declared->context.after : &(struct strv){};

	for (size_t i = 0; i < after->count; i++) {
		char text[256];

		if (!registry_lookup(m, after->items[i])) {
			(void) snprintf(text, sizeof(text),
					"context.after: there is no context \"%s\"",
					after->items[i]);
			(void) json_array_append_new(list, json_string(text));
		}
	}
}

static json_t *warnings(struct manager *m, struct context *c)
{
	const char *unknown = context_owner_unknown(m, c);
	const struct spec *s = context_spec(c);
	json_t *list = json_array();
	char text[512] = "";

	if (s && s->files.upper == SPEC_UPPER_KEPT && s->files.root == SPEC_ROOT_HOST &&
	    fs_kept_changed(m->fs, c->name, text, sizeof(text)) >= 0 && text[0]) {
		(void) json_array_append_new(list, json_string(text));
	}
	add_unknown(list, m, c);
	if (c->broken) {
		(void) json_array_append_new(list, json_string("its file has errors now; "
							       "\"check\" names them"));
	}
	if (unknown) {
		(void) snprintf(text, sizeof(text), "owner %s: no such user in /etc/passwd",
				unknown);
		(void) json_array_append_new(list, json_string(text));
	}
	if (hooks_warning(c)) {
		(void) json_array_append_new(list, json_string(hooks_warning(c)));
	}
	if (c->active && c->declared && c->active != c->declared && !c->throwaway &&
	    !spec_equal(c->active, c->declared)) {
		(void) json_array_append_new(list, json_string("what runs differs from its file"));
	}
	return list;
}

static json_t *words_json(const struct strv *words)
{
	json_t *list = json_array();

	for (size_t i = 0; i < words->count; i++) {
		(void) json_array_append_new(list, json_string(words->items[i]));
	}
	return list;
}

static const char *init_name(const struct spec *s)
{
	switch (s->context.init) {
	case SPEC_INIT_FAKE:
		return "fake";
	case SPEC_INIT_NONE:
		return "none";
	case SPEC_INIT_PATH:
	case SPEC_INIT_COUNT:
		break;
	}
	return s->context.init_path;
}

json_t *context_summary(struct manager *m, struct context *c)
{
	const struct spec *s = context_spec(c);
	json_t *o = json_pack("{s:s, s:s, s:b, s:o, s:o}", "name", c->name, "state",
			      life_state_name(c->state), "throwaway", c->throwaway, "exit",
			      c->active && c->state != LIFE_ENDING ? json_null()
								   : exit_to_json(&c->exit),
			      "warnings", warnings(m, c));

	if (!o) {
		return NULL;
	}
	service_summary(c, o);
	if (c->id.pid) {
		char path[256] = "";

		sched_slot_path(m->sched, c->slot, path, sizeof(path));
		(void) json_object_set_new(o, "pid", json_integer(c->id.pid));
		(void) json_object_set_new(o, "uptime_us", json_integer((json_int_t) uptime_us(c)));
		(void) json_object_set_new(o, "cgroup", json_string(path));
	}
	if (s && s->context.marks.count) {
		(void) json_object_set_new(o, "mark", words_json(&s->context.marks));
	}
	if (s) {
		(void) json_object_set_new(o, "description",
					   json_string(s->context.description
							       ? s->context.description
							       : ""));
		(void) json_object_set_new(o, "init", json_string(init_name(s)));
		(void) json_object_set_new(o, "command",
					   json_string(s->context.command.count
							       ? s->context.command.items[0]
							       : init_name(s)));
	}
	return o;
}

bool context_is_running(const struct context *c)
{
	return c->state != LIFE_STOPPED;
}

int context_usage(struct manager *m, struct context *c, uint64_t *ret_memory, uint64_t *ret_pids)
{
	return c->id.pid ? sched_slot_usage(m->sched, c->slot, ret_memory, ret_pids) : -ESRCH;
}

/* The n-th (from 1) blank-separated number after `key` in /proc/PID/status; -1 when missing. */
static long long status_field(const char *status, const char *key, unsigned n)
{
	const char *at = strstr(status, key);
	char *end;

	if (!at) {
		return -1;
	}
	at += strlen(key);
	for (unsigned i = 1;; i++) {
		long long v;

		at += strspn(at, " \t");
		v = strtoll(at, &end, 10);
		if (end == at || i == n) {
			return end == at ? -1 : v;
		}
		at = end;
	}
}

/* The last number of the NSpid line: the pid in the innermost namespace. */
static long long inner_pid(const char *status)
{
	long long pid = -1, next;

	for (unsigned n = 1; n < 32; n++) {
		const char *line = strstr(status, "\nNSpid:");
		const char *end = line ? strchr(line + 1, '\n') : NULL;
		char copy[256];

		if (!end || (size_t) (end - line) >= sizeof(copy)) {
			break;
		}
		(void) snprintf(copy, sizeof(copy), "%.*s", (int) (end - line), line);
		next = status_field(copy, "\nNSpid:", n);
		if (next < 0) {
			break;
		}
		pid = next;
	}
	return pid;
}

/* Arguments joined by blanks; whatever is not printable becomes "?": it comes from inside. */
static void printable(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char) text[i];

		text[i] = c == '\0' ? ' ' : (char) (c < 0x20 || c >= 0x7f ? '?' : c);
	}
	while (len > 0 && text[len - 1] == ' ') {
		text[--len] = '\0';
	}
}

static void add_command(json_t *o, int procfd, const char *status)
{
	_cleanup_close_ int fd = sys(openat(procfd, "cmdline", O_RDONLY | O_CLOEXEC));
	char text[CMDLINE_SHOWN + 1] = "";
	ssize_t n = fd < 0 ? 0 : read(fd, text, CMDLINE_SHOWN);

	if (n <= 0) {
		const char *name = status + strlen("Name:\t");

		(void) snprintf(text, sizeof(text), "[%.*s]", (int) strcspn(name, "\n"), name);
		n = (ssize_t) strlen(text);
	}
	printable(text, (size_t) n);
	(void) json_object_set_new(o, "command", json_string(text));
}

static json_t *process(const struct context *c, pid_t pid)
{
	_cleanup_free_ char *status = NULL;
	_cleanup_close_ int procfd = -1;
	long long uid, ticks = sysconf(_SC_CLK_TCK), rss;
	_cleanup_free_ char *stat = NULL;
	const char *at;
	unsigned long long user = 0, system = 0;
	char path[32];
	json_t *o;

	(void) snprintf(path, sizeof(path), "/proc/%d", (int) pid);
	procfd = sys(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (procfd < 0 || file_read_at(procfd, "status", 16384, &status, NULL) < 0 ||
	    file_read_at(procfd, "stat", 4096, &stat, NULL) < 0) {
		return NULL; /* it has gone */
	}
	at = strrchr(stat, ')');
	if (!at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
			  &system) != 2) {
		return NULL;
	}
	uid = status_field(status, "\nUid:", 1);
	rss = status_field(status, "\nVmRSS:", 1);
	if (c->ids_count && uid >= c->ids_first && uid < (long long) c->ids_first + c->ids_count) {
		uid -= c->ids_first;
	}
	o = json_pack("{s:i, s:I, s:I, s:I, s:I, s:s#}", "pid", (int) pid, "inner",
		      (json_int_t) inner_pid(status), "user", (json_int_t) uid, "cpu_us",
		      (json_int_t) ((user + system) * 1000000 / (unsigned long long) ticks),
		      "rss_bytes", (json_int_t) (rss < 0 ? 0 : rss * 1024), "state", at + 2, 1);
	if (o) {
		add_command(o, procfd, status);
	}
	return o;
}

json_t *context_processes(struct manager *m, struct context *c, struct err *e)
{
	_cleanup_free_ pid_t *pids = calloc(PROCESSES_MAX, sizeof(*pids));
	json_t *list = json_array();
	ssize_t n;

	if (!c->id.pid) {
		json_decref(list);
		(void) err_set(e, -ESRCH, "ps %s: it does not run", c->name);
		return NULL;
	}
	n = pids && list ? sched_slot_pids(m->sched, c->slot, pids, PROCESSES_MAX) : -ENOMEM;
	if (n < 0) {
		json_decref(list);
		(void) err_set_errno(e, (int) n, "ps %s", c->name);
		return NULL;
	}
	for (ssize_t i = 0; i < n && i < PROCESSES_MAX; i++) {
		json_t *o = process(c, pids[i]);

		if (o) {
			(void) json_array_append_new(list, o);
		}
	}
	return list;
}

int manager_plan(struct manager *m, const struct spec *spec, struct buf *out, struct err *e)
{
	return launch_print(m, spec, out, e);
}
