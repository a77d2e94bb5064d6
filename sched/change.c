/* Changes limits under a running context: all or nothing.
 *
 * Both specs become plans; what differs is written in table order, and on failure written back.
 * Two pairs constrain each other, so the second is always rewritten behind the first: cpu.max and
 * its burst, memory.max and swap. Memory never shrinks by killing: v1 reclaims while the limit is
 * lowered and answers EBUSY; on v2 memory.high stops the growth, memory.reclaim makes room, and
 * memory.max follows only once the use lies below it. All of that is done apart (apart.h) and has a
 * second: the daemon waits for no disk and for no context that takes its pages back. What was
 * reclaimed until then stays so, and the next attempt begins there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "sched/apart.h"
#include "sched/attribute.h"

#define IDLE_ROUNDS 10
#define IDLE_NAP_NS 2000000
#define DEADLINE_MS 1000
#define DEADLINE_TEXT "1s"

struct change {
	struct sched_host *h;
	unsigned slot;
	const struct sched_plan *from, *to;
	bool weighed; /* its weight is more than its share: engine.h */
	struct err *e;
};

/* io.* is one attribute for each device: the device is part of what is compared. */
static size_t key_length(const char *attribute, const char *value)
{
	return strncmp(attribute, "io.", 3) == 0 ? strcspn(value, " ") : 0;
}

static const char *value_in(const struct sched_plan *p, const char *attribute, const char *like)
{
	size_t len = key_length(attribute, like);

	for (size_t i = 0; i < p->count; i++) {
		const struct sched_write *w = &p->writes[i];

		if (strcmp(w->attribute, attribute) == 0 &&
		    key_length(attribute, w->value) == len && memcmp(w->value, like, len) == 0)
			return w->value;
	}
	return NULL;
}

static bool differs(const struct change *c, const char *attribute)
{
	const char *from = value_in(c->from, attribute, ""), *to = value_in(c->to, attribute, "");

	return !str_equal(from, to);
}

/* Whether less than before is allowed of memory or swap. */
static bool lowers(const struct change *c)
{
	static const char *const names[] = { "memory.max", "memory.swap.max" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *from = value_in(c->from, names[i], ""),
			   *to = value_in(c->to, names[i], "");
		uint64_t a = UINT64_MAX, b = UINT64_MAX;

		(void) !units_parse_u64(from != NULL ? from : "max", 0, INT64_MAX, &a);
		(void) !units_parse_u64(to != NULL ? to : "max", 0, INT64_MAX, &b);
		if (b < a)
			return true;
	}
	return false;
}

/* As attribute_write(), with the key in front: that is what was asked for. */
static int put(const struct change *c, const char *name, const char *value)
{
	int r = attribute_write(c->h, c->slot, name, value, c->e);
	const char *key = attribute_find(name)->key;

	if (r >= 0 || (c->e != NULL && strncmp(c->e->text, key, strlen(key)) == 0))
		return r;
	return err_prefix(c->e, "%s", key);
}

static int refuse_memory(const struct change *c, uint64_t wanted, uint64_t used, const char *when)
{
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX];

	(void) units_print_human(wanted, a);
	(void) units_print_human(used, b);
	/* Rounding must not make the two look the same. */
	if (strcmp(a, b) == 0)
		(void) snprintf(b, sizeof(b), "%" PRIu64 " bytes", used);
	return err_set(c->e, -EBUSY, "memory.limit: cannot be lowered to %s%s, %s are in use", a,
		       when, b);
}

/* One round of reclaim gives up soon, and pages in use at that instant stay: go on until several
 * rounds, each after a short rest, found nothing more. */
struct patience {
	uint64_t least;
	int idle;
};

static bool is_patient(struct patience *p, uint64_t used)
{
	const struct timespec nap = { .tv_nsec = IDLE_NAP_NS };

	if (used < p->least) {
		p->least = used;
		p->idle = 0;
		return true;
	}
	if (++p->idle > IDLE_ROUNDS)
		return false;
	(void) nanosleep(&nap, NULL);
	return true;
}

