/* From a spec to a view: printed and compared with tests/golden/fs_*, and every refusal. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "fs/fs.h"
#include "fs/plan.h"

static struct facts able(void)
{
	struct facts f = { 0 };

	f.fs.mount_api = f.fs.idmap = f.fs.idmap_tmpfs = f.fs.idmap_overlay = true;
	f.fs.idmap_mask = f.fs.overlay = f.fs.loop = true;
	return f;
}

static struct spec plain(void)
{
	struct spec s = { .name = "web" };

	s.files.upper_bytes = 64u << 20;
	s.network.mode = SPEC_NETWORK_NONE;
	return s;
}

static void assert_golden_on(const struct facts *f, const struct spec *s, const char *path)
{
	struct fs_plan *p = NULL;
	struct err e = { 0 };
	struct buf b = { 0 };
	char *expected = NULL;

	assert_int_equal(fs_plan_new(s, f, &p, &e), 0);
	fs_print(p, &b);
	if (getenv("WARD_GOLDEN_WRITE") != NULL)
		assert_int_equal(file_replace_at(AT_FDCWD, path, b.data, b.len, 0644), 0);
	assert_int_equal(file_read_at(AT_FDCWD, path, 65536, &expected, NULL), 0);
	assert_string_equal(b.data, expected);
	free(expected);
	buf_done(&b);
	fs_plan_free(p);
}

static void assert_golden(const struct spec *s, const char *path)
{
	struct facts f = able();

	assert_golden_on(&f, s, path);
}

static void golden_host(void **state)
{
	struct spec s = plain();

	(void) state;
	assert_golden(&s, "tests/golden/fs_host.txt");
}

/* What cannot be id-mapped is given its owners, and no /dev can be shared. */
static void golden_host_of_an_old_kernel(void **state)
{
	struct facts f = able();
	struct spec s = plain();

	(void) state;
	f.fs.idmap_tmpfs = false;
	assert_golden_on(&f, &s, "tests/golden/fs_host_old.txt");
}

static void golden_host_without_ids(void **state)
{
	struct spec s = plain();
	char *show[] = { (char[]){ "/var/log" }, (char[]){ "/etc/shadow" }, NULL };

	(void) state;
	s.process.ids = SPEC_IDS_NONE;
	s.network.mode = SPEC_NETWORK_HOST;
	s.files.mode = SPEC_MODE_READ_ONLY;
	s.files.show = (struct strv){ show, 2 };
	assert_golden(&s, "tests/golden/fs_host_without_ids.txt");
}

/* Mounts come sorted by target, whatever the order in the file, and hides last. */
static void golden_everything(void **state)
{
	struct spec s = plain();
	struct spec_bind binds[] = {
		{ (char[]){ "/srv/www" }, (char[]){ "/srv/a/b" }, false },
		{ (char[]){ "/data" }, (char[]){ "/srv/a" }, true },
	};
	struct spec_tmpfs tmpfs[] = { { (char[]){ "/srv" }, 1 << 20 },
				      { (char[]){ "/dev/shm" }, 2 << 20 } };
	char *hide[] = { (char[]){ "/root" }, (char[]){ "/etc/x" }, NULL };
	char *devices[] = { (char[]){ "/dev/fuse" }, NULL };

	(void) state;
	s.files.mode = SPEC_MODE_COW;
	s.files.upper = SPEC_UPPER_KEPT;
	s.files.binds = binds;
	s.files.bind_count = 2;
	s.files.tmpfs = tmpfs;
	s.files.tmpfs_count = 2;
	s.files.hide = (struct strv){ hide, 2 };
	s.files.devices = (struct strv){ devices, 1 };
	s.process.capabilities = UINT64_MAX;
	s.context.hostname = (char[]){ "other" };
	assert_golden(&s, "tests/golden/fs_everything.txt");
}

static void golden_directory_with_init(void **state)
{
	struct spec s = plain();

	(void) state;
	s.files.root = SPEC_ROOT_DIRECTORY;
	s.files.root_path = (char[]){ "/srv/debian" };
	s.files.mode = SPEC_MODE_READ_WRITE;
	s.context.init = SPEC_INIT_PATH;
	s.context.init_path = (char[]){ "/sbin/init" };
	s.network.mode = SPEC_NETWORK_PRIVATE;
	assert_golden(&s, "tests/golden/fs_directory_with_init.txt");
}

static void what_a_view_lacks_is_said(void **state)
{
	struct facts f = able();
	struct spec s = plain();
	struct fs_plan *p = NULL;
	struct buf b = { 0 };

	(void) state;
	memcpy(f.fs.apart, "/usr /var", 10);
	assert_int_equal(fs_plan_new(&s, &f, &p, NULL), 0);
	fs_print(p, &b);
	assert_int_equal(strncmp(b.data, "warning ", 8), 0);
	assert_non_null(strstr(b.data, "bind what is needed: /usr /var\n"));
	buf_done(&b);
	fs_plan_free(p);
}

static void assert_refused(const struct spec *s, const struct facts *f, int code, const char *text)
{
	struct fs_plan *p = NULL;
	struct err e = { 0 };

	assert_int_equal(fs_plan_new(s, f, &p, &e), code);
	assert_null(p);
	if (!strstr(e.text, text))
		fail_msg("\"%s\" does not say \"%s\"", e.text, text);
}

