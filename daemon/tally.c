/* What the daemon counts about itself, and what it costs. Counting is one addition where the thing
 * happens; everything else is asked of the kernel when somebody wants to know. */
#include "daemon/tally.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "daemon/core.h"

uint64_t tally_clock_us(clockid_t clock)
{
	struct timespec t;

	return clock_gettime(clock, &t) < 0
		       ? 0
		       : (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

const uint64_t numbers_buckets[NUMBERS_BUCKET_COUNT] = NUMBERS_BUCKETS;

uint64_t tally_begin(void)
{
	return tally_clock_us(CLOCK_MONOTONIC);
}

void tally_started(struct context *c, uint64_t begun_us)
{
	struct tally *t = &c->manager->tally;
	uint64_t took = tally_clock_us(CLOCK_MONOTONIC) - begun_us;
	size_t i = 0;

	while (i < NUMBERS_BUCKET_COUNT && took > numbers_buckets[i])
		i++;
	t->start_buckets[i]++;
	t->start_sum_us += took;
	c->starts++;
}

void tally_failed(struct context *c)
{
	c->manager->tally.starts_failed++;
}

static uint64_t resident_bytes(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	unsigned long long pages = 0;

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		(void) sscanf(text, "%*u %llu", &pages);
	fd_close(fd);
	return pages * (uint64_t) sysconf(_SC_PAGESIZE);
}

void numbers_of_daemon(struct manager *m, struct numbers_daemon *ret)
{
	const struct tally *t = &m->tally;
	const struct parked *p;
	struct stat st;

	*ret = (struct numbers_daemon){
		.started_us = t->began_us,
		.resident_bytes = resident_bytes(),
		.events = events_last(m->events),
		.starts_failed = t->starts_failed,
		.start_sum_us = t->start_sum_us,
		.cpu_us = tally_clock_us(CLOCK_PROCESS_CPUTIME_ID),
		.bulk = numbers_are_bulk(m),
	};
	memcpy(ret->start_buckets, t->start_buckets, sizeof(ret->start_buckets));
	/* Since 6.2 the size of that directory is what it holds. */
	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		ret->descriptors = (uint64_t) st.st_size;
	LIST_FOREACH (p, &m->pool.list, link) {
		ret->seats_ready += p->ready && !p->claimed_by;
	}
}

void tally_init(struct manager *m)
{
	m->tally.began_us = tally_clock_us(CLOCK_REALTIME);
}
