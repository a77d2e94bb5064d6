/* The door of netctl/: the network identity of a context. So far: none, private, host. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/step.h"
#include "spec/facts.h"
#include "spec/spec.h"

struct netctl_plan {
	enum spec_network mode;
	bool own_namespace; /* a network namespace of its own, with loopback up */
};

void netctl_probe(struct facts *facts);
[[nodiscard]] int netctl_plan(const struct spec *spec, const struct facts *facts,
			      struct netctl_plan *ret, struct err *e);
void netctl_print(const struct netctl_plan *p, struct buf *out);
/** Brings "lo" up in the calling process's network namespace. @return 0 or -errno. */
[[nodiscard]] int netctl_loopback_up(void);
