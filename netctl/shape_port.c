/* One interface: whoever is on it, and what of it is in force. The tree of what leaves is on the
 * interface, that of what comes on an ifb of its own, whose name says whose it is and what for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "netctl/shape.h"

struct shape_port *shape_port(const struct shape *s, int ifindex)
{
	for (size_t i = 0; i < s->port_count; i++)
		if (s->ports[i]->ifindex == ifindex)
			return s->ports[i];
	return NULL;
}

struct shape_port *shape_port_get(struct shape *s, int ifindex)
{
	struct shape_port *p = shape_port(s, ifindex), **more;

	if (p)
		return p;
	more = reallocarray(s->ports, s->port_count + 1, sizeof(struct shape_port *));
	if (!more)
		return NULL;
	s->ports = more;
	p = calloc(1, sizeof(*p));
	if (p) {
		p->ifindex = ifindex;
		(void) if_indextoname((unsigned) ifindex, p->name);
		s->ports[s->port_count++] = p;
	}
	return p;
}

/* --- who is on it --- */

static bool is_on(const struct shape *s, const struct shape_holder *x, int ifindex)
{
	int devices[SHAPE_DEVICES_MAX];
	size_t n = shape_devices(s, x, devices);

	for (size_t i = 0; i < n; i++)
		if (devices[i] == ifindex)
			return true;
	return false;
}

static int by_minor(const void *a, const void *b)
{
	const struct shape_member *x = a, *y = b;

	return (x->minor > y->minor) - (x->minor < y->minor);
}

struct crowd {
	struct shape_member *members; /* sorted by minor */
	size_t count;
	bool wished; /* by anyone */
	bool alone;
};

static int gather(const struct shape *s, const struct shape_port *p, enum shape_way way,
		  struct crowd *ret)
{
	*ret = (struct crowd){ .members = calloc(s->count + 1, sizeof(*ret->members)) };
	if (!ret->members)
		return -ENOMEM;
	for (size_t i = 0; i < s->count; i++) {
		const struct shape_holder *x = s->holders[i];
		/* What leaves the host's end of a link comes to the context. */
		const struct netctl_shape *want = &x->want[shape_is_alone(x) ? !way : way];

		if (!is_on(s, x, p->ifindex))
			continue;
		ret->members[ret->count++] =
			(struct shape_member){ .minor = shape_minor_of(x), .want = *want };
		ret->wished = ret->wished || (!x->leaving && shape_wished(want));
		ret->alone = ret->alone || shape_is_alone(x);
	}
	qsort(ret->members, ret->count, sizeof(*ret->members), by_minor);
	return 0;
}

/* --- what is wanted --- */

static bool may_replace(const struct shape *s, const struct shape_port *p)
{
	for (uint32_t i = 0; i < s->link_count; i++)
		if (str_equal(s->links[i].name, p->name))
			return s->links[i].replace;
	return false;
}

static int put_tree(const struct shape *s, struct shape_port *p, enum shape_way way, int device,
		    const struct crowd *c, struct err *e)
{
	struct shape_class *want = calloc(c->count + 2, sizeof(*want));
	struct shape_link link = shape_link(s, p, way);
	bool replace = way == SHAPE_OUT && may_replace(s, p);
	size_t count = c->alone ? 2 : c->count + 2;
	int r;

	if (!want)
		return err_set(e, -ENOMEM, "network: out of memory");
	if (c->alone)
		shape_classes_alone(&link, &c->members[0].want, want);
	else
		shape_classes(&link, c->members, c->count, want);
	r = shape_tree_put(&p->tree[way], &s->host, device, replace, want, count, e);
	free(want);
	return r;
}

/* --- what comes --- */

static void ifb_name(const struct shape *s, int ifindex, char name[static IF_NAMESIZE])
{
	(void) snprintf(name, IF_NAMESIZE, "wi%04x-%u", s->host.major,
			(unsigned) ifindex % 100000000u);
}

static int make_ifb(const struct shape *s, const struct shape_port *p, struct err *e)
{
	char name[IF_NAMESIZE];
	int device;

	ifb_name(s, p->ifindex, name);
	if (!tc_has_header(p->name))
		return err_set(e, -EOPNOTSUPP,
			       "network: what comes to %s cannot be shaped, as it has no link "
			       "layer; allowed: limits and reserves \"out\" alone",
			       p->name);
	device = (int) if_nametoindex(name);
	if (!device)
		device = tc_ifb_add(s->host.tc, name);
	return device > 0 ? device
			  : err_set_errno(e, device,
					  "network: making the device %s, by which what comes is "
					  "shaped",
					  name);
}

/* Whoever has an address now; before anything asks for it. */
static int tell_addresses(struct shape *s)
{
	int r = 0;

	for (size_t i = 0; i < s->count; i++)
		for (size_t a = 0; r == 0 && !s->holders[i]->leaving && a < s->holders[i]->count;
		     a++)
			r = shape_in_set(&s->in, &s->holders[i]->at[a].ip, s->holders[i]->priority);
	return r;
}

