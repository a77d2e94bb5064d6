/* Processes: identity that survives a restart of the daemon, and the few calls libc lacks. */
#pragma once

#include <linux/sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** A process that cannot be mistaken for another one: the pid and when it started. */
struct proc_id {
	pid_t pid;
	uint64_t start; /* clock ticks since boot, /proc/PID/stat field 22 */
};

/** clone3(2). @return child's pid in the parent, 0 in the child, or -errno. */
pid_t proc_clone3(struct clone_args *args);
/** pidfd_open(2), O_CLOEXEC by nature. @return descriptor or -errno. */
int proc_pidfd_open(pid_t pid);
/** pidfd_send_signal(2). @return 0 or -errno (-ESRCH: it is gone). */
int proc_pidfd_signal(int pidfd, int sig);
/** pidfd_getfd(2): a duplicate of another process's descriptor, O_CLOEXEC. @return it or -errno. */
int proc_pidfd_getfd(int pidfd, int fd);
/** Reads pid's start time. @return 0, -ESRCH when it is gone. */
[[nodiscard]] int proc_identify(pid_t pid, struct proc_id *ret);
/** Opens a pidfd and proves that it is still the same process. @return pidfd or -ESRCH. */
int proc_reopen(const struct proc_id *id);
/** Gives every signal its default action back, for a child before its exec. A clone keeps what the
 * daemon ignores (SIGPIPE; SIGINT when a script started it with "&"), and so does an
 * exec; a command must start with every signal at its default (execve(2)). */
void proc_default_signals(void);
/** Takes back what an admin may have given the daemon itself: a nice value below 0 and protection
 * from the kernel's OOM killer (proc_pid_oom_score_adj(5)). @return 0 or -errno. */
[[nodiscard]] int proc_default_priority(void);
