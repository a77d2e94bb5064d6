/* Landlock scoping, for contexts on the host's network: abstract Unix sockets have no file
 * permissions, and the network namespace that would hide them is the host's. The signal scope is
 * not used: programs started by exec are in a domain of their own and could not be signalled. */
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "context/command.h"

#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)

/* <linux/landlock.h> of our build hosts ends before `scoped` (ABI 6). */
struct ruleset_attr {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

int command_landlock(void *arg, struct err *e)
{
	const struct ruleset_attr attr = { .scoped = SCOPE_ABSTRACT_UNIX_SOCKET };
	_cleanup_close_ int fd =
		(int) sys(syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0));
	int r = fd;

	(void) arg;
	if (fd >= 0) {
		r = (int) sys(syscall(SYS_landlock_restrict_self, fd, 0));
	}
	return r < 0 ? err_set_errno(e, r, "restricting abstract sockets with Landlock") : 0;
}
