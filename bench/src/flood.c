/* Adds RATE events a second for SECONDS, as the daemon does, while one reader sleeps and one looks
 * once a second. Prints: us an event (median, the worst), share of a core, KB grown, numbers the
 * slow reader got and was told as lost. usage: flood DIRECTORY RATE SECONDS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "daemon/events.h"

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double) ts.tv_sec * 1e6 + (double) ts.tv_nsec / 1e3;
}

static long resident_kb(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%*s %ld", &pages) != 1)
		exit(1);
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

struct reader {
	struct events_cursor cursor;
	unsigned long got, lost;
	size_t room;
};

static bool take(void *arg, const struct event *ev)
{
	struct reader *r = arg;

	if (ev->len > r->room)
		return false;
	r->room -= ev->len;
	if (ev->lost)
		r->lost += ev->seq - ev->lost_after;
	else
		r->got++;
	return true;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	long rate = argc == 4 ? atol(argv[2]) : 0, n = rate * (argc == 4 ? atol(argv[3]) : 0);
	struct history_config config = { argc == 4 ? argv[1] : "", HISTORY_SEGMENT_BYTES, 8, "b" };
	double *took = calloc((size_t) n + 1, sizeof(*took)), start, cpu;
	struct reader slow = { 0 };
	struct history *h;
	struct events *e;
	struct err err = { 0 };
	long before = 0;

	if (n <= 0 || !took || history_open(&config, &h, &err) < 0 || events_new(h, &e) < 0) {
		fprintf(stderr, "flood: %s\n", err.text);
		return 1;
	}
	memset(took, 1, (size_t) n * sizeof(*took)); /* its memory is not what grows */
	start = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	for (long i = 0; i < n; i++) {
		double t = now(CLOCK_MONOTONIC), due = start + (double) i * 1e6 / (double) rate;

		if (due > t)
			usleep((useconds_t) (due - t));
		t = now(CLOCK_MONOTONIC);
		events_add(e, "denied", "web", json_pack("{s:i, s:i, s:s}", "uid", 1000, "pid",
							 4711, "action", "start"));
		took[i] = now(CLOCK_MONOTONIC) - t;
		if (i == n / 8) /* the ring is full: from here on nothing grows */
			before = resident_kb();
		if (i % rate == 0) { /* a reader of 16 KB a second */
			slow.room = 16384;
			(void) events_walk(e, &slow.cursor, NULL, take, &slow);
		}
	}
	cpu = (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (now(CLOCK_MONOTONIC) - start);
	before = resident_kb() - before;
	slow.room = SIZE_MAX;
	while (events_walk(e, &slow.cursor, NULL, take, &slow))
		;
	qsort(took, (size_t) n, sizeof(*took), by_value);
	printf("%.1f %.0f %.3f %ld %lu %lu\n", took[n / 2], took[n - 1], cpu, before, slow.got,
	       slow.lost);
	events_free(e);
	free(took);
	return slow.got + slow.lost == (unsigned long) n ? 0 : 1;
}
