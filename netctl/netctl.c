/* The network identity of a context as a plan: a namespace with nothing but loopback or with an
 * interface (private_plan.c), the host's own network, or the host's network with addresses of its
 * own. Nothing is looked up here: whether the host has an address is known when the context
 * starts. */

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "netctl/filter.h"
#include "netctl/firewall.h"
#include "netctl/host.h"
#include "netctl/shape.h"

void netctl_probe(struct facts *facts)
{
	/* Whoever may mount may make one where the kernel has them. */
	facts->net_ns = access("/proc/self/ns/net", F_OK) == 0;
	facts->net_shared = netctl_hooks(NULL, NULL);
	facts->net_tables = firewall_is_there();
}

bool netctl_hooks(struct buf *present, struct buf *missing)
{
	struct filter_hook hooks[FILTER_HOOKS_MAX];
	unsigned n = filter_hooks(hooks);
	bool all = true;

	for (unsigned i = 0; i < n; i++) {
		struct buf *to = hooks[i].present ? present : missing;

		all = all && hooks[i].present;
		if (to)
			buf_printf(to, "%s%s", to->len ? " " : "", hooks[i].name);
	}
	return all;
}

/* --- the plan --- */

/* Ports and processes are confined by programs of the kernel's; those with these capabilities in
 * the host's own user namespace could go round them. */
static int check_capabilities(const struct spec *s, struct err *e)
{
	static const struct {
		unsigned number;
		const char *name;
	} real[] = { { 12, "net-admin" }, { 13, "net-raw" }, { 21, "sys-admin" }, { 39, "bpf" } };

	for (size_t i = 0; s->process.ids == SPEC_IDS_NONE && i < ARRAY_SIZE(real); i++) {
		if (s->process.capabilities >> real[i].number & 1)
			return err_set(e, -EPERM,
				       "network.mode: shared cannot confine a context that has the "
				       "capability %s on the host, as with ids = none; allowed: "
				       "ids = auto, or without it",
				       real[i].name);
	}
	return 0;
}

static int check_host(const struct spec *s, const struct facts *f, struct err *e)
{
	if (!f->net_shared)
		return err_set(
			e, -EOPNOTSUPP,
			"network.mode: shared needs cgroup2 and BPF programs for its sockets, "
			"which this host lacks (doctor names the hooks); private is possible");
	if (s->process.seccomp == SPEC_SECCOMP_NONE)
		return err_set(e, -EPERM,
			       "network.mode: shared needs a filter of system calls, as sockets of "
			       "families without addresses pass by its rules; allowed: seccomp = "
			       "default, strict or a file");
	return check_capabilities(s, e);
}

static int too_many(const char *key, size_t max, struct err *e)
{
	return err_set(e, -E2BIG, "network.%s: more than %zu; allowed: at most %zu", key, max, max);
}

static int wrong(const char *key, const char *value, const char *what, struct err *e)
{
	return err_set(e, -EINVAL, "network.%s: \"%s\" %s", key, value, what);
}

static int plan_addresses(const struct spec *s, struct netctl_plan *p, struct err *e)
{
	const struct strv *v = &s->network.addresses;

	if (v->count > NETCTL_ADDRESSES_MAX)
		return too_many("address", NETCTL_ADDRESSES_MAX, e);
	for (; p->address_count < v->count; p->address_count++) {
		const char *text = v->items[p->address_count];
		const char *what = inet_parse_address(text, &p->addresses[p->address_count]);

		if (what)
			return wrong("address", text, what, e);
	}
	return v->count ? 0 : err_set(e, -EINVAL, "network.address: shared needs at least one");
}

static int plan_listen(const struct spec *s, struct netctl_plan *p, struct err *e)
{
	const struct strv *v = &s->network.listen;

	if (v->count > NETCTL_LISTEN_MAX)
		return too_many("listen", NETCTL_LISTEN_MAX, e);
	for (; p->listen_count < v->count; p->listen_count++) {
		const char *text = v->items[p->listen_count];
		const char *what = inet_parse_port(text, &p->listen[p->listen_count]);

		if (what)
			return wrong("listen", text, what, e);
	}
	return 0;
}

/* "any" and "none" stand alone: spec/ sees to it. */
static int plan_peers(const struct spec *s, struct netctl_plan *p, struct err *e)
{
	const struct strv *v = &s->network.connect;

	p->connect_any = v->count == 0 || str_equal(v->items[0], "any");
	if (p->connect_any || str_equal(v->items[0], "none"))
		return 0;
	if (v->count > NETCTL_PEERS_MAX)
		return too_many("connect", NETCTL_PEERS_MAX, e);
	for (; p->peer_count < v->count; p->peer_count++) {
		const char *text = v->items[p->peer_count];
		const char *what = inet_parse_peer(text, &p->peers[p->peer_count]);

		if (what)
			return wrong("connect", text, what, e);
	}
	return 0;
}

static struct netctl_shape shape_one(uint64_t reserve, uint64_t limit, uint64_t burst,
				     uint64_t share)
{
	return (struct netctl_shape){ reserve, limit, burst, (uint32_t) share };
}

