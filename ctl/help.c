/* --help: the overview and the page of a verb, from the table. */
#include <stdio.h>
#include <string.h>

#include "ctl/text.h"
#include "ctl/verbs.h"

#define WIDTH 78

#define HELP_COLUMN 26

/* The help of an option begins on its line when there is room. */
static void add_option(struct buf *b, const struct option *o)
{
	char left[64], letter[8] = "    ";
	struct buf text = { 0 };
	int n;

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	n = snprintf(left, sizeof(left), "  %s--%s%s%s", letter, o->name, o->value ? " " : "",
		     o->value ? o->value : "");
	text_wrap(&text, o->help, HELP_COLUMN, WIDTH);
	if (!text.error && n < HELP_COLUMN - 1)
		memcpy(text.data, left, (size_t) n); /* over the indent */
	else
		buf_printf(b, "%s\n", left);
	buf_puts(b, text.data ? text.data : "");
	buf_done(&text);
}

static void add_options(struct buf *b, uint64_t mask)
{
	for (size_t i = 0; i < OPT_COUNT; i++)
		if (mask & (UINT64_C(1) << i))
			add_option(b, &options_table[i]);
}

static void add_verb(struct buf *b, const struct verb *v)
{
	struct buf what = { 0 };

	buf_printf(b, "Usage: wardctl %s%s%s%s\n\n", v->name, v->options ? " [options]" : "",
		   *v->operands ? " " : "", v->operands);
	buf_printf(&what, "%c%s.", v->brief[0] - 'a' + 'A', v->brief + 1);
	text_wrap(b, what.data ? what.data : "", 0, WIDTH);
	buf_done(&what);
	if (*v->help) {
		buf_puts(b, "\n");
		text_wrap(b, v->help, 0, WIDTH);
	}
	if (v->options) {
		buf_puts(b, "\nOptions:\n");
		add_options(b, v->options);
	}
	buf_puts(b, "\nOptions of every verb:\n");
	add_options(b, OPT_GLOBAL);
}

static void add_overview(struct buf *b)
{
	buf_puts(b, "Usage: wardctl VERB [NAME] [options]\n\n"
		    "Runs, starts, watches and changes isolated contexts on this machine.\n");
	for (int f = 0; f < VERB_FAMILY_COUNT; f++) {
		buf_printf(b, "\n%s:\n", verb_family_titles[f]);
		for (size_t i = 0; i < verbs_count; i++)
			if ((int) verbs_table[i].family == f)
				buf_printf(b, "  %-12s%s\n", verbs_table[i].name,
					   verbs_table[i].brief);
	}
	buf_puts(b, "\nOptions of every verb:\n");
	add_options(b, OPT_GLOBAL);
	buf_puts(b,
		 "\nwardctl VERB --help explains a verb; wardctl(1) and ward.ini(5) the rest.\n");
}

int help_print(const struct ctl *c, const struct verb *v)
{
	struct buf b = { 0 };
	int r;

	if (v)
		add_verb(&b, v);
	else
		add_overview(&b);
	r = ctl_print(c, &b);
	buf_done(&b);
	return r;
}

int verb_help(const struct ctl *c)
{
	const struct verb *v = NULL;
	struct err e = { 0 };

	if (c->args.operand_count) {
		v = verb_find(c->args.operands[0]);
		if (!v) {
			verb_unknown(c->args.operands[0], &e);
			return ctl_usage(c, "%s", e.text);
		}
	}
	return help_print(c, v);
}