/* v2: makes room below `wanted` without the OOM killer. */
static int reclaim_v2(const struct change *c, const struct cg_tree *t, uint64_t wanted)
{
	struct patience p = { .least = UINT64_MAX };
	uint64_t used;
	char text[32];

	do {
		int r = slot_read_u64(t, c->slot, "memory.current", &used);

		if (r < 0)
			return err_set_errno(c->e, r, "reading memory.current");
		if (used <= wanted)
			return 0;
		(void) snprintf(text, sizeof(text), "%" PRIu64, used - wanted);
		r = slot_write(t, c->slot, "memory.reclaim", text);
		/* EAGAIN: not all of it could be had. */
		if (r < 0 && r != -EAGAIN)
			break;
	} while (is_patient(&p, used));
	return refuse_memory(c, wanted, used, "");
}

static int lower_v2(const struct change *c, const struct cg_tree *t, uint64_t wanted,
		    const char *value)
{
	const char *soft = value_in(c->from, "memory.high", "");
	int r;

	(void) slot_write(t, c->slot, "memory.high", value);
	r = reclaim_v2(c, t, wanted);
	if (r == 0)
		r = put(c, "memory.max", value);
	(void) slot_write(t, c->slot, "memory.high", soft != NULL ? soft : "max");
	return r;
}

static int lower_v1(const struct change *c, const struct cg_tree *t, uint64_t wanted,
		    const char *value)
{
	struct patience p = { .least = UINT64_MAX };
	struct err why = { 0 };
	uint64_t used;
	int r;

	do {
		r = attribute_write(c->h, c->slot, "memory.max", value, &why);
		if (r != -EBUSY)
			return r < 0 ? err_set(c->e, r, "%s", why.text) : 0;
		r = slot_read_u64(t, c->slot, "memory.usage_in_bytes", &used);
		if (r < 0)
			return err_set_errno(c->e, r, "reading memory.usage_in_bytes");
	} while (is_patient(&p, used));
	return refuse_memory(c, wanted, used, "");
}

static int change_memory(const struct change *c, const char *value)
{
	const struct cg_tree *t = host_tree(c->h, CG_MEMORY);
	uint64_t wanted;

	if (t == NULL || strcmp(value, "max") == 0)
		return put(c, "memory.max", value);
	if (units_parse_u64(value, 0, INT64_MAX, &wanted) < 0)
		return err_set(c->e, -EINVAL, "memory.limit: \"%s\"", value);
	if (t->unified)
		return lower_v2(c, t, wanted, value);
	return lower_v1(c, t, wanted, value);
}

static int change_cpu(const struct change *c, const char *max, const char *burst)
{
	int r = 0;

	/* The old burst may not fit the new quota. */
	if (value_in(c->from, "cpu.max.burst", "") != NULL || burst != NULL)
		r = put(c, "cpu.max.burst", "0");
	if (r == 0)
		r = put(c, "cpu.max", max != NULL ? max : "max 100000");
	if (r == 0 && burst != NULL)
		r = put(c, "cpu.max.burst", burst);
	return r;
}

static int change_plain(const struct change *c, const char *name)
{
	const char *to = value_in(c->to, name, "");

	if (!differs(c, name))
		return 0;
	return put(c, name, to != NULL ? to : attribute_find(name)->fallback);
}

