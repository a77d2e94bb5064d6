/* Disks: their numbers, what schedules them, and the files that bound and share them out. v2 has
 * io.max and, by scheduler, io.bfq.weight (BFQ) and io.weight (iocost); v1 has blkio.throttle.* and
 * blkio.bfq.weight_device. A share counts only where something schedules the disk by shares, and
 * that is the host's choice for each disk: where it does not, a share is refused, not ignored. */
#include "sched/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

/* --- numbers --- */

/* Limits belong to disks: a partition's number is refused by the kernel. */
static void whole_disk(struct cg_device *d)
{
	char path[96], text[32];
	unsigned major, minor;

	(void) snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", d->major, d->minor);
	if (cg_read(AT_FDCWD, path, text, sizeof(text)) < 0)
		return;
	(void) snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", d->major, d->minor);
	if (cg_read(AT_FDCWD, path, text, sizeof(text)) > 0 &&
	    sscanf(text, "%u:%u", &major, &minor) == 2) {
		log_debug("partition %u:%u stands for its disk %u:%u", d->major, d->minor, major,
			  minor);
		d->major = major;
		d->minor = minor;
	}
}

int disk_resolve(const char *key, const char *value, char out[static SCHED_VALUE_MAX],
		 struct err *e)
{
	size_t len = strcspn(value, " ");
	char path[SCHED_VALUE_MAX];
	struct cg_device d;
	int r;

	if (value[0] != '/')
		return snprintf(out, SCHED_VALUE_MAX, "%s", value) < SCHED_VALUE_MAX ? 0 : -E2BIG;
	(void) snprintf(path, sizeof(path), "%.*s", (int) len, value);
	r = device_resolve(path, &d);
	if (r == 0 && d.type != 'b')
		r = -ENOTBLK;
	if (r < 0)
		return err_set_errno(e, r, "%s: device \"%s\"", key, path);
	whole_disk(&d);
	r = snprintf(out, SCHED_VALUE_MAX, "%u:%u%s", d.major, d.minor, value + len);
	return r < SCHED_VALUE_MAX ? 0 : err_set(e, -E2BIG, "%s: \"%s\" is too long", key, path);
}

int sched_disk_find(const char *key, const char *path, struct sched_disk *ret, struct err *e)
{
	struct sched_disk d = { 0 };
	char text[SCHED_VALUE_MAX];
	struct buf name = { 0 };
	int r = disk_resolve(key, path, text, e);

	if (r < 0)
		return r;
	if (sscanf(text, "%u:%u", &d.major, &d.minor) != 2)
		return err_set(e, -ENOTBLK, "%s: device \"%s\": is no disk", key, path);
	disk_print_name(d.major, d.minor, &name);
	(void) snprintf(d.name, sizeof(d.name), "%s", name.error ? path : name.data);
	buf_done(&name);
	*ret = d;
	return 0;
}

bool sched_same_disk(const char *a, const char *b)
{
	char x[SCHED_VALUE_MAX], y[SCHED_VALUE_MAX];

	return strcmp(a, b) == 0 || (disk_resolve("", a, x, NULL) == 0 &&
				     disk_resolve("", b, y, NULL) == 0 && strcmp(x, y) == 0);
}

/* --- limits --- */

static const struct {
	const char *v2, *v1;
} io_keys[] = {
	{ "rbps", "blkio.throttle.read_bps_device" },
	{ "wbps", "blkio.throttle.write_bps_device" },
	{ "riops", "blkio.throttle.read_iops_device" },
	{ "wiops", "blkio.throttle.write_iops_device" },
};

