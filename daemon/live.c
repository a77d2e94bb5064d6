/* Comparing what was wanted with what the kernel says, in the words of both. */
#include "daemon/live.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/budget.h"

#define LIST_BITS 8192 /* the kernel's greatest NR_CPUS */

char *live_value(struct context *c, const char *key)
{
	struct buf b = {};

	if (str_equal(key, "cpu.share") && governor_weighs(c)) {
		return NULL;
	}
	if (!c->slot || sched_slot_live(c->manager->sched, c->slot, key, &b) < 0 || b.error) {
		buf_done(&b);
		return NULL;
	}
	return buf_take(&b);
}

/* "0-2,5" */
static bool read_list(const char *text, unsigned char bits[static LIST_BITS / 8])
{
	while (*text) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end == text) {
			return false;
		}
		if (*end == '-') {
			last = strtoul(end + 1, &end, 10);
		}
		for (unsigned long i = first; i <= last && i < LIST_BITS; i++) {
			bits[i / 8] |= (unsigned char) (1u << i % 8);
		}
		if (*end && *end != ',') {
			return false;
		}
		text = *end ? end + 1 : end;
	}
	return true;
}

static bool same_list(const char *a, const char *b)
{
	unsigned char in_a[LIST_BITS / 8] = {}, in_b[LIST_BITS / 8] = {};

	return read_list(a, in_a) && read_list(b, in_b) && memcmp(in_a, in_b, sizeof(in_a)) == 0;
}

bool live_in_force(const char *key, const char *wanted, const char *live)
{
	uint64_t a, b, step;

	if (!live || !wanted || !*wanted || str_equal(wanted, live)) {
		return true;
	}
	if (str_equal(key, "cpu.cpus") || str_equal(key, "cpu.mems")) {
		return same_list(wanted, live);
	}
	if (units_parse_bytes(wanted, &a) == 0 && units_parse_bytes(live, &b) == 0) {
		step = strncmp(key, "memory.", 7) == 0 ? (uint64_t) sysconf(_SC_PAGESIZE) : 1;
	} else if (units_parse_cpu(wanted, 1, &a) == 0 && units_parse_cpu(live, 1, &b) == 0) {
		step = 2;
	} else {
		return false;
	}
	return a != UNITS_NONE && b != UNITS_NONE && (a > b ? a - b : b - a) < step;
}
