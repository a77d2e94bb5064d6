/* Leaving HTTP. The socket is duplicated and libmicrohttpd's share is closed at once: so a session
 * that lasts for days costs nothing there, neither memory nor a place among its connections. */
#include <fcntl.h>
#include <strings.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/units.h"
#include "daemon/http/private.h"

static void on_upgrade(void *cls, struct MHD_Connection *c, void *request, const char *extra,
		       size_t extra_len, MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
	struct http_request *r = request;
	int fd = sys(fcntl(sock, F_DUPFD_CLOEXEC, 3));

	(void) cls;
	(void) c;
	r->cancel = NULL;
	r->upgraded(r->cancel_arg, fd < 0 ? -1 : fd, extra, extra_len);
	(void) MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
	http_kick(r->server);
}

bool http_may_upgrade(struct http_request *r, struct err *e)
{
	const char *to = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Upgrade");

	if (to && !strcasecmp(to, "ward"))
		return true;
	(void) err_set(e, -EINVAL,
		       "upgrading: the request needs \"Connection: Upgrade\" and "
		       "\"Upgrade: ward\"");
	return false;
}

int http_upgrade(struct http_request *r, http_upgraded ready, void (*cancel)(void *arg), void *arg,
		 struct err *e)
{
	struct MHD_Response *response;

	response = MHD_create_response_for_upgrade(on_upgrade, NULL);
	if (!response)
		return err_set_errno(e, -ENOMEM, "upgrading");
	(void) MHD_add_response_header(response, "Upgrade", "ward");
	r->response = response;
	r->status = 101;
	r->state = HTTP_REPLIED;
	r->upgraded = ready;
	r->cancel = cancel;
	r->cancel_arg = arg;
	http_conclude(r);
	return 0;
}

int http_take_streams(struct http_request *r, int ret[static HTTP_STREAMS], struct err *e)
{
	const char *said =
		MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Ward-Streams");
	struct http_conn *c = r->conn;
	uint64_t n;

	if (!said)
		return -ENOENT;
	if (units_parse_u64(said, 0, HTTP_STREAMS, &n) < 0 || (n != 0 && n != HTTP_STREAMS))
		return err_set(e, -EINVAL, "Ward-Streams: 0 or 3 is expected");
	if (n == 0)
		return 0;
	if (r->peer.uid != 0)
		return err_set(e, -EINVAL,
			       "Ward-Streams: 3 is for root; send {\"streams\": 3} with them after "
			       "the 101");
	if (!c || c->stream_count != HTTP_STREAMS)
		return err_set(e, -EINVAL, "Ward-Streams: the request came with %zu descriptors",
			       c ? c->stream_count : 0);
	for (size_t i = 0; i < HTTP_STREAMS; i++)
		ret[i] = TAKE_FD(c->streams[i]);
	c->stream_count = 0;
	return HTTP_STREAMS;
}
