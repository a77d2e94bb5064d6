/* Fuzzes seccomp profiles: whatever is accepted must compile to a program that stays within itself
 * and means what the table says. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "context/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth) {
		abort();
	}
}

/** What the program answers for number `nr` with all arguments 0. */
static uint32_t run(const struct sock_filter *code, int len, uint32_t arch, uint32_t nr)
{
	uint32_t a = 0;

	for (int pc = 0; pc < len; pc++) {
		const struct sock_filter *f = &code[pc];

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			a = f->k == 0 ? nr : f->k == 4 ? arch : 0;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA) {
				pc += (int) f->k;
			} else if (BPF_OP(f->code) == BPF_JGE) {
				pc += a >= f->k ? f->jt : f->jf;
			} else if (BPF_OP(f->code) == BPF_JEQ) {
				pc += a == f->k ? f->jt : f->jf;
			} else {
				pc += (a & f->k) != 0 ? f->jt : f->jf;
			}
			break;
		default:
			return f->k;
		}
	}
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sock_filter code[PROFILE_CODE_MAX];
	static struct profile p;
	const uint64_t zero[6] = { 0 };
	struct err e = { 0 };

	if (profile_parse((const char *) data, size, "fuzz", 0xa80425fb, &p, &e) < 0) {
		require(e.code < 0 && e.text[0] != '\0');
		return 0;
	}
	int len = profile_compile(&p, code);
	require(len > 0 && len <= PROFILE_CODE_MAX);
	/* The second instruction compares the architecture with ours. */
	for (uint32_t nr = 0; nr < PROFILE_CALLS + 2; nr++) {
		require(run(code, len, code[1].k, nr) == profile_decide(&p, nr, zero));
	}
	return 0;
}
