/* The command line of wardd: one table of options, which parses and which prints the help. */
#include "daemon/main/options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/units.h"

#ifndef WARD_PREFIX
#define WARD_PREFIX "/usr/local"
#endif

#define SEATS_DEFAULT 4
#define SEATS_MAX 64
#define HISTORY_DEFAULT (UINT64_C(8) << 20)
#define HISTORY_MIN (UINT64_C(64) << 10)
#define HISTORY_MAX (UINT64_C(1) << 30)

struct row {
	const char *name, *argument, *help;
	int (*read)(const char *name, const char *value, void *out, struct err *e);
	size_t offset;
};

static int read_path(const char *name, const char *value, void *out, struct err *e)
{
	char cwd[PATH_MAX] = "";
	int n;

	if (value[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return err_set_errno(e, -errno, "--%s: finding the working directory", name);
	n = snprintf(out, PATH_MAX, "%s%s%s", cwd, cwd[0] ? "/" : "", value);
	if (!value[0] || n < 0 || n >= PATH_MAX)
		return err_set(e, -EINVAL, "--%s: a path is expected", name);
	return 0;
}

static int read_seats(const char *name, const char *value, void *out, struct err *e)
{
	uint64_t n;

	if (units_parse_u64(value, 0, SEATS_MAX, &n) < 0)
		return err_set(e, -EINVAL, "--%s: a number from 0 to %d is expected", name,
			       SEATS_MAX);
	*(unsigned *) out = (unsigned) n;
	return 0;
}

static int read_size(const char *name, const char *value, void *out, struct err *e)
{
	uint64_t n;

	if (units_parse_bytes(value, &n) < 0 || n < HISTORY_MIN || n > HISTORY_MAX)
		return err_set(e, -EINVAL, "--%s: a size from 64K to 1G is expected, as in 8M",
			       name);
	*(uint64_t *) out = n;
	return 0;
}

/* "127.0.0.1:9469", "[::1]:9469", ":9469" (the loopback address). */
static int read_address(const char *name, const char *value, void *out, struct err *e)
{
	struct options_address *a = out;
	const char *colon = strrchr(value, ':');
	size_t len = colon ? (size_t) (colon - value) : 0;
	bool v6 = len > 2 && value[0] == '[' && colon[-1] == ']';
	char host[64] = "127.0.0.1";
	uint64_t port;

	*a = (struct options_address){ 0 };
	if (!colon || len >= sizeof(host) || units_parse_u64(colon + 1, 1, 65535, &port) < 0)
		return err_set(e, -EINVAL, "--%s: ADDRESS:PORT is expected", name);
	if (len)
		(void) snprintf(host, sizeof(host), "%.*s", (int) (v6 ? len - 2 : len),
				v6 ? value + 1 : value);
	a->of.any.sa_family = v6 ? AF_INET6 : AF_INET;
	if (v6)
		a->of.v6.sin6_port = htons((uint16_t) port);
	else
		a->of.v4.sin_port = htons((uint16_t) port);
	if (inet_pton(a->of.any.sa_family, host,
		      v6 ? (void *) &a->of.v6.sin6_addr : (void *) &a->of.v4.sin_addr) != 1)
		return err_set(e, -EINVAL, "--%s: \"%.63s\" is no IPv4 address and no [IPv6] one",
			       name, host);
	a->len = v6 ? sizeof(a->of.v6) : sizeof(a->of.v4);
	return 0;
}

static int read_level(const char *name, const char *value, void *out, struct err *e)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "error", LOG_LEVEL_ERROR },
		{ "warning", LOG_LEVEL_WARNING },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcmp(value, levels[i].name)) {
			*(enum log_level *) out = levels[i].level;
			return 0;
		}
	return err_set(e, -EINVAL, "--%s: error, warning, info or debug is expected", name);
}

static int read_flag(const char *name, const char *value, void *out, struct err *e)
{
	(void) name;
	(void) value;
	(void) e;
	*(bool *) out = true;
	return 0;
}

