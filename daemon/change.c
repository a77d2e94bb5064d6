/* Changing keys of a context as one step: every key checked first, then applied to what runs and
 * read back, then written to the file. If any of it fails, what was before is in force again, and
 * the error says so. The journal has the intent, so a daemon that dies on the way leaves the next
 * one to complete it, where the file says so already, or to undo it. */
#include "daemon/change.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "daemon/budget.h"
#include "daemon/live.h"
#include "daemon/memory_out.h"
#include "daemon/service.h"
#include "daemon/watch_limits.h"

int change_each(const struct spec *from, const struct spec *to, change_difference each, void *arg)
{
	struct spec_key_info k;
	int r = 0;

	for (size_t i = 0; r >= 0 && spec_key_info(i, &k); i++) {
		struct buf before = {}, after = {};
		char key[128];

		(void) snprintf(key, sizeof(key), "%s.%s", k.section, k.name);
		buf_puts(&before, "");
		buf_puts(&after, "");
		r = spec_get(from, key, &before, NULL);
		if (r >= 0) {
			r = spec_get(to, key, &after, NULL);
		}
		if (r >= 0 && !str_equal(before.data, after.data)) {
			r = each(key, k.live, before.data, after.data, arg);
		}
		buf_done(&before);
		buf_done(&after);
	}
	return r;
}

/* --- what runs --- */

struct reading {
	struct context *context;
	const struct spec *spec;
	struct err *e;
};

/* Refuses where the kernel has something else than it was told. */
static int read_back(const char *key, bool live, const char *before, const char *after, void *arg)
{
	const struct reading *a = arg;
	_cleanup_free_ char *value = live ? live_value(a->context, a->spec, key) : NULL;

	(void) before;
	if (live_in_force(key, after, value)) {
		return 0;
	}
	return err_set(a->e, -EIO, "%s: asked was %s, the kernel has %s", key, after, value);
}

/* Writes what differs and reads it back. */
static int put_in_force(struct context *c, const struct spec *from, const struct spec *to,
			struct err *e)
{
	struct manager *m = c->manager;
	struct reading reading = { c, to, e };
	int r = sched_slot_change(m->sched, c->slot, from, to, &m->facts, e);

	if (r >= 0) {
		r = netctl_change(m->net, c->slot, to, e);
	}
	return r < 0 ? r : change_each(from, to, read_back, &reading);
}

/* The error begins with a key where one was to blame. */
static void say_unchanged(struct context *c, struct err *e)
{
	_cleanup_free_ char *live = NULL;
	char key[64], text[ERR_TEXT_MAX];

	(void) snprintf(key, sizeof(key), "%.*s", (int) strcspn(e->text, ":"), e->text);
	live = live_value(c, c->active, key);
	(void) snprintf(text, sizeof(text), "%.900s", e->text);
	if (live) {
		(void) err_set(e, e->code, "%s; the kernel has %.64s, as before", text, live);
	} else {
		(void) err_set(e, e->code, "%s; nothing is changed", text);
	}
}

/* Says what is in force now: nothing new, or what could not be taken back. */
static int take_back(struct context *c, const struct spec *wanted, struct err *e)
{
	struct err why = {};
	int code = e->code;
	char text[ERR_TEXT_MAX];

	if (put_in_force(c, wanted, c->active, &why) >= 0) {
		say_unchanged(c, e);
		return code;
	}
	log_error("%s: going back to the old values: %s", c->name, why.text);
	(void) snprintf(text, sizeof(text), "%.480s; going back failed too: %.480s", e->text,
			why.text);
	return err_set(e, code, "%s", text);
}

/* The record of what is in force: with the intent gone from it. */
static void settle_journal(struct context *c)
{
	struct err e = {};

	if (journal_rewrite(c, &e) < 0) {
		log_warning("%s", e.text);
	}
}

/* The change holds from the moment the file has its name or, without one, the journal. */
static int commit(struct context *c, const struct spec **wanted, const struct change_file *file,
		  struct err *e)
{
	const struct spec *old = c->active;
	int r = file ? change_file_write(c->manager, c->name, file, e) : 0;

	if (r < 0) {
		return r;
	}
	(void) fault_point("set-persisted", NULL);
	c->active = *wanted;
	*wanted = old;
	r = journal_rewrite(c, e);
	if (r < 0 && file) { /* the next daemon finds the intent, and the file that has it */
		log_warning("%s", e->text);
		*e = (struct err){};
		r = 0;
	}
	if (r < 0) {
		*wanted = c->active;
		c->active = old;
	}
	return r;
}

int change_apply(struct context *c, struct spec *changed, const struct change_file *file,
		 struct err *e)
{
	const struct spec *wanted = changed;
	int r = journal_intend(c, wanted, e);

	if (r >= 0) {
		r = fault_point("set-intended", e);
	}
	if (r >= 0) {
		r = put_in_force(c, c->active, wanted, e);
	}
	if (r >= 0) {
		r = fault_point("set-applied", e);
	}
	if (r >= 0) {
		r = commit(c, &wanted, file, e);
	}
	if (r < 0) {
		if (!e->code) {
			(void) err_set_errno(e, r, "changing it");
		}
		(void) take_back(c, wanted, e);
		settle_journal(c);
	} else {
		governor_changed(c);
		memory_out_watch(c);
		limits_watch(c, limits_throttled(c));
		service_changed(c);
	}
	spec_freep(&wanted);
	return r;
}

