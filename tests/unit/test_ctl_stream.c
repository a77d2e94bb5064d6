/* The conversation of run and exec, against a daemon that is the other end of a socket pair. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "ctl/fast.h"
#include "ctl/stream.h"

static struct stream fresh(bool terminal)
{
	return (struct stream){
		.sock = -1, .master = -1, .terminal = terminal, .reply = { .state = HTTP_UPGRADED }
	};
}

static int line(struct stream *s, const char *text, int *fd)
{
	struct err e = { 0 };
	int r = stream_line(s, text, strlen(text), fd, &e);

	assert_true(r == 0 || e.text[0]);
	return r;
}

static void ends_become_exit_statuses(void **state)
{
	static const struct {
		const char *line, *text;
		int status;
	} rows[] = {
		{ "{\"event\": \"exit\", \"status\": 3}", "", 3 },
		{ "{\"event\": \"exit\", \"status\": 255}", "", 255 },
		{ "{\"event\": \"exit\", \"signal\": 9, \"text\": \"out of memory\"}",
		  "out of memory", 137 },
		{ "{\"event\": \"error\", \"exit\": 127, \"text\": \"x\"}", "x", 127 },
		{ "{\"event\": \"error\", \"exit\": 126, \"text\": \"x\"}", "x", 126 },
		{ "{\"event\": \"error\", \"exit\": 0, \"text\": \"x\"}", "x", 125 },
		{ "{\"event\": \"error\"}", "the command could not be started", 125 },
	};
	int none = -1;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stream s = fresh(false);

		assert_int_equal(line(&s, rows[i].line, &none), 0);
		assert_true(s.done);
		assert_int_equal(s.status, rows[i].status);
		assert_string_equal(s.text, rows[i].text);
	}
}

static void strange_lines_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"no json",
		"[]",
		"{}",
		"{\"event\": 3}",
		"{\"event\": \"exit\"}",
		"{\"event\": \"exit\", \"status\": 256}",
		"{\"event\": \"exit\", \"status\": -1}",
		"{\"event\": \"exit\", \"signal\": 0}",
		"{\"event\": \"exit\", \"signal\": 500}",
		"{\"event\": \"terminal\"}",
	};
	struct stream s = fresh(true);
	int none = -1;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(line(&s, rows[i], &none), -EPROTO);
	assert_false(s.done);
	assert_int_equal(line(&s, "{\"event\": \"of a later daemon\"}", &none), 0);
}

static void a_terminal_comes_once_and_only_when_asked(void **state)
{
	struct stream s = fresh(true), plain = fresh(false);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), other = dup(fd);

	(void) state;
	assert_int_equal(line(&plain, "{\"event\": \"terminal\"}", &fd), -EPROTO);
	assert_int_equal(line(&s, "{\"event\": \"terminal\"}", &fd), 0);
	assert_int_equal(fd, -1);
	assert_true(s.master >= 0);
	assert_int_equal(line(&s, "{\"event\": \"terminal\"}", &other), -EPROTO);
	fd_close(other);
	stream_done(&s);
}

static void lines_are_read_however_they_are_cut(void **state)
{
	static const char text[] = "{\"event\": \"started\", \"name\": \"a\", \"pid\": 1}\n"
				   "{\"event\": \"exit\", \"status\": 7}\n";

	(void) state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct stream s = fresh(false);
		struct err e = { 0 };
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		s.sock = pair[0];
		for (size_t i = 0; i < sizeof(text) - 1 && !s.done; i += piece) {
			size_t n = sizeof(text) - 1 - i;

			n = n < piece ? n : piece;
			assert_int_equal(write(pair[1], text + i, n), n);
			assert_int_equal(stream_read(&s, &e), 0);
		}
		assert_true(s.started && s.done);
		assert_int_equal(s.status, 7);
		close(pair[1]);
		stream_done(&s);
	}
}

static void a_hostile_daemon_is_left(void **state)
{
	static const int two[] = { 0, 0 };
	char junk[4096];
	struct stream s = fresh(false);
	struct err e = { 0 };
	int pair[2], r = 0;

	(void) state;
	memset(junk, 'x', sizeof(junk));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	s.sock = pair[0];
	for (size_t i = 0; i < 2 * STREAM_LINE_MAX && r >= 0; i += sizeof(junk)) {
		assert_int_equal(write(pair[1], junk, sizeof(junk)), sizeof(junk));
		r = stream_read(&s, &e);
	}
	assert_int_equal(r, -EMSGSIZE); /* a line without end */
	s.line_len = 0;
	assert_int_equal(fd_send(pair[1], "{}\n", 3, two, 2), 0);
	assert_true(stream_read(&s, &e) < 0); /* more descriptors than agreed */
	close(pair[1]);
	assert_true(stream_read(&s, &e) < 0); /* an end without an exit */
	assert_false(s.done);
	stream_done(&s);
}

/* What fast.c hands over is taken up at each point of the conversation. */
static void the_fast_path_is_taken_up(void **state)
{
	static const struct {
		enum fast_phase phase;
		const char *data;
		int result;
		bool done;
	} rows[] = {
		{ FAST_REPLY, "HTTP/1.1 101 x\r\n\r\n", 0, false },
		{ FAST_REPLY, "HTTP/1.1 101 x\r\n\r\n{\"event\": \"error\"}\n", 0, true },
		{ FAST_REPLY, "HTTP/1.1 403 x\r\nContent-Length: 2\r\n\r\n{}", -EPERM, false },
		{ FAST_REPLY, "HTTP/9", -ECONNRESET, false },
		{ FAST_LINES, "", 0, false },
		{ FAST_LINES, "{\"event\": \"star", 0, false },
		{ FAST_LINES, "{\"event\": \"exit\", \"signal\": 9}\n", 0, true },
		{ FAST_LINES, "junk\n", -EPROTO, false },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fast f = { .phase = rows[i].phase, .len = strlen(rows[i].data) };
		struct err e = { 0 };
		struct stream s;
		int pair[2];

		memcpy(f.data, rows[i].data, f.len);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		f.sock = pair[0];
		close(pair[1]);
		assert_int_equal(stream_resume(&s, &f, &e), rows[i].result);
		assert_true(s.given);
		assert_int_equal(s.done, rows[i].done);
		stream_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_become_exit_statuses),
		cmocka_unit_test(strange_lines_are_refused),
		cmocka_unit_test(a_terminal_comes_once_and_only_when_asked),
		cmocka_unit_test(lines_are_read_however_they_are_cut),
		cmocka_unit_test(a_hostile_daemon_is_left),
		cmocka_unit_test(the_fast_path_is_taken_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
