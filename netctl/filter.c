/* One table of hooks: what is attached where. Everything walks it. */
#include "netctl/filter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "netctl/ward_filter.skel.h"
#include "netctl/wildcard.h"

#define ATTACHED_MAX 64 /* programs at one hook, others' included */

enum where {
	CGROUP, /* of all contexts */
	CGROUP_WIDE, /* the same, as soon as one has several addresses */
	NAMESPACE /* likewise, and the network namespace: wildcard.c */
};
static const struct hook {
	const char *name, *program;
	enum bpf_attach_type at;
	enum bpf_prog_type type;
	enum where where;
} hooks[] = {
#define ADDRESS BPF_PROG_TYPE_CGROUP_SOCK_ADDR
	{ "bind4", "ward_bind4", BPF_CGROUP_INET4_BIND, ADDRESS, CGROUP },
	{ "bind6", "ward_bind6", BPF_CGROUP_INET6_BIND, ADDRESS, CGROUP },
	{ "connect4", "ward_connect4", BPF_CGROUP_INET4_CONNECT, ADDRESS, CGROUP },
	{ "connect6", "ward_connect6", BPF_CGROUP_INET6_CONNECT, ADDRESS, CGROUP },
	{ "sendmsg4", "ward_sendmsg4", BPF_CGROUP_UDP4_SENDMSG, ADDRESS, CGROUP },
	{ "sendmsg6", "ward_sendmsg6", BPF_CGROUP_UDP6_SENDMSG, ADDRESS, CGROUP },
	{ "recvmsg4", "ward_recvmsg4", BPF_CGROUP_UDP4_RECVMSG, ADDRESS, CGROUP },
	{ "recvmsg6", "ward_recvmsg6", BPF_CGROUP_UDP6_RECVMSG, ADDRESS, CGROUP },
	{ "getsockname4", "ward_sockname4", BPF_CGROUP_INET4_GETSOCKNAME, ADDRESS, CGROUP },
	{ "getsockname6", "ward_sockname6", BPF_CGROUP_INET6_GETSOCKNAME, ADDRESS, CGROUP },
	{ "getpeername4", "ward_peername4", BPF_CGROUP_INET4_GETPEERNAME, ADDRESS, CGROUP },
	{ "getpeername6", "ward_peername6", BPF_CGROUP_INET6_GETPEERNAME, ADDRESS, CGROUP },
	{ "sock_create", "ward_create", BPF_CGROUP_INET_SOCK_CREATE, BPF_PROG_TYPE_CGROUP_SOCK,
	  CGROUP },
	{ "setsockopt", "ward_setsockopt", BPF_CGROUP_SETSOCKOPT, BPF_PROG_TYPE_CGROUP_SOCKOPT,
	  CGROUP },
	{ "egress", "ward_egress", BPF_CGROUP_INET_EGRESS, BPF_PROG_TYPE_CGROUP_SKB, CGROUP },
	{ "ingress", "ward_ingress", BPF_CGROUP_INET_INGRESS, BPF_PROG_TYPE_CGROUP_SKB, CGROUP },
	{ "sock_ops", "ward_listen", BPF_CGROUP_SOCK_OPS, BPF_PROG_TYPE_SOCK_OPS, CGROUP_WIDE },
	{ "sk_lookup", "ward_lookup", BPF_SK_LOOKUP, BPF_PROG_TYPE_SK_LOOKUP, NAMESPACE },
#undef ADDRESS
};
_Static_assert(ARRAY_SIZE(hooks) == FILTER_HOOKS_MAX, "the door names their number");

