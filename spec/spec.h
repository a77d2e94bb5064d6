/* The door of spec/: what a file or an API call declares about a context. Pure data.
 *
 * The one table of keys (spec/keys.c) drives everything that reads or writes a spec: INI, JSON,
 * `--set`, dumping, messages, ward.ini(5) and completion. A key is there only if it works. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/units.h"

#define SPEC_NAME_MAX 63
#define SPEC_LIST_MAX 256 /* entries of any repeated key */

enum spec_init { SPEC_INIT_FAKE, SPEC_INIT_NONE, SPEC_INIT_PATH, SPEC_INIT_COUNT };
enum spec_root { SPEC_ROOT_HOST, SPEC_ROOT_DIRECTORY, SPEC_ROOT_COUNT };
enum spec_mode { SPEC_MODE_COW, SPEC_MODE_READ_ONLY, SPEC_MODE_READ_WRITE, SPEC_MODE_COUNT };
enum spec_upper { SPEC_UPPER_TMPFS, SPEC_UPPER_KEPT, SPEC_UPPER_COUNT };
enum spec_network {
	SPEC_NETWORK_NONE,
	SPEC_NETWORK_PRIVATE,
	SPEC_NETWORK_HOST,
	SPEC_NETWORK_SHARED,
	SPEC_NETWORK_COUNT
};
enum spec_log { SPEC_LOG_FILE, SPEC_LOG_JOURNAL, SPEC_LOG_NONE, SPEC_LOG_COUNT };
enum spec_ids { SPEC_IDS_AUTO, SPEC_IDS_NONE, SPEC_IDS_RANGE, SPEC_IDS_COUNT };
enum spec_seccomp {
	SPEC_SECCOMP_DEFAULT,
	SPEC_SECCOMP_STRICT,
	SPEC_SECCOMP_NONE,
	SPEC_SECCOMP_FILE,
	SPEC_SECCOMP_COUNT
};

enum spec_oom { SPEC_OOM_CONTEXT, SPEC_OOM_PROCESS, SPEC_OOM_COUNT }; /* what dies of it */
enum spec_answer { SPEC_NO, SPEC_YES, SPEC_ANSWER_COUNT };
enum spec_restart {
	SPEC_RESTART_NO,
	SPEC_RESTART_ON_FAILURE,
	SPEC_RESTART_ALWAYS,
	SPEC_RESTART_COUNT
};
enum spec_unhealthy {
	SPEC_UNHEALTHY_RESTART,
	SPEC_UNHEALTHY_STOP,
	SPEC_UNHEALTHY_NONE,
	SPEC_UNHEALTHY_COUNT
};

#define SPEC_RESTARTS_MAX 100 /* the largest COUNT of `restart-limit = COUNT in DURATION` */

enum spec_probe_kind {
	SPEC_PROBE_NONE, /* ready when it is started; no health is asked for */
	SPEC_PROBE_NOTIFY,
	SPEC_PROBE_TCP,
	SPEC_PROBE_EXEC,
	SPEC_PROBE_COUNT
};

/** `ready = tcp:80`, `health = exec:COMMAND every 10s` */
struct spec_probe {
	enum spec_probe_kind kind;
	unsigned port; /* with SPEC_PROBE_TCP */
	struct strv command; /* with SPEC_PROBE_EXEC */
	uint64_t every_us; /* of health only */
};
/** Where a context that wants one finds its notify socket (sd_notify(3)). */
#define SPEC_NOTIFY_DIR "/dev/ward"
#define SPEC_NOTIFY_SOCKET SPEC_NOTIFY_DIR "/notify"
struct spec;
bool spec_wants_notify(const struct spec *s);
/** As in a file, less the interval: "tcp:80". */
void spec_probe_print(const struct spec_probe *p, struct buf *out);

/** `bind = SOURCE[:TARGET[:ro|rw]]`; the default is ro. */
struct spec_bind {
	char *source, *target;
	bool writable;
};

/** `tmpfs = /tmp:64M` */
struct spec_tmpfs {
	char *target;
	uint64_t size_bytes;
};

/** `rlimit = nofile 4096` or `nofile 1024:4096` */
struct spec_rlimit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard; /* UNITS_NONE: infinity */
};

/** `stop = TERM 10s KILL`: signals, each with how long to wait after it. */
struct spec_stop {
	int signal;
	uint64_t wait_us; /* of the last entry: 0 */
};

/** `limit = /dev/vda read 50MB/s write 20MB/s read-ops 1000 write-ops 500` */
struct spec_io_limit {
	char *device;
	uint64_t read_bps, write_bps, read_iops, write_iops; /* UNITS_NONE: no limit */
};