void netctl_shape_of(const struct spec *s, struct netctl_shape ret[static 2])
{
	ret[0] = shape_one(s->network.reserve.out, s->network.limit.out, s->network.burst.out,
			   s->network.share.out);
	ret[1] = shape_one(s->network.reserve.in, s->network.limit.in, s->network.burst.in,
			   s->network.share.in);
}

/* What both kinds of addresses have in common. */
static int plan_common(const struct spec *s, struct netctl_plan *p, struct err *e)
{
	int r = plan_addresses(s, p, e);

	p->multicast = strv_contains(&s->network.allow, "multicast");
	p->ping = strv_contains(&s->network.allow, "ping");
	netctl_shape_of(s, p->shape);
	if (r == 0)
		r = plan_listen(s, p, e);
	return r < 0 ? r : plan_peers(s, p, e);
}

int netctl_plan(const struct spec *spec, const struct facts *facts, struct netctl_plan *ret,
		struct err *e)
{
	enum spec_network mode = spec->network.mode;
	bool own = mode == SPEC_NETWORK_NONE || mode == SPEC_NETWORK_PRIVATE;
	int r;

	if (own && !facts->net_ns) {
		return err_set(
			e, -EOPNOTSUPP,
			"network.mode: this host has no network namespaces; only \"host\" works");
	}
	*ret = (struct netctl_plan){ .mode = mode, .own_namespace = own };
	if (mode == SPEC_NETWORK_SHARED)
		r = check_host(spec, facts, e);
	else if (mode == SPEC_NETWORK_PRIVATE && spec->network.addresses.count)
		r = private_plan(spec, facts, ret, e);
	else
		return 0;
	return r < 0 ? r : plan_common(spec, ret, e);
}

/* --- its text --- */

static void print_addresses(const struct netctl_plan *p, struct buf *out)
{
	char text[INET_TEXT_MAX];

	for (size_t i = 0; i < p->address_count; i++) {
		const struct inet_address *a = &p->addresses[i];

		buf_printf(out, "address %s", inet_print(&a->ip, text));
		if (a->interface[0])
			buf_printf(out, "/%u, added to %s if need be", a->prefix, a->interface);
		buf_puts(out, "\n");
	}
}

static void print_peers(const struct netctl_plan *p, struct buf *out)
{
	char ip[INET_TEXT_MAX];

	if (!p->connect_any && p->peer_count == 0)
		buf_puts(out, "connect nowhere but to itself\n");
	for (size_t i = 0; i < p->peer_count; i++) {
		const struct inet_peer *x = &p->peers[i];

		buf_printf(out, "connect %s/%u", inet_print(&x->ip, ip), inet_prefix(x));
		if (x->port)
			buf_printf(out, " port %u", x->port);
		buf_puts(out, "\n");
	}
}

static void print_shape(const char *way, const struct netctl_shape *s, struct buf *out)
{
	char text[UNITS_TEXT_MAX];

	if (!shape_wished(s))
		return;
	buf_printf(out, "shape %s: share %" PRIu64, way, s->share);
	if (s->reserve)
		buf_printf(out, ", reserve %s", units_print_bandwidth(s->reserve, text));
	if (s->limit != UNITS_NONE)
		buf_printf(out, ", limit %s", units_print_bandwidth(s->limit, text));
	if (s->burst)
		buf_printf(out, ", burst %s", units_print_bytes(s->burst, text));
	buf_puts(out, "\n");
}

static void print_common(const struct netctl_plan *p, struct buf *out)
{
	for (size_t i = 0; i < p->listen_count; i++)
		buf_printf(out, "listen %s %u\n",
			   p->listen[i].protocol == IPPROTO_TCP ? "tcp" : "udp", p->listen[i].port);
	print_peers(p, out);
	if (p->multicast)
		buf_puts(out, "multicast and broadcast\n");
	if (p->ping)
		buf_puts(out, "ICMP echo sockets\n");
	print_shape("out", &p->shape[0], out);
	print_shape("in", &p->shape[1], out);
}

void netctl_print(const struct netctl_plan *p, struct buf *out)
{
	static const char *const modes[SPEC_NETWORK_COUNT] = {
		[SPEC_NETWORK_NONE] = "none",
		[SPEC_NETWORK_PRIVATE] = "private",
		[SPEC_NETWORK_HOST] = "host",
		[SPEC_NETWORK_SHARED] = "shared",
	};

	if (p->mode == SPEC_NETWORK_SHARED) {
		buf_puts(out, "network shared: the host's stack, confined by BPF on its cgroup\n");
		print_addresses(p, out);
		buf_puts(out, "loopback of its own\n");
		print_common(p, out);
		return;
	}
	if (p->linked) {
		private_print(p, out);
		print_common(p, out);
		return;
	}
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

void netctl_echo_sockets(void)
{
	static const char file[] = "/proc/sys/net/ipv4/ping_group_range";

	if (file_write_at(AT_FDCWD, file, "0 65534") < 0) /* where there are so many groups */
		(void) file_write_at(AT_FDCWD, file, "0 0");
}
