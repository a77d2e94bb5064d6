/* Private to the ledger (ledger.c, ledger_disk.c): what it is made of, and how it refuses. */
#pragma once

#include "daemon/ledger.h"
#include "sched/allot.h"

#define NAMED_MAX 8 /* holders that a refusal names */

struct entry {
	const char *name, *state;
	const struct spec *spec;
	unsigned set; /* of the pool */
	bool shown;
};

struct ledger {
	struct ledger_host host;
	unsigned *cpu_of; /* the CPU that a place is */
	unsigned places;
	struct allot_pool *pool;
	struct cpus *sets; /* by number of the pool's */
	size_t set_max;
	struct entry *entries;
	size_t count, max;
	struct allot_claim *claims; /* one more than entries */
};

/* --- refusals --- */

struct holder {
	const char *name;
	uint64_t amount;
};

/** Who holds what is short: the greatest by name, the rest as a sum. */
struct holders {
	struct holder named[NAMED_MAX];
	size_t count;
	uint64_t others;
};

void holders_add(struct holders *h, const char *name, uint64_t amount);
/** A context that has owners tells them nothing of those that are not theirs. */
bool holders_may_name(const struct spec *to, const struct spec *holder);
/** ": web 30%, others 20%, the host 5%" */
void holders_print(const struct holders *h, char *(*print)(uint64_t, char *), uint64_t host,
		   struct buf *out);
/** @text taken. @return -EDQUOT, or what went wrong with the text. */
int ledger_refuse(struct err *e, struct buf *text);

/* --- ledger_disk.c --- */

/** One row for each disk of which somebody has a share or a reserve. @return NULL: no memory. */
json_t *ledger_disks_json(const struct ledger *l);
/** What one entry has of disks. */
json_t *ledger_entry_disks_json(const struct ledger *l, const struct entry *x);
