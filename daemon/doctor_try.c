/* Tries kernel features on throwaway objects: a list that names a feature proves little (a BPF LSM
 * may be active and yet refuse every program). What would change the caller runs in a child. */
#include "daemon/doctor_try.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/io_uring.h>
#include <linux/kvm.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "netctl/netctl.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"
#define BTF_MAX (64u << 20)

/* --- BPF --- */

static int load_returning(int value, unsigned type, unsigned attach_type, unsigned btf_id)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	_cleanup_close_ int fd = -1;
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.expected_attach_type = attach_type;
	attr.attach_btf_id = btf_id;
	attr.insn_cnt = ARRAY_SIZE(insns);
	attr.insns = (uintptr_t) insns;
	attr.license = (uintptr_t) "GPL";
	fd = (int) sys(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
	return fd < 0 ? fd : 0;
}

int try_bpf_cgroup(void)
{
	return load_returning(1, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 0);
}

/* Bytes that follow a struct btf_type, or -1 for a kind of the future. */
static ssize_t btf_extra(const struct btf_type *t)
{
	size_t n = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(uint32_t);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return (ssize_t) (n * sizeof(struct btf_member));
	case BTF_KIND_ENUM:
		return (ssize_t) (n * sizeof(struct btf_enum));
	case BTF_KIND_FUNC_PROTO:
		return (ssize_t) (n * sizeof(struct btf_param));
	case BTF_KIND_DATASEC:
		return (ssize_t) (n * sizeof(struct btf_var_secinfo));
	case BTF_KIND_ENUM64:
		return (ssize_t) (n * 3 * sizeof(uint32_t));
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	default:
		return -1;
	}
}

/* @return the id of a function, or 0. */
static unsigned btf_find_func(const char *data, size_t len, const char *name)
{
	const struct btf_header *h = (const void *) data;
	const char *strings, *p, *end;
	uint64_t types_end;
	size_t want = strlen(name) + 1;

	if (len < sizeof(*h) || h->magic != BTF_MAGIC || h->hdr_len > len)
		return 0;
	types_end = (uint64_t) h->hdr_len + h->type_off + h->type_len;
	if (types_end > len || (uint64_t) h->hdr_len + h->str_off + h->str_len > len)
		return 0;
	strings = data + h->hdr_len + h->str_off;
	p = data + h->hdr_len + h->type_off;
	end = data + types_end;
	for (unsigned id = 1; (size_t) (end - p) >= sizeof(struct btf_type); id++) {
		const struct btf_type *t = (const void *) p;
		ssize_t extra = btf_extra(t);

		if (extra < 0)
			return 0;
		if (BTF_INFO_KIND(t->info) == BTF_KIND_FUNC &&
		    (uint64_t) t->name_off + want <= h->str_len &&
		    memcmp(strings + t->name_off, name, want) == 0)
			return id;
		if ((size_t) (end - p) < sizeof(*t) + (size_t) extra)
			return 0;
		p += sizeof(*t) + (size_t) extra;
	}
	return 0;
}

int try_bpf_lsm(void)
{
	_cleanup_free_ char *btf = NULL;
	size_t len = 0;
	unsigned id;
	int r = file_read_at(AT_FDCWD, BTF_PATH, BTF_MAX, &btf, &len);

	if (r < 0)
		return r;
	id = btf_find_func(btf, len, "bpf_lsm_file_open");
	if (id == 0)
		return -EOPNOTSUPP;
	return load_returning(0, BPF_PROG_TYPE_LSM, BPF_LSM_MAC, id);
}

/* --- single calls --- */

int try_kvm(void)
{
	_cleanup_close_ int fd = sys(open("/dev/kvm", O_RDWR | O_CLOEXEC));
	_cleanup_close_ int vm = -1;
	int version;

	if (fd < 0)
		return fd;
	version = sys(ioctl(fd, KVM_GET_API_VERSION, 0));
	if (version != KVM_API_VERSION)
		return version < 0 ? version : -EPROTONOSUPPORT;
	vm = sys(ioctl(fd, KVM_CREATE_VM, 0));
	return vm < 0 ? vm : version;
}

bool try_psi(void)
{
	_cleanup_close_ int fd = open("/proc/pressure/cpu", O_RDONLY | O_CLOEXEC);
	char c;

	/* A kernel with PSI compiled in but turned off shows the file and refuses to read it. */
	return fd >= 0 && read(fd, &c, 1) == 1;
}

