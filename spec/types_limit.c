/* Types of what bounds and permits: resource limits, device rates, capabilities. Their names are
 * the kernel's, in the spelling of the manual. */
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "spec/row.h"
#include "spec/words.h"

/* --- rlimit: NAME SOFT[:HARD] --- */

static const char *const rlimit_names[RLIM_NLIMITS] = {
	[RLIMIT_AS] = "as",
	[RLIMIT_CORE] = "core",
	[RLIMIT_CPU] = "cpu",
	[RLIMIT_DATA] = "data",
	[RLIMIT_FSIZE] = "fsize",
	[RLIMIT_LOCKS] = "locks",
	[RLIMIT_MEMLOCK] = "memlock",
	[RLIMIT_MSGQUEUE] = "msgqueue",
	[RLIMIT_NICE] = "nice",
	[RLIMIT_NOFILE] = "nofile",
	[RLIMIT_NPROC] = "nproc",
	[RLIMIT_RSS] = "rss",
	[RLIMIT_RTPRIO] = "rtprio",
	[RLIMIT_RTTIME] = "rttime",
	[RLIMIT_SIGPENDING] = "sigpending",
	[RLIMIT_STACK] = "stack",
};
static_assert(RLIM_NLIMITS == 16, "a new resource needs a name");

const char *spec_rlimit_name(int resource)
{
	return resource >= 0 && resource < RLIM_NLIMITS ? rlimit_names[resource] : NULL;
}

static int find_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (str_equal(names[i], name))
			return (int) i;
	}
	return -1;
}

static int rlimit_fill(const struct row *row, const char *text, const struct strv *w,
		       struct spec_rlimit *l, struct err *e)
{
	if (w->count != 2)
		return row_wrong(row, e, text, "is not a name and a value");
	l->resource = find_name(rlimit_names, RLIM_NLIMITS, w->items[0]);
	if (l->resource < 0)
		return row_unknown(row, e, w->items[0], rlimit_names, RLIM_NLIMITS);

	char *colon = strchr(w->items[1], ':');
	if (colon)
		*colon = '\0';
	if (units_parse_bytes(w->items[1], &l->soft) < 0)
		return row_wrong(row, e, text, "has no number, size or max as its value");
	l->hard = l->soft;
	if (colon && units_parse_bytes(colon + 1, &l->hard) < 0)
		return row_wrong(row, e, text, "has no number, size or max as its hard value");
	if (l->soft > l->hard)
		return row_wrong(row, e, text, "has a soft value above the hard one");
	return 0;
}

static int rlimit_parse(const struct row *row, const char *text, void *item, struct err *e)
{
	struct strv words = { 0 };
	int r = words_split(text, &words, e);

	if (r == 0)
		r = rlimit_fill(row, text, &words, item, e);
	strv_done(&words);
	return r;
}

static void rlimit_print(const void *item, struct buf *out)
{
	const struct spec_rlimit *l = item;
	char text[UNITS_TEXT_MAX];
	bool sizes = l->resource == RLIMIT_AS || l->resource == RLIMIT_CORE ||
		     l->resource == RLIMIT_DATA || l->resource == RLIMIT_FSIZE ||
		     l->resource == RLIMIT_MEMLOCK || l->resource == RLIMIT_MSGQUEUE ||
		     l->resource == RLIMIT_RSS || l->resource == RLIMIT_STACK;

	buf_puts(out, rlimit_names[l->resource]);
	for (int i = 0; i < (l->soft == l->hard ? 1 : 2); i++) {
		uint64_t v = i ? l->hard : l->soft;

		buf_puts(out, i ? ":" : " ");
		if (sizes || v == UNITS_NONE)
			buf_puts(out, units_print_bytes(v, text));
		else
			buf_printf(out, "%llu", (unsigned long long) v);
	}
}

static bool rlimit_equal(const void *x, const void *y)
{
	const struct spec_rlimit *a = x, *b = y;

	return a->resource == b->resource && a->soft == b->soft && a->hard == b->hard;
}

static int rlimit_copy(void *to, const void *from)
{
	*(struct spec_rlimit *) to = *(const struct spec_rlimit *) from;
	return 0;
}

static void rlimit_done(void *item)
{
	(void) item;
}

static const struct row_element rlimit_element = {
	.size = sizeof(struct spec_rlimit),
	.parse = rlimit_parse,
	.print = rlimit_print,
	.equal = rlimit_equal,
	.copy = rlimit_copy,
	.done = rlimit_done,
};
const struct row_type row_rlimit = ROW_LIST_TYPE("rlimit", rlimit_element);

/* --- io limit: DEVICE {read RATE|write RATE|read-ops N|write-ops N}... --- */

#define IO_OPS_MAX UINT32_MAX

