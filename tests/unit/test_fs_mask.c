/* The masking layer over a made-up host, and what changes make it stale. Needs root: tmpfs. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "fs/mask.h"
#include "fs/mnt.h"

struct host {
	char path[64]; /* the made-up root */
	int root_fd;
	struct mask *m;
};

static void put(const struct host *h, const char *path, mode_t mode, const char *text)
{
	char full[256];

	(void) snprintf(full, sizeof(full), "%s%s", h->path, path);
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void make_dir(const struct host *h, const char *path, mode_t mode)
{
	char full[256];

	(void) snprintf(full, sizeof(full), "%s%s", h->path, path);
	assert_int_equal(mkdir(full, 0700), 0);
	assert_int_equal(chmod(full, mode), 0);
}

static void populate(const struct host *h)
{
	static const char *const dirs[] = { "/etc", "/etc/app", "/home",	  "/home/alice",
					    "/var", "/var/log", "/var/log/nginx", "/var/lib",
					    "/srv", "/srv/www", "/ward",	  "/tmp",
					    "/run" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		make_dir(h, dirs[i], 0755);
	make_dir(h, "/root", 0700);
	make_dir(h, "/var/lib/db", 0700);
	make_dir(h, "/etc/keys", 0710);
	make_dir(h, "/etc/ward", 0755);
	put(h, "/etc/ward/web.ini", 0644, "s3cret");
	put(h, "/etc/passwd", 0644, "root:x:0:0::/root:/bin/sh\n");
	put(h, "/etc/shadow", 0640, "root:$y$hash$:1:0:9:7:::\nbob::1::::::\nbroken\n");
	put(h, "/etc/app/secret", 0600, "s3cret");
	put(h, "/etc/app/open", 0644, "fine");
	put(h, "/etc/keys/key", 0644, "s3cret");
	put(h, "/etc/machine-id", 0444, "0123\n");
	put(h, "/home/alice/mail", 0644, "s3cret");
	put(h, "/root/key", 0644, "s3cret");
	put(h, "/var/lib/db/data", 0644, "s3cret");
	put(h, "/var/log/nginx/log", 0644, "s3cret");
	put(h, "/srv/www/index", 0644, "fine");
	put(h, "/srv/www/token", 0640, "s3cret");
	put(h, "/ward/state", 0644, "s3cret");
}

static const char *const hidden[] = { "/ward", "/etc/ward", "/nowhere", NULL };

static int build(struct host *h, const struct strv *show)
{
	const struct mask_input in = { h->root_fd, hidden, show, NULL };
	struct err e = { 0 };
	int r = mask_new(&in, &h->m, &e);

	if (r < 0)
		print_message("%s\n", e.text);
	return r;
}

static int set_up(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	*state = h;
	(void) snprintf(h->path, sizeof(h->path), "/tmp/ward-test-mask-XXXXXX");
	if (!h || !mkdtemp(h->path) || chmod(h->path, 0755) < 0)
		return -1;
	h->root_fd = open(h->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* A process of the tests that is root only by name may not mount. */
	static const struct mnt_request request = { .type = "tmpfs" };
	int fd = geteuid() == 0 ? mnt_make(&request, NULL) : -EPERM;
	if (fd < 0)
		return 0;
	close(fd);
	populate(h);
	return build(h, &(struct strv){ 0 });
}

static int tear_down(void **state)
{
	struct host *h = *state;

	mask_free(h->m);
	fd_close(h->root_fd);
	int r = tree_remove_at(AT_FDCWD, h->path);
	free(h);
	return r;
}

static struct host *need(void **state)
{
	struct host *h = *state;

	if (!h->m) {
		print_message("needs root and the new mount API\n");
		skip();
	}
	return h;
}

/* What overlay would show of `path`: "absent" (whiteout or below something opaque), "layer",
 * "empty" (an opaque directory), "host". */
static const char *seen(const struct host *h, const char *path)
{
	char part[256], yes;
	struct stat st;

	for (const char *p = path + 1; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
		size_t n = strchr(p, '/') ? (size_t) (strchr(p, '/') - path - 1) : strlen(path + 1);

		memcpy(part, path + 1, n);
		part[n] = '\0';
		if (fstatat(mask_fd(h->m), part, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return "host";
		if (S_ISCHR(st.st_mode))
			return st.st_rdev == 0 ? "absent" : "device";
		int fd = openat(mask_fd(h->m), part, O_RDONLY | O_CLOEXEC);
		bool opaque = S_ISDIR(st.st_mode) &&
			      fgetxattr(fd, "trusted.overlay.opaque", &yes, 1) == 1;
		close(fd);
		if (opaque && path[n + 1])
			return fstatat(mask_fd(h->m), path + 1, &st, AT_SYMLINK_NOFOLLOW) == 0
				       ? "layer"
				       : "absent";
		if (opaque)
			return "empty";
	}
	return "layer";
}

static char *content(const struct host *h, const char *path)
{
	char *text = NULL;

	assert_int_equal(file_read_at(mask_fd(h->m), path + 1, 4096, &text, NULL), 0);
	return text;
}

static void secrets_are_absent(void **state)
{
	const struct host *h = need(state);
	static const char *const gone[] = { "/etc/app/secret",	"/etc/keys/key",
					    "/home/alice/mail", "/root/key",
					    "/var/lib/db/data", "/var/log/nginx/log",
					    "/srv/www/token",	"/ward/state",
					    "/etc/ward/web.ini" };

	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++)
		if (strcmp(seen(h, gone[i]), "absent") != 0)
			fail_msg("%s: %s", gone[i], seen(h, gone[i]));
}

static void software_shows(void **state)
{
	const struct host *h = need(state);
	struct stat st;

	assert_string_equal(seen(h, "/srv/www/index"), "host");
	assert_string_equal(seen(h, "/usr/bin/tool"), "host");
	assert_string_equal(seen(h, "/etc/passwd"), "layer");
	assert_string_equal(seen(h, "/etc/app/open"), "layer");
	/* Directories that daemons expect keep their mode and lose their content. */
	assert_string_equal(seen(h, "/var/lib/db"), "empty");
	assert_int_equal(fstatat(mask_fd(h->m), "var/lib/db", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_string_equal(seen(h, "/var/log/nginx"), "layer");
	assert_int_equal(fstatat(mask_fd(h->m), "tmp", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
}

static void accounts_are_locked(void **state)
{
	const struct host *h = need(state);
	char *shadow = content(h, "/etc/shadow"), *id = content(h, "/etc/machine-id");

	assert_string_equal(shadow, "root:*:1:0:9:7:::\nbob:*:1::::::\n");
	assert_string_equal(id, "");
	free(shadow);
	free(id);
}

static void the_layer_is_frozen(void **state)
{
	const struct host *h = need(state);

	assert_int_equal(mkdirat(mask_fd(h->m), "new", 0755), -1);
	assert_int_equal(errno, EROFS);
}

static void shown_paths_come_back(void **state)
{
	struct host *h = need(state);
	char *items[] = { (char[]){ "/etc/app/secret" }, (char[]){ "/home/alice" },
			  (char[]){ "/root/key" },	 (char[]){ "/srv/www/token" },
			  (char[]){ "/ward" },		 NULL };
	struct strv show = { items, 5 };
	char redirect[32] = "", *key;

	mask_free(h->m);
	h->m = NULL;
	assert_int_equal(build(h, &show), 0);
	key = content(h, "/root/key");
	assert_string_equal(key, "s3cret");
	free(key);
	key = content(h, "/etc/app/secret");
	assert_string_equal(key, "s3cret");
	free(key);
	assert_string_equal(seen(h, "/srv/www/token"), "host");
	int fd = openat(mask_fd(h->m), "home/alice", O_RDONLY | O_CLOEXEC);
	assert_true(fgetxattr(fd, "trusted.overlay.redirect", redirect, sizeof(redirect)) > 0);
	close(fd);
	assert_string_equal(redirect, "/home/alice");
	assert_string_equal(seen(h, "/ward/state"), "absent"); /* never Ward's own */
}

static void only_what_matters_makes_it_stale(void **state)
{
	struct host *h = need(state);
	char full[128];

	assert_false(mask_stale(h->m));
	put(h, "/srv/www/more", 0644, "fine");
	assert_false(mask_stale(h->m));
	make_dir(h, "/srv/www/sub", 0755);
	assert_false(mask_stale(h->m));
	put(h, "/srv/www/sub/page", 0644, "fine");
	assert_false(mask_stale(h->m));
	/* The new directory is watched too. */
	(void) snprintf(full, sizeof(full), "%s/srv/www/sub/page", h->path);
	assert_int_equal(chmod(full, 0600), 0);
	assert_true(mask_stale(h->m));
	assert_true(mask_stale(h->m)); /* till it is rebuilt */
}

static void a_change_in_etc_makes_it_stale(void **state)
{
	struct host *h = need(state);

	assert_false(mask_stale(h->m));
	put(h, "/etc/app/open", 0644, "changed");
	assert_true(mask_stale(h->m));
}

static void a_secret_that_opens_makes_it_stale(void **state)
{
	struct host *h = need(state);
	char full[128];

	(void) snprintf(full, sizeof(full), "%s/srv/www/token", h->path);
	assert_int_equal(chmod(full, 0644), 0);
	assert_true(mask_stale(h->m));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(secrets_are_absent),
		TEST(software_shows),
		TEST(accounts_are_locked),
		TEST(the_layer_is_frozen),
		TEST(shown_paths_come_back),
		TEST(only_what_matters_makes_it_stale),
		TEST(a_change_in_etc_makes_it_stale),
		TEST(a_secret_that_opens_makes_it_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
