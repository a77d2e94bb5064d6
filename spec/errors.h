/* Gathering the errors of one input, and remembering where keys stood. Private to spec/. */
#pragma once

#include "spec/row.h"
#include "spec/spec.h"

/** Adds one line; beyond SPEC_ERRORS_MAX only that there are more. */
void errors_add(struct spec_errors *errors, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** "no such key", with the nearest one, for any of the inputs. @return -ENOENT. */
int errors_no_key(struct err *e, const char *section, const char *name);
/** "no such section", with the nearest one. @return -ENOENT. */
int errors_no_section(struct err *e, const char *section);

/** Remembers the line of entry `entry` of a key. A failure to is harmless: no line is named. */
void errors_place(struct spec_errors *errors, const struct row *row, size_t entry, unsigned line);
/** @return the line, or 0 when it is not known. */
unsigned errors_line(const struct spec_errors *errors, const struct row *row, size_t entry);
