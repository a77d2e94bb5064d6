/* One error that a person reads: filled where the facts are, prefixed going up, printed once. */
#pragma once

#include <errno.h>
#include <stdarg.h>

#define ERR_TEXT_MAX 1024

/** An error: a negative errno and one sentence. No heap, so a child may fill it before exec. */
struct err {
	int code; /* 0 or a negative errno */
	char text[ERR_TEXT_MAX];
};

/** Turns the libc convention (-1, errno) into ours (-errno). */
#define sys(call)                                                                                  \
	({                                                                                         \
		typeof(call) sys_r_ = (call);                                                      \
		sys_r_ < 0 ? (typeof(sys_r_)) -errno : sys_r_;                                     \
	})

/**
 * Records an error. `e` may be NULL.
 * @code a negative errno; @fmt a sentence that starts with what was being done, without the
 * errno's text (err_set_errno() appends it).
 * @return code, so that `return err_set(e, -EINVAL, ...)` reads well.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** As err_set(), and appends ": " and strerror(-code). */
int err_set_errno(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Puts "fmt: " before the text that is there. @return e->code (or -EIO when e is NULL). */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__
/* The analyzer sees one file at a time and must be told that the code comes back. */
#define err_set(e, code, ...) ((void) err_set(e, code, __VA_ARGS__), (code))
#define err_set_errno(e, code, ...) ((void) err_set_errno(e, code, __VA_ARGS__), (code))
#endif
