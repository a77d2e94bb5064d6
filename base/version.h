/* Which Ward this is: the one place that says so. */
#pragma once

#define WARD_VERSION "0.2"

/** What GET /v1/version says as "api": that of the routes /v1/, which grows and loses nothing. */
#define WARD_API 1
