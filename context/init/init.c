/* ward-init: process 1 of a context with `init = fake`. It reaps what nobody waits for, forwards
 * signals to the command, and when that ends writes how into the status file (descriptor 3) and
 * exits with the same status, which ends the whole context.
 *
 * It is freestanding: a thousand contexts run a thousand of these, so it has no libc, no heap and
 * one page of stack. Every signal is blocked before it is executed (context/launch.c) and taken
 * with rt_sigtimedwait(2): nothing runs asynchronously, and a signal that comes early waits. */
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/prctl.h>
#include <linux/wait.h>
#include <stddef.h>

#include "context/init/sys.h"

#define STATUS_FD 3
#define NOTIFY_FD 4 /* the notify socket, held until the daemon says "drop" (context/host.c) */
#define DROP_SIGNAL 64
#define DROP_WORD 0x64726f70
#define SIGNALS 64
#define EXIT_MISUSE 125

void init_main(const long *stack) __attribute__((noreturn, used));

/* gcc may turn loops into calls of these. */
void *memset(void *s, int c, size_t n);
void *memset(void *s, int c, size_t n)
{
	char *p = s;

	while (n--) {
		*(volatile char *) p++ = (char) c;
	}
	return s;
}

__attribute__((noreturn)) static void leave(int status)
{
	for (;;) {
		sys_call4(__NR_exit_group, status, 0, 0, 0);
	}
}

static int parse_pid(const char *s)
{
	int pid = 0;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (pid > 99999999) {
			return -1;
		}
		pid = pid * 10 + (*s - '0');
	}
	return *s == '\0' && pid > 1 ? pid : -1;
}

/** Writes "WORD N\n" with one call at offset 0. */
static void write_status(const char *word, unsigned n)
{
	char text[24];
	size_t len = 0;

	while (word[len]) {
		text[len] = word[len];
		len++;
	}
	for (unsigned digit = n >= 100 ? 100 : n >= 10 ? 10 : 1; digit; digit /= 10) {
		text[len++] = (char) ('0' + n / digit % 10);
	}
	text[len++] = '\n';
	sys_call4(__NR_pwrite64, STATUS_FD, (long) text, (long) len, 0);
}

__attribute__((noreturn)) static void command_ended(int code, int status)
{
	if (code == CLD_EXITED) {
		write_status("exited ", (unsigned) status & 0xff);
		leave(status & 0xff);
	}
	write_status("killed ", (unsigned) status & 0x7f);
	leave(128 + (status & 0x7f));
}

/** Takes every dead child; does not return once the command is among them. */
static void reap(int command)
{
	for (;;) {
		siginfo_t info = { 0 };
		long r = sys_call5(__NR_waitid, P_ALL, 0, (long) &info, WEXITED | WNOHANG, 0);

		if (r < 0 || info.si_pid == 0) {
			return;
		}
		if (info.si_pid == command) {
			command_ended(info.si_code, info.si_status);
		}
	}
}

/** The daemon's word to us (context_drop_notify()); whoever forges it inside harms themselves. */
static int is_drop(int sig, const siginfo_t *info)
{
	return sig == DROP_SIGNAL && info->si_code == SI_QUEUE &&
	       info->si_int == DROP_WORD;
}

/** What tells about the process itself is not passed on. */
static int forwarded(int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGTTIN:
	case SIGTTOU:
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGTRAP:
	case SIGSYS:
	case SIGPIPE:
		return 0;
	default:
		return 1;
	}
}

void init_main(const long *stack)
{
	long argc = stack[0];
	const char *const *argv = (const char *const *) (stack + 1);
	uint64_t all = ~(uint64_t) 0;
	int command = argc == 2 ? parse_pid(argv[1]) : -1;

	if (command < 0) {
		leave(EXIT_MISUSE);
	}
	sys_call4(__NR_prctl, PR_SET_NAME, (long) "ward-init", 0, 0);
	sys_call4(__NR_rt_sigprocmask, SIG_SETMASK, (long) &all, 0, sizeof(all));
	for (;;) {
		siginfo_t info = { 0 };
		long sig;

		/* First, as the command may have died before this program began. */
		reap(command);
		sig = sys_call4(__NR_rt_sigtimedwait, (long) &all, (long) &info, 0, sizeof(all));
		if (is_drop((int) sig, &info)) {
			sys_call4(__NR_close, NOTIFY_FD, 0, 0, 0);
		} else if (sig > 0 && sig <= SIGNALS && forwarded((int) sig)) {
			sys_call4(__NR_kill, command, sig, 0, 0);
			if (sig == SIGTERM || sig == SIGHUP) {
				/* Or a stopped command would never hear of it. */
				sys_call4(__NR_kill, command, SIGCONT, 0, 0);
			}
		}
	}
}

#if defined(__x86_64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call init_main\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x0, sp\n"
	"	bl init_main\n");
#endif
