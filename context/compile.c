/* A profile's table as a BPF program: check the architecture, search the number, and where a call
 * has conditions, try them in order. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "context/profile.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#error "seccomp: name this architecture"
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "seccomp: the low half of an argument is read as on a little-endian machine"
#endif

#define JUMP_MAX 255 /* how far a conditional jump reaches */

/** Numbers [first, next segment's first) are treated alike. */
struct segment {
	uint32_t first, action;
	bool conditional; /* a single number */
};

struct output {
	const struct profile *p;
	struct segment segments[2 * PROFILE_CALLS];
	size_t segment_count;
	struct sock_filter *code;
	size_t len;
	bool full;
};

static void emit(struct output *o, struct sock_filter one)
{
	if (o->len >= PROFILE_CODE_MAX) {
		o->full = true;
		return;
	}
	o->code[o->len++] = one;
}

static bool is_conditional(const struct profile *p, uint32_t call)
{
	for (size_t i = 0; i < p->condition_count; i++) {
		if (p->conditions[i].call == call) {
			return true;
		}
	}
	return false;
}

static void add_segment(struct output *o, struct segment s)
{
	struct segment *last = o->segment_count ? &o->segments[o->segment_count - 1] : NULL;

	if (!last || last->conditional || s.conditional || last->action != s.action) {
		o->segments[o->segment_count++] = s;
	}
}

static void find_segments(struct output *o)
{
	for (uint32_t call = 0; call < PROFILE_CALLS; call++) {
		add_segment(o, (struct segment){ .first = call,
						 .action = o->p->actions[call],
						 .conditional = is_conditional(o->p, call) });
	}
	add_segment(o, (struct segment){ .first = PROFILE_CALLS, .action = o->p->fallback });
}

static void emit_leaf(struct output *o, const struct segment *s)
{
	for (size_t i = 0; s->conditional && i < o->p->condition_count; i++) {
		const struct profile_condition *c = &o->p->conditions[i];
		uint32_t at = (uint32_t) (offsetof(struct seccomp_data, args) + 8u * c->arg);
		uint16_t test = c->mask ? BPF_JSET : BPF_JEQ;

		if (c->call != s->first) {
			continue;
		}
		emit(o, (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at));
		emit(o, (struct sock_filter) BPF_JUMP(BPF_JMP | test | BPF_K, c->value, 0, 1));
		emit(o, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, c->action));
	}
	emit(o, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, s->action));
}

/** The segments [from, to) as a search tree: smaller numbers follow, greater ones are jumped to. */
static void emit_tree(struct output *o, size_t from, size_t to)
{
	size_t middle = from + (to - from) / 2, at = o->len, distance;

	if (to - from == 1) {
		emit_leaf(o, &o->segments[from]);
		return;
	}
	emit(o, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, o->segments[middle].first,
					      0, 0));
	emit_tree(o, from, middle);
	distance = o->len - at - 1;
	if (distance > JUMP_MAX) {
		/* What was emitted only jumps within itself, so it can be moved. */
		emit(o, (struct sock_filter) BPF_STMT(BPF_JMP | BPF_JA, 0));
		if (o->full) {
			return;
		}
		memmove(&o->code[at + 2], &o->code[at + 1], distance * sizeof(*o->code));
		o->code[at].jf = 1;
		o->code[at + 1] =
			(struct sock_filter) BPF_STMT(BPF_JMP | BPF_JA, (uint32_t) distance);
	} else if (!o->full) {
		o->code[at].jt = (uint8_t) distance;
	}
	emit_tree(o, middle, to);
}

int profile_compile(const struct profile *p, struct sock_filter *code)
{
	struct output o = { .p = p, .code = code };

	find_segments(&o);
	emit(&o, (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, arch)));
	emit(&o, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0));
	emit(&o, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	emit(&o, (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, nr)));
	emit_tree(&o, 0, o.segment_count);
	return o.full ? -E2BIG : (int) o.len;
}

uint32_t profile_decide(const struct profile *p, uint32_t call, const uint64_t args[static 6])
{
	if (call >= PROFILE_CALLS) {
		return p->fallback;
	}
	for (size_t i = 0; i < p->condition_count; i++) {
		const struct profile_condition *c = &p->conditions[i];
		uint32_t arg = (uint32_t) args[c->arg];

		if (c->call == call && (c->mask ? (arg & c->value) != 0 : arg == c->value)) {
			return c->action;
		}
	}
	return p->actions[call];
}
