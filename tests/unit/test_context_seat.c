/* Seats for real: processes in namespaces, started, entered and failed. Needs root. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "context/context.h"

#define WAIT_MS 20000

struct fixture {
	struct context_host *host;
	struct facts facts;
};

/** What came out of one launch. */
struct outcome {
	enum seat_event event;
	bool exec_failed;
	int code, status; /* of process 1 */
	char text[64]; /* of the status file */
	char output[4096];
	struct err e;
};

static const struct seat_enter nowhere = { .clone_into = -1 };

static const char *init_path(void)
{
	static const char *const paths[] = { "build/san/ward-init", "build/ward-init" };
	const char *said = getenv("WARD_INIT");

	for (size_t i = 0; !said && i < ARRAY_SIZE(paths); i++) {
		said = access(paths[i], R_OK) == 0 ? paths[i] : NULL;
	}
	return said;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = { 0 };
	const char *init = init_path();

	*state = f;
	if (!f || geteuid() != 0 || !init) {
		return f ? 0 : -1;
	}
	context_probe(&f->facts);
	if (f->facts.context.user_ns &&
	    context_host_new(init, "configs/seccomp", 3000000000u, 65536 * 8, &f->host, &e) < 0) {
		(void) fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	context_host_free(f->host);
	free(f);
	return 0;
}

static struct fixture *need(void **state)
{
	struct fixture *f = *state;

	if (!f->host) {
		print_message("needs root, user namespaces and build/ward-init\n");
		skip();
	}
	return f;
}

static enum seat_event next(struct seat *s, int *fd, struct err *e)
{
	for (;;) {
		struct pollfd p = { .fd = s->sock, .events = POLLIN };

		if (poll(&p, 1, WAIT_MS) != 1) {
			return SEAT_WAIT;
		}
		enum seat_event event = seat_read(s, fd, e);
		if (event != SEAT_WAIT) {
			return event;
		}
	}
}

static struct context_plan *plan_of(struct fixture *f, const char *const *argv, const char *user,
				    enum spec_init init)
{
	struct context_plan *p = NULL;
	struct spec s;
	struct err e = { 0 };

	assert_int_equal(spec_init(&s, "test"), 0);
	for (; *argv; argv++) {
		assert_int_equal(strv_add(&s.context.command, *argv), 0);
	}
	s.context.init = init;
	assert_int_equal(str_replace(&s.context.user, user), 0);
	assert_int_equal(context_plan_new(&s, &f->facts, true, &p, &e), 0);
	spec_done(&s);
	return p;
}

static struct seat *park(struct fixture *f, const struct context_plan *p)
{
	struct seat_kind kind = context_seat_kind(p);
	struct seat *s = NULL;
	struct err e = { 0 };
	int fd = -1;

	if (seat_new(f->host, &kind, &nowhere, &s, &e) < 0) {
		fail_msg("%s", e.text);
	}
	assert_int_equal(next(s, &fd, &e), SEAT_PARKED);
	return s;
}

static int mount_proc(void *arg, struct err *e)
{
	(void) arg;
	(void) e;
	return sys(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
}

static int fail_here(void *arg, struct err *e)
{
	return err_set(e, -EXDEV, "%s", (const char *) arg);
}

static int new_file(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void read_back(int fd, char *to, size_t size)
{
	ssize_t n = pread(fd, to, size - 1, 0);

	assert_true(n >= 0);
	to[n] = '\0';
}

static void launch(struct fixture *f, const struct context_plan *p, struct seat *s, int out,
		   int status, const struct step *extra)
{
	struct step_list steps;
	struct context_stdio io = { .in = -1, .out = dup(out), .err = -1 };
	const struct context_kept kept = { .status_fd = dup(status),
					   .notify_fd = -1,
					   .network_fd = -1 };
	struct err e = { 0 };

	assert_int_equal(steps_init(&steps, &s->arena), 0);
	assert_int_equal(steps_add(&steps, (struct step){ .name = "proc",
							  .phase = STEP_CHILD,
							  .run = mount_proc }),
			 0);
	if (extra) {
		assert_int_equal(steps_add(&steps, *extra), 0);
	}
	if (context_steps(p, f->host, s, &io, &kept, &steps, &e) < 0) {
		fail_msg("%s", e.text);
	}
	assert_int_equal(seat_launch(s, &steps, &e), 0);
	steps_done(&steps);
}

static void run(struct fixture *f, const char *const *argv, const char *user, enum spec_init init,
		const struct step *extra, struct outcome *o)
{
	struct context_plan *p = plan_of(f, argv, user, init);
	struct seat *s = park(f, p);
	_cleanup_close_ int out = new_file();
	_cleanup_close_ int status = new_file();
	siginfo_t info = { 0 };
	int fd = -1;

	*o = (struct outcome){ 0 };
	launch(f, p, s, out, status, extra);
	o->event = next(s, &fd, &o->e);
	o->exec_failed = seat_exec_failed(s);
	if (o->event == SEAT_STARTED) {
		assert_int_equal(waitid(P_PIDFD, (id_t) s->pidfd, &info, WEXITED), 0);
		o->code = info.si_code;
		o->status = info.si_status;
		context_ids_release(f->host, s->ids_first, s->ids_count);
	}
	read_back(out, o->output, sizeof(o->output));
	read_back(status, o->text, sizeof(o->text));
	seat_free(f->host, s);
	context_plan_free(p);
}

static void the_status_is_kept(void **state)
{
	struct fixture *f = need(state);
	struct outcome o;

	run(f, (const char *[]){ "sh", "-c", "exit 7", NULL }, NULL, SPEC_INIT_FAKE, NULL, &o);
	assert_int_equal(o.event, SEAT_STARTED);
	assert_int_equal(o.code, CLD_EXITED);
	assert_int_equal(o.status, 7);
	assert_string_equal(o.text, "exited 7\n");
	run(f, (const char *[]){ "sh", "-c", "kill -9 $$", NULL }, NULL, SPEC_INIT_FAKE, NULL, &o);
	assert_int_equal(o.status, 128 + SIGKILL);
	assert_string_equal(o.text, "killed 9\n");
}

static void init_none_is_the_command(void **state)
{
	struct fixture *f = need(state);
	struct outcome o;

	run(f, (const char *[]){ "sh", "-c", "echo $$; exit 3", NULL }, NULL, SPEC_INIT_NONE, NULL,
	    &o);
	assert_int_equal(o.event, SEAT_STARTED);
	assert_int_equal(o.status, 3);
	assert_string_equal(o.output, "1\n");
}

static void the_inside_is_as_planned(void **state)
{
	struct fixture *f = need(state);
	struct outcome o;
	const char *script = "id -u; hostname; echo $container; ls /proc/self/fd | wc -l; "
			     "grep -E '^(CapInh|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status; "
			     "cut -d. -f1 /proc/uptime; readlink /proc/1/exe; ls /proc/1/fd";

	run(f, (const char *[]){ "sh", "-c", script, NULL }, NULL, SPEC_INIT_FAKE, NULL, &o);
	assert_string_equal(o.output, "0\ntest\nward\n4\n"
				      "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n"
				      "NoNewPrivs:\t1\nSeccomp:\t2\n0\n");
	run(f, (const char *[]){ "sh", "-c", "id -u; id -g; grep CapPrm /proc/self/status", NULL },
	    "65534:65533", SPEC_INIT_FAKE, NULL, &o);
	assert_string_equal(o.output, "65534\n65533\nCapPrm:\t0000000000000000\n");
}

static void what_is_not_found_says_so(void **state)
{
	struct fixture *f = need(state);
	struct outcome o;

	run(f, (const char *[]){ "no-such-program", NULL }, NULL, SPEC_INIT_FAKE, NULL, &o);
	assert_int_equal(o.event, SEAT_FAILED);
	assert_true(o.exec_failed);
	assert_int_equal(o.e.code, -ENOENT);
	assert_string_equal(o.text, "");
	run(f, (const char *[]){ "/etc/passwd", NULL }, NULL, SPEC_INIT_NONE, NULL, &o);
	assert_int_equal(o.event, SEAT_FAILED);
	assert_true(o.exec_failed);
	assert_int_equal(o.e.code, -EACCES);
}

static void a_failed_step_is_named(void **state)
{
	struct fixture *f = need(state);
	struct step child = { .name = "broken",
			      .phase = STEP_CHILD,
			      .run = fail_here,
			      .arg = (void *) (uintptr_t) "on purpose" };
	struct outcome o;

	run(f, (const char *[]){ "true", NULL }, NULL, SPEC_INIT_FAKE, &child, &o);
	assert_int_equal(o.event, SEAT_FAILED);
	assert_false(o.exec_failed);
	assert_int_equal(o.e.code, -EXDEV);
	assert_non_null(strstr(o.e.text, "broken"));
	assert_non_null(strstr(o.e.text, "on purpose"));
	run(f, (const char *[]){ "true", NULL }, "no-such-user", SPEC_INIT_FAKE, NULL, &o);
	assert_int_equal(o.event, SEAT_FAILED);
	assert_false(o.exec_failed);
	assert_non_null(strstr(o.e.text, "no-such-user"));
}

static void exec_inside(struct fixture *f, struct context_plan *p, struct seat *s,
			const char *program, const char *script, struct outcome *o)
{
	_cleanup_close_ int out = new_file();
	struct context_exec x = {
		.target = s->pid,
		.target_pidfd = s->pidfd,
		.io = { .in = -1, .out = out, .err = -1 },
		.enter = &nowhere,
	};
	struct seat *inside = NULL;
	siginfo_t info = { 0 };
	int fd = -1;

	*o = (struct outcome){ 0 };
	assert_int_equal(strv_add(&x.command, program), 0);
	assert_int_equal(strv_add(&x.command, "-c"), 0);
	assert_int_equal(strv_add(&x.command, script), 0);
	assert_int_equal(strv_add(&x.environment, "container=other"), 0);
	assert_int_equal(context_exec(f->host, p, &x, &inside, &o->e), 0);
	o->event = next(inside, &fd, &o->e);
	o->exec_failed = seat_exec_failed(inside);
	if (o->event == SEAT_STARTED) {
		assert_int_equal(waitid(P_PIDFD, (id_t) inside->pidfd, &info, WEXITED), 0);
		o->code = info.si_code;
		o->status = info.si_status;
	}
	seat_free(f->host, inside);
	read_back(out, o->output, sizeof(o->output));
	strv_done(&x.command);
	strv_done(&x.environment);
}

static void exec_enters_the_context(void **state)
{
	struct fixture *f = need(state);
	struct context_plan *p =
		plan_of(f, (const char *[]){ "sleep", "60", NULL }, NULL, SPEC_INIT_FAKE);
	struct seat *s = park(f, p);
	_cleanup_close_ int status = new_file();
	struct outcome o;
	siginfo_t info;
	int fd = -1;

	launch(f, p, s, status, status, NULL);
	assert_int_equal(next(s, &fd, &o.e), SEAT_STARTED);
	exec_inside(f, p, s, "sh",
		    "cat /proc/1/comm; hostname; id -u; echo $container; "
		    "ls /proc/self/fd | wc -l; exit 4",
		    &o);
	assert_int_equal(o.event, SEAT_STARTED);
	assert_int_equal(o.code, CLD_EXITED);
	assert_int_equal(o.status, 4);
	assert_string_equal(o.output, "ward-init\ntest\n0\nother\n4\n");
	exec_inside(f, p, s, "no-such-program", "", &o);
	assert_int_equal(o.event, SEAT_FAILED);
	assert_true(o.exec_failed);
	/* The daemon is back in its own pid namespace. */
	pid_t child = fork();
	if (child == 0) {
		_exit(getppid() == 0);
	}
	assert_int_equal(waitid(P_PID, (id_t) child, &info, WEXITED), 0);
	assert_int_equal(info.si_status, 0);

	assert_int_equal(proc_pidfd_signal(s->pidfd, SIGTERM), 0); /* forwarded to sleep */
	assert_int_equal(waitid(P_PIDFD, (id_t) s->pidfd, &info, WEXITED), 0);
	assert_int_equal(info.si_status, 128 + SIGTERM);
	read_back(status, o.text, sizeof(o.text));
	assert_string_equal(o.text, "killed 15\n");
	context_ids_release(f->host, s->ids_first, s->ids_count);
	seat_free(f->host, s);
	context_plan_free(p);
}

/** A daemon of its own parks a seat and is killed: the seat must follow. */
static void a_parked_seat_dies_with_its_daemon(void **state)
{
	struct fixture *f = need(state);
	struct context_plan *p = plan_of(f, (const char *[]){ "true", NULL }, NULL, SPEC_INIT_FAKE);
	int pipes[2];
	pid_t daemon, parked = 0;
	siginfo_t info;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	daemon = fork();
	if (daemon == 0) {
		struct seat *s = park(f, p);

		(void) !write(pipes[1], &s->pid, sizeof(s->pid));
		for (;;) {
			pause();
		}
	}
	assert_int_equal(read(pipes[0], &parked, sizeof(parked)), sizeof(parked));
	_cleanup_close_ int pidfd = proc_pidfd_open(parked);
	assert_true(pidfd >= 0);
	assert_int_equal(kill(daemon, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t) daemon, &info, WEXITED), 0);
	struct pollfd dead = { .fd = pidfd, .events = POLLIN };
	assert_int_equal(poll(&dead, 1, WAIT_MS), 1);
	close(pipes[0]);
	close(pipes[1]);
	context_plan_free(p);
}

static void freed_seats_give_their_ids_back(void **state)
{
	struct fixture *f = need(state);
	struct context_plan *p = plan_of(f, (const char *[]){ "true", NULL }, NULL, SPEC_INIT_FAKE);

	for (int i = 0; i < 20; i++) { /* there are 8 ranges */
		seat_free(f->host, park(f, p));
	}
	context_plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_status_is_kept),
		cmocka_unit_test(init_none_is_the_command),
		cmocka_unit_test(the_inside_is_as_planned),
		cmocka_unit_test(what_is_not_found_says_so),
		cmocka_unit_test(a_failed_step_is_named),
		cmocka_unit_test(exec_enters_the_context),
		cmocka_unit_test(a_parked_seat_dies_with_its_daemon),
		cmocka_unit_test(freed_seats_give_their_ids_back),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
