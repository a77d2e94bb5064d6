/* Who is on which interface, and what is wanted there. Where nobody wishes for anything nothing is
 * looked at: an address's interface is found out when somebody does, and kept by listening. */
#include "netctl/shape.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define LO_INDEX 1

/* --- numbers of classes --- */

static bool is_taken(const struct shape *s, uint32_t n)
{
	return s->taken[n / 64] >> n % 64 & 1;
}

static void mark_number(struct shape *s, uint32_t priority, bool taken)
{
	uint32_t n;

	if (!shape_number(priority & 0xffff, &n))
		return;
	if (taken)
		s->taken[n / 64] |= UINT64_C(1) << n % 64;
	else
		s->taken[n / 64] &= ~(UINT64_C(1) << n % 64);
}

/* One that was not used for long: packets of who had it may be on their way. */
static uint32_t new_priority(struct shape *s)
{
	for (uint32_t i = 0; i < SHAPE_CONTEXTS; i++) {
		uint32_t n = (s->next + i) % SHAPE_CONTEXTS;

		if (!is_taken(s, n)) {
			s->next = n + 1;
			return (uint32_t) s->host.major << 16 | shape_minor(n);
		}
	}
	return 0;
}

/* What an earlier daemon gave it, unless that was of another shape. */
static bool is_usable(const struct shape *s, uint32_t priority)
{
	uint32_t n;

	return priority >> 16 == s->host.major && shape_number(priority & 0xffff, &n) &&
	       !is_taken(s, n);
}

uint32_t shape_minor_of(const struct shape_holder *x)
{
	return x->priority & 0xffff;
}

/* --- holders --- */

struct shape_holder *shape_holder(const struct shape *s, unsigned slot)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->holders[i]->slot == slot)
			return s->holders[i];
	return NULL;
}

static void drop(struct shape *s, struct shape_holder *x)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->holders[i] != x)
			continue;
		s->holders[i] = s->holders[--s->count];
		break;
	}
	mark_number(s, x->priority, false);
	for (size_t i = 0; i < x->count; i++)
		shape_in_clear(&s->in, &x->at[i].ip, x->priority);
	free(x);
}

static struct shape_holder *add(struct shape *s, unsigned slot, size_t addresses,
				const struct netctl_shape want[static SHAPE_WAYS])
{
	struct shape_holder *x = calloc(1, sizeof(*x) + addresses * sizeof(x->at[0]));

	if (x && s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 16;
		struct shape_holder **more = reallocarray(s->holders, room, sizeof(*more));

		if (!more) {
			free(x);
			return NULL;
		}
		s->holders = more;
		s->room = room;
	}
	if (!x)
		return NULL;
	x->slot = slot;
	memcpy(x->want, want, sizeof(x->want));
	x->count = addresses;
	s->holders[s->count++] = x;
	return x;
}

bool shape_is_alone(const struct shape_holder *x)
{
	return x->device[0];
}

static bool wishes(const struct shape_holder *x)
{
	return !x->leaving &&
	       (shape_wished(&x->want[SHAPE_OUT]) || shape_wished(&x->want[SHAPE_IN]));
}

static bool any_wishes(const struct shape *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (wishes(s->holders[i]))
			return true;
	return false;
}

/* --- where they are --- */

static bool has_address(const struct sockaddr *a, const struct inet_ip *ip)
{
	if (!a)
		return false;
	if (a->sa_family == AF_INET)
		return inet_is_v4(ip) &&
		       ((const struct sockaddr_in *) (const void *) a)->sin_addr.s_addr == ip->w[3];
	return a->sa_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *) (const void *) a)->sin6_addr, ip,
		      sizeof(*ip)) == 0;
}

static void find_places(const struct ifaddrs *all, struct shape_holder *x)
{
	if (shape_is_alone(x))
		x->ifindex = (int) if_nametoindex(x->device);
	for (size_t i = 0; i < x->count; i++) {
		x->at[i].ifindex = 0;
		for (const struct ifaddrs *a = all; a && !x->at[i].ifindex; a = a->ifa_next)
			if (has_address(a->ifa_addr, &x->at[i].ip))
				x->at[i].ifindex = (int) if_nametoindex(a->ifa_name);
	}
}

