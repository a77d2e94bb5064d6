/* The contexts on the shared stack: who has which address, and each one's rules in the kernel.
 *
 * The map is what counts. An entry is written before the first process of a context runs and
 * removed when its cgroup is gone; in between no daemon is needed. It also says what was added for
 * the context, so that whoever comes next can take it away. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "netctl/link.h"
#include "netctl/shared.h"
#include "netctl/wildcard.h"

#define LO_INDEX 1
/* 127.0.0.0/16 stays the host's: 127.0.0.1, 127.0.1.1, 127.0.0.53. */
#define LOOPBACK_FIRST 0x10000u
#define LOOPBACK_COUNT (0x1000000u - LOOPBACK_FIRST - 1)

_Static_assert(NETCTL_ADDRESSES_MAX == FILTER_ADDRESSES_MAX, "a plan's addresses fit an entry");
_Static_assert(NETCTL_LISTEN_MAX == FILTER_LISTEN_MAX, "a plan's ports fit an entry");
_Static_assert(NETCTL_PEERS_MAX == FILTER_PEERS_MAX, "a plan's peers fit an entry");
_Static_assert(sizeof(struct inet_ip) == sizeof(struct filter_ip), "the same bytes");

/* --- who has what --- */

static void holder_free(struct holder *x)
{
	if (x)
		free(x->name);
	free(x);
}

static void holder_drop(struct shared_host *h, const struct holder *x)
{
	for (size_t i = 0; i < h->count; i++) {
		if (h->holders[i] != x)
			continue;
		holder_free(h->holders[i]);
		h->holders[i] = h->holders[--h->count];
		return;
	}
}

static bool grow(struct shared_host *h)
{
	size_t room = h->room ? 2 * h->room : 16;
	struct holder **list = reallocarray(h->holders, room, sizeof(*list));

	if (!list)
		return false;
	h->holders = list;
	h->room = room;
	return true;
}

static struct holder *holder_add(struct shared_host *h, const struct netctl_plan *p,
				 const struct netctl_context *c)
{
	struct holder *x = calloc(1, sizeof(*x) + p->address_count * sizeof(x->addresses[0]));

	if (x)
		x->name = strdup(c->name);
	if (!x || !x->name || (h->count == h->room && !grow(h))) {
		holder_free(x);
		return NULL;
	}
	x->slot = c->slot;
	x->cgroup_id = c->cgroup_id;
	x->count = p->address_count;
	for (size_t i = 0; i < x->count; i++)
		x->addresses[i] = p->addresses[i].ip;
	h->holders[h->count++] = x;
	return x;
}

const char *shared_who_has(const struct shared_host *h, const struct inet_ip *ip)
{
	for (size_t i = 0; i < h->count; i++)
		for (size_t a = 0; !h->holders[i]->leaving && a < h->holders[i]->count; a++)
			if (inet_equal(&h->holders[i]->addresses[a], ip))
				return h->holders[i]->name;
	return NULL;
}

/* The cgroup's number, which no other living cgroup has, whoever made it, gives a loopback that
 * nobody else has; should two of ours meet after all, the next is taken. */
static uint32_t loopback_number(const struct shared_host *h, uint64_t cgroup_id)
{
	uint32_t n = (uint32_t) (cgroup_id % LOOPBACK_COUNT);

	for (size_t i = 0; i < h->count; i++) {
		if (h->holders[i]->loopback != n)
			continue;
		n = (n + 1) % LOOPBACK_COUNT;
		i = (size_t) -1; /* from the first again */
	}
	return n;
}

/* --- rules --- */

static struct filter_ip to_filter(const struct inet_ip *ip)
{
	struct filter_ip f;

	memcpy(&f, ip, sizeof(f));
	return f;
}

