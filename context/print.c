/* The plan as text, one line a fact, for `wardctl plan` and the golden tests. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/resource.h>

#include "context/plan.h"

static void print_words(struct buf *out, const char *name, const struct strv *v)
{
	buf_puts(out, name);
	for (size_t i = 0; i < v->count; i++) {
		buf_printf(out, " \"%s\"", v->items[i]);
	}
	buf_puts(out, "\n");
}

static void print_caps(struct buf *out, const char *name, uint64_t mask, unsigned last_cap)
{
	buf_puts(out, name);
	for (unsigned cap = 0; cap <= last_cap; cap++) {
		char *text = mask >> cap & 1 ? cap_to_name((cap_value_t) cap) : NULL;

		if (text) {
			buf_printf(out, " %s", text + 4); /* without "cap_" */
			cap_free(text);
		}
	}
	buf_puts(out, mask ? "\n" : " (none)\n");
}

static void print_limit(struct buf *out, uint64_t v)
{
	if (v == UNITS_NONE) {
		buf_puts(out, " unlimited");
	} else if (v == PLAN_KEEP_HARD) {
		buf_puts(out, " (kept)");
	} else {
		buf_printf(out, " %" PRIu64, v);
	}
}

static const char *limit_name(int resource)
{
	const char *name = spec_rlimit_name(resource);

	return name ? name : "?";
}

static void print_init(const struct context_plan *p, struct buf *out)
{
	switch (p->init) {
	case SPEC_INIT_PATH:
		buf_printf(out, "process 1: %s\n", p->init_path);
		return;
	case SPEC_INIT_NONE:
		buf_puts(out, "process 1: the command\n");
		break;
	case SPEC_INIT_FAKE:
	case SPEC_INIT_COUNT:
		buf_puts(out, "process 1: ward-init\n");
		break;
	}
	print_words(out, "command", &p->command);
	buf_printf(out, "user %s, directory %s\n", p->user ? p->user : "root",
		   p->directory ? p->directory : "/");
}

static const char *describe_scope(const struct context_plan *p)
{
	if (p->scope_abstract) {
		return "abstract sockets of the host are out of reach";
	}
	return p->namespaces & CONTEXT_NS_NET
		       ? "not needed"
		       : "not on this host: its abstract sockets are within reach";
}

void context_print(const struct context_plan *p, struct buf *out)
{
	buf_printf(out, "namespaces:%s pid mount ipc uts cgroup%s%s\n",
		   p->namespaces & CONTEXT_NS_USER ? " user" : "",
		   p->namespaces & CONTEXT_NS_NET ? " net" : "",
		   p->namespaces & CONTEXT_NS_TIME ? " time" : "");
	if (!(p->namespaces & CONTEXT_NS_USER)) {
		buf_puts(out, "ids: the host's own; root inside is root of the host\n");
	} else if (p->ids_count == 0) {
		buf_puts(out, "ids: a range of 65536\n");
	} else {
		buf_printf(out, "ids: %" PRIu32 ":%" PRIu32 "\n", p->ids_first, p->ids_count);
	}
	buf_printf(out, "hostname %s\n", p->hostname);
	print_init(p, out);
	print_words(out, "environment", &p->environment);
	if (p->notify) {
		buf_printf(out, "notify socket %s, watchdog %" PRIu64 "us\n", SPEC_NOTIFY_SOCKET,
			   p->watchdog_us);
	}
	buf_printf(out, "umask %04o\n", (unsigned) p->umask);
	for (size_t i = 0; i < p->rlimit_count; i++) {
		buf_printf(out, "rlimit %s", limit_name(p->rlimits[i].resource));
		print_limit(out, p->rlimits[i].soft);
		print_limit(out, p->rlimits[i].hard);
		buf_puts(out, "\n");
	}
	print_caps(out, "capabilities:", p->bounding, p->last_cap);
	print_caps(out, "ambient for a user other than root:", p->ambient, p->last_cap);
	buf_printf(out, "no_new_privs %s\n", p->no_new_privs ? "yes" : "no");
	buf_printf(out, "seccomp %s\n", p->seccomp_file ? p->seccomp_file : "none");
	buf_printf(out, "landlock %s\n", describe_scope(p));
	buf_printf(out, "session keyring %s\n", p->keyring ? "of its own" : "none on this host");
}
