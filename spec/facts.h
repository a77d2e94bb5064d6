/* What this host offers: probed once (X_probe), forged by tests, printed by doctor. */
#pragma once

#include <stdbool.h>

enum facts_cgroup_layout {
	FACTS_CGROUP_NONE,
	FACTS_CGROUP_V2,
	FACTS_CGROUP_HYBRID,
	FACTS_CGROUP_V1
};

struct facts {
	unsigned cpus; /* online */
	struct {
		unsigned major, minor;
	} kernel;
	struct { /* context_probe() */
		bool user_ns, time_ns, seccomp, close_range, pidfd, cap_sys_resource, keyrings;
		int landlock_abi; /* 0: none */
		unsigned last_cap;
	} context;
	struct { /* fs_probe() */
		bool mount_api; /* open_tree, fsopen, move_mount (5.2) */
		bool idmap; /* MOUNT_ATTR_IDMAP on the host root's file system (5.12) */
		bool idmap_tmpfs; /* 6.3 */
		bool idmap_overlay; /* overlay accepts idmapped layers (5.19) */
		bool idmap_mask; /* a layer of Ward's own can be: on tmpfs, else on an image */
		bool overlay;
		bool detached; /* overlay takes detached mounts (6.15); else a detour */
		bool loop;
		char apart[256]; /* the host's disks below /, that views lack: "/usr" */
		bool project_quota; /* of the file system that holds the state directory */
	} fs;
	struct { /* sched_probe() */
		enum facts_cgroup_layout layout;
		bool cpu, cpuset, memory, io, pids, freezer, devices; /* a controller we can use */
		bool cpu_burst, memory_reserve, memory_soft, memory_reclaim, memory_swap;
		bool io_share; /* there is a scheduler of disks that knows them */
		bool io_buffered_writes; /* are charged to who wrote them */
		bool kill; /* cgroup.kill works for every process of a context */
		bool clone_into; /* CLONE_INTO_CGROUP covers all controllers (pure v2) */
	} sched;
	bool net_ns; /* netctl_probe() */
	bool net_shared; /* all hooks of the shared stack's filter */
	bool net_tables; /* nf_tables answers */
	bool kvm; /* /dev/kvm opens */
	bool bpf_cgroup, bpf_lsm; /* by loading, never by reading lists */
	bool psi;
};
