/* wardd.ini: the daemon's own file, which lies beside the contexts' and is none of them. */
#pragma once

#include "spec/spec.h"

#define SPEC_HOST_NAME "wardd" /* no context can have it */
#define SPEC_HOST_FILE SPEC_HOST_NAME ".ini"

/** `link = eth0 1Gbit`, `link = eth0 out 20Mbit in 100Mbit replace` */
struct spec_host_link {
	char name[16];
	struct spec_ways capacity; /* bytes a second; UNITS_NONE: not said */
	bool replace; /* also what an admin has put there to schedule it */
};
#define SPEC_HOST_LINKS_MAX 16
#define SPEC_HOST_TEXT_MAX 2048

/** What contexts may not reserve: it stays with the host. */
struct spec_host {
	uint32_t cpu_reserve_ppm; /* millionths of each CPU */
	uint32_t io_reserve_ppm; /* of each disk */
	uint32_t memory_reserve_ppm; /* of all memory, where memory_reserve is UNITS_NONE */
	uint64_t memory_reserve; /* bytes, or UNITS_NONE */
	uint32_t network_reserve_ppm; /* of each link */
	uint32_t link_count;
	struct spec_host_link links[SPEC_HOST_LINKS_MAX];
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
		   char value[static SPEC_HOST_TEXT_MAX]);