static int say(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[512];

	if (level > LIBBPF_WARN)
		return 0;
	(void) vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

/* --- what is attached already --- */

struct attached {
	int program; /* -1: none of ours */
	struct bpf_prog_info info;
	uint32_t maps[8];
};

static bool is_called(const struct attached *a, const char *name)
{
	return strncmp(a->info.name, name, sizeof(a->info.name) - 1) == 0;
}

/* Opens the one of our name; others may have attached something there as well. */
static struct attached find_attached(int cgroup, const struct hook *h)
{
	uint32_t ids[ATTACHED_MAX], count = ARRAY_SIZE(ids), size;
	struct attached a = { .program = -1 };

	if (h->where == NAMESPACE)
		return a;
	if (bpf_prog_query(cgroup, h->at, 0, NULL, ids, &count) < 0)
		return a;
	for (uint32_t i = 0; i < count; i++) {
		a.program = bpf_prog_get_fd_by_id(ids[i]);
		memset(&a.info, 0, sizeof(a.info));
		a.info.nr_map_ids = ARRAY_SIZE(a.maps);
		a.info.map_ids = (uintptr_t) a.maps;
		size = sizeof(a.info);
		if (a.program >= 0 && bpf_obj_get_info_by_fd(a.program, &a.info, &size) == 0 &&
		    is_called(&a, h->program))
			return a;
		a.program = fd_close(a.program < 0 ? -1 : a.program);
	}
	return a;
}

bool filter_is_attached(int cgroup)
{
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct attached a = find_attached(cgroup, &hooks[i]);

		if (a.program >= 0) {
			(void) fd_close(a.program);
			return true;
		}
	}
	return false;
}

/* @return the map of this name among those of a program, if it has our shape; or -1. */
static int find_map(const struct attached *a, const struct bpf_map *ours)
{
	for (uint32_t i = 0; i < a->info.nr_map_ids && i < ARRAY_SIZE(a->maps); i++) {
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(a->maps[i]);
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
		    strcmp(info.name, bpf_map__name(ours)) == 0 &&
		    info.key_size == bpf_map__key_size(ours) &&
		    info.value_size == bpf_map__value_size(ours))
			return TAKE_FD(fd);
	}
	return -1;
}

/* What an earlier daemon's programs have in their map is not to be lost. */
static int reuse_map(struct filter *f, struct bpf_map *ours)
{
	_cleanup_close_ int map = -1;

	for (size_t i = 0; i < ARRAY_SIZE(hooks) && map < 0; i++) {
		struct attached a = find_attached(f->cgroup, &hooks[i]);

		if (a.program >= 0)
			map = find_map(&a, ours);
		(void) fd_close(a.program);
	}
	return map < 0 ? 0 : bpf_map__reuse_fd(ours, map);
}

/* --- loading, attaching --- */

static void leave_out_all_but_counting(struct bpf_object *o)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, o) if (bpf_program__type(p) != BPF_PROG_TYPE_CGROUP_SKB)(
		void) bpf_program__set_autoload(p, false);
}

int filter_load(struct filter *f, int cgroup, unsigned level, bool only_counting, struct err *e)
{
	int r;

	(void) libbpf_set_print(say);
	*f = (struct filter){ .programs = ward_filter__open(),
			      .cgroup = cgroup,
			      .link = -1,
			      .only_counts = only_counting };
	if (!f->programs)
		return err_set_errno(e, -errno, "opening the network filter");
	if (only_counting)
		leave_out_all_but_counting(f->programs->obj);
	f->programs->rodata->slot_level = level;
	r = reuse_map(f, f->programs->maps.ward_contexts);
	if (r == 0)
		r = reuse_map(f, f->programs->maps.ward_listeners);
	if (r == 0)
		r = reuse_map(f, f->programs->maps.ward_traffic);
	if (r == 0)
		r = ward_filter__load(f->programs);
	if (r < 0) {
		filter_done(f);
		return err_set_errno(e, r, "loading the network filter");
	}
	return 0;
}

static int attach_one(const struct filter *f, const struct hook *h, bool wide)
{
	struct bpf_program *p = bpf_object__find_program_by_name(f->programs->obj, h->program);
	struct attached old = find_attached(f->cgroup, h);
	LIBBPF_OPTS(bpf_prog_attach_opts, opts, .flags = BPF_F_ALLOW_MULTI);
	int r;

	if (h->where == NAMESPACE || (h->where == CGROUP_WIDE && !wide && old.program < 0))
		return 0;
	if (old.program >= 0) {
		opts.flags |= BPF_F_REPLACE;
		opts.replace_prog_fd = old.program;
	}
	r = p ? bpf_prog_attach_opts(bpf_program__fd(p), f->cgroup, h->at, &opts) : -ENOENT;
	(void) fd_close(old.program);
	return r;
}

int filter_attach(struct filter *f, bool wide, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		int r = attach_one(f, &hooks[i], wide);

		if (r < 0)
			return err_set_errno(e, r, "attaching the network filter to %s",
					     hooks[i].name);
	}
	return wide ? wildcard_attach(f, e) : 0;
}

