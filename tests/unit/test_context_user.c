/* Users of a view: found by name and number, and hostile passwd and group files survived. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "context/user.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "# a comment\n"
			     "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
			     "short:x:44\n"
			     "huge:x:4294967296:0::/:/bin/sh\n"
			     "minus:x:-1:0::/:/bin/sh\n"
			     "last:x:4294967295:0::/:/bin/sh\n"
			     "1000:x:55:56::/named:/bin/sh\n"
			     "alice:x:1000:1000:Alice,,,:/home/alice:/bin/sh\n"
			     "tail:x:77:77::/tail:/bin/sh";
static const char group[] = "root:x:0:\n"
			    "www-data:x:33:\n"
			    "adm:x:4:syslog,alice\n"
			    "alice:x:1000:alice\n"
			    "alicea:x:5:alicea\n"
			    "bad:x:zz:alice\n"
			    "video:x:44:bob,alice,carol\n";

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, data, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int find(const char *text, struct user_identity *ret, struct err *e)
{
	_cleanup_close_ int p = file_of(passwd, sizeof(passwd) - 1);
	_cleanup_close_ int g = file_of(group, sizeof(group) - 1);

	return user_find(text, p, g, ret, e);
}

static void root_is_the_default(void **state)
{
	struct user_identity u;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(find(NULL, &u, &e), 0);
	assert_int_equal(u.uid, 0);
	assert_int_equal(u.gid, 0);
	assert_string_equal(u.home, "/root");
	assert_string_equal(u.shell, "/bin/bash");
	assert_int_equal(u.group_count, 1);
}

static void root_needs_no_files(void **state)
{
	struct user_identity u;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(user_find(NULL, -1, -1, &u, &e), 0);
	assert_int_equal(u.uid, 0);
	assert_string_equal(u.home, "/");
	assert_int_equal(user_find("7:8", -1, -1, &u, &e), 0);
	assert_int_equal(u.uid, 7);
	assert_int_equal(u.gid, 8);
	assert_int_equal(user_find("nobody", -1, -1, &u, &e), -ENOENT);
}

static void a_name_brings_its_groups(void **state)
{
	struct user_identity u;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(find("alice", &u, &e), 0);
	assert_int_equal(u.uid, 1000);
	assert_int_equal(u.gid, 1000);
	assert_string_equal(u.home, "/home/alice");
	assert_int_equal(u.group_count, 3);
	assert_int_equal(u.groups[0], 4);
	assert_int_equal(u.groups[1], 1000);
	assert_int_equal(u.groups[2], 44);
}

static void a_group_replaces_them(void **state)
{
	struct user_identity u;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(find("alice:www-data", &u, &e), 0);
	assert_int_equal(u.gid, 33);
	assert_int_equal(u.group_count, 1);
	assert_int_equal(find("33:12", &u, &e), 0);
	assert_string_equal(u.name, "www-data");
	assert_int_equal(u.gid, 12);
}

static void a_name_wins_over_a_number(void **state)
{
	struct user_identity u;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(find("1000", &u, &e), 0);
	assert_int_equal(u.uid, 55);
	assert_string_equal(u.home, "/named");
	assert_int_equal(find("4711", &u, &e), 0);
	assert_int_equal(u.uid, 4711);
	assert_int_equal(u.gid, 4711);
	assert_string_equal(u.name, "");
}

static void what_is_malformed_is_not_there(void **state)
{
	static const char *const names[] = { "short", "huge", "minus", "last", "tail", "#", "nix" };
	struct user_identity u;
	struct err e = { 0 };

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(find(names[i], &u, &e), -ENOENT);
		assert_non_null(strstr(e.text, names[i]));
	}
	assert_int_equal(find("alice:bad", &u, &e), -ENOENT);
}

static void a_bad_name_is_refused(void **state)
{
	char longer[USER_NAME_MAX + 1];
	struct user_identity u;
	struct err e = { 0 };

	(void) state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(find("", &u, &e), -EINVAL);
	assert_int_equal(find(":0", &u, &e), -EINVAL);
	assert_int_equal(find("root:", &u, &e), -EINVAL);
	assert_int_equal(find(longer, &u, &e), -EINVAL);
	assert_int_equal(find("4294967295", &u, &e), -ENOENT);
}

static void long_lines_and_nuls_are_skipped(void **state)
{
	static char text[100000];
	size_t len = 0;
	struct user_identity u;
	struct err e = { 0 };

	(void) state;
	memset(text, 'x', sizeof(text));
	len = 70000;
	text[len++] = '\n';
	memcpy(text + len, "bob:x\0:1:1::/:\n", 15);
	len += 15;
	memcpy(text + len, "bob:x:2:2::/b:\n", 15);
	len += 15;
	_cleanup_close_ int p = file_of(text, len);
	assert_int_equal(user_find("bob", p, -1, &u, &e), 0);
	assert_int_equal(u.uid, 2);
}

static void a_name_too_long_gives_nobody_root(void **state)
{
	char text[USER_NAME_MAX + 32];
	struct user_identity u;
	struct err e = { 0 };

	(void) state;
	memset(text, 'n', USER_NAME_MAX);
	memcpy(text + USER_NAME_MAX, ":x:33:34::/h:/s\n", 17);
	_cleanup_close_ int p = file_of(text, USER_NAME_MAX + 16);
	assert_int_equal(user_find("33", p, -1, &u, &e), 0);
	assert_int_equal(u.uid, 33);
	assert_int_equal(u.gid, 33);
}

static void an_endless_file_ends(void **state)
{
	_cleanup_close_ int p = memfd_create("test", MFD_CLOEXEC);
	struct user_identity u;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(ftruncate(p, USER_FILE_MAX * 4L), 0);
	assert_int_equal(user_find("bob", p, -1, &u, &e), -EFBIG);
}

static void only_regular_files_are_opened(void **state)
{
	(void) state;
	assert_int_equal(user_open("/dev/null"), -EINVAL);
	assert_int_equal(user_open("/nonexistent"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_is_the_default),
		cmocka_unit_test(root_needs_no_files),
		cmocka_unit_test(a_name_brings_its_groups),
		cmocka_unit_test(a_group_replaces_them),
		cmocka_unit_test(a_name_wins_over_a_number),
		cmocka_unit_test(what_is_malformed_is_not_there),
		cmocka_unit_test(a_bad_name_is_refused),
		cmocka_unit_test(long_lines_and_nuls_are_skipped),
		cmocka_unit_test(a_name_too_long_gives_nobody_root),
		cmocka_unit_test(an_endless_file_ends),
		cmocka_unit_test(only_regular_files_are_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