/* @x NULL: all of them. */
static int look(struct shape *s, struct shape_holder *x)
{
	struct ifaddrs *all = NULL;

	if (x && shape_is_alone(x)) {
		find_places(NULL, x);
		return 0;
	}
	if (getifaddrs(&all) < 0)
		return -errno;
	for (size_t i = 0; i < s->count; i++)
		if (!x || s->holders[i] == x)
			find_places(all, s->holders[i]);
	freeifaddrs(all);
	return 0;
}

static size_t add_device(int ifindex, int *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == ifindex)
			return n;
	if (ifindex > 0)
		list[n++] = ifindex;
	return n;
}

size_t shape_devices(const struct shape *s, const struct shape_holder *x,
		     int ret[static SHAPE_DEVICES_MAX])
{
	size_t n = add_device(x->ifindex, ret, 0);

	for (size_t i = 0; i < x->count && i < NETCTL_ADDRESSES_MAX; i++) {
		if (x->at[i].ifindex != LO_INDEX) {
			n = add_device(x->at[i].ifindex, ret, n);
			continue;
		}
		for (uint32_t l = 0; l < s->link_count; l++) /* it leads everywhere */
			n = add_device((int) if_nametoindex(s->links[l].name), ret, n);
	}
	return n;
}

struct shape_link shape_link(const struct shape *s, const struct shape_port *p, enum shape_way way)
{
	struct shape_link l = { .capacity = UNITS_NONE, .host_ppm = s->host_ppm };

	for (uint32_t i = 0; i < s->link_count; i++)
		if (str_equal(s->links[i].name, p->name))
			l.capacity = way == SHAPE_OUT ? s->links[i].capacity.out
						      : s->links[i].capacity.in;
	if (l.capacity == UNITS_NONE)
		l.capacity = tc_speed(p->name);
	return l;
}

/* --- promises --- */

static uint64_t reserved_by_others(const struct shape *s, const struct shape_holder *but,
				   int ifindex, enum shape_way way)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct shape_holder *x = s->holders[i];
		int devices[SHAPE_DEVICES_MAX];
		size_t n = x == but || x->leaving ? 0 : shape_devices(s, x, devices);

		for (size_t d = 0; d < n; d++)
			if (devices[d] == ifindex)
				sum += x->want[way].reserve;
	}
	return sum;
}

static int admit_on(struct shape *s, const struct shape_holder *x, int ifindex, enum shape_way way,
		    struct err *e)
{
	struct shape_port p = { .ifindex = ifindex };
	char asked[UNITS_TEXT_MAX], left[UNITS_TEXT_MAX], all[UNITS_TEXT_MAX], host[UNITS_TEXT_MAX];
	uint64_t reserve = x->want[way].reserve, most, held;
	struct shape_link l;

	if (reserve == 0 || !if_indextoname((unsigned) ifindex, p.name))
		return 0;
	l = shape_link(s, &p, way);
	most = shape_reservable(&l);
	held = most == UNITS_NONE ? 0 : reserved_by_others(s, x, ifindex, way);
	held = held < most ? held : most;
	if (reserve <= most - held)
		return 0;
	return err_set(
		e, -EDQUOT,
		"network.reserve: %s %s asked, %s free of %s, which has %s, %s of it for the "
		"host",
		way == SHAPE_OUT ? "out" : "in", units_print_bandwidth(reserve, asked),
		units_print_bandwidth(most - held, left), p.name,
		units_print_bandwidth(l.capacity, all),
		units_print_bandwidth(l.capacity - most, host));
}

/* @had what it has now, or NULL: who asks for no more is never refused. */
static int admit(struct shape *s, const struct shape_holder *x, const struct netctl_shape *had,
		 struct err *e)
{
	int devices[SHAPE_DEVICES_MAX], r = 0;
	size_t n = shape_is_alone(x) ? 0 : shape_devices(s, x, devices);

	for (size_t i = 0; i < n; i++)
		for (enum shape_way way = 0; r == 0 && way < SHAPE_WAYS; way++)
			if (!had || x->want[way].reserve > had[way].reserve)
				r = admit_on(s, x, devices[i], way, e);
	return r;
}

/* --- in force --- */

