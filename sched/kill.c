/* Signals, freezing and the end of a slot, and the sweep of what a dead daemon left.
 *
 * cgroup.kill reaches everything at once, frozen or forking. Without it: freeze so that nothing
 * forks away, signal, thaw so that the signals are taken (a task frozen by v1 does not die). */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/units.h"
#include "sched/host.h"

#define SIGNAL_ROUNDS 32
#define SWEEP_WAIT_MS 2000

static bool seen(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Signals those of `now` that are not in `before`. @return how many. */
static size_t signal_new(const pid_t *now, size_t n, const pid_t *before, size_t before_n, int sig)
{
	size_t sent = 0;

	for (size_t i = 0; i < n; i++)
		if (!seen(before, before_n, now[i]) && kill(now[i], sig) == 0)
			sent++;
	return sent;
}

/* All pids, in a buffer that grows with them. */
static ssize_t pids_gather(const struct cg_tree *t, unsigned slot, pid_t **ret)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t max = 64;

	for (;;) {
		ssize_t n;

		free(pids);
		pids = calloc(max, sizeof(*pids));
		if (pids == NULL)
			return -ENOMEM;
		n = tree_pids(t, slot, pids, max);
		if (n < 0 || (size_t) n <= max) {
			*ret = TAKE_PTR(pids);
			return n;
		}
		max = (size_t) n + 64;
	}
}

int tree_signal(const struct cg_tree *t, unsigned slot, int sig)
{
	_cleanup_free_ pid_t *before = NULL;
	ssize_t before_n = 0;

	for (int i = 0; i < SIGNAL_ROUNDS; i++) {
		pid_t *now = NULL;
		ssize_t n = pids_gather(t, slot, &now);
		size_t sent;

		if (n < 0) {
			free(now);
			return n == -ENOENT ? 0 : (int) n;
		}
		sent = signal_new(now, (size_t) n, before, (size_t) before_n, sig);
		free(before);
		before = now;
		before_n = n;
		if (sent == 0)
			return 0;
	}
	return 0;
}

int sched_slot_signal(struct sched_host *h, unsigned slot, int sig)
{
	return tree_signal(host_process_tree(h), slot, sig);
}

int sched_slot_freeze(struct sched_host *h, unsigned slot, bool frozen)
{
	const struct cg_tree *freezer = host_tree(h, CG_FREEZER);

	if (h->freeze)
		return slot_write(host_tree(h, CG_CORE), slot, "cgroup.freeze", frozen ? "1" : "0");
	if (freezer != NULL)
		return slot_write(freezer, slot, "freezer.state", frozen ? "FROZEN" : "THAWED");
	return -EOPNOTSUPP;
}

bool sched_slot_frozen(struct sched_host *h, unsigned slot)
{
	const struct cg_tree *freezer = host_tree(h, CG_FREEZER);
	char text[16] = "";

	if (h->freeze)
		return slot_read(host_tree(h, CG_CORE), slot, "cgroup.freeze", text, sizeof(text)) >
			       0 &&
		       text[0] == '1';
	return freezer != NULL &&
	       slot_read(freezer, slot, "freezer.state", text, sizeof(text)) > 0 &&
	       strncmp(text, "THAWED", 6) != 0;
}

int sched_slot_kill(struct sched_host *h, unsigned slot)
{
	const struct cg_tree *core = host_tree(h, CG_CORE);
	int r, thawed;

	if (h->kill)
		return slot_write(core, slot, "cgroup.kill", "1");
	(void) sched_slot_freeze(h, slot, true);
	r = tree_signal(host_process_tree(h), slot, SIGKILL);
	thawed = sched_slot_freeze(h, slot, false);
	if (thawed == -EOPNOTSUPP)
		thawed = 0;
	return r < 0 ? r : thawed;
}

/* --- the sweep --- */

/* A half-attached process may be in some hierarchies only. */
static void sweep_kill(struct sched_host *h, unsigned slot)
{
	(void) sched_slot_kill(h, slot);
	for (size_t i = 0; i < h->count; i++)
		if (!h->trees[i].unified)
			(void) tree_signal(&h->trees[i], slot, SIGKILL);
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for a change of cgroup.events; without cgroup2 there is nothing to wait on but time. */
static void wait_change(struct sched_host *h, unsigned slot, int64_t left_ms)
{
	const struct cg_tree *core = host_tree(h, CG_CORE);
	_cleanup_close_ int fd =
		core == NULL ? -1 : slot_openat(core, slot, "cgroup.events", O_RDONLY);
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	char text[128];

	/* The file must have been read for the next change to be reported. */
	if (fd < 0 || read(fd, text, sizeof(text)) <= 0 || left_ms > 20)
		left_ms = left_ms > 20 ? 20 : left_ms;
	(void) poll(&p, 1, (int) left_ms);
}

static int sweep_remove(struct sched_host *h, unsigned slot, int64_t deadline)
{
	for (;;) {
		int r = sched_slot_remove(h, slot);
		int64_t left = deadline - now_ms();

		if (r != -EBUSY || left <= 0)
			return r;
		sweep_kill(h, slot);
		wait_change(h, slot, left);
	}
}

struct slot_list {
	unsigned *slots;
	size_t count, cap;
};

static int slot_list_add(struct slot_list *l, unsigned slot)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->slots[i] == slot)
			return 0;
	if (l->count == l->cap) {
		size_t cap = l->cap == 0 ? 64 : l->cap * 2;
		unsigned *grown = reallocarray(l->slots, cap, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		l->slots = grown;
		l->cap = cap;
	}
	l->slots[l->count++] = slot;
	return 0;
}

/* The slots one hierarchy has that nobody keeps. */
static int sweep_find(const struct cg_tree *t, bool (*keep)(unsigned slot, void *arg), void *arg,
		      struct slot_list *l)
{
	int fd = openat(t->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d == NULL) {
		r = -errno;
		(void) fd_close(fd);
		return r;
	}
	for (struct dirent *x; r == 0 && (x = readdir(d)) != NULL;) {
		uint64_t slot;

		if (x->d_type == DT_DIR && units_parse_u64(x->d_name, 0, UINT32_MAX, &slot) == 0 &&
		    !keep((unsigned) slot, arg))
			r = slot_list_add(l, (unsigned) slot);
	}
	(void) closedir(d);
	return r;
}

int sched_host_sweep(struct sched_host *h, bool (*keep)(unsigned slot, void *arg), void *arg,
		     struct err *e)
{
	struct slot_list l = { 0 };
	_cleanup_free_ unsigned *owned = NULL;
	int64_t deadline = now_ms() + SWEEP_WAIT_MS;
	int first = 0, r;

	for (size_t i = 0; i < h->count && first == 0; i++)
		first = sweep_find(&h->trees[i], keep, arg, &l);
	owned = l.slots;
	if (first < 0)
		return err_set_errno(e, first, "looking for slots in cgroup %s", h->instance);
	for (size_t i = 0; i < l.count; i++)
		sweep_kill(h, l.slots[i]);
	for (size_t i = 0; i < l.count; i++) {
		r = sweep_remove(h, l.slots[i], deadline);
		if (r < 0 && first == 0)
			first = err_set_errno(e, r, "removing the cgroup %s/%u", h->instance,
					      l.slots[i]);
	}
	return first;
}
