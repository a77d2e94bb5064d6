/* Private to doctor.c: kernel features that only show by being used. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/** Loads a trivial cgroup program. @return 0 or -errno. */
int try_bpf_cgroup(void);
/** Loads a trivial LSM program (its hook's id is in the kernel's BTF). @return 0 or -errno. */
int try_bpf_lsm(void);
/** Opens /dev/kvm and makes an empty VM. @return the API version or -errno. */
int try_kvm(void);
bool try_psi(void);
bool try_clone3(void);
bool try_openat2(void);
bool try_io_uring(void);
bool try_userfaultfd(void);
bool try_seccomp_notify(void);

/** What a child found that unshared everything. */
struct try_child {
	bool pid, mnt, ipc, uts, cgroup, net; /* namespaces */
	bool htb, nftables, private; /* in the new network namespace */
	struct err private_why; /* it cannot be */
};
/** @return 0 or -errno, then nothing is known. */
int try_in_child(struct try_child *ret);
