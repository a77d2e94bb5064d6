/* Places for connections. The uids that hold some lie in one short array: those without any are
 * not in it, so what strangers can make it hold is bounded by their places. */
#include "daemon/http/quota.h"

static const struct {
	unsigned all, one;
} most[HTTP_KIND_COUNT] = {
	[HTTP_KIND_ROOT] = { HTTP_ROOT_MAX, HTTP_ROOT_MAX },
	[HTTP_KIND_OWNER] = { HTTP_OWNERS_MAX, HTTP_OWNER_MAX },
	[HTTP_KIND_STRANGER] = { HTTP_STRANGERS_MAX, HTTP_STRANGER_MAX },
};

/* @return its place in the array, or uid_count. */
static size_t find(const struct http_quota *q, enum http_kind kind, uid_t uid)
{
	size_t i = 0;

	while (i < q->uid_count && (q->uids[i].uid != uid || q->uids[i].kind != kind))
		i++;
	return i;
}

bool http_quota_full(const struct http_quota *q, enum http_kind kind)
{
	return q->count[kind] >= most[kind].all;
}

bool http_quota_take(struct http_quota *q, enum http_kind kind, uid_t uid)
{
	size_t i;

	if (http_quota_full(q, kind))
		return false;
	if (kind != HTTP_KIND_ROOT) {
		i = find(q, kind, uid);
		if (i == q->uid_count)
			q->uids[q->uid_count++] = (struct http_quota_uid){ uid, kind, 0 };
		if (q->uids[i].count >= most[kind].one)
			return false;
		q->uids[i].count++;
	}
	q->count[kind]++;
	return true;
}

void http_quota_give(struct http_quota *q, enum http_kind kind, uid_t uid)
{
	size_t i = find(q, kind, uid);

	q->count[kind]--;
	if (kind == HTTP_KIND_ROOT || i == q->uid_count)
		return;
	if (--q->uids[i].count == 0)
		q->uids[i] = q->uids[--q->uid_count];
}