/* A wish needs the kernel's ear, and places that are so. */
static int prepare(struct shape *s, struct shape_holder *x, struct err *e)
{
	bool any = any_wishes(s);
	int r = 0;

	if (any && !s->host.tc)
		r = tc_open(&s->host.tc);
	if (r == 0 && any) {
		struct shape_holder *which = s->watching ? x : NULL;

		shape_listen(s, true);
		r = look(s, which);
	}
	if (!any)
		shape_listen(s, false);
	return r < 0 ? err_set_errno(e, r, "network: looking where addresses are") : 0;
}

static int sync_of(struct shape *s, const struct shape_holder *x, struct err *e)
{
	int devices[SHAPE_DEVICES_MAX], r = 0;
	size_t n = shape_devices(s, x, devices);
	bool any = any_wishes(s);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct shape_port *p =
			any ? shape_port_get(s, devices[i]) : shape_port(s, devices[i]);

		if (p)
			r = shape_port_sync(s, p, e);
		else if (any)
			r = err_set(e, -ENOMEM, "network: out of memory");
	}
	return r;
}

/* After a failure, or an end. */
static void sync_anyway(struct shape *s, const struct shape_holder *x)
{
	int devices[SHAPE_DEVICES_MAX];
	size_t n = shape_devices(s, x, devices);

	for (size_t i = 0; i < n; i++) {
		struct shape_port *p = shape_port(s, devices[i]);
		struct err e = { 0 };

		if (p && shape_port_sync(s, p, &e) < 0)
			log_debug("%s", e.text); /* what came before is told */
	}
}

static void leave(struct shape *s, struct shape_holder *x)
{
	struct shape_holder *copy = malloc(sizeof(*x) + x->count * sizeof(x->at[0]));

	if (copy)
		memcpy(copy, x, sizeof(*x) + x->count * sizeof(x->at[0]));
	drop(s, x);
	if (copy && s->settled)
		sync_anyway(s, copy);
	free(copy);
	if (s->settled && !any_wishes(s))
		shape_listen(s, false);
}

/* Everything of a holder is known: it is to have what it wants, or not to be there. */
static int enter(struct shape *s, struct shape_holder *x, struct err *e)
{
	int r = s->settled ? prepare(s, x, e) : 0;

	if (r == 0 && s->settled)
		r = admit(s, x, NULL, e);
	for (size_t i = 0; r == 0 && i < x->count; i++) {
		r = shape_in_set(&s->in, &x->at[i].ip, x->priority);
		if (r < 0)
			(void) err_set_errno(e, r, "network: noting an address");
	}
	if (r == 0 && s->settled)
		r = sync_of(s, x, e);
	if (r < 0)
		leave(s, x);
	return r;
}

int shape_join(struct shape *s, unsigned slot, const struct netctl_plan *p, uint32_t *priority,
	       struct err *e)
{
	struct shape_holder *x = add(s, slot, p->address_count, p->shape);

	if (!x)
		return err_set(e, -ENOMEM, "network: out of memory");
	for (size_t i = 0; i < x->count; i++)
		x->at[i].ip = p->addresses[i].ip;
	x->priority = is_usable(s, *priority) ? *priority : new_priority(s);
	mark_number(s, x->priority, true);
	*priority = x->priority;
	return enter(s, x, e);
}

int shape_join_alone(struct shape *s, unsigned slot, const char *device,
		     const struct netctl_shape want[static SHAPE_WAYS], struct err *e)
{
	struct shape_holder *x = add(s, slot, 0, want);

	if (!x)
		return err_set(e, -ENOMEM, "network: out of memory");
	memcpy(x->device, device, strnlen(device, sizeof(x->device) - 1));
	return enter(s, x, e);
}

void shape_leaving(struct shape *s, unsigned slot)
{
	struct shape_holder *x = shape_holder(s, slot);

	if (x)
		x->leaving = true;
}

void shape_gone(struct shape *s, unsigned slot)
{
	struct shape_holder *x = shape_holder(s, slot);

	if (x)
		leave(s, x);
}

int shape_change(struct shape *s, unsigned slot, const struct netctl_shape want[static SHAPE_WAYS],
		 struct err *e)
{
	struct shape_holder *x = shape_holder(s, slot);
	struct netctl_shape had[SHAPE_WAYS];
	int r;

