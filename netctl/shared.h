/* Who is on the shared stack. Private to netctl/. */
#pragma once

#include "netctl/filter.h"
#include "netctl/host.h"
#include "netctl/shape.h"

/* Kept small: there may be thousands. */
struct holder {
	char *name;
	unsigned slot;
	uint64_t cgroup_id;
	uint32_t loopback; /* its number */
	bool leaving;
	bool only_counted; /* it has a stack of its own */
	size_t count;
	struct inet_ip addresses[];
};

struct shared_host {
	int cgroup; /* borrowed; -1: none */
	unsigned level;
	bool loaded, attached;
	bool counting; /* as far as packets are counted, it is attached */
	bool wide; /* there has been a context with several addresses */
	struct filter filter;
	struct shape *shape; /* borrowed */
	struct holder **holders;
	size_t count, room;
};

/** @return who has this slot, or NULL. */
struct holder *shared_holder(const struct shared_host *h, unsigned slot);
struct inet_ip shared_ip(const struct filter_ip *f);
/** Loads and attaches the filter, as far as that was not done. @wide for several addresses. */
[[nodiscard]] int shared_ready(struct shared_host *h, bool wide, struct err *e);
