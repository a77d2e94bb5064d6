/* Descriptors: born O_CLOEXEC, -1 when empty, closed by scope, passed over Unix sockets. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/** Closes fd if it is >= 0, preserving errno. @return -1, to be stored back. */
int fd_close(int fd);

static inline void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}

#define _cleanup_close_ __attribute__((cleanup(fd_closep)))

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int take_ = (fd);                                                                  \
		(fd) = -1;                                                                         \
		take_;                                                                             \
	})

#define FD_PASS_MAX 64 /* descriptors in one message; the kernel allows 253 */

/**
 * Sends `len` > 0 bytes and `n` descriptors as one message (SCM_RIGHTS, unix(7)).
 * @return 0; -errno, -EMSGSIZE when not all bytes went.
 */
[[nodiscard]] int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n);

/**
 * Receives one message; descriptors are O_CLOEXEC and owned by the caller.
 * Descriptors beyond `max` are closed and the call fails with -EMFILE; with `max` 0 they are
 * dropped by the kernel and never ours (closing one may wait for who serves its file system).
 * @ret_n how many came. @return bytes received (0 = peer closed) or -errno.
 */
[[nodiscard]] ssize_t fd_recv(int sock, void *data, size_t len, int *fds, size_t max,
			      size_t *ret_n);

/** Closes every descriptor but those in `keep` (sorted ascending, at most FD_PASS_MAX). */
[[nodiscard]] int fd_close_others(const int *keep, size_t n);
