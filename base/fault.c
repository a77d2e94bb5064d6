/* Fault points exist in test builds only; elsewhere this file is empty.
 *
 * The order is mapped by the daemon before it makes any child, and the mapping is shared: so each
 * process of ours sees it, and says where it came past, in whatever namespaces, below whatever root
 * and behind whatever filter it is by then. */
#include "base/fault.h"

#ifdef WARD_FAULTS

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define RECORD_BYTES 32

struct records {
	char order[RECORD_BYTES];
	char passed[FAULT_FILE_BYTES / RECORD_BYTES - 1][RECORD_BYTES];
};

static bool is_order(const char *text)
{
	return strncmp(text, "kill:", 5) == 0 || strncmp(text, "fail:", 5) == 0;
}

/* @return NULL when no faults are wanted. */
static struct records *records(void)
{
	static struct records *mapped; /* the one thing here that all callers share */
	const char *wanted = getenv("WARD_FAULT");
	bool order = wanted && is_order(wanted);

	if (mapped || !wanted)
		return mapped;
	_cleanup_close_ int fd = order ? -1 : open(wanted, O_RDWR | O_CLOEXEC);
	void *at = mmap(NULL, sizeof(*mapped), PROT_READ | PROT_WRITE,
			MAP_SHARED | (order ? MAP_ANONYMOUS : 0), fd, 0);
	if (at == MAP_FAILED)
		abort();
	mapped = at;
	if (order)
		memcpy(mapped->order, wanted, strnlen(wanted, sizeof(mapped->order) - 1));
	return mapped;
}

/* The daemon and its children may come past at the same time: the first byte claims a record. */
static void note(struct records *r, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->passed); i++) {
		char *record = r->passed[i], none = '\0';

		if (strncmp(record, name, RECORD_BYTES) == 0)
			return;
		if (__atomic_compare_exchange_n(record, &none, name[0], false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST)) {
			memcpy(record + 1, name + 1, strnlen(name + 1, RECORD_BYTES - 1));
			return;
		}
	}
}

int fault_point(const char *name, struct err *e)
{
	struct records *r = records();

	if (!r)
		return 0;
	note(r, name);
	if (!is_order(r->order) || strcmp(r->order + 5, name) != 0)
		return 0;
	bool fails = r->order[0] == 'f';
	memset(r->order, 0, sizeof(r->order));
	if (fails)
		return err_set(e, -EIO, "%s: it was told to fail here", name);
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
