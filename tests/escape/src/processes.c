/* Attacks on processes: tracing, signals, memory, namespaces of the host. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/escape/src/attack.h"

/* The victim is a process of the host; the test tells its number and watches it. */
static pid_t victim(void)
{
	return (pid_t) atol(told("HOST_PID"));
}

static bool trace_host(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *) 0x400000, 1 };
	if (victim() == 0) {
		say("the test names no process");
		return false;
	}
	if (ptrace(PTRACE_SEIZE, victim(), 0, 0) == 0) {
		say("traces process %d", victim());
		return true;
	}
	(void) got(-1, "ptrace");
	return process_vm_readv(victim(), &here, 1, &there, 1, 0) == 1;
}

static bool signal_host(void)
{
	if (victim() == 0) {
		say("the test names no process");
		return false;
	}
	int fd = (int) syscall(SYS_pidfd_open, victim(), 0);
	return got(fd, "pidfd_open") || got(kill(victim(), 0), "kill") ||
	       got(syscall(SYS_tgkill, victim(), victim(), 0), "tgkill");
}

/* kill(-1) reaches all that may be reached: the test sees whether the host felt it. A signal
 * that is ignored here and by default everywhere. */
static bool signal_all(void)
{
	(void) got(kill(-1, SIGURG), "kill of all with SIGURG");
	return false;
}

static const char *const kinds[] = { "mnt", "pid", "net", "user", "ipc", "uts", "cgroup", "time" };

static unsigned long long host_ns(const char *kind)
{
	char name[32];
	snprintf(name, sizeof(name), "HOST_NS_%s", kind);
	return strtoull(told(name), NULL, 10);
}

static bool is_host_ns(int fd, const char *kind, const char *how)
{
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || host_ns(kind) == 0 || st.st_ino != host_ns(kind)) {
		return false;
	}
	say("the host's %s namespace, by %s; setns: %s", kind, how,
	    setns(fd, 0) == 0 ? "done" : "refused");
	return true;
}

/* Any link below /proc that names a namespace of the host (the test leaves out what the context
 * shares on purpose). */
static bool namespaces_of(const char *pid)
{
	char path[300];
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, kinds[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		bool through = is_host_ns(fd, kinds[i], path);
		if (!through && fd >= 0) {
			int up = ioctl(fd, NS_GET_USERNS);
			through = is_host_ns(up, "user", "NS_GET_USERNS");
			up = ioctl(fd, NS_GET_PARENT);
			through = through || is_host_ns(up, kinds[i], "NS_GET_PARENT");
		}
		if (fd >= 0) {
			close(fd);
		}
		if (through) {
			return true;
		}
	}
	return false;
}

static bool setns_host(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	bool through = false;
	say("no namespace of the host can be named");
	while (proc != NULL && !through && (d = readdir(proc)) != NULL) {
		through = d->d_name[0] >= '0' && d->d_name[0] <= '9' && namespaces_of(d->d_name);
	}
	if (proc != NULL) {
		closedir(proc);
	}
	return through;
}

static bool setns_by_pidfd(void)
{
	int fd = (int) syscall(SYS_pidfd_open, victim() ? victim() : getppid(), 0);
	if (victim() == 0 || fd < 0) {
		return got(-1, "pidfd_open") && false;
	}
	return got(setns(fd, CLONE_NEWNS), "setns by pidfd");
}

/* Process 1 is the runtime's own program: it must not be traced by what it looks after. */
static bool trace_init(void)
{
	if (getpid() == 1 || *told("OWN_INIT") != '\0') {
		say("process 1 is the context's own");
		return false;
	}
	long r = ptrace(PTRACE_SEIZE, 1, 0, 0);
	if (r == 0) {
		(void) ptrace(PTRACE_DETACH, 1, 0, 0);
	}
	return got(r, "ptrace of process 1");
}

static bool hidden_processes(void)
{
	say("/proc shows only the context's processes");
	return victim() != 0 && kill(victim(), 0) == 0;
}

static bool foreign_ids(void)
{
	/* an id outside of the range cannot be taken */
	if (host_ns("user") == 0) {
		say("the context has the host's ids on purpose");
		return false;
	}
	return got(setresuid(200000, 200000, 200000), "setresuid outside of the range");
}

/* Processes that enter the context are the daemon's own image for a moment. For $WATCH_MS we look
 * at every process there is, over and over, for a root, a descriptor or a memory of the host. */
/* The name of a process changes last when it executes, its program first: whoever opened
 * something before the program changed has opened something of the daemon. */
static bool still_daemon(const char *pid)
{
	char path[64], text[256] = "";
	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0) {
		close(fd);
	}
	if (n <= 0 || strncmp(text, "wardd", 5) != 0) {
		return false;
	}
	snprintf(path, sizeof(path), "/proc/%.20s/exe", pid);
	n = readlink(path, text, sizeof(text) - 1);
	return n < 0 ? errno == EACCES || errno == EPERM
		     : memmem(text, (size_t) n, "wardd", 5) != NULL;
}

static bool memory_opens(const char *pid)
{
	static const char *const files[] = { "mem", "environ", "maps", "fdinfo" };
	char path[300];
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!still_daemon(pid)) {
			return false;
		}
		snprintf(path, sizeof(path), "/proc/%s/%s", pid, files[i]);
		int fd = open(path, (i == 0 ? O_RDWR : O_RDONLY) | O_CLOEXEC);
		bool through = fd >= 0 && still_daemon(pid); /* it may have become the command */
		if (fd >= 0) {
			close(fd);
		}
		if (through) {
			say("%s of a process that is still wardd opens", path);
			return true;
		}
	}
	return false;
}

static bool root_opens(const char *pid)
{
	static const char *const links[] = { "root", "cwd",  "fd/3", "fd/4", "fd/5",
					     "fd/6", "fd/7", "fd/8", "fd/9", "fd/10" };
	char path[300];
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s/%s", pid, links[i]);
		int fd = open(path, O_PATH | O_CLOEXEC);
		bool host = fd >= 0 && is_host_root(fd);
		if (fd >= 0) {
			close(fd);
		}
		if (host) {
			say("%s led to the host's root for a moment", path);
			return true;
		}
	}
	return false;
}

static bool watch_entries(void)
{
	struct timespec now, end;
	unsigned long rounds = 0, seen = 0;
	pid_t last = 0;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += atol(told("WATCH_MS")) / 1000;
	do {
		DIR *proc = opendir("/proc");
		struct dirent *d;
		while (proc != NULL && (d = readdir(proc)) != NULL) {
			if (d->d_name[0] < '0' || d->d_name[0] > '9') {
				continue;
			}
			if (root_opens(d->d_name) || memory_opens(d->d_name)) {
				closedir(proc);
				return true;
			}
			pid_t pid = (pid_t) atol(d->d_name);
			seen += pid > last;
			last = pid > last ? pid : last;
		}
		if (proc != NULL) {
			closedir(proc);
		}
		rounds++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec ||
		 (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	say("%lu processes seen in %lu rounds, none of them open", seen, rounds);
	return false;
}

const struct attack process_attacks[] = {
	{ "trace-host", trace_host, true },	      { "signal-host", signal_host, true },
	{ "signal-all", signal_all, false },	      { "setns", setns_host, true },
	{ "setns-pidfd", setns_by_pidfd, false },     { "trace-init", trace_init, false },
	{ "host-processes", hidden_processes, true }, { "foreign-ids", foreign_ids, true },
	{ "watch-entries", watch_entries, false },    { NULL, NULL, false },
};