static int is_not_in_file(const char *key, bool live, const char *before, const char *after,
			  void *arg)
{
	struct buf b = {};
	int r;

	(void) live;
	(void) before;
	buf_puts(&b, "");
	r = spec_get(arg, key, &b, NULL);
	if (r >= 0 && !str_equal(b.data, after)) {
		r = -ENOENT;
	}
	buf_done(&b);
	return r;
}

void change_settle(struct context *c, const json_t *intent)
{
	struct spec_errors errors = {};
	struct spec *wanted = spec_new(c->name);
	const struct spec *other = wanted, *file = NULL;
	struct err e = {};

	if (!wanted || spec_read_json(wanted, intent, &errors) < 0) {
		log_warning("%s: a change that was not completed cannot be read", c->name);
		spec_errors_done(&errors);
		spec_freep(&other);
		return;
	}
	(void) snprintf(wanted->name, sizeof(wanted->name), "%s", c->name);
	if (registry_read(c->manager, c->name, &file, &errors) >= 0 &&
	    change_each(c->active, wanted, is_not_in_file, (void *) (uintptr_t) file) >= 0) {
		other = c->active;
		c->active = wanted;
	}
	if (put_in_force(c, other, c->active, &e) < 0) {
		log_error("%s: a change that was not completed: %s", c->name, e.text);
	}
	settle_journal(c);
	spec_errors_done(&errors);
	spec_freep(&other);
	spec_freep(&file);
}

/* --- set --- */

/* What is to be in force at once of what was asked for. @ret stays NULL where nothing runs. */
static int make_active(struct context *c, const json_t *keys, bool runtime, struct spec **ret,
		       json_t *waiting, struct err *e)
{
	const char *key;
	json_t *value;
	int r = 0;

	if (!c->active || !c->slot) {
		return 0;
	}
	*ret = spec_dup(c->active);
	if (!*ret) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	json_object_foreach ((json_t *) keys, key, value) {
		if (spec_key_live(key)) {
			r = spec_set(*ret, key, json_string_value(value), e);
		} else if (runtime) {
			struct buf ignored = {};

			r = spec_get(*ret, key, &ignored, e); /* a typo is told first */
			buf_done(&ignored);
			if (r >= 0) {
				r = err_set(e, -EBUSY, "%s cannot change while it runs", key);
			}
		} else {
			(void) json_array_append_new(waiting, json_string(key));
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int check(const struct spec *s, const char *source, struct err *e)
{
	struct spec_errors errors = {};
	int r = spec_check(s, source, &errors);

	if (r < 0) {
		(void) spec_errors_to_err(&errors, e);
	}
	spec_errors_done(&errors);
	return r;
}

static int check_keys(const json_t *keys, struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *) keys, key, value) {
		if (!json_is_string(value)) {
			return err_set(e, -EINVAL,
				       "%s: not a string; allowed: the value as in a file", key);
		}
	}
	return 0;
}

static int set(struct context *c, const json_t *keys, bool runtime, json_t *waiting, struct err *e)
{
	bool keep = !runtime && c->declared;
	struct change_file file = {};
	struct spec *active = NULL;
	int r = check_keys(keys, e);

	if (r >= 0 && c->state == LIFE_STARTING) {
		r = err_set(e, -EBUSY, "it is starting");
	}
	if (r >= 0 && keep) {
		r = change_file_make(c->manager, c->name, keys, &file, e);
	}
	if (r >= 0) {
		r = make_active(c, keys, runtime, &active, waiting, e);
	}
	if (r >= 0 && active) {
		r = check(active, c->name, e);
	}
	if (r >= 0 && active) {
		r = budget_admit(c->manager, c, active, e);
	}
	if (r >= 0 && !active && !keep) {
		r = err_set(e, -EBUSY, "it does not run");
	}
	if (r >= 0 && active && !spec_equal(active, c->active)) {
		r = change_apply(c, TAKE_PTR(active), keep ? &file : NULL, e);
	} else if (r >= 0 && keep) {
		r = change_file_write(c->manager, c->name, &file, e);
		(void) fault_point("set-persisted", NULL);
	}
	spec_discard(active);
	change_file_done(&file);
	return r;
}

int manager_set(struct manager *m, struct context *c, const json_t *keys, bool runtime,
		bool *ret_restart, struct err *e)
{
	json_t *waiting = json_array();
	int r = waiting ? set(c, keys, runtime, waiting, e) : err_set(e, -ENOMEM, "out of memory");

	*ret_restart = json_array_size(waiting) > 0;
	json_decref(waiting);
	if (r < 0) {
		return err_prefix(e, "changing %s", c->name);
	}
	if (!runtime) {
		(void) manager_find(m, c->name); /* reads back what was written */
	}
	(void) events_add(m->events, EVENT_CHANGED, c->name,
			  json_pack("{s:O}", "keys", (json_t *) keys));
	return 0;
}
