/* Shaping: what contexts get of links. Private to netctl/.
 *
 * One HTB tree an interface and way, of a handle that tells whose it is: a class for the link,
 * below it one for each context and one for the host. What leaves finds its class in the packet's
 * priority, where the filter writes it; what comes is led to an ifb device with the same tree by
 * one program, which knows addresses. There is nothing as long as no context on an interface wishes
 * for anything, and the kernel needs no daemon to keep what there is.
 *
 *   shape_class.c  arithmetic: rates, shares and bursts as classes, pure
 *   tc.c           qdiscs, classes and devices as messages to the kernel
 *   shape_tree.c   one tree: put there, changed, taken over, removed
 *   shape_in.c     how what comes gets to its tree
 *   shape_port.c   one interface: whoever is on it, both ways
 *   shape.c        who is on which interface, and what is wanted there
 *   shape_look.c   what the kernel has, and links that come and go */
#pragma once

#include <net/if.h>

#include "netctl/filter_abi.h"
#include "netctl/netctl.h"

enum shape_way { SHAPE_OUT, SHAPE_IN, SHAPE_WAYS };

/* --- shape_class.c --- */

#define SHAPE_LINK 1u /* minor numbers: the link's class, the host's, and those of contexts */
#define SHAPE_HOST 2u
#define SHAPE_CONTEXTS 32767u
#define SHAPE_UNKNOWN UINT64_C(125000000000) /* 1Tbit: of a link whose capacity nobody told */
#define SHAPE_TICK_NS 64u /* of HTB's buckets */

/** A class as HTB has it. */
struct shape_class {
	uint32_t minor, quantum; /* bytes */
	uint64_t rate, ceil; /* bytes a second */
	uint32_t burst, cburst; /* ticks */
	uint32_t queue; /* bytes that wait at most; no part of HTB */
};

struct shape_member {
	uint32_t minor;
	struct netctl_shape want;
};

/** A link one way. */
struct shape_link {
	uint64_t capacity; /* or UNITS_NONE */
	uint32_t host_ppm; /* what the host keeps */
};

/** Whether there is anything that the kernel would have to be told. */
bool shape_wished(const struct netctl_shape *s);
/** What a spec says of both ways. */
void netctl_shape_of(const struct spec *s, struct netctl_shape ret[static SHAPE_WAYS]);
/** Minor numbers by number; a priority that no other qdisc takes for an urgent one. */
uint32_t shape_minor(uint32_t n);
/** The reverse. @return false for what is no context's. */
bool shape_number(uint32_t minor, uint32_t *ret);
/** What may be reserved by all contexts together. */
uint64_t shape_reservable(const struct shape_link *l);
/** @ret room for count + 2: the link's, the host's, the members' in their order. */
void shape_classes(const struct shape_link *l, const struct shape_member *m, size_t count,
		   struct shape_class *ret);
/** Of a link with one context and nobody else: two classes. */
void shape_classes_alone(const struct shape_link *l, const struct netctl_shape *want,
			 struct shape_class ret[static 2]);
bool shape_class_equal(const struct shape_class *a, const struct shape_class *b);
/** The handle's upper half, by the daemon's name. */
uint16_t shape_major(const char *instance);
/** Whether some daemon of Ward's has such a handle. */
bool shape_is_ward(uint32_t handle);

/* --- tc.c --- */

struct nl_sock;
struct tc_qdisc {
	uint32_t handle; /* 0: the kernel's own choice */
	char kind[16];
};
[[nodiscard]] int tc_open(struct nl_sock **ret);
void tc_close(struct nl_sock *s);
[[nodiscard]] int tc_root(struct nl_sock *s, int ifindex, struct tc_qdisc *ret);
/** The qdisc at which what comes can be looked at: "ingress" or "clsact"; handle 0: none. */
[[nodiscard]] int tc_ingress(struct nl_sock *s, int ifindex, struct tc_qdisc *ret);
/** Calls `each` for every interface whose root has this handle. */
[[nodiscard]] int tc_each_root(struct nl_sock *s, uint32_t handle, void (*each)(int, void *),
			       void *arg);
