/* A process that waits for the daemon's death, to put everybody's weight back to what is due, and
 * that of all contexts beside the host to what is valid while nobody looks (top.c).
 *
 * While contexts contend, the weights of those awake follow what they are entitled to now. That is
 * right only as long as somebody looks again when a sleeper wakes, or the host does. Killed between
 * two looks, the daemon would leave weights that fit a moment that is over; what is due fits
 * always. So the table of dues lies in memory that both share, and the end of a pipe tells that
 * the daemon is no more. There is one such process, only while something is reserved. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "sched/claims.h"

#define ENTRIES_MAX (1u << 17)
#define HEIR_NICE (-15)

struct estate {
	uint32_t count; /* 0 while it is being written */
	struct top top; /* its descriptors are his as well */
	struct {
		uint32_t slot, weight;
	} of[ENTRIES_MAX];
};

struct heir {
	pid_t pid;
	int pipe; /* our end; closed: he inherits */
	struct estate *estate; /* shared */
};

static void inherit(const struct estate *s, int tree, const char *file)
{
	uint32_t count = __atomic_load_n(&s->count, __ATOMIC_ACQUIRE);
	char path[64], text[16];

	if (count > 0 && s->top.most > 0)
		(void) top_write(&s->top, top_greatest(&s->top));
	for (uint32_t i = 0; i < count && i < ENTRIES_MAX; i++) {
		(void) snprintf(path, sizeof(path), "%u/%s", s->of[i].slot, file);
		(void) snprintf(text, sizeof(text), "%u", s->of[i].weight);
		(void) !file_write_at(tree, path, text);
	}
}

static int by_number(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

/* Nothing else of the daemon stays open: somebody may wait for its end. */
static void keep(const struct engine *g, int pipe)
{
	const struct cg_tree *core = host_tree(g->host, CG_CORE);
	int fds[4] = { pipe, g->tree->fd, g->tree->top };
	size_t n = 3;

	if (core != NULL && core != g->tree)
		fds[n++] = core->top;
	qsort(fds, n, sizeof(fds[0]), by_number);
	(void) !fd_close_others(fds, n);
}

__attribute__((noreturn)) static void wait_and_inherit(const struct engine *g,
						       const struct estate *s, int pipe)
{
	const char *file = g->tree->unified ? "cpu.weight" : "cpu.shares";
	int tree = g->tree->fd;
	char c;

	(void) prctl(PR_SET_NAME, "ward-heir");
	(void) setsid(); /* a terminal's signals are not for him */
	(void) setpriority(PRIO_PROCESS, 0, HEIR_NICE); /* his moment may be one of full load */
	keep(g, pipe);
	while (read(pipe, &c, 1) < 0 && errno == EINTR)
		;
	inherit(s, tree, file);
	_exit(0);
}

static int fork_heir(const struct engine *g, struct heir *h)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	h->pid = fork();
	if (h->pid == 0) {
		(void) fd_close(ends[1]);
		wait_and_inherit(g, h->estate, ends[0]);
	}
	(void) fd_close(ends[0]);
	h->pipe = ends[1];
	return h->pid < 0 ? -errno : 0;
}

int heir_new(const struct engine *g, struct heir **ret)
{
	struct heir *h = calloc(1, sizeof(*h));
	int r;

	if (h == NULL)
		return -ENOMEM;
	h->pipe = -1;
	h->estate = mmap(NULL, sizeof(*h->estate), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	r = h->estate == MAP_FAILED ? -errno : fork_heir(g, h);
	if (r < 0) {
		if (h->estate != MAP_FAILED)
			(void) munmap(h->estate, sizeof(*h->estate));
		(void) fd_close(h->pipe);
		free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void heir_free(struct heir *h, bool inherits)
{
	if (h == NULL)
		return;
	if (!inherits)
		h->estate->count = 0;
	(void) fd_close(h->pipe);
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void) munmap(h->estate, sizeof(*h->estate));
	free(h);
}

void heir_begin(struct heir *h)
{
	__atomic_store_n(&h->estate->count, 0, __ATOMIC_RELEASE);
}

void heir_note(struct heir *h, size_t i, unsigned slot, uint32_t weight)
{
	if (i < ENTRIES_MAX) {
		h->estate->of[i].slot = slot;
		h->estate->of[i].weight = weight;
	}
}

void heir_end(struct heir *h, size_t count, struct top top)
{
	h->estate->top = top;
	__atomic_store_n(&h->estate->count, (uint32_t) count, __ATOMIC_RELEASE);
}

/* A pipe without a reader is in error. */
bool heir_lives(const struct heir *h)
{
	struct pollfd p = { .fd = h->pipe };

	return poll(&p, 1, 0) == 0;
}
