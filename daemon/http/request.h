/* Requests: what clients send, from bytes to typed structs. Pure: no HTTP library, no manager, no
 * system call, so that it can be tested and fuzzed alone, and moved into a process of its own. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "spec/spec.h"

#define REQUEST_BODY_MAX (1u << 20)
#define REQUEST_DEPTH_MAX 16 /* nesting of a JSON body */
#define REQUEST_LINE_MAX 4096 /* a line after the upgrade, with its newline */
#define REQUEST_ARGS_MAX 4096 /* words of a command, variables of an environment */
#define REQUEST_KEYS_MAX 256 /* keys changed by one PATCH */
#define REQUEST_LOG_LINES_MAX 1000000
#define REQUEST_EVENTS_MAX 100000
#define REQUEST_SPECS_MAX 256 /* of one question */
#define REQUEST_WORDS_MAX 16 /* values of one parameter */
#define REQUEST_LOG_STARTS_MAX 1000000

/** Parses a body or a line: one JSON object and nothing else, no duplicate keys, bounded depth.
 * @return 0 with a new reference; -EINVAL with where and what. */
[[nodiscard]] int request_json(const char *text, size_t len, json_t **ret, struct err *e);

struct request_terminal {
	bool wanted;
	unsigned short rows, cols;
};

/** POST /v1/run. Free with request_run_done(). */
struct request_run {
	struct spec spec;
	struct request_terminal terminal;
	bool detach;
};

/** POST /v1/contexts/NAME/exec. Free with request_exec_done(). */
struct request_exec {
	struct strv command, environment;
	char *user, *directory;
	struct request_terminal terminal;
};

/* In each of these: 0, -EINVAL or -ENOMEM with `e`; the result must be freed only after 0.
 * `lines` gets every error of a spec. A NULL object means an empty body. */
[[nodiscard]] int request_spec(const json_t *o, bool name_needed, struct spec *ret,
			       struct spec_errors *lines, struct err *e);
[[nodiscard]] int request_run(const json_t *o, struct request_run *ret, struct spec_errors *lines,
			      struct err *e);
void request_run_done(struct request_run *r);
[[nodiscard]] int request_exec(const json_t *o, struct request_exec *ret, struct err *e);
void request_exec_done(struct request_exec *r);

struct request_stop {
	uint64_t timeout_us; /* 0: as the spec says */
};
[[nodiscard]] int request_stop(const json_t *o, struct request_stop *ret, struct err *e);

/** POST /v1/start and /v1/stop: exactly one of the first four. Free with request_many_done(). */
struct request_many {
	struct strv contexts;
	const char *mark; /* borrowed from the object */
	bool all, autostart;
	uint64_t timeout_us; /* of the whole stop; 0: as the specs say */
};
[[nodiscard]] int request_many(const json_t *o, bool stop, struct request_many *ret, struct err *e);
void request_many_done(struct request_many *r);

struct request_kill {
	int sig; /* SIGTERM when not said */
	bool all;
};
[[nodiscard]] int request_kill(const json_t *o, struct request_kill *ret, struct err *e);

/** POST /v1/check: the strings are borrowed from the object. */
struct request_check {
	const char *ini, *source;
};
[[nodiscard]] int request_check(const json_t *o, struct request_check *ret, struct err *e);

/** POST /v1/what-if: {"specs": [{...}]}. Free with request_what_if_done(). */
struct request_what_if {
	struct spec *specs;
	size_t count;
};
[[nodiscard]] int request_what_if(const json_t *o, struct request_what_if *ret,
				  struct spec_errors *lines, struct err *e);
void request_what_if_done(struct request_what_if *q);

/** POST /v1/reload: {"names": ["web"]}; none: all. Free with strv_done(). */
[[nodiscard]] int request_reload(const json_t *o, struct strv *ret, struct err *e);

/** PATCH: {"section.key": "value", ...}, at least one. Whether the keys exist is not judged. */
[[nodiscard]] int request_patch(const json_t *o, struct err *e);

/** A line a client sends after the upgrade. */
struct request_line {
	enum { REQUEST_LINE_STREAMS, REQUEST_LINE_SIGNAL } kind;
	unsigned streams; /* 0 or 3 */
	int sig;
};
[[nodiscard]] int request_line(const char *text, size_t len, struct request_line *ret,
			       struct err *e);

/* --- what follows the "?" --- */

enum request_query_bit { /* what a route allows */
			 REQUEST_QUERY_REPLACE = 1,
			 REQUEST_QUERY_FULL = 2,
			 REQUEST_QUERY_RUNTIME = 4,
			 REQUEST_QUERY_FOLLOW = 8,
			 REQUEST_QUERY_LINES = 16,
			 REQUEST_QUERY_AFTER = 32,
			 REQUEST_QUERY_USAGE = 64,
			 REQUEST_QUERY_CONTEXT = 128,
			 REQUEST_QUERY_KIND = 256,
			 REQUEST_QUERY_LAST = 512,
			 REQUEST_QUERY_SINCE = 1024,
			 REQUEST_QUERY_EVENT = 2048,
			 REQUEST_QUERY_NO_WAIT = 4096,
			 REQUEST_QUERY_UNTIL = 8192,
			 REQUEST_QUERY_START = 16384,
			 REQUEST_QUERY_FRAMES = 32768,
			 REQUEST_QUERY_DRY = 65536
};

struct request_query {
	uint64_t replace, full, runtime, follow, usage, no_wait, frames, dry; /* 0 or 1 */
	uint64_t lines, after, last, start;
	uint64_t since, until; /* us since the epoch */
	/* given any number of times; borrowed from the request */
	struct request_words {
		const char *items[REQUEST_WORDS_MAX];
		size_t count;
	} contexts, kinds;
	const char *event; /* or NULL */
	unsigned given; /* bits of enum request_query_bit */
};

/** Takes one parameter. @value may be NULL ("?follow"); words are borrowed.
 * @return 0 or -EINVAL. */
[[nodiscard]] int request_query_add(struct request_query *q, unsigned allowed, const char *name,
				    const char *value, struct err *e);
