/* Signals by name. The names are libc's (sigabbrev_np), so the list exists once. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"

static int parse_realtime(const char *s)
{
	bool from_max = strncmp(s, "RTMAX", 5) == 0;
	uint64_t offset = 0, span = (uint64_t) (SIGRTMAX - SIGRTMIN);

	if (!from_max && strncmp(s, "RTMIN", 5) != 0)
		return -EINVAL;
	s += 5;
	if (*s && (*s != (from_max ? '-' : '+') || units_parse_u64(s + 1, 0, span, &offset) < 0))
		return -EINVAL;
	return from_max ? SIGRTMAX - (int) offset : SIGRTMIN + (int) offset;
}

int units_parse_signal(const char *s)
{
	static const struct {
		const char *name;
		int sig;
	} aliases[] = { { "CLD", SIGCHLD }, { "IO", SIGIO }, { "IOT", SIGIOT } };
	uint64_t number;

	if (units_parse_u64(s, 1, (uint64_t) SIGRTMAX, &number) == 0)
		return (int) number;
	if (strncmp(s, "SIG", 3) == 0)
		s += 3;
	for (int sig = 1; sig < SIGRTMIN; sig++) {
		if (str_equal(sigabbrev_np(sig), s))
			return sig;
	}
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
		if (str_equal(aliases[i].name, s))
			return aliases[i].sig;
	}
	return parse_realtime(s);
}

const char *units_print_signal(int sig)
{
	static char text[UNITS_TEXT_MAX];
	const char *name = sigabbrev_np(sig);

	if (name)
		return name;
	if (sig >= SIGRTMIN && sig <= SIGRTMAX)
		(void) snprintf(text, sizeof(text), "RTMIN+%d", sig - SIGRTMIN);
	else
		(void) snprintf(text, sizeof(text), "%d", sig);
	return text;
}
