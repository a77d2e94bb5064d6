/* Replies made while they are read. Private to http_*.c. */
#pragma once

#include "daemon/http/http.h"

struct http_stream *http_stream_new(struct http_request *r, const struct http_stream_ops *ops,
				    void *arg);
void http_stream_free(struct http_stream *s);
struct MHD_Response *http_stream_response(struct http_stream *s);
/** The client is gone, or the server ends. */
void http_stream_end(struct http_stream *s);