/** `share = /dev/vda 200`: a weight; `reserve = /dev/vda 30%`: thousandths of the disk. */
struct spec_io_part {
	char *device;
	uint64_t amount;
};
#define SPEC_IO_SHARE 100 /* of who says nothing, by the kernel's default */

/** `limit = 100Mbit`, `limit = out 100Mbit in 50Mbit`: as the context sees it. */
struct spec_ways {
	uint64_t out, in;
};
#define SPEC_NETWORK_SHARE 100 /* of who says nothing, and of the host */

/** `grant = cpu.limit <= 200%`: a key that owners may change, and within what. */
struct spec_grant {
	unsigned key; /* of spec_key_info() */
	uint64_t least, most; /* 0 and UNITS_NONE: no bound */
};

/** Everything a context can declare. Strings and lists are owned; NULL or 0 means "not said". */
struct spec {
	char name[SPEC_NAME_MAX + 1];
	struct {
		char *description;
		struct strv command; /* argv */
		enum spec_init init;
		char *init_path; /* with SPEC_INIT_PATH */
		char *user; /* USER[:GROUP], resolved inside the view; NULL: root */
		char *hostname; /* NULL: the name */
		char *directory; /* working directory, NULL: "/" */
		struct strv environment; /* NAME=VALUE */
		struct spec_stop *stop; /* count 0: the default for the init */
		size_t stop_count;
		struct spec_probe ready, health;
		uint64_t ready_timeout_us;
		enum spec_restart restart;
		enum spec_unhealthy on_unhealthy;
		uint64_t restart_first_us, restart_max_us; /* the delay, doubling */
		uint64_t restart_limit, restart_limit_us; /* so many in so long; 0: no limit */
		uint64_t watchdog_us; /* 0: off */
		uint64_t health_timeout_us, health_retries;
		struct strv owners; /* users of the host: names or numbers */
		struct spec_grant *grants;
		size_t grant_count;
		enum spec_log log;
		uint64_t log_bytes; /* with SPEC_LOG_FILE */
		enum spec_answer autostart;
		struct strv after, marks; /* names of contexts; of groups */
	} context;
	struct {
		enum spec_root root;
		char *root_path; /* with SPEC_ROOT_DIRECTORY */
		enum spec_mode mode;
		enum spec_upper upper;
		uint64_t upper_bytes;
		struct spec_bind *binds;
		size_t bind_count;
		struct spec_tmpfs *tmpfs;
		size_t tmpfs_count;
		struct strv hide, show, devices;
	} files;
	struct {
		uint64_t limit; /* processes and threads; UNITS_NONE */
		uint64_t capabilities; /* mask by CAP_* number: the bounding set */
		enum spec_seccomp seccomp;
		char *seccomp_file;
		struct spec_rlimit *rlimits;
		size_t rlimit_count;
		enum spec_ids ids;
		uint32_t ids_first, ids_count; /* with SPEC_IDS_RANGE */
		mode_t umask;
	} process;
	struct {
		uint64_t share; /* 1..10000, default 100 */
		uint64_t reserve_millicpu; /* thousandths of a CPU */
		uint64_t limit_millicpu; /* thousandths of a CPU; UNITS_NONE */
		uint64_t burst_us;
		char *cpus, *mems; /* kernel list format "0-1,3"; NULL: all */
	} cpu;
	struct {
		uint64_t limit, reserve, soft, swap; /* bytes; UNITS_NONE */
		enum spec_oom oom;
	} memory;
	struct {
		struct spec_io_limit *limits;
		size_t limit_count;
		struct spec_io_part *shares;
		size_t share_count;
		struct spec_io_part *reserves;
		size_t reserve_count;
	} io;
	struct {
		enum spec_network mode;
		struct strv addresses, listen, connect, allow, dns; /* shared and private */
		struct strv gateways, forwards; /* private */
		char *bridge, *mac; /* private; NULL: routed, by the context's name */
		enum spec_answer masquerade; /* private */
		struct spec_ways reserve, limit; /* bytes a second; limit: UNITS_NONE */
		struct spec_ways share; /* 1..1000 */
		struct spec_ways burst; /* bytes */
	} network;
	struct {
		struct strv before_start, after_ready, before_stop, after_stop; /* argv */
		uint64_t timeout_us;
	} hooks;
};

/** Sets every default of the table (which allocates nothing). `name` may be empty.
 * @return 0, -EINVAL (the name), -ENOMEM. */
[[nodiscard]] int spec_init(struct spec *s, const char *name);
void spec_done(struct spec *s);
/** Deep copy. `to` is uninitialised before. @return 0 or -ENOMEM. */
[[nodiscard]] int spec_copy(struct spec *to, const struct spec *from);
bool spec_equal(const struct spec *a, const struct spec *b);

/** [a-z0-9][a-z0-9._-]{0,62} */
bool spec_name_valid(const char *name);

