/* Any bytes as a context file: no crash, no leak, and whatever is accepted survives being written
 * and read again. */
#include <stdint.h>
#include <stdlib.h>

#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inverse(const struct spec *s)
{
	struct spec_errors errors = { 0 };
	struct buf text = { 0 };
	struct spec back;

	spec_write_ini(s, true, &text);
	if (text.error || spec_init(&back, s->name) < 0)
		abort();
	int r = spec_read_ini(&back, text.data, text.len, "dump", &errors);
	if (r != -EFBIG && (r < 0 || !spec_equal(s, &back)))
		abort();
	spec_done(&back);
	spec_errors_done(&errors);
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spec_errors errors = { 0 };
	struct err e = { 0 };
	struct spec s;

	if (spec_init(&s, "fuzz") < 0)
		abort();
	int r = spec_read_ini(&s, (const char *) data, size, "fuzz.ini", &errors);
	if ((r == -EINVAL) != (errors.lines.count > 0))
		abort();
	for (size_t i = 0; i < errors.lines.count; i++) {
		json_t *line = json_string(errors.lines.items[i]); /* fit to be sent */

		if (!line)
			abort();
		json_decref(line);
	}
	if (r == 0)
		check_inverse(&s);
	if (r == 0 && spec_check(&s, "fuzz.ini", &errors) == 0 && errors.lines.count)
		abort();
	(void) spec_errors_to_err(&errors, &e);
	spec_errors_done(&errors);
	spec_done(&s);
	return 0;
}
