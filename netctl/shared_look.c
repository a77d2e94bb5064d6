/* What is told of a context on the shared stack: where it is, what it sent, what was refused to it;
 * and what it has to hold. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "netctl/shared.h"

struct holder *shared_holder(const struct shared_host *h, unsigned slot)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->holders[i]->slot == slot)
			return h->holders[i];
	return NULL;
}

struct inet_ip shared_ip(const struct filter_ip *f)
{
	struct inet_ip ip;

	memcpy(&ip, f, sizeof(ip));
	return ip;
}

int shared_keep(struct shared_host *h, const struct netctl_plan *p, int *ret, struct err *e)
{
	int r, fd = -1;

	if (p->address_count > 1) {
		r = shared_ready(h, true, e);
		if (r < 0)
			return r;
		fd = sys(fcntl(h->filter.link, F_DUPFD_CLOEXEC, 3));
		if (fd < 0)
			return err_set_errno(e, fd, "network: keeping what leads to addresses");
	}
	*ret = fd;
	return 0;
}

bool shared_where(const struct shared_host *h, unsigned slot, struct netctl_where *ret)
{
	const struct holder *x = h ? shared_holder(h, slot) : NULL;
	struct filter_rules r;

	if (!x || !h->loaded || filter_get(&h->filter, x->cgroup_id, &r) < 0)
		return false;
	*ret = (struct netctl_where){ .loopback4 = shared_ip(&r.loopback4),
				      .loopback6 = shared_ip(&r.loopback6) };
	if (r.first4 < r.count)
		ret->first4 = shared_ip(&r.addresses[r.first4]);
	if (r.first6 < r.count)
		ret->first6 = shared_ip(&r.addresses[r.first6]);
	return true;
}

/* --- accounts --- */

static bool has_family(const struct holder *x, bool v4)
{
	for (size_t i = 0; i < x->count; i++)
		if (inet_is_v4(&x->addresses[i]) == v4)
			return true;
	return false;
}

static struct netctl_traffic by_way(const struct filter_traffic *t, enum filter_way way)
{
	static const struct {
		char device[8];
		const char *family;
	} names[FILTER_WAYS] = {
		[FILTER_BY4] = { "shared", "ipv4" },
		[FILTER_BY6] = { "shared", "ipv6" },
		[FILTER_BY_LOOPBACK] = { "lo", NULL },
	};
	struct netctl_traffic ret = { .received_bytes = t->bytes[FILTER_RECEIVED][way],
				      .received_packets = t->packets[FILTER_RECEIVED][way],
				      .sent_bytes = t->bytes[FILTER_SENT][way],
				      .sent_packets = t->packets[FILTER_SENT][way],
				      .family = names[way].family };

	memcpy(ret.device, names[way].device, sizeof(names[way].device));
	return ret;
}

int shared_traffic(const struct shared_host *h, unsigned slot, struct netctl_traffic *ret,
		   size_t max, uint64_t refused[static NETCTL_REFUSALS])
{
	const struct holder *x = h ? shared_holder(h, slot) : NULL;
	struct filter_traffic t;
	size_t n = 0;
	int r = x && h->loaded ? filter_traffic(&h->filter, x->cgroup_id, &t) : -ESRCH;

	if (r < 0)
		return r;
	memcpy(refused, t.refused, sizeof(t.refused));
	for (enum filter_way way = 0; way < FILTER_WAYS && n < max; way++) {
		if (way != FILTER_BY_LOOPBACK && !has_family(x, way == FILTER_BY4))
			continue;
		ret[n] = by_way(&t, way);
		if (x->only_counted && way != FILTER_BY_LOOPBACK)
			memcpy(ret[n].device, "eth0", sizeof("eth0"));
		n++;
	}
	return (int) n;
}

const char *netctl_refusal_name(unsigned i)
{
	static const char *const names[] = {
		[FILTER_NO_SOCKET] = "socket",
		[FILTER_NO_OPTION] = "option",
		[FILTER_NO_BIND] = "bind",
		[FILTER_NO_CONNECT] = "connect",
		[FILTER_NO_SEND] = "send",
		[FILTER_NO_SOURCE] = "source",
		[FILTER_NO_DESTINATION] = "destination",
	};
	_Static_assert(ARRAY_SIZE(names) == FILTER_REFUSALS && NETCTL_REFUSALS == FILTER_REFUSALS,
		       "each has a name");

	return names[i];
}
