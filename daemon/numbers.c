/* Gathering numbers, in rounds, for whoever asks. Nothing is read while nobody does; what it takes
 * (a BPF program, the figures of the last round) is let go ten minutes after the last question.
 *
 * CPU, memory, processes and pressure come for all contexts in one go (sched_meter). I/O and
 * network come from files of each context, some 30 us, so these are read only for one that has run
 * since, and for so many a round; with more of them at work each has its turn. */
#include "daemon/numbers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/units.h"
#include "daemon/budget.h"
#include "daemon/service.h"

#define FRESH_US UINT64_C(100000)
#define REST_US (600 * UINT64_C(1000000)) /* longer than anybody waits between two scrapes */
#define REST_SLACK_US UINT64_C(5000000)
#define LOOKS_MAX 128u /* contexts whose io and network are read for a second of waiting */
#define LOOKS_SECONDS_MAX 8u
#define LOOK_AT_LEAST_US (60 * UINT64_C(1000000)) /* also of one that has not run */

struct gathering {
	struct sched_meter *meter; /* NULL between a rest and the next round */
	sd_event_source *rest;
	uint64_t round_us;
	uint64_t spacing_us; /* between two looks at a context that runs all the time */
	unsigned due, looks; /* contexts that were, and that had their turn, in this round */
	unsigned looks_max; /* of this round */
	bool throttled; /* the last round met a limit of CPU: else the next looks for none */
};

void numbers_forget(struct context *c)
{
	if (!c->numbers)
		return;
	free(c->numbers->traffic);
	free(c->numbers);
	c->numbers = NULL;
}

static void forget_one(struct context *c, void *arg)
{
	(void) arg;
	numbers_forget(c);
}

static int on_rest(sd_event_source *s, uint64_t now, void *arg)
{
	struct manager *m = arg;

	(void) s;
	(void) now;
	sched_meter_free(TAKE_PTR(m->gathering->meter));
	registry_each(m, forget_one, NULL);
	return 0;
}

void numbers_done(struct manager *m)
{
	if (!m->gathering)
		return;
	sd_event_source_disable_unref(m->gathering->rest);
	sched_meter_free(m->gathering->meter);
	free(TAKE_PTR(m->gathering));
}

/* --- a round --- */

static void look_at_traffic(struct context *c, struct numbers *n)
{
	struct netctl_traffic found[NETCTL_DEVICES_MAX], *copy;
	int count = netctl_shared_traffic(c->manager->net, c->slot, found, NETCTL_DEVICES_MAX,
					  n->refused);

	if (count < 0 && !n->shared_network)
		count = netctl_traffic(c->id.pid, found, NETCTL_DEVICES_MAX);
	if (count <= 0)
		return;
	copy = reallocarray(n->traffic, (size_t) count, sizeof(*copy));
	if (!copy)
		return;
	memcpy(copy, found, (size_t) count * sizeof(*copy));
	n->traffic = copy;
	n->traffic_count = (size_t) count;
}

static bool due(struct gathering *g, const struct numbers *n)
{
	uint64_t age = g->round_us - n->looked_us;

	if (n->looked_us && age < LOOK_AT_LEAST_US && n->use.cpu_us == n->looked_cpu_us)
		return false;
	g->due++;
	return age >= g->spacing_us && g->looks++ < g->looks_max;
}

static void look(struct context *c, struct numbers *n, uint64_t now_us)
{
	sched_slot_io(c->manager->sched, c->slot, &n->use);
	if (n->own_network)
		look_at_traffic(c, n);
	n->looked_us = now_us;
	n->looked_cpu_us = n->use.cpu_us;
}

static void set_network(struct numbers *n, const struct spec *s)
{
	n->shared_network = s->network.mode == SPEC_NETWORK_SHARED;
	n->own_network = s->network.mode != SPEC_NETWORK_HOST;
}

/* @return the context's numbers, which are about what runs now; NULL when it does not. */
static struct numbers *numbers_of(struct context *c)
{
	if (c->numbers && c->numbers->slot != c->slot)
		numbers_forget(c);
	if (!c->id.pid || !c->active)
		return NULL;
	if (!c->numbers) {
		c->numbers = calloc(1, sizeof(*c->numbers));
		if (!c->numbers)
			return NULL;
		c->numbers->slot = c->slot;
		set_network(c->numbers, c->active);
	}
	return c->numbers;
}

static void read_one(struct context *c, struct gathering *g)
{
	struct numbers *n = numbers_of(c);

	if (!n || sched_meter_read(g->meter, c->slot, &n->use) < 0)
		return;
	n->use.frozen = c->state == LIFE_FROZEN;
	g->throttled |= c->active->cpu.limit_millicpu != UNITS_NONE;
	if (due(g, n))
		look(c, n, g->round_us);
}

static void rest_later(struct manager *m, struct gathering *g)
{
	int r;

	if (!g->rest) {
		r = sd_event_add_time_relative(m->loop, &g->rest, CLOCK_MONOTONIC, REST_US,
					       REST_SLACK_US, on_rest, m);
	} else {
		r = sd_event_source_set_time_relative(g->rest, REST_US);
		if (r >= 0)
			r = sd_event_source_set_enabled(g->rest, SD_EVENT_ONESHOT);
	}
	if (r < 0)
		log_warning("numbers: arming the timer: %s", strerror(-r));
}

