/* The command's standard streams: the caller's own descriptors, or a pty made inside the view.
 * The pty's master goes to the daemon, so the caller's terminal is never the context's: nothing
 * can be pushed back into it (TIOCSTI), and job control is the context's own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "context/command.h"

#define PTMX_MAJOR 5
#define PTMX_MINOR 2

void command_own_pipe(int fd, uid_t from, uid_t uid, gid_t gid)
{
	struct stat st;
	struct statfs fs;

	if (uid != 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_uid == from &&
	    fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC) {
		/* Where that fails, the stream still works as it is. */
		int ignored = fchown(fd, uid, gid);
		(void) ignored;
	}
}

static int put_streams(const int from[3])
{
	for (int i = 0; i < 3; i++) {
		int r = from[i] == i ? sys(fcntl(i, F_SETFD, 0)) : sys(dup3(from[i], i, 0));

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int command_streams(void *arg, struct err *e)
{
	struct command *c = arg;
	_cleanup_close_ int null = -1;
	int from[3];
	int r;

	(void) setsid(); /* process 1 of `init = none` leads a session already */
	for (int i = 0; i < 3; i++) {
		from[i] = c->streams[i];
		if (from[i] >= 0) {
			command_own_pipe(from[i], 0, c->identity.uid, c->identity.gid);
			continue;
		}
		if (null < 0) {
			null = sys(open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
		}
		if (null < 0) {
			r = null;
			return err_set_errno(e, r, "opening /dev/null of the view");
		}
		from[i] = null;
	}
	r = put_streams(from);
	return r < 0 ? err_set_errno(e, r, "setting the standard streams") : 0;
}

/** Opens a new pty of the view's own devpts. @return the master or -errno. */
static int open_master(void)
{
	_cleanup_close_ int master =
		sys(open("/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
	struct stat st;
	int unlock = 0;

	if (master < 0) {
		return master;
	}
	if (fstat(master, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != makedev(PTMX_MAJOR, PTMX_MINOR)) {
		return -ENODEV;
	}
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || fcntl(master, F_SETFL, O_RDWR) < 0) {
		return -errno;
	}
	return TAKE_FD(master);
}

int command_terminal(void *arg, struct err *e)
{
	struct command *c = arg;
	const char message = SEAT_MSG_TERMINAL;
	const struct winsize size = { .ws_row = c->rows, .ws_col = c->cols };
	_cleanup_close_ int master = open_master();
	int slave, r;

	if (master < 0) {
		r = master;
		return err_set_errno(e, r, "opening /dev/ptmx of the view");
	}
	slave = sys(ioctl(master, TIOCGPTPEER, O_RDWR | O_CLOEXEC | O_NOCTTY));
	if (slave < 0) {
		return err_set_errno(e, slave, "opening the pty");
	}
	(void) ioctl(master, TIOCSWINSZ, &size);
	(void) setsid();
	r = c->identity.uid == 0 ? 0 : sys(fchown(slave, c->identity.uid, (gid_t) -1));
	if (r == 0) {
		r = sys(ioctl(slave, TIOCSCTTY, 0));
	}
	if (r == 0) {
		r = put_streams((const int[]){ slave, slave, slave });
	}
	if (slave > 2) {
		fd_close(slave);
	}
	if (r == 0) {
		r = fd_send(c->shared->child_sock, &message, sizeof(message), &master, 1);
	}
	return r < 0 ? err_set_errno(e, r, "taking the pty as terminal") : 0;
}
