/* What no single key can know: whether the values fit each other. Each rule is one function; all
 * of them run, so that all their errors are shown at once. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cpus.h"
#include "spec/check.h"
#include "spec/row.h"
#include "spec/words.h"

void check_complain(struct checker *c, const char *section, const char *name, size_t entry,
		    const char *fmt, ...)
{
	const struct row *row = row_find(section, strlen(section), name);
	unsigned line = errors_line(c->errors, row, entry);
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (line)
		errors_add(c->errors, "%s:%u: %s.%s: %s", c->source, line, section, name, text);
	else if (row->type->repeats)
		errors_add(c->errors, "%s: %s.%s[%zu]: %s", c->source, section, name, entry, text);
	else
		errors_add(c->errors, "%s: %s.%s: %s", c->source, section, name, text);
	c->failed = true;
}

/* Whether `path` is `above` or lies below it. */
static bool is_below(const char *path, const char *above)
{
	size_t n = strlen(above);

	return strncmp(path, above, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* --- [context] --- */

static void check_command(struct checker *c)
{
	const struct spec *s = c->s;

	if (s->context.command.count == 0 && s->context.init != SPEC_INIT_PATH)
		check_complain(c, "context", "command", 0,
			       "is missing; allowed without one: init = PATH, as in /sbin/init");
	if (s->context.command.count && !*s->context.command.items[0])
		check_complain(c, "context", "command", 0, "its first word, the program, is empty");
	if (s->context.init == SPEC_INIT_PATH && s->context.command.count)
		check_complain(
			c, "context", "command", 0,
			"is not run when init is a path; allowed with a command: init = fake, "
			"none");
	if (s->context.init == SPEC_INIT_PATH && s->context.user)
		check_complain(c, "context", "user", 0,
			       "does not apply when init is a path, which runs "
			       "as root");
	if (s->context.init == SPEC_INIT_PATH && s->context.directory)
		check_complain(c, "context", "directory", 0,
			       "does not apply when init is a path, which "
			       "starts in /");
}

static void check_environment(struct checker *c)
{
	const struct strv *v = &c->s->context.environment;

	for (size_t i = 1; i < v->count; i++) {
		size_t n = strcspn(v->items[i], "=") + 1;

		for (size_t j = 0; j < i; j++) {
			if (strncmp(v->items[i], v->items[j], n) == 0) {
				check_complain(c, "context", "environment", i, "%.*s is set twice",
					       (int) (n - 1 > 100 ? 100 : n - 1), v->items[i]);
				break;
			}
		}
	}
}

/* Whoever is one of the context's own users inside must not be its owner outside. */
static void check_owners(struct checker *c)
{
	const struct spec *s = c->s;
	uint64_t first = s->process.ids_first, end = first + s->process.ids_count, id;

	for (size_t i = 0; i < s->context.owners.count; i++) {
		const char *owner = s->context.owners.items[i];

		if (s->process.ids == SPEC_IDS_RANGE &&
		    units_parse_u64(owner, 0, UINT32_MAX, &id) == 0 && id >= first && id < end)
			check_complain(c, "context", "owner", i,
				       "%s is one of the context's own ids; allowed: users outside "
				       "process.ids",
				       owner);
	}
}

static void check_grants(struct checker *c)
{
	const struct spec *s = c->s;

	for (size_t i = 1; i < s->context.grant_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (s->context.grants[i].key == s->context.grants[j].key)
				check_complain(c, "context", "grant", i, "a key is granted twice");
		}
	}
}

static void check_order(struct checker *c)
{
	const struct spec *s = c->s;

	for (size_t i = 0; i < s->context.after.count; i++) {
		if (s->name[0] && str_equal(s->context.after.items[i], s->name))
			check_complain(c, "context", "after", i, "%s cannot be after itself",
				       s->name);
	}
}

/* --- [hooks] --- */

static void check_hooks(struct checker *c)
{
	const struct {
		const char *key;
		const struct strv *argv;
	} hooks[] = {
		{ "before-start", &c->s->hooks.before_start },
		{ "after-ready", &c->s->hooks.after_ready },
		{ "before-stop", &c->s->hooks.before_stop },
		{ "after-stop", &c->s->hooks.after_stop },
	};
	char echo[TEXT_ECHO_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		const struct strv *argv = hooks[i].argv;

		if (argv->count && !row_path_is_plain(argv->items[0]))
			check_complain(
				c, "hooks", hooks[i].key, 0,
				"\"%s\": a program of the host is needed by its absolute path",
				text_echo(argv->items[0], echo));
	}
}

/* --- [files] --- */

static void check_root(struct checker *c)
{
	const struct spec *s = c->s;
	bool host = s->files.root == SPEC_ROOT_HOST;

	if (!host && str_equal(s->files.root_path, "/"))
		check_complain(c, "files", "root", 0,
			       "\"/\" is this host itself; allowed: host, which "
			       "masks its secrets, or a directory below /");
	if (host && s->files.mode == SPEC_MODE_READ_WRITE)
		check_complain(c, "files", "mode", 0,
			       "read-write would give the host's root away; "
			       "allowed with root = host: cow, read-only");
	if (s->files.upper == SPEC_UPPER_KEPT && s->files.mode != SPEC_MODE_COW)
		check_complain(c, "files", "upper", 0,
			       "a kept upper has no use without mode = cow");
	if (!host && s->files.show.count)
		check_complain(c, "files", "show", 0,
			       "only root = host masks paths that could be shown");
}

/* A place where something is mounted: not one that Ward makes itself. */
static void check_place(struct checker *c, const char *key, size_t i, const char *path)
{
	static const char *const reserved[] = { "/proc", "/sys", SPEC_NOTIFY_DIR };
	char echo[TEXT_ECHO_MAX];

	if (strcmp(path, "/") == 0)
		check_complain(c, "files", key, i, "\"/\" is the root; allowed: paths below it");
	for (size_t r = 0; r < ARRAY_SIZE(reserved); r++) {
		if (is_below(path, reserved[r]))
			check_complain(c, "files", key, i, "\"%s\": %s is made by Ward",
				       text_echo(path, echo), reserved[r]);
	}
}

static void check_places(struct checker *c)
{
	const struct spec *s = c->s;

	for (size_t i = 0; i < s->files.bind_count; i++)
		check_place(c, "bind", i, s->files.binds[i].target);
	for (size_t i = 0; i < s->files.tmpfs_count; i++)
		check_place(c, "tmpfs", i, s->files.tmpfs[i].target);
	for (size_t i = 0; i < s->files.hide.count; i++)
		check_place(c, "hide", i, s->files.hide.items[i]);
}

/* One target of each key, against those before it. */
static void check_targets(struct checker *c)
{
	const struct spec *s = c->s;
	char echo[TEXT_ECHO_MAX];

	for (size_t i = 0; i < s->files.bind_count; i++) {
		const char *target = s->files.binds[i].target;

		for (size_t j = 0; j < i; j++) {
			if (str_equal(target, s->files.binds[j].target))
				check_complain(c, "files", "bind", i,
					       "the target \"%s\" is bound twice",
					       text_echo(target, echo));
		}
	}
	for (size_t i = 0; i < s->files.tmpfs_count; i++) {
		const char *target = s->files.tmpfs[i].target;

		for (size_t j = 0; j < i; j++) {
			if (str_equal(target, s->files.tmpfs[j].target))
				check_complain(c, "files", "tmpfs", i,
					       "the target \"%s\" is given twice",
					       text_echo(target, echo));
		}
		for (size_t j = 0; j < s->files.bind_count; j++) {
			if (str_equal(target, s->files.binds[j].target))
				check_complain(c, "files", "tmpfs", i,
					       "the target \"%s\" is a bind's too",
					       text_echo(target, echo));
		}
	}
}

static void check_hidden(struct checker *c)
{
	const struct strv *hide = &c->s->files.hide, *show = &c->s->files.show;
	char echo[TEXT_ECHO_MAX];

	for (size_t i = 0; i < show->count; i++) {
		if (strv_contains(hide, show->items[i]))
			check_complain(c, "files", "show", i, "\"%s\" is hidden too",
				       text_echo(show->items[i], echo));
	}
}

static void check_devices(struct checker *c)
{
	const struct strv *v = &c->s->files.devices;
	char echo[TEXT_ECHO_MAX];

	for (size_t i = 1; i < v->count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (str_equal(v->items[i], v->items[j]))
				check_complain(c, "files", "device", i, "\"%s\" is given twice",
					       text_echo(v->items[i], echo));
		}
	}
}

