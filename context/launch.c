/* The order, in process 1: CHILD steps, then the command is released.
 *
 * With ward-init the command is a vfork: it borrows this process's memory until it executes, so
 * nothing is copied, and its failure is known before process 1 goes on. Process 1 then becomes
 * ward-init while the command already runs; it is no less guarded in between (see park.c). */
#include "context/launch.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"

_Noreturn void command_run(struct command *c)
{
	struct seat_shared *shared = c->shared;
	sigset_t none;

	sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	if (steps_run_child(&shared->order, STEP_COMMAND, &shared->error) == 0) {
		(void) err_set(&shared->error, -EIO, "the command's steps ended without an exec");
	}
	seat_child_fail(shared);
}

static int command_main(void *arg)
{
	command_run(arg);
}

/** @return the command's pid in its namespace, once it executed or failed. */
static pid_t command_fork(struct seat_child *c, struct command *command)
{
	char *top = c->stack + SEAT_STACK_BYTES;
	pid_t pid = sys(clone(command_main, top, CLONE_VM | CLONE_VFORK | SIGCHLD, command));

	/* Before 6.3 a process about to enter a time namespace cannot share its memory. */
	if (pid == -EINVAL) {
		pid = sys(clone(command_main, top, CLONE_VFORK | SIGCHLD, command));
	}
	return pid;
}

/** Moves a descriptor out of the way of fixed numbers. */
static int move_up(int fd)
{
	return fd > INIT_NETWORK_FD ? fd : sys(fcntl(fd, F_DUPFD_CLOEXEC, 10));
}

/** Puts what ward-init holds where it belongs: 3 the status file, 4 the notify socket, 5 what keeps
 * its network. */
static int place_init_fds(const struct launch *l)
{
	int status = l->status_fd, notify = l->notify_fd < 0 ? -1 : move_up(l->notify_fd);
	int network = l->network_fd < 0 ? -1 : move_up(l->network_fd);
	int r = status == INIT_STATUS_FD ? sys(fcntl(status, F_SETFD, 0))
					 : sys(dup3(status, INIT_STATUS_FD, 0));

	if (r >= 0 && notify >= 0) {
		r = sys(dup3(notify, INIT_NOTIFY_FD, 0));
	}
	if (r >= 0 && network >= 0) {
		r = sys(dup3(network, INIT_NETWORK_FD, 0));
	}
	return r;
}

static int become_init(struct seat_child *c, const struct launch *l, pid_t command)
{
	char pid[16];
	char *argv[] = { (char[]){ "ward-init" }, pid, NULL };
	char *envp[] = { NULL };
	int init = move_up(c->init_fd), sock = move_up(c->sock);
	int r;

	(void) snprintf(pid, sizeof(pid), "%d", (int) command);
	if (init < 0 || sock < 0) {
		return -EMFILE;
	}
	r = place_init_fds(l);
	if (r >= 0) {
		r = sys(chdir("/"));
	}
	if (r >= 0) {
		r = caps_keep_kill();
	}
	if (r < 0) {
		return r;
	}
	c->shared->init_exec = true;
	return (int) sys(syscall(SYS_execveat, init, "", argv, envp, AT_EMPTY_PATH));
}

/* A command that is over before we get to run again leaves nothing to do for ward-init: we say how
 * it ended, in ward-init's words, and end likewise. Others may still be there; they die with us. */
static void end_with_command(struct seat_shared *shared, const struct launch *l, pid_t command)
{
	siginfo_t info = { 0 };
	char text[24];
	int n;

	if (waitid(P_PID, (id_t) command, &info, WEXITED | WNOHANG) < 0 || info.si_pid != command) {
		return;
	}
	n = snprintf(text, sizeof(text), "%s %d\n",
		     info.si_code == CLD_EXITED ? "exited" : "killed", info.si_status);
	shared->init_exec = true;
	(void) write_all(l->status_fd, text, (size_t) n); /* our own exit is the other witness */
	_exit(info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status);
}

static _Noreturn void launch_with_init(struct seat_child *c, struct launch *l)
{
	struct seat_shared *shared = c->shared;
	sigset_t all;
	pid_t pid;
	int r;

	/* What is blocked stays pending until ward-init takes it. */
	sigfillset(&all);
	(void) sigprocmask(SIG_SETMASK, &all, NULL);
	pid = command_fork(c, &l->command);
	if (pid < 0) {
		(void) err_set_errno(&shared->error, pid, "making the command's process");
		seat_child_fail(shared);
	}
	if (shared->error.code != 0 || !shared->command_exec) {
		seat_child_fail(shared);
	}
	end_with_command(shared, l, pid);
	r = become_init(c, l, pid);
	shared->init_exec = false;
	(void) err_set_errno(&shared->error, r, "executing ward-init");
	seat_child_fail(shared);
}

_Noreturn void launch_run(struct seat_child *c)
{
	struct seat_shared *shared = c->shared;
	struct launch *l = shared->launch;

	if (steps_run_child(&shared->order, STEP_CHILD, &shared->error) < 0) {
		seat_child_fail(shared);
	}
	/* From here on the context outlives the daemon. */
	(void) prctl(PR_SET_PDEATHSIG, 0);
	if (l->init == SPEC_INIT_FAKE) {
		launch_with_init(c, l);
	}
	shared->one_exec = true;
	command_run(&l->command);
}
