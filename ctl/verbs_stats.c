/* stats: what contexts use, a row each. */
#include "base/mem.h"
#include "ctl/client.h"
#include "ctl/look.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"

/* The named ones, each with its name, as GET /v1/stats gives them all. */
static json_t *named(const struct ctl *c, int *ret_status)
{
	json_t *list = json_array();

	*ret_status = CTL_DONE;
	for (size_t i = 0; i < c->args.operand_count; i++) {
		const char *name = c->args.operands[i];
		char path[CLIENT_PATH_MAX];
		struct err e = { 0 };
		json_t *o;
		int r;

		if (client_path(path, name, &e, "/stats") < 0) {
			*ret_status = ctl_error(c, name, &e);
			continue;
		}
		o = look_get(c, path, name, &r);
		if (r != CTL_DONE)
			*ret_status = r;
		if (json_is_object(o))
			(void) json_object_set_new(o, "name", json_string(name));
		if (o)
			(void) json_array_append_new(list, o);
	}
	return list;
}

static json_t *get(const struct ctl *c, int *ret_status)
{
	return c->args.operand_count ? named(c, ret_status)
				     : look_get(c, "/v1/stats", NULL, ret_status);
}

int verb_stats(const struct ctl *c)
{
	bool follow = args_has(&c->args, OPT_FOLLOW) || args_has(&c->args, OPT_INTERVAL);
	struct watch w = { .get = get, .json = args_has(&c->args, OPT_JSON), .times = !follow };

	if (watch_options(c, follow ? COLUMNS_RATES : COLUMNS_TOTALS, &w) < 0)
		return CTL_USAGE;
	return watch_run(c, &w);
}
