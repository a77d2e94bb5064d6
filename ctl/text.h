/* Text for people: made harmless for a terminal, measured, wrapped; times in words. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/**
 * Appends `s` with every control character (also those hidden in UTF-8) and every byte that is
 * no UTF-8 replaced by "?", so that nothing in it steers a terminal.
 * @lines keep newlines, further lines indented, and tabs.
 */
void text_clean(struct buf *out, const char *s, size_t len, bool lines);
/** The same for a stream that goes on: keeps newlines and tabs, drops carriage returns, and keeps
 * a sequence split at the end for the next call in *tail (at most 3 bytes, NUL-terminated). */
void text_clean_stream(struct buf *out, char tail[static 4], const char *s, size_t len);
/** Columns of a clean text: its code points. */
size_t text_width(const char *s);

/** Appends `s` wrapped at `width` columns, each line after `indent` spaces. Paragraphs are
 * separated by empty lines; lines that begin with two spaces stay as they are. */
void text_wrap(struct buf *out, const char *s, size_t indent, size_t width);

#define TEXT_AGE_MAX 32
/** "3d 4h", "2h 5m", "5m 12s", "42s", "1.2s", "350ms", rounded down. `out` is returned. */
char *text_age(uint64_t us, char out[static TEXT_AGE_MAX]);
/** How many single changes turn one word into the other, for suggestions; words are short. */
size_t text_distance(const char *a, const char *b);
