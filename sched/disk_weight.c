/* The weight of a cgroup on a disk. BFQ's file is blkio.bfq.weight_device on v1, io.bfq.weight on
 * v2; iocost's is io.weight. Each has a line "MAJ:MIN WEIGHT" for every disk that was given one.
 *
 * Beside "ward" the host's processes count for themselves where they are in the root: to BFQ a
 * process of the usual priority weighs 40, to iocost nothing, it is not held back. How many will be
 * awake nobody knows. One of them gets the host's reserve; with more of them contexts have less in
 * proportion, since the kernel's range ends at 1000 and BFQ knows no quota. */
#include "sched/disk_weight.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "sched/allot.h"
#include "sched/disk.h"
#include "sched/instances.h"

#define BFQ_MAX 1000
#define COST_MAX 10000
#define BFQ_PROCESS 40 /* (8 levels - best effort 4) times 10 */
#define HOST_GROUPS 2 /* v2: what systemd has at the top beside us: system and user */
#define FILE_TEXT_MAX 4096

struct disk_scale disk_scale_of(const struct cg_tree *t, const struct sched_disk *disk)
{
	if (!t->unified)
		return (struct disk_scale){ "blkio.bfq.weight_device", BFQ_MAX };
	if (disk_has_bfq(disk))
		return (struct disk_scale){ "io.bfq.weight", BFQ_MAX };
	return (struct disk_scale){ "io.weight", COST_MAX };
}

static const char *next_line(const char *p)
{
	p += strcspn(p, "\n");
	return *p != '\0' ? p + 1 : p;
}

static uint32_t find_weight(const char *text, const struct sched_disk *disk)
{
	for (const char *p = text; *p != '\0'; p = next_line(p)) {
		unsigned major, minor, weight;

		if (sscanf(p, "%u:%u %u", &major, &minor, &weight) == 3 && major == disk->major &&
		    minor == disk->minor)
			return weight;
	}
	return 0;
}

static uint32_t read_weight(int dir, const char *path, const struct sched_disk *disk)
{
	char text[FILE_TEXT_MAX];

	return cg_read(dir, path, text, sizeof(text)) > 0 ? find_weight(text, disk) : 0;
}

static void print_weight(const struct sched_disk *disk, uint32_t weight, char out[static 64])
{
	(void) snprintf(out, 64, "%u:%u %u\n", disk->major, disk->minor, weight);
}

int disk_weight_write(const struct cg_tree *t, unsigned slot, const struct sched_disk *disk,
		      uint32_t weight)
{
	char text[64];

	print_weight(disk, weight, text);
	return slot_write(t, slot, disk_scale_of(t, disk).file, text);
}

/* --- the group of all contexts --- */

void disk_top_each(const struct sched_host *h,
		   void (*each)(void *arg, const struct sched_disk *disk), void *arg)
{
	static const char *const files[] = { "blkio.bfq.weight_device", "io.bfq.weight",
					     "io.weight" };
	const struct cg_tree *t = host_tree(h, CG_IO);
	char text[FILE_TEXT_MAX];

	for (size_t i = 0; t != NULL && i < ARRAY_SIZE(files); i++) {
		if (cg_read(t->fd, files[i], text, sizeof(text)) <= 0)
			continue;
		for (const char *p = text; *p != '\0'; p = next_line(p)) {
			struct sched_disk disk = { 0 };
			unsigned weight;

			if (sscanf(p, "%u:%u %u", &disk.major, &disk.minor, &weight) == 3 &&
			    weight != DISK_WEIGHT_DEFAULT)
				each(arg, &disk);
		}
	}
}

uint32_t disk_top_read(const struct sched_host *h, const struct sched_disk *disk)
{
	const struct cg_tree *t = host_tree(h, CG_IO);

	return read_weight(t->fd, disk_scale_of(t, disk).file, disk);
}

static uint32_t host_weight(const struct cg_tree *t)
{
	return t->unified ? HOST_GROUPS * DISK_WEIGHT_DEFAULT : BFQ_PROCESS;
}

uint32_t disk_top_due(const struct sched_host *h, const struct sched_disk *disk, uint32_t host_ppm)
{
	const struct cg_tree *t = host_tree(h, CG_IO);
	uint32_t w = allot_weight_beside(1000000 - host_ppm, host_ppm, host_weight(t), 1,
					 disk_scale_of(t, disk).max);

	/* By the default a new daemon would take it that nothing is promised there. */
	return w == DISK_WEIGHT_DEFAULT ? w + 1 : w;
}

static uint32_t read_other(int ward, const char *path, const void *disk)
{
	return read_weight(ward, path, disk);
}

static void write_top(int dir, const char *path, const struct sched_disk *disk, uint32_t weight)
{
	char text[64];
	int r;

	print_weight(disk, weight, text);
	r = file_write_at(dir, path, text);
	if (r < 0)
		log_debug("setting %s of all contexts to %u: %s", path, weight, strerror(-r));
}

void disk_top_write(const struct sched_host *h, const struct sched_disk *disk, uint32_t weight)
{
	const struct cg_tree *t = host_tree(h, CG_IO);
	const struct cg_tree *core = host_tree(h, CG_CORE);
	const char *file = disk_scale_of(t, disk).file;
	char path[64];

	write_top(t->fd, file, disk, weight);
	if (h->below[0] != '\0')
		return;
	(void) snprintf(path, sizeof(path), "ward/%s", file);
	weight = instances_greatest(t->top, core != NULL ? core->top : -1, h->instance, weight,
				    file, read_other, disk);
	write_top(t->top, path, disk, weight);
}
