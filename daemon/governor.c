/* Keeps promises of CPU time: asks the engine (sched/engine.h) when there is something to look at.
 * Promises of disks need nobody to look: sched/disk_dues.h is told who comes and goes.
 *
 *   off      nothing is reserved: weights are shares, nobody looks
 *   asleep   contexts use next to nothing: the alarm rings when they begin to
 *   awake    a timer looks again and again, until nobody has waited for a CPU for a while
 *
 * Every reserve is in the kernel's hands before its context runs, and stays there; so what is done
 * late here, or not at all because the daemon was killed, costs precision among shares only. What
 * does not hurry (a context has ended) is gathered for one round of the timer. */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/log.h"
#include "daemon/budget.h"
#include "daemon/pace.h"
#include "sched/disk_dues.h"
#include "sched/engine.h"

#define MILLI UINT64_C(1000)
#define FIRST_US (25 * MILLI) /* from the alarm to the first look that knows something */
#define SETTLE_US (50 * MILLI) /* in which what does not hurry is gathered */
#define SLOW_US (500 * MILLI) /* where no alarm rings */
#define SLACK_US (2 * MILLI)
#define QUIET_LOOKS 4 /* until it sleeps */

enum governor_state { GOVERNOR_OFF, GOVERNOR_ASLEEP, GOVERNOR_AWAKE };

struct governor {
	struct engine *engine;
	struct disk_dues *disks;
	struct sched_alarm *alarm; /* NULL: there is none here, or nothing was reserved yet */
	sd_event_source *rings, *timer;
	enum governor_state state;
	unsigned quiet;
	enum pace pace;
	bool deaf;
	bool calm; /* the kernel does not let it be more urgent */
};

/* --- the daemon's own place among what it governs --- */

/* Beside contexts with great weights it would come late. */
static void hurry(struct governor *g, bool on)
{
	g->pace = pace_set(g->pace, on ? PACE_NICE : PACE_PLAIN);
}

/* Weights do not hold back who forks without end (sched/excess.c) before somebody has looked: so
 * whoever looks does not wait for its turn among weights. */
void governor_sleeps(struct manager *m)
{
	struct governor *g = m->governor;

	if (g->pace == PACE_NICE && !g->calm) {
		g->pace = pace_set(g->pace, PACE_URGENT);
		g->calm = g->pace != PACE_URGENT;
	}
}

/* What clients ask for is never that urgent. */
void governor_wakes(struct manager *m)
{
	struct governor *g = m->governor;

	if (g->pace == PACE_URGENT && sd_event_source_get_pending(g->timer) <= 0 &&
	    (!g->rings || sd_event_source_get_pending(g->rings) <= 0)) {
		g->pace = pace_set(g->pace, PACE_NICE);
	}
}

/* --- when to look --- */

