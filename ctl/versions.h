/* A wardctl and a wardd of different versions. */
#pragma once

#include <stdbool.h>

#include "ctl/ctl.h"
#include "spec/spec.h"

/** Whether versions, "MAJOR.MINOR" and whatever follows, are more than one minor version apart;
 * what cannot be read is. */
bool versions_are_far(const char *a, const char *b);
/** The daemon did not know what it was asked for, as `e` says: where it is of another version, says
 * that instead of or behind the text. */
void versions_explain(const struct ctl *c, struct err *e);
/** Reads a spec that the daemon sent, to be shown: without keys that only a newer one has, which
 * is told. `s` is to be freed in any case. @return 0 or -errno. */
[[nodiscard]] int versions_read_spec(const struct ctl *c, const char *name, const json_t *o,
				     struct spec *s, struct err *e);