static void fill_addresses(const struct netctl_plan *p, struct filter_rules *r)
{
	r->count = r->first4 = r->first6 = (uint32_t) p->address_count;
	for (uint32_t i = r->count; i-- > 0;) {
		r->addresses[i] = to_filter(&p->addresses[i].ip);
		*(inet_is_v4(&p->addresses[i].ip) ? &r->first4 : &r->first6) = i;
	}
}

static void fill_loopback(uint32_t number, struct filter_rules *r)
{
	uint32_t host = LOOPBACK_FIRST + number;

	r->loopback4.w[2] = htonl(0xffff);
	r->loopback4.w[3] = htonl(127u << 24 | host);
	if (r->first6 == r->count) /* without IPv6 it has none of that either */
		return;
	r->loopback6.w[0] = htonl(FILTER_LOOPBACK6_0);
	r->loopback6.w[1] = htonl(FILTER_LOOPBACK6_1);
	r->loopback6.w[3] = htonl(host);
}

static void fill_rules(const struct netctl_plan *p, const struct holder *x, struct filter_rules *r)
{
	*r = (struct filter_rules){ .flags = (p->connect_any ? FILTER_CONNECT_ANY : 0) |
					     (p->multicast ? FILTER_MULTICAST : 0) |
					     (p->ping ? FILTER_PING : 0),
				    .slot = x->slot };
	fill_addresses(p, r);
	fill_loopback(x->loopback, r);
	r->listen_count = (uint32_t) p->listen_count;
	for (size_t i = 0; i < p->listen_count; i++)
		r->listen[i] = (struct filter_listen){ .port = p->listen[i].port,
						       .protocol = p->listen[i].protocol };
	r->peer_count = (uint32_t) p->peer_count;
	for (size_t i = 0; i < p->peer_count; i++)
		r->peers[i] = (struct filter_peer){ .ip = to_filter(&p->peers[i].ip),
						    .mask = to_filter(&p->peers[i].mask),
						    .port = p->peers[i].port };
}

/* --- addresses of the host that are ours --- */

static unsigned prefix_of(const struct netctl_plan *p, uint32_t i)
{
	return p->addresses[i].prefix;
}

/* What one context added to one interface, as long as it holds it. */
static int add_address(struct shared_host *h, const struct holder *x, const struct netctl_plan *p,
		       uint32_t i, struct filter_rules *r)
{
	int index = link_index(p->addresses[i].interface), result;

	if (index < 0)
		return index;
	r->added |= 1u << i; /* first the note, then the deed */
	r->interfaces[i] = (uint32_t) index | prefix_of(p, i) << 24;
	result = filter_set(&h->filter, x->cgroup_id, r);
	if (result == 0)
		result = link_add(index, &p->addresses[i].ip, prefix_of(p, i));
	if (result < 0)
		r->added &= ~(1u << i);
	return result;
}

/* What a context that is dying had added for it is there still, and is the next one's from now on.
 * Its own note goes first: at worst an address is left behind, never taken from who needs it. */
static void inherit(struct shared_host *h, uint32_t i, struct filter_rules *r)
{
	struct filter_rules old;

	for (size_t x = 0; x < h->count; x++) {
		if (!h->holders[x]->leaving ||
		    filter_get(&h->filter, h->holders[x]->cgroup_id, &old) < 0)
			continue;
		for (uint32_t a = 0; a < old.count && a < FILTER_ADDRESSES_MAX; a++) {
			if (!(old.added >> a & 1) || memcmp(&old.addresses[a], &r->addresses[i],
							    sizeof(r->addresses[i])) != 0)
				continue;
			old.added &= ~(1u << a);
			if (filter_set(&h->filter, h->holders[x]->cgroup_id, &old) == 0) {
				r->added |= 1u << i;
				r->interfaces[i] = old.interfaces[a];
			}
		}
	}
}

