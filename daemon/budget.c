/* What is promised to whom. Nothing is kept for it: the ledger is made of the contexts when
 * somebody asks, so it cannot be wrong about them; starts that reserve nothing do not ask. */
#include "daemon/budget.h"

#include <string.h>
#include <sys/sysinfo.h>

#include "base/log.h"
#include "daemon/launch.h"
#include "daemon/ledger.h"
#include "daemon/service.h"

uint32_t host_reserve_ppm(const struct manager *m)
{
	return m->host_file.cpu_reserve_ppm;
}

static int look_at_host(const struct manager *m, struct ledger_host *ret)
{
	struct ledger_host h = { .cpu_keep_ppm = host_reserve_ppm(m),
				 .memory_reserve = m->facts.sched.memory_reserve,
				 .io_keep_ppm = m->host_file.io_reserve_ppm,
				 .disk = sched_disk_find };
	struct sysinfo s = {};
	int r = cpus_allowed(&h.cpus);

	if (r >= 0) {
		r = sysinfo(&s) < 0 ? -errno : 0;
	}
	if (r < 0) {
		return r;
	}
	h.memory = (uint64_t) s.totalram * s.mem_unit;
	h.memory_keep = spec_host_memory(&m->host_file, h.memory);
	*ret = h;
	return 0;
}

/* What it holds, running or about to run again; NULL: nothing. */
static const struct spec *promised_to(const struct context *c)
{
	if (c->active) {
		return c->active;
	}
	if (!context_will_restart(c)) {
		return NULL;
	}
	return c->kept ? c->kept : c->declared; /* not kept: planned by an earlier daemon */
}

struct gathering_promises {
	struct ledger *ledger;
	const struct context *but;
	bool reserves_only;
	bool (*sees)(const struct context *c, void *arg);
	void *arg;
	int r;
};

static bool reserves(const struct spec *s)
{
	return s->cpu.reserve_millicpu > 0 || s->memory.reserve > 0 || s->io.reserve_count > 0;
}

static void gather_one(struct context *c, void *arg)
{
	struct gathering_promises *g = arg;
	const struct spec *spec = c == g->but ? NULL : promised_to(c);

	if (g->r < 0 || !spec || (g->reserves_only && !reserves(spec))) {
		return;
	}
	g->r = ledger_add(g->ledger, c->name, spec,
			  c->active ? life_state_name(c->state) : "restarting",
			  !g->sees || g->sees(c, g->arg));
}

static int gather(struct manager *m, struct gathering_promises *g, struct err *e)
{
	struct ledger_host host;
	int r = look_at_host(m, &host);

	if (r >= 0) {
		r = ledger_new(&host, &g->ledger);
	}
	if (r < 0) {
		return err_set_errno(e, r, "looking at what can be reserved");
	}
	registry_each(m, gather_one, g);
	if (g->r < 0) {
		ledger_free(g->ledger);
		return err_set_errno(e, g->r, "gathering what is reserved");
	}
	return 0;
}

static bool no_more_cpu(const struct spec *has, const struct spec *wants)
{
	return wants->cpu.reserve_millicpu == 0 ||
	       (has && wants->cpu.reserve_millicpu <= has->cpu.reserve_millicpu &&
		str_equal(wants->cpu.cpus, has->cpu.cpus));
}

static bool no_more_memory(const struct spec *has, const struct spec *wants)
{
	return wants->memory.reserve == 0 || (has && wants->memory.reserve <= has->memory.reserve);
}

/* Word for word: who names a disk in another way has it looked at. */
static bool has_line(const struct spec *has, const struct spec_io_part *x)
{
	for (size_t i = 0; has && i < has->io.reserve_count; i++) {
		const struct spec_io_part *y = &has->io.reserves[i];

		if (str_equal(x->device, y->device) && x->amount <= y->amount) {
			return true;
		}
	}
	return false;
}

static bool no_more_disk(const struct spec *has, const struct spec *wants)
{
	for (size_t i = 0; i < wants->io.reserve_count; i++) {
		if (!has_line(has, &wants->io.reserves[i])) {
			return false;
		}
	}
	return true;
}

/* What schedules a disk must know weights: looked at whenever one is to be reserved anew, a restart
 * included, but not at every change of something else. */
static int check_disks(const struct spec *runs_with, const struct spec *wants, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < wants->io.reserve_count; i++) {
		const struct spec_io_part *x = &wants->io.reserves[i];
		struct sched_disk disk;

		if (has_line(runs_with, x)) {
			continue;
		}
		r = sched_disk_find("io.reserve", x->device, &disk, e);
		if (r >= 0) {
			r = sched_disk_weighs("io.reserve", &disk, e);
		}
	}
	return r;
}