static const struct io_word {
	const char *name;
	size_t at;
	bool ops;
} io_words[] = {
	{ "read", offsetof(struct spec_io_limit, read_bps), false },
	{ "write", offsetof(struct spec_io_limit, write_bps), false },
	{ "read-ops", offsetof(struct spec_io_limit, read_iops), true },
	{ "write-ops", offsetof(struct spec_io_limit, write_iops), true },
};

static uint64_t *io_value(const struct spec_io_limit *l, const struct io_word *w)
{
	return (uint64_t *) ((char *) (uintptr_t) l + w->at);
}

static int io_pair(const struct row *row, const char *name, const char *value,
		   struct spec_io_limit *l, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(io_words); i++) {
		uint64_t *v = io_value(l, &io_words[i]);
		int r;

		if (!str_equal(io_words[i].name, name))
			continue;
		if (*v != UNITS_NONE)
			return row_wrong(row, e, name, "is given twice");
		if (io_words[i].ops)
			r = units_parse_u64(value, 1, IO_OPS_MAX - 1, v);
		else
			r = units_parse_rate(value, v);
		if (r < 0 || *v == 0 || *v == UNITS_NONE)
			return row_wrong(row, e, value,
					 io_words[i].ops ? "is no number of operations a second"
							 : "is no rate");
		return 0;
	}
	return row_wrong(row, e, name, "is not read, write, read-ops or write-ops");
}

static int io_fill(const struct row *row, const char *text, const struct strv *w,
		   struct spec_io_limit *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(io_words); i++)
		*io_value(l, &io_words[i]) = UNITS_NONE;
	if (w->count == 0 || row->check(w->items[0]))
		return row_wrong(row, e, w->count ? w->items[0] : text, "is not a path below /dev");
	if (w->count < 3)
		return row_wrong(row, e, text, "sets no limit");
	if (w->count % 2 == 0)
		return row_wrong(row, e, text, "ends without a value");
	for (size_t i = 1; r == 0 && i < w->count; i += 2)
		r = io_pair(row, w->items[i], w->items[i + 1], l, e);
	if (r == 0 && str_replace(&l->device, w->items[0]) < 0)
		r = err_set(e, -ENOMEM, "out of memory");
	return r;
}

static int io_parse(const struct row *row, const char *text, void *item, struct err *e)
{
	struct strv words = { 0 };
	int r = words_split(text, &words, e);

	if (r == 0)
		r = io_fill(row, text, &words, item, e);
	strv_done(&words);
	return r;
}

static void io_print(const void *item, struct buf *out)
{
	const struct spec_io_limit *l = item;
	char text[UNITS_TEXT_MAX];

	word_print(l->device, false, out);
	for (size_t i = 0; i < ARRAY_SIZE(io_words); i++) {
		uint64_t v = *io_value(l, &io_words[i]);

		if (v == UNITS_NONE)
			continue;
		buf_printf(out, " %s ", io_words[i].name);
		if (io_words[i].ops)
			buf_printf(out, "%llu", (unsigned long long) v);
		else
			buf_puts(out, units_print_rate(v, text));
	}
}

static bool io_equal(const void *x, const void *y)
{
	const struct spec_io_limit *a = x, *b = y;

	return str_equal(a->device, b->device) && a->read_bps == b->read_bps &&
	       a->write_bps == b->write_bps && a->read_iops == b->read_iops &&
	       a->write_iops == b->write_iops;
}

static int io_copy(void *to, const void *from)
{
	const struct spec_io_limit *l = from;
	struct spec_io_limit *copy = to;

	*copy = *l;
	copy->device = NULL;
	return str_replace(&copy->device, l->device);
}

static void io_done(void *item)
{
	free(((struct spec_io_limit *) item)->device);
}

static const struct row_element io_element = {
	.size = sizeof(struct spec_io_limit),
	.parse = io_parse,
	.print = io_print,
	.equal = io_equal,
	.copy = io_copy,
	.done = io_done,
};
const struct row_type row_io_limit = ROW_LIST_TYPE("device limit", io_element);

/* --- capabilities: words that build a mask --- */

