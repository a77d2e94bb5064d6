/* Descriptors over a socket: whole messages, nothing leaks into the receiver's table. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"

static int pair[2];

static int setup(void **state)
{
	(void) state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int teardown(void **state)
{
	(void) state;
	fd_close(pair[0]);
	fd_close(pair[1]);
	return 0;
}

/* The lowest free descriptor: it stays the same when nothing leaked. */
static int lowest_free(void)
{
	int fd = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);

	fd_close(fd);
	return fd;
}

static void descriptors_arrive_close_on_exec(void **state)
{
	char data[8] = "";
	int got[4], sent[2] = { STDIN_FILENO, pair[0] };
	size_t n = 0;

	(void) state;
	assert_int_equal(fd_send(pair[0], "hello", 6, sent, 2), 0);
	assert_int_equal(fd_recv(pair[1], data, sizeof(data), got, 4, &n), 6);
	assert_string_equal(data, "hello");
	assert_int_equal(n, 2);

	struct stat a, b;
	assert_int_equal(fstat(pair[0], &a), 0);
	assert_int_equal(fstat(got[1], &b), 0);
	assert_true(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	for (size_t i = 0; i < n; i++) {
		assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
		fd_close(got[i]);
	}
}

static void a_message_without_descriptors_is_one_too(void **state)
{
	char data[4];
	size_t n = 99;

	(void) state;
	assert_int_equal(fd_send(pair[0], "abc", 4, NULL, 0), 0);
	assert_int_equal(fd_recv(pair[1], data, sizeof(data), NULL, 0, &n), 4);
	assert_int_equal(n, 0);
	pair[0] = fd_close(pair[0]);
	assert_int_equal(fd_recv(pair[1], data, sizeof(data), NULL, 0, &n), 0);
}

static void too_many_descriptors_are_closed_again(void **state)
{
	int many[FD_PASS_MAX], got[FD_PASS_MAX];
	char data[4];
	size_t n = 0;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = STDIN_FILENO;
	int free_before = lowest_free();
	assert_int_equal(fd_send(pair[0], "x", 1, many, FD_PASS_MAX), 0);
	assert_int_equal(fd_recv(pair[1], data, sizeof(data), got, 3, &n), -EMFILE);
	assert_int_equal(lowest_free(), free_before);

	assert_int_equal(fd_send(pair[0], "x", 1, many, FD_PASS_MAX), 0);
	assert_int_equal(fd_recv(pair[1], data, sizeof(data), got, FD_PASS_MAX, &n), 1);
	assert_int_equal(n, FD_PASS_MAX);
	for (size_t i = 0; i < n; i++)
		fd_close(got[i]);
	assert_int_equal(fd_send(pair[0], "x", 1, many, FD_PASS_MAX + 1), -EINVAL);
	assert_int_equal(fd_send(pair[0], "", 0, NULL, 0), -EINVAL);
}

static void a_message_that_does_not_fit_is_refused_whole(void **state)
{
	char data[2];
	int got[2], sent[1] = { STDIN_FILENO };
	size_t n = 0;

	(void) state;
	int free_before = lowest_free();
	assert_int_equal(fd_send(pair[0], "longer", 6, sent, 1), 0);
	assert_int_equal(fd_recv(pair[1], data, sizeof(data), got, 2, &n), -EMSGSIZE);
	assert_int_equal(lowest_free(), free_before);
}

static void a_dead_peer_is_an_error_not_a_signal(void **state)
{
	(void) state;
	pair[1] = fd_close(pair[1]);
	assert_int_equal(fd_send(pair[0], "x", 1, NULL, 0), -EPIPE);
}

static void closing_keeps_errno(void **state)
{
	(void) state;
	errno = ENOTTY;
	assert_int_equal(fd_close(-1), -1);
	assert_int_equal(fd_close(dup(pair[0])), -1);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(fd_close(9999), -1);
	assert_int_equal(errno, ENOTTY);

	int fd = 7;
	assert_int_equal(TAKE_FD(fd), 7);
	assert_int_equal(fd, -1);
}

/* In a child: @return 0 when exactly what was to stay is open. */
static int close_others_in_child(void)
{
	const int keep[] = { 1, 5, 9 };
	const int wrong[] = { 5, 1 };

	if (fd_close_others(wrong, 2) != -EINVAL)
		return 1;
	for (int fd = 0; fd < 12; fd++) {
		if (dup2(pair[0], fd) < 0)
			return 2;
	}
	if (fd_close_others(keep, ARRAY_SIZE(keep)) < 0)
		return 3;
	for (int fd = 0; fd < 64; fd++) {
		bool open = fcntl(fd, F_GETFD) >= 0;
		bool wanted = fd == 1 || fd == 5 || fd == 9;

		if (open != wanted)
			return 4;
	}
	return fd_close_others(NULL, 0) < 0 || fcntl(1, F_GETFD) >= 0 ? 5 : 0;
}

static void only_what_is_named_stays_open(void **state)
{
	int status;

	(void) state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(close_others_in_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(descriptors_arrive_close_on_exec),
		TEST(a_message_without_descriptors_is_one_too),
		TEST(too_many_descriptors_are_closed_again),
		TEST(a_message_that_does_not_fit_is_refused_whole),
		TEST(a_dead_peer_is_an_error_not_a_signal),
		TEST(closing_keeps_errno),
		TEST(only_what_is_named_stays_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
