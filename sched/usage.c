/* As meter.c, for CPU time alone: from the kernel's structures in one go, else from files. */
#include "sched/usage.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/bulk.h"

struct usage {
	struct sched_host *host; /* borrowed */
	struct bulk *bulk; /* NULL: files */
};

int usage_new(struct sched_host *h, struct usage **ret)
{
	struct usage *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return -ENOMEM;
	u->host = h;
	if (bulk_new_cpu(h, &u->bulk) < 0)
		u->bulk = NULL;
	*ret = u;
	return 0;
}

void usage_free(struct usage *u)
{
	if (u == NULL)
		return;
	bulk_free(u->bulk);
	free(u);
}

void usage_round(struct usage *u)
{
	if (u->bulk == NULL || bulk_round(u->bulk, false) == 0)
		return;
	bulk_free(u->bulk);
	u->bulk = NULL;
}

int usage_read(struct usage *u, unsigned slot, uint64_t *ret_ns)
{
	const struct bulk_slot *b = u->bulk != NULL ? bulk_find(u->bulk, slot) : NULL;
	struct sched_stats s = {};

	if (b != NULL) {
		*ret_ns = b->of[BULK_CPU_NS];
		return 0;
	}
	if (u->bulk != NULL)
		return -ENOENT;
	stats_read_cpu(u->host, slot, &s);
	*ret_ns = s.cpu_us * 1000;
	return 0;
}
