/* "Did you mean ...?" */
#pragma once

#include <stddef.h>

/** @return the word nearest to `typed` (NULLs in `words` are skipped), or NULL. */
const char *suggest_nearest(const char *typed, const char *const *words, size_t count);
