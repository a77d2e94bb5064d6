/* The versions of STATE and RUN: read, compared, migrated.
 *
 * Ward 0.1 has no versions of directories and would misread our journals: it takes a context whose
 * "started" bears a number for one that never came up, and kills it. So it is kept out by what it
 * does first: it opens RUN/lock for writing, and since version 2 that is a directory. It then ends
 * with "locking RUN: Is a directory" and has touched nothing. */
#include "daemon/layout.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"

#define FILE_MAX (1u << 20)
#define BAR "lock" /* what 0.1 locks */
#define BAR_NEW ".lock.new"
#define STAMP "version"
#define STAMP_NEW ".version.new"

/* One of the two directories. */
struct place {
	const char *path;
	int fd;
	const char *const *contents; /* any of them: somebody has used it */
	int64_t version; /* 0: it is new */
	char ward[32]; /* who wrote it, "" when that is not known */
};

static const char *const run_contents[] = { "contexts", NULL };
static const char *const state_contents[] = { "logs", "uppers", "events", NULL };

int layout_refuse(struct err *e, const char *file, int64_t version, int known, const char *ward)
{
	return err_set(e, -EPROTONOSUPPORT,
		       "%s: version %" PRId64 ", of Ward %s; this wardd, " WARD_VERSION
		       ", knows versions up to %d: nothing was changed, what runs runs on; start "
		       "that Ward's wardd again, or see UPGRADES in wardd(8)",
		       file, version, ward[0] ? ward : "(a newer one)", known);
}

/* --- the file `version` --- */

