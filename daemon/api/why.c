/* GET /v1/contexts/NAME/why: the state explained, also of one that is broken or gone. */
#include "daemon/api/private.h"

/* Its file has errors and nothing runs: there is no context, but the errors say why. */
static json_t *why_broken(struct http_request *r)
{
	struct spec_errors errors = {};
	json_t *lines = json_array();

	if (manager_explain(api_of(r)->manager, r->name, &errors) == 0 || !errors.lines.count) {
		spec_errors_done(&errors);
		json_decref(lines);
		return NULL;
	}
	for (size_t i = 0; i < errors.lines.count; i++)
		(void) json_array_append_new(lines, json_string(errors.lines.items[i]));
	spec_errors_done(&errors);
	return json_pack("{s:s, s:s, s:o}", "name", r->name, "state", "broken", "errors", lines);
}

void api_why(struct http_request *r)
{
	struct manager *m = api_of(r)->manager;
	struct context *c = manager_find(m, r->name);
	json_t *o = c ? context_why(m, c) : why_broken(r);

	if (!c && !o)
		o = manager_why_gone(m, r->name);
	if (c || o)
		http_reply_json(r, 200, api_with_seq(r, o));
	else
		(void) api_context(r); /* says so */
}