/* "254:0 rbps=1 wbps=max": the number 0 lifts a v1 limit. */
int disk_write_max_v1(const struct cg_tree *t, unsigned slot, const char *value)
{
	size_t device = strcspn(value, " ");
	char text[SCHED_VALUE_MAX], key[64];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(io_keys); i++) {
		const char *v;

		(void) snprintf(key, sizeof(key), " %s=", io_keys[i].v2);
		v = strstr(value, key);
		if (v == NULL)
			continue;
		v += strlen(key);
		(void) snprintf(text, sizeof(text), "%.*s %.*s", (int) device, value,
				(int) (strncmp(v, "max", 3) == 0 ? 1 : strcspn(v, " ")),
				strncmp(v, "max", 3) == 0 ? "0" : v);
		r = slot_write(t, slot, io_keys[i].v1, text);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- shares --- */

bool disk_is_default(const char *value)
{
	const char *space = strchr(value, ' ');

	return space != NULL && strcmp(space, " default") == 0;
}

/* To BFQ "default" means the weight it has (bfq_io_set_device_weight()): 100 must be said. */
static int write_bfq(const struct cg_tree *t, unsigned slot, const char *file, const char *value)
{
	char text[64];

	if (!disk_is_default(value))
		return slot_write(t, slot, file, value);
	(void) snprintf(text, sizeof(text), "%.*s %d", (int) strcspn(value, " "), value,
			SPEC_IO_SHARE);
	return slot_write(t, slot, file, text);
}

int disk_write_weight_v1(const struct cg_tree *t, unsigned slot, const char *value)
{
	int r = write_bfq(t, slot, "blkio.bfq.weight_device", value);

	/* A disk that BFQ does not schedule any more has forgotten it. */
	return r == -EOPNOTSUPP && disk_is_default(value) ? 0 : r;
}

int disk_write_weight_v2(const struct cg_tree *t, unsigned slot, const char *value)
{
	int bfq = write_bfq(t, slot, "io.bfq.weight", value);
	int cost = slot_write(t, slot, "io.weight", value);

	if (bfq == 0 || cost == 0 || disk_is_default(value))
		return 0;
	return bfq == -ENOENT ? cost : bfq;
}

/* The word in brackets of "none mq-deadline [bfq]". */
static void read_scheduler(const char *device, char out[static 32])
{
	char path[96], text[256];
	const char *open, *close;

	(void) snprintf(out, 32, "no scheduler");
	(void) snprintf(path, sizeof(path), "/sys/dev/block/%.*s/queue/scheduler",
			(int) strcspn(device, " "), device);
	if (cg_read(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return;
	open = strchr(text, '[');
	close = open != NULL ? strchr(open, ']') : NULL;
	if (close != NULL && strncmp(open, "[none]", 6) != 0)
		(void) snprintf(out, 32, "%.*s", (int) (close - open - 1), open + 1);
}

/* "254:0 enable=1 ctrl=auto ...", a line for each disk that has it, in the root alone. */
static bool iocost_runs(const char *device)
{
	char mount[CG_PATH_MAX], path[CG_PATH_MAX + 32], text[4096], line[64];
	bool v1;

	if (sched_where("io", mount, sizeof(mount), &v1) < 0 || v1)
		return false;
	(void) snprintf(path, sizeof(path), "%s/io.cost.qos", mount);
	if (cg_read(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return false;
	(void) snprintf(line, sizeof(line), "%.*s enable=1", (int) strcspn(device, " "), device);
	return strstr(text, line) != NULL;
}

int disk_has_shares(const char *key, const char *device, struct err *e)
{
	int len = (int) strcspn(device, " ");
	char scheduler[32];

	read_scheduler(device, scheduler);
	if (strcmp(scheduler, "bfq") == 0 || iocost_runs(device))
		return 0;
	return err_set(e, -EOPNOTSUPP,
		       "%s: disk %.*s is scheduled by %s, which knows no shares; "
		       "`echo bfq >/sys/dev/block/%.*s/queue/scheduler` gives it one that does",
		       key, len, device, scheduler, len, device);
}

bool disk_has_bfq(const struct sched_disk *disk)
{
	char device[32], scheduler[32];

	(void) snprintf(device, sizeof(device), "%u:%u", disk->major, disk->minor);
	read_scheduler(device, scheduler);
	return strcmp(scheduler, "bfq") == 0;
}

int sched_disk_weighs(const char *key, const struct sched_disk *disk, struct err *e)
{
	char device[32];

	(void) snprintf(device, sizeof(device), "%u:%u", disk->major, disk->minor);
	return disk_has_shares(key, device, e);
}

/* BFQ may be any disk's scheduler, so whether it is there can be seen on any. */
static bool bfq_is_there(void)
{
	char path[300], text[256];
	DIR *d = opendir("/sys/block");
	bool there = false;

	for (struct dirent *x; d != NULL && !there && (x = readdir(d)) != NULL;) {
		(void) snprintf(path, sizeof(path), "/sys/block/%s/queue/scheduler", x->d_name);
		there = cg_read(AT_FDCWD, path, text, sizeof(text)) > 0 &&
			strstr(text, "bfq") != NULL;
	}
	if (d != NULL)
		(void) closedir(d);
	return there;
}

bool disk_shares_possible(const char *mount, bool unified)
{
	char path[CG_PATH_MAX + 64];

	(void) snprintf(path, sizeof(path), "%s/%s", mount,
			unified ? "io.cost.qos" : "blkio.bfq.io_service_bytes");
	if (!unified)
		return access(path, F_OK) == 0 && bfq_is_there();
	return access(path, F_OK) == 0 || bfq_is_there();
}
