/* wardctl doctor: one table with a row for each kernel feature, controller and library Ward uses
 * or will use. A row is present when a fact says so (the rooms probed it), when a try succeeds, or
 * when its own function finds it; `without` says what an admin loses. */
#include "daemon/doctor.h"

#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "daemon/doctor_try.h"
#include "netctl/netctl.h"
#include "sched/sched.h"

#define DETAIL_MAX 300
#define LANDLOCK_SCOPES_ABI 6

void doctor_probe(struct facts *facts)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname u;

	facts->cpus = cpus > 0 ? (unsigned) cpus : 1;
	if (uname(&u) < 0 ||
	    sscanf(u.release, "%u.%u", &facts->kernel.major, &facts->kernel.minor) != 2)
		facts->kernel.major = facts->kernel.minor = 0;
	facts->bpf_cgroup = try_bpf_cgroup() == 0;
	facts->bpf_lsm = try_bpf_lsm() == 0;
	facts->kvm = try_kvm() >= 0;
	facts->psi = try_psi();
}

struct look {
	const struct facts *facts;
	struct try_child child;
	char detail[DETAIL_MAX];
};

__attribute__((format(printf, 2, 3))) static void say(struct look *l, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void) vsnprintf(l->detail, sizeof(l->detail), fmt, args);
	va_end(args);
}

/* --- rows that need more than one fact --- */

static bool look_error(struct look *l, int r)
{
	if (r < 0)
		say(l, "%s", strerror(-r));
	return r >= 0;
}

static bool look_kvm(struct look *l)
{
	int r = try_kvm();

	if (r >= 0)
		say(l, "/dev/kvm makes a VM, API version %d", r);
	return look_error(l, r);
}

static bool look_bpf_cgroup(struct look *l)
{
	return look_error(l, try_bpf_cgroup());
}

static bool look_bpf_lsm(struct look *l)
{
	int r = try_bpf_lsm();

	if (r == -EPERM)
		say(l, "loading a program is refused: %s", strerror(-r));
	else
		(void) look_error(l, r);
	return r == 0;
}

static bool look_landlock(struct look *l)
{
	if (l->facts->context.landlock_abi > 0)
		say(l, "ABI %d", l->facts->context.landlock_abi);
	return l->facts->context.landlock_abi > 0;
}

static bool look_landlock_scopes(struct look *l)
{
	return l->facts->context.landlock_abi >= LANDLOCK_SCOPES_ABI;
}

static bool look_cgroup2(struct look *l)
{
	char path[256];
	bool v1;

	if (sched_where("cgroup2", path, sizeof(path), &v1) < 0)
		return false;
	say(l, "%s, %s", path,
	    l->facts->sched.layout == FACTS_CGROUP_V2 ? "the only hierarchy"
						      : "beside v1 hierarchies (hybrid)");
	return true;
}

static bool look_clone_into(struct look *l)
{
	const struct facts *f = l->facts;
	bool present = look_cgroup2(l) &&
		       (f->kernel.major > 5 || (f->kernel.major == 5 && f->kernel.minor >= 7));

	if (present)
		say(l, "%s",
		    f->sched.clone_into ? "processes are born in their cgroup"
					: "cgroup2 only; parked seats enter the v1 hierarchies");
	return present;
}

static bool look_controller(struct look *l, const char *name, bool present)
{
	char path[256];
	bool v1;

	if (present && sched_where(name, path, sizeof(path), &v1) == 0)
		say(l, "cgroup %s at %s", v1 ? "v1" : "v2", path);
	return present;
}

static bool look_cpu(struct look *l)
{
	return look_controller(l, "cpu", l->facts->sched.cpu);
}

static bool look_cpuset(struct look *l)
{
	return look_controller(l, "cpuset", l->facts->sched.cpuset);
}

static bool look_memory(struct look *l)
{
	return look_controller(l, "memory", l->facts->sched.memory);
}

static bool look_io(struct look *l)
{
	return look_controller(l, "io", l->facts->sched.io);
}

static bool look_pids(struct look *l)
{
	return look_controller(l, "pids", l->facts->sched.pids);
}

static bool look_devices(struct look *l)
{
	char path[256];
	bool v1;

	if (l->facts->bpf_cgroup && sched_where("cgroup2", path, sizeof(path), &v1) == 0)
		say(l, "by a BPF program on cgroup2 at %s", path);
	else
		(void) look_controller(l, "devices", l->facts->sched.devices);
	return l->facts->sched.devices;
}

static bool look_freezer(struct look *l)
{
	if (l->facts->sched.kill)
		say(l, "cgroup.freeze");
	else
		(void) look_controller(l, "freezer", l->facts->sched.freezer);
	return l->facts->sched.freezer;
}

static bool look_reclaim(struct look *l)
{
	if (l->facts->sched.memory_reclaim)
		say(l, "%s",
		    l->facts->sched.layout == FACTS_CGROUP_V2
			    ? "memory.reclaim"
			    : "lowering a v1 limit reclaims by itself");
	return l->facts->sched.memory_reclaim;
}