static int want_address(struct shared_host *h, const struct holder *x, const struct netctl_plan *p,
			uint32_t i, struct filter_rules *r, struct err *e)
{
	const struct inet_address *a = &p->addresses[i];
	char text[INET_TEXT_MAX];
	int result;

	if (link_has(&a->ip)) {
		inherit(h, i, r);
		return 0;
	}
	inet_print(&a->ip, text);
	if (!a->interface[0])
		return err_set(
			e, -EADDRNOTAVAIL,
			"network.address: %s is not an address of this host; allowed: one of "
			"its own, or %s/PREFIX@INTERFACE to have it added",
			text, text);
	result = add_address(h, x, p, i, r);
	return result < 0 && result != -EEXIST
		       ? err_set_errno(e, result, "network.address: adding %s/%u to %s", text,
				       a->prefix, a->interface)
		       : 0;
}

static int want_loopback6(struct shared_host *h, const struct holder *x, struct filter_rules *r,
			  struct err *e)
{
	struct inet_ip ip = shared_ip(&r->loopback6);
	int result;

	if (r->first6 == r->count)
		return 0;
	r->loopback6_added = 1;
	result = filter_set(&h->filter, x->cgroup_id, r);
	if (result == 0)
		result = link_add(LO_INDEX, &ip, 128);
	return result < 0 && result != -EEXIST
		       ? err_set_errno(e, result, "network.address: making a loopback of its own")
		       : 0;
}

static bool same_network(const struct filter_ip *a, const struct filter_ip *b, unsigned prefix)
{
	uint32_t mask = prefix ? UINT32_MAX << (32 - prefix) : 0;

	return ((ntohl(a->w[3]) ^ ntohl(b->w[3])) & mask) == 0;
}

/* @return whether `r` gets an address back, or has the one that says that nothing was taken. */
static bool give_back(const struct filter_rules *r, const struct filter_ip *first, uint32_t where)
{
	for (uint32_t a = 0; a < r->count && a < FILTER_ADDRESSES_MAX; a++) {
		struct inet_ip ip = shared_ip(&r->addresses[a]);

		if (!(r->added >> a & 1) || r->interfaces[a] != where || !inet_is_v4(&ip) ||
		    !same_network(&r->addresses[a], first, where >> 24))
			continue;
		if (link_has(&ip))
			return false;
		(void) link_add((int) (where & 0xffffff), &ip, where >> 24);
	}
	return true;
}

/* With the first address of a network the kernel takes those that were added after it, all of
 * them: who still needs one gets it back. @where index and prefix, as in the rules. */
static void restore_others(struct shared_host *h, const struct filter_ip *first, uint32_t where)
{
	struct filter_rules r;

	for (size_t i = 0; i < h->count; i++)
		if (!h->holders[i]->leaving &&
		    filter_get(&h->filter, h->holders[i]->cgroup_id, &r) == 0 &&
		    !give_back(&r, first, where))
			return;
}

static void take_away(struct shared_host *h, const struct filter_rules *r)
{
	for (uint32_t i = 0; i < r->count && i < FILTER_ADDRESSES_MAX; i++) {
		struct inet_ip ip = shared_ip(&r->addresses[i]);
		uint32_t interface = r->interfaces[i] & 0xffffff;

		if (!(r->added >> i & 1))
			continue;
		if (link_remove((int) interface, &ip, r->interfaces[i] >> 24) < 0)
			log_debug("an address of interface %u was gone already", interface);
		else if (inet_is_v4(&ip))
			restore_others(h, &r->addresses[i], r->interfaces[i]);
	}
	if (r->loopback6_added) {
		struct inet_ip ip = shared_ip(&r->loopback6);

		(void) link_remove(LO_INDEX, &ip, 128);
	}
}

static void forget(struct shared_host *h, uint64_t cgroup_id, const struct filter_rules *r)
{
	take_away(h, r);
	wildcard_remove(&h->filter, cgroup_id, r);
	filter_remove(&h->filter, cgroup_id);
}

/* --- a context comes and goes --- */

