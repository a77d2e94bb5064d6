/* Quoting: how text, words and fields stand in a file. Private to spec/.
 *
 * The rules are the shell's, without any expansion: '...' is literal, "..." knows \" \\ \$ \`,
 * $'...' knows \n \t \r \e \\ \' \" and \xHH, and a backslash elsewhere makes the next character
 * literal. Whatever a printer writes is read back as the same bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define WORDS_MAX 16384 /* of one command */

/** Well-formed UTF-8: everything a spec holds also travels as JSON. */
bool text_is_utf8(const char *s, size_t len);
bool text_has_control(const char *s);
/** What may be shown of a value in a message: bounded, no control characters. */
#define TEXT_ECHO_MAX 128
const char *text_echo(const char *s, char out[static TEXT_ECHO_MAX]);

/** Splits at blanks; quotes group. @ret empty before. @return 0, -EINVAL, -E2BIG, -ENOMEM. */
[[nodiscard]] int words_split(const char *text, struct strv *ret, struct err *e);
/** Splits at unquoted ':'; fields may be empty. */
[[nodiscard]] int words_split_fields(const char *text, struct strv *ret, struct err *e);
/** Prints one word, quoted where needed. @field as words_split_fields() reads it. */
void word_print(const char *word, bool field, struct buf *out);

/**
 * Reads text that is one value: as it stands, unless it starts with " or $', then it is quoted
 * as a whole. @return 0 with an owned string, -EINVAL, -ENOMEM.
 */
[[nodiscard]] int text_read(const char *text, char **ret, struct err *e);
void text_print(const char *text, struct buf *out);

/** @return the length of `line` before its comment (an unquoted ';' after a blank). */
size_t text_without_comment(const char *line);
