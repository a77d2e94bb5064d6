/* One request, from its headers to its reply. Errors of route, query and size are kept until the
 * body has passed, so that the client hears the answer instead of a closed connection. A handler
 * that cannot answer yet suspends the request: libmicrohttpd then neither reads nor watches the
 * connection, so we watch it for the peer's leaving and call the handler's cancel function. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/units.h"
#include "daemon/http/private.h"
#include "daemon/http/stream.h"

/* A body that was not announced is read on beyond its limit, so that its sender hears why it is
 * refused; but not for ever. */
#define BODY_SWALLOWED 8 /* limits */

/* --- replies --- */

void http_conclude(struct http_request *r)
{
	if (r->concluded)
		return;
	r->concluded = true;
	r->server->config.concluded(r);
}

static void take_response(struct http_request *r, unsigned status, struct MHD_Response *response)
{
	bool suspended = r->state == HTTP_SUSPENDED;

	if (r->state == HTTP_GONE || r->state == HTTP_REPLIED) {
		if (response)
			MHD_destroy_response(response);
		return;
	}
	r->status = status;
	r->response = response;
	r->state = response ? HTTP_REPLIED : HTTP_GONE;
	r->cancel = NULL;
	http_conclude(r);
	if (suspended)
		http_unpark(r);
}

static void reply_buf(struct http_request *r, unsigned status, const char *type, struct buf *text)
{
	struct MHD_Response *response = NULL;
	size_t len = text->len;
	char *data = text->error ? NULL : buf_take(text);

	if (data)
		response = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
	if (data && !response)
		free(data);
	if (response)
		(void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (response && status == 405)
		(void) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, r->match.allow);
	buf_done(text);
	take_response(r, status, response);
}

static int dump_to(const char *data, size_t size, void *arg)
{
	buf_add(arg, data, size);
	return 0;
}

void http_reply_json(struct http_request *r, unsigned status, json_t *body)
{
	struct buf text = {};

	if (!body || json_dump_callback(body, dump_to, &text, 0) < 0)
		text.error = -ENOMEM;
	buf_puts(&text, "\n");
	json_decref(body);
	reply_buf(r, status, "application/json", &text);
}

void http_reply_text(struct http_request *r, const char *type, struct buf *text)
{
	reply_buf(r, 200, type, text);
}

void http_reply_shared(struct http_request *r, const char *type, const char *data, size_t len,
		       void (*done)(void *arg), void *arg)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback_cls(len,
								       (void *) (uintptr_t) data,
								       done, arg);

	if (response)
		(void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	else
		done(arg);
	take_response(r, 200, response);
}

