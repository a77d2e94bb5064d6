/* What a context sent and received, by device: the kernel tells it in /proc/PID/net/dev of any of
 * its processes. A context gives its devices what names it likes, so they are made harmless. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "netctl/netctl.h"

/* "  eth0: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0": bytes and packets received, six more, and sent. */
static bool parse_line(const char *line, struct netctl_traffic *ret)
{
	const char *name = line + strspn(line, " "), *colon = strrchr(name, ':');
	struct netctl_traffic t = { 0 };
	size_t len = colon != NULL ? (size_t) (colon - name) : 0;

	if (len == 0 || len >= sizeof(t.device) ||
	    sscanf(colon + 1,
		   "%" SCNu64 " %" SCNu64 " %*u %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
		   &t.received_bytes, &t.received_packets, &t.sent_bytes, &t.sent_packets) != 4)
		return false;
	for (size_t i = 0; i < len; i++)
		t.device[i] = (char) (name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?');
	*ret = t;
	return true;
}

int netctl_traffic_parse(const char *text, struct netctl_traffic *ret, size_t max)
{
	size_t n = 0;
	char line[256];

	while (*text != '\0' && n < max) {
		size_t len = strcspn(text, "\n");

		(void) snprintf(line, sizeof(line), "%.*s", (int) len, text);
		n += parse_line(line, &ret[n]); /* the two lines of the head are none */
		text += len + (text[len] == '\n');
	}
	return (int) n;
}

int netctl_traffic(pid_t pid, struct netctl_traffic *ret, size_t max)
{
	_cleanup_close_ int fd = -1;
	char path[48], text[4096];
	ssize_t n;

	(void) snprintf(path, sizeof(path), "/proc/%d/net/dev", (int) pid);
	fd = sys(open(path, O_RDONLY | O_CLOEXEC));
	if (fd < 0)
		return fd;
	n = sys(read(fd, text, sizeof(text) - 1));
	if (n < 0)
		return (int) n;
	text[n] = '\0';
	return netctl_traffic_parse(text, ret, max);
}
