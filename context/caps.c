/* Giving up privilege. The bounding set is the plan's, so nothing executed later can have more.
 * Root inside has the same set permitted and effective, nothing inheritable. Another user starts
 * with what the plan calls ambient (what the spec names beyond the default) and nothing else. */
#include <linux/securebits.h>
#include <stdint.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <grp.h>
#include <unistd.h>

#include "context/command.h"

static int set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t) effective, (uint32_t) permitted, (uint32_t) inheritable },
		{ (uint32_t) (effective >> 32), (uint32_t) (permitted >> 32),
		  (uint32_t) (inheritable >> 32) },
	};

	return sys(capset(&header, data));
}

static int raise_ambient(uint64_t mask, unsigned last_cap)
{
	for (unsigned cap = 0; cap <= last_cap; cap++) {
		if (!(mask >> cap & 1)) {
			continue;
		}
		int r = sys(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0));
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int limit_bounding(uint64_t mask, unsigned last_cap, struct err *e)
{
	for (unsigned cap = 0; cap <= last_cap; cap++) {
		if (mask >> cap & 1) {
			continue;
		}
		int r = sys(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
		if (r < 0) {
			return err_set_errno(e, r, "dropping capability %u", cap);
		}
	}
	return 0;
}

static int set_ids(const struct user_identity *u, struct err *e)
{
	int r = sys(setgroups(u->group_count, u->groups));

	if (r < 0) {
		return err_set_errno(e, r, "setting %zu supplementary groups", u->group_count);
	}
	r = sys(setresgid(u->gid, u->gid, u->gid));
	if (r < 0) {
		return err_set_errno(e, r, "setting group %u", u->gid);
	}
	r = sys(setresuid(u->uid, u->uid, u->uid));
	return r < 0 ? err_set_errno(e, r, "setting user %u (is it in the context's range?)",
				     u->uid)
		     : 0;
}

int command_privileges(void *arg, struct err *e)
{
	const struct command *c = arg;
	uint64_t ambient = c->identity.uid == 0 ? 0 : c->ambient;
	uint64_t permitted = c->identity.uid == 0 ? c->bounding : ambient;
	int r = limit_bounding(c->bounding, c->last_cap, e);

	if (r < 0) {
		return r;
	}
	if (c->identity.uid != 0) {
		r = sys(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
		if (r < 0) {
			return err_set_errno(e, r, "keeping capabilities");
		}
	}
	r = set_ids(&c->identity, e);
	if (r < 0) {
		return r;
	}
	r = set_caps(permitted, permitted, ambient);
	if (r == 0) {
		r = raise_ambient(ambient, c->last_cap);
	}
	if (r < 0) {
		return err_set_errno(e, r, "setting capabilities");
	}
	if (c->no_new_privs) {
		r = sys(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		return r < 0 ? err_set_errno(e, r, "setting no_new_privs") : 0;
	}
	return 0;
}

int caps_keep_kill(void)
{
	const uint64_t keep = UINT64_C(1) << CAP_KILL;
	/* NOROOT: being uid 0 gives nothing at the exec; what is ambient is kept. */
	int r = sys(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0));

	if (r == 0) {
		r = set_caps(keep, keep, keep);
	}
	if (r == 0) {
		r = sys(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
	}
	return r < 0 ? r : sys(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}
