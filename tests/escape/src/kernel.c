/* Attacks on what belongs to the whole kernel: modules, kexec, bpf, perf, clocks, swap. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/escape/src/attack.h"

/* Whether the kernel looked at the argument at all: any answer but a refusal. */
static bool looked_at(long result, const char *what)
{
	(void) got(result, what);
	return result >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS);
}

static bool load_module(void)
{
	static char image[64];
	if (looked_at(syscall(SYS_init_module, image, sizeof(image), ""), "init_module")) {
		return true;
	}
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	return looked_at(syscall(SYS_finit_module, fd, "", 0), "finit_module") ||
	       looked_at(syscall(SYS_delete_module, "no-such-module", O_NONBLOCK), "delete_module");
}

static bool load_kernel(void)
{
	/* no segments: unloads what is not loaded */
	return looked_at(syscall(SYS_kexec_load, 0, 0, NULL, 0), "kexec_load") ||
	       looked_at(syscall(SYS_kexec_file_load, -1, -1, 0, "", 0), "kexec_file_load");
}

static bool bpf_load(void)
{
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr prog = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				.insn_cnt = 2,
				.insns = (uintptr_t) code,
				.license = (uintptr_t) "GPL" };
	return got(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)), "bpf map") ||
	       got(syscall(SYS_bpf, BPF_PROG_LOAD, &prog, sizeof(prog)), "bpf program");
}

static bool perf_host(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE,
				     .size = sizeof(a),
				     .config = PERF_COUNT_SW_CPU_CLOCK };
	return got(syscall(SYS_perf_event_open, &a, -1, 0, -1, 0), "perf_event_open of a CPU") ||
	       got(syscall(SYS_perf_event_open, &a, 0, -1, -1, 0), "perf_event_open of itself");
}

static bool set_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return got(clock_settime(CLOCK_REALTIME, &now), "clock_settime");
}

static bool swap_on(void)
{
	return looked_at(swapon("/no-such-swap", 0), "swapon") ||
	       looked_at(swapoff("/no-such-swap"), "swapoff");
}

static bool read_log(void)
{
	static char text[4096];
	return got(klogctl(3, text, sizeof(text)), "syslog: read all");
}

static bool io_uring(void)
{
	static char params[120];
	return got(syscall(SYS_io_uring_setup, 4, params), "io_uring_setup");
}

static bool fault_handling(void)
{
	return got(syscall(SYS_userfaultfd, O_CLOEXEC | 1), "userfaultfd") ||
	       got(syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd in kernel mode");
}

/* The host's keys: by the serial number that the test tells, and by name in all keyrings. */
static bool host_key(void)
{
	static const long rings[] = { -3 /* session */, -4 /* user */, -5 /* user session */ };
	char value[64];
	long serial = atol(told("HOST_KEY"));
	if (serial > 0 && got(syscall(SYS_keyctl, 11 /* READ */, serial, value, sizeof(value)),
			      "keyctl read by number")) {
		return true;
	}
	for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
		long id = syscall(SYS_keyctl, 10 /* SEARCH */, rings[i], "user", "ward-test-secret",
				  0);
		if (got(id, "keyctl search")) {
			return true;
		}
	}
	return false;
}

static bool realtime(void)
{
	int priority[1] = { 50 };
	return got(syscall(SYS_sched_setscheduler, 0, 1 /* SCHED_FIFO */, priority),
		   "sched_setscheduler FIFO");
}

static bool nice_up(void)
{
	return got(setpriority(PRIO_PROCESS, 0, -10), "setpriority -10");
}

static bool ports(void)
{
	return got(syscall(SYS_iopl, 3), "iopl") || got(syscall(SYS_ioperm, 0x80, 1, 1), "ioperm");
}

static bool accounting(void)
{
	return looked_at(syscall(SYS_acct, "/no-such-file"), "acct");
}

const struct attack kernel_attacks[] = {
	{ "load-module", load_module, false },
	{ "kexec", load_kernel, false },
	{ "bpf", bpf_load, true },
	{ "perf", perf_host, true },
	{ "set-clock", set_clock, true },
	{ "swap", swap_on, true },
	{ "kernel-log", read_log, true },
	{ "io-uring", io_uring, true },
	{ "userfaultfd", fault_handling, true },
	{ "host-key", host_key, true },
	{ "realtime", realtime, true },
	{ "nice-up", nice_up, true },
	{ "io-ports", ports, false },
	{ "accounting", accounting, false },
	{ NULL, NULL, false },
};
