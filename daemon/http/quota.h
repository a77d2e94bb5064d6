/* How many connections whom. Pure: counts only, so that it can be tested alone.
 *
 * Root, owners and strangers have a number of places each, and no other's use of theirs takes one
 * away: however many of them come, root finds the same. Within its kind a uid has few. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum http_kind {
	HTTP_KIND_ROOT,
	HTTP_KIND_OWNER, /* of some context: is read and parsed */
	HTTP_KIND_STRANGER, /* is told 403 and never parsed */
	HTTP_KIND_COUNT
};

#define HTTP_ROOT_MAX 1024u
#define HTTP_OWNERS_MAX 512u
#define HTTP_OWNER_MAX 64u /* of one uid */
#define HTTP_STRANGERS_MAX 64u
#define HTTP_STRANGER_MAX 8u

struct http_quota {
	unsigned count[HTTP_KIND_COUNT];
	struct http_quota_uid {
		uid_t uid;
		enum http_kind kind;
		unsigned count;
	} uids[HTTP_OWNERS_MAX + HTTP_STRANGERS_MAX]; /* those with a place, packed */
	size_t uid_count;
};

/** Takes a place. @return false when there is none for that kind, or for that uid. */
[[nodiscard]] bool http_quota_take(struct http_quota *q, enum http_kind kind, uid_t uid);
/** Gives one back that was taken. */
void http_quota_give(struct http_quota *q, enum http_kind kind, uid_t uid);
/** Whether all places of the kind are taken. */
bool http_quota_full(const struct http_quota *q, enum http_kind kind);
