/* From a spec to v2 attribute names and values (pure), and from those to steps. Only what differs
 * from a fresh slot's defaults is in the plan, so a context without limits costs no write. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sched/attribute.h"

#define PERIOD_US 100000u
#define PERIOD_MAX_US 1000000u
#define QUOTA_MIN_US 1000u

struct planner {
	const struct spec *spec;
	const struct facts *facts;
	struct sched_plan *plan;
	struct err *e;
};

__attribute__((format(printf, 3, 4))) static int put(struct planner *p, const char *attribute,
						     const char *fmt, ...)
{
	struct sched_write *w;
	va_list args;
	int n;

	if (p->plan->count == SCHED_WRITES_MAX)
		return err_set(p->e, -E2BIG, "%s: more than %d cgroup settings", attribute,
			       SCHED_WRITES_MAX);
	w = &p->plan->writes[p->plan->count];
	w->attribute = attribute;
	va_start(args, fmt);
	n = vsnprintf(w->value, sizeof(w->value), fmt, args);
	va_end(args);
	if (n < 0 || (size_t) n >= sizeof(w->value))
		return err_set(p->e, -E2BIG, "%s: the value is longer than %zu characters",
			       attribute, sizeof(w->value) - 1);
	p->plan->count++;
	return 0;
}

static const char *version_of(const struct facts *f)
{
	return f->sched.layout == FACTS_CGROUP_V2 ? "cgroup v2" : "cgroup v1";
}

static int lacks(struct planner *p, const char *key, const char *controller)
{
	return err_set(p->e, -EOPNOTSUPP, "%s: this host has no %s controller (%s)", key,
		       controller, version_of(p->facts));
}

/* The period grows where a quota would fall below the kernel's least, or below the burst. */
static int plan_cpu_limit(struct planner *p)
{
	uint64_t limit = p->spec->cpu.limit_millicpu, burst = p->spec->cpu.burst_us;
	uint64_t period = PERIOD_US, quota;

	if (limit == UNITS_NONE)
		return 0;
	if (!p->facts->sched.cpu)
		return lacks(p, "cpu.limit", "cpu");
	if (limit == 0 || limit > 1000u * 100000u)
		return err_set(p->e, -EINVAL, "cpu.limit: %" PRIu64 " thousandths of a CPU", limit);
	if (limit * period / 1000 < QUOTA_MIN_US)
		period = PERIOD_MAX_US;
	if (burst > PERIOD_MAX_US * limit / 1000)
		return err_set(p->e, -EINVAL,
			       "cpu.burst: %" PRIu64 "us is more than cpu.limit grants in a second",
			       burst);
	if (burst > limit * period / 1000)
		period = (burst * 1000 + limit - 1) / limit;
	quota = limit * period / 1000;
	return put(p, "cpu.max", "%" PRIu64 " %" PRIu64, quota, period);
}

static int plan_cpu(struct planner *p)
{
	const struct spec *s = p->spec;
	int r = 0;

	if (s->cpu.share != 100 && !p->facts->sched.cpu)
		return lacks(p, "cpu.share", "cpu");
	if (s->cpu.reserve_millicpu != 0 && !p->facts->sched.cpu)
		return lacks(p, "cpu.reserve", "cpu");
	/* With a reserve the weight depends on everybody's: engine.h. */
	if (s->cpu.share != 100 && s->cpu.reserve_millicpu == 0)
		r = put(p, "cpu.weight", "%" PRIu64, s->cpu.share);
	if (r == 0)
		r = plan_cpu_limit(p);
	/* Without a limit there is nothing to burst above. */
	if (r < 0 || s->cpu.burst_us == 0 || s->cpu.limit_millicpu == UNITS_NONE)
		return r;
	if (!p->facts->sched.cpu_burst)
		return err_set(p->e, -EOPNOTSUPP,
			       "cpu.burst: this host's cpu controller has no burst (kernel 5.14)");
	return put(p, "cpu.max.burst", "%" PRIu64, s->cpu.burst_us);
}

static int plan_cpuset(struct planner *p)
{
	const struct spec *s = p->spec;
	int r = 0;

	if ((s->cpu.cpus != NULL || s->cpu.mems != NULL) && !p->facts->sched.cpuset)
		return lacks(p, s->cpu.cpus != NULL ? "cpu.cpus" : "cpu.mems", "cpuset");
	if (s->cpu.mems != NULL)
		r = put(p, "cpuset.mems", "%s", s->cpu.mems);
	if (r == 0 && s->cpu.cpus != NULL)
		r = put(p, "cpuset.cpus", "%s", s->cpu.cpus);
	return r;
}

static int plan_swap(struct planner *p)
{
	const struct spec *s = p->spec;
	bool v2 = p->facts->sched.layout == FACTS_CGROUP_V2;

	if (s->memory.swap == UNITS_NONE)
		return 0;
	if (!p->facts->sched.memory_swap)
		return err_set(p->e, -EOPNOTSUPP,
			       "memory.swap: this host's memory controller does not count swap");
	/* v1 bounds memory and swap together: without a bound on the first there is none. */
	if (s->memory.limit == UNITS_NONE && !v2)
		return err_set(p->e, -EOPNOTSUPP,
			       "memory.swap: on cgroup v1 it needs memory.limit too");
	return put(p, "memory.swap.max", "%" PRIu64, s->memory.swap);
}

