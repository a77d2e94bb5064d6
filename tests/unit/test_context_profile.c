/* Seccomp profiles: what is refused, and that the compiled program means what the table says. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "context/profile.h"
#include "context/seccomp.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif
#define PERM (SECCOMP_RET_ERRNO | EPERM)
#define NOSYS (SECCOMP_RET_ERRNO | ENOSYS)

/** Runs the classic BPF that profiles are compiled to. */
static uint32_t run(const struct sock_filter *code, int len, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (int pc = 0; pc < len; pc++) {
		const struct sock_filter *f = &code[pc];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k <= sizeof(*data) - 4 && f->k % 4 == 0);
			memcpy(&a, (const char *) data + f->k, 4);
			break;
		case BPF_JMP | BPF_JA:
			pc += (int) f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += (a & f->k) != 0 ? f->jt : f->jf;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			fail_msg("unexpected instruction %x", f->code);
		}
	}
	fail_msg("fell off the end");
	return 0;
}

static int parse(const char *text, uint64_t caps, struct profile *p, struct err *e)
{
	return profile_parse(text, strlen(text), "test", caps, p, e);
}

static void refused(const char *text, const char *says)
{
	struct profile p;
	struct err e = { 0 };

	assert_int_equal(parse(text, 0, &p, &e), -EINVAL);
	if (!strstr(e.text, says)) {
		fail_msg("\"%s\" does not say \"%s\"", e.text, says);
	}
}

static void bad_lines_are_refused(void **state)
{
	(void) state;
	refused("", "test:0: there is no default");
	refused("allow read\n", "test:1: the first line must be default");
	refused("default errno ENOSYS\nallow raed\n", "test:2: no system call is called \"raed\"");
	refused("default errno EFOO\n", "after errno");
	refused("default allow\n", "must be errno");
	refused("default errno EPERM\ndefault errno EPERM\n", "given before");
	refused("default errno EPERM\nallow\n", "must name a system call");
	refused("default errno EPERM\npermit read\n", "must be allow");
	refused("default errno EPERM\ncap everything allow read\n", "no capability is called");
	refused("default errno EPERM\ncap\n", "must be the name of a capability");
	refused("default errno EPERM\ncap sys-admin\n", "must be allow");
	refused("default errno EPERM\nallow read if arg6 == 1\n", "arg0 to arg5");
	refused("default errno EPERM\nallow read if arg0 < 1\n", "must be == or &");
	refused("default errno EPERM\nallow read if arg0 == -1\n", "must be a number");
	refused("default errno EPERM\nallow read if arg0 == 0x100000000\n", "32 bits");
	refused("default errno EPERM\nallow read if arg0 == 1 2\n", "behind a condition");
	refused("default errno EPERM x\n", "behind default");
}

static void limits_hold(void **state)
{
	_cleanup_free_ char *big = malloc(PROFILE_BYTES_MAX + 1);
	struct profile p;
	struct err e = { 0 };

	(void) state;
	assert_non_null(big);
	memset(big, '#', PROFILE_BYTES_MAX + 1);
	assert_int_equal(profile_parse(big, PROFILE_BYTES_MAX + 1, "t", 0, &p, &e), -EFBIG);
	assert_int_equal(profile_parse(big, PROFILE_BYTES_MAX, "t", 0, &p, &e), -EINVAL);

	size_t len = (size_t) snprintf(big, PROFILE_BYTES_MAX, "default errno EPERM\n");
	for (int i = 0; i <= PROFILE_CONDITIONS_MAX; i++) {
		len += (size_t) snprintf(big + len, PROFILE_BYTES_MAX - len,
					 "allow read if arg0 == %d\n", i);
	}
	assert_int_equal(profile_parse(big, len, "t", 0, &p, &e), -EINVAL);
	assert_non_null(strstr(e.text, "too many conditions"));
}

