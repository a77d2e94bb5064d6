/* Any bytes as a client's spec: no crash, no leak, and whatever is accepted survives being written
 * and read again, as JSON and key by key. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inverse(const struct spec *s)
{
	struct spec_errors errors = { 0 };
	json_t *object = spec_write_json(s, true);
	struct spec back;

	if (!object || spec_read_json(&back, object, &errors) < 0 || !spec_equal(s, &back))
		abort();
	json_decref(object);
	spec_done(&back);
	spec_errors_done(&errors);
}

static void check_keys(const struct spec *s)
{
	struct spec_key_info info;
	struct spec back;
	char key[80];

	if (spec_init(&back, s->name) < 0)
		abort();
	for (size_t i = 0; spec_key_info(i, &info); i++) {
		struct buf value = { 0 };

		(void) snprintf(key, sizeof(key), "%s.%s", info.section, info.name);
		if (spec_get(s, key, &value, NULL) < 0 ||
		    spec_set(&back, key, value.data ? value.data : "", NULL) < 0)
			abort();
		buf_done(&value);
	}
	if (!spec_equal(s, &back))
		abort();
	spec_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spec_errors errors = { 0 };
	json_t *object = json_loadb((const char *) data, size, JSON_ALLOW_NUL, NULL);
	struct spec s;

	if (!object)
		return 0;
	int r = spec_read_json(&s, object, &errors);
	if ((r == -EINVAL) != (errors.lines.count > 0))
		abort();
	for (size_t i = 0; i < errors.lines.count; i++) {
		json_t *line = json_string(errors.lines.items[i]);

		if (!line)
			abort();
		json_decref(line);
	}
	if (r == 0) {
		check_inverse(&s);
		check_keys(&s);
		(void) spec_check(&s, "fuzz", &errors);
	}
	json_decref(object);
	spec_errors_done(&errors);
	spec_done(&s);
	return 0;
}
