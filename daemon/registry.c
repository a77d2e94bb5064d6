/* The contexts by name: declared by NAME.ini in the configuration directory, or made by `run`.
 * A file is read again when its time changes, but never under a running context: that one keeps
 * the spec it was started with. */
#include <dirent.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "daemon/logs.h"
#include "daemon/memory_out.h"
#include "daemon/service.h"
#include "daemon/watch_limits.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct context *) a)->name, ((const struct context *) b)->name);
}

struct context *registry_lookup(struct manager *m, const char *name)
{
	struct context key;
	void *node;

	if (!spec_name_valid(name)) {
		return NULL;
	}
	(void) snprintf(key.name, sizeof(key.name), "%s", name);
	node = tfind(&key, &m->by_name, by_name);
	return node ? *(struct context **) node : NULL;
}

struct context *registry_add(struct manager *m, const char *name)
{
	struct context *c = calloc(1, sizeof(*c));

	if (!c) {
		return NULL;
	}
	c->manager = m;
	c->pidfd = -1;
	STAILQ_INIT(&c->waiters);
	(void) snprintf(c->name, sizeof(c->name), "%s", name);
	if (!tsearch(c, &m->by_name, by_name)) {
		free(c);
		return NULL;
	}
	m->context_count++;
	return c;
}

static void context_free(struct context *c)
{
	struct waiter *w;

	while ((w = STAILQ_FIRST(&c->waiters))) {
		STAILQ_REMOVE_HEAD(&c->waiters, link);
		free(w);
	}
	limits_unwatch(c);
	memory_out_unwatch(c);
	logs_drop(c);
	hooks_free(c);
	launch_free(c->launch);
	service_free(c);
	sd_event_source_disable_unref(c->exit_source);
	sd_event_source_disable_unref(c->status_source);
	sd_event_source_disable_unref(c->stop_timer);
	fd_close(c->pidfd);
	spec_freep(&c->declared);
	spec_freep(&c->active);
	spec_freep(&c->kept);
	free(c->stop_sequence);
	free(c->exit.text);
	numbers_forget(c);
	free(c);
}

void registry_remove(struct manager *m, struct context *c)
{
	(void) tdelete(c, &m->by_name, by_name);
	m->context_count--;
	context_free(c);
}

