/* Bodies that hold several specs. Pure, as request.c. */
#include <string.h>

#include "daemon/http/request.h"

static int read_specs(const json_t *list, struct request_what_if *ret, struct spec_errors *lines,
		      struct err *e)
{
	json_t *o;
	size_t i;

	json_array_foreach (list, i, o) {
		int r = json_is_object(o) ? request_spec(o, false, &ret->specs[i], lines, e)
					  : err_set(e, -EINVAL, "an object {...} is expected");

		if (r < 0)
			return err_prefix(e, "\"specs\"[%zu]", i);
		ret->count++;
	}
	return 0;
}

int request_what_if(const json_t *o, struct request_what_if *ret, struct spec_errors *lines,
		    struct err *e)
{
	const json_t *list = json_object_get(o, "specs");
	int r;

	*ret = (struct request_what_if){};
	if (!json_is_array(list) || json_object_size(o) != 1)
		return err_set(e, -EINVAL, "{\"specs\": [...]} is expected");
	if (json_array_size(list) == 0 || json_array_size(list) > REQUEST_SPECS_MAX)
		return err_set(e, -EINVAL, "\"specs\": 1 to %d specs are expected",
			       REQUEST_SPECS_MAX);
	ret->specs = calloc(json_array_size(list), sizeof(*ret->specs));
	r = ret->specs ? read_specs(list, ret, lines, e)
		       : err_set(e, -ENOMEM, "reading the specs: out of memory");
	if (r < 0)
		request_what_if_done(ret);
	return r;
}

void request_what_if_done(struct request_what_if *q)
{
	for (size_t i = 0; i < q->count; i++)
		spec_done(&q->specs[i]);
	free(q->specs);
	*q = (struct request_what_if){};
}