static uint64_t now_us(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static void look_in(struct governor *g, uint64_t us)
{
	(void) sd_event_source_set_time_relative(g->timer, us);
	(void) sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
}

static void wake(struct governor *g)
{
	if (g->alarm) {
		sched_alarm_quiet(g->alarm);
	}
	g->state = GOVERNOR_AWAKE;
	g->quiet = 0;
	(void) engine_look(g->engine, now_us());
	look_in(g, FIRST_US);
}

static void rest(struct governor *g)
{
	engine_rest(g->engine);
	g->state = GOVERNOR_ASLEEP;
	if (g->alarm) {
		sched_alarm_arm(g->alarm);
	} else {
		look_in(g, SLOW_US);
	}
}

static int on_alarm(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct governor *g = userdata;

	(void) source;
	(void) fd;
	(void) revents;
	if (g->state == GOVERNOR_ASLEEP) {
		wake(g);
	} else {
		sched_alarm_quiet(g->alarm);
	}
	return 0;
}

static void switch_off(struct governor *g)
{
	if (g->state == GOVERNOR_OFF) {
		return;
	}
	g->state = GOVERNOR_OFF;
	if (g->alarm) {
		sched_alarm_quiet(g->alarm);
	}
	hurry(g, false);
}

static int on_time(sd_event_source *source, uint64_t now, void *userdata)
{
	struct governor *g = userdata;

	(void) source;
	(void) now;
	if (engine_unsettled(g->engine)) {
		engine_settle(g->engine);
	}
	if (disk_dues_unsettled(g->disks)) {
		(void) disk_dues_settle(g->disks);
	}
	if (!engine_promises(g->engine)) {
		switch_off(g);
		return 0;
	}
	if (g->state == GOVERNOR_ASLEEP && g->alarm) {
		return 0; /* only to settle */
	}
	if (g->state == GOVERNOR_ASLEEP) {
		wake(g);
		return 0;
	}
	g->quiet = engine_look(g->engine, now_us()) ? 0 : g->quiet + 1;
	if (g->quiet >= QUIET_LOOKS) {
		rest(g);
	} else {
		look_in(g, engine_pause_us(g->engine));
	}
	return 0;
}

static void hang_alarm(struct manager *m, struct governor *g)
{
	int r;

	if (g->alarm || g->deaf) {
		return;
	}
	r = sched_alarm_new(m->sched, &g->alarm);
	if (r >= 0) {
		r = sd_event_add_io(m->loop, &g->rings, sched_alarm_fd(g->alarm), EPOLLIN, on_alarm,
				    g);
	}
	if (r >= 0) {
		r = sd_event_source_set_priority(g->rings, SD_EVENT_PRIORITY_IMPORTANT);
	}
	if (r < 0) {
		log_info("the governor looks twice a second: no alarm for CPU time here: %s",
			 strerror(-r));
		sched_alarm_free(TAKE_PTR(g->alarm));
		g->deaf = true;
	}
}

/* Contexts came, went or changed. */
static void follow(struct manager *m)
{
	struct governor *g = m->governor;

	if (engine_promises(g->engine) && g->state == GOVERNOR_OFF) {
		hang_alarm(m, g);
		hurry(g, true);
		wake(g);
	} else if ((g->state == GOVERNOR_ASLEEP && engine_unsettled(g->engine)) ||
		   (g->state != GOVERNOR_AWAKE && disk_dues_unsettled(g->disks))) {
		look_in(g, SETTLE_US);
	}
}

static void set(struct context *c, bool fresh)
{
	struct governor *g = c->manager->governor;
	int r = engine_set(g->engine, c->slot, c->active, fresh);

	if (r < 0) {
		log_warning("%s: its weight is only its share: %s", c->name, strerror(-r));
	}
	r = disk_dues_set(g->disks, c->slot, c->active, fresh);
	if (r < 0) {
		log_warning("%s: disks are not shared out as reserved: %s", c->name, strerror(-r));
	}
	follow(c->manager);
	if (!fresh && g->state == GOVERNOR_OFF) { /* nobody knows what an earlier daemon wrote */
		look_in(g, SETTLE_US);
	}
}

void governor_begin(struct context *c)
{
	set(c, c->state == LIFE_STARTING);
}

void governor_changed(struct context *c)
{
	if (c->slot) {
		set(c, false);
	}
}

void governor_end(struct context *c)
{
	if (c->slot && c->manager->governor) {
		engine_drop(c->manager->governor->engine, c->slot);
		disk_dues_drop(c->manager->governor->disks, c->slot);
		follow(c->manager);
	}
}

void governor_host_changed(struct manager *m)
{
	engine_set_host(m->governor->engine, host_reserve_ppm(m));
	disk_dues_set_host(m->governor->disks, m->host_file.io_reserve_ppm);
	follow(m);
}

bool governor_weighs(const struct context *c)
{
	return engine_promises(c->manager->governor->engine);
}

void governor_tell_shares(const struct context *c, const struct spec *spec, const char *live,
			  struct buf *out)
{
	disk_dues_tell(c->manager->governor->disks, c->slot, spec, live, out);
}

bool governor_delivered(const struct context *c, struct delivery_sum ret[static DELIVERY_WINDOWS])
{
	return c->slot && engine_delivered(c->manager->governor->engine, c->slot, now_us(), ret);
}

/* --- breaches --- */

struct breach {
	unsigned slot;
	const struct delivery_sum *sum;
};

static void tell_breach_of(struct context *c, void *arg)
{
	const struct breach *b = arg;
	uint64_t lost = delivery_broken(b->sum), over = b->sum->over_us;

	if (c->slot != b->slot || !c->active) {
		return;
	}
	events_add(c->manager->events, EVENT_BREACH, c->name,
		   json_pack("{s:s, s:I, s:I, s:I}", "resource", "cpu", "promised_millicpu",
			     (json_int_t) (b->sum->promised_us * 1000 / over), "delivered_millicpu",
			     (json_int_t) ((b->sum->promised_us - lost) * 1000 / over), "over_us",
			     (json_int_t) over));
}

static void on_breach(void *arg, unsigned slot, const struct delivery_sum *over_a_second)
{
	registry_each(arg, tell_breach_of, &(struct breach){ slot, over_a_second });
}

int governor_new(struct manager *m, struct err *e)
{
	struct governor *g = calloc(1, sizeof(*g));
	int r;

	if (!g) {
		return err_set(e, -ENOMEM, "making the governor: out of memory");
	}
	m->governor = g;
	r = disk_dues_new(m->sched, m->host_file.io_reserve_ppm, &g->disks);
	if (r >= 0) {
		r = engine_new(m->sched, host_reserve_ppm(m), &g->engine);
	}
	if (r >= 0) {
		engine_on_breach(g->engine, on_breach, m);
		r = sd_event_add_time_relative(m->loop, &g->timer, CLOCK_MONOTONIC, 0, SLACK_US,
					       on_time, g);
	}
	if (r >= 0) {
		r = sd_event_source_set_priority(g->timer, SD_EVENT_PRIORITY_IMPORTANT);
	}
	if (r >= 0) {
		r = sd_event_source_set_enabled(g->timer, SD_EVENT_OFF);
	}
	if (r >= 0 && (engine_unsettled(g->engine) ||
		       disk_dues_unsettled(g->disks))) { /* once it is known what still runs */
		look_in(g, SETTLE_US);
	}
	return r < 0 ? err_set_errno(e, r, "making the governor of CPU time") : 0;
}

void governor_free(struct manager *m)
{
	struct governor *g = TAKE_PTR(m->governor);

	if (!g) {
		return;
	}
	sd_event_source_disable_unref(g->rings);
	sd_event_source_disable_unref(g->timer);
	sched_alarm_free(g->alarm);
	engine_free(g->engine);
	disk_dues_free(g->disks);
	free(g);
}
