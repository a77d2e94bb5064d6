/* Descriptors cross processes as SCM_RIGHTS. Whatever arrives is either handed to the caller or
 * closed here: a sender must not be able to fill our table. */
#include "base/fd.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

#define SCM_MAX 253 /* SCM_MAX_FD of the kernel */

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * SCM_MAX)];
};

int fd_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		(void) close(fd);
		errno = saved;
	}
	return -1;
}

int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n)
{
	union control control;
	struct iovec io = { .iov_base = (void *) (uintptr_t) data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };

	if (len == 0 || n > FD_PASS_MAX)
		return -EINVAL;
	if (n) {
		memset(&control, 0, CMSG_SPACE(sizeof(int) * n));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);

		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}

	ssize_t sent;
	do
		sent = sys(sendmsg(sock, &msg, MSG_NOSIGNAL));
	while (sent == -EINTR);
	if (sent < 0)
		return (int) sent;
	return (size_t) sent == len ? 0 : -EMSGSIZE;
}

/* Keeps at most `max` of what came in fds, closes the rest. @return how many came. */
static size_t take_fds(struct msghdr *msg, int *fds, size_t max)
{
	size_t total = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;

		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++, total++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (total < max)
				fds[total] = fd;
			else
				fd_close(fd);
		}
	}
	return total;
}

ssize_t fd_recv(int sock, void *data, size_t len, int *fds, size_t max, size_t *ret_n)
{
	union control control;
	struct iovec io = { .iov_base = data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = max ? &control : NULL,
		.msg_controllen = max ? sizeof(control) : 0,
	};

	ssize_t got;
	do
		got = sys(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC));
	while (got == -EINTR);
	if (got < 0)
		return got;

	size_t n = take_fds(&msg, fds, max);
	int error = 0;
	if (n > max || (msg.msg_flags & MSG_CTRUNC))
		error = -EMFILE;
	else if (msg.msg_flags & MSG_TRUNC)
		error = -EMSGSIZE;
	if (error < 0) {
		for (size_t i = 0; i < n && i < max; i++)
			fds[i] = fd_close(fds[i]);
		return error;
	}
	*ret_n = n;
	return got;
}

int fd_close_others(const int *keep, size_t n)
{
	unsigned first = 0;

	if (n > FD_PASS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < 0 || (i > 0 && keep[i] < keep[i - 1]))
			return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned) keep[i] > first) {
			int r = sys(close_range(first, (unsigned) keep[i] - 1, 0));
			if (r < 0)
				return r;
		}
		first = (unsigned) keep[i] + 1;
	}
	return sys(close_range(first, UINT_MAX, 0));
}
