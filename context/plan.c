/* Spec and facts to data: nothing is looked up, opened or allocated in the kernel here. */
#include "context/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define NOFILE_SOFT 1024 /* what programs expect; select(2) breaks above it */

void context_plan_free(struct context_plan *p)
{
	if (!p) {
		return;
	}
	free(p->hostname);
	free(p->init_path);
	strv_done(&p->command);
	strv_done(&p->environment);
	free(p->user);
	free(p->directory);
	free(p->seccomp_file);
	free(p->rlimits);
	free(p);
}

static int plan_ids(struct context_plan *p, const struct spec *s, const struct facts *f,
		    struct err *e)
{
	if (s->process.ids == SPEC_IDS_NONE) {
		return 0;
	}
	if (!f->context.user_ns) {
		return err_set(
			e, -EOPNOTSUPP,
			"process.ids: this host makes no user namespaces; only \"none\" works");
	}
	p->namespaces |= CONTEXT_NS_USER;
	if (s->process.ids == SPEC_IDS_RANGE) {
		uint32_t first = s->process.ids_first, count = s->process.ids_count;

		if (first == 0 || count == 0 || count > UINT32_MAX - first) {
			return err_set(
				e, -EINVAL,
				"process.ids %u:%u: must not hold the host's root and must end "
				"below 4294967295",
				first, count);
		}
		p->ids_first = first;
		p->ids_count = count;
	}
	return 0;
}

/**
 * A user other than root gets what the spec names beyond the default; a list that is narrower
 * than the default was written for its sake, so then all of it.
 */
static int plan_caps(struct context_plan *p, const struct spec *s, const struct facts *f,
		     struct err *e)
{
	struct spec defaults;
	uint64_t known, usual;

	if (f->context.last_cap > 63) {
		return err_set(e, -EINVAL,
			       "this host knows %u capabilities; at most 64 are handled",
			       f->context.last_cap + 1);
	}
	if (spec_init(&defaults, "") < 0) {
		spec_done(&defaults);
		return err_set(e, -ENOMEM, "planning: out of memory");
	}
	usual = defaults.process.capabilities;
	spec_done(&defaults);
	known = f->context.last_cap == 63 ? UINT64_MAX
					  : (UINT64_C(1) << (f->context.last_cap + 1)) - 1;
	p->last_cap = f->context.last_cap;
	p->bounding = s->process.capabilities & known;
	/* A full init mounts, sets addresses and halts: within ids of its own that is its right. */
	if (s->context.init == SPEC_INIT_PATH && s->process.ids != SPEC_IDS_NONE &&
	    s->process.capabilities == usual) {
		p->bounding = known;
	}
	p->ambient = (p->bounding & usual & known) == (usual & known) ? p->bounding & ~usual
								      : p->bounding;
	return 0;
}

static int plan_seccomp(struct context_plan *p, const struct spec *s, const struct facts *f,
			struct err *e)
{
	static const char *const names[SPEC_SECCOMP_COUNT] = {
		[SPEC_SECCOMP_DEFAULT] = "default",
		[SPEC_SECCOMP_STRICT] = "strict",
	};
	const char *file = names[s->process.seccomp];

	p->seccomp = s->process.seccomp;
	if (p->seccomp == SPEC_SECCOMP_NONE) {
		return 0;
	}
	if (!f->context.seccomp) {
		return err_set(e, -EOPNOTSUPP,
			       "process.seccomp: this host has no filters; only \"none\" works");
	}
	return str_replace(&p->seccomp_file, file ? file : s->process.seccomp_file);
}

static int plan_limits(struct context_plan *p, const struct spec *s)
{
	bool nofile = false;
	size_t n = s->process.rlimit_count;

	p->rlimits = calloc(n + 1, sizeof(*p->rlimits));
	if (!p->rlimits) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		p->rlimits[i] = s->process.rlimits[i];
		nofile = nofile || p->rlimits[i].resource == RLIMIT_NOFILE;
	}
	p->rlimit_count = n;
	if (!nofile) {
		/* The daemon's own soft limit is high, and not for others. */
		p->rlimits[p->rlimit_count++] = (struct spec_rlimit){ .resource = RLIMIT_NOFILE,
								      .soft = NOFILE_SOFT,
								      .hard = PLAN_KEEP_HARD };
	}
	return 0;
}

static int plan_words(struct context_plan *p, const struct spec *s)
{
	int r = str_replace(&p->hostname, s->context.hostname ? s->context.hostname : s->name);

	if (r == 0 && p->hostname[0] == '\0') {
		r = str_replace(&p->hostname, "ward");
	}
	if (r == 0) {
		r = str_replace(&p->init_path, s->context.init_path);
	}
	if (r == 0) {
		r = strv_copy(&p->command, &s->context.command);
	}
	if (r == 0) {
		r = strv_copy(&p->environment, &s->context.environment);
	}
	if (r == 0) {
		r = str_replace(&p->user, s->context.user);
	}
	return r < 0 ? r : str_replace(&p->directory, s->context.directory);
}

static int plan_fill(struct context_plan *p, const struct spec *s, const struct facts *f,
		     struct err *e)
{
	int r = plan_words(p, s);

	if (r == 0) {
		r = plan_limits(p, s);
	}
	if (r < 0) {
		return err_set_errno(e, r, "planning");
	}
	p->init = s->context.init;
	p->umask = s->process.umask;
	/* A whole system has setuid programs of its own; the ids and the bounding set hold them. */
	p->no_new_privs = p->init != SPEC_INIT_PATH;
	p->keyring = f->context.keyrings;
	p->notify = spec_wants_notify(s);
	p->watchdog_us = s->context.watchdog_us;
	if (f->context.time_ns) {
		p->namespaces |= CONTEXT_NS_TIME;
		p->enter_time =
			f->kernel.major < 6 || (f->kernel.major == 6 && f->kernel.minor < 3);
	}
	if (p->init == SPEC_INIT_PATH ? !p->init_path : p->command.count == 0) {
		return err_set(e, -EINVAL,
			       "context.command: nothing to run; name a command or an init");
	}
	r = plan_ids(p, s, f, e);
	if (r == 0) {
		r = plan_caps(p, s, f, e);
	}
	return r < 0 ? r : plan_seccomp(p, s, f, e);
}

int context_plan_new(const struct spec *spec, const struct facts *facts, bool own_network,
		     struct context_plan **ret, struct err *e)
{
	struct context_plan *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		return err_set(e, -ENOMEM, "planning: out of memory");
	}
	r = plan_fill(p, spec, facts, e);
	if (r < 0) {
		context_plan_free(p);
		return r;
	}
	if (own_network) {
		p->namespaces |= CONTEXT_NS_NET;
	}
	p->shared = spec->network.mode == SPEC_NETWORK_SHARED;
	p->scope_abstract = !own_network && facts->context.landlock_abi >= PLAN_LANDLOCK_SCOPES;
	*ret = p;
	return 0;
}

struct seat_kind context_seat_kind(const struct context_plan *p)
{
	return (struct seat_kind){
		.namespaces = p->namespaces,
		.ids_first = p->ids_first,
		.ids_count = p->ids_count,
	};
}
