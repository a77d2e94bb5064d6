/* The keys' part of ward.ini(5), as mdoc(7), from the table. */
#include <string.h>

#include "spec/row.h"

/* Prints text so that troff takes none of it for markup. */
static void print_text(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		(void) fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '\\')
			(void) fputs("\\e", out);
		else if (*text == '-')
			(void) fputs("\\-", out);
		else
			(void) fputc(*text, out);
	}
}

/* A word as the argument of a macro: quoted, so that no macro's name is taken for a call. */
static void print_argument(FILE *out, const char *text)
{
	(void) fputs("\"\\&", out);
	for (; *text; text++) {
		if (*text == '"')
			(void) fputs("\\(dq", out);
		else
			print_text(out, (const char[]){ *text, '\0' });
	}
	(void) fputc('"', out);
}

static void print_row(FILE *out, const struct row *row)
{
	(void) fputs(".It Cm ", out);
	print_argument(out, row->name);
	(void) fputs(" No = Ar ", out);
	print_argument(out, row->type->name);
	(void) fputc('\n', out);
	print_text(out, row->help);
	(void) fputs("\n.br\nAllowed: ", out);
	print_text(out, row->allowed);
	(void) fputs(".\n", out);
	if (*row->fallback) {
		(void) fputs("Default: ", out);
		print_text(out, row->fallback);
		(void) fputs(".\n", out);
	}
	if (row->type->repeats)
		(void) fputs("May be given more than once.\n", out);
	if (row->live)
		(void) fputs("Can be changed while the context runs.\n", out);
}

void spec_write_manual(FILE *out)
{
	const char *section = "";
	const struct row *row;

	for (size_t i = 0; (row = row_at(i)); i++) {
		if (strcmp(section, row->section) != 0) {
			if (*section)
				(void) fputs(".El\n", out);
			(void) fprintf(out, ".Ss [%s]\n.Bl -tag -width Ds\n", row->section);
		}
		section = row->section;
		print_row(out, row);
	}
	(void) fputs(".El\n", out);
}
