/* Versions of directories: files that Ward 0.1 wrote (recorded from commit 36312cd), migrations
 * that were cut off anywhere, and refusals that change nothing. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/version.h"
#include "daemon/core.h"
#include "daemon/layout.h"

#define NOW "{\"version\": 2, \"ward\": \"" WARD_VERSION "\"}\n"

/* --- as 0.1 wrote them --- */

#define HEAD_COLD                                                                                  \
	"{\"version\":1,\"name\":\"cold\",\"throwaway\":false,\"attached\":false,\"slot\":2,"      \
	"\"pid\":14539,\"start\":1246437,\"ids_first\":4026597376,\"ids_count\":65536,"            \
	"\"ids_owned\":true,\"started_us\":1795275619531609,\"spec\":{\"name\":\"cold\","          \
	"\"context\":{\"command\":[\"sh\",\"-c\",\"sleep 9\"]},\"memory\":{\"limit\":\"64M\"}}}\n"
#define HEAD_JOB                                                                                   \
	"{\"version\":1,\"name\":\"job\",\"throwaway\":true,\"attached\":false,\"slot\":8,"        \
	"\"pid\":14545,\"start\":1246438,\"ids_first\":4026990592,\"ids_count\":65536,"            \
	"\"ids_owned\":true,\"started_us\":1795275619555401,\"spec\":{\"name\":\"job\","           \
	"\"context\":{\"command\":[\"sleep\",\"1000\"]}}}\n"
#define HEAD_GONE                                                                                  \
	"{\"version\":1,\"name\":\"gone\",\"throwaway\":false,\"attached\":false,"                 \
	"\"exit\":{\"reason\":\"exit\",\"status\":7}}\n"

struct recorded {
	const char *path, *text;
};

static const struct recorded old_run[] = {
	{ "lock", "" },
	{ "contexts/cold.journal", HEAD_COLD "started\nfrozen\n" },
	{ "contexts/cold.status", "" },
	{ "contexts/job.journal", HEAD_JOB "started\nfrozen\nthawed\nstopping\n" },
	{ "contexts/job.status", "exited 3\n" },
	{ "contexts/gone.journal", HEAD_GONE },
};
static const struct recorded old_state[] = {
	{ "logs/cold.log", "hello\n" },
	{ "uppers/cold.img", "an image" },
	{ "uppers/cold.host", "0\n" },
};

/* --- a room for each test --- */

struct room {
	char base[32], run[48], state[48];
	int run_fd, state_fd;
};

static void put(int dirfd, const char *path, const char *text)
{
	assert_int_equal(file_replace_at(dirfd, path, text, strlen(text), 0600), 0);
}

static void put_all(int dirfd, const struct recorded *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put(dirfd, files[i].path, files[i].text);
}

