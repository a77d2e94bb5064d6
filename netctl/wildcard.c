/* The link of the program that knows of wildcards, and what it knows. */
#include "netctl/wildcard.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "netctl/ward_filter.skel.h"

/* Whether a program works with our listeners: other daemons have theirs. */
static bool is_ours(const struct filter *f, uint32_t program)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(program);
	uint32_t maps[8], size = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = { .nr_map_ids = ARRAY_SIZE(maps), .map_ids = (uintptr_t) maps };
	struct bpf_map_info ours = { 0 };

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return false;
	size = sizeof(ours);
	if (bpf_obj_get_info_by_fd(bpf_map__fd(f->programs->maps.ward_listeners), &ours, &size) < 0)
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < ARRAY_SIZE(maps); i++)
		if (maps[i] == ours.id)
			return true;
	return false;
}

/* @return a descriptor of the link that contexts have kept for us, or -1. */
static int find_link(const struct filter *f, uint32_t namespace)
{
	uint32_t id = 0;

	while (bpf_link_get_next_id(id, &id) == 0) {
		_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);
		struct bpf_link_info info = { 0 };
		uint32_t size = sizeof(info);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
		    info.type == BPF_LINK_TYPE_NETNS && info.netns.attach_type == BPF_SK_LOOKUP &&
		    info.netns.netns_ino == namespace && is_ours(f, info.prog_id))
			return TAKE_FD(fd);
	}
	return -1;
}

int wildcard_attach(struct filter *f, struct err *e)
{
	_cleanup_close_ int namespace = sys(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	int program = bpf_program__fd(f->programs->progs.ward_lookup), r = 0;
	struct stat st;

	if (f->link >= 0)
		return 0;
	if (namespace < 0 || fstat(namespace, &st) < 0)
		return err_set_errno(e, -errno, "opening the network namespace");
	f->link = find_link(f, (uint32_t) st.st_ino);
	if (f->link >= 0) {
		r = bpf_link_update(f->link, program, NULL);
	} else {
		f->link = bpf_link_create(program, namespace, BPF_SK_LOOKUP, NULL);
		r = f->link;
	}
	if (r >= 0)
		return 0;
	f->link = fd_close(f->link < 0 ? -1 : f->link);
	return err_set_errno(e, r, "attaching the network filter to sk_lookup");
}

static int reached(const struct filter *f)
{
	return bpf_map__fd(f->programs->maps.ward_reached);
}

int wildcard_add(const struct filter *f, uint64_t cgroup_id, const struct filter_rules *rules)
{
	for (uint32_t i = 0; i < rules->count && rules->count > 1; i++)
		if (bpf_map_update_elem(reached(f), &rules->addresses[i], &cgroup_id, BPF_ANY) < 0)
			return -errno;
	return 0;
}

void wildcard_remove(const struct filter *f, uint64_t cgroup_id, const struct filter_rules *rules)
{
	uint64_t id;

	for (uint32_t i = 0; i < rules->count && i < FILTER_ADDRESSES_MAX; i++)
		if (bpf_map_lookup_elem(reached(f), &rules->addresses[i], &id) == 0 &&
		    id == cgroup_id)
			(void) bpf_map_delete_elem(reached(f), &rules->addresses[i]);
}
