/* The two kinds of contexts with addresses, as netctl/host.c sees them: those on the shared stack
 * (shared.c), and those with a stack and an interface of their own (private.c). Private to
 * netctl/. */
#pragma once

#include "netctl/netctl.h"

struct shared_host;
struct private_host;
struct shape;

struct netctl_host {
	struct shared_host *shared;
	struct private_host *private;
	struct shape *shape; /* what they get of links */
};

/** @shape borrowed. */
[[nodiscard]] int shared_host_new(int cgroup, unsigned level, struct shape *shape,
				  struct shared_host **ret, struct err *e);
/** Packets say whose they are, as long as a link wants to know. */
void shared_mark(struct shared_host *h);
void shared_host_free(struct shared_host *h);
void shared_warm(struct shared_host *h, bool only_counting);
[[nodiscard]] int shared_join(struct shared_host *h, const struct netctl_plan *p,
			      const struct netctl_context *c, struct err *e);
[[nodiscard]] int shared_adopt(struct shared_host *h, const struct netctl_plan *p,
			       const struct netctl_context *c, struct err *e);
[[nodiscard]] int shared_settle(struct shared_host *h, struct err *e);
/** From now on, what a context with a stack of its own sends and receives is counted as for the
 * others, where the kernel can. */
void shared_count(struct shared_host *h, const struct netctl_plan *p,
		  const struct netctl_context *c);
void shared_leaving(struct shared_host *h, unsigned slot);
void shared_gone(struct shared_host *h, unsigned slot);
[[nodiscard]] int shared_keep(struct shared_host *h, const struct netctl_plan *p, int *ret,
			      struct err *e);
int shared_traffic(const struct shared_host *h, unsigned slot, struct netctl_traffic *ret,
		   size_t max, uint64_t refused[static NETCTL_REFUSALS]);
bool shared_where(const struct shared_host *h, unsigned slot, struct netctl_where *ret);
/** @return the name of the context that has the address, or NULL. */
const char *shared_who_has(const struct shared_host *h, const struct inet_ip *ip);

struct port_inside;

[[nodiscard]] int private_host_new(const char *instance, struct private_host **ret, struct err *e);
void private_host_free(struct private_host *h);
/** Makes the host's end and its rules; @inside gets what the child is to do. */
[[nodiscard]] int private_join(struct private_host *h, const struct netctl_plan *p,
			       const struct netctl_context *c, struct port_inside *inside,
			       struct err *e);
[[nodiscard]] int private_adopt(struct private_host *h, const struct netctl_plan *p,
				const struct netctl_context *c, struct err *e);
[[nodiscard]] int private_settle(struct private_host *h, struct err *e);
bool private_untidy(const struct private_host *h);
bool private_tidy(struct private_host *h);
void private_tidy_slowly(const struct private_host *h);
void private_tidying(struct private_host *h, pid_t child);
void private_leaving(struct private_host *h, unsigned slot);
void private_gone(struct private_host *h, unsigned slot);
bool private_where(const struct private_host *h, unsigned slot, struct netctl_where *ret);
/** The name of the host's end of a context's interface, or NULL. */
const char *private_device(const struct private_host *h, unsigned slot);
const char *private_who_has(const struct private_host *h, const struct inet_ip *ip);

/** What a `private` spec says, checked: the part of netctl_plan() that lies in private_plan.c. */
[[nodiscard]] int private_plan(const struct spec *s, const struct facts *f, struct netctl_plan *p,
			       struct err *e);
void private_print(const struct netctl_plan *p, struct buf *out);
