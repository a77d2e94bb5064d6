/* Which host ids are handed out: blocks of 65536, one a context. Private to context/. */
#pragma once

#include <stdint.h>

#define IDS_BLOCK 65536u

struct ids {
	uint32_t first, blocks;
	uint32_t next; /* where the search goes on, so that a range rests before it is used again */
	uint8_t *taken; /* one byte a block */
};

/** @first must not be 0 (nobody may be the host's root). @return 0, -EINVAL or -ENOMEM. */
[[nodiscard]] int ids_init(struct ids *ids, uint32_t first, uint32_t total);
void ids_done(struct ids *ids);
/** Hands out a block. @return 0, or -ENOSPC when all are taken. */
[[nodiscard]] int ids_take(struct ids *ids, uint32_t *ret_first);
/**
 * Takes every block that the range touches; what lies outside is nobody's business here.
 * @ret_any (may be NULL) whether it touches one. @return 0, -EBUSY (nothing is taken), -EINVAL.
 */
[[nodiscard]] int ids_claim(struct ids *ids, uint32_t first, uint32_t count, int *ret_any);
void ids_release(struct ids *ids, uint32_t first, uint32_t count);