/* Whether what `wants` has more than `has` fits into the ledger. */
static int weigh(struct ledger *l, const struct spec *has, const struct spec *wants, struct err *e)
{
	int r = 0;

	if (!no_more_cpu(has, wants)) {
		r = ledger_admit_cpu(l, wants, e);
	}
	if (r >= 0 && !no_more_memory(has, wants)) {
		r = ledger_admit_memory(l, wants, e);
	}
	if (r >= 0 && !no_more_disk(has, wants)) {
		r = ledger_admit_disks(l, wants, has, e);
	}
	return r;
}

int budget_admit(struct manager *m, const struct context *c, const struct spec *spec, struct err *e)
{
	const struct spec *has = c->kept ? c->kept : c->active != spec ? c->active : NULL;
	struct gathering_promises g = { .but = c, .reserves_only = true };
	int r = check_disks(c->active != spec ? c->active : NULL, spec, e);

	if (r < 0 ||
	    (no_more_cpu(has, spec) && no_more_memory(has, spec) && no_more_disk(has, spec))) {
		return r;
	}
	r = gather(m, &g, e);
	if (r < 0) {
		return r;
	}
	r = weigh(g.ledger, has, spec, e);
	ledger_free(g.ledger);
	return r;
}

void budget_keep(struct context *c)
{
	if (c->active && c->active != c->kept) {
		spec_freep(&c->kept);
		c->kept = spec_share(c->active);
	}
}

void budget_release(struct context *c)
{
	spec_freep(&c->kept);
}

int manager_budget(struct manager *m, bool (*sees)(const struct context *c, void *arg), void *arg,
		   json_t **ret, struct err *e)
{
	struct gathering_promises g = { .sees = sees, .arg = arg };
	int r = gather(m, &g, e);

	if (r < 0) {
		return r;
	}
	r = ledger_json(g.ledger, ret);
	ledger_free(g.ledger);
	return r < 0 ? err_set_errno(e, r, "adding up what is reserved") : 0;
}

/* --- what if --- */

/* What it has now; a spec without a name is nobody's. */
static const struct spec *has_now(struct manager *m, const struct spec *spec)
{
	const struct context *c = spec->name[0] ? registry_lookup(m, spec->name) : NULL;

	return c ? promised_to(c) : NULL;
}

static int try_one(struct manager *m, struct ledger *l, const struct spec *spec, struct err *e)
{
	const struct spec *has = has_now(m, spec);
	struct launch_plans plans;
	int r = launch_plan(spec, &m->facts, &plans, e);

	if (r < 0) {
		return r;
	}
	launch_plans_done(&plans);
	r = check_disks(has, spec, e);
	if (r < 0) {
		return r;
	}
	if (has) {
		ledger_drop(l, spec->name);
	}
	r = weigh(l, has, spec, e);
	if (r < 0 && has) { /* then it goes on as it is */
		int back = ledger_add(l, spec->name, has, "running", true);

		return back < 0 ? err_set_errno(e, back, "weighing %s", spec->name) : r;
	}
	if (r < 0) {
		return r;
	}
	r = ledger_add(l, spec->name[0] ? spec->name : "(unnamed)", spec, "asked", true);
	return r < 0 ? err_set_errno(e, r, "weighing %s", spec->name) : 0;
}

int manager_what_if(struct manager *m, const struct spec *specs, size_t count, json_t **ret,
		    struct err *e)
{
	struct gathering_promises g = {};
	json_t *answers = json_array(), *budget = NULL;
	bool all = true;
	int r = answers ? gather(m, &g, e) : err_set(e, -ENOMEM, "what if: out of memory");

	if (r < 0) {
		json_decref(answers);
		return r;
	}
	for (size_t i = 0; i < count; i++) {
		struct err why = {};
		bool fits = try_one(m, g.ledger, &specs[i], &why) >= 0;

		all &= fits;
		(void) json_array_append_new(answers,
					     json_pack("{s:s, s:b, s:s}", "name", specs[i].name,
						       "fits", fits, "why", why.text));
	}
	r = ledger_json(g.ledger, &budget);
	ledger_free(g.ledger);
	if (r < 0) {
		json_decref(answers);
		return err_set_errno(e, r, "adding up what would be reserved");
	}
	*ret = json_pack("{s:b, s:o, s:o}", "fits", all, "contexts", answers, "budget", budget);
	return *ret ? 0 : err_set(e, -ENOMEM, "what if: out of memory");
}
