/* Points in time, as people say them. */
#pragma once

#include <stdint.h>

/**
 * "10m", "36h", "7d": so long ago; "2026-11-21 10:04:05", also without seconds, without the time of
 * day, with "T" between, or with "Z" at the end for UTC; "10:04" of today; "today", "yesterday",
 * "now"; "@1763719445", seconds since 1970. Local time where no other is said.
 * @return 0 with microseconds since 1970, or -EINVAL.
 */
[[nodiscard]] int when_parse(const char *text, uint64_t *ret_us);
/** The same at a certain moment. */
[[nodiscard]] int when_parse_at(const char *text, uint64_t now_us, uint64_t *ret_us);
/** "2026-11-21 10:04:05" in local time, or "-". */
#define WHEN_TEXT_MAX 32
char *when_print(uint64_t us, char out[static WHEN_TEXT_MAX]);
uint64_t when_now(void);