static int put_in(struct shape *s, struct shape_port *p, const struct crowd *c, struct err *e)
{
	int device = make_ifb(s, p, e), r;

	if (device < 0)
		return device;
	if (p->tree[SHAPE_IN].device != device)
		p->attached = false; /* also if somebody took the last one away */
	r = put_tree(s, p, SHAPE_IN, device, c, e);
	if (r < 0 || p->attached)
		return r;
	r = shape_in_load(&s->in, e);
	if (r > 0) {
		r = tell_addresses(s);
		if (r < 0)
			(void) err_set_errno(e, r, "network: noting addresses");
	}
	if (r == 0)
		r = shape_in_attach(&s->in, s->host.tc, p->ifindex, device, may_replace(s, p), e);
	p->attached = r == 0;
	return r;
}

static void drop_in(struct shape *s, struct shape_port *p)
{
	char name[IF_NAMESIZE];
	int device;

	ifb_name(s, p->ifindex, name);
	device = (int) if_nametoindex(name);
	if (device > 0 || p->attached)
		shape_in_detach(&s->in, s->host.tc, p->ifindex);
	if (device > 0)
		(void) tc_link_remove(s->host.tc, device);
	shape_tree_forget(&p->tree[SHAPE_IN]);
	p->attached = false;
}

/* --- both --- */

static int sync_way(struct shape *s, struct shape_port *p, enum shape_way way, struct err *e)
{
	struct crowd c;
	int r = gather(s, p, way, &c);

	if (r < 0)
		return err_set_errno(e, r, "network: shaping");
	if (c.wished)
		r = way == SHAPE_OUT ? put_tree(s, p, way, p->ifindex, &c, e) : put_in(s, p, &c, e);
	else if (p->tree[way].device && way == SHAPE_OUT)
		shape_tree_drop(&p->tree[way], &s->host);
	else if (p->tree[way].device || p->attached)
		drop_in(s, p);
	free(c.members);
	return r;
}

static void remove_port(struct shape *s, const struct shape_port *p)
{
	for (size_t i = 0; i < s->port_count; i++) {
		if (s->ports[i] != p)
			continue;
		free(s->ports[i]);
		s->ports[i] = s->ports[--s->port_count];
		return;
	}
}

int shape_port_sync(struct shape *s, struct shape_port *p, struct err *e)
{
	int r = sync_way(s, p, SHAPE_OUT, e);

	if (r == 0)
		r = sync_way(s, p, SHAPE_IN, e);
	if (!p->tree[SHAPE_OUT].device && !p->tree[SHAPE_IN].device && !p->attached)
		remove_port(s, p);
	return r;
}

void shape_port_forget(struct shape *s, struct shape_port *p)
{
	shape_tree_forget(&p->tree[SHAPE_OUT]);
	drop_in(s, p);
	remove_port(s, p);
}

/* --- what nobody uses --- */

#define STRAYS_MAX 4096
struct strays {
	struct shape *s;
	int *ifindexes;
	size_t count;
};

static void note_stray(int ifindex, void *arg)
{
	struct strays *x = arg;

	for (size_t i = 0; i < x->s->port_count; i++)
		if (x->s->ports[i]->tree[SHAPE_OUT].device == ifindex ||
		    x->s->ports[i]->tree[SHAPE_IN].device == ifindex)
			return;
	if (x->count < STRAYS_MAX)
		x->ifindexes[x->count++] = ifindex;
}

/* An ifb's name ends with the interface it is for. */
static void sweep_ifbs(struct shape *s)
{
	struct if_nameindex *all = if_nameindex();
	char prefix[IF_NAMESIZE];

	(void) snprintf(prefix, sizeof(prefix), "wi%04x-", s->host.major);
	for (struct if_nameindex *i = all; i && i->if_name; i++) {
		uint64_t ifindex;

		if (strncmp(i->if_name, prefix, strlen(prefix)) != 0 ||
		    units_parse_u64(i->if_name + strlen(prefix), 1, INT32_MAX, &ifindex) < 0)
			continue;
		if (shape_port(s, (int) ifindex) && shape_port(s, (int) ifindex)->attached)
			continue;
		shape_in_detach(&s->in, s->host.tc, (int) ifindex);
		(void) tc_link_remove(s->host.tc, (int) i->if_index);
	}
	if (all)
		if_freenameindex(all);
}

int shape_sweep(struct shape *s)
{
	uint32_t handle = (uint32_t) s->host.major << 16;
	struct strays x = { .s = s, .ifindexes = calloc(STRAYS_MAX, sizeof(int)) };
	int r = x.ifindexes ? tc_each_root(s->host.tc, handle, note_stray, &x) : -ENOMEM;

	sweep_ifbs(s);
	for (size_t i = 0; i < x.count; i++)
		(void) tc_root_remove(s->host.tc, x.ifindexes[i], handle);
	free(x.ifindexes);
	return r;
}
