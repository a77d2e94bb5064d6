/* The daemon runs from a read-only mount of its own binary.
 *
 * A program inside a context can make the kernel execute /proc/self/exe while an exec is on its
 * way in, and then hold the binary of whoever set the context up (CVE-2019-5736). With ids of its
 * own the context could not write it; with `ids = none` its root could. Through this mount nobody
 * can. It is detached: it has no place in any mount table and goes with the process. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "daemon/main/options.h"

#define SELF "/proc/self/exe"

static int run_again(char **argv)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };
	_cleanup_close_ int fd = sys(
		(int) syscall(SYS_open_tree, AT_FDCWD, SELF, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	int r = fd;

	if (r >= 0) {
		r = sys((int) syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr,
				      sizeof(attr)));
	}
	if (r >= 0) {
		r = sys((int) syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH));
	}
	return r;
}

void sealed_run(char **argv)
{
	char path[PATH_MAX];
	struct statvfs fs;
	ssize_t n;
	int r;

	(void) prctl(PR_SET_NAME, "wardd");
	if (getenv(SEALED_BINARY) || statvfs(SELF, &fs) < 0 || fs.f_flag & ST_RDONLY) {
		return;
	}
	n = readlink(SELF, path, sizeof(path) - 1);
	if (n <= 0) {
		return;
	}
	path[n] = '\0';
	if (setenv(SEALED_BINARY, path, 1) < 0) {
		return;
	}
	r = run_again(argv);
	log_debug("running from a read-only mount of %s: %s", path, strerror(-r));
}
