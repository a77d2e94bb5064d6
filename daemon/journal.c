/* What survives the daemon: one journal per context, RUN/contexts/NAME.journal.
 *
 * The first line is a JSON object with everything a new daemon needs to find the context again
 * (process, slot, ids, spec); each further line is one word that became true since, or the spec
 * that is about to be in force. A record is written whole before anything is made (the intent),
 * lines are appended with one write(2). No fsync: the run directory dies with the machine, as the
 * contexts do. NAME.status beside it is written by ward-init itself, so that an exit is known even
 * if no daemon was there. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/layout.h"
#include "daemon/logs.h"
#include "daemon/service.h"
#include "daemon/watch_limits.h"

#define JOURNAL_MAX (16u << 20) /* a word for each event of a long life */
#define JOURNAL_STRETCH (16 << 10) /* grown by so much, it is written anew */
#define INTENT "changing to " /* and a spec */

static void journal_name(const char *name, const char *suffix, char out[static SPEC_NAME_MAX + 16])
{
	(void) snprintf(out, SPEC_NAME_MAX + 16, "%s.%s", name, suffix);
}

json_t *exit_to_json(const struct exit_info *x)
{
	json_t *o;

	if (!x->known) {
		return json_null();
	}
	o = json_pack("{s:s}", "reason", x->reason);
	if (o && x->code == CLD_EXITED) {
		(void) json_object_set_new(o, "status", json_integer(x->status));
	} else if (o) {
		(void) json_object_set_new(o, "signal", json_integer(x->status));
		(void) json_object_set_new(o, "name", json_string(units_print_signal(x->status)));
	}
	if (o && x->text) {
		(void) json_object_set_new(o, "text", json_string(x->text));
	}
	return o;
}

void exit_from_json(struct exit_info *x, const json_t *o)
{
	const json_t *status = json_object_get(o, "status");
	const char *reason = json_string_value(json_object_get(o, "reason"));
	const char *text = json_string_value(json_object_get(o, "text"));

	if (!reason) {
		return;
	}
	x->known = true;
	(void) snprintf(x->reason, sizeof(x->reason), "%s", reason);
	x->code = status ? CLD_EXITED : CLD_KILLED;
	x->status = (int) json_integer_value(status ? status : json_object_get(o, "signal"));
	(void) str_replace(&x->text, text);
}

static json_t *record_json(const struct context *c, bool ended)
{
	json_t *o = json_pack("{s:i, s:s, s:b, s:b}", "version", LAYOUT_JOURNAL_VERSION, "name",
			      c->name, "throwaway", c->throwaway, "attached", c->session != NULL);

	if (!o) {
		return NULL;
	}
	service_to_journal(c, o, ended);
	if (ended) {
		(void) json_object_set_new(o, "exit", exit_to_json(&c->exit));
	}
	if (ended && c->state == LIFE_ENDING) { /* its after-stop hook wants to know all */
		(void) json_object_set_new(o, "spec", spec_write_json(c->active, false));
	}
	if (ended) {
		return o;
	}
	(void) json_object_update_new(
		o, json_pack("{s:I, s:i, s:I, s:I, s:I, s:b, s:I}", "slot", (json_int_t) c->slot,
			     "pid", (int) c->id.pid, "start", (json_int_t) c->id.start, "ids_first",
			     (json_int_t) c->ids_first, "ids_count", (json_int_t) c->ids_count,
			     "ids_owned", c->ids_owned, "started_us", (json_int_t) c->started_us));
	(void) json_object_set_new(o, "spec", spec_write_json(c->active, false));
	return o;
}

static char *record_text(const struct context *c, bool ended)
{
	json_t *o = record_json(c, ended);
	char *line = o ? json_dumps(o, JSON_COMPACT) : NULL;
	char *text = NULL;

	if (line && asprintf(&text, "%s\n", line) < 0) {
		text = NULL;
	}
	free(line);
	json_decref(o);
	return text;
}

