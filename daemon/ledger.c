/* The ledger of promises: who holds which reserve of CPU time and memory, and whether one more
 * fits. CPU time is a matter of sets of CPUs, so sched/allot.h decides; memory is one sum, and so
 * is each disk: ledger_disk.c. */
#include "daemon/ledger_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MILLICPU (ALLOT_CPU / 1000)
#define MEBI (UINT64_C(1) << 20)

/* --- the pool of CPUs --- */

static int make_pool(struct ledger *l)
{
	unsigned n = cpus_count(&l->host.cpus);
	_cleanup_free_ uint64_t *capacity = calloc(n ? n : 1, sizeof(*capacity));

	l->cpu_of = calloc(n ? n : 1, sizeof(*l->cpu_of));
	if (!capacity || !l->cpu_of) {
		return -ENOMEM;
	}
	for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
		if (cpus_has(&l->host.cpus, cpu)) {
			capacity[l->places] = ALLOT_CPU - l->host.cpu_keep_ppm;
			l->cpu_of[l->places++] = cpu;
		}
	}
	return allot_pool_new(capacity, l->places, &l->pool);
}

static int note_set(struct ledger *l, unsigned set, const struct cpus *cpus)
{
	if (set >= l->set_max) {
		size_t max = l->set_max ? 2 * l->set_max : 4;
		struct cpus *more = reallocarray(l->sets, max, sizeof(*more));

		if (!more) {
			return -ENOMEM;
		}
		l->sets = more;
		l->set_max = max;
	}
	l->sets[set] = *cpus;
	return 0;
}

int ledger_new(const struct ledger_host *host, struct ledger **ret)
{
	struct ledger *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		return -ENOMEM;
	}
	l->host = *host;
	r = make_pool(l);
	if (r >= 0) {
		r = note_set(l, 0, &host->cpus);
	}
	if (r < 0) {
		ledger_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void ledger_free(struct ledger *l)
{
	if (!l) {
		return;
	}
	allot_pool_free(l->pool);
	free(l->cpu_of);
	free(l->sets);
	free(l->entries);
	free(l->claims);
	free(l);
}

/* @return 0; -ENODEV when none of its CPUs is here. */
static int set_of(struct ledger *l, const struct spec *spec, unsigned *ret)
{
	uint64_t mask[CPUS_MAX / 64] = {};
	struct cpus c;
	int r;

	*ret = 0;
	if (!spec->cpu.cpus) {
		return 0;
	}
	r = cpus_parse(spec->cpu.cpus, &c);
	if (r < 0) {
		return r;
	}
	cpus_keep(&c, &l->host.cpus);
	if (cpus_count(&c) == 0) {
		return -ENODEV;
	}
	for (unsigned i = 0; i < l->places; i++) {
		if (cpus_has(&c, l->cpu_of[i])) {
			mask[i / 64] |= UINT64_C(1) << i % 64;
		}
	}
	r = allot_pool_add(l->pool, mask, ret);
	return r < 0 ? r : note_set(l, *ret, &c);
}

/* --- entries --- */

static int make_room(struct ledger *l)
{
	size_t max = l->max ? 2 * l->max : 16;
	struct entry *entries;
	struct allot_claim *claims;

	if (l->count < l->max) {
		return 0;
	}
	entries = reallocarray(l->entries, max, sizeof(*entries));
	if (!entries) {
		return -ENOMEM;
	}
	l->entries = entries;
	claims = reallocarray(l->claims, max + 1, sizeof(*claims));
	if (!claims) {
		return -ENOMEM;
	}
	l->claims = claims;
	l->max = max;
	return 0;
}

int ledger_add(struct ledger *l, const char *name, const struct spec *spec, const char *state,
	       bool shown)
{
	struct entry x = { .name = name, .state = state, .spec = spec, .shown = shown };
	int r = make_room(l);

	if (r >= 0) {
		r = set_of(l, spec, &x.set);
		r = r == -ENODEV ? 0 : r; /* its CPUs went away: the kernel lets it use all */
	}
	if (r >= 0) {
		l->entries[l->count++] = x;
	}
	return r;
}

void ledger_drop(struct ledger *l, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++) {
		if (!str_equal(l->entries[i].name, name)) {
			l->entries[n++] = l->entries[i];
		}
	}
	l->count = n;
}

