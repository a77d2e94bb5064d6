/* The table of options and the parser of the command line. Long options take `--name value` and
 * `--name=value`, letters may be joined; where a command follows, the first word that is no
 * option begins it, with or without "--". */
#include "ctl/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/verbs.h"

const struct option options_table[OPT_COUNT] = {
	[OPT_ALL] = { "all", 'a', NULL, "every context that is in a state for it", false },
	[OPT_MARK] = { "mark", 'm', "MARK",
		       "every context with this mark that is in a state for it", false },
	[OPT_AUTOSTART] = { "autostart", 0, NULL,
			    "every context that starts with the machine and did not yet", false },
	[OPT_JSON] = { "json", 0, NULL, "print JSON", false },
	[OPT_QUIET] = { "quiet", 'q', NULL, "print less: names only, or nothing", false },
	[OPT_FOLLOW] = { "follow", 'f', NULL, "go on with what comes", false },
	[OPT_LINES] = { "lines", 'n', "N", "begin with the last N lines or events", false },
	[OPT_AFTER] = { "after", 0, "SEQ", "begin after the event with this number", false },
	[OPT_DRY_RUN] = { "dry-run", 0, NULL, "only print what would be done", false },
	[OPT_UNTIL] = { "until", 0, "TIME", "end with what was written before TIME", false },
	[OPT_START] = { "start", 0, "N", "only the N-th last run, 1 for the last", false },
	[OPT_NAME] = { "name", 0, "NAME", "the context's name", false },
	[OPT_FILE] = { "file", 0, "FILE", "take the spec from an INI file", false },
	[OPT_SET] = { "set", 0, "KEY=VALUE",
		      "set a key of the spec, such as memory.limit=1G; the same key again adds an "
		      "entry",
		      true },
	[OPT_TTY] = { "tty", 't', NULL,
		      "give the command a terminal of its own (the default when standard input and "
		      "output are terminals)",
		      false },
	[OPT_NO_TTY] = { "no-tty", 'T', NULL,
			 "hand standard input, output and error to the command as they are",
			 false },
	[OPT_DETACH] = { "detach", 'd', NULL, "do not wait; output goes to the log", false },
	[OPT_USER] = { "user", 'u', "USER[:GROUP]", "run as this user of the context", false },
	[OPT_DIRECTORY] = { "directory", 'C', "DIRECTORY", "begin in this directory of the context",
			    false },
	[OPT_ENV] = { "env", 'e', "NAME=VALUE", "add to the environment", true },
	[OPT_SIGNAL] = { "signal", 's', "SIGNAL", "the signal, TERM by default", false },
	[OPT_PROCESSES] = { "processes", 0, NULL,
			    "signal every process of the context, not only its first", false },
	[OPT_TIMEOUT] = { "timeout", 0, "DURATION",
			  "wait so long and no longer, such as 3s; stop: before the next signal "
			  "of its sequence; stop of many: for all together, then kill them",
			  false },
	[OPT_RUNTIME] = { "runtime", 0, NULL, "do not write the change to the context's file",
			  false },
	[OPT_FULL] = { "full", 0, NULL, "also the keys that have their default", false },
	[OPT_REPLACE] = { "replace", 0, NULL, "overwrite a context of the same name", false },
	[OPT_NO_WAIT] = { "no-wait", 0, NULL, "return as soon as the commands run, ready or not",
			  false },
	[OPT_KIND] = { "kind", 'k', "KIND", "only of this kind; may be repeated", true },
	[OPT_SINCE] = { "since", 0, "TIME",
			"begin there: 10m (ago), 10:04, \"2026-11-21 10:04\", @SECONDS", false },
	[OPT_READY] = { "ready", 0, NULL, "until it is ready for its work", false },
	[OPT_EXIT] = { "exit", 0, NULL, "until its command ends", false },
	[OPT_EVENT] = { "event", 0, "KIND", "until there is an event of this kind", false },
	[OPT_COLUMNS] = { "columns", 0, "NAME,...", "print these columns", false },
	[OPT_SORT] = { "sort", 0, "COLUMN", "sort by this column, the largest first", false },
	[OPT_INTERVAL] = { "interval", 'i', "DURATION", "time between two looks (2s)", false },
	[OPT_BATCH] = { "batch", 'b', "N", "print N tables and end; needs no terminal", false },
	[OPT_WHAT_IF] = { "what-if", 0, NULL,
			  "only say whether these could be started now, names or files, any number",
			  false },
	[OPT_SOCKET] = { "socket", 0, "FILE",
			 "the daemon's socket (else $WARD_SOCKET, else /run/ward/control.sock)",
			 false },
	[OPT_NO_COLOR] = { "no-color", 0, NULL, "no colours, even on a terminal", false },
	[OPT_HELP] = { "help", 'h', NULL, "explain the verb", false },
};

struct shape options_shape(const char *pattern)
{
	struct shape s = { 0 };

	for (const char *p = pattern; *p;) {
		size_t n = strcspn(p, " ");

		if (!strncmp(p, "--", 2) || !strncmp(p, "[--", 3)) {
			s.command = true;
			s.command_optional = *p == '[';
			break;
		}
		if (*p != '[')
			s.min++;
		if (memmem(p, n, "...", 3))
			s.max = SIZE_MAX;
		else if (s.max != SIZE_MAX)
			s.max++;
		p += n;
		p += strspn(p, " ");
	}
	return s;
}

static enum opt find_long(const char *name, size_t len)
{
	enum opt o = 0;

	for (; o < OPT_COUNT; o++)
		if (!strncmp(options_table[o].name, name, len) && !options_table[o].name[len])
			break;
	return o;
}

static enum opt find_letter(char letter)
{
	enum opt o = 0;