/* Devices that are no longer named lose their value, then the named ones get theirs. */
static int change_disks(const struct change *c, const char *name, const char *none)
{
	char value[SCHED_VALUE_MAX];

	for (size_t i = 0; i < c->from->count; i++) {
		const struct sched_write *w = &c->from->writes[i];
		int r;

		if (strcmp(w->attribute, name) != 0 || value_in(c->to, name, w->value) != NULL)
			continue;
		(void) snprintf(value, sizeof(value), "%.*s %s", (int) strcspn(w->value, " "),
				w->value, none);
		r = put(c, name, value);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < c->to->count; i++) {
		const struct sched_write *w = &c->to->writes[i];
		int r;

		if (strcmp(w->attribute, name) != 0 ||
		    str_equal(value_in(c->from, name, w->value), w->value))
			continue;
		r = put(c, name, w->value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int change_io(const struct change *c)
{
	int r = change_disks(c, "io.weight", "default");

	return r < 0 ? r : change_disks(c, "io.max", "rbps=max wbps=max riops=max wiops=max");
}

static int write_memory_pair(const struct change *c)
{
	const char *to = value_in(c->to, "memory.max", "");
	const char *swap = value_in(c->to, "memory.swap.max", "");
	bool limit = differs(c, "memory.max");
	int r = 0;

	if (limit)
		r = change_memory(c, to != NULL ? to : "max");
	if (r == 0 && (differs(c, "memory.swap.max") || (limit && swap != NULL)))
		r = put(c, "memory.swap.max", swap != NULL ? swap : "max");
	return r;
}

static int write_apart(void *arg, struct err *e)
{
	struct change c = *(const struct change *) arg;

	c.e = e;
	return write_memory_pair(&c);
}

static int refuse_late(const struct change *c, const struct cg_tree *t, const char *to)
{
	const char *soft = value_in(c->from, "memory.high", "");
	uint64_t wanted, used;
	int r = slot_read_u64(t, c->slot, t->unified ? "memory.current" : "memory.usage_in_bytes",
			      &used);

	if (t->unified)
		(void) slot_write(t, c->slot, "memory.high", soft != NULL ? soft : "max");
	if (r < 0 || to == NULL || units_parse_u64(to, 0, INT64_MAX, &wanted) < 0)
		return err_set(c->e, -EBUSY, "memory.limit: no room could be made within %s",
			       DEADLINE_TEXT);
	return refuse_memory(c, wanted, used, " within " DEADLINE_TEXT);
}

/* What lowers a limit may have to wait for a disk: not the daemon. */
static int change_memory_pair(const struct change *c)
{
	const char *to = value_in(c->to, "memory.max", "");
	const struct cg_tree *t = host_tree(c->h, CG_MEMORY);
	bool changes = differs(c, "memory.max") || differs(c, "memory.swap.max");
	int r;

	if (!changes || t == NULL || !lowers(c))
		return write_memory_pair(c);
	r = apart_run(write_apart, (void *) (uintptr_t) c, t->fd, DEADLINE_MS, c->e);
	return r == -ETIMEDOUT ? refuse_late(c, t, to) : r;
}

static int change_all(const struct change *c)
{
	static const char *const plain[] = { "memory.oom.group", "cpuset.mems", "cpuset.cpus",
					     "pids.max",	 "memory.min",	"memory.high" };
	int r = 0;

	/* What is most likely to be refused comes first. */
	r = change_memory_pair(c);
	for (size_t i = 0; i < ARRAY_SIZE(plain) && r == 0; i++)
		r = change_plain(c, plain[i]);
	if (r == 0 && !c->weighed)
		r = change_plain(c, "cpu.weight");
	if (r == 0 && (differs(c, "cpu.max") || differs(c, "cpu.max.burst")))
		r = change_cpu(c, value_in(c->to, "cpu.max", ""),
			       value_in(c->to, "cpu.max.burst", ""));
	return r == 0 ? change_io(c) : r;
}

int sched_slot_change(struct sched_host *h, unsigned slot, const struct spec *from,
		      const struct spec *to, const struct facts *facts, struct err *e)
{
	_cleanup_free_ struct sched_plan *plans = calloc(2, sizeof(*plans));
	struct change c = { .h = h, .slot = slot, .e = e };
	struct change back = { .h = h, .slot = slot };
	int r;

	if (plans == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	r = sched_plan(from, facts, &plans[0], e);
	if (r == 0)
		r = sched_plan(to, facts, &plans[1], e);
	if (r < 0)
		return r;
	c.from = back.to = &plans[0];
	c.to = back.from = &plans[1];
	c.weighed = back.weighed = from->cpu.reserve_millicpu != 0 || to->cpu.reserve_millicpu != 0;
	r = change_all(&c);
	if (r < 0)
		(void) change_all(&back);
	return r;
}
