/* The door of netctl/: the network identity of a context. So far: none, private, host. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

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

/* --- read back --- */

#define NETCTL_DEVICES_MAX 8
struct netctl_traffic {
	char device[16]; /* as the context calls it */
	uint64_t received_bytes, received_packets, sent_bytes, sent_packets;
};
/** What went through the devices of a process's network namespace; those beyond `max` are left
 * out. @return how many, or -errno. */
int netctl_traffic(pid_t pid, struct netctl_traffic *ret, size_t max);
/** The same from the text of a /proc/PID/net/dev. @return how many. */
int netctl_traffic_parse(const char *text, struct netctl_traffic *ret, size_t max);
