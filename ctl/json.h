/* Reading what the daemon says, with nothing taken for granted. All accept NULL objects. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/** @return the string, or "" when it is not there. Borrowed. */
const char *js_text(const json_t *object, const char *key);
/** @return whether there is such a number, not negative. */
bool js_number(const json_t *object, const char *key, uint64_t *ret);
/** @return whether the array has that string. */
bool js_has(const json_t *array, const char *text);
bool js_is(const json_t *object, const char *key, const char *text);

/** What a service has to say: each part ("not ready: waits for tcp:80", "unhealthy", "restarts in
 * 3s"), led by `before`. @return whether there was any. */
bool js_service(const json_t *summary, const char *before, struct buf *out);
/** How a context ended: "status 3", "signal KILL: out of memory". @return false: it did not. */
bool js_ending(const json_t *summary, struct buf *out);
/** The same of the "exit" itself. */
bool js_exit(const json_t *end, struct buf *out);