int filter_attach_counting(struct filter *f, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(hooks); i++)
		if (hooks[i].type == BPF_PROG_TYPE_CGROUP_SKB)
			r = attach_one(f, &hooks[i], false);
	return r < 0 ? err_set_errno(e, r, "attaching what counts packets") : 0;
}

void filter_narrow(struct filter *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		const struct hook *h = &hooks[i];
		struct bpf_program *p =
			bpf_object__find_program_by_name(f->programs->obj, h->program);

		if (h->where == CGROUP_WIDE && p)
			(void) bpf_prog_detach2(bpf_program__fd(p), f->cgroup, h->at);
	}
	f->link = fd_close(f->link);
}

void filter_mark(struct filter *f, bool on)
{
	f->programs->bss->ward_marking = on;
}

void filter_done(struct filter *f)
{
	f->link = fd_close(f->link);
	ward_filter__destroy(f->programs);
	f->programs = NULL;
}

/* --- entries --- */

static int contexts(const struct filter *f)
{
	return bpf_map__fd(f->programs->maps.ward_contexts);
}

static int counters(const struct filter *f)
{
	return bpf_map__fd(f->programs->maps.ward_traffic);
}

int filter_get(const struct filter *f, uint64_t cgroup_id, struct filter_rules *ret)
{
	return bpf_map_lookup_elem(contexts(f), &cgroup_id, ret) < 0 ? -errno : 0;
}

int filter_set(const struct filter *f, uint64_t cgroup_id, const struct filter_rules *rules)
{
	return bpf_map_update_elem(contexts(f), &cgroup_id, rules, BPF_ANY) < 0 ? -errno : 0;
}

void filter_remove(const struct filter *f, uint64_t cgroup_id)
{
	(void) bpf_map_delete_elem(contexts(f), &cgroup_id);
	(void) bpf_map_delete_elem(counters(f), &cgroup_id);
}

int filter_next(const struct filter *f, const uint64_t *cgroup_id, uint64_t *ret)
{
	return bpf_map_get_next_key(contexts(f), cgroup_id, ret) < 0 ? -errno : 0;
}

int filter_next_counted(const struct filter *f, const uint64_t *cgroup_id, uint64_t *ret)
{
	return bpf_map_get_next_key(counters(f), cgroup_id, ret) < 0 ? -errno : 0;
}

/* --- counters: each CPU has its own --- */

int filter_count(const struct filter *f, uint64_t cgroup_id)
{
	int cpus = libbpf_num_possible_cpus(), r;
	_cleanup_free_ struct filter_traffic *zero = NULL;

	if (cpus < 0)
		return cpus;
	zero = calloc((size_t) cpus, sizeof(*zero));
	if (!zero)
		return -ENOMEM;
	r = bpf_map_update_elem(counters(f), &cgroup_id, zero, BPF_NOEXIST) < 0 ? -errno : 0;
	return r == -EEXIST ? 0 : r;
}

int filter_traffic(const struct filter *f, uint64_t cgroup_id, struct filter_traffic *ret)
{
	enum { NUMBERS = sizeof(*ret) / sizeof(uint64_t) };
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *each = NULL;
	uint64_t sum[NUMBERS] = { 0 };

	if (cpus < 0)
		return cpus;
	each = calloc((size_t) cpus * NUMBERS, sizeof(*each));
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(counters(f), &cgroup_id, each) < 0)
		return -errno;
	for (size_t i = 0; i < (size_t) cpus * NUMBERS; i++)
		sum[i % NUMBERS] += each[i];
	memcpy(ret, sum, sizeof(sum));
	return 0;
}

/* --- what the kernel has --- */

unsigned filter_hooks(struct filter_hook ret[static FILTER_HOOKS_MAX])
{
	static const struct bpf_insn yes[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = hooks[i].at);
		int fd = bpf_prog_load(hooks[i].type, "ward_try", "GPL", yes, ARRAY_SIZE(yes),
				       &opts);

		ret[i] = (struct filter_hook){ hooks[i].name, fd >= 0 };
		(void) fd_close(fd < 0 ? -1 : fd);
	}
	return ARRAY_SIZE(hooks);
}