/* --- limits --- */

static void check_rlimits(struct checker *c)
{
	const struct spec *s = c->s;
	unsigned seen = 0;

	for (size_t i = 0; i < s->process.rlimit_count; i++) {
		const struct spec_rlimit *l = &s->process.rlimits[i];

		if (seen & 1u << l->resource)
			check_complain(c, "process", "rlimit", i, "this resource is limited twice");
		if (l->soft > l->hard)
			check_complain(c, "process", "rlimit", i,
				       "the soft value is above the hard one");
		seen |= 1u << l->resource;
	}
}

static void check_cpu_reserve(struct checker *c)
{
	uint64_t reserve = c->s->cpu.reserve_millicpu, limit = c->s->cpu.limit_millicpu, all;
	char said[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];
	struct cpus cpus;

	units_print_cpu(reserve, said);
	if (reserve > limit)
		check_complain(c, "cpu", "reserve", 0,
			       "%s is more than cpu.limit; allowed: at most %s", said,
			       units_print_cpu(limit, most));
	if (!c->s->cpu.cpus || cpus_parse(c->s->cpu.cpus, &cpus) < 0)
		return;
	all = cpus_count(&cpus) * UINT64_C(1000);
	if (reserve > all)
		check_complain(
			c, "cpu", "reserve", 0,
			"%s is more than the CPUs of cpu.cpus (%s) have; allowed: at most %s", said,
			c->s->cpu.cpus, units_print_cpu(all, most));
}

