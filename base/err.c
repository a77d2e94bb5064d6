/* Errors are built on the stack and copied last, so that an argument may be the error's own text,
 * and they never allocate: the child of a launch reports through them too. (The names of two
 * functions are in parentheses because the analyzer's build has macros of the same name.) */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static void copy_text(struct err *e, const char *text)
{
	size_t len = strnlen(text, sizeof(e->text) - 1);

	memcpy(e->text, text, len);
	e->text[len] = '\0';
}

int(err_set)(struct err *e, int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	copy_text(e, text);
	e->code = code;
	return code;
}

int(err_set_errno)(struct err *e, int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	const char *reason = strerrordesc_np(-code); /* no locale, no buffer: fit for a child */
	return err_set(e, code, "%s: %s", text, reason ? reason : "unknown error");
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (!e)
		return -EIO;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, e->code, "%s: %s", text, e->text);
}