static void later_lines_and_conditions_decide(void **state)
{
	const char *text = "default errno ENOSYS # not the end\n";
	const uint64_t zero[6] = { 0 }, one[6] = { 1 }, high[6] = { UINT64_C(0x100000001) };
	struct profile p;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(parse(text, 0, &p, &e), -EINVAL); /* comments are lines of their own */
	text = "default errno ENOSYS\n# text\n\tallow\tread   write\r\nerrno EPERM write\n"
	       "kill write if arg0 == 1\nallow write if arg0 & 1\n"
	       "cap net-admin allow close\nno-cap net-admin allow dup";
	assert_int_equal(parse(text, 0, &p, &e), 0);
	assert_int_equal(profile_decide(&p, SYS_read, zero), SECCOMP_RET_ALLOW);
	assert_int_equal(profile_decide(&p, SYS_write, zero), PERM);
	assert_int_equal(profile_decide(&p, SYS_write, one), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(profile_decide(&p, SYS_write, high), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(profile_decide(&p, SYS_close, zero), NOSYS);
	assert_int_equal(profile_decide(&p, SYS_dup, zero), SECCOMP_RET_ALLOW);
	assert_int_equal(profile_decide(&p, 100000, zero), NOSYS);
	assert_int_equal(parse(text, UINT64_C(1) << CAP_NET_ADMIN, &p, &e), 0);
	assert_int_equal(profile_decide(&p, SYS_close, zero), SECCOMP_RET_ALLOW);
	assert_int_equal(profile_decide(&p, SYS_dup, zero), NOSYS);
}

static uint32_t decide(const struct profile *p, const struct seccomp_data *data)
{
	uint64_t args[6];

	for (size_t i = 0; i < 6; i++) {
		args[i] = data->args[i];
	}
	return profile_decide(p, (uint32_t) data->nr, args);
}

/** Compares program and table for every number and telling arguments. */
static void means_the_same(const struct profile *p)
{
	static struct sock_filter code[PROFILE_CODE_MAX];
	int len = profile_compile(p, code);

	assert_true(len > 0 && len <= PROFILE_CODE_MAX);
	for (uint32_t nr = 0; nr < PROFILE_CALLS + 40; nr++) {
		struct seccomp_data data = { .nr = (int) nr, .arch = ARCH };

		assert_int_equal(run(code, len, &data), decide(p, &data));
		for (size_t i = 0; i < p->condition_count; i++) {
			const struct profile_condition *c = &p->conditions[i];

			for (int high = 0; high < 2; high++) {
				data.args[c->arg] = c->value | (uint64_t) high << 40;
				assert_int_equal(run(code, len, &data), decide(p, &data));
			}
			data.args[c->arg] = 0;
		}
	}
	struct seccomp_data other = { .nr = SYS_read, .arch = AUDIT_ARCH_I386 };
	assert_int_equal(run(code, len, &other), SECCOMP_RET_KILL_PROCESS);
	struct seccomp_data x32 = { .nr = 0x40000000, .arch = ARCH };
	assert_int_equal(run(code, len, &x32), p->fallback);
}

static void compiled_means_the_same(void **state)
{
	struct profile p = { .fallback = NOSYS };

	(void) state;
	srand(1);
	for (int round = 0; round < 20; round++) {
		p.condition_count = (size_t) rand() % 50;
		for (size_t i = 0; i < PROFILE_CALLS; i++) {
			p.actions[i] = rand() % 3 ? SECCOMP_RET_ALLOW : PERM;
		}
		for (size_t i = 0; i < p.condition_count; i++) {
			p.conditions[i] = (struct profile_condition){
				.call = (uint16_t) (rand() % PROFILE_CALLS),
				.arg = (uint8_t) (rand() % 6),
				.mask = rand() % 2,
				.value = (uint32_t) rand(),
				.action = rand() % 2 ? SECCOMP_RET_ALLOW : NOSYS,
			};
		}
		means_the_same(&p);
	}
}

static void shipped(const char *path, uint64_t caps, struct profile *p)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	struct err e = { 0 };

	assert_int_equal(file_read_at(AT_FDCWD, path, PROFILE_BYTES_MAX, &text, &len), 0);
	if (profile_parse(text, len, path, caps, p, &e) < 0) {
		fail_msg("%s", e.text);
	}
	means_the_same(p);
}

static void shipped_profiles_deny_what_they_must(void **state)
{
	static const char *const paths[] = { "configs/seccomp/default.seccomp",
					     "configs/seccomp/strict.seccomp" };
	static const long never[] = {
		SYS_keyctl,	     SYS_add_key,     SYS_request_key,	  SYS_bpf,
		SYS_kexec_load,	     SYS_init_module, SYS_finit_module,	  SYS_delete_module,
		SYS_mount,	     SYS_umount2,     SYS_pivot_root,	  SYS_setns,
		SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_open_by_handle_at,
		SYS_swapon,	     SYS_reboot,      SYS_settimeofday,	  SYS_acct,
	};
	const uint64_t none[6] = { 0 };
	const uint64_t sti[6] = { 0, UINT64_C(0xdead00000000) | TIOCSTI };
	const uint64_t user[6] = { 0x10000000 }, thread[6] = { 0x3d0f00 };
	const uint64_t vsock[6] = { 40 }, inet[6] = { 2 };
	struct profile p;

	(void) state;
	for (size_t i = 0; i < 2; i++) {
		shipped(paths[i], 0, &p);
		for (size_t k = 0; k < ARRAY_SIZE(never); k++) {
			assert_int_equal(profile_decide(&p, (uint32_t) never[k], none), PERM);
		}
		assert_int_equal(profile_decide(&p, SYS_ioctl, sti), PERM);
		assert_int_equal(profile_decide(&p, SYS_ioctl, none), SECCOMP_RET_ALLOW);
		assert_int_equal(profile_decide(&p, SYS_clone, user), PERM);
		assert_int_equal(profile_decide(&p, SYS_unshare, user), PERM);
		assert_int_equal(profile_decide(&p, SYS_clone, thread), SECCOMP_RET_ALLOW);
		assert_int_equal(profile_decide(&p, SYS_clone3, none), NOSYS);
		assert_int_equal(profile_decide(&p, SYS_socket, vsock),
				 SECCOMP_RET_ERRNO | EAFNOSUPPORT);
		assert_int_equal(profile_decide(&p, SYS_socket, inet), SECCOMP_RET_ALLOW);
		assert_int_equal(profile_decide(&p, SYS_execve, none), SECCOMP_RET_ALLOW);
	}
	shipped(paths[0], UINT64_MAX, &p);
	assert_int_equal(profile_decide(&p, SYS_mount, none), SECCOMP_RET_ALLOW);
	assert_int_equal(profile_decide(&p, SYS_clone, user), SECCOMP_RET_ALLOW);
	assert_int_equal(profile_decide(&p, SYS_keyctl, none), PERM);
}

static void filters_are_compiled_once(void **state)
{
	struct filter_cache c = { .dirfd = -1 };
	struct sock_fprog first, again, other;
	struct err e = { 0 };

	(void) state;
	assert_int_equal(filters_init(&c, "configs/seccomp", &e), 0);
	assert_int_equal(filters_get(&c, "default", 0, &first, &e), 0);
	assert_int_equal(filters_get(&c, "strict", 0, &other, &e), 0);
	assert_int_equal(filters_get(&c, "default", 0, &again, &e), 0);
	assert_ptr_equal(first.filter, again.filter);
	for (uint64_t caps = 1; caps < 40; caps++) {
		assert_int_equal(filters_get(&c, "default", caps, &other, &e), 0);
	}
	assert_int_equal(filters_get(&c, "nothing", 0, &other, &e), -ENOENT);
	assert_int_equal(filters_get(&c, "/dev/null", 0, &other, &e), -EINVAL);
	filters_done(&c);
	assert_true(filters_init(&c, "/nonexistent", &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_lines_are_refused),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(later_lines_and_conditions_decide),
		cmocka_unit_test(compiled_means_the_same),
		cmocka_unit_test(shipped_profiles_deny_what_they_must),
		cmocka_unit_test(filters_are_compiled_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
