/* Events on disk: every number with its line, across daemons, bounded and rotated.
 *
 * STATE/events/ holds segments of whole lines, each named after the first number that may stand in
 * it, and `state`, which says how the last daemon left them. A number is never used twice: where
 * it cannot be known which ones were (a power cut, a lost segment, a full disk), the next daemon
 * goes on behind the next multiple of HISTORY_JUMP, and readers are told that those between are
 * not there. Lines are written without fsync: what was appended outlives the daemon, however it
 * dies; a power cut may take the last half a minute. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define HISTORY_SEGMENT_BYTES (1u << 20)
#define HISTORY_SEGMENTS_MAX 1024
#define HISTORY_JUMP UINT64_C(1000000)

struct history;

struct history_config {
	const char *directory; /* made when it is not there */
	size_t segment_bytes;
	unsigned segments; /* at most so many are kept; at least 2 */
	const char *boot; /* names this boot of the machine */
};

/** Opens, cuts what a crash left half-written, and finds the highest number ever used.
 * @return 0, -EPROTONOSUPPORT (written by a newer Ward), -errno. */
[[nodiscard]] int history_open(const struct history_config *config, struct history **ret,
			       struct err *e);
/** Notes an orderly end. */
void history_close(struct history *h);
/** The highest number that may have been used; 0: none. */
uint64_t history_last(const struct history *h);
/** The oldest number that may still be there. */
uint64_t history_first(const struct history *h);
/** Appends a line ("...\n") with one write(2). @return 0 or -errno: then it is not there. */
int history_append(struct history *h, uint64_t seq, const char *line, size_t len);

/** A place to read on from; {} is nowhere yet. Costs nothing to keep. */
struct history_cursor {
	uint64_t segment; /* its first number; 0: to be looked for */
	uint64_t offset;
};
/**
 * Reads whole lines from where the event behind `after` is or would be; lines up to `after` may
 * come as well. The cursor stays: history_skip() moves it. @size more than the longest line.
 * @return bytes, 0 at the end, -errno.
 */
ssize_t history_read(const struct history *h, struct history_cursor *c, uint64_t after, char *out,
		     size_t size);
static inline void history_skip(struct history_cursor *c, size_t bytes)
{
	c->offset += bytes;
}
