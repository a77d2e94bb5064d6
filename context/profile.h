/* A seccomp profile as text, as a table, and as a BPF program. Private to context/.
 *
 * The table is small (a number has one action and perhaps a few conditions), so the program is
 * made here: runs of numbers with the same action become one leaf of a binary search. It is a
 * quarter as long as one test a call, and the kernel translates it at every start. libseccomp
 * supplies the names of calls. */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PROFILE_BYTES_MAX (256u << 10)
#define PROFILE_CALLS 512 /* numbers from here on get the default */
#define PROFILE_CONDITIONS_MAX 256
#define PROFILE_CODE_MAX 4096 /* BPF_MAXINSNS */

/** Among a context's capabilities: it is on the host's network stack, with others. */
#define PROFILE_SHARED (UINT64_C(1) << 63)

struct profile_condition {
	uint16_t call;
	uint8_t arg; /* 0..5 */
	bool mask; /* any bit of `value`; else: equal to it */
	uint32_t value, action; /* SECCOMP_RET_* */
};

struct profile {
	uint32_t fallback;
	uint32_t actions[PROFILE_CALLS];
	struct profile_condition conditions[PROFILE_CONDITIONS_MAX];
	size_t condition_count;
};

/**
 * Reads a profile for a context with these capabilities.
 * @source the name that messages show. @return 0 or -EINVAL with "SOURCE:LINE: ...", -EFBIG.
 */
[[nodiscard]] int profile_parse(const char *text, size_t len, const char *source, uint64_t caps,
				struct profile *ret, struct err *e);
/** Compiles. @code room for PROFILE_CODE_MAX. @return the length, or -E2BIG. */
[[nodiscard]] int profile_compile(const struct profile *p, struct sock_filter *code);
/** What the table says about one call, for tests and as the meaning of what is compiled. */
uint32_t profile_decide(const struct profile *p, uint32_t call, const uint64_t args[static 6]);
