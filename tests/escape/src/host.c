/* What the test needs on the host: something to be attacked. `attack host-listen NAME` serves an
 * abstract socket and a loopback port (printed) till it is killed; `attack host-key` adds a key to
 * root's user keyring and prints its number; `attack host-unkey N` takes it away. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/escape/src/attack.h"

static int listen_host(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	size_t n = strnlen(name, sizeof(a.sun_path) - 1);
	int unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int inet_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path + 1, name, n);
	if (bind(unix_fd, (struct sockaddr *) &a,
		 (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + n)) < 0 ||
	    listen(unix_fd, 8) < 0 || bind(inet_fd, (struct sockaddr *) &in, sizeof(in)) < 0 ||
	    listen(inet_fd, 8) < 0 || getsockname(inet_fd, (struct sockaddr *) &in, &len) < 0) {
		perror("listen");
		return 1;
	}
	printf("%u\n", ntohs(in.sin_port));
	fflush(stdout);
	for (;;) {
		pause();
	}
}

int host_main(int argc, char **argv)
{
	if (strcmp(argv[1], "host-listen") == 0 && argc == 3) {
		return listen_host(argv[2]);
	}
	if (strcmp(argv[1], "host-key") == 0) {
		long id = syscall(SYS_add_key, "user", "ward-test-secret", "secret", 6, -4);
		printf("%ld\n", id);
		return id < 0;
	}
	if (strcmp(argv[1], "host-unkey") == 0 && argc == 3) {
		return syscall(SYS_keyctl, 9 /* UNLINK */, atol(argv[2]), -4) < 0;
	}
	return -1;
}
