/* Changing keys of a context: every key checked first, then applied to what runs, then written to
 * the file; if any of it fails, what was before is in force again. */
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/core.h"

struct change {
	struct spec *declared; /* the file's new content; NULL with `runtime` */
	struct spec *active; /* what the running context shall have; NULL when it does not run */
	bool restart; /* a key waits for the next start */
};

static void change_done(struct change *ch)
{
	spec_freep(&ch->declared);
	spec_freep(&ch->active);
}

static int set_one(struct context *c, struct change *ch, const char *key, const char *value,
		   struct err *e)
{
	int r = ch->declared ? spec_set(ch->declared, key, value, e) : 0;

	if (r >= 0 && ch->active) {
		if (spec_key_live(key)) {
			r = spec_set(ch->active, key, value, e);
		} else if (ch->declared) {
			ch->restart = true;
		} else {
			struct buf ignored = {};

			r = spec_get(ch->active, key, &ignored, e); /* a typo is told first */
			buf_done(&ignored);
			if (r >= 0) {
				r = err_set(e, -EBUSY, "%s cannot change while %s runs", key,
					    c->name);
			}
		}
	}
	return r;
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

static int prepare(struct context *c, const json_t *keys, bool runtime, struct change *ret,
		   struct err *e)
{
	struct change ch = {};
	const char *key;
	json_t *value;
	int r = 0;

	if (!runtime && c->declared && !(ch.declared = spec_dup(c->declared))) {
		r = -ENOMEM;
	}
	if (r >= 0 && c->active && !(ch.active = spec_dup(c->active))) {
		r = -ENOMEM;
	}
	if (r < 0) {
		change_done(&ch);
		return err_set(e, r, "changing %s: out of memory", c->name);
	}
	if (!ch.declared && !ch.active) {
		return err_set(e, -EBUSY, "changing %s at run time: it does not run", c->name);
	}
	json_object_foreach ((json_t *) keys, key, value) {
		r = json_is_string(value)
			    ? set_one(c, &ch, key, json_string_value(value), e)
			    : err_set(e, -EINVAL,
				      "%s: not a string; allowed: the value as in a file", key);
		if (r < 0) {
			break;
		}
	}
	if (r >= 0 && ch.declared) {
		r = check(ch.declared, c->name, e);
	}
	if (r >= 0 && ch.active) {
		r = check(ch.active, c->name, e);
	}
	if (r < 0) {
		change_done(&ch);
		return r;
	}
	*ret = ch;
	return 0;
}

/* What is in force now is what a new daemon shall find. */
static void settle(struct context *c)
{
	struct err e = {};

	if (journal_rewrite(c, &e) < 0) {
		log_warning("%s", e.text);
	}
}

static void revert(struct context *c, const struct change *ch)
{
	struct err e = {};

	if (sched_slot_change(c->manager->sched, c->slot, ch->active, c->active, &c->manager->facts,
			      &e) < 0) {
		log_error("%s: going back to the old values: %s", c->name, e.text);
	}
}

/* What runs, then the file: a change that fails in either is undone. */
static int apply(struct manager *m, struct context *c, const struct change *ch, struct err *e)
{
	int r = ch->active ? journal_intend(c, ch->active, e) : 0;

	if (r >= 0 && ch->active) {
		r = sched_slot_change(m->sched, c->slot, c->active, ch->active, &m->facts, e);
	}
	if (r < 0) {
		return r;
	}
	r = fault_point("set-applied", e);
	if (r >= 0 && ch->declared) {
		r = registry_write(m, ch->declared, e);
	}
	if (r >= 0) {
		(void) fault_point("set-persisted", NULL);
	} else if (ch->active) {
		revert(c, ch);
	}
	return r;
}

int manager_set(struct manager *m, struct context *c, const json_t *keys, bool runtime,
		bool *ret_restart, struct err *e)
{
	struct change ch;
	int r = context_permit(c, LIFE_CHANGE, e);

	if (r >= 0) {
		r = prepare(c, keys, runtime, &ch, e);
	}
	if (r < 0) {
		return r;
	}
	r = apply(m, c, &ch, e);
	if (r >= 0 && ch.active) {
		spec_freep(&c->active);
		c->active = TAKE_PTR(ch.active);
	}
	if (c->active) {
		settle(c);
	}
	if (r < 0) {
		change_done(&ch);
		return err_prefix(e, "changing %s", c->name);
	}
	if (c->active) {
		ending_watch_memory(c);
	}
	if (ch.declared) {
		(void) manager_find(m, c->name); /* reads back what was written */
	}
	*ret_restart = ch.restart;
	change_done(&ch);
	events_add(m->events, "changed", c->name, json_pack("{s:O}", "keys", (json_t *) keys));
	return 0;
}
