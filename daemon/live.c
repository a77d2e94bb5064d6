/* Comparing what was wanted with what the kernel says, in the words of both. */
#include "daemon/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpus.h"
#include "daemon/budget.h"

/* Weights of disks on which something is reserved are no shares. */
static char *as_shares(const struct context *c, const struct spec *spec, struct buf *raw)
{
	struct buf b = {};

	governor_tell_shares(c, spec, raw->data, &b);
	buf_done(raw);
	return b.error ? NULL : buf_take(&b);
}

char *live_value(struct context *c, const struct spec *spec, const char *key)
{
	struct buf b = {};

	if (str_equal(key, "cpu.share") && governor_weighs(c)) {
		return NULL;
	}
	if (c->slot && strncmp(key, "network.", 8) == 0) {
		if (netctl_live(c->manager->net, c->slot, spec, key, &b) >= 0 && !b.error) {
			return buf_take(&b);
		}
		buf_done(&b);
		return NULL;
	}
	if (!c->slot || sched_slot_live(c->manager->sched, c->slot, key, &b) < 0 || b.error) {
		buf_done(&b);
		return NULL;
	}
	return str_equal(key, "io.share") ? as_shares(c, spec, &b) : buf_take(&b);
}

static bool same_list(const char *a, const char *b)
{
	struct cpus in_a, in_b;

	return cpus_parse(a, &in_a) >= 0 && cpus_parse(b, &in_b) >= 0 &&
	       memcmp(&in_a, &in_b, sizeof(in_a)) == 0;
}

/* Whether a line "DEVICE ..." is among others, by the disk and not by its name. */
static bool has_disk(const struct strv *lines, const char *line)
{
	size_t len = strcspn(line, " ");
	char a[256], b[256];

	(void) snprintf(a, sizeof(a), "%.*s", (int) len, line);
	for (size_t i = 0; i < lines->count; i++) {
		const char *other = lines->items[i];

		(void) snprintf(b, sizeof(b), "%.*s", (int) strcspn(other, " "), other);
		if (str_equal(line + len, other + strlen(b)) && sched_same_disk(a, b)) {
			return true;
		}
	}
	return false;
}

static bool split_lines(const char *text, struct strv *ret)
{
	int r = 0;

	while (r >= 0 && *text) {
		size_t len = strcspn(text, "\n");
		_cleanup_free_ char *line = strndup(text, len);

		r = line ? strv_add(ret, line) : -ENOMEM;
		text += len + (text[len] == '\n');
	}
	return r >= 0;
}

static bool same_disks(const char *wanted, const char *live)
{
	struct strv a = {}, b = {};
	bool same = split_lines(wanted, &a) && split_lines(live, &b) && a.count == b.count;

	for (size_t i = 0; same && i < a.count; i++) {
		same = has_disk(&b, a.items[i]);
	}
	strv_done(&a);
	strv_done(&b);
	return same;
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
	if (strncmp(key, "io.", 3) == 0) {
		return same_disks(wanted, live);
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
