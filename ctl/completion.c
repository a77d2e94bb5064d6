/* Completion scripts. The tables are printed into each script as data; the little logic that is
 * the shell's own follows. Names of contexts are asked from the daemon when the key is pressed. */
#include <stdio.h>
#include <string.h>

#include "ctl/verbs.h"
#include "spec/spec.h"

/* "NAME KEY=VALUE..." as words without brackets and dots; a command ends it as COMMAND. */
static void add_kinds(struct buf *b, const char *pattern)
{
	while (*pattern) {
		size_t n = strcspn(pattern, " ");

		if (memmem(pattern, n, "--", 2)) {
			buf_puts(b, "COMMAND");
			return;
		}
		for (size_t i = 0; i < n; i++)
			if (!strchr("[].", pattern[i]))
				buf_add(b, pattern + i, 1);
		pattern += n;
		pattern += strspn(pattern, " ");
		if (*pattern)
			buf_puts(b, " ");
	}
}

static void add_option_names(struct buf *b, uint64_t mask)
{
	bool first = true;

	for (size_t i = 0; i < OPT_COUNT; i++) {
		if (!(mask & (UINT64_C(1) << i)))
			continue;
		buf_printf(b, "%s--%s", first ? "" : " ", options_table[i].name);
		first = false;
	}
}

static void add_keys(struct buf *b, const char *separator, const char *suffix)
{
	struct spec_key_info k;

	for (size_t i = 0; spec_key_info(i, &k); i++)
		buf_printf(b, "%s%s.%s%s", i ? separator : "", k.section, k.name, suffix);
}

static bool shown(const struct verb *v)
{
	return v->family < VERB_FAMILY_COUNT;
}

static void add_verb_names(struct buf *b)
{
	bool first = true;

	for (size_t i = 0; i < verbs_count; i++) {
		if (!shown(&verbs_table[i]))
			continue;
		buf_printf(b, "%s%s", first ? "" : " ", verbs_table[i].name);
		first = false;
	}
}

/* The options that take a value, as a pattern of `case`. */
static void add_valued(struct buf *b)
{
	bool first = true;

	for (size_t i = 0; i < OPT_COUNT; i++) {
		if (!options_table[i].value)
			continue;
		buf_printf(b, "%s--%s", first ? "" : "|", options_table[i].name);
		if (options_table[i].letter)
			buf_printf(b, "|-%c", options_table[i].letter);
		first = false;
	}
}

/* The tables as shell functions and variables that bash and zsh both read. */
static void add_shell_tables(struct buf *b)
{
	buf_puts(b, "_wardctl_verbs=\"");
	add_verb_names(b);
	buf_puts(b, "\"\n_wardctl_global=\"");
	add_option_names(b, OPT_GLOBAL);
	buf_puts(b, "\"\n_wardctl_keys=\"");
	add_keys(b, " ", "");
	buf_puts(b, "\"\n_wardctl_signals=\"HUP INT QUIT KILL USR1 USR2 TERM CONT STOP\"\n\n"
		    "# Sets opts and kinds (what each operand is) for a verb.\n"
		    "_wardctl_verb() {\n\tcase $1 in\n");
	for (size_t i = 0; i < verbs_count; i++) {
		if (!shown(&verbs_table[i]))
			continue;
		buf_printf(b, "\t%s) opts=\"", verbs_table[i].name);
		add_option_names(b, verbs_table[i].options);
		buf_puts(b, "\" kinds=\"");
		add_kinds(b, verbs_table[i].operands);
		buf_puts(b, "\" ;;\n");
	}
	buf_puts(b, "\t*) opts= kinds= ;;\n\tesac\n}\n\n"
		    "_wardctl_takes_value() {\n\tcase $1 in\n\t");
	add_valued(b);
	buf_puts(b, ") return 0 ;;\n\tesac\n\treturn 1\n}\n\n");
}

