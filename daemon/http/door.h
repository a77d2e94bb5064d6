/* Who may connect at all. Private to daemon/http.
 *
 * Connections wait in one queue of the kernel's, root's behind everybody else's: who connects
 * faster than we accept would keep root waiting, however little each of them gets. So who connects
 * too often is shut out by the socket's permissions for a while, which costs us nothing: strangers
 * all together, an owner alone, root never. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "daemon/http/quota.h"

#define DOOR_STRANGERS_BURST 100u /* connections at once, */
#define DOOR_STRANGERS_PER_S 50u /* and then a second */
#define DOOR_OWNER_BURST 400u
#define DOOR_OWNER_PER_S 200u
#define DOOR_SHUT_US (2 * UINT64_C(1000000))
#define DOOR_UIDS 16u /* owners whose connections are counted apart */

struct http_door_count {
	uid_t uid;
	bool shut; /* until the door opens */
	unsigned left;
	uint64_t since_us;
};

struct http_door {
	const char *path; /* of the socket, borrowed; NULL: nothing can be shut */
	mode_t mode; /* of an open one */
	struct http_door_count strangers, owners[DOOR_UIDS];
	unsigned next; /* in owners[] */
	bool shut;
	sd_event_source *timer; /* opens it */
};

/**
 * Counts one connection of who is not root.
 * @ret_first it is the first that is too many: the door is to be shut. @return whether it is one.
 */
bool http_door_count(struct http_door *d, enum http_kind kind, uid_t uid, uint64_t now_us,
		     bool *ret_first);
[[nodiscard]] int http_door_init(struct http_door *d, sd_event *loop, const char *path, mode_t mode,
				 struct err *e);
/** Shuts out who was too many: strangers, or some of the owners, who are all of `uids`. */
void http_door_shut(struct http_door *d, const uid_t *uids, size_t count);
/** Opens it, if it is shut, and forgets who was too many. */
void http_door_done(struct http_door *d);
