/* How the client speaks: one place for messages, one for output. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "ctl/versions.h"
#include "spec/spec.h"

/* Whether the text's first clause says what was done to what: "stopping web: ...". */
static bool names(const char *text, const char *object)
{
	const char *at = object ? strstr(text, object) : NULL;

	return at && at < text + strcspn(text, ":");
}

static void say(const struct ctl *c, const char *object, const char *text)
{
	struct buf b = { 0 };

	buf_puts(&b, "wardctl: ");
	if (names(text, object))
		object = NULL;
	else if (c->verb)
		buf_printf(&b, "%s%s", c->verb->name, object ? " " : ": ");
	if (object) {
		text_clean(&b, object, strlen(object), false);
		buf_puts(&b, ": ");
	}
	text_clean(&b, text, strlen(text), true);
	buf_puts(&b, "\n");
	if (!b.error)
		(void) write_all(STDERR_FILENO, b.data, b.len);
	buf_done(&b);
}

int ctl_error(const struct ctl *c, const char *object, const struct err *e)
{
	struct err explained = *e;

	if (e->code == -ENOSYS)
		versions_explain(c, &explained);
	say(c, object, explained.text);
	return CTL_FAILED;
}

int ctl_usage(const struct ctl *c, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX], more[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(c, NULL, text);
	snprintf(more, sizeof(more), "see: wardctl %s%s--help\n", c->verb ? c->verb->name : "",
		 c->verb ? " " : "");
	(void) write_all(STDERR_FILENO, more, strlen(more));
	return CTL_USAGE;
}

void ctl_warn(const struct ctl *c, const char *object, const char *text)
{
	char line[ERR_TEXT_MAX];

	snprintf(line, sizeof(line), "warning: %s", text);
	say(c, object, line);
}

int ctl_print(const struct ctl *c, const struct buf *text)
{
	struct err e = { 0 };
	int r = text->error;

	if (!r && text->len)
		r = write_all(STDOUT_FILENO, text->data, text->len);
	if (r >= 0)
		return CTL_DONE;
	if (r == -EPIPE) /* whoever reads has seen enough */
		return CTL_FAILED;
	err_set_errno(&e, r, "writing to standard output");
	return ctl_error(c, NULL, &e);
}

int ctl_print_json(const struct ctl *c, const json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);
	struct buf b = { 0 };
	int r;

	if (!text)
		b.error = -ENOMEM;
	buf_puts(&b, text ? text : "");
	buf_puts(&b, "\n");
	free(text);
	r = ctl_print(c, &b);
	buf_done(&b);
	return r;
}

int ctl_check_name(const char *name, struct err *e)
{
	if (spec_name_valid(name))
		return 0;
	return err_set(e, -EINVAL,
		       "this cannot be the name of a context; allowed are a-z 0-9 . _ - (the first "
		       "a letter or digit), at most %d characters",
		       SPEC_NAME_MAX);
}
