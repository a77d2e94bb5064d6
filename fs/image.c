/* ext4 images: what every kernel with id mappings can map, bounded in bytes and inodes wherever the
 * file lies. */

#include "fs/image.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"
#include "fs/mnt.h"

#define IMAGE_FD 3 /* where mke2fs finds the image */
#define OPTIONS_MAX 8
#define MEMORY_BYTES ((off_t) 512 << 20) /* sparse: what is not written takes no memory */
#define MEMFD_NAME_MAX 249

static int spawn_mke2fs(int image, const char *const *argv, pid_t *ret)
{
	static const char *const places[] = { "/usr/sbin/mke2fs", "/sbin/mke2fs" };
	static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int r = -ENOENT;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	for (int fd = 0; fd < IMAGE_FD; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, image, IMAGE_FD);
	for (size_t i = 0; i < ARRAY_SIZE(places) && r == -ENOENT; i++)
		r = -posix_spawn(ret, places[i], &actions, &attr, (char *const *) argv,
				 (char *const *) environment);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

int image_format(int image, const char *const *options)
{
	static const char *const always[] = {
		"mke2fs", "-F",	  "-q",
		"-t",	  "ext4", "-m",
		"0",	  "-E",	  "nodiscard,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0",
	};
	const char *argv[ARRAY_SIZE(always) + OPTIONS_MAX + 2] = {};
	size_t n = 0;
	pid_t pid;
	int status = 0;

	for (; n < ARRAY_SIZE(always); n++)
		argv[n] = always[n];
	for (size_t i = 0; options && options[i] && i < OPTIONS_MAX; i++)
		argv[n++] = options[i];
	argv[n] = "/proc/self/fd/3";
	int r = spawn_mke2fs(image, argv, &pid);
	while (r == 0 && waitpid(pid, &status, 0) < 0)
		r = errno == EINTR ? 0 : -errno;
	return r < 0 ? r : status == 0 ? 0 : -EIO;
}

int image_mount(int image, struct err *e)
{
	struct mnt_request request = { .type = "ext4", .attrs = MOUNT_ATTR_NODEV };
	char path[32];

	_cleanup_close_ int device = loop_attach(image, path, sizeof(path));
	if (device < 0)
		return err_set_errno(e, device, "attaching a loop device");
	int r = fault_point("loop-attached", e);
	if (r < 0)
		return r;
	mnt_option_add(&request, "source", path);
	mnt_option_add(&request, "discard", NULL);
	mnt_option_add(&request, "noinit_itable", NULL);
	return mnt_make(&request, e);
}

int image_in_memory(const char *name, struct err *e)
{
	/* Nothing of it survives a crash, so it needs no journal. */
	static const char *const options[] = { "-O", "^has_journal,^resize_inode", "-N", "200000",
					       NULL };
	char text[MEMFD_NAME_MAX + 1];

	(void) snprintf(text, sizeof(text), "%s", name);
	_cleanup_close_ int image = sys(memfd_create(text, MFD_CLOEXEC));
	int r = image < 0 ? image : sys(ftruncate(image, MEMORY_BYTES));
	if (r == 0)
		r = image_format(image, options);
	if (r < 0)
		return err_set_errno(e, r, "making a file system in memory (mke2fs)");
	_cleanup_close_ int fd = image_mount(image, e);
	if (fd < 0)
		return fd;
	r = sys(unlinkat(fd, "lost+found", AT_REMOVEDIR));
	return r < 0 ? err_set_errno(e, r, "emptying a file system in memory") : TAKE_FD(fd);
}
