/* The pool of parked seats.
 *
 * Making namespaces and entering cgroups is slow (on cgroup v1 the first attach after a quiet
 * moment waits about 12 ms for RCU), so it is done ahead, for the kinds of context that were wanted
 * lately. The pool is filled again a moment after the last start, not during it: on a small machine
 * the refill would compete with the very command that has just been started. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "daemon/core.h"
#include "daemon/launch.h"

#define REFILL_DELAY_US 3000

static bool same_kind(const struct seat_kind *a, const struct seat_kind *b)
{
	return a->namespaces == b->namespaces && a->ids_first == b->ids_first &&
	       a->ids_count == b->ids_count;
}

/* --- the daemon's own memory --- */

#define STACK_BELOW (24u << 10)
#define STACK_ABOVE (12u << 10)

static uintptr_t find_heap(void)
{
	_cleanup_free_ char *text = NULL;
	uint64_t start;
	char *p;

	if (file_read_at(AT_FDCWD, "/proc/self/stat", 4096, &text, NULL) < 0) {
		return 0;
	}
	p = strrchr(text, ')'); /* ends field 2; start_brk is field 47 (proc(5)) */
	for (int field = 2; p && field < 47; field++) {
		p = strchr(p + 1, ' ');
	}
	if (!p) {
		return 0;
	}
	*strchrnul(p + 1, ' ') = '\0';
	return units_parse_u64(p + 1, 1, UINTPTR_MAX, &start) == 0 ? (uintptr_t) start : 0;
}

/* A clone leaves every page of ours to be copied when it is next written, and each such fault would
 * fall into a start: some sixty of them, a tenth of it. So all are taken at once, while it is
 * quiet. Before 5.14 there is no such call, and they come one by one. */
static void own_memory(const struct seat_pool *pool)
{
	uintptr_t here = (uintptr_t) __builtin_frame_address(0) & ~(uintptr_t) 4095;
	uintptr_t end = (uintptr_t) sbrk(0);

	if (pool->heap_start) {
		(void) madvise((void *) pool->heap_start, end - pool->heap_start,
			       MADV_POPULATE_WRITE);
	}
	(void) madvise((void *) (here - STACK_BELOW), STACK_BELOW + STACK_ABOVE,
		       MADV_POPULATE_WRITE);
}

/* --- seats --- */

static void report(struct parked *p, enum seat_event event, int fd, struct err *err)
{
	struct context *c = p->claimed_by;
	struct err e = *err;

	if (event == SEAT_PARKED) {
		p->ready = true;
		if (proc_identify(p->seat->pid, &p->id) < 0) {
			(void) err_set(&e, -ESRCH, "starting a seat: it died");
			event = SEAT_FAILED;
		} else if (c) {
			launch_parked(c, p, NULL);
			return;
		} else {
			own_memory(&p->manager->pool);
			return;
		}
	}
	if (c && p->ready && c->launch) {
		launch_report(c, event, fd, &e);
		return;
	}
	if (!e.code) {
		(void) err_set(&e, -ESRCH, "starting a seat: it died");
	}
	log_debug("%s", e.text);
	parked_free(p);
	if (c) {
		launch_parked(c, NULL, &e);
	}
}

static int on_seat(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct parked *p = userdata;
	struct err e = {};
	int passed = -1;
	enum seat_event event;

	(void) source;
	(void) fd;
	(void) revents;
	event = seat_read(p->seat, &passed, &e);
	if (event != SEAT_WAIT) {
		report(p, event, passed, &e);
	}
	return 0;
}

static int enter_slot(void *arg)
{
	return sched_attach_self(arg);
}

static int prepare(void *prepared, bool own_network)
{
	if (own_network) {
		netctl_echo_sockets();
	}
	return fs_seat_prepare(prepared, own_network);
}

static int make_seat(struct manager *m, struct parked *p, const struct seat_kind *kind,
		     struct err *e)
{
	struct sched_attach attach;
	struct seat_enter enter = { .enter = enter_slot,
				    .arg = &attach,
				    .loopback = netctl_loopback_up,
				    .prepare = prepare,
				    .prepared_bytes = sizeof(struct fs_seat) };
	int r = sched_slot_open(m->sched, p->slot, &attach, e);

	if (r < 0) {
		return r;
	}
	enter.clone_into = attach.clone_into;
	r = seat_new(m->host, kind, &enter, &p->seat, e);
	sched_attach_done(&attach);
	if (r < 0) {
		return r;
	}
	r = sd_event_add_io(m->loop, &p->source, p->seat->sock, EPOLLIN, on_seat, p);
	return r < 0 ? err_set_errno(e, r, "watching a seat") : 0;
}

