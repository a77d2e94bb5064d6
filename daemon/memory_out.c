/* Out of memory: the daemon's part of it. The kernel's notice of v1 comes before it has chosen
 * whom to kill, that of v2 with any change of memory.events, and a context may run out of memory
 * hundreds of times a second: so a notice only arms a timer, and the timer looks at the count. */
#include "daemon/memory_out.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "daemon/tell.h"

#define SETTLE_US UINT64_C(200000) /* from the notice until the victim is counted and logged */
#define PAUSE_US UINT64_C(10000000) /* between two events of one context */
#define RECENT_US UINT64_C(1000000)

struct memory_out {
	struct context *context;
	sd_event_source *notice, *timer;
	uint64_t told; /* kills */
	uint64_t told_us; /* CLOCK_MONOTONIC, when last; 0: never */
};

static uint64_t now_us(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static uint64_t kills_of(const struct context *c)
{
	struct sched_stats s;

	return sched_slot_stats(c->manager->sched, c->slot, &s) < 0 ? 0 : s.oom_kills;
}

/* --- the end --- */

uint64_t memory_out_untold(const struct context *c, uint64_t kills)
{
	uint64_t told = c->memory_out ? c->memory_out->told : 0;

	return kills > told ? kills - told : 0;
}

bool memory_out_was_the_end(const struct context *c, const struct exit_info *x, uint64_t kills)
{
	const struct memory_out *o = c->memory_out;
	bool killed = x->code == CLD_EXITED ? x->status == 128 + SIGKILL : x->status == SIGKILL;

	if (!c->active || c->active->memory.oom == SPEC_OOM_CONTEXT)
		return kills > 0 || c->out_of_memory;
	/* It outlives kills: only one of just now can have been its own. */
	return killed && (memory_out_untold(c, kills) > 0 ||
			  (o && o->told_us && now_us() - o->told_us < RECENT_US));
}

/* --- while it runs --- */

static int on_settled(sd_event_source *source, uint64_t now, void *userdata)
{
	struct memory_out *o = userdata;
	struct context *c = o->context;
	uint64_t kills = kills_of(c), ignored;

	(void) source;
	(void) now;
	if (kills > o->told && c->active && c->active->memory.oom == SPEC_OOM_PROCESS) {
		tell_out_of_memory(c, kills - o->told);
		o->told_us = now_us();
	}
	o->told = kills > o->told ? kills : o->told;
	/* Reading takes the notice back, of an eventfd and of memory.events alike. */
	(void) !read(sd_event_source_get_io_fd(o->notice), &ignored, sizeof(ignored));
	(void) !sched_events_read(sd_event_source_get_io_fd(o->notice), &ignored);
	return sd_event_source_set_enabled(o->notice, SD_EVENT_ON);
}

static int arm(struct memory_out *o)
{
	uint64_t now = now_us(), at = now + SETTLE_US;

	if (o->told_us && o->told_us + PAUSE_US > at)
		at = o->told_us + PAUSE_US;
	if (!o->timer)
		return sd_event_add_time(o->context->manager->loop, &o->timer, CLOCK_MONOTONIC, at,
					 1000, on_settled, o);
	(void) sd_event_source_set_time(o->timer, at);
	return sd_event_source_set_enabled(o->timer, SD_EVENT_ONESHOT);
}

static int on_notice(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct memory_out *o = userdata;
	struct context *c = o->context;

	(void) fd;
	(void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (!(revents & EPOLLPRI) && c->active->memory.oom == SPEC_OOM_CONTEXT) { /* v1 */
		c->out_of_memory = true;
		(void) sched_slot_kill(c->manager->sched, c->slot);
		return 0;
	}
	return arm(o);
}

/* @return a descriptor and what to poll it for; -EOPNOTSUPP: there is nothing to be told of. */
static int open_notice(const struct context *c, uint32_t *ret_events)
{
	struct sched_host *h = c->manager->sched;
	bool notifies = false;
	int fd = sched_slot_oom_open(h, c->slot);

	*ret_events = EPOLLIN;
	if (fd != -EOPNOTSUPP || c->active->memory.oom == SPEC_OOM_CONTEXT)
		return fd;
	*ret_events = EPOLLPRI;
	fd = sched_slot_events_open(h, c->slot, "memory", &notifies);
	if (fd >= 0)
		(void) !sched_events_read(fd, &(uint64_t){ 0 }); /* what was is no news */
	return fd;
}

static int begin(struct memory_out *o)
{
	uint32_t events;
	int fd = open_notice(o->context, &events), r;

	if (fd < 0)
		return fd;
	r = sd_event_add_io(o->context->manager->loop, &o->notice, fd, events, on_notice, o);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(o->notice, true);
	else
		fd_close(fd);
	return r;
}

void memory_out_watch(struct context *c)
{
	struct memory_out *o;
	int r;

	if (c->memory_out || c->active->memory.limit == UNITS_NONE)
		return;
	o = calloc(1, sizeof(*o));
	if (o) {
		*o = (struct memory_out){ .context = c, .told = kills_of(c) };
		c->memory_out = o;
	}
	r = o ? begin(o) : -ENOMEM;
	if (r >= 0)
		return;
	memory_out_unwatch(c);
	if (r != -EOPNOTSUPP)
		log_warning("%s: watching its memory: %s", c->name, strerror(-r));
}

void memory_out_unwatch(struct context *c)
{
	struct memory_out *o = TAKE_PTR(c->memory_out);

	if (!o)
		return;
	sd_event_source_disable_unref(o->notice);
	sd_event_source_disable_unref(o->timer);
	free(o);
}
