/* All contexts together, beside the host's own processes: those have a reserve as well, and what a
 * fork storm of theirs must not take is promised to contexts.
 *
 * Outside of our group weights are not ours to know: on v1 every process of the host counts for
 * itself. So they are told from what they do: where both sides are hungry, the time that the host
 * used and the time that contexts used stand to each other as their weights. Until somebody has
 * looked, the host is taken for one busy process a CPU.
 *
 * "ward" is shared with other daemons: it has the greatest of what they need. A delegated subtree
 * has its weight from its owner (systemd: CPUWeight=), who decides. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/units.h"
#include "sched/claims.h"

#define LOOK_US 250000
#define V2_DEFAULT 100
#define V1_DEFAULT 1024
#define HOST_GROUPS 2 /* v2: what systemd has at the top beside us: system and user */
#define HOST_TIMES 256 /* as heavy as the host may look, against one busy process a CPU */
#define FORGET 64 /* looks, in which what the host once weighed is forgotten by half or so */
#define STEP 2 /* it moves by at most this factor in one look */
#define NOTICED 16 /* it is written when it differs by one part of so many */

static const char *file_of(const struct engine *g)
{
	return g->tree->unified ? "cpu.weight" : "cpu.shares";
}

static uint32_t default_of(const struct engine *g)
{
	return g->tree->unified ? V2_DEFAULT : V1_DEFAULT;
}

static uint64_t least_host(const struct engine *g)
{
	if (g->tree->unified)
		return HOST_GROUPS * V2_DEFAULT;
	return V1_DEFAULT * (g->capacity / ALLOT_CPU);
}

/* The greatest of what the daemons that share "ward" need; `own` for this one. */
static uint32_t greatest(const struct engine *g, uint32_t own)
{
	int fd = openat(g->tree->top, "ward", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	char path[NAME_MAX + 32], text[32];
	uint64_t weight;

	if (d == NULL) {
		(void) fd_close(fd);
		return own;
	}
	for (struct dirent *x; (x = readdir(d)) != NULL;) {
		if (x->d_type != DT_DIR || x->d_name[0] == '.' ||
		    strcmp(x->d_name, g->host->instance) == 0)
			continue;
		(void) snprintf(path, sizeof(path), "%s/%s", x->d_name, file_of(g));
		if (cg_read(fd, path, text, sizeof(text)) > 0 &&
		    sscanf(text, "%" SCNu64, &weight) == 1 && weight > own)
			own = (uint32_t) weight;
	}
	(void) closedir(d);
	return own;
}

static void write_top(struct engine *g, uint32_t w)
{
	char path[64], text[32];

	(void) snprintf(path, sizeof(path), "ward/%s", file_of(g));
	(void) snprintf(text, sizeof(text), "%u", greatest(g, w));
	(void) file_write_at(g->tree->top, path, text);
}

static void write_both(struct engine *g, uint32_t w)
{
	uint32_t before = g->beside.written != 0 ? g->beside.written : default_of(g);
	char text[16];

	if (g->host->below[0] != '\0' ||
	    (uint64_t) (w > before ? w - before : before - w) * NOTICED <= before)
		return;
	(void) snprintf(text, sizeof(text), "%u", w);
	(void) file_write_at(g->tree->fd, file_of(g), text);
	write_top(g, w);
	g->beside.written = w;
}

static void put(struct engine *g, uint64_t contexts, uint64_t host)
{
	uint32_t most = g->tree->unified ? 10000 : 262144;
	uint64_t weight = g->beside.host_weight;

	if (weight < least_host(g))
		weight = least_host(g);
	if (weight > UINT32_MAX)
		weight = UINT32_MAX;
	write_both(g, allot_weight_beside(contexts, host, (uint32_t) weight, 1, most));
}

void beside_begin(struct engine *g)
{
	uint64_t now = 0;
	char text[32];

	if (g->host->below[0] == '\0' && cg_read(g->tree->fd, file_of(g), text, sizeof(text)) > 0 &&
	    sscanf(text, "%" SCNu64, &now) == 1 && now != default_of(g))
		g->beside.written = (uint32_t) now;
}

void beside_settle(struct engine *g, uint64_t contexts)
{
	g->beside.looked_us = 0;
	put(g, contexts, g->self_due);
}

void beside_reset(struct engine *g)
{
	if (g->beside.written == 0)
		return;
	write_both(g, default_of(g));
	g->beside.written = 0;
}

/* In ticks: all that was neither idle nor taken from this machine by another. */
static bool read_busy(struct beside *b, uint64_t *ret)
{
	uint64_t user, nice, system, idle, wait, irq, softirq;
	char text[256];
	ssize_t n;

	if (b->stat < 0)
		b->stat = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	n = pread(b->stat, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	if (sscanf(text,
		   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64,
		   &user, &nice, &system, &idle, &wait, &irq, &softirq) != 7)
		return false;
	*ret = user + nice + system + irq + softirq;
	return true;
}

bool beside_look(struct engine *g, uint64_t now_us, uint64_t ward_ns, uint64_t *ret_host,
		 uint64_t *ret_ward, uint64_t *ret_dt_us)
{
	struct beside *b = &g->beside;
	uint64_t ticks, dt = now_us - b->looked_us, all, ward;
	bool first = b->looked_us == 0 || dt > 10 * (uint64_t) LOOK_US;

	if ((!first && dt < LOOK_US) || !read_busy(b, &ticks))
		return false;
	if (!first) {
		all = (ticks - b->busy_ticks) * ALLOT_CPU * 1000000 /
		      (uint64_t) sysconf(_SC_CLK_TCK) / dt;
		ward = ward_ns > b->ward_ns ? (ward_ns - b->ward_ns) * 1000 / dt : 0;
		*ret_ward = ward;
		*ret_host = all > ward ? all - ward : 0;
		*ret_dt_us = dt;
	}
	b->busy_ticks = ticks;
	b->looked_us = now_us;
	b->ward_ns = ward_ns;
	return !first;
}

/* What the host seems to weigh: only where all CPUs were in use do times tell weights. */
static uint64_t seen_weight(const struct engine *g, uint64_t host_used, uint64_t ward_used)
{
	const struct beside *b = &g->beside;
	uint32_t now = b->written != 0 ? b->written : default_of(g);
	uint64_t least = least_host(g), before = b->host_weight, seen;

	if (!g->self_demand.hungry || host_used + ward_used < g->capacity - g->capacity / 8)
		return before - (before - least) / FORGET; /* it may come back when nobody looks */
	if (ward_used == 0)
		return before;
	seen = (uint64_t) ((__uint128_t) host_used * now / ward_used);
	if (seen > STEP * before)
		seen = STEP * before;
	if (seen < before / STEP)
		seen = before / STEP;
	if (seen < least)
		seen = least;
	return seen < HOST_TIMES * least ? seen : HOST_TIMES * least;
}

void beside_correct(struct engine *g, uint64_t contexts, uint64_t host_used, uint64_t ward_used)
{
	g->beside.host_weight = seen_weight(g, host_used, ward_used);
	put(g, contexts, g->self_entitled != 0 ? g->self_entitled : g->self_due);
}
