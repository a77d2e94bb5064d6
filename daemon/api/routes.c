/* THE table of routes: what can be asked, by whom, with which body and parameters. docs/api.md
 * lists the same rows for people. */
#include "base/mem.h"
#include "daemon/api/private.h"

#define C "/v1/contexts/{}"
#define ROOT HTTP_RIGHT_ROOT
#define OWNER HTTP_RIGHT_OWNER
#define ANY HTTP_RIGHT_ANY
#define NONE HTTP_BODY_NONE
#define OPTIONAL HTTP_BODY_OPTIONAL
#define LOG_QUERY                                                                                  \
	(REQUEST_QUERY_LINES | REQUEST_QUERY_FOLLOW | REQUEST_QUERY_SINCE | REQUEST_QUERY_UNTIL |  \
	 REQUEST_QUERY_START | REQUEST_QUERY_FRAMES)
#define NEEDED HTTP_BODY_NEEDED

const struct http_route api_routes[] = {
	{ "GET", "/v1/version", api_version, NONE, ANY, 0 },
	{ "GET", "/v1/host", api_host, NONE, ROOT, 0 },
	{ "GET", "/v1/contexts", api_list, NONE, ANY, REQUEST_QUERY_USAGE },
	{ "POST", "/v1/contexts", api_declare, NEEDED, ROOT, REQUEST_QUERY_REPLACE },
	{ "GET", C, api_show, NONE, OWNER, REQUEST_QUERY_FULL },
	{ "DELETE", C, api_delete, NONE, ROOT, 0 },
	{ "PATCH", C, api_change, NEEDED, OWNER, REQUEST_QUERY_RUNTIME },
	{ "GET", C "/keys/{}", api_key, NONE, OWNER, 0 },
	{ "POST", C "/start", api_start, NONE, OWNER, REQUEST_QUERY_NO_WAIT },
	{ "POST", C "/stop", api_stop, OPTIONAL, OWNER, 0 },
	{ "POST", C "/kill", api_kill, OPTIONAL, OWNER, 0 },
	{ "POST", C "/freeze", api_freeze, NONE, OWNER, 0 },
	{ "POST", C "/thaw", api_thaw, NONE, OWNER, 0 },
	{ "GET", C "/wait", api_wait, NONE, OWNER, REQUEST_QUERY_EVENT | REQUEST_QUERY_AFTER },
	{ "GET", C "/why", api_why, NONE, OWNER, 0 },
	{ "GET", C "/stats", api_stats, NONE, OWNER, 0 },
	{ "GET", "/v1/stats", api_stats_all, NONE, ANY, 0 },
	{ "GET", C "/ps", api_processes, NONE, OWNER, 0 },
	{ "GET", C "/logs", api_logs, NONE, OWNER, LOG_QUERY },
	{ "GET", C "/plan", api_context_plan, NONE, OWNER, 0 },
	{ "POST", C "/exec", api_exec, NEEDED, OWNER, 0 },
	{ "POST", "/v1/start", api_start_many, NEEDED, ANY, REQUEST_QUERY_NO_WAIT },
	{ "POST", "/v1/stop", api_stop_many, NEEDED, ANY, 0 },
	{ "POST", "/v1/run", api_run, NEEDED, ROOT, 0 },
	{ "POST", "/v1/reload", api_reload, OPTIONAL, ROOT, REQUEST_QUERY_DRY },
	{ "POST", "/v1/plan", api_plan, NEEDED, ROOT, 0 },
	{ "POST", "/v1/what-if", api_what_if, NEEDED, ROOT, 0 },
	{ "GET", "/v1/budget", api_budget, NONE, ANY, 0 },
	{ "POST", "/v1/check", api_check, NEEDED, ROOT, 0 },
	{ "GET", "/metrics", api_metrics, NONE, ROOT, 0 },
	{ "GET", "/v1/events", api_events, NONE, ANY,
	  REQUEST_QUERY_AFTER | REQUEST_QUERY_FOLLOW | REQUEST_QUERY_CONTEXT | REQUEST_QUERY_KIND |
		  REQUEST_QUERY_LAST | REQUEST_QUERY_SINCE },
};
/* What a server shows that asks nobody who they are. */
const struct http_route api_open_routes[] = {
	{ "GET", "/metrics", api_metrics_open, NONE, ANY, 0 },
};
const size_t api_open_route_count = ARRAY_SIZE(api_open_routes);
const size_t api_route_count = ARRAY_SIZE(api_routes);
