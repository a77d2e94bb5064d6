/* An alarm that an idle host never hears: it rings when contexts have used some CPU time.
 *
 * A software event of perf on the instance's cgroup counts the time its tasks run, on each CPU, and
 * overflows after a few milliseconds of it: no timer runs while they sleep. Where perf does not
 * take this cgroup (a v1 hierarchy of its own, no right to) pressure (PSI) is what rings: within
 * 50 ms, or 2 s for whoever has no CAP_SYS_RESOURCE. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sched/engine.h"
#include "sched/host.h"

#define USED_NS UINT64_C(10000000) /* on one CPU */

struct bell {
	int fd;
	void *ring; /* without one nothing wakes a poll */
};

struct sched_alarm {
	int epoll;
	struct bell *bells; /* of perf, one a CPU */
	size_t count;
	int pressure; /* or that: -1 */
	size_t page;
};

static int watch(struct sched_alarm *a, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events };

	return sys(epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &ev));
}

/* A ring that is mapped for reading only is written over: it never fills. */
static int hang(struct sched_alarm *a, int cgroup, int cpu)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_CPU_CLOCK,
					.sample_period = USED_NS,
					.wakeup_events = 1,
					.disabled = 1 };
	struct bell *b = &a->bells[a->count];
	long fd = syscall(SYS_perf_event_open, &attr, cgroup, cpu, -1,
			  PERF_FLAG_PID_CGROUP | PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return errno == ENODEV ? 0 : -errno; /* that CPU is off */
	b->fd = (int) fd;
	b->ring = mmap(NULL, 2 * a->page, PROT_READ, MAP_SHARED, b->fd, 0);
	a->count++;
	if (b->ring == MAP_FAILED) {
		b->ring = NULL;
		return -errno;
	}
	return watch(a, b->fd, EPOLLIN);
}

static void take_down(struct sched_alarm *a)
{
	for (size_t i = 0; i < a->count; i++) {
		if (a->bells[i].ring != NULL)
			(void) munmap(a->bells[i].ring, 2 * a->page);
		(void) fd_close(a->bells[i].fd);
	}
	free(a->bells);
	a->bells = NULL;
	a->count = 0;
}

static int hang_all(struct sched_alarm *a, const struct sched_host *h)
{
	const struct cg_tree *core = host_tree(h, CG_CORE);
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int r = 0;

	if (core == NULL || cpus <= 0)
		return -EOPNOTSUPP;
	a->bells = calloc((size_t) cpus, sizeof(*a->bells));
	if (a->bells == NULL)
		return -ENOMEM;
	for (int cpu = 0; cpu < cpus && r == 0; cpu++)
		r = hang(a, core->fd, cpu);
	if (r < 0 || a->count == 0) {
		take_down(a);
		return r < 0 ? r : -EOPNOTSUPP;
	}
	return 0;
}

/* Who has no right to short windows gets those of two seconds. */
static int use_pressure(struct sched_alarm *a, const struct sched_host *h)
{
	static const char *const triggers[] = { "some 20000 500000", "some 40000 2000000" };
	const struct cg_tree *core = host_tree(h, CG_CORE);

	if (core == NULL)
		return -EOPNOTSUPP;
	a->pressure = sys(openat(core->fd, "cpu.pressure", O_RDWR | O_CLOEXEC | O_NONBLOCK));
	if (a->pressure < 0)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < ARRAY_SIZE(triggers); i++)
		if (write(a->pressure, triggers[i], strlen(triggers[i]) + 1) >= 0)
			return watch(a, a->pressure, EPOLLPRI);
	return -EOPNOTSUPP;
}

int sched_alarm_new(struct sched_host *h, struct sched_alarm **ret)
{
	struct sched_alarm *a = calloc(1, sizeof(*a));
	int r;

	if (a == NULL)
		return -ENOMEM;
	a->pressure = -1;
	a->page = (size_t) sysconf(_SC_PAGESIZE);
	r = a->epoll = sys(epoll_create1(EPOLL_CLOEXEC));
	if (r >= 0 && hang_all(a, h) < 0)
		r = use_pressure(a, h);
	if (r < 0) {
		sched_alarm_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void sched_alarm_free(struct sched_alarm *a)
{
	if (a == NULL)
		return;
	take_down(a);
	(void) fd_close(a->pressure);
	(void) fd_close(a->epoll);
	free(a);
}

int sched_alarm_fd(const struct sched_alarm *a)
{
	return a->epoll;
}

void sched_alarm_arm(struct sched_alarm *a)
{
	for (size_t i = 0; i < a->count; i++) {
		(void) ioctl(a->bells[i].fd, PERF_EVENT_IOC_RESET, 0);
		(void) ioctl(a->bells[i].fd, PERF_EVENT_IOC_ENABLE, 0);
	}
}

void sched_alarm_quiet(struct sched_alarm *a)
{
	struct epoll_event ev[16];

	for (size_t i = 0; i < a->count; i++)
		(void) ioctl(a->bells[i].fd, PERF_EVENT_IOC_DISABLE, 0);
	/* Asking is what takes back that it has rung. */
	for (size_t i = 0; i <= a->count; i += ARRAY_SIZE(ev))
		(void) epoll_wait(a->epoll, ev, ARRAY_SIZE(ev), 0);
}