const char *http_header(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

void http_reply_error(struct http_request *r, unsigned status, const struct err *e,
		      const struct spec_errors *lines)
{
	const char *code = strerrorname_np(-e->code);
	json_t *error = json_pack("{s:s, s:s%}", "code", code ?: "EIO", "text", e->text,
				  strnlen(e->text, sizeof(e->text)));

	if (!error) /* the text names something that is not UTF-8 */
		error = json_pack("{s:s, s:s}", "code", code ?: "EIO", "text",
				  "(the error's text cannot be shown)");
	if (error && lines && lines->lines.count) {
		json_t *all = json_array();

		for (size_t i = 0; i < lines->lines.count; i++)
			(void) json_array_append_new(all, json_string(lines->lines.items[i]));
		(void) json_object_set_new(error, "lines", all);
	}
	http_reply_json(r, status, json_pack("{s:o}", "error", error));
}

void http_reply_refused(struct http_request *r)
{
	http_reply_error(r, http_status(r->err.code), &r->err, NULL);
}

/* A reader of logs or events may rest as long as it likes: nothing but its connection is held. */
static void without_hurry(struct http_request *r, struct MHD_Response *response, const char *type)
{
	(void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	(void) MHD_set_connection_option(r->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
}

void http_reply_stream(struct http_request *r, const char *type, const struct http_stream_ops *ops,
		       void *arg)
{
	struct MHD_Response *response = NULL;

	r->stream = http_stream_new(r, ops, arg);
	if (r->stream)
		response = http_stream_response(r->stream);
	else
		ops->free(arg);
	if (response)
		without_hurry(r, response, type);
	take_response(r, 200, response);
}

/* --- suspension --- */

void http_abandon(struct http_request *r)
{
	if (r->stream)
		http_stream_end(r->stream);
	else
		r->state = HTTP_GONE;
	http_unpark(r);
}

static int on_hangup(sd_event_source *s, int fd, uint32_t events, void *arg)
{
	(void) s;
	(void) fd;
	(void) events;
	http_abandon(arg);
	return 0;
}

void http_park(struct http_request *r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http *h = r->server;

	MHD_suspend_connection(r->connection);
	r->next = h->suspended_head;
	if (r->next)
		r->next->prev = r;
	h->suspended_head = r;
	/* No event is asked for: EPOLLHUP, the peer's complete closing, comes unasked, while a
	 * peer that only shut down its writing side still waits for its answer. */
	if (info)
		(void) sd_event_add_io(h->config.loop, &r->hangup, info->connect_fd, 0, on_hangup,
				       r);
}

void http_unpark(struct http_request *r)
{
	struct http *h = r->server;

	r->hangup = sd_event_source_disable_unref(r->hangup);
	if (r->prev)
		r->prev->next = r->next;
	else if (h->suspended_head == r)
		h->suspended_head = r->next;
	if (r->next)
		r->next->prev = r->prev;
	r->prev = r->next = NULL;
	MHD_resume_connection(r->connection);
	http_kick(h);
}

void http_suspend(struct http_request *r, void (*cancel)(void *arg), void *arg)
{
	r->cancel = cancel;
	r->cancel_arg = arg;
	r->state = HTTP_SUSPENDED;
}

/* --- the life of a request --- */

static enum MHD_Result on_query(void *arg, enum MHD_ValueKind kind, const char *key,
				const char *value)
{
	struct http_request *r = arg;

	(void) kind;
	return request_query_add(&r->query, r->route->query, key, value, &r->err) < 0 ? MHD_NO
										      : MHD_YES;
}

static size_t body_max(const struct http_request *r)
{
	return r->peer.uid == 0 ? REQUEST_BODY_MAX : HTTP_OWNER_BODY_MAX;
}

/* What the headers say. Errors are noted in r->err and r->status and told later. */
static void examine(struct http_request *r, const char *method, const char *path)
{
	const char *length = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t announced = 0;

	if (length && units_parse_u64(length, 0, UINT64_MAX, &announced) < 0)
		announced = UINT64_MAX;
	r->too_large = announced > body_max(r);
	http_route_find(r->server->config.routes, r->server->config.route_count, method, path,
			&r->match);
	r->route = r->match.route;
	r->status = (unsigned) r->match.status;
	r->name = r->match.captures[0];
	r->key = r->match.captures[1];
	if (spec_name_valid(r->name))
		(void) snprintf(r->subject, sizeof(r->subject), "%s", r->name);
	if (r->status == 404) {
		(void) err_set(&r->err, -ENOENT, "%.128s: no such route", path);
	} else if (r->status == 405) {
		(void) err_set(&r->err, -EINVAL, "%.128s: has no %.16s, only %s", path, method,
			       r->match.allow);
	} else if (r->name[0] && !spec_name_valid(r->name)) {
		r->status = 400;
		(void) err_set(&r->err, -EINVAL, "\"%s\": is no name; [a-z0-9][a-z0-9._-]{0,62} is",
			       r->name);
	} else {
		(void) MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, on_query, r);
		r->status = r->err.code ? 400 : 200;
	}
}

static struct http_request *request_new(struct http *h, struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->server = h;
	r->owner = h->config.owner;
	r->connection = c;
	r->conn = info ? info->socket_context : NULL;
	r->peer = r->conn ? r->conn->peer : (struct http_peer){ .uid = (uid_t) -1 };
	return r;
}

static enum MHD_Result take_body(struct http_request *r, const char *data, size_t len)
{
	r->received += len;
	if (r->received > BODY_SWALLOWED * body_max(r))
		return MHD_NO;
	if (r->too_large || r->text.len + len > body_max(r))
		r->too_large = true;
	else if (r->status == 200)
		buf_add(&r->text, data, len);
	return MHD_YES;
}

static int parse_body(struct http_request *r)
{
	if (r->text.error)
		return err_set_errno(&r->err, -ENOMEM, "reading the body");
	if (r->text.len == 0)
		return r->route->body == HTTP_BODY_NEEDED
			       ? err_set(&r->err, -EINVAL, "reading the body: there is none")
			       : 0;
	if (r->route->body == HTTP_BODY_NONE)
		return err_set(&r->err, -EINVAL, "reading the body: this route takes none");
	return request_json(r->text.data, r->text.len, &r->body, &r->err);
}

/* Root may all. What others may is asked when all of the request is here, so that nothing that
 * changed while it came makes a difference. */
static bool is_permitted(struct http_request *r)
{
	return r->peer.uid == 0 || r->server->config.permit(r) == 0;
}

static void dispatch(struct http_request *r)
{
	if (r->conn)
		http_conn_heard(r->conn);
	if (!r->route)
		return http_reply_error(r, r->status, &r->err, NULL);
	if (!is_permitted(r)) {
		r->status = 403;
	} else if (r->too_large) {
		(void) err_set(&r->err, -EFBIG, "reading the body: more than %zu bytes",
			       body_max(r));
		r->status = 413;
	} else if (r->status == 200 && parse_body(r) < 0) {
		r->status = 400;
	}
	buf_done(&r->text);
	if (r->status != 200)
		return http_reply_error(r, r->status, &r->err, NULL);
	r->handled = true;
	r->route->handler(r);
}

static enum MHD_Result answer(struct http_request *r)
{
	enum MHD_Result done;

	if (r->state == HTTP_SUSPENDED) {
		http_park(r);
		return MHD_YES;
	}
	if (r->state != HTTP_REPLIED || !r->response)
		return MHD_NO;
	if (r->peer.uid != 0 && r->status != 101)
		(void) MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONNECTION, "close");
	done = MHD_queue_response(r->connection, r->status, r->response);
	MHD_destroy_response(r->response);
	r->response = NULL;
	return done;
}

enum MHD_Result http_access(void *arg, struct MHD_Connection *c, const char *url,
			    const char *method, const char *version, const char *data, size_t *size,
			    void **request)
{
	struct http_request *r = *request;

	(void) version;
	if (((struct http *) arg)->closing)
		return MHD_NO;
	if (!r) {
		r = *request = request_new(arg, c);
		if (!r)
			return MHD_NO;
		examine(r, method, url);
		if (r->too_large) { /* announced: not one byte of it is wanted */
			dispatch(r);
			return answer(r);
		}
		return MHD_YES;
	}
	if (*size > 0) {
		size_t len = *size;

		*size = 0;
		return take_body(r, data, len);
	}
	if (r->state == HTTP_NEW)
		dispatch(r);
	return answer(r);
}

void http_completed(void *arg, struct MHD_Connection *c, void **request,
		    enum MHD_RequestTerminationCode why)
{
	struct http_request *r = *request;

	(void) arg;
	(void) c;
	(void) why;
	if (!r)
		return;
	*request = NULL;
	if (r->cancel)
		r->cancel(r->cancel_arg);
	if (r->handled) { /* who leaves before the answer has asked all the same */
		r->status = r->concluded ? r->status : 0;
		http_conclude(r);
	}
	if (r->response)
		MHD_destroy_response(r->response);
	sd_event_source_disable_unref(r->hangup);
	http_stream_free(r->stream);
	json_decref(r->body);
	buf_done(&r->text);
	free(r);
}
