/* Keys written back into a file that a person wrote: only the values change, in their places. What
 * stands around them, comments, order, blanks and line ends, stays byte for byte.
 *
 * The text is one that spec_read_ini() has taken without an error, so a line is what it looks
 * like. A list keeps the lines whose entries stay; a key that is not there goes to the end of its
 * section, a section to the end of the file. */
#include <stdlib.h>
#include <string.h>

#include "spec/errors.h"
#include "spec/row.h"
#include "spec/words.h"

struct line {
	const char *begin, *value, *value_end, *end; /* `end` before the line's own end */
	const char *next; /* the line after it */
	const struct row *row; /* a setting, or NULL */
	const char *section; /* a header: its name, else NULL ... */
	size_t section_len;
	bool drop;
	char *new; /* the value that is written instead, or NULL */
	struct buf before, after; /* lines that are written around it */
};

struct editor {
	struct line *lines;
	size_t count;
	const char *eol; /* "\n" or "\r\n" */
	const struct spec *wanted;
	struct buf tail; /* new sections */
	const char *tail_section;
	int error;
};

/* --- reading lines --- */

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

static const char *trim(const char *begin, const char *end)
{
	while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return end;
}

/* Where the text of a line ends and its comment begins. */
static const char *text_end(struct editor *ed, const char *begin, const char *end)
{
	_cleanup_free_ char *copy = strndup(begin, (size_t) (end - begin));

	if (!copy) {
		ed->error = -ENOMEM;
		return begin;
	}
	return trim(begin, begin + text_without_comment(copy));
}

static void read_setting(struct line *l, const char *begin, const char *end, const char *section,
			 size_t section_len)
{
	const char *equal = memchr(begin, '=', (size_t) (end - begin));
	char name[128];
	size_t len = equal ? (size_t) (trim(begin, equal) - begin) : 0;

	if (!equal || !section || len >= sizeof(name))
		return;
	memcpy(name, begin, len);
	name[len] = '\0';
	l->row = row_find(section, section_len, name);
	l->value = skip_blanks(equal + 1, end);
	l->value_end = end;
	if (l->value == end) /* there is none: what follows stays behind it */
		l->value = l->value_end = equal + 1;
}