/** An HTB at the root, in the place of the kernel's own, or with `replace` of any. */
[[nodiscard]] int tc_htb_add(struct nl_sock *s, int ifindex, uint16_t major, bool replace);
[[nodiscard]] int tc_root_remove(struct nl_sock *s, int ifindex, uint32_t handle);
/** Whether anything looks at what comes or goes by a "clsact". */
[[nodiscard]] int tc_has_filters(struct nl_sock *s, int ifindex, bool *ret);
[[nodiscard]] int tc_ingress_remove(struct nl_sock *s, int ifindex);
/** Makes or changes a class, below the link's, and the queue of those that have one. */
[[nodiscard]] int tc_class_set(struct nl_sock *s, int ifindex, uint16_t major,
			       const struct shape_class *c);
[[nodiscard]] int tc_class_remove(struct nl_sock *s, int ifindex, uint16_t major, uint32_t minor);
/** @ret sorted by minor; the caller's. */
[[nodiscard]] int tc_classes(struct nl_sock *s, int ifindex, uint16_t major,
			     struct shape_class **ret, size_t *count);
/** An ifb device, up. @return its index or -errno. */
[[nodiscard]] int tc_ifb_add(struct nl_sock *s, const char *name);
int tc_link_remove(struct nl_sock *s, int ifindex);
/** What a link can carry by its driver, or UNITS_NONE. */
uint64_t tc_speed(const char *name);
/** Whether its packets have the header that an ifb needs. */
bool tc_has_header(const char *name);

/* --- shape_tree.c --- */

struct shape_tree {
	int device; /* where it is; 0: it is not */
	bool unsure; /* something failed: what there is has to be read again */
	struct shape_class *have; /* sorted by minor */
	size_t count;
};
struct shape_host {
	struct nl_sock *tc;
	uint16_t major;
};
/** Makes what is at the device's root be `want` (sorted by minor), taking over what an earlier
 * daemon left. @replace also what somebody else put there. On failure the next time begins with
 * what the kernel has. */
[[nodiscard]] int shape_tree_put(struct shape_tree *t, const struct shape_host *h, int device,
				 bool replace, const struct shape_class *want, size_t count,
				 struct err *e);
/** Takes it away. */
void shape_tree_drop(struct shape_tree *t, const struct shape_host *h);
/** The device is gone, or its tree is another daemon's. */
void shape_tree_forget(struct shape_tree *t);
const struct shape_class *shape_tree_find(const struct shape_tree *t, uint32_t minor);

/* --- shape_in.c --- */

struct ward_incoming; /* the skeleton */
struct shape_in {
	struct ward_incoming *programs;
};
/** Loads it, with nothing in its maps. @return 1 when it is new, 0 when it was there; -errno. */
[[nodiscard]] int shape_in_load(struct shape_in *in, struct err *e);
void shape_in_done(struct shape_in *in);
/** Leads what comes to `ifindex` to `ifb`; loaded before. @replace also where somebody else
 * looks at it. */
[[nodiscard]] int shape_in_attach(struct shape_in *in, struct nl_sock *tc, int ifindex, int ifb,
				  bool replace, struct err *e);
void shape_in_detach(struct shape_in *in, struct nl_sock *tc, int ifindex);
/** Whether ours is attached there. */
bool shape_in_is_attached(int ifindex);
/** What comes for an address is of this class (a priority). */
[[nodiscard]] int shape_in_set(struct shape_in *in, const struct inet_ip *ip, uint32_t priority);
void shape_in_clear(struct shape_in *in, const struct inet_ip *ip, uint32_t priority);

/* --- shape.c --- */

/** An interface that contexts are on. */
struct shape_port {
	int ifindex;
	char name[IF_NAMESIZE];
	struct shape_tree tree[SHAPE_WAYS];
	bool attached; /* what comes is led away */
};

/** A context. */
struct shape_holder {
	unsigned slot;
	uint32_t priority; /* of its packets: the class, with the handle's upper half */
	bool leaving;
	char device[IF_NAMESIZE]; /* "": else its own interface, the host's end of it ... */
	int ifindex; /* ... and that; 0: gone */
	struct netctl_shape want[SHAPE_WAYS];
	size_t count;
	struct shape_place {
		struct inet_ip ip;
		int ifindex; /* that has it; 0: none at present */
	} at[];
};