static int add_seat(struct manager *m, const struct seat_kind *kind, struct context *claimed_by,
		    struct err *e)
{
	struct parked *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		return err_set(e, -ENOMEM, "making a seat: out of memory");
	}
	p->manager = m;
	p->slot = m->next_slot++;
	p->claimed_by = claimed_by;
	LIST_INSERT_HEAD(&m->pool.list, p, link);
	r = sched_slot_create(m->sched, p->slot, e);
	if (r >= 0) {
		r = fault_point("slot-made", e);
	}
	if (r >= 0) {
		r = make_seat(m, p, kind, e);
	}
	if (r < 0) {
		parked_free(p);
	}
	return r;
}

void parked_free(struct parked *p)
{
	struct manager *m = p->manager;

	LIST_REMOVE(p, link);
	sd_event_source_disable_unref(p->source);
	if (p->seat) {
		ending_bury(m, p->seat, p->slot);
	} else {
		ending_remove_slot(m, p->slot);
	}
	free(p);
}

static unsigned count_kind(const struct manager *m, const struct seat_kind *kind)
{
	const struct parked *p;
	unsigned n = 0;

	LIST_FOREACH (p, &m->pool.list, link) {
		n += !p->claimed_by && same_kind(&p->seat->kind, kind);
	}
	return n;
}

static int on_refill(sd_event_source *source, uint64_t now, void *userdata)
{
	struct manager *m = userdata;

	(void) source;
	(void) now;
	for (unsigned k = 0; k < m->pool.kind_count; k++) {
		unsigned target = k == 0 ? m->pool.target : m->pool.target / 4;
		unsigned have = count_kind(m, &m->pool.kinds[k]);

		for (; have < target; have++) {
			struct err e = {};

			if (add_seat(m, &m->pool.kinds[k], NULL, &e) < 0) {
				log_warning("keeping seats: %s", e.text);
				return 0;
			}
		}
	}
	return 0;
}

static void refill_soon(struct manager *m, uint64_t delay_us)
{
	int r;

	if (m->closing || m->pool.target == 0) {
		return;
	}
	if (!m->pool.refill) {
		r = sd_event_add_time_relative(m->loop, &m->pool.refill, CLOCK_MONOTONIC, delay_us,
					       1, on_refill, m);
	} else {
		r = sd_event_source_set_time_relative(m->pool.refill, delay_us);
		if (r >= 0) {
			r = sd_event_source_set_enabled(m->pool.refill, SD_EVENT_ONESHOT);
		}
	}
	if (r < 0) {
		log_warning("keeping seats: arming the timer: %s", strerror(-r));
	}
}

/* Moves the kind to the front of those kept; a fixed id range cannot be shared by two seats. */
static void remember_kind(struct seat_pool *pool, const struct seat_kind *kind)
{
	struct seat_kind wanted = *kind;
	unsigned i = 0;

	if (kind->ids_count) {
		return;
	}
	while (i < pool->kind_count && !same_kind(&pool->kinds[i], kind)) {
		i++;
	}
	if (i == pool->kind_count) {
		if (pool->kind_count < SEAT_KINDS_MAX) {
			pool->kind_count++;
		} else {
			i--;
		}
	}
	/* the default kind stays in front: it is the one that throwaways want */
	if (i > 1) {
		memmove(&pool->kinds[2], &pool->kinds[1], (i - 1) * sizeof(pool->kinds[0]));
		pool->kinds[1] = wanted;
	} else {
		pool->kinds[i] = wanted;
	}
}

int seats_take(struct manager *m, const struct seat_kind *kind, struct context *c,
	       struct parked **ret, struct err *e)
{
	struct parked *p;

	remember_kind(&m->pool, kind);
	refill_soon(m, REFILL_DELAY_US);
	LIST_FOREACH (p, &m->pool.list, link) {
		if (p->ready && !p->claimed_by && same_kind(&p->seat->kind, kind)) {
			p->claimed_by = c;
			*ret = p;
			return 0;
		}
	}
	*ret = NULL;
	return add_seat(m, kind, c, e);
}

void seats_init(struct manager *m)
{
	LIST_INIT(&m->pool.list);
	m->pool.heap_start = find_heap();
}

void seats_fill(struct manager *m, const struct seat_kind *kind)
{
	remember_kind(&m->pool, kind);
	refill_soon(m, 0);
}

void seats_done(struct manager *m)
{
	struct parked *p;

	sd_event_source_disable_unref(TAKE_PTR(m->pool.refill));
	while ((p = LIST_FIRST(&m->pool.list))) {
		parked_free(p);
	}
}