static void read_line(struct editor *ed, struct line *l, const char *text, const char *end)
{
	const char *newline = memchr(text, '\n', (size_t) (end - text)), *begin, *last;
	const struct line *before = l > ed->lines ? l - 1 : NULL;

	l->begin = text;
	l->end = newline ? newline : end;
	l->next = newline ? newline + 1 : end;
	if (l->end > text && l->end[-1] == '\r')
		l->end--;
	if (!before && l->end - text >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	l->section = before ? before->section : NULL;
	l->section_len = before ? before->section_len : 0;
	begin = skip_blanks(text, l->end);
	if (begin == l->end || *begin == '#')
		return;
	last = text_end(ed, begin, l->end);
	if (*begin != '[' || last == begin) {
		read_setting(l, begin, last, l->section, l->section_len);
		return;
	}
	l->section = skip_blanks(begin + 1, last);
	begin = memchr(l->section, ']', (size_t) (last - l->section));
	l->section_len = begin ? (size_t) (trim(l->section, begin) - l->section) : 0;
}

static int read_lines(struct editor *ed, const char *text, size_t len)
{
	const char *end = text + len, *p = text;
	size_t count = 1;

	for (size_t i = 0; i < len; i++)
		count += text[i] == '\n';
	ed->lines = calloc(count, sizeof(*ed->lines));
	if (!ed->lines)
		return -ENOMEM;
	for (; p < end; p = ed->lines[ed->count++].next)
		read_line(ed, &ed->lines[ed->count], p, end);
	ed->eol = ed->count && ed->lines[0].end < end && *ed->lines[0].end == '\r' ? "\r\n" : "\n";
	return ed->error;
}

static bool in_section(const struct line *l, const char *section)
{
	return l->section && l->section_len == strlen(section) &&
	       memcmp(l->section, section, l->section_len) == 0;
}

/* --- changing lines --- */

static char *print_entry(const struct row *row, const struct spec *s, size_t i)
{
	struct buf b = {};

	buf_puts(&b, "");
	row->type->print(row, s, i, &b);
	return b.error ? NULL : buf_take(&b);
}

/* A line of its own, in the style of `like`. */
static void add_line(struct editor *ed, struct buf *out, const struct line *like,
		     const struct row *row, const char *value)
{
	const char *first = like ? skip_blanks(like->begin, like->end) : NULL;
	const char *equal =
		like && like->row ? memchr(first, '=', (size_t) (like->end - first)) : NULL;
	bool tight = equal && equal[-1] != ' ' && equal[-1] != '\t';

	if (like && like->row)
		buf_add(out, like->begin, (size_t) (first - like->begin));
	buf_printf(out,
		   tight    ? "%s=%s%s"
		   : *value ? "%s = %s%s"
			    : "%s =%s%s",
		   row->name, value, ed->eol);
}

/* The line behind which a new one of the section goes: its last setting, else its header. */
static struct line *end_of_section(struct editor *ed, const char *section)
{
	struct line *found = NULL;

	for (size_t i = 0; i < ed->count; i++) {
		struct line *l = &ed->lines[i];
		bool header = i == 0 || l->section != ed->lines[i - 1].section;

		if (in_section(l, section) && (header || l->row))
			found = l;
	}
	return found;
}

static void add_key(struct editor *ed, const struct row *row, const char *value)
{
	struct line *l = end_of_section(ed, row->section);

	if (l) {
		add_line(ed, &l->after, l, row, value);
		return;
	}
	if (!ed->tail_section || strcmp(ed->tail_section, row->section) != 0)
		buf_printf(&ed->tail, "%s%s[%s]%s", ed->tail.len || ed->count ? ed->eol : "", "",
			   row->section, ed->eol);
	ed->tail_section = row->section;
	add_line(ed, &ed->tail, NULL, row, value);
}

static int replace(struct line *l, char *value)
{
	free(l->new);
	l->new = value;
	return value ? 0 : -ENOMEM;
}

static int edit_one(struct editor *ed, const struct row *row, const struct spec *defaults)
{
	_cleanup_free_ char *value = print_entry(row, ed->wanted, 0);

	if (!value)
		return -ENOMEM;
	for (size_t i = 0; i < ed->count; i++)
		if (ed->lines[i].row == row)
			return replace(&ed->lines[i], TAKE_PTR(value));
	if (!row_is_default(row, ed->wanted, defaults))
		add_key(ed, row, value);
	return 0;
}

/* --- lists --- */

struct list {
	struct strv entries; /* wanted */
	struct line **lines; /* as they are */
	struct strv *old; /* the entries of each */
	size_t count;
};

static int read_entries(const struct line *l, struct strv *ret)
{
	_cleanup_free_ char *text = strndup(l->value, (size_t) (l->value_end - l->value));
	struct spec s = { 0 };
	int r = text ? 0 : -ENOMEM;

	if (r == 0 && *text)
		r = l->row->type->parse(l->row, &s, text, NULL);
	for (size_t i = 0; r == 0 && i < l->row->type->count(l->row, &s); i++) {
		_cleanup_free_ char *entry = print_entry(l->row, &s, i);

		r = entry ? strv_add(ret, entry) : -ENOMEM;
	}
	l->row->type->clear(l->row, &s);
	return r;
}

static int read_list(struct editor *ed, const struct row *row, struct list *l)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < row->type->count(row, ed->wanted); i++) {
		_cleanup_free_ char *entry = print_entry(row, ed->wanted, i);

		r = entry ? strv_add(&l->entries, entry) : -ENOMEM;
	}
	l->lines = calloc(ed->count + 1, sizeof(*l->lines));
	l->old = calloc(ed->count + 1, sizeof(*l->old));
	if (!l->lines || !l->old)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < ed->count; i++) {
		if (ed->lines[i].row != row)
			continue;
		l->lines[l->count] = &ed->lines[i];
		r = read_entries(&ed->lines[i], &l->old[l->count++]);
	}
	return r;
}

static void list_done(struct list *l)
{
	for (size_t i = 0; l->old && i < l->count; i++)
		strv_done(&l->old[i]);
	strv_done(&l->entries);
	free(l->lines);
	free(l->old);
}

