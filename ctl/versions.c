/* What is said when the daemon is of another version. It is asked which only after it has refused
 * something as unknown: nothing that works waits for the question. */
#include "ctl/versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "ctl/client.h"
#include "ctl/json.h"

#define ROUTE ": no such route"
#define PARAMETER ": this route has no such parameter"

static bool parse(const char *text, unsigned *major, unsigned *minor)
{
	return sscanf(text, "%4u.%4u", major, minor) == 2;
}

bool versions_are_far(const char *a, const char *b)
{
	unsigned major[2], minor[2];

	if (!parse(a, &major[0], &minor[0]) || !parse(b, &major[1], &minor[1]))
		return true;
	return major[0] != major[1] || minor[0] > minor[1] + 1 || minor[1] > minor[0] + 1;
}

/* "X: no such route" says less than which daemon has no X. @return whether the text was such. */
static bool name_missing(struct err *e, const char *tail, const char *what, const char *wardd)
{
	size_t len = strlen(e->text), n = strlen(tail);
	char missing[256];

	if (len < n || strcmp(e->text + len - n, tail) != 0)
		return false;
	(void) snprintf(missing, sizeof(missing), "%.*s", (int) (len - n), e->text);
	(void) err_set(e, e->code, "wardd %s has no %s%s; this is wardctl " WARD_VERSION, wardd,
		       what, missing);
	return true;
}

void versions_explain(const struct ctl *c, struct err *e)
{
	struct client client = CLIENT_INIT;
	json_t *reply = NULL;
	struct err none = { 0 };
	size_t used = strlen(e->text);
	const char *wardd;
	int r = client_call(&client, c, "GET", "/v1/version", NULL, &reply, &none);

	client_close(&client);
	wardd = js_text(reply, "version");
	if (r >= 0 && *wardd && strcmp(wardd, WARD_VERSION) != 0 &&
	    !name_missing(e, ROUTE, "", wardd) && !name_missing(e, PARAMETER, "parameter ", wardd))
		(void) snprintf(e->text + used, sizeof(e->text) - used,
				"\n(that is wardd %.32s, this is wardctl " WARD_VERSION ")", wardd);
	json_decref(reply);
}

int versions_read_spec(const struct ctl *c, const char *name, const json_t *o, struct spec *s,
		       struct err *e)
{
	struct spec_errors errors = { 0 };
	char text[ERR_TEXT_MAX];
	int r = spec_read_json(s, o, &errors);

	if (r == -EINVAL && json_is_object(o) && errors.lines.count) {
		(void) snprintf(text, sizeof(text),
				"shown without what this wardctl, " WARD_VERSION
				", cannot read: %s%s",
				errors.lines.items[0], errors.lines.count > 1 ? ", and more" : "");
		ctl_warn(c, name, text);
		r = 0;
	}
	if (r < 0 && errors.lines.count)
		spec_errors_to_err(&errors, e);
	if (r < 0)
		err_prefix(e, "reading the daemon's spec");
	spec_errors_done(&errors);
	return r;
}
