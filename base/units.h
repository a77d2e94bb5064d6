/* Values as admins write them, in and out. Every parser rejects overflow and trailing text. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UNITS_NONE UINT64_MAX /* "max", "none", "unlimited": no limit */

/** "4096", "64K", "512M", "2G", "1T" (binary), "max". @return 0, -EINVAL, -ERANGE. */
[[nodiscard]] int units_parse_bytes(const char *s, uint64_t *ret);
/** "50MB/s", "1.5GB/s", "800KB/s", "max": bytes a second, decimal prefixes. */
[[nodiscard]] int units_parse_rate(const char *s, uint64_t *ret);
/** "10Mbit", "1.5Gbit", "8Kbit", decimal, or as above: bytes a second, of a network. */
[[nodiscard]] int units_parse_bandwidth(const char *s, uint64_t *ret);
/** "250us", "50ms", "10s", "5m", "1h"; a bare number is refused. Microseconds. */
[[nodiscard]] int units_parse_duration(const char *s, uint64_t *ret_us);
/** "150%" of one CPU, "20%m" of the machine: thousandths of one CPU (150% = 1500). */
[[nodiscard]] int units_parse_cpu(const char *s, unsigned cpus, uint64_t *ret_millicpu);
/** A plain decimal number within [min, max]. */
[[nodiscard]] int units_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

#define UNITS_TEXT_MAX 32
/* The exact inverses: what they print is read back as the same value. `out` is returned. */
char *units_print_bytes(uint64_t v, char out[static UNITS_TEXT_MAX]);
char *units_print_rate(uint64_t v, char out[static UNITS_TEXT_MAX]);
char *units_print_bandwidth(uint64_t v, char out[static UNITS_TEXT_MAX]);
char *units_print_duration(uint64_t us, char out[static UNITS_TEXT_MAX]);
char *units_print_cpu(uint64_t millicpu, char out[static UNITS_TEXT_MAX]);
/** For people: "1.4G", rounded; not meant to be read back. */
char *units_print_human(uint64_t v, char out[static UNITS_TEXT_MAX]);

/** "KILL", "SIGKILL", "9", "RTMIN+3". @return the number or -EINVAL. */
int units_parse_signal(const char *s);
/** @return "KILL" and so on; "RTMIN+3" lies in a static buffer. */
const char *units_print_signal(int sig);