/** All errors of one input, in order: "FILE:LINE: SECTION.KEY: what is wrong; what is allowed" */
struct spec_errors {
	struct strv lines; /* at most SPEC_ERRORS_MAX and one that says there are more */
	struct spec_place *places; /* where keys stand: from spec_read_ini() to spec_check() */
	size_t place_count;
};
#define SPEC_ERRORS_MAX 100
void spec_errors_done(struct spec_errors *e);
/** All lines, one each, as one error (-EINVAL); where the text is too short for all, the last line
 * says how many are left out. @return -EINVAL, or 0 when there is none. */
int spec_errors_to_err(const struct spec_errors *errors, struct err *e);

/**
 * Reads an INI text over what `s` has: it must be spec_init()ed before, spec_done() after, either
 * way. A repeated key's first line replaces the list. All errors are gathered.
 * @source the name that messages show; @return 0, -EINVAL with errors, -ENOMEM, -EFBIG (longer
 * than SPEC_INI_MAX).
 */
#define SPEC_INI_MAX (256u << 10)
[[nodiscard]] int spec_read_ini(struct spec *s, const char *text, size_t len, const char *source,
				struct spec_errors *errors);
/**
 * The same from {"name": .., "context": {"command": [..]}, "cpu": {"share": 100}, ..}, over the
 * defaults, which it sets itself: `s` needs no spec_init() (one is harmless). A message names the
 * path instead of a line: "spec: files.bind[2]: ...".
 */
[[nodiscard]] int spec_read_json(struct spec *s, const json_t *object, struct spec_errors *errors);
/** Opens and reads PATH over the defaults, which it sets itself; the name comes from its last
 * component less ".ini", and is empty where that is no name. @return as spec_read_ini, -errno. */
[[nodiscard]] int spec_read_file(struct spec *s, const char *path, struct spec_errors *errors);

/**
 * Writes the keys that `which` names with the values of `wanted` into an INI text without errors.
 * All else stays as it is, byte for byte: comments, order, blanks, line ends; of a list, the lines
 * whose entries stay. A key that is not there is added unless it has its default.
 * @return 0 with the text appended to `out`, -ENOMEM, -EFBIG.
 */
[[nodiscard]] int spec_edit_ini(const char *text, size_t len, const struct spec *wanted,
				bool (*which)(const char *section, const char *name, void *arg),
				void *arg, struct buf *out);

/** The inverses: keys that differ from their default (all keys with `full`). */
void spec_write_ini(const struct spec *s, bool full, struct buf *out);
/** @return a new object, or NULL when out of memory. */
json_t *spec_write_json(const struct spec *s, bool full);

/**
 * Sets one key by its full name: "cpu.limit", value as in a file. For a repeated key the value
 * replaces the list ("" empties it; entries separated by newlines).
 * @return 0, -ENOENT (no such key; text suggests the nearest), -EINVAL.
 */
[[nodiscard]] int spec_set(struct spec *s, const char *key, const char *value, struct err *e);
/** @return 0 with the value as in a file (one line per entry), or -ENOENT. */
[[nodiscard]] int spec_get(const struct spec *s, const char *key, struct buf *out, struct err *e);
/** Whether the key may change on a live context. @return false for unknown keys too. */
bool spec_key_live(const char *key);
/** @return a resource's name as in `rlimit`, "nofile"; NULL for what is none. */
const char *spec_rlimit_name(int resource);

/** Checks across keys (no command and no init, kept upper without cow ...); names lines when
 * `errors` is the one that spec_read_ini() was given. @return as spec_read_ini. */
[[nodiscard]] int spec_check(const struct spec *s, const char *source, struct spec_errors *errors);

/* --- owners (grant.c) --- */

/** The first of the host's ids that contexts get for their own: it and those above own nothing. */
#define SPEC_IDS_FIRST 0x70000000u
/**
 * Whether owners may give `key` this value.
 * @return 0; -EPERM with what is granted; -EINVAL (no such value), -ENOENT (no such key).
 */
[[nodiscard]] int spec_grant_permits(const struct spec *s, const char *key, const char *value,
				     struct err *e);
/**
 * What of the spec would make whoever is root inside more than a stranger on the host (by writing
 * set-uid files there, by devices, by being its root), or NULL: then owners may enter.
 */
const char *spec_root_reaches_host(const struct spec *s);

/** One row as the outside may see it: for completion, manual pages and `wardctl get`. */
struct spec_key_info {
	const char *section, *name, *type, *fallback, *allowed, *help;
	bool repeats, live;
};
/** @return the i-th row of the table, or false past its end. */
bool spec_key_info(size_t i, struct spec_key_info *ret);
/** Writes the keys' part of ward.ini(5) as mdoc(7) source, from the table. */
void spec_write_manual(FILE *out);
