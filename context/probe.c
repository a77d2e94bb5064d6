/* What the kernel offers a context's processes: tried, not read from a list. */
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"
#include "context/context.h"

/** Whether a child may make these namespaces. */
static bool can_unshare(int flags)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	siginfo_t info = { 0 };
	pid_t pid = proc_clone3(&args);
	int r;

	if (pid == 0) {
		_exit(unshare(flags) == 0 ? 0 : 1);
	}
	if (pid < 0) {
		return false;
	}
	do {
		r = sys(waitid(P_PID, (id_t) pid, &info, WEXITED));
	} while (r == -EINTR);
	return r == 0 && info.si_code == CLD_EXITED && info.si_status == 0;
}

static unsigned find_last_cap(void)
{
	unsigned cap = 0;

	while (cap < 63 && prctl(PR_CAPBSET_READ, cap + 1, 0, 0, 0) >= 0) {
		cap++;
	}
	return cap;
}

static bool have_seccomp(void)
{
	uint32_t action = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static bool have_cap_sys_resource(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	return capget(&header, data) == 0 && (data[0].effective >> CAP_SYS_RESOURCE & 1);
}

static bool have_pidfd(void)
{
	_cleanup_close_ int fd = proc_pidfd_open(getpid());

	return fd >= 0;
}

void context_probe(struct facts *facts)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	facts->context.user_ns = can_unshare(CLONE_NEWUSER);
	facts->context.time_ns =
		can_unshare(CLONE_NEWTIME) && access("/proc/self/timens_offsets", F_OK) == 0;
	facts->context.seccomp = have_seccomp();
	facts->context.close_range = syscall(SYS_close_range, ~0U, ~0U, 0) == 0;
	facts->context.pidfd = have_pidfd();
	facts->context.cap_sys_resource = have_cap_sys_resource();
	/* GET_KEYRING_ID of the session keyring, without making one. */
	facts->context.keyrings = syscall(SYS_keyctl, 0, -3, 0) >= 0 || errno != ENOSYS;
	facts->context.landlock_abi = abi > 0 ? (int) abi : 0;
	facts->context.last_cap = find_last_cap();
}