/* --- refusals --- */

void holders_add(struct holders *h, const char *name, uint64_t amount)
{
	struct holder x = { name, amount };

	if (amount == 0) {
		return;
	}
	for (size_t i = 0; i < h->count; i++) {
		if (h->named[i].amount < x.amount) {
			struct holder smaller = h->named[i];

			h->named[i] = x;
			x = smaller;
		}
	}
	if (h->count < NAMED_MAX) {
		h->named[h->count++] = x;
	} else {
		h->others += x.amount;
	}
}

bool holders_may_name(const struct spec *to, const struct spec *holder)
{
	const struct strv *owners = &to->context.owners;

	for (size_t i = 0; i < owners->count; i++) {
		if (strv_contains(&holder->context.owners, owners->items[i])) {
			return true;
		}
	}
	return owners->count == 0;
}

void holders_print(const struct holders *h, char *(*print)(uint64_t, char *), uint64_t host,
		   struct buf *out)
{
	const char *comma = ": ";
	char text[UNITS_TEXT_MAX];

	for (size_t i = 0; i < h->count; i++, comma = ", ") {
		buf_printf(out, "%s%s %s", comma, h->named[i].name,
			   print(h->named[i].amount, text));
	}
	if (h->others) {
		buf_printf(out, "%sothers %s", comma, print(h->others, text));
		comma = ", ";
	}
	if (host) {
		buf_printf(out, "%sthe host %s", comma, print(host, text));
	}
}

int ledger_refuse(struct err *e, struct buf *text)
{
	int r = text->error ? err_set_errno(e, text->error, "refusing a reserve")
			    : err_set(e, -EDQUOT, "%s", text->data);

	buf_done(text);
	return r;
}

static uint64_t host_part(const struct ledger *l, unsigned places)
{
	return (uint64_t) places * l->host.cpu_keep_ppm / 1000; /* thousandths of a CPU */
}

/* The pool has just refused, with the claim that is asked for last. */
static int refuse_cpu(struct ledger *l, const struct spec *spec, const struct allot_refusal *why,
		      struct err *e)
{
	uint64_t asked = spec->cpu.reserve_millicpu * MILLICPU, held = why->reserved - asked;
	uint64_t left = why->available > held ? why->available - held : 0;
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX];
	struct holders h = {};
	struct cpus cpus = {};
	struct buf text = {};

	for (unsigned i = 0; i < l->places; i++) {
		if (allot_refused_place(l->pool, i)) {
			cpus_add(&cpus, l->cpu_of[i]);
		}
	}
	for (size_t i = 0; i < l->count; i++) {
		const struct spec *s = l->entries[i].spec;

		if (!allot_refused_set(l->pool, l->entries[i].set)) {
			continue;
		}
		if (holders_may_name(spec, s)) {
			holders_add(&h, l->entries[i].name, s->cpu.reserve_millicpu);
		} else {
			h.others += s->cpu.reserve_millicpu;
		}
	}
	buf_printf(&text, "cpu.reserve: %s asked, %s free on CPU%s ",
		   units_print_cpu(spec->cpu.reserve_millicpu, a),
		   units_print_cpu(left / MILLICPU, b), why->places == 1 ? "" : "s");
	cpus_print(&cpus, &text);
	holders_print(&h, units_print_cpu, host_part(l, why->places), &text);
	return ledger_refuse(e, &text);
}

/* What is promised and cannot be had (a CPU went away) shrinks to what can: others are not to
 * suffer for it. */
static int shrink_claims(struct ledger *l)
{
	_cleanup_free_ uint64_t *amounts = calloc(l->count, sizeof(*amounts));
	int r = amounts ? allot(l->pool, l->claims, l->count, amounts) : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < l->count; i++) {
		l->claims[i].reserve = amounts[i];
	}
	return r;
}

