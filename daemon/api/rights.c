/* Who may what. A route's right is in the table; here it is held against the peer. What is not an
 * owner's looks the same whether it exists or not. */
#include "daemon/api/private.h"
#include "daemon/owner.h"

static bool is_root(const struct http_request *r)
{
	return r->peer.uid == 0;
}

bool api_serves(void *owner, uid_t uid)
{
	return manager_has_owner(((struct api *) owner)->manager, uid);
}

size_t api_served(void *owner, const uid_t **ret)
{
	return manager_owners(((struct api *) owner)->manager, ret);
}

bool api_sees(const struct http_request *r, const struct context *c)
{
	return is_root(r) || context_has_owner(api_of(r)->manager, c, r->peer.uid);
}

static bool owns(struct http_request *r)
{
	const struct context *c = manager_find(api_of(r)->manager, r->name);

	return c && context_has_owner(api_of(r)->manager, c, r->peer.uid);
}

int api_permit(struct http_request *r)
{
	switch (r->route->right) {
	case HTTP_RIGHT_ANY:
		return 0;
	case HTTP_RIGHT_OWNER:
		if (owns(r))
			return 0;
		return err_set(&r->err, -EPERM, "uid %u is not an owner of \"%.64s\"",
			       (unsigned) r->peer.uid, r->name);
	case HTTP_RIGHT_ROOT:
		break;
	}
	return err_set(&r->err, -EPERM, "uid %u is not root; owners may not do this",
		       (unsigned) r->peer.uid);
}

int api_may_enter(struct api *a, const struct context *c, uid_t uid, struct err *e)
{
	if (uid == 0)
		return 0;
	if (!context_has_owner(a->manager, c, uid))
		return err_set(e, -EPERM, "uid %u is not an owner of \"%s\"", (unsigned) uid,
			       context_name(c));
	return context_owner_may_enter(c, e);
}

int api_may_set(struct http_request *r, const struct context *c)
{
	return is_root(r) ? 0 : context_owner_may_set(c, r->body, &r->err);
}
