/* The door of netctl/: the network identity of a context: none; private: a stack of its own, with
 * an interface where it has an address; host; or shared: the host's own stack, of which it can use
 * its own addresses and nothing else. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/inet.h"
#include "base/step.h"
#include "spec/facts.h"
#include "spec/host.h"
#include "spec/spec.h"

#define NETCTL_ADDRESSES_MAX 16
#define NETCTL_LISTEN_MAX 32
#define NETCTL_PEERS_MAX 32
#define NETCTL_FORWARDS_MAX 32
/** What only SPEC_NETWORK_PRIVATE has. */
struct netctl_private {
	char bridge[INET_INTERFACE_MAX]; /* "": routed */
	uint8_t mac[6];
	struct inet_ip
		gateways[2]; /* as declared, IPv4 and IPv6; all zeros: as the bridge has it */
	struct inet_forward forwards[NETCTL_FORWARDS_MAX];
	size_t forward_count;
	bool no_gateway, masquerade, contexts;
};
/** What a context gets of a link, one way. */
struct netctl_shape {
	uint64_t reserve, limit, burst; /* bytes a second; limit: UNITS_NONE; bytes */
	uint64_t share;
};
struct netctl_plan {
	enum spec_network mode;
	bool own_namespace; /* a network namespace of its own, with loopback up */
	bool linked; /* SPEC_NETWORK_PRIVATE with addresses: it has an interface */
	struct netctl_private private;
	/* with SPEC_NETWORK_SHARED, or linked */
	struct inet_address addresses[NETCTL_ADDRESSES_MAX];
	struct inet_port listen[NETCTL_LISTEN_MAX];
	struct inet_peer peers[NETCTL_PEERS_MAX];
	size_t address_count, listen_count, peer_count;
	bool connect_any, multicast, ping;
	struct netctl_shape shape[2]; /* out, in */
};

void netctl_probe(struct facts *facts);
[[nodiscard]] int netctl_plan(const struct spec *spec, const struct facts *facts,
			      struct netctl_plan *ret, struct err *e);
void netctl_print(const struct netctl_plan *p, struct buf *out);
/** Brings "lo" up in the calling process's network namespace. @return 0 or -errno. */
[[nodiscard]] int netctl_loopback_up(void);
/** Lets all groups of the namespace have ICMP echo sockets; what may leave by them is for the rules
 * of its interface to say. Called by the root of the namespace, while /proc is in sight. */
void netctl_echo_sockets(void);

/* --- contexts with addresses --- */

struct netctl_host; /* what the kernel was given for contexts, and who has which address */

/**
 * @instance the daemon's, of which no two on a host are the same: whose interfaces and tables
 * these are. @cgroup the cgroup2 directory above all contexts, borrowed; -1: there is none, and no
 * context is on the shared stack. @level of the contexts' own cgroups, from the root of the
 * hierarchy.
 * Takes over the filter of a daemon that died; else nothing is loaded before it is needed.
 */
[[nodiscard]] int netctl_host_new(const char *instance, int cgroup, unsigned level,
				  struct netctl_host **ret, struct err *e);
/** Loads the filter, or what of it counts for contexts with a stack of their own, ahead of the
 * first one that needs it, which would wait some 50 ms. */
void netctl_warm(struct netctl_host *h, bool only_counting);
/** The filter stays as long as there are contexts: it goes with their cgroup. */
void netctl_host_free(struct netctl_host *h);

/** Who a context is for the kernel. */
struct netctl_context {
	const char *name;
	unsigned slot;
	uint64_t cgroup_id; /* with SPEC_NETWORK_SHARED, or linked; then 0: it is not counted */
	pid_t pid; /* of its process 1, when it is linked */
};
/** Appends the steps that give a context its addresses; nothing for other modes. */
[[nodiscard]] int netctl_steps(const struct netctl_plan *p, struct netctl_host *h,
			       const struct netctl_context *c, struct step_list *steps,
			       struct err *e);
/** What the first process of a context is to hold open, so that it is reached at all its addresses
 * when there is no daemon. @ret the caller's; -1: nothing. */
[[nodiscard]] int netctl_keep(const struct netctl_plan *p, struct netctl_host *h, int *ret,
			      struct err *e);
/** One that runs on from an earlier daemon. */
[[nodiscard]] int netctl_adopt(const struct netctl_plan *p, struct netctl_host *h,
			       const struct netctl_context *c, struct err *e);
