/* Loop devices: an image behaves like a disk, and goes with its last user (LO_FLAGS_AUTOCLEAR):
 * between attaching and mounting our descriptor keeps it, after that the mount does. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "fs/image.h"

#define RACES_MAX 32 /* somebody else may take the free device first */

static int configure(int device, int image)
{
	struct loop_config config = {
		.fd = (unsigned) image,
		.info = { .lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO },
	};
	int r = sys(ioctl(device, LOOP_CONFIGURE, &config));

	if (r == -EINVAL) { /* the file system below has no direct I/O */
		config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
		r = sys(ioctl(device, LOOP_CONFIGURE, &config));
	}
	return r;
}

int loop_attach(int image, char *ret_path, size_t size)
{
	_cleanup_close_ int control = sys(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
	int r = control;

	for (int i = 0; control >= 0 && i < RACES_MAX; i++) {
		int n = sys(ioctl(control, LOOP_CTL_GET_FREE));
		if (n < 0)
			return n;
		(void) snprintf(ret_path, size, "/dev/loop%d", n);
		_cleanup_close_ int device = sys(open(ret_path, O_RDWR | O_CLOEXEC));
		if (device < 0)
			return device;
		r = configure(device, image);
		if (r == 0)
			return TAKE_FD(device);
		if (r != -EBUSY)
			return r;
	}
	return r;
}

/* O_EXCL on a block device fails while anything has it mounted. */
static void release(const char *name, const char *directory)
{
	char path[PATH_MAX];
	_cleanup_free_ char *backing = NULL;
	size_t len = strlen(directory);

	(void) snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	if (file_read_at(AT_FDCWD, path, PATH_MAX, &backing, NULL) < 0)
		return;
	if (strncmp(backing, directory, len) != 0 || backing[len] != '/')
		return;
	(void) snprintf(path, sizeof(path), "/dev/%s", name);
	_cleanup_close_ int device = sys(open(path, O_RDWR | O_EXCL | O_CLOEXEC));
	if (device >= 0)
		(void) ioctl(device, LOOP_CLR_FD);
}

void loop_sweep(const char *directory)
{
	DIR *d = opendir("/sys/block");
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (strncmp(entry->d_name, "loop", 4) == 0)
			release(entry->d_name, directory);
	if (d)
		closedir(d);
}