static bool look_btf(struct look *l)
{
	(void) l;
	return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

static bool look_sched_ext(struct look *l)
{
	(void) l;
	return access("/sys/kernel/sched_ext", F_OK) == 0;
}

static bool look_clone3(struct look *l)
{
	(void) l;
	return try_clone3();
}

static bool look_openat2(struct look *l)
{
	(void) l;
	return try_openat2();
}

static bool look_io_uring(struct look *l)
{
	(void) l;
	return try_io_uring();
}

static bool look_userfaultfd(struct look *l)
{
	(void) l;
	return try_userfaultfd();
}

static bool look_notify(struct look *l)
{
	(void) l;
	return try_seccomp_notify();
}

static bool look_pid_ns(struct look *l)
{
	return l->child.pid;
}

static bool look_mnt_ns(struct look *l)
{
	return l->child.mnt;
}

static bool look_ipc_ns(struct look *l)
{
	return l->child.ipc;
}

static bool look_uts_ns(struct look *l)
{
	return l->child.uts;
}

static bool look_cgroup_ns(struct look *l)
{
	return l->child.cgroup;
}

static bool look_net_ns(struct look *l)
{
	return l->child.net;
}

static bool look_shared(struct look *l)
{
	struct buf present = { 0 }, missing = { 0 };
	bool all = netctl_hooks(&present, &missing);

	say(l, "%s%s%s", present.len ? present.data : "no hook", missing.len ? "; missing: " : "",
	    missing.len ? missing.data : "");
	buf_done(&present);
	buf_done(&missing);
	return all;
}

static bool look_htb(struct look *l)
{
	return l->child.htb;
}

static bool look_private(struct look *l)
{
	if (!l->child.private)
		say(l, "%s", l->child.private_why.text);
	return l->child.private;
}

static bool look_nftables(struct look *l)
{
	return l->child.nftables;
}

/* --- libraries, as loaded --- */

static bool look_seccomp(struct look *l)
{
	const struct scmp_version *v = seccomp_version();

	say(l, "%u.%u.%u", v->major, v->minor, v->micro);
	return true;
}

static bool look_microhttpd(struct look *l)
{
	say(l, "%s", MHD_get_version());
	return true;
}

static bool look_jansson(struct look *l)
{
	say(l, "%s", jansson_version_str());
	return true;
}

/* It has no call for its version: the file it was loaded from bears it. */
static bool look_systemd(struct look *l)
{
	char path[256];
	Dl_info info;
	ssize_t n;

	if (dladdr((void *) (uintptr_t) sd_notify, &info) == 0 || info.dli_fname == NULL)
		return true;
	n = readlink(info.dli_fname, path, sizeof(path) - 1);
	if (n > 0)
		say(l, "%.*s", (int) n, path);
	else
		say(l, "%s", info.dli_fname);
	return true;
}

/* --- the table --- */

struct row {
	const char *group, *name;
	bool (*look)(struct look *l); /* NULL: a fact */
	size_t fact;
	const char *without;
};

#define FACT(field) NULL, offsetof(struct facts, field)
#define LOOK(function) function, 0

static const struct row rows[] = {
	{ "kernel", "clone3", LOOK(look_clone3), "contexts cannot start" },
	{ "kernel", "pidfd", FACT(context.pidfd), "contexts cannot be watched safely" },
	{ "kernel", "close-range", FACT(context.close_range), "descriptors are closed one by one" },
	{ "kernel", "openat2", LOOK(look_openat2), "paths of contexts cannot be resolved safely" },
	{ "kernel", "btf", LOOK(look_btf), "BPF programs cannot fit themselves to this kernel" },
	{ "kernel", "bpf-lsm", LOOK(look_bpf_lsm),
	  "no BPF fence above namespaces, and no context of the `fence` kind" },
	{ "kernel", "psi", FACT(psi), "no pressure figures" },
	{ "kernel", "io-uring", LOOK(look_io_uring), "VM devices use plain reads and writes" },
	{ "kernel", "userfaultfd", LOOK(look_userfaultfd), "VM snapshots are read in whole" },

	{ "files", "mount-api", FACT(fs.mount_api), "mounts are made by path, more slowly" },
	{ "files", "overlay", FACT(fs.overlay), "no copy-on-write views" },
	{ "files", "idmap", FACT(fs.idmap), "host root and user namespaces do not go together" },
	{ "files", "idmap-tmpfs", FACT(fs.idmap_tmpfs),
	  "the layer that masks secrets is an image, what is made for a context is chowned" },
	{ "files", "idmap-overlay", FACT(fs.idmap_overlay),
	  "copy-on-write views only with `ids = none`" },
	{ "files", "idmap-mask", FACT(fs.idmap_mask), "views of the host only with `ids = none`" },
	{ "files", "loop", FACT(fs.loop), "kept uppers need project quota" },
	{ "files", "project-quota", FACT(fs.project_quota),
	  "kept uppers are sparse images on loop devices" },

	{ "context", "user-ns", FACT(context.user_ns), "contexts share the host's user ids" },
	{ "context", "pid-ns", LOOK(look_pid_ns), "contexts cannot start" },
	{ "context", "mnt-ns", LOOK(look_mnt_ns), "contexts cannot start" },
	{ "context", "ipc-ns", LOOK(look_ipc_ns), "contexts cannot start" },
	{ "context", "uts-ns", LOOK(look_uts_ns), "contexts cannot start" },
	{ "context", "cgroup-ns", LOOK(look_cgroup_ns), "contexts cannot start" },
	{ "context", "time-ns", FACT(context.time_ns), "contexts see the host's uptime" },
	{ "context", "seccomp-filter", FACT(context.seccomp), "only `seccomp = none` starts" },
	{ "context", "seccomp-notify", LOOK(look_notify), "no system call can be emulated" },
	{ "context", "landlock", LOOK(look_landlock), "one layer of the wall is missing" },
	{ "context", "landlock-scopes", LOOK(look_landlock_scopes),
	  "`network = host` can reach abstract Unix sockets of the host" },
	{ "context", "keyrings", FACT(context.keyrings), "nothing: there is no keyring to hide" },
	{ "context", "cap-sys-resource", FACT(context.cap_sys_resource),
	  "hard rlimits cannot be raised above the daemon's, OOM scores not lowered" },

	{ "cgroup", "cgroup2", LOOK(look_cgroup2),
	  "no BPF per context, freezing and killing by v1" },
	{ "cgroup", "clone-into", LOOK(look_clone_into),
	  "processes enter their cgroup by a write" },
	{ "cgroup", "cpu", LOOK(look_cpu), "no cpu.share, cpu.limit" },
	{ "cgroup", "cpu-burst", FACT(sched.cpu_burst), "no cpu.burst" },
	{ "cgroup", "cpuset", LOOK(look_cpuset), "no cpu.cpus, cpu.mems" },
	{ "cgroup", "memory", LOOK(look_memory), "no memory.limit" },
	{ "cgroup", "memory-reserve", FACT(sched.memory_reserve),
	  "no memory.reserve (cgroup v1 has no guarantee)" },
	{ "cgroup", "memory-soft", FACT(sched.memory_soft),
	  "no memory.soft (cgroup v1 heeds a soft limit only when the whole host is short)" },
	{ "cgroup", "memory-reclaim", LOOK(look_reclaim),
	  "memory.limit cannot be lowered safely on a running context" },
	{ "cgroup", "memory-swap", FACT(sched.memory_swap), "no memory.swap" },
	{ "cgroup", "io", LOOK(look_io), "no io.limit" },
	{ "cgroup", "io-share", FACT(sched.io_share),
	  "no io.share, no io.reserve: the kernel has neither BFQ nor (cgroup v2) iocost" },
	{ "cgroup", "io-buffered-writes", FACT(sched.io_buffered_writes),
	  "io.limit, io.share and io.reserve hold for reads and direct writes only (cgroup v1)" },
	{ "cgroup", "pids", LOOK(look_pids), "no process.limit" },
	{ "cgroup", "devices", LOOK(look_devices), "only the view decides which devices open" },
	{ "cgroup", "freezer", LOOK(look_freezer), "no freeze and thaw" },
	{ "cgroup", "kill", FACT(sched.kill), "contexts are killed by freezing and signalling" },
	{ "cgroup", "bpf", LOOK(look_bpf_cgroup), "no shared-stack networks, devices only by v1" },
	{ "cgroup", "sched-ext", LOOK(look_sched_ext), "CPU budgets by weights and quotas only" },

	{ "network", "net-ns", LOOK(look_net_ns), "only `network = host`" },
	{ "network", "shared", LOOK(look_shared), "no `network = shared`" },
	{ "network", "private", LOOK(look_private),
	  "no addresses with `network = private`, which has loopback only" },
	{ "network", "htb", LOOK(look_htb), "no shaping" },
	{ "network", "nftables", LOOK(look_nftables), "no addresses with `network = private`" },

	{ "vm", "kvm", LOOK(look_kvm), "no VM walls: untrusted contexts are refused" },

	{ "library", "libseccomp", LOOK(look_seccomp), "no wardd: it compiles the filters" },
	{ "library", "libmicrohttpd", LOOK(look_microhttpd), "no wardd: it serves the API" },
	{ "library", "jansson", LOOK(look_jansson), "no wardd: it reads and writes JSON" },
	{ "library", "libsystemd", LOOK(look_systemd), "no wardd: it is the event loop" },
};

static bool row_present(const struct row *row, struct look *l)
{
	l->detail[0] = '\0';
	if (row->look != NULL)
		return row->look(l);
	return *(const bool *) ((const char *) l->facts + row->fact);
}

json_t *doctor_report(const struct facts *facts)
{
	struct look l = { .facts = facts };
	json_t *array = json_array();

	if (array == NULL)
		return NULL;
	(void) try_in_child(&l.child);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool present = row_present(&rows[i], &l);
		json_t *o = json_pack("{s:s, s:s, s:b, s:s, s:s}", "name", rows[i].name, "group",
				      rows[i].group, "present", (int) present, "detail", l.detail,
				      "without", rows[i].without);

		if (o == NULL || json_array_append_new(array, o) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}