static int claim_all(struct ledger *l)
{
	struct allot_refusal why;
	int r = make_room(l); /* and so room for one claim more */

	for (size_t i = 0; r >= 0 && i < l->count; i++) {
		uint64_t reserve = l->entries[i].spec->cpu.reserve_millicpu * MILLICPU;

		l->claims[i] = (struct allot_claim){
			.reserve = reserve,
			.demand = reserve,
			.limit = ALLOT_HUNGRY,
			.set = l->entries[i].set,
		};
	}
	if (r >= 0) {
		r = allot_admit(l->pool, l->claims, l->count, 0, &why);
	}
	return r == -ENOSPC ? shrink_claims(l) : r;
}

int ledger_admit_cpu(struct ledger *l, const struct spec *spec, struct err *e)
{
	struct allot_claim own = { .reserve = spec->cpu.reserve_millicpu * MILLICPU };
	struct allot_refusal why = {};
	struct buf here = {};
	int r;

	if (own.reserve == 0) {
		return 0;
	}
	r = set_of(l, spec, &own.set);
	if (r == -ENODEV) {
		cpus_print(&l->host.cpus, &here);
		r = err_set(e, -EINVAL,
			    "cpu.reserve: of the CPUs of cpu.cpus (%s) none is here; there are: %s",
			    spec->cpu.cpus, here.data ? here.data : "none");
		buf_done(&here);
		return r;
	}
	if (r >= 0) {
		r = claim_all(l);
	}
	if (r >= 0) {
		l->claims[l->count] = own;
		r = allot_admit(l->pool, l->claims, l->count + 1, 0, &why);
	}
	if (r == -ENOSPC) {
		return refuse_cpu(l, spec, &why, e);
	}
	return r < 0 ? err_set_errno(e, r, "cpu.reserve: weighing it against the others") : 0;
}

static uint64_t memory_reserve(const struct spec *s)
{
	return s->memory.reserve == UNITS_NONE ? 0 : s->memory.reserve;
}

static uint64_t memory_free(const struct ledger *l)
{
	uint64_t left = l->host.memory - l->host.memory_keep;

	for (size_t i = 0; i < l->count; i++) {
		uint64_t held = memory_reserve(l->entries[i].spec);

		left -= held < left ? held : left;
	}
	return left;
}

int ledger_admit_memory(struct ledger *l, const struct spec *spec, struct err *e)
{
	uint64_t asked = memory_reserve(spec), left = memory_free(l);
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX], c[UNITS_TEXT_MAX];
	struct holders h = {};
	struct buf text = {};

	if (asked <= left) {
		return 0;
	}
	for (size_t i = 0; i < l->count; i++) {
		const struct spec *s = l->entries[i].spec;

		if (holders_may_name(spec, s)) {
			holders_add(&h, l->entries[i].name, memory_reserve(s));
		} else {
			h.others += memory_reserve(s);
		}
	}
	buf_printf(&text, "memory.reserve: %s asked, %s free of %s", units_print_bytes(asked, a),
		   units_print_bytes(left / MEBI * MEBI, b), units_print_human(l->host.memory, c));
	holders_print(&h, units_print_human, l->host.memory_keep, &text);
	return ledger_refuse(e, &text);
}

/* --- the whole of it --- */

static json_t *number(uint64_t v)
{
	return v == UNITS_NONE ? json_null() : json_integer((json_int_t) v);
}

static json_t *list_json(const struct cpus *c)
{
	struct buf text = {};
	json_t *o;

	buf_puts(&text, "");
	cpus_print(c, &text);
	o = text.error ? NULL : json_string(text.data);
	buf_done(&text);
	return o;
}

/* Sums over those that have exactly the CPUs of a set. */
struct sum {
	uint64_t reserved, shares;
	size_t contexts;
};

static void add_up(const struct ledger *l, struct sum *sums)
{
	for (size_t i = 0; i < l->count; i++) {
		struct sum *sum = &sums[l->entries[i].set];

		sum->reserved += l->entries[i].spec->cpu.reserve_millicpu;
		sum->shares += l->entries[i].spec->cpu.share;
		sum->contexts++;
	}
}

static bool is_within(const struct ledger *l, unsigned a, unsigned b)
{
	size_t words = l->places ? l->cpu_of[l->places - 1] / 64 + 1 : 0;

	for (size_t i = 0; i < words; i++) {
		if (l->sets[a].bits[i] & ~l->sets[b].bits[i]) {
			return false;
		}
	}
	return true;
}

