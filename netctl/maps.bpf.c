/* The shared stack's filter, its maps: by cgroup what a context may and what it did, by socket what
 * is remembered of it. common.bpf.h declares them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "netctl/filter_abi.h"

const volatile __u32 slot_level; /* of a context's cgroup, from the root of the hierarchy */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FILTER_CONTEXTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct filter_rules);
} ward_contexts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, FILTER_CONTEXTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct filter_traffic);
} ward_traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct filter_socket);
} ward_sockets SEC(".maps");