int shared_ready(struct shared_host *h, bool wide, struct err *e)
{
	int r = 0;

	if (h->cgroup < 0)
		return err_set(e, -EOPNOTSUPP, "network.mode: shared needs cgroup2 to be mounted");
	if (h->loaded && h->filter.only_counts) { /* what is attached keeps the counters */
		filter_done(&h->filter);
		h->loaded = false;
	}
	if (!h->loaded) {
		r = filter_load(&h->filter, h->cgroup, h->level, false, e);
		h->loaded = r == 0;
	}
	if (r == 0 && (!h->attached || (wide && !h->wide))) {
		r = filter_attach(&h->filter, h->wide || wide, e);
		h->attached = r == 0;
		h->wide = h->wide || (wide && r == 0);
	}
	return r;
}

static int ready_to_count(struct shared_host *h, struct err *e)
{
	int r = 0;

	if (h->cgroup < 0)
		return err_set(e, -EOPNOTSUPP, "packets are not counted without cgroup2");
	if (!h->loaded) {
		r = filter_load(&h->filter, h->cgroup, h->level, true, e);
		h->loaded = r == 0;
	}
	if (r == 0 && !h->counting && !h->attached) {
		r = filter_attach_counting(&h->filter, e);
		h->counting = r == 0;
	}
	return r;
}

void shared_warm(struct shared_host *h, bool only_counting)
{
	struct err e = { 0 };

	if (!h->attached &&
	    (only_counting ? ready_to_count(h, &e) : shared_ready(h, false, &e)) < 0)
		log_debug("%s", e.text); /* the start that needs it says so */
}

void shared_leaving(struct shared_host *h, unsigned slot)
{
	struct holder *x = shared_holder(h, slot);

	if (x)
		x->leaving = true;
}

static void narrow(struct shared_host *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->holders[i]->count > 1 && !h->holders[i]->only_counted)
			return;
	filter_narrow(&h->filter);
	h->wide = false;
}

void shared_gone(struct shared_host *h, unsigned slot)
{
	struct holder *x = h ? shared_holder(h, slot) : NULL;
	struct filter_rules r;
	uint64_t id;

	if (x) {
		id = x->cgroup_id;
		if (x->only_counted && h->loaded)
			filter_remove(&h->filter, id);
		holder_drop(h, x);
		if (h->loaded && filter_get(&h->filter, id, &r) == 0)
			forget(h, id, &r);
	}
	if (h && h->wide)
		narrow(h); /* also of one that never joined */
}

int shared_join(struct shared_host *h, const struct netctl_plan *p, const struct netctl_context *c,
		struct err *e)
{
	struct filter_rules rules;
	struct holder *x;
	int r = shared_ready(h, p->address_count > 1, e);

	if (r < 0)
		return r;
	x = holder_add(h, p, c);
	if (!x)
		return err_set(e, -ENOMEM, "network: out of memory");
	x->loopback = UINT32_MAX; /* not in the way of itself */
	x->loopback = loopback_number(h, c->cgroup_id);
	fill_rules(p, x, &rules);
	for (uint32_t i = 0; r == 0 && i < p->address_count; i++)
		r = want_address(h, x, p, i, &rules, e);
	if (r == 0)
		r = fault_point("address-added", e);
	if (r == 0)
		r = want_loopback6(h, x, &rules, e);
	if (r == 0)
		r = shape_join(h->shape, c->slot, p, &rules.priority, e);
	if (r == 0) {
		shared_mark(h);
		r = filter_count(&h->filter, c->cgroup_id);
		if (r == 0)
			r = filter_set(&h->filter, c->cgroup_id, &rules);
		if (r == 0)
			r = wildcard_add(&h->filter, c->cgroup_id, &rules);
		if (r < 0)
			(void) err_set_errno(e, r, "network: noting the rules");
	}
	if (r < 0) {
		(void) filter_set(&h->filter, c->cgroup_id,
				  &rules); /* what was added is known now */
		shared_gone(h, c->slot);
		shape_gone(h->shape, c->slot);
		shared_mark(h);
	}
	return r;
}

