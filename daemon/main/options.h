/* What wardd is told: parsed into one struct, defaults filled in. Private to main*.c. */
#pragma once

#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"

struct options {
	/* absolute paths */
	char config_dir[PATH_MAX], state_dir[PATH_MAX], run_dir[PATH_MAX];
	char init[PATH_MAX], profiles[PATH_MAX], journal_stdout[PATH_MAX];
	unsigned seats;
	uint64_t history_bytes;
	char journal[PATH_MAX]; /* "": only where standard error goes to it */
	struct options_address {
		union {
			struct sockaddr any;
			struct sockaddr_in v4;
			struct sockaddr_in6 v6;
		} of;
		socklen_t len; /* 0: not said */
	} metrics;
	enum log_level log_level;
	bool root_only; /* owners are refused too */
	bool help, version; /* print and go */
};

/** @return 0, or -EINVAL with `e` when the command line is wrong. */
[[nodiscard]] int options_parse(int argc, char **argv, struct options *ret, struct err *e);
/** Finds ward-init and the profiles where they were not named: beside the binary when it runs in
 * place, else where they are installed. @return 0 or -ENOENT. */
[[nodiscard]] int options_find(struct options *o, struct err *e);
void options_help(void);

/** The environment variable that tells a sealed daemon where its binary lies. */
#define SEALED_BINARY "WARD_BINARY"
/** Runs this program again from a read-only mount of its own binary (sealed.c); returns in the
 * program so run, or where the kernel cannot do that. */
void sealed_run(char **argv);