static int make_room(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	(void) snprintf(r->base, sizeof(r->base), "/tmp/ward-layout.XXXXXX");
	assert_non_null(mkdtemp(r->base));
	(void) snprintf(r->run, sizeof(r->run), "%s/run", r->base);
	(void) snprintf(r->state, sizeof(r->state), "%s/state", r->base);
	assert_int_equal(mkdir(r->run, 0755), 0);
	assert_int_equal(mkdir(r->state, 0755), 0);
	r->run_fd = open(r->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->state_fd = open(r->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = r;
	return 0;
}

/* The same, as a daemon of 0.1 left it. */
static int make_old_room(void **state)
{
	struct room *r;

	assert_int_equal(make_room(state), 0);
	r = *state;
	assert_int_equal(mkdirat(r->run_fd, "contexts", 0700), 0);
	assert_int_equal(mkdirat(r->state_fd, "logs", 0700), 0);
	assert_int_equal(mkdirat(r->state_fd, "uppers", 0700), 0);
	put_all(r->run_fd, old_run, ARRAY_SIZE(old_run));
	put_all(r->state_fd, old_state, ARRAY_SIZE(old_state));
	return 0;
}

static int remove_room(void **state)
{
	struct room *r = *state;

	close(r->run_fd);
	close(r->state_fd);
	assert_int_equal(tree_remove_at(AT_FDCWD, r->base), 0);
	free(r);
	return 0;
}

static bool holds(int dirfd, const char *path, const char *text)
{
	_cleanup_free_ char *data = NULL;

	return file_read_at(dirfd, path, 65536, &data, NULL) == 0 && strcmp(data, text) == 0;
}

static unsigned entries(int dirfd)
{
	DIR *d = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	unsigned n = 0;

	assert_non_null(d);
	for (const struct dirent *i = readdir(d); i; i = readdir(d))
		n += i->d_name[0] != '.' || i->d_name[1];
	closedir(d);
	return n;
}

/* That it is a daemon's of today, of 0.1's contents where it has them, and of nothing else. */
static void assert_current(const struct room *r)
{
	struct stat st;

	assert_true(holds(r->run_fd, "version", NOW));
	assert_true(holds(r->state_fd, "version", NOW));
	assert_int_equal(fstatat(r->run_fd, "lock", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(faccessat(r->run_fd, "lock/README", F_OK, 0), 0);
	assert_int_equal(faccessat(r->run_fd, ".lock.new", F_OK, 0), -1);
	assert_int_equal(faccessat(r->run_fd, ".version.new", F_OK, 0), -1);
	assert_int_equal(faccessat(r->state_fd, ".version.new", F_OK, 0), -1);
	if (faccessat(r->run_fd, "contexts", F_OK, 0) == 0)
		for (size_t i = 1; i < ARRAY_SIZE(old_run); i++)
			assert_true(holds(r->run_fd, old_run[i].path, old_run[i].text));
	if (faccessat(r->state_fd, "logs", F_OK, 0) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(old_state); i++)
			assert_true(holds(r->state_fd, old_state[i].path, old_state[i].text));
}

static void assert_opens(const struct room *r)
{
	struct err e = {};

	if (layout_open(r->run, r->state, &e) < 0)
		fail_msg("%s", e.text);
	assert_current(r);
}

static void assert_refused(const struct room *r, int code, const char *const says[])
{
	unsigned run = entries(r->run_fd), state = entries(r->state_fd);
	struct err e = {};

	assert_int_equal(layout_open(r->run, r->state, &e), code);
	for (size_t i = 0; says[i]; i++)
		if (!strstr(e.text, says[i]))
			fail_msg("no \"%s\" in: %s", says[i], e.text);
	assert_int_equal(entries(r->run_fd), run);
	assert_int_equal(entries(r->state_fd), state);
}

static struct journal_record read_journal(const struct room *r, const char *name)
{
	struct manager m = { .journal_dirfd = openat(r->run_fd, "contexts",
						     O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	struct journal_record record = {};

	assert_int_equal(journal_read(&m, name, &record), 0);
	close(m.journal_dirfd);
	return record;
}

/* --- tests --- */

static void new_directories_are_of_today(void **state)
{
	assert_opens(*state);
	assert_opens(*state);
}

static void old_directories_become_todays(void **state)
{
	assert_opens(*state);
	assert_opens(*state);
}

static void another_ward_of_this_version_says_so(void **state)
{
	struct room *r = *state;

	put(r->run_fd, "version", "{\"version\": 2, \"ward\": \"0.2.9\", \"more\": [1]}");
	assert_opens(r);
}

static void an_empty_version_is_none(void **state)
{
	struct room *r = *state;

	put(r->run_fd, "version", "");
	put(r->state_fd, "version", "\n");
	assert_opens(r);
}

static void a_cut_migration_is_taken_up(void **state)
{
	struct room *r = *state;

	/* before the exchange, in the middle of making the bar */
	put(r->state_fd, "version", NOW);
	assert_int_equal(mkdirat(r->run_fd, ".lock.new", 0755), 0);
	put(r->run_fd, ".lock.new/README", "hal");
	put(r->run_fd, ".version.new", "{\"vers");
	assert_opens(r);
	/* after it: 0.1's file is left, and the version is not there yet */
	put(r->run_fd, ".lock.new", "");
	assert_int_equal(unlinkat(r->run_fd, "version", 0), 0);
	assert_int_equal(unlinkat(r->state_fd, "version", 0), 0);
	put(r->state_fd, ".version.new", "");
	assert_opens(r);
	/* where names cannot be exchanged: neither is there */
	assert_int_equal(tree_remove_at(r->run_fd, "lock"), 0);
	assert_int_equal(unlinkat(r->run_fd, "version", 0), 0);
	assert_opens(r);
}

static void what_is_newer_is_refused(void **state)
{
	static const char *const run[] = {
		"/run/version", "version 3,",	       "Ward 0.3;", WARD_VERSION,
		"up to 2",	"nothing was changed", NULL
	};
	static const char *const other[] = { "/state/version", "version 4,", "Ward 0.4;", NULL };
	struct room *r = *state;

	put(r->run_fd, "version", "{\"version\": 3, \"ward\": \"0.3\"}");
	assert_refused(r, -EPROTONOSUPPORT, run);
	assert_true(holds(r->run_fd, "lock", ""));
	assert_int_equal(unlinkat(r->run_fd, "version", 0), 0);
	put(r->state_fd, "version", "{\"version\": 4, \"ward\": \"0.4\"}");
	assert_refused(r, -EPROTONOSUPPORT, other);
	assert_int_equal(unlinkat(r->state_fd, "version", 0), 0);
	assert_opens(r);
}

static void files_of_another_version_are_refused(void **state)
{
	static const char *const journal[] = { "/run/contexts/new.journal", "version 2,", "up to 1",
					       NULL };
	static const char *const none[] = { "/run/contexts/new.journal", "version 0,", NULL };
	static const char *const events[] = { "/state/events/state", "version 2,", "up to 1",
					      NULL };
	struct room *r = *state;

	put(r->run_fd, "contexts/new.journal", "{\"version\":2,\"name\":\"new\"}\nstarted\n");
	assert_refused(r, -EPROTONOSUPPORT, journal);
	put(r->run_fd, "contexts/new.journal", "{\"name\":\"new\"}\nstarted\n");
	assert_refused(r, -EPROTONOSUPPORT, none);
	assert_int_equal(unlinkat(r->run_fd, "contexts/new.journal", 0), 0);
	assert_int_equal(mkdirat(r->state_fd, "events", 0700), 0);
	put(r->state_fd, "events/state", "{\"version\": 2, \"state\": \"clean\"}   \n");
	assert_refused(r, -EPROTONOSUPPORT, events);
	put(r->state_fd, "events/state", "{\"version\": 1, \"state\": \"clean\"}   \n");
	assert_opens(r);
}

static void what_is_torn_is_no_other_version(void **state)
{
	struct room *r = *state;

	put(r->run_fd, "contexts/torn.journal", "{\"version\":1,\"name\":\"to");
	put(r->run_fd, "contexts/empty.journal", "");
	assert_opens(r);
}

/* A word each time it is throttled, for weeks. */
static void a_long_journal_is_read(void **state)
{
	struct room *r = *state;
	struct buf b = {};
	struct journal_record record;

	buf_puts(&b, HEAD_COLD "started 1\n");
	for (unsigned i = 0; i < 60000; i++)
		buf_printf(&b, "throttled %u\nunthrottled %u\n", i + 2, i + 3);
	assert_true(b.len > 1u << 20);
	put(r->run_fd, "contexts/long.journal", b.data);
	buf_done(&b);
	assert_opens(r);
	record = read_journal(r, "long");
	assert_true(record.started && !record.throttled);
	journal_record_done(&record);
}

static void a_damaged_version_is_refused(void **state)
{
	static const char *const says[] = { "/run/version", "nothing was changed", NULL };
	static const char *const texts[] = {
		"x", "{}", "{\"version\": \"2\"}", "{\"version\": 0}", "{\"version\": -1}", "[2]"
	};
	struct room *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put(r->run_fd, "version", texts[i]);
		assert_refused(r, -EBADMSG, says);
		assert_true(holds(r->run_fd, "version", texts[i]));
	}
}

/* --- what 0.1's journals say to this one --- */

static void journals_of_0_1_are_read(void **state)
{
	struct journal_record cold = read_journal(*state, "cold");
	struct journal_record job = read_journal(*state, "job");
	struct journal_record gone = read_journal(*state, "gone");
	struct exit_info x = {};
	struct spec_errors errors = {};
	struct spec spec;

	assert_true(cold.started && cold.frozen && !cold.stopping && !cold.ended);
	assert_int_equal(json_integer_value(json_object_get(cold.head, "slot")), 2);
	assert_int_equal(json_integer_value(json_object_get(cold.head, "pid")), 14539);
	assert_int_equal(spec_read_json(&spec, json_object_get(cold.head, "spec"), &errors), 0);
	assert_int_equal(spec.memory.limit, 64 << 20);
	spec_done(&spec);
	assert_true(job.started && job.stopping && !job.frozen && !job.ready);
	assert_true(json_is_true(json_object_get(job.head, "throwaway")));
	assert_true(gone.ended && !gone.started);
	exit_from_json(&x, json_object_get(gone.head, "exit"));
	assert_true(x.known && x.code == CLD_EXITED && x.status == 7);
	free(x.text);
	spec_errors_done(&errors);
	journal_record_done(&cold);
	journal_record_done(&job);
	journal_record_done(&gone);
}

static void what_a_later_ward_adds_is_passed_over(void **state)
{
	struct room *r = *state;
	struct journal_record record;

	put(r->run_fd, "contexts/later.journal",
	    "{\"version\":1,\"name\":\"later\",\"slot\":3,\"pid\":7,\"tides\":{\"moon\":[1]}}\n"
	    "started 12\nebbing 13 quickly\nbecalmed\nfrozen\n");
	assert_int_equal(layout_open(r->run, r->state, &(struct err){}), 0);
	record = read_journal(r, "later");
	assert_true(record.started && record.frozen && !record.ended);
	assert_int_equal(record.event, 12);
	journal_record_done(&record);
}

#define OLD(f) cmocka_unit_test_setup_teardown(f, make_old_room, remove_room)
#define NEW(f) cmocka_unit_test_setup_teardown(f, make_room, remove_room)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NEW(new_directories_are_of_today),
		OLD(old_directories_become_todays),
		OLD(another_ward_of_this_version_says_so),
		OLD(an_empty_version_is_none),
		OLD(a_cut_migration_is_taken_up),
		OLD(what_is_newer_is_refused),
		OLD(files_of_another_version_are_refused),
		OLD(what_is_torn_is_no_other_version),
		OLD(a_long_journal_is_read),
		OLD(a_damaged_version_is_refused),
		OLD(journals_of_0_1_are_read),
		OLD(what_a_later_ward_adds_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
