/* Slots on this host for the live tests: a private instance, processes in it, bounded waits. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/proc.h"
#include "sched/attribute.h"

#define MIB (1u << 20)
#define PATIENCE_MS 3000

static struct facts facts;
static struct sched_host *host;
static unsigned next_slot = 1;
static bool v1_alone;

static inline int64_t now_us(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline void nap(void)
{
	const struct timespec t = { .tv_nsec = 2000000 };

	(void) nanosleep(&t, NULL);
}

static inline void fails(const struct err *e)
{
	fail_msg("%s", e->text);
}

static inline void forget_cgroup2(struct cg_layout *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		if (!l->list[i].unified)
			l->list[n++] = l->list[i];
	l->count = n;
	l->kind = FACTS_CGROUP_V1;
	for (unsigned c = 0; c < CG_CONTROLLER_COUNT; c++) {
		l->of[c] = -1;
		for (size_t i = 0; i < n; i++)
			if ((l->list[i].controllers & 1u << c) != 0)
				l->of[c] = (int) i;
	}
}

static inline int group_setup(void **state)
{
	char name[48];
	struct cg_layout l;
	struct err e = { 0 };

	(void) state;
	(void) snprintf(name, sizeof(name), "test-sched.%d", getpid());
	sched_probe(&facts);
	if (geteuid() != 0 || cg_layout_read(&l) < 0)
		return 0;
	if (v1_alone)
		forget_cgroup2(&l);
	if (l.count == 0)
		return 0;
	if (host_new_in(name, &l, &host, &e) < 0) {
		print_message("cannot make cgroups here: %s\n", e.text);
		host = NULL;
	}
	return 0;
}

static inline bool keep_none(unsigned slot, void *arg)
{
	(void) slot;
	(void) arg;
	return false;
}

static inline int group_teardown(void **state)
{
	struct err e = { 0 };
	int r = 0;

	(void) state;
	if (host != NULL)
		r = sched_host_sweep(host, keep_none, NULL, &e);
	if (r < 0)
		print_message("%s\n", e.text);
	sched_host_free(host);
	host = NULL;
	return r;
}

static inline void need_host(void)
{
	if (host == NULL) {
		print_message("skipped: needs root and writable cgroups\n");
		skip();
	}
}

static inline void need(enum cg_controller c)
{
	need_host();
	if (host_tree(host, c) == NULL) {
		print_message("skipped: no %s controller\n", cg_controller_name(c));
		skip();
	}
}

static inline unsigned make_slot(void)
{
	unsigned slot = next_slot++;
	struct err e = { 0 };

	if (sched_slot_create(host, slot, &e) < 0)
		fails(&e);
	return slot;
}

static inline void set(unsigned slot, const char *attribute, const char *value)
{
	struct err e = { 0 };

	if (attribute_write(host, slot, attribute, value, &e) < 0)
		fails(&e);
}

/* Runs `body` in a new process of the slot, once that has entered it. */
static inline pid_t spawn(unsigned slot, void (*body)(void *arg), void *arg)
{
	struct sched_attach a = { .clone_into = -1 };
	struct err e = { 0 };
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid;

	if (sched_slot_open(host, slot, &a, &e) < 0)
		fails(&e);
	if (a.clone_into >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (unsigned) a.clone_into;
	}
	pid = proc_clone3(&args);
	if (pid == 0) {
		if (sched_attach_self(&a) < 0)
			_exit(77);
		body(arg);
		_exit(0);
	}
	assert_true(pid > 0);
	sched_attach_done(&a);
	return pid;
}

static inline int reap(pid_t pid)
{
	int64_t end = now_us() + PATIENCE_MS * 1000;
	int status = 0;
	pid_t r;

	while ((r = waitpid(pid, &status, WNOHANG)) == 0 && now_us() < end)
		nap();
	assert_int_equal(r, pid);
	return status;
}

static inline struct sched_stats stats(unsigned slot)
{
	struct sched_stats s;

	assert_int_equal(sched_slot_stats(host, slot, &s), 0);
	return s;
}

static inline void remove_slot(unsigned slot)
{
	int64_t end = now_us() + PATIENCE_MS * 1000;
	int r;

	while ((r = sched_slot_remove(host, slot)) == -EBUSY && now_us() < end)
		nap();
	assert_int_equal(r, 0);
	for (size_t i = 0; i < host->count; i++)
		assert_int_equal(slot_openat(&host->trees[i], slot, "", O_RDONLY), -ENOENT);
}

static inline void kill_and_remove(unsigned slot, pid_t pid)
{
	int status;

	assert_int_equal(sched_slot_kill(host, slot), 0);
	status = reap(pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	remove_slot(slot);
}

static inline void sleeper(void *arg)
{
	(void) arg;
	for (;;)
		(void) pause();
}

static inline void forker(void *arg)
{
	(void) arg;
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			sleeper(NULL);
		if (pid < 0)
			nap();
	}
}

static inline bool until(bool (*condition)(unsigned slot), unsigned slot)
{
	int64_t end = now_us() + PATIENCE_MS * 1000;

	while (!condition(slot) && now_us() < end)
		nap();
	return condition(slot);
}

static inline bool is_entered(unsigned slot)
{
	pid_t pid;

	for (size_t i = 0; i < host->count; i++)
		if (tree_pids(&host->trees[i], slot, &pid, 1) != 1)
			return false;
	return true;
}

static inline bool is_frozen(unsigned slot)
{
	return stats(slot).frozen;
}

static inline bool is_thawed(unsigned slot)
{
	return !stats(slot).frozen;
}

/* Touches *arg bytes and stays. */
static inline void eater(void *arg)
{
	size_t n = *(size_t *) arg;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(76);
	for (size_t i = 0; i < n; i += 4096)
		((volatile char *) p)[i] = 1;
	sleeper(NULL);
}
