/* Handlers about promises: what there is and who has it, and whether more could be promised. */
#include "daemon/api/private.h"

static bool sees(const struct context *c, void *arg)
{
	return api_sees(arg, c);
}

static void reply(struct http_request *r, int code, json_t *o)
{
	if (code < 0)
		http_reply_refused(r);
	else
		http_reply_json(r, 200, o);
}

void api_budget(struct http_request *r)
{
	json_t *o = NULL;
	int code = manager_budget(api_of(r)->manager, sees, r, &o, &r->err);

	reply(r, code, o);
}

void api_what_if(struct http_request *r)
{
	struct spec_errors lines = {};
	struct request_what_if q;
	json_t *o = NULL;
	int code = request_what_if(r->body, &q, &lines, &r->err);

	if (code < 0) {
		http_reply_error(r, http_status(code), &r->err, &lines);
	} else {
		code = manager_what_if(api_of(r)->manager, q.specs, q.count, &o, &r->err);
		reply(r, code, o);
		request_what_if_done(&q);
	}
	spec_errors_done(&lines);
}
