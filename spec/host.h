/* wardd.ini: the daemon's own file, which lies beside the contexts' and is none of them. */
#pragma once

#include "spec/spec.h"

#define SPEC_HOST_NAME "wardd" /* no context can have it */
#define SPEC_HOST_FILE SPEC_HOST_NAME ".ini"

/** What contexts may not reserve: it stays with the host. */
struct spec_host {
	uint32_t cpu_reserve_ppm; /* millionths of each CPU */
	uint32_t io_reserve_ppm; /* of each disk */
	uint32_t memory_reserve_ppm; /* of all memory, where memory_reserve is UNITS_NONE */
	uint64_t memory_reserve; /* bytes, or UNITS_NONE */
};

/** Sets every default. */
void spec_host_init(struct spec_host *h);
/** Reads the text over what `h` has; all errors are gathered, in the form of spec_read_ini().
 * @return 0; -EINVAL with errors, -ENOMEM, -EFBIG: `h` is as it was. */
[[nodiscard]] int spec_host_read(struct spec_host *h, const char *text, size_t len,
				 const char *source, struct spec_errors *errors);
/** The bytes kept of so much memory. */
uint64_t spec_host_memory(const struct spec_host *h, uint64_t total);
/** The name and the value, as in the file, of the i-th key. @return false past the last. */
bool spec_host_key(const struct spec_host *h, size_t i, const char **ret_name,
		   char value[static UNITS_TEXT_MAX]);
