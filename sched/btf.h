/* Private to sched/: where the fields of the running kernel's structures lie, from its own type
 * information (BTF). Only what reading needs: named structs, their members, enumerators. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct btf {
	char *data; /* owned: the whole blob */
	size_t len;
	const char *strings;
	size_t strings_len;
	uint32_t *types; /* owned: where the type of each number begins */
	uint32_t count;
};

/** Reads /sys/kernel/btf/vmlinux (some 5 MB). @return 0, -ENOENT, -EBADMSG, -errno. */
[[nodiscard]] int btf_open(struct btf *ret);
/** The same from memory, which is taken over also on failure. */
[[nodiscard]] int btf_parse(char *data, size_t len, struct btf *ret);
void btf_done(struct btf *b);

/** Where member `path` ("memory.watermark", through anonymous unions) of a struct begins, in
 * bytes. @return it, or -ENOENT. */
long btf_offset(const struct btf *b, const char *structure, const char *path);
/** @return an enumerator's value or -ENOENT. */
long btf_enumerator(const struct btf *b, const char *enumeration, const char *name);
/** @return the number of a function's type or -ENOENT. */
long btf_function(const struct btf *b, const char *name);
