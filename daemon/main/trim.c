/* Gives back the pages of libraries that only the start needed: the dynamic linker and the
 * constructors touch some 3 MB of code that a daemon at work never comes back to.
 *
 * Only mappings without a page of our own (Anonymous: 0 in smaps, see proc_pid_smaps(5)) are let
 * go: their pages are the file's, and come back from the page cache when they are touched. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/main/options.h"

#define SMAPS_MAX (1u << 20)

struct mapping {
	uintptr_t begin, end;
	char access[5]; /* "r-xp" */
	uint64_t inode;
};

/* The first line of a mapping; those that tell about it ("Rss: 4 kB") do not look like it. */
static bool parse_mapping(const char *line, struct mapping *ret)
{
	struct mapping m;

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*s %" SCNu64, &m.begin, &m.end,
		   m.access, &m.inode) != 4)
		return false;
	*ret = m;
	return true;
}

void trim_start(void)
{
	_cleanup_free_ char *text = NULL;
	struct mapping m = {};
	char *line, *rest;

	if (file_read_at(AT_FDCWD, "/proc/self/smaps", SMAPS_MAX, &text, NULL) < 0)
		return;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		uint64_t own;

		if (parse_mapping(line, &m) || sscanf(line, "Anonymous: %" SCNu64, &own) != 1)
			continue;
		if (own == 0 && m.inode && m.access[1] != 'w' && m.access[3] == 'p')
			(void) madvise((void *) m.begin, m.end - m.begin, MADV_DONTNEED);
	}
}