/* What is promised to those that have no other CPUs than these, and what is free on them. */
static json_t *set_json(struct ledger *l, const struct sum *sums, unsigned set)
{
	unsigned n = cpus_count(&l->sets[set]);
	struct sum all = {};
	uint64_t left = 0;

	for (unsigned i = 0; i < allot_pool_sets(l->pool); i++) {
		if (is_within(l, i, set)) {
			all.reserved += sums[i].reserved;
			all.shares += sums[i].shares;
			all.contexts += sums[i].contexts;
		}
	}
	if (allot_admissible(l->pool, l->claims, l->count, 0, set, &left) < 0) {
		return NULL;
	}
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "cpus", list_json(&l->sets[set]),
			 "capacity_millicpu", (json_int_t) n * 1000, "host_millicpu",
			 (json_int_t) host_part(l, n), "reserved_millicpu",
			 (json_int_t) all.reserved, "free_millicpu", (json_int_t) (left / MILLICPU),
			 "shares", (json_int_t) all.shares, "contexts", (json_int_t) all.contexts);
}

/* All CPUs first, then the sets that somebody is confined to. */
static json_t *cpu_json(struct ledger *l)
{
	unsigned count = allot_pool_sets(l->pool);
	_cleanup_free_ struct sum *sums = calloc(count, sizeof(*sums));
	json_t *list = sums ? json_array() : NULL;

	if (!list) {
		return NULL;
	}
	add_up(l, sums);
	for (unsigned i = 0; i < count; i++) {
		if (i == 0 || sums[i].contexts) {
			if (json_array_append_new(list, set_json(l, sums, i)) < 0) {
				json_decref(list);
				return NULL;
			}
		}
	}
	return list;
}

static json_t *memory_json(const struct ledger *l)
{
	uint64_t reserved = 0, limits = 0;
	size_t limitless = 0;

	for (size_t i = 0; i < l->count; i++) {
		const struct spec *s = l->entries[i].spec;

		reserved += memory_reserve(s);
		limits += s->memory.limit == UNITS_NONE ? 0 : s->memory.limit;
		limitless += s->memory.limit == UNITS_NONE;
	}
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "guaranteed",
			 l->host.memory_reserve, "total_bytes", (json_int_t) l->host.memory,
			 "host_bytes", (json_int_t) l->host.memory_keep, "reserved_bytes",
			 (json_int_t) reserved, "free_bytes", (json_int_t) memory_free(l),
			 "limits_bytes", (json_int_t) limits, "limitless", (json_int_t) limitless);
}

static json_t *entry_json(const struct ledger *l, const struct entry *x)
{
	const struct spec *s = x->spec;

	return json_pack("{s:s, s:s, s:o, s:I, s:I, s:o, s:I, s:o, s:o}", "name", x->name, "state",
			 x->state, "cpus", list_json(&l->sets[x->set]), "cpu_reserve_millicpu",
			 (json_int_t) s->cpu.reserve_millicpu, "cpu_share",
			 (json_int_t) s->cpu.share, "cpu_limit_millicpu",
			 number(s->cpu.limit_millicpu), "memory_reserve_bytes",
			 (json_int_t) memory_reserve(s), "memory_limit_bytes",
			 number(s->memory.limit), "disks", ledger_entry_disks_json(l, x));
}

int ledger_json(struct ledger *l, json_t **ret)
{
	json_t *contexts = json_array(), *o;
	int r = claim_all(l);

	if (r < 0 || !contexts) {
		json_decref(contexts);
		return r < 0 ? r : -ENOMEM;
	}
	for (size_t i = 0; i < l->count; i++) {
		if (l->entries[i].shown) {
			(void) json_array_append_new(contexts, entry_json(l, &l->entries[i]));
		}
	}
	o = json_pack("{s:o, s:o, s:o, s:o}", "cpu", cpu_json(l), "memory", memory_json(l), "disks",
		      ledger_disks_json(l), "contexts", contexts);
	if (!o) {
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}
