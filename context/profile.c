/* Reads the text of a profile. The text may be an admin's, and is checked like any other input:
 * a word nobody knows is an error with its line, never skipped. */
#include "context/profile.h"

#include <ctype.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>

#include "base/mem.h"

#define LINE_BYTES_MAX 4096
#define WORD_BYTES_MAX 64

struct parser {
	struct profile *p;
	uint64_t caps;
	const char *source;
	unsigned line;
	bool fallback_seen;
	char *rest; /* of the line */
	struct err *e;
};

static const struct {
	const char *name;
	int value;
} errnos[] = {
	{ "EPERM", EPERM },	      { "ENOSYS", ENOSYS },
	{ "EACCES", EACCES },	      { "EINVAL", EINVAL },
	{ "ENOENT", ENOENT },	      { "ENODEV", ENODEV },
	{ "EOPNOTSUPP", EOPNOTSUPP }, { "EAFNOSUPPORT", EAFNOSUPPORT },
};

/* Newer than the library of our build hosts. From 424 on a number is the same everywhere. */
static const struct {
	const char *name;
	int number;
} new_calls[] = {
	{ "cachestat", 451 },	      { "fchmodat2", 452 },	   { "map_shadow_stack", 453 },
	{ "futex_wake", 454 },	      { "futex_wait", 455 },	   { "futex_requeue", 456 },
	{ "statmount", 457 },	      { "listmount", 458 },	   { "lsm_get_self_attr", 459 },
	{ "lsm_set_self_attr", 460 }, { "lsm_list_modules", 461 }, { "mseal", 462 },
	{ "setxattrat", 463 },	      { "getxattrat", 464 },	   { "listxattrat", 465 },
	{ "removexattrat", 466 },     { "open_tree_attr", 467 },   { "file_getattr", 468 },
	{ "file_setattr", 469 },
};

static int wrong(struct parser *s, const char *what, const char *word)
{
	return err_set(s->e, -EINVAL, "%s:%u: %s%s%.*s%s", s->source, s->line, what,
		       word ? " \"" : "", WORD_BYTES_MAX, word ? word : "", word ? "\"" : "");
}

/** Cuts off the next word. @return NULL when there is none. */
static char *next_word(struct parser *s)
{
	char *word;

	s->rest += strspn(s->rest, " \t\r");
	if (*s->rest == '\0') {
		return NULL;
	}
	word = s->rest;
	s->rest += strcspn(s->rest, " \t\r");
	if (*s->rest) {
		*s->rest++ = '\0';
	}
	return word;
}

static int parse_errno(struct parser *s, uint32_t *ret)
{
	const char *word = next_word(s);

	for (size_t i = 0; word && i < ARRAY_SIZE(errnos); i++) {
		if (strcmp(word, errnos[i].name) == 0) {
			*ret = SECCOMP_RET_ERRNO | (uint32_t) errnos[i].value;
			return 0;
		}
	}
	return wrong(s,
		     "after errno: must be EPERM, ENOSYS, EACCES, EINVAL, ENOENT, ENODEV, "
		     "EOPNOTSUPP or EAFNOSUPPORT, not",
		     word ? word : "");
}

/** @return the number, -ENOENT when this architecture lacks it, or -EINVAL. */
static int parse_call(struct parser *s, const char *word)
{
	int nr;

	for (size_t i = 0; i < ARRAY_SIZE(new_calls); i++) {
		if (strcmp(word, new_calls[i].name) == 0) {
			return new_calls[i].number;
		}
	}
	nr = seccomp_syscall_resolve_name(word);
	if (nr == __NR_SCMP_ERROR) {
		return wrong(s, "no system call is called", word);
	}
	return nr < 0 ? -ENOENT : nr < PROFILE_CALLS ? nr : wrong(s, "out of range:", word);
}

static int parse_number(struct parser *s, const char *word, uint32_t *ret)
{
	unsigned long long v;
	char *end;

	if (!word || !isdigit((unsigned char) *word)) {
		return wrong(s, "must be a number:", word ? word : "");
	}
	errno = 0;
	v = strtoull(word, &end, 0);
	if (errno || *end || v > UINT32_MAX) {
		return wrong(s, "must be a number of 32 bits:", word);
	}
	*ret = (uint32_t) v;
	return 0;
}

/** "argN == V" or "argN & MASK", and nothing behind. */
static int parse_condition(struct parser *s, struct profile_condition *ret)
{
	const char *arg = next_word(s), *op = next_word(s), *value = next_word(s);
	int r;

	if (!arg || strlen(arg) != 4 || strncmp(arg, "arg", 3) != 0 || arg[3] < '0' ||
	    arg[3] > '5') {
		return wrong(s, "after if: must be arg0 to arg5, not", arg ? arg : "");
	}
	if (!op || (strcmp(op, "==") != 0 && strcmp(op, "&") != 0)) {
		return wrong(s, "in a condition: must be == or &, not", op ? op : "");
	}
	r = parse_number(s, value, &ret->value);
	if (r < 0) {
		return r;
	}
	value = next_word(s);
	if (value) {
		return wrong(s, "behind a condition: must be nothing, not", value);
	}
	ret->arg = (uint8_t) (arg[3] - '0');
	ret->mask = *op == '&';
	return 0;
}

