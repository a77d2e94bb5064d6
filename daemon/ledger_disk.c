/* The ledger of promises, disks: reserves of each are one sum, in thousandths of what it does. Who
 * reserves what of a disk is asked of the specs each time; a disk that is not there is nobody's. */
#include "daemon/ledger_parts.h"

#include <errno.h>
#include <string.h>

#define PERMILLE 1000

static bool same_disk(const struct sched_disk *a, const struct sched_disk *b)
{
	return a->major == b->major && a->minor == b->minor;
}

static bool is_disk(const struct ledger *l, const char *path, const struct sched_disk *disk)
{
	struct sched_disk d;

	return l->host.disk("", path, &d, NULL) >= 0 && same_disk(&d, disk);
}

static uint64_t reserve_of(const struct ledger *l, const struct spec *s,
			   const struct sched_disk *disk)
{
	uint64_t sum = 0;

	for (size_t i = 0; s && i < s->io.reserve_count; i++) {
		if (is_disk(l, s->io.reserves[i].device, disk)) {
			sum += s->io.reserves[i].amount;
		}
	}
	return sum;
}

static uint64_t share_of(const struct ledger *l, const struct spec *s,
			 const struct sched_disk *disk)
{
	for (size_t i = 0; i < s->io.share_count; i++) {
		if (is_disk(l, s->io.shares[i].device, disk)) {
			return s->io.shares[i].amount;
		}
	}
	return SPEC_IO_SHARE;
}

static uint64_t host_part(const struct ledger *l)
{
	return l->host.io_keep_ppm / PERMILLE;
}

static uint64_t left_of(const struct ledger *l, const struct sched_disk *disk)
{
	uint64_t left = PERMILLE - host_part(l);

	for (size_t i = 0; i < l->count; i++) {
		uint64_t held = reserve_of(l, l->entries[i].spec, disk);

		left -= held < left ? held : left;
	}
	return left;
}

static int refuse_disk(const struct ledger *l, const struct spec *spec,
		       const struct sched_disk *disk, uint64_t asked, struct err *e)
{
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX];
	struct holders h = {};
	struct buf text = {};

	for (size_t i = 0; i < l->count; i++) {
		const struct spec *s = l->entries[i].spec;

		if (holders_may_name(spec, s)) {
			holders_add(&h, l->entries[i].name, reserve_of(l, s, disk));
		} else {
			h.others += reserve_of(l, s, disk);
		}
	}
	buf_printf(&text, "io.reserve: %s asked, %s free of %s", units_print_cpu(asked, a),
		   units_print_cpu(left_of(l, disk), b), disk->name);
	holders_print(&h, units_print_cpu, host_part(l), &text);
	return ledger_refuse(e, &text);
}

int ledger_admit_disks(struct ledger *l, const struct spec *spec, const struct spec *has,
		       struct err *e)
{
	for (size_t i = 0; i < spec->io.reserve_count; i++) {
		const struct spec_io_part *x = &spec->io.reserves[i];
		struct sched_disk disk;
		uint64_t asked;
		int r = l->host.disk("io.reserve", x->device, &disk, e);

		if (r < 0) {
			return r;
		}
		asked = reserve_of(l, spec, &disk);
		if (asked != x->amount) {
			return err_set(e, -EINVAL,
				       "io.reserve: \"%s\": its disk, %s, is reserved "
				       "twice",
				       x->device, disk.name);
		}
		if (asked > reserve_of(l, has, &disk) && asked > left_of(l, &disk)) {
			return refuse_disk(l, spec, &disk, asked, e);
		}
	}
	return 0;
}

/* --- the whole of it --- */

static int add_disk(struct sched_disk **disks, size_t *count, const struct sched_disk *disk)
{
	struct sched_disk *more;

	for (size_t i = 0; i < *count; i++) {
		if (same_disk(&(*disks)[i], disk)) {
			return 0;
		}
	}
	more = reallocarray(*disks, *count + 1, sizeof(*more));
	if (!more) {
		return -ENOMEM;
	}
	*disks = more;
	more[(*count)++] = *disk;
	return 0;
}

static int add_named(const struct ledger *l, const char *path, struct sched_disk **disks,
		     size_t *count)
{
	struct sched_disk disk;

	return l->host.disk("", path, &disk, NULL) < 0 ? 0 : add_disk(disks, count, &disk);
}

/* The disks that a spec names, added to a list. */
static int add_disks_of(const struct ledger *l, const struct spec *s, struct sched_disk **disks,
			size_t *count)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->io.reserve_count; i++) {
		r = add_named(l, s->io.reserves[i].device, disks, count);
	}
	for (size_t i = 0; r >= 0 && i < s->io.share_count; i++) {
		r = add_named(l, s->io.shares[i].device, disks, count);
	}
	return r;
}

static json_t *disk_json(const struct ledger *l, const struct sched_disk *disk)
{
	uint64_t reserved = 0, shares = 0;
	size_t holders = 0;

	for (size_t i = 0; i < l->count; i++) {
		uint64_t held = reserve_of(l, l->entries[i].spec, disk);

		reserved += held;
		holders += held > 0;
		shares += share_of(l, l->entries[i].spec, disk);
	}
	return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "device", disk->name,
			 "capacity_permille", PERMILLE, "host_permille", (json_int_t) host_part(l),
			 "reserved_permille", (json_int_t) reserved, "free_permille",
			 (json_int_t) left_of(l, disk), "shares", (json_int_t) shares, "holders",
			 (json_int_t) holders);
}

json_t *ledger_disks_json(const struct ledger *l)
{
	_cleanup_free_ struct sched_disk *disks = NULL;
	json_t *list = json_array();
	size_t count = 0;
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < l->count; i++) {
		r = add_disks_of(l, l->entries[i].spec, &disks, &count);
	}
	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = json_array_append_new(list, disk_json(l, &disks[i])) < 0 ? -ENOMEM : 0;
	}
	if (r < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *ledger_entry_disks_json(const struct ledger *l, const struct entry *x)
{
	_cleanup_free_ struct sched_disk *disks = NULL;
	json_t *list = json_array();
	size_t count = 0;
	int r = list ? add_disks_of(l, x->spec, &disks, &count) : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < count; i++) {
		json_t *o =
			json_pack("{s:s, s:I, s:I}", "device", disks[i].name, "reserve_permille",
				  (json_int_t) reserve_of(l, x->spec, &disks[i]), "share",
				  (json_int_t) share_of(l, x->spec, &disks[i]));

		r = json_array_append_new(list, o) < 0 ? -ENOMEM : 0;
	}
	if (r < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}
