/* Fuzzes the reader of a view's passwd and group: USER[:GROUP], NUL, one file's text, NUL, the
 * other's. Whatever is found must be a usable identity. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "context/user.h"

static bool is_number(const char *text, uint32_t id)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	return end != text && n == id;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth) {
		abort();
	}
}

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	require(fd >= 0 && (len == 0 || write_all(fd, data, len) == 0));
	require(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/** Cuts off what comes before the next NUL. */
static size_t part(const uint8_t **data, size_t *size, const uint8_t **ret)
{
	const uint8_t *nul = *size ? memchr(*data, '\0', *size) : NULL;
	size_t len = nul ? (size_t) (nul - *data) : *size;

	*ret = *data;
	*data += nul ? len + 1 : len;
	*size -= nul ? len + 1 : len;
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *text, *passwd;
	size_t text_len = part(&data, &size, &text), passwd_len = part(&data, &size, &passwd);
	_cleanup_free_ char *user = strndup((const char *) text, text_len);
	_cleanup_close_ int passwd_fd = file_of(passwd, passwd_len);
	_cleanup_close_ int group_fd = file_of(data, size);
	struct user_identity u;
	struct err e = { 0 };

	require(user != NULL);
	if (user_find(user, passwd_fd, group_fd, &u, &e) == 0) {
		require(u.uid != UINT32_MAX && u.gid != UINT32_MAX);
		/* Whoever asks for a number without an entry by that name gets that number. */
		require(u.name[0] != '\0' || is_number(user, u.uid));
		require(u.group_count >= 1 && u.group_count <= USER_GROUPS_MAX + 1);
		require(memchr(u.name, '\0', sizeof(u.name)) != NULL);
		require(memchr(u.home, '\0', sizeof(u.home)) != NULL && u.home[0] != '\0');
		require(memchr(u.shell, '\0', sizeof(u.shell)) != NULL);
	} else {
		require(e.code < 0 && e.text[0] != '\0');
	}
	return 0;
}
