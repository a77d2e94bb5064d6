/* What the hierarchies of this host can do, read from what is mounted; nothing is made. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sched/disk.h"

static bool kernel_at_least(unsigned major, unsigned minor)
{
	struct utsname u;
	unsigned a = 0, b = 0;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &a, &b) != 2)
		return false;
	return a > major || (a == major && b >= minor);
}

static bool has_file(const char *dir, const char *file)
{
	char path[CG_PATH_MAX + 300];

	(void) snprintf(path, sizeof(path), "%s/%s", dir, file);
	return access(path, F_OK) == 0;
}

/* Most v2 files are not shown in the root: a child that has it will tell (distributions port
 * back), else the kernel's version. */
static bool v2_file(const char *mount, const char *file, unsigned major, unsigned minor)
{
	DIR *d = opendir(mount);
	bool present = false;

	for (struct dirent *x; d != NULL && !present && (x = readdir(d)) != NULL;) {
		char path[CG_PATH_MAX + 256];

		if (x->d_type != DT_DIR || x->d_name[0] == '.')
			continue;
		(void) snprintf(path, sizeof(path), "%s/%s", mount, x->d_name);
		present = has_file(path, file);
	}
	if (d != NULL)
		(void) closedir(d);
	return present || kernel_at_least(major, minor);
}

static void probe_cpu(struct facts *f, const struct cg_hierarchy *h)
{
	f->sched.cpu = true;
	f->sched.cpu_burst = h->unified ? v2_file(h->mount, "cpu.max.burst", 5, 14)
					: has_file(h->mount, "cpu.cfs_burst_us");
}

static void probe_memory(struct facts *f, const struct cg_hierarchy *h)
{
	f->sched.memory = true;
	f->sched.memory_reserve = h->unified;
	f->sched.memory_soft = h->unified;
	/* On v1 lowering a limit reclaims and never kills. */
	f->sched.memory_reclaim = !h->unified || v2_file(h->mount, "memory.reclaim", 5, 19);
	f->sched.memory_swap = h->unified ? v2_file(h->mount, "memory.swap.max", 4, 5)
					  : has_file(h->mount, "memory.memsw.limit_in_bytes");
}

static void probe_core(struct facts *f, const struct cg_hierarchy *h)
{
	f->sched.freezer |= v2_file(h->mount, "cgroup.freeze", 5, 2);
	f->sched.kill = v2_file(h->mount, "cgroup.kill", 5, 14);
	f->sched.devices |= devices_bpf_loads();
	f->sched.clone_into = f->sched.layout == FACTS_CGROUP_V2 && kernel_at_least(5, 7);
}

void sched_probe(struct facts *facts)
{
	struct cg_layout l;
	const struct cg_hierarchy *h[CG_CONTROLLER_COUNT];

	memset(&facts->sched, 0, sizeof(facts->sched));
	if (cg_layout_read(&l) < 0)
		return;
	for (unsigned c = 0; c < CG_CONTROLLER_COUNT; c++)
		h[c] = l.of[c] >= 0 ? &l.list[l.of[c]] : NULL;
	facts->sched.layout = l.kind;
	facts->sched.cpuset = h[CG_CPUSET] != NULL;
	facts->sched.io = h[CG_IO] != NULL;
	facts->sched.io_share =
		h[CG_IO] != NULL && disk_shares_possible(h[CG_IO]->mount, h[CG_IO]->unified);
	facts->sched.io_buffered_writes = h[CG_IO] != NULL && h[CG_IO]->unified;
	facts->sched.pids = h[CG_PIDS] != NULL;
	facts->sched.freezer = h[CG_FREEZER] != NULL;
	facts->sched.devices = h[CG_DEVICES] != NULL;
	if (h[CG_CPU] != NULL)
		probe_cpu(facts, h[CG_CPU]);
	if (h[CG_MEMORY] != NULL)
		probe_memory(facts, h[CG_MEMORY]);
	if (h[CG_CORE] != NULL)
		probe_core(facts, h[CG_CORE]);
}

int sched_where(const char *controller, char *ret_path, size_t size, bool *ret_v1)
{
	struct cg_layout l;
	int r = cg_layout_read(&l);

	if (r < 0)
		return r;
	for (unsigned c = 0; c < CG_CONTROLLER_COUNT; c++) {
		const struct cg_hierarchy *h = l.of[c] >= 0 ? &l.list[l.of[c]] : NULL;

		if (h == NULL || strcmp(cg_controller_name(c), controller) != 0)
			continue;
		(void) snprintf(ret_path, size, "%s", h->mount);
		*ret_v1 = !h->unified;
		return 0;
	}
	return -ENODEV;
}
