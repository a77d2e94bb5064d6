/* Private to the daemon's core: what is promised to whom, and whether one more promise fits. Pure:
 * what the host has is told, not looked up. */
#pragma once

#include <jansson.h>

#include "base/cpus.h"
#include "base/err.h"
#include "sched/sched.h"
#include "spec/spec.h"

/** What there is to be promised. */
struct ledger_host {
	struct cpus cpus; /* there and usable */
	uint32_t cpu_keep_ppm; /* of each of them: the host's own */
	uint64_t memory, memory_keep; /* bytes: all, and of that the host's own */
	bool memory_reserve; /* memory.reserve works on this host */
	uint32_t io_keep_ppm; /* of each disk */
	/** As sched_disk_find(). */
	int (*disk)(const char *key, const char *path, struct sched_disk *ret, struct err *e);
};

struct ledger;

[[nodiscard]] int ledger_new(const struct ledger_host *host, struct ledger **ret);
void ledger_free(struct ledger *l);
/** One more who holds promises; all of it is borrowed. @state a word for people: "running".
 * @shown by name; else only in sums. @return 0 or -errno. */
[[nodiscard]] int ledger_add(struct ledger *l, const char *name, const struct spec *spec,
			     const char *state, bool shown);
/** Forgets one, where it is there. */
void ledger_drop(struct ledger *l, const char *name);

/**
 * Whether what `spec` reserves fits beside all that is in the ledger. Where the ledger itself does
 * not fit (a CPU went away), what takes no part in that shortage is not refused for it.
 * @return 0; -EDQUOT: e says what was asked, what is free and who holds it, naming no contexts but
 * those that have an owner in common with one that has owners; -EINVAL (its CPUs are not here);
 * -errno.
 */
[[nodiscard]] int ledger_admit_cpu(struct ledger *l, const struct spec *spec, struct err *e);
[[nodiscard]] int ledger_admit_memory(struct ledger *l, const struct spec *spec, struct err *e);
/** The same for every disk of which `spec` reserves more than `has` (or NULL) does. @return as
 * above, but -EINVAL where two of its devices are one disk. */
[[nodiscard]] int ledger_admit_disks(struct ledger *l, const struct spec *spec,
				     const struct spec *has, struct err *e);

/** All of it: docs/api.md, GET /v1/budget. @return 0 with a new reference, or -errno. */
[[nodiscard]] int ledger_json(struct ledger *l, json_t **ret);
