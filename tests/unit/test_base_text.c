/* Errors, buffers, string vectors, arenas, the log, and who a process is. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"

static void errors_are_sentences(void **state)
{
	struct err e = { 0 };

	(void) state;
	assert_int_equal(err_set(&e, -EINVAL, "reading %s", "x.ini"), -EINVAL);
	assert_string_equal(e.text, "reading x.ini");
	assert_int_equal(err_set_errno(&e, -ENOENT, "opening \"%s\"", "/x"), -ENOENT);
	assert_string_equal(e.text, "opening \"/x\": No such file or directory");
	assert_int_equal(err_prefix(&e, "context %s", "web"), -ENOENT);
	assert_string_equal(e.text, "context web: opening \"/x\": No such file or directory");
	assert_int_equal(err_set(&e, -EIO, "again: %s", e.text), -EIO);
	assert_string_equal(e.text,
			    "again: context web: opening \"/x\": No such file or directory");
	assert_int_equal(err_set_errno(&e, -99999, "x"), -99999);
	assert_string_equal(e.text, "x: unknown error");
	assert_int_equal(err_set(NULL, -EPERM, "nobody reads"), -EPERM);
	assert_int_equal(err_prefix(NULL, "nobody reads"), -EIO);
}

static void long_errors_are_cut(void **state)
{
	struct err e = { 0 };

	(void) state;
	(void) err_set(&e, -EINVAL, "%2000s", "end");
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	(void) err_prefix(&e, "%s", "start");
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(e.text, "start: ", 7);
}

static void sys_turns_errno_into_a_result(void **state)
{
	(void) state;
	assert_int_equal(sys(open("/does/not/exist", O_RDONLY | O_CLOEXEC)), -ENOENT);
	ssize_t r = sys(read(-1, NULL, 0));
	assert_int_equal(r, -EBADF);
}

static void buffers_grow_and_are_given_away(void **state)
{
	struct buf b = { 0 };

	(void) state;
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	buf_puts(&b, "end");
	buf_add(&b, "\0x", 2);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.len, strlen(b.data) + 2);
	_cleanup_free_ char *text = buf_take(&b);
	assert_memory_equal(text, "0,1,2,", 6);
	assert_null(b.data);
	_cleanup_free_ char *empty = buf_take(&b);
	assert_string_equal(empty, "");
}

static void buffers_have_their_maximum(void **state)
{
	struct buf b = { 0 };
	_cleanup_free_ char *half = calloc(1, BUF_MAX / 2);

	(void) state;
	assert_non_null(half);
	buf_add(&b, half, BUF_MAX / 2);
	buf_add(&b, half, BUF_MAX / 2);
	assert_int_equal(b.error, 0);
	buf_puts(&b, "x");
	assert_int_equal(b.error, -EFBIG);
	buf_puts(&b, ""); /* it sticks */
	assert_int_equal(b.len, BUF_MAX);
	assert_null(buf_take(&b));
	buf_done(&b);
	assert_int_equal(b.error, 0);
}

static void vectors_own_their_strings(void **state)
{
	struct strv a = { 0 }, b = { 0 };
	char text[] = "one";

	(void) state;
	assert_true(strv_equal(&a, &b));
	assert_int_equal(strv_add(&a, text), 0);
	text[0] = 'X';
	assert_int_equal(strv_add(&a, ""), 0);
	assert_string_equal(a.items[0], "one");
	assert_null(a.items[2]);
	assert_int_equal(strv_copy(&b, &a), 0);
	assert_true(strv_equal(&a, &b));
	assert_true(strv_contains(&a, ""));
	assert_false(strv_contains(&a, "on"));
	strv_done(&a);
	assert_int_equal(a.count, 0);
	assert_false(strv_equal(&a, &b));
	strv_done(&b);
}

static void strings_are_replaced_and_compared(void **state)
{
	char *s = NULL;

	(void) state;
	assert_int_equal(str_replace(&s, "a"), 0);
	assert_int_equal(str_replace(&s, s), 0);
	assert_true(str_equal(s, "a"));
	assert_false(str_equal(s, NULL));
	assert_true(str_equal(NULL, NULL));
	assert_int_equal(str_replace(&s, NULL), 0);
	assert_null(s);
}

static void arenas_are_bounded_aligned_and_shared(void **state)
{
	struct arena a;
	char *const argv[] = { (char[]){ "a" }, (char[]){ "bc" } };
	int status;

	(void) state;
	assert_int_equal(arena_init(&a, 1), 0);
	assert_true(a.size >= 4096);
	assert_int_equal(arena_init(&(struct arena){ 0 }, SIZE_MAX), -EINVAL);
	char *p = arena_alloc(&a, 3), *q = arena_alloc(&a, 1);
	assert_int_equal((uintptr_t) q % 16, 0);
	assert_ptr_not_equal(p, q);
	char **copy = arena_strv(&a, argv, 2);
	assert_string_equal(copy[1], "bc");
	assert_null(copy[2]);
	assert_null(arena_alloc(&a, a.size));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_strv(&a, argv, SIZE_MAX / 8));

	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		*q = 'x';
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(*q, 'x');
	arena_done(&a);
	assert_null(arena_alloc(&a, 1));
	arena_done(&a);
}

/* In a child: what log_write() writes goes to a memory file. @return an exit status. */
static int log_in_child(void)
{
	char text[4096] = "";
	int fd = memfd_create("log", MFD_CLOEXEC);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		return 1;
	errno = EXDEV;
	log_info("context %s", "web\n<0>forged\x1b[31m");
	log_debug("not shown");
	if (errno != EXDEV)
		return 2;
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("shown");
	log_error("%5000s", "long");
	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return 3;
	static const char expected[] = "<6>context web <0>forged?[31m\n<7>shown\n<3>";
	if (strncmp(text, expected, sizeof(expected) - 1) != 0)
		return 4;
	return text[strlen(text) - 1] == '\n' ? 0 : 5;
}

static void the_log_writes_single_lines(void **state)
{
	int status;

	(void) state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(log_in_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_process_is_its_pid_and_its_start(void **state)
{
	struct proc_id id, other;
	siginfo_t info;

	(void) state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void) pause();
		_exit(0);
	}
	assert_int_equal(proc_identify(pid, &id), 0);
	assert_int_equal(id.pid, pid);
	assert_int_equal(proc_identify(getpid(), &other), 0);
	assert_true(other.start <= id.start);

	_cleanup_close_ int fd = proc_reopen(&id);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	other = id;
	other.start++; /* the pid was used again */
	assert_int_equal(proc_reopen(&other), -ESRCH);

	assert_int_equal(proc_pidfd_signal(fd, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t) pid, &info, WEXITED), 0);
	assert_int_equal(info.si_status, SIGKILL);
	assert_int_equal(proc_pidfd_signal(fd, SIGKILL), -ESRCH);
	assert_int_equal(proc_reopen(&id), -ESRCH);
	assert_int_equal(proc_identify(pid, &id), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_are_sentences),
		cmocka_unit_test(long_errors_are_cut),
		cmocka_unit_test(sys_turns_errno_into_a_result),
		cmocka_unit_test(buffers_grow_and_are_given_away),
		cmocka_unit_test(buffers_have_their_maximum),
		cmocka_unit_test(vectors_own_their_strings),
		cmocka_unit_test(strings_are_replaced_and_compared),
		cmocka_unit_test(arenas_are_bounded_aligned_and_shared),
		cmocka_unit_test(the_log_writes_single_lines),
		cmocka_unit_test(a_process_is_its_pid_and_its_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
