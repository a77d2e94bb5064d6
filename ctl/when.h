/* Points in time, as people say them. */
#pragma once

#include <stdint.h>

/** "10m" (ago), "@1795265570" (seconds since 1970), "2026-11-21", "2026-11-21 10:04[:05]",
 * "10:04[:05]" (today), all in local time. @return 0 with microseconds since 1970, or -EINVAL. */
[[nodiscard]] int when_parse(const char *text, uint64_t *ret_us);
/** "2026-11-21 10:04:05" in local time, or "-". */
#define WHEN_TEXT_MAX 32
char *when_print(uint64_t us, char out[static WHEN_TEXT_MAX]);
uint64_t when_now(void);
