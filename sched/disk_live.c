/* What the kernel has in force of a slot on disks, in the words of a context's file: limits from
 * io.max or v1's four files, shares from io.bfq.weight, io.weight or blkio.bfq.weight_device. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "sched/disk.h"

#define DISKS_MAX 64
#define FILE_TEXT_MAX 4096

struct disk_limits {
	unsigned major, minor;
	uint64_t values[4]; /* as words[]; UNITS_NONE: none */
};

struct disk_list {
	struct disk_limits items[DISKS_MAX];
	size_t count;
};

static const struct word {
	const char *name, *v2, *v1;
	bool rate;
} words[] = {
	{ "read", " rbps=", "blkio.throttle.read_bps_device", true },
	{ "write", " wbps=", "blkio.throttle.write_bps_device", true },
	{ "read-ops", " riops=", "blkio.throttle.read_iops_device", false },
	{ "write-ops", " wiops=", "blkio.throttle.write_iops_device", false },
};

void disk_print_name(unsigned major, unsigned minor, struct buf *out)
{
	char path[96], text[512];
	const char *name;

	(void) snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major, minor);
	name = cg_read(AT_FDCWD, path, text, sizeof(text)) > 0 ? strstr(text, "DEVNAME=") : NULL;
	if (name)
		buf_printf(out, "/dev/%.*s", (int) strcspn(name + 8, "\n"), name + 8);
	else
		buf_printf(out, "%u:%u", major, minor);
}

static const char *next_line(const char *p)
{
	p += strcspn(p, "\n");
	return *p ? p + 1 : p;
}

/* @return the entry of a line that begins with MAJ:MIN, a new one if there is none, or NULL. */
static struct disk_limits *entry(struct disk_list *l, const char *line)
{
	unsigned major, minor;

	if (sscanf(line, "%u:%u", &major, &minor) != 2)
		return NULL;
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].major == major && l->items[i].minor == minor)
			return &l->items[i];
	if (l->count == DISKS_MAX)
		return NULL;
	l->items[l->count] = (struct disk_limits){
		major, minor, { UNITS_NONE, UNITS_NONE, UNITS_NONE, UNITS_NONE }
	};
	return &l->items[l->count++];
}

static void read_v2(const char *text, struct disk_list *l)
{
	for (const char *p = text; *p; p = next_line(p)) {
		struct disk_limits *d = entry(l, p);

		for (size_t i = 0; d && i < ARRAY_SIZE(words); i++) {
			const char *v = strstr(p, words[i].v2);

			if (v && v < next_line(p))
				(void) sscanf(v + strlen(words[i].v2), "%" SCNu64, &d->values[i]);
		}
	}
}

static void read_v1(const char *text, size_t word, struct disk_list *l)
{
	for (const char *p = text; *p; p = next_line(p)) {
		struct disk_limits *d = entry(l, p);

		if (d)
			(void) sscanf(p, "%*u:%*u %" SCNu64, &d->values[word]);
	}
}

static void print_limits(const struct disk_limits *d, struct buf *out)
{
	char text[UNITS_TEXT_MAX];

	buf_puts(out, out->len ? "\n" : "");
	disk_print_name(d->major, d->minor, out);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (d->values[i] == UNITS_NONE)
			continue;
		if (words[i].rate)
			buf_printf(out, " %s %s", words[i].name,
				   units_print_rate(d->values[i], text));
		else
			buf_printf(out, " %s %" PRIu64, words[i].name, d->values[i]);
	}
}

int disk_live_limits(const struct cg_tree *t, unsigned slot, struct buf *out)
{
	struct disk_list l = { .count = 0 };
	char text[FILE_TEXT_MAX];
	ssize_t n = 0;

	if (t->unified) {
		n = slot_read(t, slot, "io.max", text, sizeof(text));
		if (n >= 0)
			read_v2(text, &l);
	}
	for (size_t i = 0; !t->unified && n >= 0 && i < ARRAY_SIZE(words); i++) {
		n = slot_read(t, slot, words[i].v1, text, sizeof(text));
		if (n >= 0)
			read_v1(text, i, &l);
	}
	for (size_t i = 0; n >= 0 && i < l.count; i++)
		print_limits(&l.items[i], out);
	buf_puts(out, "");
	return n < 0 ? (int) n : 0;
}

int disk_live_shares(const struct cg_tree *t, unsigned slot, struct buf *out)
{
	static const char *const files[] = { "io.bfq.weight", "io.weight" };
	char text[FILE_TEXT_MAX];
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < (t->unified ? ARRAY_SIZE(files) : 1); i++) {
		const char *file = t->unified ? files[i] : "blkio.bfq.weight_device";

		if (slot_read(t, slot, file, text, sizeof(text)) < 0)
			continue;
		r = 0;
		for (const char *p = text; *p; p = next_line(p)) { /* "default 100" is no disk */
			unsigned major, minor, weight;

			if (sscanf(p, "%u:%u %u", &major, &minor, &weight) != 3)
				continue;
			buf_puts(out, out->len ? "\n" : "");
			disk_print_name(major, minor, out);
			buf_printf(out, " %u", weight);
		}
	}
	buf_puts(out, "");
	return r;
}