	if (!x || memcmp(x->want, want, sizeof(x->want)) == 0)
		return 0;
	memcpy(had, x->want, sizeof(had));
	memcpy(x->want, want, sizeof(x->want));
	r = s->settled ? prepare(s, x, e) : 0;
	if (r == 0 && s->settled)
		r = admit(s, x, had, e);
	if (r == 0 && s->settled)
		r = sync_of(s, x, e);
	if (r < 0) {
		memcpy(x->want, had, sizeof(had));
		sync_anyway(s, x);
	}
	return r;
}

bool shape_marks(const struct shape *s)
{
	for (size_t i = 0; i < s->port_count; i++)
		if (s->ports[i]->tree[SHAPE_OUT].device)
			return true;
	return false;
}

void shape_lost(struct shape *s, int ifindex)
{
	struct shape_port *p = shape_port(s, ifindex);

	for (size_t i = 0; i < s->count; i++) {
		struct shape_holder *x = s->holders[i];

		x->ifindex = x->ifindex == ifindex ? 0 : x->ifindex;
		for (size_t a = 0; a < x->count; a++)
			if (x->at[a].ifindex == ifindex)
				x->at[a].ifindex = 0;
	}
	if (p)
		shape_port_forget(s, p);
}

static void forget_gone(struct shape *s)
{
	char name[IF_NAMESIZE];

	for (size_t i = s->port_count; i-- > 0;) {
		struct shape_port *p = s->ports[i];

		if (!if_indextoname((unsigned) p->ifindex, name))
			shape_port_forget(s, p);
		else
			memcpy(p->name, name, sizeof(name));
	}
}

/* All that can be done is done; the first thing that cannot is told. */
static int sync_all(struct shape *s, struct err *e)
{
	int devices[SHAPE_DEVICES_MAX], r = 0;

	for (size_t i = 0; i < s->count; i++) {
		size_t n = wishes(s->holders[i]) ? shape_devices(s, s->holders[i], devices) : 0;

		for (size_t d = 0; d < n; d++)
			if (!shape_port_get(s, devices[d]))
				r = err_set(e, -ENOMEM, "network: out of memory");
	}
	for (size_t i = s->port_count; i-- > 0;) {
		struct err one = { 0 };

		if (shape_port_sync(s, s->ports[i], &one) < 0 && r == 0) {
			*e = one;
			r = one.code;
		}
	}
	return r;
}

int shape_refresh(struct shape *s, struct err *e)
{
	int r;

	if (!s->settled)
		return 0;
	forget_gone(s);
	r = look(s, NULL);
	return r < 0 ? err_set_errno(e, r, "network: looking where addresses are") : sync_all(s, e);
}

int shape_settle(struct shape *s, struct err *e)
{
	int r = s->host.tc ? 0 : tc_open(&s->host.tc), code;

	s->settled = true;
	if (r < 0)
		return err_set_errno(e, r, "network: asking the kernel");
	r = prepare(s, NULL, e);
	if (r == 0)
		r = sync_all(s, e);
	code = shape_sweep(s);
	if (code < 0 && r == 0)
		r = err_set_errno(e, code, "network: looking for what nobody is shaped by");
	return r;
}

/* --- the host --- */

int shape_new(struct shape **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void shape_free(struct shape *s)
{
	if (!s)
		return;
	shape_listen(s, false);
	tc_close(s->watch);
	for (size_t i = 0; i < s->port_count; i++) {
		shape_tree_forget(&s->ports[i]->tree[SHAPE_OUT]);
		shape_tree_forget(&s->ports[i]->tree[SHAPE_IN]);
		free(s->ports[i]);
	}
	for (size_t i = 0; i < s->count; i++)
		free(s->holders[i]);
	free(s->ports);
	free(s->holders);
	shape_in_done(&s->in);
	tc_close(s->host.tc);
	free(s);
}

int shape_set_host(struct shape *s, const char *instance, const struct spec_host *host,
		   struct err *e)
{
	int r = s->watch ? 0 : tc_open(&s->watch);

	if (r < 0)
		return err_set_errno(e, r, "network: listening to the kernel");
	if (instance)
		s->host.major = shape_major(instance);
	s->host_ppm = host->network_reserve_ppm;
	s->link_count = host->link_count;
	memcpy(s->links, host->links, sizeof(s->links));
	return s->settled && any_wishes(s) ? shape_refresh(s, e) : 0;
}