static const char bash_logic[] =
	"# Walks the words so far: sets verb, count (operands before the cursor) and ended (--).\n"
	"_wardctl() {\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"\tlocal verb= opts= kinds= kind= count=0 ended= i w list=\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tw=${COMP_WORDS[i]}\n"
	"\t\tif [[ $w == -- ]]; then ended=1; break; fi\n"
	"\t\tif _wardctl_takes_value \"$w\"; then ((i++)); continue; fi\n"
	"\t\t[[ $w == -* ]] && continue\n"
	"\t\tif [[ -z $verb ]]; then verb=$w; else ((count++)); fi\n"
	"\tdone\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ $ended ]]; then\n"
	"\t\tif ((i == COMP_CWORD - 1)); then COMPREPLY=($(compgen -c -- \"$cur\"))\n"
	"\t\telse COMPREPLY=($(compgen -f -- \"$cur\")); fi\n"
	"\t\treturn\n"
	"\tfi\n"
	"\t_wardctl_verb \"$verb\"\n"
	"\tset -- $kinds\n"
	"\tif (($# > 0)); then ((count < $#)) && shift \"$count\" || shift \"$(($# - 1))\"; fi\n"
	"\tkind=$1\n"
	"\tcase $prev in\n"
	"\t--file|--socket) kind=FILE ;;\n"
	"\t--set) kind=KEY=VALUE ;;\n"
	"\t--signal|-s) kind=SIGNAL ;;\n"
	"\t*) if _wardctl_takes_value \"$prev\"; then return; fi\n"
	"\t\tif [[ $cur == -* ]]; then kind=OPTION; elif [[ -z $verb ]]; then kind=VERB; fi ;;\n"
	"\tesac\n"
	"\tcase $kind in\n"
	"\tVERB) list=$_wardctl_verbs ;;\n"
	"\tOPTION) list=\"$opts $_wardctl_global\" ;;\n"
	"\tNAME) list=$(wardctl list --quiet 2>/dev/null) ;;\n"
	"\tKEY) list=$_wardctl_keys ;;\n"
	"\tKEY=VALUE) list=$_wardctl_keys; compopt -o nospace; "
	"COMPREPLY=($(compgen -S = -W \"$list\" -- \"$cur\")); return ;;\n"
	"\tSIGNAL) list=$_wardctl_signals ;;\n"
	"\tSHELL) list='bash zsh fish' ;;\n"
	"\tFILE) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
	"\tCOMMAND) COMPREPLY=($(compgen -c -- \"$cur\")); return ;;\n"
	"\tesac\n"
	"\tCOMPREPLY=($(compgen -W \"$list\" -- \"$cur\"))\n"
	"}\n"
	"complete -F _wardctl wardctl\n";

static const char zsh_logic[] =
	"_wardctl() {\n"
	"\tlocal cur=${words[CURRENT]} prev=${words[CURRENT-1]} verb= opts= kinds= kind= w\n"
	"\tlocal -i count=0 i\n"
	"\tlocal -a list\n"
	"\tfor ((i = 2; i < CURRENT; i++)); do\n"
	"\t\tw=${words[i]}\n"
	"\t\tif [[ $w == -- ]]; then\n"
	"\t\t\tshift $i words; ((CURRENT -= i)); _normal; return\n"
	"\t\tfi\n"
	"\t\tif _wardctl_takes_value \"$w\"; then ((i++)); continue; fi\n"
	"\t\t[[ $w == -* ]] && continue\n"
	"\t\tif [[ -z $verb ]]; then verb=$w; else ((count++)); fi\n"
	"\tdone\n"
	"\t_wardctl_verb \"$verb\"\n"
	"\tlist=(${=kinds})\n"
	"\tkind=${list[count < $#list ? count + 1 : $#list]}\n"
	"\tcase $prev in\n"
	"\t--file|--socket) kind=FILE ;;\n"
	"\t--set) kind=KEY=VALUE ;;\n"
	"\t--signal|-s) kind=SIGNAL ;;\n"
	"\t*) if _wardctl_takes_value \"$prev\"; then return; fi\n"
	"\t\tif [[ $cur == -* ]]; then kind=OPTION; elif [[ -z $verb ]]; then kind=VERB; fi ;;\n"
	"\tesac\n"
	"\tcase $kind in\n"
	"\tVERB) compadd -- ${=_wardctl_verbs} ;;\n"
	"\tOPTION) compadd -- ${=opts} ${=_wardctl_global} ;;\n"
	"\tNAME) compadd -- ${(f)\"$(wardctl list --quiet 2>/dev/null)\"} ;;\n"
	"\tKEY) compadd -- ${=_wardctl_keys} ;;\n"
	"\tKEY=VALUE) compadd -S = -- ${=_wardctl_keys} ;;\n"
	"\tSIGNAL) compadd -- ${=_wardctl_signals} ;;\n"
	"\tSHELL) compadd bash zsh fish ;;\n"
	"\tFILE) _files ;;\n"
	"\tCOMMAND) _command_names ;;\n"
	"\tesac\n"
	"}\n"
	"compdef _wardctl wardctl\n";

