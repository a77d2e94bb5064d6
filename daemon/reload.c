/* Reading the files again: what changed that may change live is applied, each context as one step;
 * what waits for a start, what is new, gone or broken is told. Nothing is written. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "daemon/budget.h"
#include "daemon/change.h"

struct reload {
	struct manager *manager;
	bool dry; /* only tells */
	json_t *report;
};

/* --- one context --- */

struct differences {
	struct spec *wanted; /* what runs, with the live keys of the file; or NULL */
	json_t *live, *restart; /* {"cpu.limit": ["50%", "75%"]} */
};

static int sort_difference(const char *key, bool live, const char *before, const char *after,
			   void *arg)
{
	struct differences *d = arg;
	json_t *pair = json_pack("[s, s]", before, after);

	if (live && d->wanted) {
		(void) json_object_set_new(d->live, key, pair);
		return spec_set(d->wanted, key, after, NULL);
	}
	(void) json_object_set_new(d->restart, key, pair);
	return 0;
}

static int check(const struct spec *s, const char *name, struct err *e)
{
	struct spec_errors errors = {};
	int r = spec_check(s, name, &errors);

	if (r < 0) { /* the file's live keys alone do not fit the others of what runs */
		(void) spec_errors_to_err(&errors, e);
	}
	spec_errors_done(&errors);
	return r;
}

static void tell_changed(const struct context *c, const json_t *live)
{
	json_t *keys = json_object(), *pair;
	const char *key;

	json_object_foreach ((json_t *) live, key, pair) {
		(void) json_object_set(keys, key, json_array_get(pair, 1));
	}
	(void) events_add(c->manager->events, EVENT_CHANGED, c->name,
			  json_pack("{s:o}", "keys", keys));
}

/* What runs, against its file. */
static void compare_running(const struct reload *l, struct context *c, json_t *o)
{
	bool runs = c->slot && c->state != LIFE_STARTING;
	struct differences d = { .wanted = runs ? spec_dup(c->active) : NULL,
				 .live = json_object(),
				 .restart = json_object() };
	struct err e = {};
	int r = change_each(c->active, c->declared, sort_difference, &d);

	if (r >= 0 && json_object_size(d.live) > 0 && d.wanted) {
		r = check(d.wanted, c->name, &e);
		if (r >= 0) {
			r = budget_admit(c->manager, c, d.wanted, &e);
		}
		if (r >= 0 && !l->dry) {
			r = change_apply(c, TAKE_PTR(d.wanted), NULL, &e);
		}
		if (r >= 0 && !l->dry) {
			tell_changed(c, d.live);
			context_declare(c, spec_share(c->declared)); /* the same bytes, if so */
		}
	}
	if (r < 0) {
		if (!e.code) {
			(void) err_set_errno(&e, r, "comparing it with its file");
		}
		(void) json_object_set_new(o, "failed", json_string(e.text));
	}
	if (json_object_size(d.live) + json_object_size(d.restart) > 0) {
		(void) json_object_set_new(o, "what", json_string("changed"));
	}
	(void) json_object_set_new(o, "live", d.live);
	(void) json_object_set_new(o, "restart", d.restart);
	spec_discard(d.wanted);
}

/* What does not run: against what its file said before. */
static void compare_stopped(const struct context *c, const struct spec *before, json_t *o)
{
	struct differences d = { .live = json_object(), .restart = json_object() };

	if (before && before != c->declared) {
		(void) change_each(before, c->declared, sort_difference, &d);
	}
	if (json_object_size(d.restart) > 0) {
		(void) json_object_set_new(o, "what", json_string("changed"));
	}
	(void) json_object_set_new(o, "live", d.live);
	(void) json_object_set_new(o, "restart", d.restart);
}

static json_t *lines_json(const struct spec_errors *errors)
{
	json_t *lines = json_array();

	for (size_t i = 0; lines && i < errors->lines.count; i++) {
		(void) json_array_append_new(lines, json_string(errors->lines.items[i]));
	}
	return lines;
}