/** All that run on are adopted: what others left is taken away, this daemon's filter takes the
 * place of the earlier. */
[[nodiscard]] int netctl_settle(struct netctl_host *h, struct err *e);
/** The context has ended; its processes are dying. Who comes now may have its addresses. */
void netctl_leaving(struct netctl_host *h, unsigned slot);
/** The slot is gone with all its processes: its rules and what was added for it go as well. */
void netctl_gone(struct netctl_host *h, unsigned slot);
/** Whether there is something that contexts left to those to come, as it costs time to remove and
 * to make: tables of nftables without elements, bridges without ports. */
bool netctl_untidy(const struct netctl_host *h);
/** Removes it as far as that does not wait. @return whether there is more. */
bool netctl_tidy(struct netctl_host *h);
/** Removes the rest, for a child process: to delete a bridge takes the kernel some 50 ms. */
void netctl_tidy_slowly(const struct netctl_host *h);
/** A child does so, and the next context waits for its end; 0: it has ended. */
void netctl_tidying(struct netctl_host *h, pid_t child);
/** Where a slot's own 127.0.0.1 is in truth (in the namespace it is in), and its first addresses.
 * @return false for slots that have none. */
struct netctl_where {
	struct inet_ip loopback4, loopback6; /* the latter is all zeros where there is none */
	struct inet_ip first4, first6; /* likewise */
};
bool netctl_where(const struct netctl_host *h, unsigned slot, struct netctl_where *ret);
/** Which hooks of the shared stack this kernel has: "bind4 bind6 ...". @return whether all. */
bool netctl_hooks(struct buf *present, struct buf *missing);

/** In a network namespace to throw away: makes what private contexts need. @return 0 or -errno, and
 * what cannot be made. */
[[nodiscard]] int netctl_private_try(struct err *e);

/* --- shaping: reserve, share, limit, burst --- */

/** Who the daemon is, and what wardd.ini says of links. Before any context is adopted, and when the
 * file has changed (without an instance): then what it says is in force for those that run. */
[[nodiscard]] int netctl_links(struct netctl_host *h, const char *instance,
			       const struct spec_host *host, struct err *e);
/** Puts other values in force. @return 0, -EDQUOT and other reasons in `e`: it has what it had. */
[[nodiscard]] int netctl_change(struct netctl_host *h, unsigned slot, const struct spec *to,
				struct err *e);
/** A key of [network] as the kernel has it. @return 0, or -ENOENT where it has nothing of it. */
int netctl_live(struct netctl_host *h, unsigned slot, const struct spec *spec, const char *key,
		struct buf *out);
/** After netctl_settle(): takes over what an earlier daemon left on links, and removes what nobody
 * needs. On failure what can be done is done. */
[[nodiscard]] int netctl_settle_links(struct netctl_host *h, struct err *e);
/** Readable when interfaces or addresses came or went; or -1. */
int netctl_watch_fd(const struct netctl_host *h);
/** Reads what there is, and shapes those again that came back. */
[[nodiscard]] int netctl_watch(struct netctl_host *h, struct err *e);

/* --- read back --- */

#define NETCTL_DEVICES_MAX 8
struct netctl_traffic {
	char device[16]; /* as the context calls it */
	uint64_t received_bytes, received_packets, sent_bytes, sent_packets;
	const char *family; /* "ipv4", "ipv6": alone; NULL: whatever there was */
};
/** What went through the devices of a process's network namespace; those beyond `max` are left
 * out. @return how many, or -errno. */
int netctl_traffic(pid_t pid, struct netctl_traffic *ret, size_t max);
/** The same from the text of a /proc/PID/net/dev. @return how many. */
int netctl_traffic_parse(const char *text, struct netctl_traffic *ret, size_t max);
#define NETCTL_REFUSALS 7
/** What a slot with addresses sent and received as its sockets did: by family, and its own loopback
 * as "lo"; and what was refused to it on the shared stack. @return how many rows, or -errno. */
int netctl_shared_traffic(const struct netctl_host *h, unsigned slot, struct netctl_traffic *ret,
			  size_t max, uint64_t refused[static NETCTL_REFUSALS]);
/** "bind": what it was that was refused. */
const char *netctl_refusal_name(unsigned i);
