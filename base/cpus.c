/* Sets of CPUs: lists of numbers and ranges in and out, and those that are here. */
#include "base/cpus.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

static const char *read_number(const char *p, unsigned long *ret)
{
	unsigned long n = 0;

	if (*p < '0' || *p > '9') {
		return NULL;
	}
	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (unsigned long) (*p - '0');
		if (n > CPUS_MAX) {
			n = CPUS_MAX; /* beyond all there can be, however far */
		}
	}
	*ret = n;
	return p;
}

int cpus_parse(const char *text, struct cpus *ret)
{
	struct cpus c = {};
	unsigned long first = 0, last = 0;

	for (const char *p = text; *p;) {
		p = read_number(p, &first);
		last = first;
		if (p && *p == '-') {
			p = read_number(p + 1, &last);
		}
		if (!p || last < first || (*p && *p != ',') || (*p == ',' && !p[1])) {
			return -EINVAL;
		}
		for (unsigned long i = first; i <= last && i < CPUS_MAX; i++) {
			cpus_add(&c, (unsigned) i);
		}
		p += *p == ',';
	}
	*ret = c;
	return 0;
}

void cpus_print(const struct cpus *c, struct buf *out)
{
	const char *comma = "";

	for (unsigned i = 0; i < CPUS_MAX; i++) {
		unsigned last = i;

		if (!cpus_has(c, i)) {
			continue;
		}
		while (last + 1 < CPUS_MAX && cpus_has(c, last + 1)) {
			last++;
		}
		buf_printf(out, last > i ? "%s%u-%u" : "%s%u", comma, i, last);
		comma = ",";
		i = last;
	}
}

unsigned cpus_count(const struct cpus *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CPUS_MAX / 64; i++) {
		n += (unsigned) __builtin_popcountll(c->bits[i]);
	}
	return n;
}

bool cpus_has(const struct cpus *c, unsigned cpu)
{
	return cpu < CPUS_MAX && c->bits[cpu / 64] & UINT64_C(1) << cpu % 64;
}

void cpus_add(struct cpus *c, unsigned cpu)
{
	c->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

void cpus_keep(struct cpus *c, const struct cpus *other)
{
	for (unsigned i = 0; i < CPUS_MAX / 64; i++) {
		c->bits[i] &= other->bits[i];
	}
}

int cpus_allowed(struct cpus *ret)
{
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	struct cpus c = {};
	int r;

	if (!set) {
		return -ENOMEM;
	}
	r = sched_getaffinity(0, size, set) < 0 ? -errno : 0;
	for (unsigned i = 0; r == 0 && i < CPUS_MAX; i++) {
		if (CPU_ISSET_S(i, size, set)) {
			cpus_add(&c, i);
		}
	}
	CPU_FREE(set);
	if (r == 0) {
		*ret = c;
	}
	return r;
}