struct shape {
	struct shape_host host;
	uint32_t host_ppm, link_count;
	struct spec_host_link links[SPEC_HOST_LINKS_MAX];
	struct shape_holder **holders;
	size_t count, room;
	struct shape_port **ports;
	size_t port_count;
	uint64_t taken[(SHAPE_CONTEXTS + 64) / 64];
	uint32_t next; /* number to try first */
	struct shape_in in;
	struct nl_sock *watch; /* interfaces and addresses that come and go */
	bool watching; /* and so what holders say of interfaces is so */
	bool settled;
};

[[nodiscard]] int shape_new(struct shape **ret);
void shape_free(struct shape *s);
/** Who is the daemon, and what it says of links. */
[[nodiscard]] int shape_set_host(struct shape *s, const char *instance,
				 const struct spec_host *host, struct err *e);
/** A context has its addresses. On failure it is not there. Before shape_settle() nothing is put in
 * force. @priority that its packets have from an earlier daemon, or 0; set to what they are to
 * have. */
[[nodiscard]] int shape_join(struct shape *s, unsigned slot, const struct netctl_plan *p,
			     uint32_t *priority, struct err *e);
/** The same for one whose interface is its own, by the name of the host's end. */
[[nodiscard]] int shape_join_alone(struct shape *s, unsigned slot, const char *device,
				   const struct netctl_shape want[static SHAPE_WAYS],
				   struct err *e);
bool shape_is_alone(const struct shape_holder *x);
void shape_leaving(struct shape *s, unsigned slot);
void shape_gone(struct shape *s, unsigned slot);
[[nodiscard]] int shape_change(struct shape *s, unsigned slot,
			       const struct netctl_shape want[static SHAPE_WAYS], struct err *e);
/** All are there that an earlier daemon left: what is not theirs goes. */
[[nodiscard]] int shape_settle(struct shape *s, struct err *e);
/** Whether packets are to be marked. */
bool shape_marks(const struct shape *s);
/** An interface is gone, and with it what was on it. */
void shape_lost(struct shape *s, int ifindex);
/** Finds out again who is where, and puts all in force, as far as that can be done. */
[[nodiscard]] int shape_refresh(struct shape *s, struct err *e);
struct shape_holder *shape_holder(const struct shape *s, unsigned slot);
struct shape_port *shape_port(const struct shape *s, int ifindex);
#define SHAPE_DEVICES_MAX (NETCTL_ADDRESSES_MAX + SPEC_HOST_LINKS_MAX)
/** The interfaces that a context is on. @return how many. */
size_t shape_devices(const struct shape *s, const struct shape_holder *x,
		     int ret[static SHAPE_DEVICES_MAX]);
/** What a link can carry one way. */
struct shape_link shape_link(const struct shape *s, const struct shape_port *p, enum shape_way way);
/** The class of a context on an interface. */
uint32_t shape_minor_of(const struct shape_holder *x);

/* --- shape_port.c: what is wanted of one interface, put in force --- */

/** The interface, one that nobody has seen before as well. @return NULL: no memory. */
struct shape_port *shape_port_get(struct shape *s, int ifindex);
/** Puts in force what the contexts on it want. */
[[nodiscard]] int shape_port_sync(struct shape *s, struct shape_port *p, struct err *e);
/** The interface is gone: nothing of it is left but its ifb. */
void shape_port_forget(struct shape *s, struct shape_port *p);
/** Takes away what is ours on any interface, and is not in use. */
[[nodiscard]] int shape_sweep(struct shape *s);

/* --- shape_look.c --- */

/** Begins or ends to listen. */
void shape_listen(struct shape *s, bool on);
/** Reads what came. @return whether it matters to anyone here. */
bool shape_hear(struct shape *s);
/** A key of [network] as the kernel has it. @return 0 or -ENOENT. */
int shape_live(struct shape *s, unsigned slot, const struct spec *spec, const char *key,
	       struct buf *out);
