/* A spec from the command line: a file, --set, and what else says something about it. */
#pragma once

#include "base/err.h"
#include "ctl/ctl.h"
#include "spec/spec.h"

/** Reads --file (when given) over the defaults. `s` must be spec_done() either way. */
[[nodiscard]] int spec_args_read(const struct ctl *c, const char *file, struct spec *s,
				 struct err *e);
/** The spec of a declared context, ready to be changed; @full with every default spelt out. `s`
 * must be spec_done() either way. */
[[nodiscard]] int spec_args_fetch(const struct ctl *c, const char *name, bool full, struct spec *s,
				  struct err *e);
/** Checks across its keys. */
[[nodiscard]] int spec_args_check(const struct spec *s, const char *source, struct err *e);
/** Applies every --set: the same key again adds an entry to it. */
[[nodiscard]] int spec_args_set(const struct ctl *c, struct spec *s, struct err *e);

/** "KEY=VALUE" words as {"KEY": "VALUE"}, the values of a repeated key joined by newlines.
 * @return a new object or NULL with `e`. */
json_t *spec_args_object(const char *const *words, size_t count, struct err *e);