#define AT(field) offsetof(struct options, field)
static const struct row rows[] = {
	{ "config-dir", "DIR", "where the contexts' files are (/etc/ward)", read_path,
	  AT(config_dir) },
	{ "state-dir", "DIR", "what must survive a reboot (/var/lib/ward)", read_path,
	  AT(state_dir) },
	{ "run-dir", "DIR", "control.sock and what runs (/run/ward)", read_path, AT(run_dir) },
	{ "init", "PATH", "the ward-init binary", read_path, AT(init) },
	{ "profiles", "DIR", "where seccomp profiles are", read_path, AT(profiles) },
	{ "journal-stdout", "PATH", "where the system's journal takes streams", read_path,
	  AT(journal_stdout) },
	{ "seats", "N", "prepared processes to keep ready for the next start (4)", read_seats,
	  AT(seats) },
	{ "history", "SIZE", "how much of the events' history to keep on disk (8M)", read_size,
	  AT(history_bytes) },
	{ "journal", "SOCKET", "the journal that gets the events too (where stderr goes to it)",
	  read_path, AT(journal) },
	{ "root-only", NULL, "refuse owners of contexts too", read_flag, AT(root_only) },
	{ "metrics-listen", "ADDR:PORT", "serve GET /metrics there, to everybody (off)",
	  read_address, AT(metrics) },
	{ "log-level", "LEVEL", "error, warning, info (the default) or debug", read_level,
	  AT(log_level) },
	{ "version", NULL, "print the version", read_flag, AT(version) },
	{ "help", NULL, "print this", read_flag, AT(help) },
};

void options_help(void)
{
	puts("wardd [OPTIONS]: runs contexts, as wardctl(1) asks. Stays in the foreground.\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		printf("  --%-14s %-9s %s\n", rows[i].name, rows[i].argument ?: "", rows[i].help);
}

int options_parse(int argc, char **argv, struct options *ret, struct err *e)
{
	struct option longs[ARRAY_SIZE(rows) + 1] = {};
	int index = -1, c;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		longs[i] = (struct option){ .name = rows[i].name,
					    .has_arg = rows[i].argument ? required_argument
									: no_argument };
	*ret = (struct options){
		.config_dir = "/etc/ward",
		.state_dir = "/var/lib/ward",
		.run_dir = "/run/ward",
		.journal_stdout = "/run/systemd/journal/stdout",
		.seats = SEATS_DEFAULT,
		.history_bytes = HISTORY_DEFAULT,
		.log_level = LOG_LEVEL_INFO,
	};
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, &index)) == 0) {
		const struct row *row = &rows[index];
		int r = row->read(row->name, optarg, (char *) ret + row->offset, e);

		if (r < 0)
			return r;
	}
	if (c == ':')
		return err_set(e, -EINVAL, "%s: needs a value; see wardd --help", argv[optind - 1]);
	if (c != -1 || optind < argc) /* it stops behind an unknown option, before an operand */
		return err_set(e, -EINVAL, "%s: not understood; see wardd --help",
			       argv[c != -1 ? optind - 1 : optind]);
	return 0;
}

/* @return whether something is there; its path in `out`. */
static bool found(const char *base, const char *tail, char out[static PATH_MAX])
{
	char path[PATH_MAX], real[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", base, tail);

	if (n < 0 || (size_t) n >= sizeof(path) || !realpath(path, real) || access(real, R_OK) < 0)
		return false;
	memcpy(out, real, strlen(real) + 1);
	return true;
}

static int find(const char *what, const char *const *tails, const char *installed,
		char out[static PATH_MAX], struct err *e)
{
	char here[PATH_MAX];
	const char *binary = getenv(SEALED_BINARY);
	ssize_t n = binary ? snprintf(here, sizeof(here), "%s", binary)
			   : readlink("/proc/self/exe", here, sizeof(here) - 1);
	char *slash;

	if (out[0])
		return access(out, R_OK) < 0 ? err_set_errno(e, -errno, "%s %s", what, out) : 0;
	here[n > 0 && n < (ssize_t) sizeof(here) ? n : 0] = '\0';
	slash = strrchr(here, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; slash && tails[i]; i++)
		if (found(here, tails[i], out))
			return 0;
	if (found(WARD_PREFIX, installed, out))
		return 0;
	return err_set(e, -ENOENT, "%s: neither beside %s/wardd nor as " WARD_PREFIX "/%s", what,
		       here, installed);
}

int options_find(struct options *o, struct err *e)
{
	static const char *const inits[] = { "ward-init", "../libexec/ward/ward-init", NULL };
	/* in place: build/wardd, or a test build one folder deeper */
	static const char *const profiles[] = { "../configs/seccomp", "../../configs/seccomp",
						"../share/ward/seccomp", NULL };
	int r = find("ward-init", inits, "libexec/ward/ward-init", o->init, e);

	return r < 0 ? r : find("seccomp profiles", profiles, "share/ward/seccomp", o->profiles, e);
}