	for (; o < OPT_COUNT; o++)
		if (options_table[o].letter == letter)
			break;
	return o;
}

/* Only options that repeat are kept in order: they take a value, so one word holds at most one. */
static void store(struct args *a, enum opt o, const char *value)
{
	a->given |= UINT64_C(1) << o;
	if (o == OPT_TTY)
		a->given &= ~OPT(NO_TTY);
	if (o == OPT_NO_TTY)
		a->given &= ~OPT(TTY);
	a->value[o] = value;
	if (options_table[o].repeats)
		a->all[a->all_count++] = (struct option_given){ o, value };
}

/* `words` stands on the option. @return how many words it took, or -EINVAL. */
static int parse_option(struct args *a, char **words, const char *shown, enum opt o,
			const char *inline_value, struct err *e)
{
	uint64_t allowed = OPT_GLOBAL | (a->verb ? a->verb->options : 0);

	if (o == OPT_COUNT)
		return err_set(e, -EINVAL, "there is no option %s", shown);
	if (!(allowed & (UINT64_C(1) << o))) {
		if (!a->verb)
			return err_set(e, -EINVAL, "option %s comes after the verb", shown);
		return err_set(e, -EINVAL, "%s takes no option %s", a->verb->name, shown);
	}
	if (!options_table[o].value && inline_value)
		return err_set(e, -EINVAL, "option %s takes no value", shown);
	if (options_table[o].value && !inline_value && !words[1])
		return err_set(e, -EINVAL, "option %s needs a value: %s", shown,
			       options_table[o].value);
	if (!options_table[o].value || inline_value) {
		store(a, o, inline_value);
		return 1;
	}
	store(a, o, words[1]);
	return 2;
}

static int parse_long(struct args *a, char **words, struct err *e)
{
	const char *name = words[0] + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t) (eq - name) : strlen(name);
	char shown[40];

	snprintf(shown, sizeof(shown), "--%.*s", (int) (len < 32 ? len : 32), name);
	return parse_option(a, words, shown, find_long(name, len), eq ? eq + 1 : NULL, e);
}

static int parse_letters(struct args *a, char **words, struct err *e)
{
	for (const char *p = words[0] + 1; *p; p++) {
		enum opt o = find_letter(*p);
		bool takes = o < OPT_COUNT && options_table[o].value;
		char shown[3] = { '-', *p, '\0' };
		int n = parse_option(a, words, shown, o, takes && p[1] ? p + 1 : NULL, e);

		if (n < 0 || takes)
			return n;
	}
	return 1;
}

/* One word that is no option. @return 1 when it begins the command, 0, or -EINVAL. */
static int parse_word(struct args *a, char *word, struct err *e)
{
	struct shape shape;

	if (!a->verb) {
		a->verb = verb_find(word);
		if (!a->verb)
			return verb_unknown(word, e);
		return 0;
	}
	shape = options_shape(a->verb->operands);
	if (shape.command && a->operand_count == shape.min)
		return 1;
	a->operands[a->operand_count++] = word;
	return 0;
}

static int check_counts(const struct args *a, struct err *e)
{
	static const enum opt sets[] = { OPT_ALL, OPT_MARK, OPT_AUTOSTART };
	struct shape shape = options_shape(a->verb->operands);
	const char *given = NULL;

	if (args_has(a, OPT_HELP))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		if (!args_has(a, sets[i]))
			continue;
		if (a->operand_count)
			return err_set(e, -EINVAL, "--%s and names exclude each other",
				       options_table[sets[i]].name);
		if (given)
			return err_set(e, -EINVAL, "--%s and --%s exclude each other",
				       options_table[sets[i]].name, given);
		given = options_table[sets[i]].name;
	}
	if (given)
		return 0;
	if (args_has(a, OPT_WHAT_IF)) /* of any number */
		shape.max = SIZE_MAX;
	if (a->operand_count < shape.min ||
	    (shape.command && !shape.command_optional && !a->command))
		return err_set(e, -EINVAL, "something is missing: wardctl %s %s", a->verb->name,
			       a->verb->operands);
	if (a->operand_count > shape.max)
		return err_set(e, -EINVAL, "one word too many, \"%.64s\": wardctl %s %s",
			       a->operands[shape.max], a->verb->name, a->verb->operands);
	return 0;
}

int args_parse(int argc, char **argv, struct args *a, struct err *e)
{
	bool words_only = false;
	int r;

	*a = (struct args){ 0 };
	a->operands = calloc((size_t) argc + 1, sizeof(*a->operands));
	a->all = calloc((size_t) argc + 1, sizeof(*a->all));
	if (!a->operands || !a->all)
		return err_set(e, -ENOMEM, "reading the command line: out of memory");
	for (int i = 1; i < argc; i += r) {
		char *word = argv[i];

		if (!words_only && !strcmp(word, "--")) {
			words_only = true;
			if (a->verb && options_shape(a->verb->operands).command) {
				a->command = argv + i + 1;
				break;
			}
			r = 1;
		} else if (!words_only && word[0] == '-' && word[1] == '-') {
			r = parse_long(a, argv + i, e);
		} else if (!words_only && word[0] == '-' && word[1]) {
			r = parse_letters(a, argv + i, e);
		} else {
			r = parse_word(a, word, e);
			if (r == 1)
				a->command = argv + i;
			if (r == 1)
				break;
			r = r < 0 ? r : 1;
		}
		if (r < 0)
			return r;
	}
	if (a->command && !a->command[0])
		a->command = NULL;
	return a->verb ? check_counts(a, e) : 0;
}

void args_done(struct args *a)
{
	free(a->operands);
	free(a->all);
	a->operands = NULL;
	a->all = NULL;
}
