/* Ranges of host ids. A context's files and processes are known by its range, so two contexts
 * never share a block, and a released block is the last to be handed out again. */
#include "context/ids.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

int ids_init(struct ids *ids, uint32_t first, uint32_t total)
{
	uint32_t blocks = total / IDS_BLOCK;

	/* The last id is (uid_t) -1, "unchanged", and never an identity. */
	if (first == 0 || blocks == 0 || total >= UINT32_MAX - first) {
		return -EINVAL;
	}
	*ids = (struct ids){ .first = first, .blocks = blocks, .taken = calloc(blocks, 1) };
	return ids->taken ? 0 : -ENOMEM;
}

void ids_done(struct ids *ids)
{
	free(ids->taken);
	*ids = (struct ids){ 0 };
}

int ids_take(struct ids *ids, uint32_t *ret_first)
{
	for (uint32_t i = 0; i < ids->blocks; i++) {
		uint32_t block = (ids->next + i) % ids->blocks;

		if (!ids->taken[block]) {
			ids->taken[block] = 1;
			ids->next = (block + 1) % ids->blocks;
			*ret_first = ids->first + block * IDS_BLOCK;
			return 0;
		}
	}
	return -ENOSPC;
}

/** The blocks [*from, *to) that a range touches. @return whether there is one. */
static bool touched(const struct ids *ids, uint32_t first, uint32_t count, uint32_t *from,
		    uint32_t *to)
{
	uint64_t zone_end = (uint64_t) ids->first + (uint64_t) ids->blocks * IDS_BLOCK;
	uint64_t start = first, end = (uint64_t) first + count;

	if (start < ids->first) {
		start = ids->first;
	}
	if (end > zone_end) {
		end = zone_end;
	}
	if (start >= end) {
		return false;
	}
	*from = (uint32_t) ((start - ids->first) / IDS_BLOCK);
	*to = (uint32_t) ((end - ids->first + IDS_BLOCK - 1) / IDS_BLOCK);
	return true;
}

int ids_claim(struct ids *ids, uint32_t first, uint32_t count, int *ret_any)
{
	uint32_t from = 0, to = 0;

	if (first == 0 || count == 0 || count > UINT32_MAX - first) {
		return -EINVAL;
	}
	bool any = touched(ids, first, count, &from, &to);
	for (uint32_t i = from; i < to; i++) {
		if (ids->taken[i]) {
			return -EBUSY;
		}
	}
	for (uint32_t i = from; i < to; i++) {
		ids->taken[i] = 1;
	}
	if (ret_any) {
		*ret_any = any;
	}
	return 0;
}

void ids_release(struct ids *ids, uint32_t first, uint32_t count)
{
	uint32_t from = 0, to = 0;

	(void) touched(ids, first, count, &from, &to);
	for (uint32_t i = from; i < to; i++) {
		ids->taken[i] = 0;
	}
}
