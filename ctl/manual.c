/* wardctl(1): fixed text around the tables of verbs and options. */
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "ctl/verbs.h"

static const char head[] =
	".\\\" Made by `wardctl manual` from the tables of verbs and options.\n"
	".TH WARDCTL 1 \"\" \"Ward " WARD_VERSION "\" \"Ward\"\n"
	".SH NAME\n"
	"wardctl \\- run, start, watch and change isolated contexts\n"
	".SH SYNOPSIS\n"
	".B wardctl\n.I verb\n.RI [ name ...]\n.RI [ options ]\n.br\n"
	".B wardctl run\n.RI [ options ]\n.B \\-\\-\n.IR command ...\n"
	".SH DESCRIPTION\n"
	"A \\fIcontext\\fR is a named unit of isolation: processes with a view of the files, a "
	"network identity and limits of their own, declared in an INI file, see\n"
	".BR ward.ini (5).\n"
	".B wardctl\n"
	"tells the daemon\n.BR wardd (8)\n"
	"what to do, over its Unix socket, and shows what it answers.\n"
	".PP\n"
	"It never asks back, and prints no colours unless standard output is a terminal. Verbs "
	"that "
	"print take\n.BR \\-\\-json .\n"
	"Options may stand before or after names; what follows\n.B \\-\\-\n"
	"is the command's own.\n";

static const char tail[] =
	".SH EXIT STATUS\n"
	".TP\n.B 0\ndone\n"
	".TP\n.B 1\nfailed; the reason is on standard error\n"
	".TP\n.B 2\nwrong use\n"
	".TP\n.B 3\n.BR status :\na context does not run\n"
	".PP\n"
	".BR run ,\n.B exec\nand\n.B enter\nend with the status of the command, or with\n"
	".TP\n.B 125\nwhen Ward failed\n"
	".TP\n.B 126\nwhen the command is not executable\n"
	".TP\n.B 127\nwhen it was not found\n"
	".TP\n.BR 128 + \\fIN\\fR\nwhen signal \\fIN\\fR ended it\n"
	".SH ENVIRONMENT\n"
	".TP\n.B WARD_SOCKET\nthe daemon's socket, unless\n.B \\-\\-socket\nnames it\n"
	".TP\n.B NO_COLOR\nwhen set, no colours\n"
	".TP\n.B TERM\nhanded to a command that gets a terminal\n"
	".SH FILES\n"
	".TP\n.I " CTL_SOCKET "\nthe daemon's socket\n"
	".TP\n.I /etc/ward/NAME.ini\nthe declared contexts\n"
	".SH EXAMPLES\n"
	"Build in a copy of this machine that nobody will miss:\n"
	".PP\n.RS\n.nf\nwardctl run \\-\\-set memory.limit=2G \\-\\- make check\n.fi\n.RE\n"
	".PP\n"
	"Declare a context, start it, look into it, give it more memory:\n"
	".PP\n.RS\n.nf\n"
	"wardctl create web.ini\n"
	"wardctl start web\n"
	"wardctl enter web\n"
	"wardctl set web memory.limit=1G\n"
	".fi\n.RE\n"
	".SH SEE ALSO\n"
	".BR ward.ini (5),\n.BR wardd (8)\n";

/* Text as roff takes it: backslashes and dashes are literal, no line begins as a request. */
static void add_text(struct buf *b, const char *s, size_t len)
{
	bool line_start = true;

	for (size_t i = 0; i < len; i++) {
		if (line_start && (s[i] == '.' || s[i] == '\''))
			buf_puts(b, "\\&");
		if (s[i] == '\\')
			buf_puts(b, "\\e");
		else if (s[i] == '-')
			buf_puts(b, "\\-");
		else
			buf_add(b, s + i, 1);
		line_start = s[i] == '\n';
	}
}

static void add_string(struct buf *b, const char *s)
{
	add_text(b, s, strlen(s));
}

/* Paragraphs, and lines that begin with two spaces as examples. */
static void add_paragraphs(struct buf *b, const char *s)
{
	bool example = false;

	for (size_t n; *s; s += n + (s[n] == '\n')) {
		bool is_example = !strncmp(s, "  ", 2);

		n = strcspn(s, "\n");
		if (example && !is_example)
			buf_puts(b, ".fi\n.RE\n");
		if (!example && is_example)
			buf_puts(b, ".PP\n.RS\n.nf\n");
		example = is_example;
		if (!n)
			buf_puts(b, ".PP\n");
		else
			add_text(b, s + (is_example ? 2 : 0), n - (is_example ? 2 : 0));
		if (n)
			buf_puts(b, "\n");
	}
	if (example)
		buf_puts(b, ".fi\n.RE\n");
}

static void add_options(struct buf *b, uint64_t mask)
{
	for (size_t i = 0; i < OPT_COUNT; i++) {
		const struct option *o = &options_table[i];

		if (!(mask & (UINT64_C(1) << i)))
			continue;
		buf_puts(b, ".TP\n\\fB");
		if (o->letter)
			buf_printf(b, "\\-%c\\fR, \\fB", o->letter);
		buf_puts(b, "\\-\\-");
		add_string(b, o->name);
		buf_puts(b, "\\fR");
		if (o->value) {
			buf_puts(b, " \\fI");
			add_string(b, o->value);
			buf_puts(b, "\\fR");
		}
		buf_puts(b, "\n");
		add_string(b, o->help);
		buf_puts(b, "\n");
	}
}

static void add_verb(struct buf *b, const struct verb *v)
{
	buf_puts(b, ".SS \"");
	add_string(b, v->name);
	if (*v->operands) {
		buf_puts(b, " \\fI");
		add_string(b, v->operands);
		buf_puts(b, "\\fR");
	}
	buf_printf(b, "\"\n%c", v->brief[0] - 'a' + 'A');
	add_string(b, v->brief + 1);
	buf_puts(b, ".\n");
	if (*v->help)
		buf_puts(b, ".PP\n");
	add_paragraphs(b, v->help);
	add_options(b, v->options);
}

void manual_write(struct buf *b)
{
	buf_puts(b, head);
	buf_puts(b, ".SH OPTIONS\nEvery verb takes these.\n");
	add_options(b, OPT_GLOBAL);
	for (int f = 0; f < VERB_FAMILY_COUNT; f++) {
		buf_puts(b, ".SH VERBS: ");
		for (const char *p = verb_family_titles[f]; *p; p++)
			buf_printf(b, "%c", *p >= 'a' ? *p - 'a' + 'A' : *p);
		buf_puts(b, "\n");
		for (size_t i = 0; i < verbs_count; i++)
			if ((int) verbs_table[i].family == f)
				add_verb(b, &verbs_table[i]);
	}
	buf_puts(b, tail);
}

int verb_manual(const struct ctl *c)
{
	struct buf b = { 0 };
	int r;

	manual_write(&b);
	r = ctl_print(c, &b);
	buf_done(&b);
	return r;
}