bool try_clone3(void)
{
	return syscall(SYS_clone3, NULL, (size_t) 0) < 0 && errno != ENOSYS;
}

bool try_openat2(void)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH };
	_cleanup_close_ int fd = (int) syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));

	return fd >= 0;
}

bool try_io_uring(void)
{
	struct io_uring_params p;
	_cleanup_close_ int fd = -1;

	memset(&p, 0, sizeof(p));
	fd = (int) syscall(SYS_io_uring_setup, 1, &p);
	return fd >= 0;
}

bool try_userfaultfd(void)
{
	_cleanup_close_ int fd = (int) syscall(SYS_userfaultfd, O_CLOEXEC);

	return fd >= 0;
}

bool try_seccomp_notify(void)
{
	struct seccomp_notif_sizes sizes;

	return syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0;
}

/* --- in a child's own network namespace --- */

/* Sends one request and reads the error code of its answer; an answer without error is 0. */
static int netlink_ask(int protocol, void *request, size_t len)
{
	_cleanup_close_ int fd = sys(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
	const struct timeval patience = { .tv_sec = 2 };
	char answer[1024] __attribute__((aligned(8)));
	const struct nlmsghdr *h = (const void *) answer;
	ssize_t n;

	if (fd < 0)
		return fd;
	(void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(fd, request, len, 0) < 0)
		return -errno;
	n = recv(fd, answer, sizeof(answer), 0);
	if (n < (ssize_t) sizeof(*h))
		return n < 0 ? -errno : -EBADMSG;
	if (h->nlmsg_type != NLMSG_ERROR)
		return 0;
	if (n < (ssize_t) NLMSG_LENGTH(sizeof(struct nlmsgerr)))
		return -EBADMSG;
	return ((const struct nlmsgerr *) NLMSG_DATA(h))->error;
}

static bool try_nftables(void)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
	} request = {
		.h = { .nlmsg_len = sizeof(request),
		       .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
		       .nlmsg_flags = NLM_F_REQUEST },
	};

	return netlink_ask(NETLINK_NETFILTER, &request, sizeof(request)) == 0;
}

/* Puts an HTB queue on the new namespace's loopback, which is interface 1. */
static bool try_htb(void)
{
	struct {
		struct nlmsghdr h;
		struct tcmsg t;
		struct rtattr kind;
		char name[4];
		struct rtattr options, init;
		struct tc_htb_glob glob;
	} request = {
		.h = { .nlmsg_len = sizeof(request),
		       .nlmsg_type = RTM_NEWQDISC,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
		.t = { .tcm_ifindex = 1, .tcm_parent = TC_H_ROOT, .tcm_handle = 0x10000 },
		.kind = { .rta_len = sizeof(struct rtattr) + 4, .rta_type = TCA_KIND },
		.name = "htb",
		.options = { .rta_len = 2 * sizeof(struct rtattr) + sizeof(struct tc_htb_glob),
			     .rta_type = TCA_OPTIONS },
		.init = { .rta_len = sizeof(struct rtattr) + sizeof(struct tc_htb_glob),
			  .rta_type = TCA_HTB_INIT },
		.glob = { .version = 3, .rate2quantum = 10 },
	};

	return netlink_ask(NETLINK_ROUTE, &request, sizeof(request)) == 0;
}

static void child_try(struct try_child *t)
{
	t->pid = unshare(CLONE_NEWPID) == 0;
	t->mnt = unshare(CLONE_NEWNS) == 0;
	t->ipc = unshare(CLONE_NEWIPC) == 0;
	t->uts = unshare(CLONE_NEWUTS) == 0;
	t->cgroup = unshare(CLONE_NEWCGROUP) == 0;
	t->net = unshare(CLONE_NEWNET) == 0;
	/* Never on the host's own network. */
	t->htb = t->net && try_htb();
	t->nftables = t->net && try_nftables();
	t->private = t->net && netctl_private_try(&t->private_why) == 0;
}

int try_in_child(struct try_child *ret)
{
	struct try_child t = { 0 };
	int pipes[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		child_try(&t);
		_exit(write(pipes[1], &t, sizeof(t)) == sizeof(t) ? 0 : 1);
	}
	(void) fd_close(pipes[1]);
	n = pid < 0 ? -errno : sys(read(pipes[0], &t, sizeof(t)));
	(void) fd_close(pipes[0]);
	if (pid > 0)
		(void) waitpid(pid, NULL, 0);
	if (n != sizeof(t))
		return n < 0 ? (int) n : -EIO;
	*ret = t;
	return 0;
}