/* v1's soft limit is heeded only when the whole host is short of memory: no promise. */
static int plan_soft(struct planner *p)
{
	if (p->spec->memory.soft == UNITS_NONE)
		return 0;
	if (!p->facts->sched.memory)
		return lacks(p, "memory.soft", "memory");
	if (!p->facts->sched.memory_soft)
		return err_set(p->e, -EOPNOTSUPP,
			       "memory.soft: this host's memory controller (%s) heeds a soft limit "
			       "only when the whole host is short of memory",
			       version_of(p->facts));
	return put(p, "memory.high", "%" PRIu64, p->spec->memory.soft);
}

static int plan_memory(struct planner *p)
{
	const struct spec *s = p->spec;
	int r = 0;

	if (s->memory.limit != UNITS_NONE && !p->facts->sched.memory)
		return lacks(p, "memory.limit", "memory");
	if (s->memory.limit != UNITS_NONE)
		r = put(p, "memory.max", "%" PRIu64, s->memory.limit);
	if (r >= 0 && s->memory.limit != UNITS_NONE && s->memory.oom == SPEC_OOM_CONTEXT &&
	    p->facts->sched.layout == FACTS_CGROUP_V2)
		r = put(p, "memory.oom.group", "1");
	if (r == 0)
		r = plan_soft(p);
	if (r == 0)
		r = plan_swap(p);
	if (r < 0 || s->memory.reserve == 0 || s->memory.reserve == UNITS_NONE)
		return r;
	if (!p->facts->sched.memory_reserve)
		return err_set(
			p->e, -EOPNOTSUPP,
			"memory.reserve: this host's memory controller (%s) has no guarantee",
			version_of(p->facts));
	return put(p, "memory.min", "%" PRIu64, s->memory.reserve);
}

static void rate_text(uint64_t v, char out[static 24])
{
	if (v == UNITS_NONE)
		(void) snprintf(out, 24, "max");
	else
		(void) snprintf(out, 24, "%" PRIu64, v);
}

/* A value that begins with a device is taken apart at the first blank. */
static int check_disk(struct planner *p, const char *key, const char *device)
{
	if (strcspn(device, " \n") != strlen(device))
		return err_set(p->e, -EINVAL, "%s: device \"%s\": has a space", key, device);
	return 0;
}

