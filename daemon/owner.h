/* Owners: which users of the host, besides root, may ask anything, and of which contexts.
 *
 * Owners and grants come from the file as it is now, also while the context runs with an older
 * one. Names are looked up in the host's /etc/passwd and nowhere else: a directory service would
 * make the daemon wait. A uid that some context has for its own is nobody's owner, so a process
 * inside that comes by a socket does not become one. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct context;
struct manager;

/** Whether uid owns any context. What a file says that was changed by hand counts a second later,
 * at the latest. */
bool manager_has_owner(struct manager *m, uid_t uid);
/** All uids that own anything, sorted. @return how many; borrowed until the next question. */
size_t manager_owners(struct manager *m, const uid_t **ret);
/** Whether uid owns this one. */
bool context_has_owner(struct manager *m, const struct context *c, uid_t uid);
/** Whether an owner may run something inside. @return 0, or -EPERM with the reason. */
[[nodiscard]] int context_owner_may_enter(const struct context *c, struct err *e);
/** Whether owners may change all of {"cpu.limit": "50%", ...}. @return 0, -EPERM, -EINVAL. */
[[nodiscard]] int context_owner_may_set(const struct context *c, const json_t *keys, struct err *e);
/** The first owner whose name the host does not know, or NULL. */
const char *context_owner_unknown(struct manager *m, const struct context *c);