static void reload_one(struct reload *l, const char *name)
{
	struct context *c = registry_lookup(l->manager, name);
	const struct spec *before = c && c->declared ? spec_share(c->declared) : NULL;
	struct spec_errors errors = {};
	json_t *o = json_pack("{s:s, s:s}", "name", name, "what", "unchanged");
	int broken;

	c = manager_find(l->manager, name);
	broken = manager_explain(l->manager, name, &errors);
	if (broken == -EINVAL) {
		(void) json_object_set_new(o, "what", json_string("broken"));
		(void) json_object_set_new(o, "errors", lines_json(&errors));
	} else if (!c || !c->declared) {
		(void) json_object_set_new(o, "what", json_string("removed"));
	} else if (!before) {
		(void) json_object_set_new(o, "what", json_string("new"));
	} else if (c->active) {
		compare_running(l, c, o);
	} else {
		compare_stopped(c, before, o);
	}
	(void) json_object_set_new(o, "state",
				   json_string(life_state_name(c ? c->state : LIFE_STOPPED)));
	(void) json_array_append_new(l->report, o);
	spec_errors_done(&errors);
	spec_freep(&before);
}

/* The daemon's own file. Who holds promises already keeps them. */
static void reload_host(struct reload *l)
{
	json_t *o = host_file_reload(l->manager, l->dry);

	if (o) {
		(void) json_array_append_new(l->report, o);
	}
}

/* --- all of them --- */

static void collect_one(struct context *c, void *arg)
{
	if (c->declared || (!c->throwaway && c->state != LIFE_STOPPED)) {
		(void) strv_add(arg, c->name);
	}
}

/* Names of files that no context bears yet. */
static int collect_files(struct manager *m, struct strv *names)
{
	int fd = sys(openat(m->config_dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;
	int r = 0;

	if (!dir) {
		r = fd < 0 ? fd : -errno;
		fd_close(fd);
		return r;
	}
	while (r >= 0 && (d = readdir(dir))) {
		char name[SPEC_NAME_MAX + 1];
		size_t len = strlen(d->d_name);

		if (len <= 4 || len - 4 > SPEC_NAME_MAX ||
		    !str_equal(d->d_name + len - 4, ".ini")) {
			continue;
		}
		(void) snprintf(name, sizeof(name), "%.*s", (int) (len - 4), d->d_name);
		if (spec_name_valid(name) && !str_equal(name, SPEC_HOST_NAME) &&
		    !strv_contains(names, name)) {
			r = strv_add(names, name);
		}
	}
	(void) closedir(dir);
	return r;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

int manager_reload(struct manager *m, const struct strv *names, bool dry, json_t **ret,
		   struct err *e)
{
	struct reload l = { .manager = m, .dry = dry, .report = json_array() };
	struct strv all = {};
	int r = l.report ? 0 : -ENOMEM;

	if (r >= 0 && !names) {
		registry_each(m, collect_one, &all);
		r = collect_files(m, &all);
		if (all.count > 0) {
			qsort(all.items, all.count, sizeof(*all.items), by_text);
		}
	}
	for (size_t i = 0; r >= 0 && names && i < names->count; i++) {
		struct spec_errors ignored = {};

		if (!str_equal(names->items[i], SPEC_HOST_NAME) &&
		    !manager_find(m, names->items[i]) &&
		    manager_explain(m, names->items[i], &ignored) == -ENOENT) {
			r = err_set(e, -ENOENT, "%s: no such context", names->items[i]);
		}
		spec_errors_done(&ignored);
	}
	if (r < 0) {
		json_decref(l.report);
		strv_done(&all);
		return r == -ENOENT ? r : err_set_errno(e, r, "reading %s", m->config_dir);
	}
	if (!names || strv_contains(names, SPEC_HOST_NAME)) { /* first: contexts must fit in */
		reload_host(&l);
	}
	for (size_t i = 0; i < (names ? names : &all)->count; i++) {
		if (!str_equal((names ? names : &all)->items[i], SPEC_HOST_NAME)) {
			reload_one(&l, (names ? names : &all)->items[i]);
		}
	}
	strv_done(&all);
	*ret = l.report;
	return 0;
}