static int plan_io_shares(struct planner *p)
{
	for (size_t i = 0; i < p->spec->io.share_count; i++) {
		const struct spec_io_part *s = &p->spec->io.shares[i];
		int r = check_disk(p, "io.share", s->device);

		if (r == 0 && !p->facts->sched.io)
			r = lacks(p, "io.share", "io");
		else if (r == 0 && !p->facts->sched.io_share)
			r = err_set(p->e, -EOPNOTSUPP,
				    "io.share: this kernel has no scheduler of disks that knows "
				    "shares (BFQ, or iocost on cgroup v2)");
		if (r == 0)
			r = put(p, "io.weight", "%s %" PRIu64, s->device, s->amount);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Reserves become weights that depend on everybody's: disk_dues.h. */
static int plan_io_reserves(struct planner *p)
{
	for (size_t i = 0; i < p->spec->io.reserve_count; i++) {
		int r = check_disk(p, "io.reserve", p->spec->io.reserves[i].device);

		if (r < 0)
			return r;
		if (!p->facts->sched.io)
			return lacks(p, "io.reserve", "io");
		if (!p->facts->sched.io_share)
			return err_set(p->e, -EOPNOTSUPP,
				       "io.reserve: this kernel has no scheduler of disks that "
				       "knows weights (BFQ, or iocost on cgroup v2)");
	}
	return 0;
}

static int plan_io(struct planner *p)
{
	for (size_t i = 0; i < p->spec->io.limit_count; i++) {
		const struct spec_io_limit *l = &p->spec->io.limits[i];
		char rbps[24], wbps[24], riops[24], wiops[24];
		int r;

		if (!p->facts->sched.io)
			return lacks(p, "io.limit", "io");
		rate_text(l->read_bps, rbps);
		rate_text(l->write_bps, wbps);
		rate_text(l->read_iops, riops);
		rate_text(l->write_iops, wiops);
		r = check_disk(p, "io.limit", l->device);
		if (r < 0)
			return r;
		r = put(p, "io.max", "%s rbps=%s wbps=%s riops=%s wiops=%s", l->device, rbps, wbps,
			riops, wiops);
		if (r < 0)
			return r;
	}
	return 0;
}

static int plan_pids(struct planner *p)
{
	if (p->spec->process.limit == UNITS_NONE)
		return 0;
	if (!p->facts->sched.pids)
		return lacks(p, "process.limit", "pids");
	return put(p, "pids.max", "%" PRIu64, p->spec->process.limit);
}

static int plan_devices(struct planner *p)
{
	const struct strv *d = &p->spec->files.devices;

	if (d->count > CG_DEVICES_EXTRA_MAX)
		return err_set(p->e, -E2BIG, "files.device: more than %d devices",
			       CG_DEVICES_EXTRA_MAX);
	/* Without any device control everything may be opened that is in the view. */
	for (size_t i = 0; i < d->count && p->facts->sched.devices; i++) {
		int r = put(p, "devices.allow", "%s", d->items[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int sched_plan(const struct spec *spec, const struct facts *facts, struct sched_plan *ret,
	       struct err *e)
{
	static int (*const parts[])(
		struct planner *) = { plan_cpuset,	plan_cpu, plan_memory, plan_io_shares,
				      plan_io_reserves, plan_io,  plan_pids,   plan_devices };
	struct planner p = { .spec = spec, .facts = facts, .plan = ret, .e = e };

	ret->count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int r = parts[i](&p);

		if (r < 0)
			return r;
	}
	return 0;
}

void sched_print(const struct sched_plan *p, struct buf *out)
{
	for (size_t i = 0; i < p->count; i++)
		buf_printf(out, "cgroup %s = %s\n", p->writes[i].attribute, p->writes[i].value);
}

/* --- steps --- */

struct limits_arg {
	struct sched_host *h;
	unsigned slot;
	const char **attributes, **values;
	size_t count;
};

static int limits_run(void *arg, struct err *e)
{
	const struct limits_arg *a = arg;

	for (size_t i = 0; i < a->count; i++) {
		int r = attribute_write(a->h, a->slot, a->attributes[i], a->values[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

struct devices_arg {
	struct sched_host *h;
	unsigned slot;
	struct cg_device list[CG_DEVICES_EXTRA_MAX];
	size_t count;
};

static int devices_run(void *arg, struct err *e)
{
	const struct devices_arg *a = arg;

	return devices_allow(a->h, a->slot, a->list, a->count, e);
}

static bool is_device(const struct sched_write *w)
{
	return strcmp(w->attribute, "devices.allow") == 0;
}

static const char *slot_object(struct sched_host *h, unsigned slot, struct arena *arena)
{
	char path[CG_PATH_MAX + 128];

	sched_slot_path(h, slot, path, sizeof(path));
	return arena_strdup(arena, path);
}

static int steps_limits(const struct sched_plan *p, struct sched_host *h, unsigned slot,
			struct step_list *steps)
{
	struct limits_arg *a = arena_alloc(steps->arena, sizeof(*a));
	const char *object = slot_object(h, slot, steps->arena);

	if (a == NULL || object == NULL)
		return -ENOMEM;
	a->h = h;
	a->slot = slot;
	a->attributes = arena_alloc(steps->arena, p->count * sizeof(char *));
	a->values = arena_alloc(steps->arena, p->count * sizeof(char *));
	if (a->attributes == NULL || a->values == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < p->count; i++) {
		if (is_device(&p->writes[i]))
			continue;
		a->attributes[a->count] = p->writes[i].attribute;
		a->values[a->count] = arena_strdup(steps->arena, p->writes[i].value);
		if (a->values[a->count] == NULL)
			return -ENOMEM;
		a->count++;
	}
	if (a->count == 0)
		return 0;
	return steps_add(steps, (struct step){ .name = "cgroup-limits",
					       .object = object,
					       .phase = STEP_PARENT,
					       .run = limits_run,
					       .arg = a });
}

static int steps_devices(const struct sched_plan *p, struct sched_host *h, unsigned slot,
			 struct step_list *steps, struct err *e)
{
	struct devices_arg *a = NULL;
	int r;

	for (size_t i = 0; i < p->count; i++) {
		if (!is_device(&p->writes[i]))
			continue;
		if (a == NULL && (a = arena_alloc(steps->arena, sizeof(*a))) == NULL)
			return -ENOMEM;
		if (a->count == CG_DEVICES_EXTRA_MAX)
			return -E2BIG;
		r = device_resolve(p->writes[i].value, &a->list[a->count]);
		if (r < 0)
			return err_set_errno(e, r, "files.device \"%s\"", p->writes[i].value);
		a->count++;
	}
	if (a == NULL)
		return 0;
	a->h = h;
	a->slot = slot;
	return steps_add(steps, (struct step){ .name = "cgroup-devices",
					       .object = slot_object(h, slot, steps->arena),
					       .phase = STEP_PARENT,
					       .run = devices_run,
					       .arg = a });
}

/* Nothing is undone: a launch that fails removes its slot. */
int sched_steps(const struct sched_plan *p, struct sched_host *h, unsigned slot,
		struct step_list *steps, struct err *e)
{
	struct err why = { 0 };
	int r;

	if (p->count == 0)
		return 0;
	r = steps_limits(p, h, slot, steps);
	if (r == 0)
		r = steps_devices(p, h, slot, steps, &why);
	if (r == 0)
		return 0;
	return why.code != 0 ? err_set(e, r, "%s", why.text)
			     : err_set_errno(e, r, "preparing the limits of cgroup %s/%u",
					     h->instance, slot);
}