static void check_cpu(struct checker *c)
{
	uint64_t limit = c->s->cpu.limit_millicpu, burst = c->s->cpu.burst_us;
	char most[UNITS_TEXT_MAX], said[UNITS_TEXT_MAX];

	if (burst == 0)
		return;
	if (limit == UNITS_NONE)
		check_complain(c, "cpu", "burst", 0, "there is no cpu.limit to burst above");
	else if (burst > limit * 1000)
		check_complain(c, "cpu", "burst", 0,
			       "%s is more than cpu.limit grants in a second; "
			       "allowed: at most %s",
			       units_print_duration(burst, said),
			       units_print_duration(limit * 1000, most));
}

static void check_memory(struct checker *c)
{
	uint64_t limit = c->s->memory.limit, reserve = c->s->memory.reserve;
	uint64_t soft = c->s->memory.soft;
	char most[UNITS_TEXT_MAX], said[UNITS_TEXT_MAX];

	if (reserve != UNITS_NONE && reserve > limit)
		check_complain(c, "memory", "reserve", 0,
			       "%s is more than memory.limit; allowed: at most "
			       "%s",
			       units_print_bytes(reserve, said), units_print_bytes(limit, most));
	if (soft == UNITS_NONE)
		return;
	if (soft > limit)
		check_complain(c, "memory", "soft", 0,
			       "%s is more than memory.limit; allowed: at most %s",
			       units_print_bytes(soft, said), units_print_bytes(limit, most));
	else if (reserve != UNITS_NONE && soft < reserve)
		check_complain(c, "memory", "soft", 0,
			       "%s is less than memory.reserve; allowed: at least %s",
			       units_print_bytes(soft, said), units_print_bytes(reserve, most));
}

static void check_io(struct checker *c)
{
	const struct spec *s = c->s;
	char echo[TEXT_ECHO_MAX];

	for (size_t i = 1; i < s->io.share_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (str_equal(s->io.shares[i].device, s->io.shares[j].device))
				check_complain(c, "io", "share", i, "\"%s\" has two shares",
					       text_echo(s->io.shares[i].device, echo));
		}
	}
	for (size_t i = 1; i < s->io.reserve_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (str_equal(s->io.reserves[i].device, s->io.reserves[j].device))
				check_complain(c, "io", "reserve", i, "\"%s\" is reserved twice",
					       text_echo(s->io.reserves[i].device, echo));
		}
	}
	for (size_t i = 1; i < s->io.limit_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (str_equal(s->io.limits[i].device, s->io.limits[j].device))
				check_complain(c, "io", "limit", i, "\"%s\" is limited twice",
					       text_echo(s->io.limits[i].device, echo));
		}
	}
}

int spec_check(const struct spec *s, const char *source, struct spec_errors *errors)
{
	static void (*const rules[])(struct checker *) = {
		check_command, check_environment, check_owners,	     check_grants, check_order,
		check_root,    check_places,	  check_targets,     check_hidden, check_devices,
		check_rlimits, check_cpu,	  check_cpu_reserve, check_memory, check_io,
		check_network, check_shaping,	  check_hooks,
	};
	struct checker c = { .s = s, .source = source, .errors = errors };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i](&c);
	return c.failed ? -EINVAL : 0;
}
