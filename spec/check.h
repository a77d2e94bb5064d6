/* What the files of checks across keys share. Private to spec/. */
#pragma once

#include "spec/errors.h"
#include "spec/spec.h"

struct checker {
	const struct spec *s;
	const char *source;
	struct spec_errors *errors;
	bool failed;
};

/** "SOURCE:LINE: section.key: text", or the number of the entry where no line is known. */
void check_complain(struct checker *c, const char *section, const char *name, size_t entry,
		    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/** The rules of [network]. */
void check_network(struct checker *c);
void check_shaping(struct checker *c);
