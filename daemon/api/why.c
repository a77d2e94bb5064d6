/* GET /v1/contexts/NAME/why: for now nothing. */
#include "daemon/api/private.h"
void api_why(struct http_request *r)
{
	http_reply_json(r, 200, json_object());
}