static const char *const capability_names[CAP_LAST_CAP + 1] = {
	[CAP_CHOWN] = "chown",
	[CAP_DAC_OVERRIDE] = "dac-override",
	[CAP_DAC_READ_SEARCH] = "dac-read-search",
	[CAP_FOWNER] = "fowner",
	[CAP_FSETID] = "fsetid",
	[CAP_KILL] = "kill",
	[CAP_SETGID] = "setgid",
	[CAP_SETUID] = "setuid",
	[CAP_SETPCAP] = "setpcap",
	[CAP_LINUX_IMMUTABLE] = "linux-immutable",
	[CAP_NET_BIND_SERVICE] = "net-bind-service",
	[CAP_NET_BROADCAST] = "net-broadcast",
	[CAP_NET_ADMIN] = "net-admin",
	[CAP_NET_RAW] = "net-raw",
	[CAP_IPC_LOCK] = "ipc-lock",
	[CAP_IPC_OWNER] = "ipc-owner",
	[CAP_SYS_MODULE] = "sys-module",
	[CAP_SYS_RAWIO] = "sys-rawio",
	[CAP_SYS_CHROOT] = "sys-chroot",
	[CAP_SYS_PTRACE] = "sys-ptrace",
	[CAP_SYS_PACCT] = "sys-pacct",
	[CAP_SYS_ADMIN] = "sys-admin",
	[CAP_SYS_BOOT] = "sys-boot",
	[CAP_SYS_NICE] = "sys-nice",
	[CAP_SYS_RESOURCE] = "sys-resource",
	[CAP_SYS_TIME] = "sys-time",
	[CAP_SYS_TTY_CONFIG] = "sys-tty-config",
	[CAP_MKNOD] = "mknod",
	[CAP_LEASE] = "lease",
	[CAP_AUDIT_WRITE] = "audit-write",
	[CAP_AUDIT_CONTROL] = "audit-control",
	[CAP_SETFCAP] = "setfcap",
	[CAP_MAC_OVERRIDE] = "mac-override",
	[CAP_MAC_ADMIN] = "mac-admin",
	[CAP_SYSLOG] = "syslog",
	[CAP_WAKE_ALARM] = "wake-alarm",
	[CAP_BLOCK_SUSPEND] = "block-suspend",
	[CAP_AUDIT_READ] = "audit-read",
	[CAP_PERFMON] = "perfmon",
	[CAP_BPF] = "bpf",
	[CAP_CHECKPOINT_RESTORE] = "checkpoint-restore",
};

#define BIT(cap) (UINT64_C(1) << (cap))
#define CAPABILITY_ALL ((BIT(CAP_LAST_CAP) << 1) - 1)
/* What services and package managers need to handle their own files, users and ports. Nothing
 * that reaches the kernel, and not audit-write, which only an initial user namespace honours. */
#define CAPABILITY_DEFAULT                                                                         \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |              \
	 BIT(CAP_KILL) | BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) |                    \
	 BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SYS_CHROOT) | BIT(CAP_SETFCAP))

static const struct {
	const char *name;
	uint64_t mask;
} capability_sets[] = { { "default", CAPABILITY_DEFAULT },
			{ "all", CAPABILITY_ALL },
			{ "none", 0 } };

/* One word: NAME, +NAME, -NAME or, as the first, a set. */
static int capability_word(const struct row *row, const char *word, bool first, uint64_t *mask,
			   struct err *e)
{
	bool sign = *word == '+' || *word == '-';

	for (size_t i = 0; first && i < ARRAY_SIZE(capability_sets); i++) {
		if (str_equal(capability_sets[i].name, word)) {
			*mask = capability_sets[i].mask;
			return 0;
		}
	}
	if (first && sign)
		*mask = CAPABILITY_DEFAULT;

	int cap = find_name(capability_names, ARRAY_SIZE(capability_names), word + sign);
	if (cap < 0)
		return row_unknown(row, e, word + sign, capability_names,
				   ARRAY_SIZE(capability_names));
	if (*word == '-')
		*mask &= ~BIT(cap);
	else
		*mask |= BIT(cap);
	return 0;
}

static int capability_parse(const struct row *row, struct spec *s, const char *text, struct err *e)
{
	_cleanup_free_ char *spaced = strdup(text);
	struct strv words = { 0 };
	uint64_t mask = 0;
	int r;

	if (!spaced)
		return err_set(e, -ENOMEM, "out of memory");
	for (char *p = spaced; (p = strchr(p, ',')); p++)
		*p = ' ';
	r = words_split(spaced, &words, e);
	if (r == 0 && words.count == 0)
		r = row_wrong(row, e, text, "names none");
	for (size_t i = 0; r == 0 && i < words.count; i++)
		r = capability_word(row, words.items[i], i == 0, &mask, e);
	strv_done(&words);
	if (r == 0)
		*(uint64_t *) row_field(row, s, 0) = mask;
	return r;
}

static void capability_print(const struct row *row, const struct spec *s, size_t i, struct buf *out)
{
	uint64_t mask = *(uint64_t *) row_field(row, s, 0);
	const char *separator = "";

	for (i = 0; i < ARRAY_SIZE(capability_sets); i++) {
		if (capability_sets[i].mask == mask) {
			buf_puts(out, capability_sets[i].name);
			return;
		}
	}
	for (i = 0; i < ARRAY_SIZE(capability_names); i++) {
		if (mask & BIT(i)) {
			buf_printf(out, "%s%s", separator, capability_names[i]);
			separator = " ";
		}
	}
}

const struct row_type row_capability = {
	.name = "capabilities",
	.shape = ROW_SHAPE_TEXT,
	.width = { sizeof(uint64_t) },
	.parse = capability_parse,
	.count = row_one,
	.print = capability_print,
	.equal = row_plain_equal,
	.copy = row_plain_copy,
	.clear = row_plain_clear,
};
