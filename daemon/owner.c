/* Who owns what. A judgement of one context is made afresh each time; only the question whether
 * somebody owns anything at all, which every connection of a stranger asks, is answered from a
 * set that is kept while nothing happens. */
#include "daemon/owner.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/units.h"
#include "daemon/core.h"

#define PASSWD "/etc/passwd"
#define FRESH_US (1000u * 1000)

struct account {
	char *name;
	bool known;
	uid_t uid;
};

struct owners {
	struct stat passwd; /* as it was when the accounts were looked up */
	struct account *accounts; /* names that specs mention */
	size_t account_count;
	uid_t *uids; /* sorted: who owns anything */
	size_t uid_count;
	uint64_t seq, made_us; /* the last event, the time of the set */
	struct timespec config_mtime;
	bool made;
	struct { /* the last answer of is_inner() */
		uid_t uid;
		uint64_t seq;
		bool known, found;
	} inner;
};

void owners_free(struct owners *o)
{
	if (!o) {
		return;
	}
	for (size_t i = 0; i < o->account_count; i++) {
		free(o->accounts[i].name);
	}
	free(o->accounts);
	free(o->uids);
	free(o);
}

static struct owners *owners_of(struct manager *m)
{
	if (!m->owners) {
		m->owners = calloc(1, sizeof(*m->owners));
	}
	return m->owners;
}

/* --- names --- */