int journal_begin(struct context *c, struct err *e)
{
	_cleanup_free_ char *text = record_text(c, false);
	char file[SPEC_NAME_MAX + 16];
	_cleanup_close_ int fd = -1;
	int r;

	journal_name(c->name, "journal", file);
	if (!text) {
		return err_set(e, -ENOMEM, "%s: writing the journal: out of memory", c->name);
	}
	/* Never torn where there is something to lose: the last end, what a hook did. */
	fd = hooks_finished(c, HOOK_BEFORE_START)
		     ? -EEXIST
		     : sys(openat(c->manager->journal_dirfd, file,
				  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	r = fd == -EEXIST ? file_replace_at(c->manager->journal_dirfd, file, text, strlen(text),
					    0600)
	    : fd < 0	  ? fd
			  : write_all(fd, text, strlen(text));
	if (r < 0) {
		return err_set_errno(e, r, "%s: writing %s/contexts/%s", c->name,
				     c->manager->run_dir, file);
	}
	return fault_point("journal-begun", e);
}

/* @return the length of the journal with it, or -errno. */
static off_t append(struct context *c, const char *line)
{
	char file[SPEC_NAME_MAX + 16];
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	journal_name(c->name, "journal", file);
	fd = sys(openat(c->manager->journal_dirfd, file,
			O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
	r = fd < 0 ? fd : write_all(fd, line, strlen(line));
	if (r >= 0) {
		r = sys(fstat(fd, &st));
	}
	return r < 0 ? r : st.st_size;
}

/* Facts that come and go would make it too long to be read. */
static void note(struct context *c, const char *line)
{
	off_t len = append(c, line), before = len - (off_t) strlen(line);
	struct err e = {};

	if (len < 0) {
		log_warning("%s: noting \"%.*s\" in the journal: %s", c->name,
			    (int) strcspn(line, "\n"), line, strerror((int) -len));
	} else if (len / JOURNAL_STRETCH > before / JOURNAL_STRETCH && journal_rewrite(c, &e) < 0) {
		log_warning("%s", e.text);
	}
	(void) fault_point("journal-noted", NULL);
}

void journal_note(struct context *c, const char *fact)
{
	char line[40];

	(void) snprintf(line, sizeof(line), "%s\n", fact);
	note(c, line);
}

void journal_note_event(struct context *c, const char *fact, uint64_t seq)
{
	char line[64];

	(void) snprintf(line, sizeof(line), "%s %" PRIu64 "\n", fact, seq);
	note(c, line);
}

int journal_intend(struct context *c, const struct spec *wanted, struct err *e)
{
	json_t *o = spec_write_json(wanted, false);
	_cleanup_free_ char *spec = o ? json_dumps(o, JSON_COMPACT) : NULL, *line = NULL;
	off_t r;

	json_decref(o);
	if (!spec || asprintf(&line, INTENT "%s\n", spec) < 0) {
		line = NULL;
		return err_set(e, -ENOMEM, "writing the journal: out of memory");
	}
	r = append(c, line);
	return r < 0 ? err_set_errno(e, (int) r, "writing the journal") : 0;
}

static bool same_word(const char *a, const char *b)
{
	size_t n = strcspn(a, " ");

	return n == strcspn(b, " ") && strncmp(a, b, n) == 0;
}

/* Whether a later line makes an earlier one needless. */
static bool overrules(const char *later, const char *earlier)
{
	static const char *const opposites[][2] = { { "frozen", "thawed" },
						    { EVENT_THROTTLED, EVENT_UNTHROTTLED } };

	for (size_t i = 0; i < ARRAY_SIZE(opposites); i++) {
		for (int k = 0; k < 2; k++) {
			if (same_word(later, opposites[i][k]) &&
			    same_word(earlier, opposites[i][!k])) {
				return true;
			}
		}
	}
	return same_word(later, earlier);
}

static int add_fact(struct strv *facts, const char *line)
{
	size_t count = 0;

	for (size_t i = 0; i < facts->count; i++) {
		if (overrules(line, facts->items[i])) {
			free(facts->items[i]);
		} else {
			facts->items[count++] = facts->items[i];
		}
	}
	facts->count = count;
	return strv_add(facts, line);
}

/* What has become true since the record was begun, and still is; not what was about to. */
static int read_kept(struct context *c, const char *file, struct strv *ret)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;
	int r = file_read_at(c->manager->journal_dirfd, file, JOURNAL_MAX, &text, NULL);

	rest = r < 0 ? NULL : strchr(text, '\n');
	if (!rest) {
		return r < 0 ? r : -EBADMSG;
	}
	rest++;
	while (r >= 0 && (line = strsep(&rest, "\n")) && rest) { /* the last is torn, or empty */
		if (strncmp(line, INTENT, strlen(INTENT)) != 0) {
			r = add_fact(ret, line);
		}
	}
	return r;
}

int journal_rewrite(struct context *c, struct err *e)
{
	_cleanup_free_ char *text = record_text(c, false);
	char file[SPEC_NAME_MAX + 16];
	struct strv facts = {};
	struct buf all = {};
	int r;

	journal_name(c->name, "journal", file);
	buf_puts(&all, text ? text : "");
	r = read_kept(c, file, &facts);
	for (size_t i = 0; i < facts.count; i++) {
		buf_printf(&all, "%s\n", facts.items[i]);
	}
	strv_done(&facts);
	if (r >= 0) {
		r = !text || all.error ? -ENOMEM
				       : file_replace_at(c->manager->journal_dirfd, file, all.data,
							 all.len, 0600);
	}
	buf_done(&all);
	if (r < 0) {
		return err_set_errno(e, r, "%s: writing %s/contexts/%s", c->name,
				     c->manager->run_dir, file);
	}
	return 0;
}

static void remove_file(struct manager *m, const char *name, const char *suffix)
{
	char file[SPEC_NAME_MAX + 16];

	journal_name(name, suffix, file);
	(void) unlinkat(m->journal_dirfd, file, 0);
}

void journal_remove(struct manager *m, const char *name)
{
	remove_file(m, name, "status");
	remove_file(m, name, "journal"); /* last: whoever finds it cleans up */
}

void journal_drop_status(struct manager *m, const char *name)
{
	remove_file(m, name, "status");
}

void journal_end(struct context *c)
{
	_cleanup_free_ char *text = NULL;
	char file[SPEC_NAME_MAX + 16];
	int r;

	if (c->throwaway && c->state != LIFE_ENDING) {
		logs_remove(c->manager, c->name);
		journal_remove(c->manager, c->name);
		return;
	}
	if (!c->exit.known) {
		journal_remove(c->manager, c->name);
		return;
	}
	journal_name(c->name, "journal", file);
	text = record_text(c, true);
	r = text ? file_replace_at(c->manager->journal_dirfd, file, text, strlen(text), 0600)
		 : -ENOMEM;
	if (r < 0) {
		log_warning("%s: keeping the exit status: %s", c->name, strerror(-r));
		return;
	}
	journal_drop_status(c->manager, c->name);
}

int journal_status_open(struct context *c)
{
	char file[SPEC_NAME_MAX + 16];

	journal_name(c->name, "status", file);
	return sys(openat(c->manager->journal_dirfd, file,
			  O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
}

int journal_status_watch(struct context *c, bool *ret_written)
{
	char file[SPEC_NAME_MAX + 16];
	struct stat st;
	int fd, r;

	journal_name(c->name, "status", file);
	fd = sys(openat(c->manager->journal_dirfd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
	r = fd < 0 ? fd : sys(fstat(fd, &st));
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	*ret_written = st.st_size > 0;
	return fd;
}

int journal_status_read(struct context *c, int *ret_code, int *ret_status)
{
	_cleanup_free_ char *text = NULL;
	char file[SPEC_NAME_MAX + 16];
	const char *number;
	uint64_t value;
	int r;

	journal_name(c->name, "status", file);
	r = file_read_at(c->manager->journal_dirfd, file, 64, &text, NULL);
	if (r < 0) {
		return r;
	}
	text[strcspn(text, "\n")] = '\0';
	number = strchr(text, ' ');
	if (!number || units_parse_u64(number + 1, 0, 255, &value) < 0) {
		return -ENODATA;
	}
	*ret_code = strncmp(text, "exited ", 7) == 0 ? CLD_EXITED : CLD_KILLED;
	*ret_status = (int) value;
	return 0;
}

static void read_facts(struct journal_record *r, char *line)
{
	char *word;

	while ((word = strsep(&line, "\n"))) {
		char *number = strchr(word, ' ');
		uint64_t seq;

		if (strncmp(word, INTENT, strlen(INTENT)) == 0) {
			json_decref(r->intent);
			r->intent = line ? json_loads(word + strlen(INTENT), 0, NULL) : NULL;
		} else if (number) { /* a torn one was not told: the daemon died before */
			*number = '\0';
			if (line && units_parse_u64(number + 1, 1, INT64_MAX, &seq) == 0) {
				(void) snprintf(r->fact, sizeof(r->fact), "%s", word);
				r->event = seq;
			}
		}
		for (enum hook_kind k = 0; k < HOOK_COUNT; k++) {
			if (str_equal(word, hooks_name(k))) {
				r->hooks |= 1u << k;
			}
		}
		r->started |= str_equal(word, "started");
		r->ready |= str_equal(word, "ready");
		r->stopping |= str_equal(word, "stopping");
		r->throttled = str_equal(word, EVENT_THROTTLED) ||
			       (r->throttled && !str_equal(word, EVENT_UNTHROTTLED));
		r->asked |= str_equal(word, "asked");
		r->again |= str_equal(word, "again");
		r->failed |= str_equal(word, "failed");
		r->frozen = str_equal(word, "frozen") || (r->frozen && !str_equal(word, "thawed"));
	}
}

int journal_read(struct manager *m, const char *name, struct journal_record *ret)
{
	struct journal_record record = {};
	_cleanup_free_ char *text = NULL;
	char file[SPEC_NAME_MAX + 16], *end;
	int r;

	journal_name(name, "journal", file);
	r = file_read_at(m->journal_dirfd, file, JOURNAL_MAX, &text, NULL);
	if (r < 0) {
		return r;
	}
	end = strchr(text, '\n');
	if (!end) { /* the daemon died in the middle of the first write */
		return -EBADMSG;
	}
	*end = '\0';
	record.head = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (json_integer_value(json_object_get(record.head, "version")) !=
	    LAYOUT_JOURNAL_VERSION) { /* damaged: those of others were refused by layout_open() */
		json_decref(record.head);
		return -EBADMSG;
	}
	record.ended = json_object_get(record.head, "exit") != NULL;
	read_facts(&record, end + 1);
	*ret = record;
	return 0;
}

void journal_record_done(struct journal_record *r)
{
	json_decref(r->head);
	json_decref(r->intent);
	r->head = r->intent = NULL;
}

int journal_each(struct manager *m, void (*each)(struct manager *m, const char *name))
{
	int fd = sys(openat(m->journal_dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct strv names = {};
	const struct dirent *d;
	DIR *dir;
	int r = 0;

	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		r = fd < 0 ? fd : -errno;
		fd_close(fd);
		return r;
	}
	while (r >= 0 && (d = readdir(dir))) {
		const char *suffix = strrchr(d->d_name, '.');

		if (suffix && str_equal(suffix, ".journal")) {
			r = strv_add(&names, d->d_name);
		}
	}
	(void) closedir(dir);
	for (size_t i = 0; r >= 0 && i < names.count; i++) {
		*strrchr(names.items[i], '.') = '\0';
		if (spec_name_valid(names.items[i])) {
			each(m, names.items[i]);
		}
	}
	strv_done(&names);
	return r;
}
