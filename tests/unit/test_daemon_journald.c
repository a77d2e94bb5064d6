/* Events to the journal: its protocol, a journal that is full, one that was started again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "daemon/journald.h"

static char directory[] = "/tmp/ward-journald.XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static sd_event *loop;
static struct events *events;

static int listen_there(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void) unlink(address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
	return fd;
}

static void turn(void)
{
	while (sd_event_run(loop, 0) > 0)
		;
}

static int setup(void **state)
{
	(void) state;
	memcpy(strrchr(directory, '.'), ".XXXXXX", 7);
	if (!mkdtemp(directory))
		return -1;
	(void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	return sd_event_new(&loop) < 0 || events_new(NULL, &events) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void) state;
	events_free(events);
	sd_event_unref(loop);
	return tree_remove_at(-1, directory);
}

static void an_event_is_an_entry(void **state)
{
	struct journald *j;
	char text[4096];
	struct err e = {};
	int fd = listen_there();
	ssize_t n;

	(void) state;
	events_add(events, "started", "old", NULL); /* before: not sent */
	assert_int_equal(journald_new(events, loop, address.sun_path, &j, &e), 0);
	turn();
	assert_int_equal(recv(fd, text, sizeof(text), 0), -1);
	events_add(events, "oom", "web", json_pack("{s:s}", "text", "a\nb"));
	turn();
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "MESSAGE=web: oom\nPRIORITY=6\n"));
	assert_non_null(strstr(text, "\nWARD_SEQ=2\nWARD_KIND=oom\nWARD_CONTEXT=web\nWARD_EVENT={"));
	assert_non_null(strstr(text, "a\\nb\"}\n"));
	assert_int_equal(text[n - 1], '\n');
	journald_free(j);
	close(fd);
}

static void a_full_journal_is_waited_for_elsewhere(void **state)
{
	int fd = listen_there(), got = 0;
	struct journald *j;
	char text[4096];
	struct err e = {};

	(void) state;
	assert_int_equal(journald_new(events, loop, address.sun_path, &j, &e), 0);
	for (int i = 0; i < 1000; i++)
		events_add(events, "started", "web", NULL);
	turn(); /* returns, though the queue of a socket holds some ten */
	for (int i = 0; i < 1000; i++) {
		while (recv(fd, text, sizeof(text), 0) > 0)
			got++;
		turn();
	}
	assert_int_equal(got, 1000);
	journald_free(j);
	close(fd);
}

static void a_new_journal_gets_what_follows(void **state)
{
	int fd = listen_there();
	struct journald *j;
	char text[4096];
	struct err e = {};

	(void) state;
	assert_int_equal(journald_new(events, loop, address.sun_path, &j, &e), 0);
	close(fd);
	events_add(events, "started", "web", NULL); /* to nobody */
	turn();
	fd = listen_there();
	events_add(events, "exited", "web", NULL);
	turn();
	assert_true(recv(fd, text, sizeof(text), 0) > 0);
	assert_non_null(memmem(text, 64, "web: exited", 11));
	journald_free(j);
	close(fd);
	(void) unlink(address.sun_path);
	assert_true(journald_new(events, loop, address.sun_path, &j, &e) < 0);
	assert_non_null(strstr(e.text, address.sun_path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_is_an_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_journal_is_waited_for_elsewhere, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_new_journal_gets_what_follows, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
