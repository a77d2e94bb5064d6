/* Putting the API up and taking it down, and what every handler needs. */
#include <stdlib.h>

#include "base/fd.h"
#include "daemon/api/private.h"

int api_new(struct manager *m, sd_event *loop, int listen_fd, const char *path, bool root_only,
	    struct api **ret, struct err *e)
{
	struct api *a = calloc(1, sizeof(*a));
	struct http_config config = {
		.loop = loop,
		.listen_fd = listen_fd,
		.routes = api_routes,
		.route_count = api_route_count,
		.owner = a,
		.root_only = root_only,
		.socket_path = path,
		.served = api_served,
		.serves = api_serves,
		.permit = api_permit,
		.concluded = api_concluded,
		.turned_away = api_turned_away,
	};
	int r;

	if (!a) {
		(void) fd_close(listen_fd);
		return err_set_errno(e, -ENOMEM, "starting the API");
	}
	a->manager = m;
	a->loop = loop;
	r = api_audit_init(a, e);
	if (r < 0)
		(void) fd_close(listen_fd);
	else
		r = http_new(&config, &a->http, e);
	if (r < 0) {
		api_audit_done(a);
		free(a);
		return r;
	}
	*ret = a;
	return 0;
}

static void ignore(struct http_request *r)
{
	(void) r;
}

int api_listen_open(struct api *a, int listen_fd, struct err *e)
{
	const struct http_config config = {
		.loop = a->loop,
		.listen_fd = listen_fd,
		.routes = api_open_routes,
		.route_count = api_open_route_count,
		.owner = a,
		.open = true,
		.permit = api_permit,
		.concluded = ignore, /* it has nothing to say that an audit would want to know */
	};

	return http_new(&config, &a->open, e);
}

void api_free(struct api *a)
{
	if (!a)
		return;
	http_free(a->open);
	http_free(a->http);
	api_sessions_done(a);
	api_audit_done(a);
	api_pages_done(a);
	free(a);
}

struct context *api_context(struct http_request *r)
{
	struct context *c = manager_find(api_of(r)->manager, r->name);

	if (!c) {
		struct spec_errors errors = {};

		if (manager_explain(api_of(r)->manager, r->name, &errors) == -EINVAL) {
			(void) err_set(&r->err, -EINVAL, "%s: its file has errors", r->name);
			http_reply_error(r, 400, &r->err, &errors);
		} else {
			const char *near = manager_nearest(api_of(r)->manager, r->name);

			(void) err_set(&r->err, -ENOENT, "%s: no such context%s%s%s", r->name,
				       near ? "; did you mean " : "", near ?: "", near ? "?" : "");
			http_reply_error(r, 404, &r->err, NULL);
		}
		spec_errors_done(&errors);
	}
	return c;
}

json_t *api_with_seq(struct http_request *r, json_t *o)
{
	uint64_t last = events_last(manager_events(api_of(r)->manager));

	if (o)
		(void) json_object_set_new(o, "seq", json_integer((json_int_t) last));
	return o;
}

void api_reply_forbidden(struct http_request *r)
{
	if (r->err.code == -EPERM)
		http_reply_error(r, 403, &r->err, NULL);
	else
		http_reply_refused(r);
}

void api_reply_summary(struct http_request *r, unsigned status, struct context *c)
{
	http_reply_json(r, status, api_with_seq(r, context_summary(api_of(r)->manager, c)));
}
