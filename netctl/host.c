/* All contexts with addresses, of whichever kind: nobody gets an address that another has. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "netctl/host.h"
#include "netctl/port.h"
#include "netctl/shape.h"

int netctl_host_new(const char *instance, int cgroup, unsigned level, struct netctl_host **ret,
		    struct err *e)
{
	struct netctl_host *h = calloc(1, sizeof(*h));
	int r = h ? 0 : err_set(e, -ENOMEM, "network: out of memory");

	if (r == 0 && shape_new(&h->shape) < 0)
		r = err_set(e, -ENOMEM, "network: out of memory");
	if (r == 0)
		r = shared_host_new(cgroup, level, h->shape, &h->shared, e);
	if (r == 0)
		r = private_host_new(instance, &h->private, e);
	if (r < 0) {
		netctl_host_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void netctl_host_free(struct netctl_host *h)
{
	if (!h)
		return;
	private_host_free(h->private);
	shared_host_free(h->shared);
	shape_free(h->shape);
	free(h);
}

void netctl_warm(struct netctl_host *h, bool only_counting)
{
	shared_warm(h->shared, only_counting);
}

/* --- a context comes and goes --- */

struct join_step {
	struct netctl_plan plan;
	struct netctl_context context;
	struct netctl_host *host;
	struct port_inside *inside; /* NULL on the shared stack */
};

static int refuse_taken(const struct netctl_host *h, const struct netctl_plan *p, struct err *e)
{
	char text[INET_TEXT_MAX];

	for (size_t i = 0; i < p->address_count; i++) {
		const struct inet_ip *ip = &p->addresses[i].ip;
		const char *who = shared_who_has(h->shared, ip);

		if (!who)
			who = private_who_has(h->private, ip);
		if (who)
			return err_set(e, -EADDRINUSE, "network.address: %s is held by %s",
				       inet_print(ip, text), who);
	}
	return 0;
}

/* Its end on the host is a link of its own. */
static int shape_private(struct netctl_host *h, unsigned slot, const struct netctl_plan *p,
			 struct err *e)
{
	return shape_join_alone(h->shape, slot, private_device(h->private, slot), p->shape, e);
}

static int run_join(void *arg, struct err *e)
{
	struct join_step *s = arg;
	int r = refuse_taken(s->host, &s->plan, e);

	if (r < 0)
		return r;
	if (!s->inside)
		return shared_join(s->host->shared, &s->plan, &s->context, e);
	r = private_join(s->host->private, &s->plan, &s->context, s->inside, e);
	if (r < 0)
		return r;
	r = shape_private(s->host, s->context.slot, &s->plan, e);
	if (r < 0)
		private_gone(s->host->private, s->context.slot);
	else
		shared_count(s->host->shared, &s->plan, &s->context);
	return r;
}

static void undo_join(void *arg)
{
	struct join_step *s = arg;

	netctl_gone(s->host, s->context.slot);
}

static int run_inside(void *arg, struct err *e)
{
	struct join_step *s = arg;

	return port_inside_apply(s->inside, &s->plan, e);
}

static int add_steps(struct join_step *s, struct step_list *steps)
{
	int r = steps_add(steps, (struct step){ .name = "network-join",
						.phase = STEP_PARENT,
						.run = run_join,
						.undo = undo_join,
						.arg = s });

	if (r < 0 || !s->inside)
		return r;
	return steps_add(steps, (struct step){ .name = "network-inside",
					       .phase = STEP_CHILD,
					       .run = run_inside,
					       .arg = s });
}

int netctl_steps(const struct netctl_plan *p, struct netctl_host *h, const struct netctl_context *c,
		 struct step_list *steps, struct err *e)
{
	struct join_step *s;
	int r;

	if (p->mode != SPEC_NETWORK_SHARED && !p->linked)
		return 0;
	s = arena_alloc(steps->arena, sizeof(*s));
	if (!s)
		return err_set(e, -ENOMEM, "network: out of memory");
	*s = (struct join_step){ .plan = *p, .context = *c, .host = h };
	if (p->linked) {
		s->inside = arena_alloc(steps->arena, sizeof(*s->inside));
		if (!s->inside)
			return err_set(e, -ENOMEM, "network: out of memory");
	}
	r = add_steps(s, steps);
	return r < 0 ? err_set_errno(e, r, "network: adding a step") : 0;
}

int netctl_keep(const struct netctl_plan *p, struct netctl_host *h, int *ret, struct err *e)
{
	*ret = -1;
	return p->mode == SPEC_NETWORK_SHARED ? shared_keep(h->shared, p, ret, e) : 0;
}

int netctl_adopt(const struct netctl_plan *p, struct netctl_host *h, const struct netctl_context *c,
		 struct err *e)
{
	if (p->linked) {
		int r;

		shared_count(h->shared, p, c);
		r = private_adopt(h->private, p, c, e);
		return r < 0 ? r : shape_private(h, c->slot, p, e);
	}
	return p->mode == SPEC_NETWORK_SHARED ? shared_adopt(h->shared, p, c, e) : 0;
}

int netctl_settle(struct netctl_host *h, struct err *e)
{
	int r = private_settle(h->private, e);

	return r < 0 ? r : shared_settle(h->shared, e);
}

void netctl_leaving(struct netctl_host *h, unsigned slot)
{
	shared_leaving(h->shared, slot);
	private_leaving(h->private, slot);
	shape_leaving(h->shape, slot);
}

void netctl_gone(struct netctl_host *h, unsigned slot)
{
	if (!h)
		return;
	shared_gone(h->shared, slot);
	private_gone(h->private, slot);
	shape_gone(h->shape, slot);
	shared_mark(h->shared);
}

/* --- what contexts leave to those to come --- */

bool netctl_untidy(const struct netctl_host *h)
{
	return h && private_untidy(h->private);
}

bool netctl_tidy(struct netctl_host *h)
{
	return private_tidy(h->private);
}

void netctl_tidy_slowly(const struct netctl_host *h)
{
	private_tidy_slowly(h->private);
}

void netctl_tidying(struct netctl_host *h, pid_t child)
{
	private_tidying(h->private, child);
}

bool netctl_where(const struct netctl_host *h, unsigned slot, struct netctl_where *ret)
{
	return h && (shared_where(h->shared, slot, ret) || private_where(h->private, slot, ret));
}

int netctl_shared_traffic(const struct netctl_host *h, unsigned slot, struct netctl_traffic *ret,
			  size_t max, uint64_t refused[static NETCTL_REFUSALS])
{
	return h ? shared_traffic(h->shared, slot, ret, max, refused) : -ESRCH;
}
