/* What all contexts share: ward-init, held in memory where nobody can change it; the ids; the
 * compiled filters. */
#include "context/host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "context/context.h"

#define INIT_BYTES_MAX (1u << 20)

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static int new_memfd(void)
{
	/* MFD_EXEC is 6.3's; before it every memfd may be executed. */
	int fd = sys(memfd_create("ward-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC));

	return fd == -EINVAL ? sys(memfd_create("ward-init", MFD_CLOEXEC | MFD_ALLOW_SEALING)) : fd;
}

/**
 * Mode 0111 of the host's root: inside a user namespace nobody may read it. The kernel then keeps
 * the process that executes it undumpable and its memory the host's, so that no one in a context
 * can trace process 1 or reach its descriptors through /proc/1, whatever their capabilities.
 */
static int load_init(const char *path, int *ret, struct err *e)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	int r = file_read_at(AT_FDCWD, path, INIT_BYTES_MAX, &data, &len);

	if (r < 0) {
		return err_set_errno(e, r, "reading ward-init %s", path);
	}
	fd = new_memfd();
	if (fd < 0) {
		r = fd;
		return err_set_errno(e, r, "making a memory file for ward-init");
	}
	r = write_all(fd, data, len);
	if (r == 0) {
		r = sys(fchmod(fd, 0111));
	}
	if (r == 0) {
		r = sys(fcntl(fd, F_ADD_SEALS,
			      F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
	}
	if (r < 0) {
		return err_set_errno(e, r, "filling and sealing ward-init's memory file");
	}
	*ret = TAKE_FD(fd);
	return 0;
}

int context_host_new(const char *init_path, const char *profile_dir, uint32_t ids_first,
		     uint32_t ids_total, struct context_host **ret, struct err *e)
{
	struct context_host *h = calloc(1, sizeof(*h));
	int r;

	if (!h) {
		return err_set(e, -ENOMEM, "opening context/: out of memory");
	}
	h->init_fd = h->self_pidfd = h->filters.dirfd = -1;
	r = load_init(init_path, &h->init_fd, e);
	if (r == 0) {
		r = ids_init(&h->ids, ids_first, ids_total);
		if (r < 0) {
			(void) err_set_errno(e, r, "ids %u:%u", ids_first, ids_total);
		}
	}
	if (r == 0) {
		h->self_pidfd = proc_pidfd_open(getpid());
		r = h->self_pidfd < 0 ? err_set_errno(e, h->self_pidfd, "opening our own pidfd")
				      : 0;
	}
	if (r == 0) {
		r = filters_init(&h->filters, profile_dir, e);
	}
	if (r < 0) {
		context_host_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void context_host_free(struct context_host *h)
{
	if (!h) {
		return;
	}
	fd_close(h->init_fd);
	fd_close(h->self_pidfd);
	ids_done(&h->ids);
	filters_done(&h->filters);
	free(h);
}

int context_ids_claim(struct context_host *h, uint32_t first, uint32_t count)
{
	return ids_claim(&h->ids, first, count, NULL);
}

void context_ids_release(struct context_host *h, uint32_t first, uint32_t count)
{
	ids_release(&h->ids, first, count);
}

int context_host_home(struct context_host *h, struct err *e)
{
	int r;

	if (!h->pid_ns_away) {
		return 0;
	}
	r = sys(setns(h->self_pidfd, CLONE_NEWPID));
	if (r < 0) {
		return err_set_errno(e, r, "coming back to the host's pid namespace");
	}
	h->pid_ns_away = false;
	return 0;
}

/* A queued signal that ward-init knows by its value and does not pass on (context/init/init.c). */
#define DROP_SIGNAL 64
#define DROP_WORD 0x64726f70

int context_drop_notify(int pidfd)
{
	siginfo_t info = { .si_signo = DROP_SIGNAL, .si_code = SI_QUEUE };

	info.si_value.sival_int = DROP_WORD;
	return (int) sys(syscall(SYS_pidfd_send_signal, pidfd, DROP_SIGNAL, &info, 0));
}
