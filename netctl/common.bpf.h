/* What the filter's programs share: their maps, which maps.bpf.c defines, and who is asking. */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "netctl/filter_abi.h"
#include "netctl/filter_match.h"

extern const volatile __u32 slot_level;

extern struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FILTER_CONTEXTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct filter_rules);
} ward_contexts SEC(".maps");

extern struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, FILTER_CONTEXTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct filter_traffic);
} ward_traffic SEC(".maps");

extern struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct filter_socket);
} ward_sockets SEC(".maps");

static __always_inline __u64 own_id(void)
{
	return bpf_get_current_ancestor_cgroup_id((int) slot_level);
}

static __always_inline struct filter_rules *own_rules(void)
{
	__u64 id = own_id();

	return bpf_map_lookup_elem(&ward_contexts, &id);
}

/* A CPU's own counter, but the kernel's work on packets may come between. */
static __always_inline void add(__u64 *counter, __u64 n)
{
	__sync_fetch_and_add(counter, n);
}

static __always_inline void count_refusal(__u64 id, enum filter_refusal why)
{
	struct filter_traffic *t = bpf_map_lookup_elem(&ward_traffic, &id);

	if (t)
		add(&t->refused[why], 1);
}

/* The system call ends with this error. */
static __always_inline int refuse(enum filter_refusal why, int error)
{
	count_refusal(own_id(), why);
	bpf_set_retval(error);
	return 0;
}