void shared_count(struct shared_host *h, const struct netctl_plan *p,
		  const struct netctl_context *c)
{
	struct err e = { 0 };
	struct holder *x;

	if (c->cgroup_id == 0)
		return;
	if (ready_to_count(h, &e) < 0 || filter_count(&h->filter, c->cgroup_id) < 0) {
		log_debug("%s: what it sends is told by its interface alone: %s", c->name, e.text);
		return;
	}
	x = holder_add(h, p, c);
	if (!x) {
		filter_remove(&h->filter, c->cgroup_id);
		return;
	}
	x->only_counted = true;
	x->loopback = UINT32_MAX;
}

/* --- the host --- */

int shared_host_new(int cgroup, unsigned level, struct shape *shape, struct shared_host **ret,
		    struct err *e)
{
	struct shared_host *h = calloc(1, sizeof(*h));
	int r = 0;

	if (!h)
		return err_set(e, -ENOMEM, "network: out of memory");
	h->cgroup = cgroup;
	h->level = level;
	h->shape = shape;
	if (cgroup >= 0 && filter_is_attached(cgroup)) {
		r = filter_load(&h->filter, cgroup, level, false, e);
		h->loaded = r == 0;
	}
	if (r < 0) {
		shared_host_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void shared_host_free(struct shared_host *h)
{
	if (!h)
		return;
	while (h->count)
		holder_drop(h, h->holders[0]);
	free(h->holders);
	if (h->loaded)
		filter_done(&h->filter);
	free(h);
}

int shared_adopt(struct shared_host *h, const struct netctl_plan *p, const struct netctl_context *c,
		 struct err *e)
{
	struct filter_rules rules;
	uint32_t priority;
	struct holder *x;
	int r;

	if (!h->loaded || filter_get(&h->filter, c->cgroup_id, &rules) < 0)
		return shared_join(h, p, c, e); /* the earlier map was of another shape */
	x = holder_add(h, p, c);
	if (!x)
		return err_set(e, -ENOMEM, "network: out of memory");
	x->loopback = (ntohl(rules.loopback4.w[3]) & 0xffffff) - LOOPBACK_FIRST;
	h->wide = h->wide || rules.count > 1;
	if (filter_count(&h->filter, c->cgroup_id) < 0)
		log_debug("%s: what it sends is not counted", c->name);
	priority = rules.priority;
	r = shape_join(h->shape, c->slot, p, &rules.priority, e);
	if (r == 0 && rules.priority != priority)
		r = filter_set(&h->filter, c->cgroup_id, &rules);
	if (r < 0)
		return r;
	return wildcard_add(&h->filter, c->cgroup_id, &rules);
}

static bool is_held(const struct shared_host *h, uint64_t cgroup_id)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->holders[i]->cgroup_id == cgroup_id)
			return true;
	return false;
}

/* Entries of contexts that ended while there was no daemon. */
static void sweep(struct shared_host *h)
{
	uint64_t id, next;
	struct filter_rules r;
	int more = filter_next(&h->filter, NULL, &id);

	while (more == 0) {
		more = filter_next(&h->filter, &id, &next);
		if (!is_held(h, id) && filter_get(&h->filter, id, &r) == 0)
			forget(h, id, &r);
		id = next;
	}
	more = filter_next_counted(&h->filter, NULL, &id);
	while (more == 0) {
		more = filter_next_counted(&h->filter, &id, &next);
		if (!is_held(h, id))
			filter_remove(&h->filter, id);
		id = next;
	}
}

int shared_settle(struct shared_host *h, struct err *e)
{
	int r;

	if (!h->loaded)
		return 0;
	sweep(h);
	if (h->filter.only_counts)
		return 0;
	r = filter_attach(&h->filter, h->wide, e);
	h->attached = r == 0;
	if (!h->wide)
		filter_narrow(&h->filter);
	return r;
}
