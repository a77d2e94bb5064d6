/* The network identity of a context. So far a mode is all there is to it: the host's own network,
 * or a namespace with nothing but loopback. */
#include "netctl/netctl.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

void netctl_probe(struct facts *facts)
{
	/* Whoever may mount may make one where the kernel has them. */
	facts->net_ns = access("/proc/self/ns/net", F_OK) == 0;
}

int netctl_plan(const struct spec *spec, const struct facts *facts, struct netctl_plan *ret,
		struct err *e)
{
	bool own = spec->network.mode != SPEC_NETWORK_HOST;

	if (own && !facts->net_ns) {
		return err_set(
			e, -EOPNOTSUPP,
			"network.mode: this host has no network namespaces; only \"host\" works");
	}
	*ret = (struct netctl_plan){ .mode = spec->network.mode, .own_namespace = own };
	return 0;
}

void netctl_print(const struct netctl_plan *p, struct buf *out)
{
	static const char *const modes[SPEC_NETWORK_COUNT] = {
		[SPEC_NETWORK_NONE] = "none",
		[SPEC_NETWORK_PRIVATE] = "private",
		[SPEC_NETWORK_HOST] = "host",
	};

	buf_printf(out, "network %s: %s\n", modes[p->mode],
		   p->own_namespace ? "a namespace of its own, loopback up"
				    : "the host's interfaces and ports");
}

int netctl_loopback_up(void)
{
	_cleanup_close_ int fd = sys(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	struct ifreq request = { .ifr_flags = IFF_UP | IFF_RUNNING };

	if (fd < 0) {
		return fd;
	}
	memcpy(request.ifr_name, "lo", sizeof("lo"));
	return sys(ioctl(fd, SIOCSIFFLAGS, &request));
}