/* Single quotes as fish escapes them. */
static void add_quoted(struct buf *b, const char *s)
{
	buf_puts(b, "'");
	for (; *s; s++)
		buf_printf(b, "%s%c", *s == '\'' || *s == '\\' ? "\\" : "", *s);
	buf_puts(b, "'");
}

static void fish_option(struct buf *b, const char *condition, const struct option *o)
{
	buf_printf(b, "complete -c wardctl%s -l %s", condition, o->name);
	if (o->letter)
		buf_printf(b, " -s %c", o->letter);
	if (o->value && !strcmp(o->value, "FILE"))
		buf_puts(b, " -rF");
	else if (o->value && !strcmp(o->value, "KEY=VALUE"))
		buf_puts(b, " -x -a '(__wardctl_keys)='");
	else if (o->value)
		buf_puts(b, " -x");
	buf_puts(b, " -d ");
	add_quoted(b, o->help);
	buf_puts(b, "\n");
}

static void fish_verb(struct buf *b, const struct verb *v)
{
	char condition[128];
	struct buf kinds = { 0 };

	buf_printf(b, "complete -c wardctl -n __fish_use_subcommand -f -a %s -d ", v->name);
	add_quoted(b, v->brief);
	buf_puts(b, "\n");
	snprintf(condition, sizeof(condition), " -n '__fish_seen_subcommand_from %s'", v->name);
	for (size_t i = 0; i < OPT_COUNT; i++)
		if (v->options & (UINT64_C(1) << i))
			fish_option(b, condition, &options_table[i]);
	add_kinds(&kinds, v->operands);
	if (kinds.data && !strncmp(kinds.data, "NAME", 4))
		buf_printf(b, "complete -c wardctl%s -f -a '(__wardctl_names)'\n", condition);
	if (kinds.data && strstr(kinds.data, "KEY=VALUE"))
		buf_printf(b, "complete -c wardctl%s -f -a '(__wardctl_keys)='\n", condition);
	else if (kinds.data && strstr(kinds.data, "KEY"))
		buf_printf(b, "complete -c wardctl%s -f -a '(__wardctl_keys)'\n", condition);
	if (kinds.data && strstr(kinds.data, "SHELL"))
		buf_printf(b, "complete -c wardctl%s -f -a 'bash zsh fish'\n", condition);
	if (kinds.data && strstr(kinds.data, "COMMAND"))
		buf_printf(b, "complete -c wardctl%s -a '(__fish_complete_command)'\n", condition);
	buf_done(&kinds);
}

static void write_fish(struct buf *b)
{
	buf_puts(b, "function __wardctl_names\n\twardctl list --quiet 2>/dev/null\nend\n"
		    "function __wardctl_keys\n\tprintf '%s\\n' ");
	add_keys(b, " ", "");
	buf_puts(b, "\nend\n");
	for (size_t i = 0; i < verbs_count; i++)
		if (shown(&verbs_table[i]))
			fish_verb(b, &verbs_table[i]);
	for (size_t i = 0; i < OPT_COUNT; i++)
		if (OPT_GLOBAL & (UINT64_C(1) << i))
			fish_option(b, "", &options_table[i]);
}

int completion_write(const char *shell, struct buf *b)
{
	if (!strcmp(shell, "fish")) {
		write_fish(b);
		return 0;
	}
	if (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0)
		return -EINVAL;
	if (*shell == 'z')
		buf_puts(b, "#compdef wardctl\n");
	add_shell_tables(b);
	buf_puts(b, *shell == 'z' ? zsh_logic : bash_logic);
	return 0;
}

int verb_completion(const struct ctl *c)
{
	struct buf b = { 0 };
	int r;

	if (completion_write(c->args.operands[0], &b) < 0)
		return ctl_usage(c, "\"%.64s\" is none of bash, zsh, fish", c->args.operands[0]);
	r = ctl_print(c, &b);
	buf_done(&b);
	return r;
}