static bool line_is(const struct list *l, size_t line, size_t entry)
{
	const struct strv *old = &l->old[line];

	if (old->count == 0 || entry + old->count > l->entries.count)
		return false;
	for (size_t i = 0; i < old->count; i++)
		if (strcmp(old->items[i], l->entries.items[entry + i]) != 0)
			return false;
	return true;
}

/* Lines in front and at the end that stay are left alone; between them entries take the place of
 * entries, one a line. */
static int edit_list(struct editor *ed, const struct row *row)
{
	size_t line = 0, entry = 0, lines, entries;
	struct list l = {};
	struct line *last;
	int r = read_list(ed, row, &l);

	lines = l.count;
	entries = l.entries.count;
	for (; r == 0 && line < lines && line_is(&l, line, entry); line++)
		entry += l.old[line].count;
	for (; r == 0 && lines > line && entries >= entry + l.old[lines - 1].count &&
	       line_is(&l, lines - 1, entries - l.old[lines - 1].count);
	     lines--)
		entries -= l.old[lines - 1].count;
	last = line ? l.lines[line - 1] : NULL;
	for (; r == 0 && line < lines; line++) {
		struct line *old = l.lines[line];

		if (!old) { /* never: read_list() has filled it */
			r = -EINVAL;
		} else if (entry < entries) {
			last = old;
			r = replace(old, strdup(l.entries.items[entry++]));
		} else {
			old->drop = true;
		}
	}
	for (; r == 0 && entry < entries; entry++) {
		const char *value = l.entries.items[entry];

		if (last)
			add_line(ed, &last->after, last, row, value);
		else if (l.count) /* all that is there stays, and comes later */
			add_line(ed, &l.lines[0]->before, l.lines[0], row, value);
		else
			add_key(ed, row, value);
	}
	list_done(&l);
	return r;
}

/* --- out --- */

static void write_line(const struct editor *ed, const struct line *l, struct buf *out)
{
	buf_add(out, l->before.data ? l->before.data : "", l->before.len);
	if (!l->drop && !l->new) {
		buf_add(out, l->begin, (size_t) (l->next - l->begin));
	} else if (!l->drop) {
		bool was_empty = l->value == l->value_end;
		const char *value = *l->new ? l->value : trim(l->begin, l->value);

		buf_add(out, l->begin, (size_t) (value - l->begin));
		buf_puts(out, was_empty && *l->new ? " " : "");
		buf_puts(out, l->new);
		buf_add(out, l->value_end, (size_t) (l->next - l->value_end));
	}
	if (l->after.len && out->len && out->data[out->len - 1] != '\n')
		buf_puts(out, ed->eol);
	buf_add(out, l->after.data ? l->after.data : "", l->after.len);
}

static void write_all_lines(const struct editor *ed, struct buf *out)
{
	for (size_t i = 0; i < ed->count; i++)
		write_line(ed, &ed->lines[i], out);
	if (ed->tail.len && out->len && out->data[out->len - 1] != '\n')
		buf_puts(out, ed->eol);
	buf_add(out, ed->tail.data ? ed->tail.data : "", ed->tail.len);
}

static void editor_done(struct editor *ed)
{
	for (size_t i = 0; i < ed->count; i++) {
		free(ed->lines[i].new);
		buf_done(&ed->lines[i].before);
		buf_done(&ed->lines[i].after);
	}
	free(ed->lines);
	buf_done(&ed->tail);
}

int spec_edit_ini(const char *text, size_t len, const struct spec *wanted,
		  bool (*which)(const char *section, const char *name, void *arg), void *arg,
		  struct buf *out)
{
	struct editor ed = { .wanted = wanted };
	const struct row *row;
	struct spec defaults;
	int r = spec_init(&defaults, "");

	if (r < 0)
		return r;
	r = read_lines(&ed, text, len);
	for (size_t i = 0; r == 0 && (row = row_at(i)); i++) {
		if (!which(row->section, row->name, arg))
			continue;
		r = row->type->repeats ? edit_list(&ed, row) : edit_one(&ed, row, &defaults);
	}
	if (r == 0)
		write_all_lines(&ed, out);
	editor_done(&ed);
	spec_done(&defaults);
	return r < 0 ? r : out->error;
}