static void what_the_kernel_lacks_is_named(void **state)
{
	struct spec s = plain(), kept = plain(), none = plain();
	struct fs_plan *p = NULL;
	struct facts f;

	(void) state;
	f = able(), f.fs.mount_api = false;
	assert_refused(&s, &f, -EOPNOTSUPP, "mount API");
	f = able(), f.fs.overlay = false;
	assert_refused(&s, &f, -EOPNOTSUPP, "overlayfs");
	f = able(), f.fs.idmap = false;
	assert_refused(&s, &f, -EOPNOTSUPP, "id-mapped mounts");
	f = able(), f.fs.idmap_tmpfs = f.fs.idmap_mask = false;
	assert_refused(&s, &f, -EOPNOTSUPP, "id-mapped tmpfs");
	f = able(), f.fs.idmap_overlay = false;
	assert_refused(&s, &f, -EOPNOTSUPP, "id-mapped layers");
	f = able(), f.fs.loop = false;
	kept.files.upper = SPEC_UPPER_KEPT;
	assert_refused(&kept, &f, -EOPNOTSUPP, "loop devices");
	/* Without ids of its own a context needs none of the mappings. */
	f = able(), f.fs.idmap = f.fs.idmap_tmpfs = f.fs.idmap_overlay = f.fs.idmap_mask = false;
	none.process.ids = SPEC_IDS_NONE;
	assert_int_equal(fs_plan_new(&none, &f, &p, NULL), 0);
	fs_plan_free(p);
	/* Nor does a directory need a layer above it that masks. */
	f = able(), f.fs.idmap_tmpfs = f.fs.idmap_mask = false;
	s.files.root = SPEC_ROOT_DIRECTORY;
	s.files.root_path = (char[]){ "/srv" };
	assert_int_equal(fs_plan_new(&s, &f, &p, NULL), 0);
	fs_plan_free(p);
}

static void the_host_is_never_writable(void **state)
{
	struct spec s = plain();
	struct facts f = able();

	(void) state;
	s.files.mode = SPEC_MODE_READ_WRITE;
	assert_refused(&s, &f, -EINVAL, "give the host's root away");
}

static void bad_paths_are_refused(void **state)
{
	static const char *const targets[] = { "/",	   "relative", "/a/../b", "/a//b",
					       "/proc",	   "/proc/x",  "/sys",	  "/sys/fs/cgroup",
					       "/a/../..", "" };
	struct facts f = able();

	(void) state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		char target[32];
		struct spec_bind bind = { (char[]){ "/srv" }, target, false };
		struct spec_tmpfs tmpfs = { target, 4096 };
		char *hide[] = { target, NULL };
		struct spec s = plain();

		memcpy(target, targets[i], strlen(targets[i]) + 1);
		s.files.binds = &bind;
		s.files.bind_count = 1;
		assert_refused(&s, &f, -EINVAL, "files.bind");
		s = plain();
		s.files.tmpfs = &tmpfs;
		s.files.tmpfs_count = 1;
		assert_refused(&s, &f, -EINVAL, "files.tmpfs");
		s = plain();
		s.files.hide = (struct strv){ hide, 1 };
		assert_refused(&s, &f, -EINVAL, "files.hide");
		s.files.hide = (struct strv){ 0 };
		s.files.devices = (struct strv){ hide, 1 };
		assert_refused(&s, &f, -EINVAL, "files.device");
	}
}

static void binds_have_a_stated_maximum(void **state)
{
	char path[] = "/srv";
	struct spec_bind binds[FS_ATTACHED_MAX + 1];
	struct facts f = able();
	struct spec s = plain();
	struct fs_plan *p = NULL;

	(void) state;
	for (size_t i = 0; i < FS_ATTACHED_MAX + 1; i++)
		binds[i] = (struct spec_bind){ path, path, false };
	s.files.binds = binds;
	s.files.bind_count = FS_ATTACHED_MAX;
	assert_int_equal(fs_plan_new(&s, &f, &p, NULL), 0);
	fs_plan_free(p);
	s.files.bind_count++;
	assert_refused(&s, &f, -E2BIG, "at most");
}

/* What no user namespace protects is masked for every context, whatever its ids. */
static void masks_without_ids_include_those_with(void **state)
{
	size_t always = 0, all = 0;

	(void) state;
	for (const struct fs_proc_rule *r = fs_proc_rules; r->path; r++) {
		always += r->always;
		all++;
		assert_true(r->kind == FS_OP_MASK || r->kind == FS_OP_LOCK);
	}
	assert_true(always < all);
	for (int k = 0; k < FS_OP_KIND_COUNT; k++)
		assert_non_null(fs_op_kind_name((enum fs_op_kind) k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_host),
		cmocka_unit_test(golden_host_of_an_old_kernel),
		cmocka_unit_test(golden_host_without_ids),
		cmocka_unit_test(golden_everything),
		cmocka_unit_test(golden_directory_with_init),
		cmocka_unit_test(what_a_view_lacks_is_said),
		cmocka_unit_test(what_the_kernel_lacks_is_named),
		cmocka_unit_test(the_host_is_never_writable),
		cmocka_unit_test(bad_paths_are_refused),
		cmocka_unit_test(binds_have_a_stated_maximum),
		cmocka_unit_test(masks_without_ids_include_those_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
