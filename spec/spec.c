/* A spec as a whole: made, copied, compared, and one key of it read or set. Each is a walk over
 * the table. */
#include "spec/spec.h"

#include <string.h>

#include "spec/errors.h"
#include "spec/row.h"
#include "spec/words.h"

bool spec_name_valid(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t len = strnlen(name, SPEC_NAME_MAX + 1);

	if (len == 0 || len > SPEC_NAME_MAX || !strchr(first, name[0]))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!strchr(first, name[i]) && !strchr("._-", name[i]))
			return false;
	}
	return true;
}

int spec_init(struct spec *s, const char *name)
{
	const struct row *row;

	*s = (struct spec){ 0 };
	if (*name && !spec_name_valid(name))
		return -EINVAL;
	memcpy(s->name, name, strlen(name) + 1);
	for (size_t i = 0; (row = row_at(i)); i++) {
		int r = row->type->repeats ? 0 : row->type->parse(row, s, row->fallback, NULL);

		if (r < 0) {
			spec_done(s);
			return r;
		}
	}
	return 0;
}

void spec_done(struct spec *s)
{
	const struct row *row;

	for (size_t i = 0; (row = row_at(i)); i++)
		row->type->clear(row, s);
	*s = (struct spec){ 0 };
}

int spec_copy(struct spec *to, const struct spec *from)
{
	const struct row *row;

	*to = (struct spec){ 0 };
	memcpy(to->name, from->name, sizeof(to->name));
	for (size_t i = 0; (row = row_at(i)); i++) {
		if (row->type->copy(row, to, from) < 0) {
			spec_done(to);
			return -ENOMEM;
		}
	}
	return 0;
}

bool spec_equal(const struct spec *a, const struct spec *b)
{
	const struct row *row;

	for (size_t i = 0; (row = row_at(i)); i++) {
		if (!row->type->equal(row, a, b))
			return false;
	}
	return strcmp(a->name, b->name) == 0;
}

/* --- methods of types whose fields own nothing --- */

bool row_plain_equal(const struct row *row, const struct spec *a, const struct spec *b)
{
	for (unsigned i = 0; i < ROW_FIELDS && row->type->width[i]; i++) {
		if (memcmp(row_field(row, a, i), row_field(row, b, i), row->type->width[i]) != 0)
			return false;
	}
	return true;
}

int row_plain_copy(const struct row *row, struct spec *to, const struct spec *from)
{
	for (unsigned i = 0; i < ROW_FIELDS && row->type->width[i]; i++)
		memcpy(row_field(row, to, i), row_field(row, from, i), row->type->width[i]);
	return 0;
}

void row_plain_clear(const struct row *row, struct spec *s)
{
	for (unsigned i = 0; i < ROW_FIELDS && row->type->width[i]; i++)
		memset(row_field(row, s, i), 0, row->type->width[i]);
}

void row_swap(const struct row *row, struct spec *a, struct spec *b)
{
	char kept[sizeof(struct spec_probe)]; /* the widest field there is */

	for (unsigned i = 0; i < ROW_FIELDS && row->type->width[i]; i++) {
		size_t width = row->type->width[i];

		memcpy(kept, row_field(row, a, i), width);
		memcpy(row_field(row, a, i), row_field(row, b, i), width);
		memcpy(row_field(row, b, i), kept, width);
	}
}

bool row_is_default(const struct row *row, const struct spec *s, const struct spec *defaults)
{
	return row->type->equal(row, s, defaults);
}

/* --- one key by its full name --- */

static const struct row *find_key(const char *key, struct err *e)
{
	char section[TEXT_ECHO_MAX], echo[TEXT_ECHO_MAX];
	const char *dot = strchr(key, '.');
	size_t len = dot ? (size_t) (dot - key) : 0;
	const struct row *row = dot ? row_find(key, len, dot + 1) : NULL;

	if (row)
		return row;
	if (!dot || len >= sizeof(section)) {
		(void) err_set(e, -ENOENT, "%s: no such key; keys are SECTION.NAME",
			       text_echo(key, echo));
		return NULL;
	}
	memcpy(section, key, len);
	section[len] = '\0';
	(void) errors_no_key(e, section, dot + 1);
	(void) err_prefix(e, "%s", text_echo(key, echo));
	return NULL;
}

/* Reads every line as one entry. */
static int parse_lines(const struct row *row, struct spec *s, const char *value, struct err *e)
{
	int r = 0;

	while (r == 0 && *value) {
		size_t len = strcspn(value, "\n");
		_cleanup_free_ char *line = strndup(value, len);

		if (!line)
			return err_set(e, -ENOMEM, "out of memory");
		if (line[strspn(line, " \t")])
			r = row->type->parse(row, s, line, e);
		value += len + (value[len] == '\n');
	}
	return r;
}

int spec_set(struct spec *s, const char *key, const char *value, struct err *e)
{
	const struct row *row = find_key(key, e);
	struct spec new = { 0 };
	int r;

	if (!row)
		return -ENOENT;
	if (!text_is_utf8(value, strlen(value)))
		r = err_set(e, -EINVAL, "is not UTF-8");
	else if (row->type->repeats)
		r = parse_lines(row, &new, value, e);
	else
		r = row->type->parse(row, &new, value, e);
	if (r == 0)
		row_swap(row, s, &new);
	row->type->clear(row, &new);
	if (r < 0)
		(void) err_prefix(e, "%s", key);
	return r;
}

int spec_get(const struct spec *s, const char *key, struct buf *out, struct err *e)
{
	const struct row *row = find_key(key, e);

	if (!row)
		return -ENOENT;
	for (size_t i = 0; i < row->type->count(row, s); i++) {
		buf_puts(out, i ? "\n" : "");
		row->type->print(row, s, i, out);
	}
	return out->error ? err_set(e, out->error, "%s: too long", key) : 0;
}

bool spec_key_live(const char *key)
{
	const struct row *row = find_key(key, NULL);

	return row && row->live;
}

bool spec_key_info(size_t i, struct spec_key_info *ret)
{
	const struct row *row = row_at(i);

	if (!row)
		return false;
	*ret = (struct spec_key_info){
		.section = row->section,
		.name = row->name,
		.type = row->type->name,
		.fallback = row->fallback,
		.allowed = row->allowed,
		.help = row->help,
		.repeats = row->type->repeats,
		.live = row->live,
	};
	return true;
}