static void forget_accounts(struct owners *o)
{
	for (size_t i = 0; i < o->account_count; i++) {
		free(o->accounts[i].name);
	}
	o->account_count = 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void look_up(struct account *a)
{
	FILE *f = fopen(PASSWD, "re");
	const struct passwd *p;

	while (f && (p = fgetpwent(f))) { /* this file alone, no service behind it */
		if (str_equal(p->pw_name, a->name)) {
			a->known = true;
			a->uid = p->pw_uid;
			break;
		}
	}
	if (f) {
		(void) fclose(f);
	}
}

static const struct account *account(struct owners *o, const char *name)
{
	struct account *more;
	struct stat now = {};

	(void) stat(PASSWD, &now);
	if (!same_file(&now, &o->passwd)) {
		forget_accounts(o);
		o->passwd = now;
	}
	for (size_t i = 0; i < o->account_count; i++) {
		if (str_equal(o->accounts[i].name, name)) {
			return &o->accounts[i];
		}
	}
	more = reallocarray(o->accounts, o->account_count + 1, sizeof(*more));
	if (!more) {
		return NULL;
	}
	o->accounts = more;
	more += o->account_count;
	*more = (struct account){ .name = strdup(name) };
	if (!more->name) {
		return NULL;
	}
	o->account_count++;
	look_up(more);
	return more;
}

/* @return whether the host knows the user. */
static bool resolve(struct manager *m, const char *owner, uid_t *ret)
{
	struct owners *o = owners_of(m);
	const struct account *a;
	uint64_t id;

	if (owner[strspn(owner, "0123456789")] == '\0') {
		if (units_parse_u64(owner, 0, UINT32_MAX - 1, &id) < 0) {
			return false;
		}
		*ret = (uid_t) id;
		return true;
	}
	a = o ? account(o, owner) : NULL;
	if (!a || !a->known) {
		return false;
	}
	*ret = a->uid;
	return true;
}

/* --- one context --- */

static const struct spec *governing(const struct context *c)
{
	return c->declared ? c->declared : c->active;
}

static bool within(const struct spec *s, uid_t uid)
{
	return s && s->process.ids == SPEC_IDS_RANGE && uid >= s->process.ids_first &&
	       uid - s->process.ids_first < s->process.ids_count;
}

struct inner {
	uid_t uid;
	bool found;
};

static void look_inside(struct context *c, void *arg)
{
	struct inner *i = arg;

	i->found |= within(c->declared, i->uid) || within(c->active, i->uid);
}

/* Whether some context has that id for its own. A list asks this for each of its rows; only what
 * is told by an event (a start, a change) can alter the answer that counts. */
static bool is_inner(struct manager *m, uid_t uid)
{
	struct inner i = { .uid = uid, .found = uid >= SPEC_IDS_FIRST };
	struct owners *o = owners_of(m);
	uint64_t seq = events_last(m->events);

	if (i.found || !o) {
		return true;
	}
	if (!o->inner.known || o->inner.uid != uid || o->inner.seq != seq) {
		registry_each(m, look_inside, &i);
		o->inner.uid = uid;
		o->inner.seq = seq;
		o->inner.found = i.found;
		o->inner.known = true;
	}
	return o->inner.found;
}

static bool names(struct manager *m, const struct spec *s, uid_t uid)
{
	for (size_t i = 0; s && i < s->context.owners.count; i++) {
		uid_t owner;

		if (resolve(m, s->context.owners.items[i], &owner) && owner == uid) {
			return true;
		}
	}
	return false;
}

bool context_has_owner(struct manager *m, const struct context *c, uid_t uid)
{
	return names(m, governing(c), uid) && !is_inner(m, uid);
}

const char *context_owner_unknown(struct manager *m, const struct context *c)
{
	const struct spec *s = governing(c);
	uid_t owner;

	for (size_t i = 0; s && i < s->context.owners.count; i++) {
		if (!resolve(m, s->context.owners.items[i], &owner)) {
			return s->context.owners.items[i];
		}
	}
	return NULL;
}

int context_owner_may_enter(const struct context *c, struct err *e)
{
	const char *why = c->active ? spec_root_reaches_host(c->active) : NULL;

	return why ? err_set(e, -EPERM, "%s: its owners may not enter it; %s", c->name, why) : 0;
}

int context_owner_may_set(const struct context *c, const json_t *keys, struct err *e)
{
	const struct spec *s = governing(c);
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *) keys, key, value) {
		int r = -EINVAL;

		if (!s || !json_is_string(value)) {
			return err_set(e, r, "%s: not a string; allowed: the value as in a file",
				       key);
		}
		r = spec_grant_permits(s, key, json_string_value(value), e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* --- the set --- */

static void gather(struct context *c, void *arg)
{
	struct manager *m = arg;
	struct owners *o = m->owners;
	const struct spec *s = governing(c);

	for (size_t i = 0; s && i < s->context.owners.count; i++) {
		uid_t *more, uid;

		if (!resolve(m, s->context.owners.items[i], &uid)) {
			continue;
		}
		more = reallocarray(o->uids, o->uid_count + 1, sizeof(*more));
		if (more) {
			o->uids = more;
			o->uids[o->uid_count++] = uid;
		}
	}
}

static int by_number(const void *a, const void *b)
{
	uid_t x = *(const uid_t *) a, y = *(const uid_t *) b;

	return (x > y) - (x < y);
}

static bool find(const struct owners *o, uid_t uid)
{
	return o->uid_count && bsearch(&uid, o->uids, o->uid_count, sizeof(uid), by_number);
}

static void nothing(struct context *c, void *arg)
{
	(void) c;
	(void) arg;
}

/* The events tell of every change made through the daemon, the directory's time of files that came
 * or went; what was written into a file is looked for once a second at most. */
static void refresh(struct manager *m, struct owners *o)
{
	uint64_t now = 0, seq = events_last(m->events);
	bool late;

	(void) sd_event_now(m->loop, CLOCK_MONOTONIC, &now);
	late = !o->made || now - o->made_us >= FRESH_US;
	if (late) {
		registry_read_config(m);
	}
	manager_each(m, nothing, NULL);
	if (!late && seq == o->seq && m->config_mtime.tv_sec == o->config_mtime.tv_sec &&
	    m->config_mtime.tv_nsec == o->config_mtime.tv_nsec) {
		return;
	}
	o->uid_count = 0;
	o->inner.known = false;
	registry_each(m, gather, m);
	qsort(o->uids, o->uid_count, sizeof(*o->uids), by_number);
	o->seq = seq;
	o->made_us = late ? now : o->made_us;
	o->config_mtime = m->config_mtime;
	o->made = true;
}

bool manager_has_owner(struct manager *m, uid_t uid)
{
	struct owners *o = owners_of(m);

	if (!o) {
		return false;
	}
	refresh(m, o);
	return find(o, uid) && !is_inner(m, uid);
}

size_t manager_owners(struct manager *m, const uid_t **ret)
{
	struct owners *o = owners_of(m);

	if (!o) {
		return 0;
	}
	refresh(m, o);
	*ret = o->uids;
	return o->uid_count;
}
