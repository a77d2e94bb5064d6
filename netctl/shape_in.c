/* How what comes gets to its tree. The program hangs on a "clsact" qdisc, which is made where there
 * is none and is somebody's when anything hangs on it that is not ours. One that is empty does
 * nothing, so it is nobody's. What the maps say is made anew by each daemon, whose program takes
 * the place of the last one's at once. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "netctl/shape.h"
#include "netctl/ward_incoming.skel.h"

#define PRIORITY 0x57
#define HANDLE 1
#define PROGRAM "ward_incoming"

static struct bpf_tc_hook hook_of(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);

	return hook;
}

int shape_in_load(struct shape_in *in, struct err *e)
{
	int r;

	if (in->programs)
		return 0;
	in->programs = ward_incoming__open();
	if (!in->programs)
		return err_set_errno(e, -errno, "network: opening the program for what comes");
	r = ward_incoming__load(in->programs);
	if (r < 0) {
		shape_in_done(in);
		return err_set_errno(e, r, "network: loading the program for what comes");
	}
	return 1;
}

void shape_in_done(struct shape_in *in)
{
	ward_incoming__destroy(in->programs);
	in->programs = NULL;
}

bool shape_in_is_attached(int ifindex)
{
	struct bpf_tc_hook hook = hook_of(ifindex);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY);
	_cleanup_close_ int fd = -1;
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_tc_query(&hook, &opts) < 0)
		return false;
	fd = bpf_prog_get_fd_by_id(opts.prog_id);
	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
	       strncmp(info.name, PROGRAM, sizeof(info.name) - 1) == 0;
}

static int refuse(int ifindex, const char *kind, struct err *e)
{
	char name[IF_NAMESIZE] = "?";

	(void) if_indextoname((unsigned) ifindex, name);
	return err_set(e, -EBUSY,
		       "network: somebody else looks at what comes to %s (qdisc %s); allowed: to "
		       "remove it, limits and reserves \"out\" alone, or \"link = %s ... replace\" "
		       "in wardd.ini",
		       name, kind, name);
}

/* Somewhere to hang the program. */
static int make_place(struct nl_sock *tc, int ifindex, bool replace, struct err *e)
{
	struct bpf_tc_hook hook = hook_of(ifindex);
	struct tc_qdisc q;
	bool used = true;
	int r = tc_ingress(tc, ifindex, &q);

	if (r == 0 && q.handle && strcmp(q.kind, "clsact") == 0)
		r = tc_has_filters(tc, ifindex, &used);
	if (r == 0 && q.handle && used) {
		if (!replace)
			return refuse(ifindex, q.kind, e);
		r = tc_ingress_remove(tc, ifindex);
		q.handle = 0;
	}
	if (r == 0 && !q.handle)
		r = bpf_tc_hook_create(&hook);
	return r < 0 ? err_set_errno(e, r, "network: looking at what comes") : 0;
}

int shape_in_attach(struct shape_in *in, struct nl_sock *tc, int ifindex, int ifb, bool replace,
		    struct err *e)
{
	struct bpf_tc_hook hook = hook_of(ifindex);
	bool there = shape_in_is_attached(ifindex);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY,
		    .flags = there ? BPF_TC_F_REPLACE : 0);
	uint32_t key = (uint32_t) ifindex, value = (uint32_t) ifb;
	int r = there ? 0 : make_place(tc, ifindex, replace, e);

	if (r < 0)
		return r;
	r = bpf_map_update_elem(bpf_map__fd(in->programs->maps.ward_links), &key, &value, BPF_ANY);
	opts.prog_fd = bpf_program__fd(in->programs->progs.ward_incoming);
	if (r == 0)
		r = bpf_tc_attach(&hook, &opts);
	return r < 0 ? err_set_errno(e, r, "network: leading away what comes") : 0;
}

void shape_in_detach(struct shape_in *in, struct nl_sock *tc, int ifindex)
{
	struct bpf_tc_hook hook = hook_of(ifindex);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY);
	uint32_t key = (uint32_t) ifindex;
	bool used = true;

	if (shape_in_is_attached(ifindex) && bpf_tc_detach(&hook, &opts) == 0 &&
	    tc_has_filters(tc, ifindex, &used) == 0 && !used)
		(void) tc_ingress_remove(tc, ifindex);
	if (in->programs)
		(void) bpf_map_delete_elem(bpf_map__fd(in->programs->maps.ward_links), &key);
}

int shape_in_set(struct shape_in *in, const struct inet_ip *ip, uint32_t priority)
{
	if (!in->programs)
		return 0; /* it is told when there is somebody to tell */
	return bpf_map_update_elem(bpf_map__fd(in->programs->maps.ward_classes), ip, &priority,
				   BPF_ANY) < 0
		       ? -errno
		       : 0;
}

void shape_in_clear(struct shape_in *in, const struct inet_ip *ip, uint32_t priority)
{
	uint32_t now;
	int map = in->programs ? bpf_map__fd(in->programs->maps.ward_classes) : -1;

	if (map >= 0 && bpf_map_lookup_elem(map, ip, &now) == 0 && now == priority)
		(void) bpf_map_delete_elem(map, ip);
}