/* @return NULL when out of memory. */
static struct gathering *gathering_of(struct manager *m)
{
	if (!m->gathering)
		m->gathering = calloc(1, sizeof(*m->gathering));
	if (m->gathering && !m->gathering->meter &&
	    sched_meter_new(m->sched, &m->gathering->meter) < 0)
		return NULL;
	return m->gathering;
}

/* How many may be looked at now; where last time more were due than that, each has its turn. */
static void allow_looks(struct gathering *g, uint64_t since_us)
{
	uint64_t seconds = since_us / 1000000;

	if (seconds > LOOKS_SECONDS_MAX)
		seconds = LOOKS_SECONDS_MAX;
	g->looks_max = LOOKS_MAX * (seconds ? (unsigned) seconds : 1);
	g->spacing_us = g->due > g->looks_max ? since_us * g->due / g->looks_max : 0;
	g->looks_max *= 2; /* rounds are not all of one length */
}

/* @return whose contexts are to be read now; NULL: what is known is fresh enough. */
static struct gathering *begin_round(struct manager *m)
{
	struct gathering *g = gathering_of(m);
	uint64_t now = tally_clock_us(CLOCK_MONOTONIC), since;

	if (!g)
		return NULL;
	since = now - g->round_us;
	if (g->round_us && since < FRESH_US)
		return NULL;
	allow_looks(g, since);
	g->round_us = now;
	g->due = g->looks = 0;
	sched_meter_round(g->meter, g->throttled);
	g->throttled = false;
	rest_later(m, g);
	return g;
}

/* --- rows --- */

static struct numbers_promise promise_of(const struct spec *s)
{
	return (struct numbers_promise){
		.cpu_limit_millicpu = s->cpu.limit_millicpu,
		.cpu_share = s->cpu.share,
		.cpu_reserve_millicpu = s->cpu.reserve_millicpu,
		.memory_limit_bytes = s->memory.limit,
		.memory_reserve_bytes = s->memory.reserve,
		.memory_soft_bytes = s->memory.soft,
		.memory_swap_bytes = s->memory.swap,
		.pids_limit = s->process.limit,
	};
}

static void fill_service(const struct service *s, struct numbers_row *row)
{
	row->restarts = s->restarts ? s->restarts->count : 0;
	row->healthy = s->health == HEALTH_UNKNOWN ? -1 : s->health == HEALTH_GOOD;
}

static void fill_row(struct context *c, const struct numbers *now, struct numbers_row *row)
{
	static const char *const networks[SPEC_NETWORK_COUNT] = {
		[SPEC_NETWORK_NONE] = "none",
		[SPEC_NETWORK_PRIVATE] = "private",
		[SPEC_NETWORK_HOST] = "host",
		[SPEC_NETWORK_SHARED] = "shared",
	};
	const struct spec *s = context_spec(c);
	uint64_t present = tally_clock_us(CLOCK_REALTIME);

	*row = (struct numbers_row){
		.context = c,
		.name = c->name,
		.state = life_state_name(c->state),
		.now = now,
		.init = "",
		.root = "",
		.network = "",
		.starts = c->starts,
		.last_status = -1,
		.ready = -1,
		.healthy = -1,
		.throwaway = c->throwaway,
	};
	if (s) {
		row->promise = promise_of(s);
		row->init = s->context.init == SPEC_INIT_FAKE	? "fake"
			    : s->context.init == SPEC_INIT_NONE ? "none"
								: "path";
		row->root = s->files.root == SPEC_ROOT_HOST ? "host" : "directory";
		row->network = networks[s->network.mode];
	}
	if (c->service)
		fill_service(c->service, row);
	if (now) {
		row->ready = context_is_ready(c);
		row->accounted = governor_delivered(c, row->delivered);
	}
	if (c->id.pid) {
		row->started_us = c->started_us;
		row->uptime_us = present > c->started_us ? present - c->started_us : 0;
	}
	if (c->exit.known)
		row->last_status =
			c->exit.code == CLD_EXITED ? c->exit.status : 128 + c->exit.status;
}

struct visit {
	struct gathering *round; /* NULL: nothing is to be read */
	void (*each)(const struct numbers_row *row, void *arg);
	void *arg;
};

static void visit_one(struct context *c, void *arg)
{
	const struct visit *v = arg;
	struct numbers_row row;

	/* While the context is at hand: what costs is to find a thousand of them in memory. */
	if (v->round)
		read_one(c, v->round);
	fill_row(c, c->id.pid && c->numbers && c->numbers->slot == c->slot ? c->numbers : NULL,
		 &row);
	v->each(&row, v->arg);
}

void numbers_each(struct manager *m, void (*each)(const struct numbers_row *row, void *arg),
		  void *arg)
{
	struct visit v = { begin_round(m), each, arg };

	manager_each(m, visit_one, &v);
}

void numbers_one(struct manager *m, struct context *c,
		 void (*each)(const struct numbers_row *row, void *arg), void *arg)
{
	struct numbers n = {};
	struct numbers_row row;
	bool runs = c->id.pid && c->active && sched_slot_stats(m->sched, c->slot, &n.use) == 0;

	if (runs) {
		set_network(&n, c->active);
		if (n.own_network)
			look_at_traffic(c, &n);
	}
	fill_row(c, runs ? &n : NULL, &row);
	each(&row, arg);
	free(n.traffic);
}

bool numbers_are_bulk(const struct manager *m)
{
	return m->gathering && m->gathering->meter && sched_meter_is_bulk(m->gathering->meter);
}