static void free_node(void *node)
{
	context_free(node);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A file that is wrong and declares nobody yet: it is told once, and again when it changes. */
struct complaint {
	SLIST_ENTRY(complaint) link;
	struct timespec mtime;
	char file[];
};

static bool is_told(struct manager *m, const char *file, const struct timespec *mtime)
{
	const struct complaint *k;

	SLIST_FOREACH (k, &m->complaints, link) {
		if (str_equal(k->file, file)) {
			return same_time(&k->mtime, mtime);
		}
	}
	return false;
}

static void complaint_drop(struct manager *m, const char *file)
{
	struct complaint *k;

	SLIST_FOREACH (k, &m->complaints, link) {
		if (str_equal(k->file, file)) {
			SLIST_REMOVE(&m->complaints, k, complaint, link);
			free(k);
			return;
		}
	}
}

static void note_told(struct manager *m, const char *file, const struct timespec *mtime)
{
	size_t size = strlen(file) + 1;
	struct complaint *k = malloc(sizeof(*k) + size);

	complaint_drop(m, file);
	if (k) {
		k->mtime = *mtime;
		memcpy(k->file, file, size);
		SLIST_INSERT_HEAD(&m->complaints, k, link);
	}
}

void registry_done(struct manager *m)
{
	struct complaint *k;

	tdestroy(m->by_name, free_node);
	m->by_name = NULL;
	while ((k = SLIST_FIRST(&m->complaints))) {
		SLIST_REMOVE_HEAD(&m->complaints, link);
		free(k);
	}
}

void registry_make_name(struct manager *m, char out[static SPEC_NAME_MAX + 1])
{
	do {
		(void) snprintf(out, SPEC_NAME_MAX + 1, "run-%u", ++m->next_run);
	} while (registry_lookup(m, out));
}

int registry_read(struct manager *m, const char *name, const struct spec **ret,
		  struct spec_errors *errors)
{
	char file[SPEC_NAME_MAX + 8];
	_cleanup_free_ char *text = NULL, *source = NULL, *line = NULL;
	struct spec *s = spec_new(name);
	size_t len;
	int r;

	(void) snprintf(file, sizeof(file), "%s.ini", name);
	if (!s || asprintf(&source, "%s/%s", m->config_dir, file) < 0) {
		spec_discard(s);
		return -ENOMEM;
	}
	r = file_read_at(m->config_dirfd, file, SPEC_INI_MAX, &text, &len);
	if (r < 0 && asprintf(&line, "%s: %s", source, strerror(-r)) >= 0) {
		(void) strv_add(&errors->lines, line);
	}
	if (r >= 0) {
		r = spec_read_ini(s, text, len, source, errors);
	}
	if (r >= 0) {
		r = spec_check(s, source, errors);
	}
	if (r < 0) {
		spec_discard(s);
		return r;
	}
	*ret = s;
	return 0;
}

static void log_errors(const struct spec_errors *errors)
{
	for (size_t i = 0; i < errors->lines.count; i++) {
		log_warning("%s", errors->lines.items[i]);
	}
}

void context_declare(struct context *c, const struct spec *s)
{
	spec_freep(&c->declared);
	c->declared = s;
	if (c->active && c->active != s && spec_equal(c->active, s)) {
		spec_freep(&c->active);
		c->active = spec_share(s);
	}
}

/* Brings the declaration of NAME up to date with its file. One with errors leaves the context as it
 * was, but broken: it is listed and stopped as before, and not started. */
static struct context *refresh(struct manager *m, const char *name)
{
	struct context *c = registry_lookup(m, name);
	struct spec_errors errors = {};
	char file[SPEC_NAME_MAX + 8];
	const struct spec *s = NULL;
	struct stat st;
	int r;

	if (str_equal(name, SPEC_HOST_NAME)) { /* not a context's file */
		return c;
	}
	(void) snprintf(file, sizeof(file), "%s.ini", name);
	if (fstatat(m->config_dirfd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)) {
		complaint_drop(m, file);
		if (c && c->declared) {
			spec_freep(&c->declared);
			c->declared_mtime = (struct timespec){};
			if (c->state == LIFE_STOPPED && !c->ending) {
				registry_remove(m, c);
				c = NULL;
			}
		}
		return c;
	}
	if (c ? same_time(&c->declared_mtime, &st.st_mtim) : is_told(m, file, &st.st_mtim)) {
		return c;
	}
	r = registry_read(m, name, &s, &errors);
	log_errors(&errors);
	spec_errors_done(&errors);
	if (c) { /* told once; again when the file changes */
		c->declared_mtime = st.st_mtim;
		c->broken = r < 0;
	}
	if (r < 0 && !c) {
		note_told(m, file, &st.st_mtim);
	}
	if (r < 0) {
		return c;
	}
	complaint_drop(m, file);
	if (!c) {
		c = registry_add(m, name);
	}
	if (!c) {
		spec_freep(&s);
		return NULL;
	}
	context_declare(c, s);
	c->declared_mtime = st.st_mtim;
	return c;
}

int manager_explain(struct manager *m, const char *name, struct spec_errors *errors)
{
	char file[SPEC_NAME_MAX + 8];
	const struct spec *s = NULL;
	int r;

	(void) snprintf(file, sizeof(file), "%s.ini", name);
	if (!spec_name_valid(name) || str_equal(name, SPEC_HOST_NAME) ||
	    faccessat(m->config_dirfd, file, F_OK, 0) < 0) {
		return -ENOENT;
	}
	r = registry_read(m, name, &s, errors);
	spec_freep(&s);
	return r;
}

void registry_read_config(struct manager *m)
{
	int fd = openat(m->config_dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct timespec never = {}; /* a name does not become a better one */
	const struct dirent *d;

	if (!dir) {
		fd_close(fd);
		return;
	}
	while ((d = readdir(dir))) {
		char name[SPEC_NAME_MAX + 1];
		size_t len = strlen(d->d_name);

		if (len <= 4 || len - 4 > SPEC_NAME_MAX ||
		    strcmp(d->d_name + len - 4, ".ini") != 0) {
			continue;
		}
		(void) snprintf(name, sizeof(name), "%.*s", (int) (len - 4), d->d_name);
		if (!spec_name_valid(name)) {
			if (!is_told(m, d->d_name, &never)) {
				log_warning("%s/%s: \"%s\" is not a context's name; allowed: "
					    "[a-z0-9][a-z0-9._-]{0,62}",
					    m->config_dir, d->d_name, name);
				note_told(m, d->d_name, &never);
			}
			continue;
		}
		(void) refresh(m, name);
	}
	(void) closedir(dir);
}

struct context *manager_find(struct manager *m, const char *name)
{
	return spec_name_valid(name) ? refresh(m, name) : NULL;
}

struct each {
	void (*call)(struct context *c, void *arg);
	void *arg;
};

static void visit(const void *node, VISIT which, void *closure)
{
	const struct each *each = closure;

	if (which == postorder || which == leaf) {
		each->call(*(struct context *const *) node, each->arg);
	}
}

void registry_each(struct manager *m, void (*each)(struct context *c, void *arg), void *arg)
{
	struct each closure = { each, arg };

	twalk_r(m->by_name, visit, &closure);
}

static void collect_undeclared(struct context *c, void *arg)
{
	char file[SPEC_NAME_MAX + 8];
	bool gone;

	(void) snprintf(file, sizeof(file), "%s.ini", c->name);
	gone = !c->declared || faccessat(c->manager->config_dirfd, file, F_OK, 0) < 0;
	if (gone && c->state == LIFE_STOPPED && !c->ending) {
		(void) strv_add(arg, c->name); /* out of memory: it stays listed */
	}
}

void registry_drop_undeclared(struct manager *m)
{
	struct strv names = {};

	registry_each(m, collect_undeclared, &names);
	for (size_t i = 0; i < names.count; i++) {
		journal_remove(m, names.items[i]);
		registry_remove(m, registry_lookup(m, names.items[i]));
	}
	strv_done(&names);
}

void manager_each(struct manager *m, void (*each)(struct context *c, void *arg), void *arg)
{
	struct stat st;

	/* files that came or went change the directory; contents are looked at by name */
	if (fstat(m->config_dirfd, &st) == 0 && !same_time(&m->config_mtime, &st.st_mtim)) {
		m->config_mtime = st.st_mtim;
		registry_read_config(m);
		registry_drop_undeclared(m);
	}
	registry_each(m, each, arg);
}

int registry_check_free(const char *name, struct err *e)
{
	if (!str_equal(name, SPEC_HOST_NAME)) {
		return 0;
	}
	return err_set(e, -EINVAL,
		       "the name is taken: " SPEC_HOST_FILE
		       " is the daemon's own file; allowed: any other name");
}

int registry_write(struct manager *m, const struct spec *spec, struct err *e)
{
	char file[SPEC_NAME_MAX + 8];
	struct buf text = {};
	int r;

	(void) snprintf(file, sizeof(file), "%s.ini", spec->name);
	spec_write_ini(spec, false, &text);
	r = text.error ? text.error : text.len > SPEC_INI_MAX ? -EFBIG : 0;
	if (r >= 0) {
		r = file_replace_at(m->config_dirfd, file, text.data ? text.data : "", text.len,
				    0644);
	}
	buf_done(&text);
	return r < 0 ? err_set_errno(e, r, "writing %s/%s", m->config_dir, file) : 0;
}

int manager_declare(struct manager *m, const struct spec *spec, bool replace, struct err *e)
{
	struct context *c;
	int r;

	if (!spec_name_valid(spec->name)) {
		return err_set(e, -EINVAL,
			       "declaring \"%s\": not a name; allowed: [a-z0-9][a-z0-9._-]{0,62}",
			       spec->name);
	}
	r = registry_check_free(spec->name, e);
	if (r < 0) {
		return err_prefix(e, "declaring %s", spec->name);
	}
	c = manager_find(m, spec->name);
	if (c && !replace) {
		return err_set(e, -EEXIST, "declaring %s: it exists", spec->name);
	}
	r = registry_write(m, spec, e);
	if (r < 0) {
		return err_prefix(e, "declaring %s", spec->name);
	}
	if (c) {
		c->declared_mtime = (struct timespec){};
	}
	if (!manager_find(m, spec->name)) {
		return err_set(e, -EIO, "declaring %s: what was written does not read back",
			       spec->name);
	}
	(void) events_add(m->events, EVENT_DECLARED, spec->name, NULL);
	return 0;
}

int manager_delete(struct manager *m, struct context *c, struct err *e)
{
	char file[SPEC_NAME_MAX + 8];
	int r;

	if (c->state != LIFE_STOPPED) {
		return err_set(e, -EBUSY, "deleting %s: it is %s; stop it first", c->name,
			       life_state_name(c->state));
	}
	(void) snprintf(file, sizeof(file), "%s.ini", c->name);
	r = fs_forget(m->fs, c->name, e);
	if (r >= 0) {
		r = fault_point("delete-begun", e);
	}
	if (r < 0) {
		return err_prefix(e, "deleting %s", c->name);
	}
	logs_remove(m, c->name); /* before the file: an undeclared name is not looked for */
	if (unlinkat(m->config_dirfd, file, 0) < 0 && errno != ENOENT) {
		r = -errno;
		return err_set_errno(e, r, "deleting %s: removing %s/%s", c->name, m->config_dir,
				     file);
	}
	(void) fault_point("delete-undeclared", NULL);
	journal_remove(m, c->name);
	(void) events_add(m->events, EVENT_DELETED, c->name, NULL);
	registry_remove(m, c);
	return 0;
}