static bool has_contents(const struct place *p)
{
	for (const char *const *name = p->contents; *name; name++)
		if (faccessat(p->fd, *name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	return false;
}

static int parse_stamp(struct place *p, const char *text, struct err *e)
{
	json_t *o = json_loads(text, 0, NULL);
	const char *ward = json_string_value(json_object_get(o, "ward"));

	p->version = json_integer_value(json_object_get(o, "version"));
	(void) snprintf(p->ward, sizeof(p->ward), "%s", ward ? ward : "");
	json_decref(o);
	if (p->version > 0)
		return 0;
	return err_set(e, -EBADMSG,
		       "%s/" STAMP ": does not say which version this is; nothing was changed. It "
		       "should read as UPGRADES in wardd(8) says",
		       p->path);
}

static int read_stamp(struct place *p, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	int r = file_read_at(p->fd, STAMP, FILE_MAX, &text, NULL);

	if (r < 0 && r != -ENOENT)
		return err_set_errno(e, r, "reading %s/" STAMP, p->path);
	if (r == 0 && text[strspn(text, " \n")])
		return parse_stamp(p, text, e);
	p->version = has_contents(p) ? 1 : 0;
	(void) snprintf(p->ward, sizeof(p->ward), "%s", p->version ? "0.1" : "");
	return 0;
}

/* The one file that is synced: a power cut must not make a directory look older than it is. */
static int write_stamp(struct place *p, int64_t version, struct err *e)
{
	_cleanup_close_ int fd =
		sys(openat(p->fd, STAMP_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			   0644));
	char text[64];
	int n = snprintf(text, sizeof(text), "{\"version\": %" PRId64 ", \"ward\": \"%s\"}\n",
			 version, WARD_VERSION);
	int r = fd < 0 ? fd : write_all(fd, text, (size_t) n);

	if (r == 0)
		r = sys(fsync(fd));
	if (r == 0)
		r = fault_point("layout-stamp", NULL);
	if (r == 0)
		r = sys(renameat(p->fd, STAMP_NEW, p->fd, STAMP));
	if (r == 0)
		r = sys(fsync(p->fd));
	if (r < 0)
		return err_set_errno(e, r, "writing %s/" STAMP, p->path);
	p->version = version;
	return 0;
}

/* --- files that bear versions of their own --- */

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	return n > k && strcmp(name + n - k, suffix) == 0;
}

/* The version stands in the first line; a journal may have grown long behind it. */
static int read_head(int dirfd, const char *name, char **ret)
{
	_cleanup_close_ int fd = sys(openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
	_cleanup_free_ char *text = fd < 0 ? NULL : calloc(1, FILE_MAX + 1);
	ssize_t n;

	if (!text)
		return fd < 0 ? fd : -ENOMEM;
	n = sys(pread(fd, text, FILE_MAX, 0));
	if (n < 0)
		return (int) n;
	*ret = TAKE_PTR(text);
	return 0;
}

/* What is torn is whole JSON no more; recover.c and history.c know what that means. */
static int check_file(const struct place *p, const char *name, int known, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	int64_t version;
	json_t *o;
	int r = read_head(p->fd, name, &text);

	if (r < 0)
		return r == -ENOENT ? 0 : err_set_errno(e, r, "reading %s/%s", p->path, name);
	o = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
	version = json_integer_value(json_object_get(o, "version"));
	r = json_is_object(o) && version != known;
	json_decref(o);
	if (!r)
		return 0;
	(void) snprintf(path, sizeof(path), "%s/%s", p->path, name);
	return layout_refuse(e, path, version, known, "");
}

static int check_journals(const struct place *run, struct err *e)
{
	int fd = sys(openat(run->fd, "contexts", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *i;
	int r = 0;

	if (!d) {
		(void) fd_close(fd);
		r = fd < 0 ? fd : -ENOMEM;
		return r == -ENOENT ? 0 : err_set_errno(e, r, "opening %s/contexts", run->path);
	}
	while (r == 0 && (i = readdir(d))) {
		char name[sizeof("contexts/") + NAME_MAX];

		(void) snprintf(name, sizeof(name), "contexts/%s", i->d_name);
		if (i->d_name[0] != '.' && has_suffix(name, ".journal"))
			r = check_file(run, name, LAYOUT_JOURNAL_VERSION, e);
	}
	(void) closedir(d);
	return r;
}

static int check(struct place *p, struct err *e)
{
	char path[PATH_MAX];
	int r = read_stamp(p, e);

	if (r < 0 || p->version <= LAYOUT_VERSION)
		return r;
	(void) snprintf(path, sizeof(path), "%s/" STAMP, p->path);
	return layout_refuse(e, path, p->version, LAYOUT_VERSION, p->ward);
}

/* --- steps --- */

static int make_bar(int dirfd)
{
	static const char text[] =
		"This directory keeps wardd 0.1 from starting here: it would take what "
		"Ward " WARD_VERSION
		"\nruns for failed starts, and kill it. See UPGRADES in wardd(8).\n";
	int r = tree_remove_at(dirfd, BAR_NEW);

	if (r == 0)
		r = sys(mkdirat(dirfd, BAR_NEW, 0755));
	if (r == 0)
		r = file_replace_at(dirfd, BAR_NEW "/README", text, sizeof(text) - 1, 0644);
	return r;
}

/* Puts the bar where 0.1 has its lock. Its file is locked by us meanwhile. */
static int bar_old_wardd(int dirfd)
{
	struct stat st;
	int r;

	if (fstatat(dirfd, BAR, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return tree_remove_at(dirfd, BAR_NEW); /* the file, after a cut */
	r = make_bar(dirfd);
	if (r == 0)
		r = fault_point("layout-bar", NULL);
	if (r == 0)
		r = sys(renameat2(dirfd, BAR_NEW, dirfd, BAR, RENAME_EXCHANGE));
	if (r == -EINVAL) { /* a file system that cannot */
		r = sys(unlinkat(dirfd, BAR, 0));
		r = r == 0 ? -ENOENT : r;
	}
	if (r == -ENOENT)
		r = sys(renameat(dirfd, BAR_NEW, dirfd, BAR));
	if (r == 0)
		r = fault_point("layout-barred", NULL);
	return r == 0 ? tree_remove_at(dirfd, BAR_NEW) : r;
}

/* What makes version N + 1 of version N, by N: of RUN, and of STATE. NULL: files are added, none
 * changes. Each can be taken again after it was cut off. */
static const struct step {
	int (*run)(int dirfd);
	int (*state)(int dirfd);
} steps[LAYOUT_VERSION] = {
	/* 0.1 to 0.2: events and the index of logs come, journals have more words */
	[1] = { bar_old_wardd, NULL },
};

static int migrate(struct place *p, bool is_run, struct err *e)
{
	int64_t from = p->version;
	char was[sizeof(p->ward)];

	(void) snprintf(was, sizeof(was), "%s", p->ward);
	for (int64_t at = from ? from : LAYOUT_VERSION; at < LAYOUT_VERSION; at++) {
		int (*step)(int) = is_run ? steps[at].run : steps[at].state;
		int r = step ? step(p->fd) : 0;

		if (r < 0)
			return err_set_errno(e, r, "taking %s from version %" PRId64 " to the next",
					     p->path, at);
		r = write_stamp(p, at + 1, e);
		if (r < 0)
			return r;
	}
	if (from && from < LAYOUT_VERSION)
		log_info("%s: version %" PRId64 " of Ward %s is now version %d", p->path, from, was,
			 LAYOUT_VERSION);
	if (from == LAYOUT_VERSION && strcmp(was, WARD_VERSION) == 0)
		return 0;
	return write_stamp(p, LAYOUT_VERSION, e);
}

static int open_place(struct place *p, struct err *e)
{
	p->fd = sys(open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return p->fd < 0 ? err_set_errno(e, p->fd, "opening %s", p->path) : 0;
}

static int take_over(struct place *run, struct place *state, struct err *e)
{
	int r = check(state, e);

	if (r == 0)
		r = check(run, e);
	if (r == 0)
		r = check_file(state, "events/state", LAYOUT_EVENTS_VERSION, e);
	if (r == 0)
		r = check_journals(run, e);
	if (r == 0)
		r = migrate(state, false, e);
	if (r == 0)
		r = migrate(run, true, e);
	if (r < 0)
		return r;
	r = bar_old_wardd(run->fd); /* also where it is new, or somebody took the bar away */
	return r < 0 ? err_set_errno(e, r, "making %s/" BAR, run->path) : 0;
}

int layout_open(const char *run_dir, const char *state_dir, struct err *e)
{
	struct place run = { .path = run_dir, .contents = run_contents, .fd = -1 };
	struct place state = { .path = state_dir, .contents = state_contents, .fd = -1 };
	int r = open_place(&run, e);

	if (r == 0)
		r = open_place(&state, e);
	if (r == 0)
		r = take_over(&run, &state, e);
	(void) fd_close(run.fd);
	(void) fd_close(state.fd);
	return r;
}
