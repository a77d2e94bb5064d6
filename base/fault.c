/* Fault points exist in test builds only; elsewhere this file is empty. */
#include "base/fault.h"

#ifdef WARD_FAULTS

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fault_point(const char *name)
{
	const char *fault = getenv("WARD_FAULT");

	if (!fault || strlen(fault) < 5 || strcmp(fault + 5, name) != 0)
		return 0;
	if (strncmp(fault, "fail:", 5) == 0)
		return -EIO;
	if (strncmp(fault, "kill:", 5) != 0)
		return 0;
	(void) kill(getpid(), SIGKILL);
	_exit(128 + SIGKILL); /* process 1 of a namespace cannot kill itself */
}

bool fault_lack(const char *feature)
{
	size_t n = strlen(feature);

	for (const char *p = getenv("WARD_LACK"); p && *p;) {
		size_t word = strcspn(p, " ");

		if (word == n && memcmp(p, feature, n) == 0)
			return true;
		p += word + strspn(p + word, " ");
	}
	return false;
}

#else
typedef int fault_unused; /* a translation unit must declare something */
#endif