static int add_condition(struct parser *s, const struct profile_condition *condition, int call)
{
	struct profile *p = s->p;

	if (p->condition_count >= PROFILE_CONDITIONS_MAX) {
		return wrong(s, "too many conditions", NULL);
	}
	p->conditions[p->condition_count] = *condition;
	p->conditions[p->condition_count++].call = (uint16_t) call;
	return 0;
}

/** "CALL ... [if COND]" */
static int parse_calls(struct parser *s, uint32_t action, bool counts)
{
	struct profile_condition condition = { .action = action };
	int calls[WORD_BYTES_MAX];
	size_t n = 0;
	bool conditional = false, any = false;
	char *word;

	while ((word = next_word(s))) {
		if (strcmp(word, "if") == 0) {
			int r = parse_condition(s, &condition);
			if (r < 0) {
				return r;
			}
			conditional = true;
			break;
		}
		int nr = parse_call(s, word);
		if (nr < 0 && nr != -ENOENT) {
			return nr;
		}
		any = true;
		if (nr >= 0 && n >= ARRAY_SIZE(calls)) {
			return wrong(s, "too many calls in one line", NULL);
		}
		if (nr >= 0) {
			calls[n++] = nr;
		}
	}
	if (!any) {
		return wrong(s, "must name a system call", NULL);
	}
	for (size_t i = 0; counts && i < n; i++) {
		int r = 0;

		if (conditional) {
			r = add_condition(s, &condition, calls[i]);
		} else {
			s->p->actions[calls[i]] = action;
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/** "cap NAME" or "no-cap NAME". @ret whether the line counts. */
static int parse_cap(struct parser *s, bool want, bool *ret)
{
	char name[WORD_BYTES_MAX] = "cap_";
	const char *word = next_word(s);
	cap_value_t cap;

	if (!word || strlen(word) >= sizeof(name) - 4) {
		return wrong(s, "must be the name of a capability:", word ? word : "");
	}
	for (size_t i = 0; i <= strlen(word); i++) {
		name[4 + i] = word[i] == '-' ? '_' : word[i];
	}
	if (cap_from_name(name, &cap) < 0 || cap < 0 || cap > 63) {
		return wrong(s, "no capability is called", word);
	}
	*ret = (s->caps >> cap & 1) == want;
	return 0;
}

static int parse_default(struct parser *s)
{
	const char *word = next_word(s);

	if (s->fallback_seen) {
		return wrong(s, "default: was given before", NULL);
	}
	s->fallback_seen = true;
	if (!word || strcmp(word, "errno") != 0) {
		return wrong(s, "after default: must be errno, not", word ? word : "");
	}
	int r = parse_errno(s, &s->p->fallback);
	for (size_t i = 0; r == 0 && i < PROFILE_CALLS; i++) {
		s->p->actions[i] = s->p->fallback;
	}
	word = next_word(s);
	return r < 0 || !word ? r : wrong(s, "behind default: must be nothing, not", word);
}

static int parse_line(struct parser *s)
{
	const char *word = next_word(s);
	bool counts = true;
	uint32_t action;
	int r;

	if (!word || *word == '#') {
		return 0;
	}
	if (strcmp(word, "default") == 0) {
		return parse_default(s);
	}
	if (!s->fallback_seen) {
		return wrong(s, "the first line must be default", NULL);
	}
	if (strcmp(word, "cap") == 0 || strcmp(word, "no-cap") == 0) {
		r = parse_cap(s, *word == 'c', &counts);
		if (r < 0) {
			return r;
		}
		word = next_word(s);
	}
	if (word && strcmp(word, "shared") == 0) {
		counts = (s->caps & PROFILE_SHARED) != 0;
		word = next_word(s);
	}
	if (word && strcmp(word, "allow") == 0) {
		action = SECCOMP_RET_ALLOW;
	} else if (word && strcmp(word, "kill") == 0) {
		action = SECCOMP_RET_KILL_PROCESS;
	} else if (word && strcmp(word, "errno") == 0) {
		r = parse_errno(s, &action);
		if (r < 0) {
			return r;
		}
	} else {
		return wrong(s, "must be allow, errno, kill, cap, no-cap, shared or default, not",
			     word ? word : "");
	}
	return parse_calls(s, action, counts);
}

int profile_parse(const char *text, size_t len, const char *source, uint64_t caps,
		  struct profile *ret, struct err *e)
{
	struct parser s = { .p = ret, .caps = caps, .source = source, .e = e };
	char line[LINE_BYTES_MAX];

	if (len > PROFILE_BYTES_MAX) {
		return err_set(e, -EFBIG, "%s: longer than %u bytes", source, PROFILE_BYTES_MAX);
	}
	*ret = (struct profile){ 0 };
	while (len > 0) {
		const char *newline = memchr(text, '\n', len);
		size_t n = newline ? (size_t) (newline - text) : len;

		s.line++;
		if (n >= sizeof(line) || memchr(text, '\0', n)) {
			return wrong(&s, "the line is too long or holds a NUL", NULL);
		}
		memcpy(line, text, n);
		line[n] = '\0';
		s.rest = line;
		int r = parse_line(&s);
		if (r < 0) {
			return r;
		}
		text += newline ? n + 1 : n;
		len -= newline ? n + 1 : n;
	}
	return s.fallback_seen ? 0 : wrong(&s, "there is no default", NULL);
}
