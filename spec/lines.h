/* INI, line by line, for whoever knows the sections and keys. Private to spec/. */
#pragma once

#include "spec/spec.h"

/** Set the first four, leave the rest zero. May be the first member of what `setting` needs. */
struct lines {
	const char *source; /* the name that messages show */
	struct spec_errors *errors;
	/** @return 0; -errno with "no such section ..." when it does not exist. */
	int (*section)(const char *name, struct err *e);
	void (*setting)(struct lines *l, const char *section, const char *name, const char *value);
	unsigned line; /* number of the line last read */
	int error; /* -ENOMEM, by `setting` */
	const char *text, *end; /* what is still to be read */
	bool skip; /* in a section that does not exist */
	bool failed;
};

/** @return 0, -EINVAL with errors, -ENOMEM, -EFBIG (longer than SPEC_INI_MAX). */
[[nodiscard]] int lines_read(struct lines *l, const char *text, size_t len);
/** "SOURCE:LINE: text" */
void lines_refuse(struct lines *l, const char *text);
/** "SOURCE:LINE: SECTION.NAME: text" */
void lines_refuse_key(struct lines *l, const char *section, const char *name, const char *text);
