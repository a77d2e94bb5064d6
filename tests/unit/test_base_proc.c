/* Processes: who is who, and what a child starts with. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"

static void test_a_process_is_not_mistaken_for_another(void **state)
{
	struct proc_id id;
	pid_t pid = fork();
	int fd;

	(void) state;
	if (pid == 0) {
		(void) pause();
		_exit(0);
	}
	assert_int_equal(proc_identify(pid, &id), 0);
	fd = proc_reopen(&id);
	assert_true(fd >= 0);
	id.start--;
	assert_int_equal(proc_reopen(&id), -ESRCH);
	assert_int_equal(proc_pidfd_signal(fd, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(proc_pidfd_signal(fd, 0), -ESRCH);
	assert_int_equal(proc_identify(pid, &id), -ESRCH);
	fd_close(fd);
}

/* Ignores everything, libc's own two signals too, and looks what is left of it.
 * @return exit status */
static int child_of_a_deaf_parent(void)
{
	_cleanup_free_ char *text = NULL;
	unsigned long ignore[8] = { (unsigned long) SIG_IGN };

	for (long sig = 1; sig < NSIG; sig++)
		(void) syscall(SYS_rt_sigaction, sig, ignore, NULL, 8UL);
	proc_default_signals();
	if (file_read_at(AT_FDCWD, "/proc/self/status", 1 << 16, &text, NULL) < 0)
		return 1;
	return strstr(text, "SigIgn:\t0000000000000000") ? 0 : 2;
}

static void test_a_child_ignores_nothing(void **state)
{
	pid_t pid = fork();
	int status = -1;

	(void) state;
	if (pid == 0)
		_exit(child_of_a_deaf_parent());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* To be spared by the OOM killer takes CAP_SYS_RESOURCE, which not every host gives to root.
 * @return exit status */
static int child_of_a_favoured_parent(void)
{
	_cleanup_free_ char *score = NULL;

	(void) file_write_at(AT_FDCWD, "/proc/self/oom_score_adj", "-500");
	if (setpriority(PRIO_PROCESS, 0, -5) < 0 || proc_default_priority() < 0 ||
	    file_read_at(AT_FDCWD, "/proc/self/oom_score_adj", 16, &score, NULL) < 0)
		return 1;
	return getpriority(PRIO_PROCESS, 0) == 0 && !strcmp(score, "0\n") ? 0 : 2;
}

static void test_a_child_is_not_favoured(void **state)
{
	pid_t pid = fork();
	int status = -1;

	(void) state;
	if (pid == 0)
		_exit(child_of_a_favoured_parent());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_process_is_not_mistaken_for_another),
		cmocka_unit_test(test_a_child_ignores_nothing),
		cmocka_unit_test(test_a_child_is_not_favoured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
